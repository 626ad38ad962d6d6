//! The real bridge, with a journal that goes with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bridge::control::{self, Control, Listening};
use bridge::guard::Policy;
use bridge::inbound::poll::PollTiming;
use bridge::inbound::schedule::Pace;
use bridge::inbound::webhook::{Door, READ_DEADLINE};
use bridge::{
    Depths, Health, Nudge, Options, Parts, Retention, SendTiming, Sessions, Staleness, Store,
    StoreError, TurnTiming,
};
use gateway::Gateway;
use kapso::webhook::Keys;
use kapso::{Client, Deadlines};
use model::{Clock, Identity, NumberId, Role};
use sandbox::kapso::KapsoStandIn;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the list is read where nothing is pushed: so often that it seems pushed.
const POLL: Duration = Duration::from_millis(200);

/// How often the list is read where messages are pushed: so often that a lost push is made up for while one looks on.
const CHECK: Duration = Duration::from_secs(5);

/// Between two messages to one person. The stand-in keeps their order without a pause.
const GAP: Duration = Duration::from_millis(50);

/// How long a stop waits for what is in flight.
const DRAIN: Duration = Duration::from_secs(2);

/// The role of whoever is let in.
const ROLE: &str = "member";

/// How the messages come in, and whose.
#[derive(Debug)]
pub(super) enum Doors {
    /// From the list alone, everybody's.
    List,
    /// Pushed to this port, signed with this key, and from the list what was not pushed; those of a list of people.
    Pushed(TcpListener, SecretString, Vec<Identity>),
}

/// A bridge that runs.
#[derive(Debug)]
pub(super) struct Bridged {
    running: Running,
    options: Options,
    parts: Parts,
    socket: PathBuf,
    /// Ends the control socket.
    stop: CancellationToken,
    folder: TempDir,
}

#[derive(Debug)]
struct Running {
    ended: JoinHandle<Result<Depths, StoreError>>,
    stop: CancellationToken,
}

impl Running {
    fn begin(options: &Options, parts: &Parts) -> Self {
        let stop = CancellationToken::new();
        let run = bridge::run(options.clone(), parts.clone(), stop.clone());
        Self {
            ended: tokio::spawn(run),
            stop,
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended.await.context("the bridge")??;
        Ok(())
    }
}

impl Bridged {
    /// Starts a bridge between the two.
    ///
    /// # Errors
    /// When the journal, its control socket or the client cannot be made.
    pub(super) async fn start(
        kapso: &KapsoStandIn,
        api_key: &str,
        number: NumberId,
        gateway: Gateway,
        doors: Doors,
    ) -> anyhow::Result<Self> {
        let folder =
            TempDir::with_prefix("kapso-whatsapp-sandbox-").context("no folder for the journal")?;
        let clock = Clock::system();
        let store = Store::open(folder.path(), clock.clone()).await?;
        let client = Client::new(kapso::Options {
            base_url: kapso.base_url().parse()?,
            api_key: api_key.into(),
            number,
            deadlines: Deadlines::default(),
        })?;
        let options = options(&doors);
        let control = Control {
            health: Health::default(),
            kapso: client,
            gateway,
            store,
            started: clock.now(),
            clock,
            poll_most: CHECK,
            listening: doors.listening()?,
            nudge: Nudge::default(),
        };
        let parts = parts(&control, doors);
        let stop = CancellationToken::new();
        let socket = folder.path().join("control.sock");
        let listener = control::bind(&socket).context("no control socket")?;
        tokio::spawn(control::serve(listener, control, stop.clone()));
        Ok(Self {
            running: Running::begin(&options, &parts),
            options,
            parts,
            socket,
            stop,
            folder,
        })
    }

    /// Where it can be asked.
    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Lets these people in and nobody else, as a daemon that is started again with another configuration; what waits is
    /// in the journal.
    ///
    /// # Errors
    /// What ended it before.
    pub(super) async fn admit(self, people: &[Identity]) -> anyhow::Result<Self> {
        self.running.end().await?;
        let options = Options {
            policy: listed(people),
            ..self.options
        };
        Ok(Self {
            running: Running::begin(&options, &self.parts),
            options,
            ..self
        })
    }

    /// Waits for its end, which comes only when it fails.
    ///
    /// # Errors
    /// Why it ended.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.running.ended).await.context("the bridge")??;
        anyhow::bail!("the bridge ended by itself")
    }

    /// Stops it in order, and removes its journal.
    ///
    /// # Errors
    /// What ended it before.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.running.end().await?;
        self.stop.cancel();
        self.parts.store.close().await;
        self.folder.close().context("the journal's folder")
    }
}

impl Doors {
    fn listening(&self) -> anyhow::Result<Option<Listening>> {
        Ok(match self {
            Self::List => None,
            Self::Pushed(listener, ..) => Some(Listening {
                address: listener.local_addr()?.to_string(),
                signed: true,
            }),
        })
    }
}

fn parts(control: &Control, doors: Doors) -> Parts {
    let door = match doors {
        Doors::List => None,
        Doors::Pushed(listener, secret, _) => Some(Door {
            listener: Arc::new(listener),
            keys: Keys {
                kapso: Some(secret),
                meta: None,
            },
            verify_token: None,
            read_deadline: READ_DEADLINE,
            control: control.clone(),
        }),
    };
    Parts {
        kapso: control.kapso.clone(),
        gateway: control.gateway.clone(),
        store: control.store.clone(),
        transcripts: None,
        clock: control.clock.clone(),
        health: control.health.clone(),
        nudge: control.nudge.clone(),
        door,
    }
}

/// Nobody in particular is let in.
fn policy() -> Policy {
    Policy {
        strangers: None,
        roles: BTreeMap::new(),
        rate_limit: 1000,
        window: Duration::from_secs(60),
    }
}

/// These people are let in.
fn listed(people: &[Identity]) -> Policy {
    let role = || Role(ROLE.to_owned());
    Policy {
        roles: people.iter().map(|one| (one.canonical(), role())).collect(),
        ..policy()
    }
}

fn options(doors: &Doors) -> Options {
    let (policy, poll) = match doors {
        Doors::List => {
            let strangers = Some(Role(ROLE.to_owned()));
            let everybody = Policy {
                strangers,
                ..policy()
            };
            (everybody, PollTiming::every(POLL))
        }
        Doors::Pushed(_, _, people) => (listed(people), checked()),
    };
    Options {
        policy,
        deny_message: "This number is not on the allowlist.".to_owned(),
        error_message: "Sorry, something went wrong. Please try again later.".to_owned(),
        // Not the poller's: a real agent keeps what is tried out apart.
        sessions: Sessions {
            key: "sandbox".to_owned(),
            isolation: true,
        },
        poll,
        poll_fallback: false,
        staleness: Staleness::default(),
        retention: Retention::default(),
        turn: TurnTiming::default(),
        send: SendTiming {
            gap: GAP,
            ..SendTiming::default()
        },
        typing: Duration::from_secs(20),
        drain: DRAIN,
    }
}

/// The list as a check of the pushes.
fn checked() -> PollTiming {
    PollTiming {
        pace: Pace {
            busy_check: CHECK,
            quiet_check: CHECK,
            ..Pace::every(CHECK)
        },
        recovery_grace: CHECK / 2,
        ..PollTiming::every(CHECK)
    }
}
