//! `sandbox`: a stand-in for Kapso, an agent, the real bridge between them and a phone in the terminal, in one process.

mod bridged;

use std::io::IsTerminal;

use anyhow::Context;
use clap::Args;
use config::{ConfigError, State};
use gateway::{DeviceKey, Gateway, GatewayUrl, Status, Timing};
use model::{Identity, NumberId};
use sandbox::kapso::{KapsoStandIn, StandInOptions};
use sandbox::openclaw::{self, OpenClawStandIn};
use sandbox::phone::{self, Patience, Phone};
use secrecy::SecretString;
use tokio::io::{BufReader, stdin, stdout};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::bridged::Bridged;
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
        let ended = self.converse(common, customer, stop.clone()).await;
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
        let number = NumberId::new(NUMBER)?;
        let options = StandInOptions::new(API_KEY, number.clone());
        let kapso = KapsoStandIn::start(loopback().await?, options, stop.clone()).await?;
        let tracker = TaskTracker::new();
        let gateway = self.gateway(common, &stop, &tracker).await?;
        connected(&gateway).await?;
        let bridged = Bridged::start(&kapso, API_KEY, number, gateway).await?;
        listed(&kapso).await;
        let phone = Phone {
            kapso,
            customer,
            name: self.name,
            // A terminal shows what is typed by itself.
            echo: !std::io::stdin().is_terminal(),
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            patience: Patience::default(),
        };
        interrupted(&stop);
        phone::run(phone, BufReader::new(stdin()), stdout(), stop.clone()).await?;
        bridged.stop().await?;
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        Ok(())
    }

    /// The agent's side: the gateway that is named, else a scripted one in this process.
    async fn gateway(
        &self,
        common: &Common,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<Gateway> {
        let (url, device, device_token_file) = match &self.gateway {
            Some(url) => {
                // The poller's own identity: it is the one that the operator has approved.
                let state = State::load(common.config.as_deref())?;
                let device = DeviceKey::load_or_create(&state.device_key())?;
                (url.clone(), device, Some(state.device_token()))
            }
            None => {
                let agent = OpenClawStandIn::start(
                    loopback().await?,
                    openclaw::Options::default(),
                    stop.clone(),
                )?;
                (agent.url().parse()?, DeviceKey::generate()?, None)
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
        Ok(Gateway::open(options, stop.clone(), tracker))
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
async fn listed(kapso: &KapsoStandIn) {
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
