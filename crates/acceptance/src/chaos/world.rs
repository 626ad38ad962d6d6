//! The daemon between the stand-ins, and the hands that hurt it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener as Port};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fastrand::Rng;
use model::NumberId;
use sandbox::kapso::{
    Incoming, KapsoStandIn, RecordedRequest, StandInOptions, WebhookTarget, WebhookTiming,
};
use sandbox::openclaw::{self, OpenClawStandIn, Resume, Script};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::health::Health;
use super::judge::{self, Letter, Order, Record};
use super::table::Tally;
use super::token::{self, Token};
use super::wall::Wall;
use super::way::Way;
use crate::openclaw::TOKEN;
use crate::poller::{API_KEY, NUMBER, Poller, Settings};
use crate::release::Relay;
use crate::world::{customer, empty};

/// The key of the webhook's signature.
pub const SECRET: &str = "chaos-webhook-secret";

/// The longest until a daemon that has answered everything says that nothing is left.
const WINDING_UP: Duration = Duration::from_secs(60);

/// The longest until a started daemon has read the list.
const START: Duration = Duration::from_secs(30);

/// How long nothing may come twice after a fresh start has looked at everything again.
const AFTERMATH: Duration = Duration::from_millis(1500);

/// Between two looks at whether something has come.
const LOOK: Duration = Duration::from_millis(50);

/// Kapso waits 10, 40 and 90 s before it tries a delivery again; here it is quicker and more patient, so that a run is
/// short and a delivery is lost only where a scenario says so.
const RETRIES: [u64; 7] = [100, 200, 400, 1000, 2000, 4000, 8000];

/// Ports for webhooks are taken from here upwards, below those that the system gives to outgoing connections.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Everything once, within two minutes.
    Quick,
    /// As much as shows something.
    Full,
}

impl Size {
    /// What there is to do, of two.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }

    /// The longest until every message is answered, when the harm is done.
    fn patience(self) -> Duration {
        Duration::from_secs(self.pick(90, 300))
    }
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Our daemon's binary.
    pub program: PathBuf,
    /// Where state and logs lie; emptied first.
    pub folder: PathBuf,
    /// How messages come.
    pub way: Way,
    /// How much is done.
    pub size: Size,
    /// What chance begins with.
    pub seed: u64,
    /// The daemon's log level.
    pub log: String,
}

/// What a scenario needs otherwise than most.
#[derive(Debug, Clone)]
pub struct Ground {
    /// How many customers there are.
    pub customers: u32,
    /// The order in which they must be answered.
    pub order: Order,
    /// The webhook, where there is one: address and secret are set.
    pub webhook: fn(&mut WebhookTarget),
    /// The gateway.
    pub gateway: fn(&mut openclaw::Options),
    /// Further configuration of the daemon.
    pub variables: &'static [(&'static str, &'static str)],
    /// A program that becomes the daemon, for a folder of state.
    pub wrapper: fn(&Path) -> Vec<OsString>,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            customers: 8,
            order: Order::Written,
            webhook: |_| {},
            gateway: |_| {},
            variables: &[],
            wrapper: |_| Vec::new(),
        }
    }
}

/// One complete set-up. Fields end in this order: the daemon before what it talks to.
pub struct World {
    /// Our daemon.
    pub poller: Poller,
    /// The customers' side.
    pub kapso: KapsoStandIn,
    /// The agent's side.
    pub gateway: OpenClawStandIn,
    /// Kapso's idea of the time.
    pub wall: Wall,
    /// Chance.
    pub dice: Rng,
    /// How messages come.
    pub way: Way,
    /// How much is done.
    pub size: Size,
    /// Where the daemon is pushed to.
    pub port: u16,
    /// How often the daemon was killed.
    pub kills: u32,
    letters: Vec<Letter>,
    written: Vec<u32>,
    order: Order,
    lives: Vec<usize>,
    stays_up: bool,
    _stop: DropGuard,
}

