//! `sandbox`: a stand-in for Kapso, an agent, the real bridge between them and a phone, in one process. The phone is in the
//! browser, or in the terminal.

mod bridged;
mod browser;

use std::io::IsTerminal;

use anyhow::Context;
use clap::Args;
use config::{ConfigError, State};
use gateway::{DeviceKey, Gateway, GatewayUrl, Status, Timing};
use model::{Identity, NumberId};
use sandbox::kapso::{Event, KapsoStandIn, StandInOptions, WebhookTarget};
use sandbox::openclaw::{self, OpenClawStandIn};
use sandbox::phone::{self, Patience, Phone};
use sandbox::web::{self, Agent};
use secrecy::SecretString;
use tokio::io::{BufReader, stdin, stdout};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::bridged::{Bridged, Doors};
use self::browser::Browser;
use crate::Common;
use crate::outcome::{Exit, Outcome};
use crate::printer;

/// The stand-in's key and number: nothing outside this process knows them.
const API_KEY: &str = "sandbox";
const NUMBER: &str = "100000000000001";

/// What the log shows where `RUST_LOG` does not say: the phone needs the screen.
const LOG: LevelFilter = LevelFilter::WARN;

/// With whom to talk, as whom.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// Talk to the agent of this OpenClaw gateway instead of the scripted one
    #[arg(long, value_name = "URL")]
    gateway: Option<GatewayUrl>,
    /// That gateway's token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "OPENCLAW_TOKEN",
        hide_env_values = true
    )]
    token: Option<SecretString>,
    /// The customer's number
    #[arg(long = "as", value_name = "NUMBER", default_value = "+15551234567")]
    customer: String,
    /// The customer's profile name
    #[arg(long, value_name = "NAME", default_value = "Ann")]
    name: String,
    /// Have the phone in the terminal instead of the browser
    #[arg(long, conflicts_with_all = ["port", "no_browser"])]
    terminal: bool,
    /// The port of the page, on loopback; any by default
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Print the page's address and start no browser
    #[arg(long)]
    no_browser: bool,
}

/// Everything but the bridge and the phone.
struct Scene {
    kapso: KapsoStandIn,
    number: NumberId,
    gateway: Gateway,
    agent: Agent,
    /// The tasks of the connection to the gateway.
    tracker: TaskTracker,
}

