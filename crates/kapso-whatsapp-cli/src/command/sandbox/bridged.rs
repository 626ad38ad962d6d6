//! The real bridge, with a journal that goes with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bridge::control::{self, Control, Grants, Listening, People};
use bridge::guard::{Approvals, Guard, OverLimit, Policy, Rules, Strangers};
use bridge::inbound::poll::PollTiming;
use bridge::inbound::schedule::Pace;
use bridge::inbound::webhook::{Door, NumberKeys, READ_DEADLINE};
use bridge::{
    Depths, Health, MediaFolder, Nudge, NumberOptions, Options, Parts, Prompts, Retention, Routes,
    SendTiming, Sessions, Staleness, Store, StoreError, TurnTiming,
};
use gateway::Gateway;
use kapso::media::{Downloads, Egress, Limits};
use kapso::webhook::Keys;
use kapso::{Client, Deadlines, Url};
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

/// The agent that is asked: every gateway has it.
const AGENT: &str = "main";

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
    control: Control,
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
        let base_url: Url = kapso.base_url().parse()?;
        let egress = Egress::of(&base_url, Vec::new(), Limits::default());
        let client = Client::new(kapso::Options {
            base_url,
            api_key: api_key.into(),
            number: number.clone(),
            deadlines: Deadlines::default(),
        })?;
        let options = options(number, folder.path(), &doors);
        let guard = guard(&options, &store).await?;
        let control = Control {
            health: Health::default(),
            numbers: client.into(),
            gateway,
            people: people(&options, guard),
            store,
            started: clock.now(),
            clock,
            poll_most: CHECK,
            listening: doors.listening()?,
            nudge: Nudge::default(),
        };
        let parts = parts(&control, Downloads::new(egress)?, doors);
        let socket = folder.path().join("control.sock");
        let stop = answer(&socket, &control)?;
        Ok(Self {
            running: Running::begin(&options, &parts),
            options,
            parts,
            control,
            socket,
            stop,
            folder,
        })
    }

    /// Where it can be asked.
    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Lets these people in and nobody else, as a daemon that is started again with another configuration; what waits
    /// is in the journal.
    ///
    /// # Errors
    /// What ended it before.
    pub(super) async fn admit(self, people: &[Identity]) -> anyhow::Result<Self> {
        self.running.end().await?;
        let mut options = self.options;
        for number in &mut options.numbers {
            number.policy = listed(people);
        }
        let guard = guard(&options, &self.control.store).await?;
        let control = Control {
            people: self::people(&options, Arc::clone(&guard)),
            ..self.control
        };
        let door = self.parts.door.map(|door| Door {
            control: control.clone(),
            ..door
        });
        let parts = Parts {
            guard,
            door,
            ..self.parts
        };
        // The page goes on asking meanwhile: there is always a socket, if of the guard before.
        let stop = answer(&self.socket, &control)?;
        self.stop.cancel();
        Ok(Self {
            running: Running::begin(&options, &parts),
            options,
            parts,
            control,
            stop,
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

/// Answers at the control socket of this path, in the place of whoever did before; gives what ends it.
fn answer(socket: &Path, control: &Control) -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let listener = control::bind(socket).context("no control socket")?;
    tokio::spawn(control::serve(listener, control.clone(), stop.clone()));
    Ok(stop)
}

/// The guard of these options, with whom the journal says that the operator let in.
async fn guard(options: &Options, store: &Store) -> Result<Arc<Guard>, StoreError> {
    let approvals = Approvals::load(store).await?;
    Ok(Arc::new(options.guard(approvals)))
}

/// Nobody signs tokens here.
fn people(options: &Options, guard: Arc<Guard>) -> People {
    let usual = || Grants {
        roles: BTreeSet::new(),
        usual: Role(ROLE.to_owned()),
    };
    let numbers = options.numbers.iter();
    People {
        guard,
        grants: numbers.map(|number| (number.id.clone(), usual())).collect(),
        agent: AGENT.to_owned(),
        issuer: None,
    }
}

fn door(control: &Control, doors: Doors) -> Option<Door> {
    let Doors::Pushed(listener, secret, _) = doors else {
        return None;
    };
    let number = control.numbers.first();
    Some(Door {
        listener: Arc::new(listener),
        keys: vec![NumberKeys {
            number: number.id().clone(),
            name: number.name.clone(),
            keys: Keys {
                kapso: Some(secret),
                meta: None,
            },
        }],
        verify_token: None,
        read_deadline: READ_DEADLINE,
        control: control.clone(),
    })
}

fn parts(control: &Control, downloads: Downloads, doors: Doors) -> Parts {
    Parts {
        numbers: control.numbers.clone(),
        guard: Arc::clone(&control.people.guard),
        gateway: control.gateway.clone(),
        store: control.store.clone(),
        downloads,
        transcriber: None,
        transcripts: None,
        clock: control.clock.clone(),
        health: control.health.clone(),
        nudge: control.nudge.clone(),
        door: door(control, doors),
    }
}

/// Nobody in particular is let in.
fn policy(strangers: Strangers) -> Policy {
    Policy {
        strangers,
        roles: HashMap::new(),
        rate_limit: 1000,
        window: Duration::from_secs(60),
        over_limit: OverLimit::Wait,
        deny_message: "This number is not on the allowlist.".to_owned(),
        commands: BTreeMap::new(),
    }
}

/// These people are let in.
fn listed(people: &[Identity]) -> Policy {
    let role = || Role(ROLE.to_owned());
    Policy {
        roles: people.iter().map(|one| (one.canonical(), role())).collect(),
        ..policy(Strangers::Refused)
    }
}

fn options(number: NumberId, folder: &Path, doors: &Doors) -> Options {
    let (policy, poll) = match doors {
        Doors::List => {
            let everybody = Strangers::Admitted(Role(ROLE.to_owned()));
            (policy(everybody), PollTiming::every(POLL))
        }
        Doors::Pushed(_, _, people) => (listed(people), checked()),
    };
    Options {
        numbers: vec![NumberOptions {
            id: number,
            policy,
            // Not the poller's: a real agent keeps what is tried out apart.
            sessions: Sessions {
                key: "sandbox".to_owned(),
                isolation: true,
                template: None,
                agent: AGENT.to_owned(),
            },
        }],
        rules: Rules::default(),
        routes: Routes::default(),
        prompts: Prompts::default(),
        stranger_hook: None,
        error_message: "Sorry, something went wrong. Please try again later.".to_owned(),
        poll,
        poll_fallback: false,
        staleness: Staleness::default(),
        retention: Retention::default(),
        media: MediaFolder::new(folder.join("media")),
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
