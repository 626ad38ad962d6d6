//! One look at the whole bridge: what works, what waits, for how long, and what did not go the whole way.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway::Status;
use model::Timestamp;
use serde::Serialize;
use store::{Depths, Event, StoreError};

use super::{Control, Listening, RegistrationReport, TunnelReport};
use crate::health::{List, Pushes, Seen, Waiting};
use crate::numbers::Number;

/// A read of the list is overdue after this many of the longest intervals without a success.
const OVERDUE_INTERVALS: u32 = 4;

/// One look at the whole bridge.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok` when every part works, `degraded` otherwise.
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The process.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime_s: u64,
    /// The WhatsApp edge.
    pub kapso: KapsoReport,
    /// The port that messages are pushed to; none where there is none.
    pub webhook: Option<WebhookReport>,
    /// The agent edge.
    pub gateway: GatewayReport,
    /// The journal.
    pub store: StoreReport,
    /// What happened so often since the journal was made.
    pub counters: BTreeMap<&'static str, u64>,
}

/// The WhatsApp edge.
#[derive(Debug, Serialize)]
pub struct KapsoReport {
    /// Whether every number's list was read lately.
    pub ok: bool,
    /// Seconds since the list was last read; of several, the one that was not read for longest. None when one never was.
    pub last_success_s: Option<u64>,
    /// Why a list cannot be read now.
    pub error: Option<String>,
    /// Requests that the plan allows per minute, once Kapso has said so.
    pub rate_limit: Option<u32>,
    /// How many of them are left in this minute.
    pub rate_remaining: Option<u32>,
    /// Each number by itself, in the order of the configuration.
    pub numbers: Vec<NumberReport>,
    /// What waits in the journal for a number that is not configured.
    pub unconfigured: Vec<Unconfigured>,
}

/// One business number.
#[derive(Debug, Clone, Serialize)]
pub struct NumberReport {
    /// Meta's id of it.
    pub number: String,
    /// What the operator calls it.
    pub name: String,
    /// Whether its list was read lately.
    pub ok: bool,
    /// Seconds since it was last read.
    pub last_success_s: Option<u64>,
    /// Why it cannot be read now.
    pub error: Option<String>,
}

/// What waits for a number that is not configured, as far as the last look through the journal showed.
#[derive(Debug, Serialize)]
pub struct Unconfigured {
    /// Meta's id of it.
    pub number: String,
    /// How much waits.
    #[serde(flatten)]
    pub waiting: Waiting,
}

/// The port that messages are pushed to.
#[derive(Debug, Serialize)]
pub struct WebhookReport {
    /// Whether what is pushed can be taken.
    pub ok: bool,
    /// Where it listens.
    pub address: String,
    /// Whether signatures are checked for every number; otherwise pushes are only hints for some.
    pub signed: bool,
    /// Seconds since something came.
    pub last_event_s: Option<u64>,
    /// Bodies that were taken, or that were hints.
    pub events: u64,
    /// Requests that were turned away.
    pub refused: u64,
    /// The webhook of each number at Kapso, where the bridge registers it.
    pub registrations: Vec<RegistrationReport>,
    /// The tunnel, where the bridge has one.
    pub tunnel: Option<TunnelReport>,
    /// What the operator has to mend.
    pub error: Option<String>,
}

/// The agent edge.
#[derive(Debug, Serialize)]
pub struct GatewayReport {
    /// Whether turns can be asked.
    pub ok: bool,
    /// `connecting`, `connected`, `refused` or `closed`.
    pub state: &'static str,
    /// OpenClaw's release.
    pub version: Option<String>,
    /// The protocol agreed on.
    pub protocol: Option<u32>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// Why there is no connection.
    pub error: Option<String>,
    /// What the operator does about it.
    pub remedy: Option<String>,
}

