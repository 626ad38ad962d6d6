//! Everything that a scenario needs: customers, Kapso, the daemon, the socket, the gateway, the model.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use model::NumberId;
use sandbox::kapso::{KapsoStandIn, SentMessage, StandInOptions};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::install::Installed;
use crate::openclaw::Gateway;
use crate::poller::{API_KEY, NUMBER, Poller, Settings};
use crate::proxy::Proxy;
use crate::release::{Pairing, Release};
use crate::script::Model;

/// Customers that the daemon knows. Each scenario has its own, so that scenarios can run side by side.
const CUSTOMERS: u32 = 160;

/// The longest until the daemon has read the message list for the first time.
const FIRST_POLL: Duration = Duration::from_secs(30);

/// The second business number's id, in a world with two.
const DESK: &str = "100000000000002";

/// The agent that the second number is routed to.
pub const SALES: &str = "sales";

/// One complete set-up. Fields end in this order: the daemon before what it talks to.
pub struct World {
    /// Our daemon.
    pub poller: Poller,
    /// The socket between daemon and gateway.
    pub proxy: Proxy,
    /// The agent's side.
    pub gateway: Gateway,
    /// What the agent thinks with.
    pub model: Model,
    /// The customers' side.
    pub kapso: KapsoStandIn,
    /// The same for the second business number, in a world with two.
    pub desk: Option<KapsoStandIn>,
    /// What the gateway is.
    pub release: Release,
    _stop: DropGuard,
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// The gateway's installation.
    pub installed: Installed,
    /// Our daemon's binary.
    pub program: PathBuf,
    /// The gateway's release, and how answers are relayed.
    pub pairing: Pairing,
    /// Where all state and logs lie; emptied first.
    pub folder: PathBuf,
    /// Further variables of the daemon.
    pub variables: Vec<(&'static str, String)>,
    /// Whether there is a second business number, routed to the agent [`SALES`].
    pub routed: bool,
}

/// A customer's number, such as `+15550000007`.
pub fn customer(number: u32) -> String {
    format!("+1555{number:07}")
}

/// The one customer whose role is `admin`; that of all others is `member`.
pub fn admin() -> String {
    customer(CUSTOMERS)
}

impl World {
    /// Starts everything and waits until the gateway is ready and the daemon has begun to read the message list.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn build(blueprint: &Blueprint) -> anyhow::Result<Self> {
        let folder = &blueprint.folder;
        empty(folder)?;
        let stop = CancellationToken::new();
        let kapso = kapso(NUMBER, stop.clone()).await?;
        let mut desk = None;
        if blueprint.routed {
            let second = self::kapso(DESK, stop.clone()).await?;
            kapso.serve_also(&second);
            desk = Some(second);
        }
        let model = Model::start()
            .await
            .context("the model cannot be started")?;
        let agents: &[&str] = if blueprint.routed {
            &["main", SALES]
        } else {
            &[]
        };
        let release = blueprint.pairing.release.clone();
        let installed = blueprint.installed.clone();
        let gateway = Gateway::new(installed, folder, &model.base_url(), &release, agents)?;
        let proxy = Proxy::start(gateway.port())
            .await
            .context("the proxy cannot be started")?;
        let poller = Poller::new(Settings {
            program: blueprint.program.clone(),
            wrapper: Vec::new(),
            folder: folder.clone(),
            log: folder.join("poller.log"),
            kapso: kapso.base_url(),
            gateway: format!("ws://{}", proxy.address()),
            relay: blueprint.pairing.relay,
            sessions_json: gateway.sessions_json(),
            customers: (0..CUSTOMERS).map(customer).collect(),
            variables: variables(blueprint)?,
        });
        let mut world = Self {
            poller,
            proxy,
            gateway,
            model,
            kapso,
            desk,
            release,
            _stop: stop.drop_guard(),
        };
        world.gateway.start().await?;
        world.start_poller().await?;
        Ok(world)
    }

    /// Starts the daemon and waits until it has read the message list.
    ///
    /// # Errors
    /// When it ends or does not read.
    pub async fn start_poller(&mut self) -> anyhow::Result<()> {
        let before = self.kapso.requests().len();
        self.poller.start()?;
        let read = self.kapso.until(|kapso| {
            let requests = kapso.requests();
            requests[before..]
                .iter()
                .any(|request| request.method == "GET")
                .then_some(())
        });
        if timeout(FIRST_POLL, read).await.is_err() {
            self.poller.running()?;
            anyhow::bail!("the poller read no messages within {FIRST_POLL:?}");
        }
        Ok(())
    }

    /// Waits until `n` messages went to a customer, and gives their texts.
    ///
    /// # Errors
    /// When fewer came in that time.
    pub async fn answers(
        &self,
        to: &str,
        n: usize,
        within: Duration,
    ) -> anyhow::Result<Vec<String>> {
        let sent = self.kapso.sent_to_within(to, n, within).await;
        Ok(texts(sent.with_context(|| format!("{to} got no answer"))?))
    }

    /// A single answer, exactly this.
    ///
    /// # Errors
    /// When none came in time, more came, or another.
    pub async fn answered(&self, to: &str, text: &str, within: Duration) -> anyhow::Result<()> {
        let answers = self.answers(to, 1, within).await?;
        ensure!(
            answers == [text],
            "{to} should have got \"{text}\" and got {answers:?}"
        );
        Ok(())
    }

    /// The texts that went to a customer so far.
    pub fn answers_so_far(&self, to: &str) -> Vec<String> {
        let all = self.kapso.sent().into_iter();
        texts(all.filter(|message| message.customer == to).collect())
    }

    /// The logs of all parts, for the report of a failure.
    pub fn logs(&self) -> [PathBuf; 2] {
        [self.poller.log(), self.gateway.log()]
    }
}

fn texts(sent: Vec<SentMessage>) -> Vec<String> {
    sent.into_iter().map(|message| message.text).collect()
}

/// The daemon's variables, with its file beside them: roles and routes cannot be said in variables.
fn variables(blueprint: &Blueprint) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut text = format!("[security.roles]\nadmin = [\"{}\"]\n", admin());
    if blueprint.routed {
        text += &format!(
            "\n[[numbers]]\nphone_number_id = \"{DESK}\"\nname = \"desk\"\n\n\
             [[routes]]\nnumber = \"desk\"\nagent = \"{SALES}\"\n"
        );
    }
    let file = blueprint.folder.join("poller.toml");
    fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    let file = file.to_str().context("the folder's name is no text")?;
    let own = [("KAPSO_CONFIG", file.to_owned())];
    Ok(own.into_iter().chain(blueprint.variables.clone()).collect())
}

async fn kapso(number: &str, stop: CancellationToken) -> anyhow::Result<KapsoStandIn> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let number = NumberId::new(number).context("the number's id is not one")?;
    let options = StandInOptions::new(API_KEY.to_owned(), number);
    KapsoStandIn::start(listener, options, stop)
        .await
        .context("the Kapso stand-in cannot be started")
}

/// Makes a folder anew.
pub(crate) fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}