impl World {
    /// Starts the stand-ins; the daemon is ready to be started.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn build(blueprint: &Blueprint, ground: &Ground) -> anyhow::Result<Self> {
        let Blueprint {
            program,
            folder,
            way,
            size,
            seed,
            log,
        } = blueprint;
        empty(folder)?;
        let stop = CancellationToken::new();
        let (wall, port) = (Wall::start(stop.clone()), free_port()?);
        let kapso = kapso(*way, port, ground, &wall, stop.clone()).await?;
        let gateway = gateway(ground, stop.clone()).await?;
        let mut variables = way.variables(port);
        variables.push(("KAPSO_WEBHOOK_SECRET", SECRET.to_owned()));
        variables.push(("KAPSO_RATE_LIMIT", "100000".to_owned()));
        variables.push(("RUST_LOG", log.clone()));
        let further = ground.variables.iter();
        variables.extend(further.map(|(name, value)| (*name, (*value).to_owned())));
        let mut settings = Settings {
            program: program.clone(),
            wrapper: Vec::new(),
            folder: folder.clone(),
            log: folder.join("poller.log"),
            kapso: kapso.base_url(),
            gateway: gateway.url(),
            relay: Relay::Auto,
            sessions_json: folder.join("none"),
            customers: (0..ground.customers).map(customer).collect(),
            variables,
        };
        settings.wrapper = (ground.wrapper)(&settings.state());
        Ok(Self {
            poller: Poller::new(settings),
            kapso,
            gateway,
            wall,
            dice: Rng::with_seed(*seed),
            way: *way,
            size: *size,
            port,
            kills: 0,
            letters: Vec::new(),
            written: vec![0; ground.customers as usize],
            order: ground.order,
            lives: Vec::new(),
            stays_up: false,
            _stop: stop.drop_guard(),
        })
    }

    /// Number of customers.
    pub fn customers(&self) -> u32 {
        u32::try_from(self.written.len()).unwrap_or(u32::MAX)
    }

    /// A customer writes.
    pub fn write(&mut self, from: u32) -> Token {
        self.write_as(from, |incoming| incoming)
    }

    /// A customer writes a message that is somehow special.
    pub fn write_as(&mut self, from: u32, special: impl FnOnce(Incoming) -> Incoming) -> Token {
        self.file(from, true, special)
    }

    /// A customer writes a message that is pushed, and never listed.
    pub fn write_unlisted(&mut self, from: u32) -> Token {
        self.file(from, false, Incoming::hidden)
    }

    fn file(
        &mut self,
        from: u32,
        listed: bool,
        special: impl FnOnce(Incoming) -> Incoming,
    ) -> Token {
        let count = &mut self.written[from as usize];
        *count += 1;
        let token = Token {
            customer: from,
            number: *count,
        };
        let incoming = special(Incoming::text(&token.to_string()));
        let id = self.kapso.receive(&customer(from), incoming);
        self.letters.push(Letter { token, id, listed });
        token
    }

    /// So many messages, each of a customer whom chance names.
    pub fn write_some(&mut self, messages: u32) {
        for _ in 0..messages {
            let from = self.dice.u32(0..self.customers());
            self.write(from);
        }
    }

    /// What customers wrote so far.
    pub fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// Waits for at most so many milliseconds.
    pub async fn while_away(&mut self, most: u64) {
        let time = self.dice.u64(0..=most);
        sleep(Duration::from_millis(time)).await;
    }

    /// Starts the daemon and waits until it has read the list.
    ///
    /// # Errors
    /// When it ends or does not read.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let before = self.lists();
        self.poller.start()?;
        self.until(START, "the poller reads the list", |world| {
            world.poller.running()?;
            Ok(world.lists() > before)
        })
        .await?;
        self.seen(START, "the poller has read the list", |health| {
            health.has_read()
        })
        .await
    }

    /// Waits until the daemon says of itself what `look` wants. One that is slow to answer is asked again.
    async fn seen(
        &mut self,
        within: Duration,
        what: &str,
        look: impl Fn(&Health) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.poller.running()?;
            let health = self.health().await;
            let left = match &health {
                Ok(health) if look(health) => return Ok(()),
                Ok(health) => health.left().join(", "),
                Err(failure) => format!("{failure:#}"),
            };
            let waited = begun.elapsed();
            ensure!(
                waited < within,
                "within {within:?} it was not seen that {what}; left: {left}"
            );
            sleep(LOOK).await;
        }
    }

    /// The daemon's folder of state, as the daemon sees it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn state(&self) -> anyhow::Result<PathBuf> {
        let settings = self.poller.settings();
        let state = settings.state();
        if settings.wrapper.is_empty() {
            return Ok(state);
        }
        let inside = state.strip_prefix("/").context("no absolute path")?;
        let root = PathBuf::from(format!("/proc/{}/root", self.poller.pid()?));
        Ok(root.join(inside))
    }

    async fn health(&self) -> anyhow::Result<Health> {
        Health::of(&self.state()?).await
    }

    /// Kills the daemon, as a crash does.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.kills += 1;
        self.poller.kill().await
    }

    /// Kills the gateway: it forgets every key.
    pub fn kill_gateway(&mut self) {
        self.gateway.kill();
        self.lives.push(self.gateway.executions().len());
    }

    /// Waits until every message that has to be is answered.
    ///
    /// # Errors
    /// When some are not in time.
    pub async fn answered(&mut self) -> anyhow::Result<()> {
        let waited = self.until(self.size.patience(), "every message is answered", |world| {
            world.poller.running()?;
            Ok(!world.owes())
        });
        waited.await
    }

    /// Waits until nothing can come any more: all is answered and delivered, and a daemon that starts afresh has looked at
    /// everything once more.
    ///
    /// # Errors
    /// When something is left, or the daemon does not end or start as it should.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        self.answered().await?;
        self.idle().await?;
        if !self.stays_up {
            self.poller.terminate().await?;
            self.start().await?;
            self.idle().await?;
        }
        sleep(AFTERMATH).await;
        Ok(())
    }

    /// From now on the daemon must not be started afresh, because what it stands on would be gone.
    pub fn stays_up(&mut self) {
        self.stays_up = true;
    }

    /// Waits until no delivery is under way and the daemon says that nothing is left to do.
    ///
    /// # Errors
    /// When that takes too long, or the daemon does not answer.
    pub async fn idle(&mut self) -> anyhow::Result<()> {
        let delivered = timeout(WINDING_UP, self.kapso.delivered()).await;
        delivered.context("deliveries are still under way")?;
        self.seen(WINDING_UP, "nothing is left to do", |health| {
            health.left().is_empty()
        })
        .await
    }

    /// Waits until `look` is true.
    ///
    /// # Errors
    /// What `look` gives, or that it was not true in time.
    pub async fn until(
        &mut self,
        within: Duration,
        what: &str,
        mut look: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !look(self)? {
            if begun.elapsed() > within {
                bail!("within {within:?} it was not seen that {what}");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// How often the daemon asked for customers' messages.
    pub fn lists(&self) -> usize {
        let inbound = |it: &&RecordedRequest| it.parameter("direction") == Some("inbound");
        self.kapso.requests().iter().filter(inbound).count()
    }

    /// Whether messages are left to answer.
    pub fn owes(&self) -> bool {
        !judge::unanswered(&self.record()).is_empty()
    }

    /// What the stand-ins say of it all, and how it went.
    pub async fn tally(&self, went: anyhow::Result<()>) -> Tally {
        let verdict = judge::judge(&self.record());
        let health = self.health().await.ok();
        let counter = |name| health.as_ref().and_then(|health| health.counter(name));
        let failures = went.err().map(|failure| format!("{failure:#}"));
        let breaches = verdict.breaches.iter().map(ToString::to_string);
        let failures: Vec<String> = failures.into_iter().chain(breaches).collect();
        Tally {
            log: (!failures.is_empty()).then(|| self.poller.log()),
            owed: verdict.owed,
            answered: verdict.answered,
            kills: self.kills,
            duplicates: counter("duplicates"),
            unknown: counter("unknown"),
            repeated: verdict.repeated,
            failures,
        }
    }

    fn record(&self) -> Record<'_> {
        let deliveries = self.kapso.deliveries().into_iter();
        let taken = deliveries.filter(|it| it.accepted());
        Record {
            letters: &self.letters,
            delivered: taken.flat_map(|it| it.messages).collect(),
            sent: self.kapso.sent(),
            executions: self.gateway.executions(),
            lives: &self.lives,
            order: self.order,
        }
    }
}

async fn kapso(
    way: Way,
    port: u16,
    ground: &Ground,
    wall: &Wall,
    stop: CancellationToken,
) -> anyhow::Result<KapsoStandIn> {
    let number = NumberId::new(NUMBER).context("the number's id is not one")?;
    let webhook = way.is_pushed().then(|| {
        let mut target = WebhookTarget::new(format!("http://127.0.0.1:{port}/webhook"), SECRET);
        target.timing = WebhookTiming {
            retries: RETRIES.map(Duration::from_millis).to_vec(),
            ..WebhookTiming::default()
        };
        (ground.webhook)(&mut target);
        target
    });
    let options = StandInOptions {
        clock: wall.clock(),
        webhook,
        ..StandInOptions::new(API_KEY.to_owned(), number)
    };
    let started = KapsoStandIn::start(listener().await?, options, stop).await;
    started.context("the Kapso stand-in cannot be started")
}

async fn gateway(ground: &Ground, stop: CancellationToken) -> anyhow::Result<OpenClawStandIn> {
    let mut options = openclaw::Options {
        token: Some(TOKEN.to_owned()),
        agent: Script::new(token::answer),
        // A gateway needs a while to start, and longer until it resumes what was cut off.
        startup: Duration::from_millis(200),
        resume: Resume::After(Duration::from_millis(500)),
        ..openclaw::Options::default()
    };
    (ground.gateway)(&mut options);
    let started = OpenClawStandIn::start(listener().await?, options, stop);
    started.context("the gateway's stand-in cannot be started")
}

async fn listener() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

/// A port that nobody listens on, and that no other world gets.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..10_000 {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        if Port::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