impl Sandbox {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let customer = match Identity::new(&self.customer) {
            Ok(customer) => customer,
            Err(invalid) => {
                return Outcome::failed(Exit::Usage, format!("--as {:?} {invalid}", self.customer));
            }
        };
        log();
        let stop = CancellationToken::new();
        // The whole sandbox is one future, too large for the stack of every command.
        let ended = Box::pin(self.converse(common, customer, stop.clone())).await;
        stop.cancel();
        match ended {
            Ok(()) => Outcome::silent(Exit::Done),
            Err(failure) => match failure.downcast_ref::<ConfigError>() {
                Some(error) => Outcome::misconfigured(error),
                None => Outcome::failed(Exit::Failed, format!("{failure:#}")),
            },
        }
    }

    async fn converse(
        self,
        common: &Common,
        customer: Identity,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let tracker = if self.terminal {
            self.in_terminal(common, customer, stop.clone()).await?
        } else {
            Box::pin(self.in_browser(common, customer, stop.clone())).await?
        };
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        Ok(())
    }

    async fn in_terminal(
        self,
        common: &Common,
        customer: Identity,
        stop: CancellationToken,
    ) -> anyhow::Result<TaskTracker> {
        let scene = self.scene(common, None, &stop).await?;
        let bridged = scene.bridged(Doors::List).await?;
        listed_twice(&scene.kapso).await;
        let phone = Phone {
            kapso: scene.kapso,
            customer,
            name: self.name,
            // A terminal shows what is typed by itself.
            echo: !std::io::stdin().is_terminal(),
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            patience: Patience::default(),
        };
        interrupted(&stop);
        phone::run(phone, BufReader::new(stdin()), stdout(), stop).await?;
        bridged.stop().await?;
        Ok(scene.tracker)
    }

    async fn in_browser(
        self,
        common: &Common,
        customer: Identity,
        stop: CancellationToken,
    ) -> anyhow::Result<TaskTracker> {
        let door = loopback().await?;
        let scene = self
            .scene(common, Some(browser::target(&door)?), &stop)
            .await?;
        let people = browser::people(customer, self.name)?;
        let mut events = scene.kapso.events();
        let doors = Doors::Pushed(door, browser::secret(), browser::allowed(&people));
        let bridged = scene.bridged(doors).await?;
        // What the bridge finds in its first list, it takes for old.
        while !matches!(events.recv().await?, Event::Listed { .. }) {}
        let page = Browser {
            port: self.port,
            open: !self.no_browser,
            json: common.json,
        };
        let options = web::Options {
            kapso: scene.kapso,
            agent: scene.agent,
            trace: browser::trace(bridged.socket()),
            people,
        };
        interrupted(&stop);
        let bridged = page.run(options, bridged, stop).await?;
        bridged.stop().await?;
        Ok(scene.tracker)
    }

    async fn scene(
        &self,
        common: &Common,
        webhook: Option<WebhookTarget>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Scene> {
        let number = NumberId::new(NUMBER)?;
        let options = StandInOptions {
            webhook,
            ..StandInOptions::new(API_KEY, number.clone())
        };
        let kapso = KapsoStandIn::start(loopback().await?, options, stop.clone()).await?;
        let tracker = TaskTracker::new();
        let (gateway, agent) = self.gateway(common, stop, &tracker).await?;
        connected(&gateway).await?;
        Ok(Scene {
            kapso,
            number,
            gateway,
            agent,
            tracker,
        })
    }

    /// The agent's side: the gateway that is named, else a scripted one in this process.
    async fn gateway(
        &self,
        common: &Common,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<(Gateway, Agent)> {
        let (url, device, device_token_file, agent) = match &self.gateway {
            Some(url) => {
                // The poller's own identity: it is the one that the operator has approved.
                let state = State::load(common.config.as_deref())?;
                let device = DeviceKey::load_or_create(&state.device_key())?;
                let agent = Agent::Elsewhere(url.to_string());
                (url.clone(), device, Some(state.device_token()), agent)
            }
            None => {
                let agent = OpenClawStandIn::start(
                    loopback().await?,
                    openclaw::Options::default(),
                    stop.clone(),
                )?;
                let url = agent.url().parse()?;
                (url, DeviceKey::generate()?, None, Agent::Scripted(agent))
            }
        };
        let options = gateway::Options {
            url,
            // The scripted agent wants none.
            token: self.token.clone().filter(|_| self.gateway.is_some()),
            device,
            device_token_file,
            timing: Timing::default(),
        };
        Ok((Gateway::open(options, stop.clone(), tracker), agent))
    }
}

impl Scene {
    async fn bridged(&self, doors: Doors) -> anyhow::Result<Bridged> {
        let (number, gateway) = (self.number.clone(), self.gateway.clone());
        Bridged::start(&self.kapso, API_KEY, number, gateway, doors).await
    }
}

async fn loopback() -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("no port on this host")
}

/// Waits for the gateway, saying once why it takes long. A refusal that the operator has to mend ends the wait.
async fn connected(gateway: &Gateway) -> anyhow::Result<()> {
    let mut status = gateway.status();
    let mut told = false;
    loop {
        match &*status.borrow_and_update() {
            Status::Connected(_) => return Ok(()),
            Status::Refused { refusal, .. } => anyhow::bail!("{refusal}; {}", refusal.remedy()),
            Status::Connecting {
                last: Some(refusal),
                ..
            } if !told => {
                told = true;
                printer::remark(&format!(
                    "waiting for the gateway: {refusal}; {}",
                    refusal.remedy()
                ));
            }
            Status::Connecting { .. } => {}
            Status::Closed => anyhow::bail!("the connection was closed"),
        }
        status
            .changed()
            .await
            .context("the connection was closed")?;
    }
}

/// Waits until the bridge reads the list for the second time: what it finds the first time, it takes for old.
async fn listed_twice(kapso: &KapsoStandIn) {
    let reads = |kapso: &KapsoStandIn| {
        kapso
            .requests()
            .iter()
            .filter(|request| request.method == "GET")
            .count()
    };
    kapso.until(|kapso| (reads(kapso) > 1).then_some(())).await;
}

/// Makes an interrupt end the phone, so that the bridge stops in order.
fn interrupted(stop: &CancellationToken) {
    let stop = stop.clone();
    tokio::spawn(async move {
        // Without a handler the interrupt ends the process, which loses nothing that is kept.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
}

fn log() {
    let asked = std::env::var("RUST_LOG").ok();
    let filter = asked.and_then(|text| text.parse().ok());
    let filter: Targets = filter.unwrap_or_else(|| Targets::new().with_default(LOG));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
}
