//! The daemon between the stand-ins, and the hands that hurt it.

mod stand_ins;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fastrand::Rng;
use sandbox::kapso::{Incoming, KapsoStandIn, RecordedRequest};
use sandbox::openclaw::OpenClawStandIn;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::blueprint::{Blueprint, Ground, Size};
use super::health::Health;
use super::judge::{self, Letter, Order, Record};
use super::table::Tally;
use super::token::Token;
use super::wall::Wall;
use super::way::Way;
use crate::poller::{Poller, Settings};
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
const LOOK: Duration = Duration::from_millis(100);

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
        let (wall, port) = (Wall::start(stop.clone()), stand_ins::free_port()?);
        let kapso = stand_ins::kapso(*way, port, ground, &wall, stop.clone()).await?;
        let gateway = stand_ins::gateway(ground, stop.clone()).await?;
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
        // A busy machine lets the clock lag, and a message must not be older than it is.
        let now = self.wall.now();
        let incoming = special(Incoming::text(&token.to_string()).sent_at(now));
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

    /// Ends the gateway, as a service manager does, and waits until it is gone: it ends its runs first.
    pub async fn end_gateway(&mut self) {
        self.gateway.terminate();
        self.gateway.down().await;
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
        loop {
            let looked = Instant::now();
            if look(self)? {
                return Ok(());
            }
            if begun.elapsed() > within {
                bail!("within {within:?} it was not seen that {what}");
            }
            // A look at thousands of messages takes a while, and must not take all the time there is.
            sleep(LOOK.max(10 * looked.elapsed())).await;
        }
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