/// The journal.
#[derive(Debug, Serialize)]
pub struct StoreReport {
    /// Whether it can be read and no stage was refused lately.
    pub ok: bool,
    /// Messages by state.
    pub messages: BTreeMap<&'static str, u64>,
    /// Turns by state.
    pub turns: BTreeMap<&'static str, u64>,
    /// Replies by state.
    pub outgoing: BTreeMap<&'static str, u64>,
    /// Seconds that the oldest message has waited to become a turn.
    pub oldest_received_s: Option<u64>,
    /// Seconds that the oldest turn has been open.
    pub oldest_turn_s: Option<u64>,
    /// Seconds that the oldest reply has waited to be sent.
    pub oldest_outgoing_s: Option<u64>,
    /// What did not go the whole way: how often, by kind and reason.
    pub set_aside: Vec<SetAside>,
    /// Bytes that it takes on disk.
    pub bytes: u64,
    /// Why it refused, last.
    pub error: Option<String>,
}

/// One reason for which rows did not go the whole way.
#[derive(Debug, Serialize)]
pub struct SetAside {
    /// What happened to them.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What anyone may see who can reach the open port.
#[derive(Debug, Serialize)]
pub(super) struct Glance {
    pub(super) status: &'static str,
    kapso: bool,
    kapso_last_success_s: Option<u64>,
    gateway: bool,
    pub(super) journal: bool,
    webhook_last_event_s: Option<u64>,
}

impl Control {
    /// Looks at every part.
    pub async fn report(&self) -> Report {
        let (now, seen) = (self.clock.now(), self.health.read());
        let kapso = self.kapso(now, &seen);
        let webhook = self.listening.as_ref();
        let webhook = webhook.map(|at| self.webhook(at, now, &seen));
        let gateway = gateway_report(&self.gateway.status().borrow());
        let store = self.store(now, seen).await;
        let counters = self.store.counters().await.unwrap_or_default();
        let ok =
            kapso.ok && gateway.ok && store.ok && webhook.as_ref().is_none_or(|webhook| webhook.ok);
        Report {
            status: if ok { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_s: now.since(self.started).as_secs(),
            kapso,
            webhook,
            gateway,
            store,
            counters: counters
                .into_iter()
                .map(|(counter, n)| (counter.name(), n))
                .collect(),
        }
    }

    /// A look that costs nothing, for whoever can reach the open port; without words about the inside.
    pub(super) fn glance(&self) -> Glance {
        let (now, seen) = (self.clock.now(), self.health.read());
        let kapso = self.kapso(now, &seen);
        let journal = !refused_lately(now, &seen);
        let gateway = gateway_report(&self.gateway.status().borrow()).ok;
        Glance {
            status: if kapso.ok && gateway && journal {
                "ok"
            } else {
                "degraded"
            },
            kapso: kapso.ok,
            kapso_last_success_s: kapso.last_success_s,
            gateway,
            journal,
            webhook_last_event_s: seen.pushes.last_at.map(|at| now.since(at).as_secs()),
        }
    }

    fn kapso(&self, now: Timestamp, seen: &Seen) -> KapsoReport {
        let quota = self.numbers.quota();
        let numbers: Vec<NumberReport> = self
            .numbers
            .iter()
            .map(|number| self.number(number, now, seen))
            .collect();
        let failed = numbers.iter().find_map(|number| {
            let error = number.error.as_ref()?;
            Some(match numbers.len() {
                1 => error.clone(),
                _ => format!("{}: {error}", number.name),
            })
        });
        let ages: Option<Vec<u64>> = numbers.iter().map(|number| number.last_success_s).collect();
        KapsoReport {
            ok: numbers.iter().all(|number| number.ok),
            last_success_s: ages.and_then(|ages| ages.into_iter().max()),
            error: failed,
            rate_limit: quota.map(|quota| quota.limit),
            rate_remaining: quota.map(|quota| quota.remaining),
            numbers,
            unconfigured: seen
                .unconfigured
                .iter()
                .map(|(number, waiting)| Unconfigured {
                    number: number.to_string(),
                    waiting: *waiting,
                })
                .collect(),
        }
    }

    fn number(&self, number: &Number, now: Timestamp, seen: &Seen) -> NumberReport {
        let none = List::default();
        let list = seen.lists.get(number.id()).unwrap_or(&none);
        let age = now.since(list.polled_at.unwrap_or(self.started));
        let overdue = age > self.poll_most * OVERDUE_INTERVALS;
        let error = list
            .error
            .clone()
            .or_else(|| overdue.then(|| format!("the list was not read for {} s", age.as_secs())));
        NumberReport {
            number: number.id().to_string(),
            name: number.name.clone(),
            ok: error.is_none() && list.polled_at.is_some(),
            last_success_s: list.polled_at.map(|at| now.since(at).as_secs()),
            error,
        }
    }

    async fn store(&self, now: Timestamp, seen: Seen) -> StoreReport {
        let refused_lately = refused_lately(now, &seen);
        let read =
            async { Ok::<_, StoreError>((self.store.depths().await?, self.store.events().await?)) };
        match read.await {
            Ok((depths, events)) => StoreReport {
                ok: !refused_lately,
                error: seen.journal_error.filter(|_| refused_lately),
                ..StoreReport::of(&depths, events)
            },
            Err(error) => StoreReport {
                error: Some(error.to_string()),
                ..StoreReport::of(&Depths::default(), Vec::new())
            },
        }
    }
}

impl StoreReport {
    fn of(depths: &Depths, events: Vec<Event>) -> Self {
        let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
        Self {
            ok: false,
            messages: depths
                .messages
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            turns: depths
                .turns
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            outgoing: depths
                .outgoing
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            oldest_received_s: seconds(depths.oldest_received),
            oldest_turn_s: seconds(depths.oldest_turn),
            oldest_outgoing_s: seconds(depths.oldest_outgoing),
            set_aside: events
                .into_iter()
                .map(|event| SetAside {
                    kind: event.kind.name(),
                    reason: event.reason,
                    count: event.count,
                })
                .collect(),
            bytes: depths.bytes,
            error: None,
        }
    }
}

fn refused_lately(now: Timestamp, seen: &Seen) -> bool {
    seen.journal_failed_at
        .is_some_and(|at| now.since(at) < JOURNAL_MEMORY)
}

impl Control {
    /// The open port, and the way that leads to it.
    fn webhook(&self, at: &Listening, now: Timestamp, seen: &Seen) -> WebhookReport {
        let Pushes {
            last_at,
            taken,
            hints,
            unused,
            v1: v1_bodies,
            malformed,
            refused,
            not_recorded: _,
        } = seen.pushes;
        let tunnel = seen.tunnel.as_ref();
        let tunnel = tunnel.map(|tunnel| TunnelReport::of(tunnel, now));
        let registrations = self.registrations(now, seen);
        let v1 = (v1_bodies > 0).then(|| {
            "Kapso pushes payload version v1: set the webhook to v2 in Kapso's dashboard".to_owned()
        });
        let fallen = tunnel.as_ref().and_then(|tunnel| tunnel.error.clone());
        let unregistered = registrations.iter().find_map(|of| of.error.clone());
        let unregistered = unregistered.map(|error| format!("not registered at Kapso: {error}"));
        let error = v1.or(fallen).or(unregistered);
        let stands = tunnel.as_ref().is_none_or(|tunnel| tunnel.ok);
        WebhookReport {
            ok: error.is_none() && stands && registrations.iter().all(|of| of.ok),
            address: at.address.clone(),
            signed: at.signed,
            registrations,
            tunnel,
            last_event_s: last_at.map(|at| now.since(at).as_secs()),
            events: taken + hints + unused + v1_bodies + malformed,
            refused,
            error,
        }
    }
}

/// How long a refusal of the journal keeps the report degraded.
const JOURNAL_MEMORY: Duration = Duration::from_secs(60);

fn gateway_report(status: &Status) -> GatewayReport {
    let report = |state, ok| GatewayReport {
        ok,
        state,
        version: None,
        protocol: None,
        scopes: Vec::new(),
        error: None,
        remedy: None,
    };
    match status {
        Status::Connected(hello) => GatewayReport {
            version: Some(hello.version.clone()),
            protocol: Some(hello.protocol),
            scopes: hello.scopes.clone(),
            ..report("connected", true)
        },
        Status::Connecting { last, .. } => GatewayReport {
            error: last.as_ref().map(ToString::to_string),
            remedy: last.as_ref().map(gateway::Refusal::remedy),
            ..report("connecting", false)
        },
        Status::Refused { refusal, .. } => GatewayReport {
            error: Some(refusal.to_string()),
            remedy: Some(refusal.remedy()),
            ..report("refused", false)
        },
        Status::Closed => report("closed", false),
    }
}
