//! What the bridge knows of its own state, for the control socket.

use std::collections::BTreeMap;

use model::{NumberId, Timestamp};
use serde::Serialize;
use tokio::sync::watch;

/// When each part last succeeded, and why it last failed. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(watch::Sender<Seen>);

/// A reading of [`Health`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Seen {
    /// How the reading of each number's list goes.
    pub lists: BTreeMap<NumberId, List>,
    /// What was found in the journal, when it was last looked through for work, of numbers that are not configured.
    pub unconfigured: BTreeMap<NumberId, Waiting>,
    /// When the journal last refused a stage.
    pub journal_failed_at: Option<Timestamp>,
    /// Why.
    pub journal_error: Option<String>,
    /// What came to the webhook.
    pub pushes: Pushes,
    /// How the registration of each number's webhook goes, where the bridge registers it.
    pub registrations: BTreeMap<NumberId, Registration>,
    /// How the tunnel is, where the bridge has one.
    pub tunnel: Option<Tunnel>,
}

/// How the reading of one number's list goes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct List {
    /// When it was last read, in milliseconds since the epoch.
    pub polled_at: Option<Timestamp>,
    /// When reading it last failed, if it has failed since.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
}

/// What waits for a number to be configured again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Chats with a message or a turn that waits.
    pub chats: u64,
    /// Chats with something to send.
    pub sends: u64,
}

/// How the registration of one number's webhook goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// When it was last seen to be as it should be.
    pub registered_at: Option<Timestamp>,
    /// Where Kapso pushes.
    pub url: Option<String>,
    /// Kapso's id of it.
    pub webhook: Option<String>,
    /// How often it was switched off and the bridge switched it on again.
    pub switched_on: u64,
    /// When looking at it last failed, if it has failed since.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
}

/// How the tunnel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tunnel {
    /// Whether pushes come through.
    pub state: TunnelState,
    /// Since when.
    pub since: Timestamp,
    /// How often it was started.
    pub starts: u64,
    /// Where it leads from.
    pub url: Option<String>,
    /// Why it does not stand.
    pub error: Option<String>,
    /// What the operator does about it.
    pub remedy: Option<String>,
}

/// Whether pushes come through the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelState {
    /// It is being made.
    Starting,
    /// It stands.
    Up,
    /// It does not, and is tried again.
    Down,
}

impl TunnelState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// How often each thing came to the webhook since this process began.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pushes {
    /// When something signed came last, whatever it was.
    pub last_at: Option<Timestamp>,
    /// Bodies that were taken.
    pub taken: u64,
    /// Bodies that were only hints, because no key is configured.
    pub hints: u64,
    /// Events that the bridge does not use.
    pub unused: u64,
    /// Bodies of Kapso's old payload version.
    pub v1: u64,
    /// Signed bodies that could not be read.
    pub malformed: u64,
    /// Requests that were turned away: wrong signature, too large, too slow.
    pub refused: u64,
    /// Bodies that the journal refused; Kapso pushes them again.
    pub not_recorded: u64,
}

/// What one request to the webhook was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    Taken,
    Hint,
    Unused,
    V1,
    Malformed,
    Refused,
    NotRecorded,
}

impl Health {
    pub(crate) fn polled(&self, number: &NumberId, at: Timestamp) {
        self.0.send_modify(|seen| {
            let list = List {
                polled_at: Some(at),
                ..List::default()
            };
            seen.lists.insert(number.clone(), list);
        });
    }

    pub(crate) fn poll_failed(&self, number: &NumberId, at: Timestamp, why: String) {
        self.0.send_modify(|seen| {
            let list = seen.lists.entry(number.clone()).or_default();
            list.failed_at = Some(at);
            list.error = Some(why);
        });
    }

    pub(crate) fn unconfigured(&self, waiting: BTreeMap<NumberId, Waiting>) {
        self.0.send_modify(|seen| seen.unconfigured = waiting);
    }

    pub(crate) fn journal_failed(&self, at: Timestamp, why: String) {
        self.0.send_modify(|seen| {
            seen.journal_failed_at = Some(at);
            seen.journal_error = Some(why);
        });
    }

    pub(crate) fn pushed(&self, at: Timestamp, push: Push) {
        self.0.send_modify(|seen| {
            let pushes = &mut seen.pushes;
            let count = match push {
                Push::Taken => &mut pushes.taken,
                Push::Hint => &mut pushes.hints,
                Push::Unused => &mut pushes.unused,
                Push::V1 => &mut pushes.v1,
                Push::Malformed => &mut pushes.malformed,
                Push::Refused => &mut pushes.refused,
                Push::NotRecorded => &mut pushes.not_recorded,
            };
            *count += 1;
            if push != Push::Refused {
                pushes.last_at = Some(at);
            }
        });
    }

    /// The webhook of this number is going to be registered.
    pub(crate) fn registers(&self, number: &NumberId) {
        self.0.send_modify(|seen| {
            seen.registrations.entry(number.clone()).or_default();
        });
    }

    /// The webhook of a number is as it should be, at an address and under an id; whether that is news.
    pub(crate) fn registered(
        &self,
        number: &NumberId,
        (at, url, id): (Timestamp, &str, &str),
        switched_on: bool,
    ) -> bool {
        let mut is_new = false;
        self.0.send_modify(|seen| {
            let of = seen.registrations.entry(number.clone()).or_default();
            is_new = of.webhook.as_deref() != Some(id);
            *of = Registration {
                registered_at: Some(at),
                url: Some(url.to_owned()),
                webhook: Some(id.to_owned()),
                switched_on: of.switched_on + u64::from(switched_on),
                failed_at: None,
                error: None,
            };
        });
        is_new
    }

    /// The webhook of a number cannot be seen to; whether the reason is news.
    pub(crate) fn not_registered(&self, number: &NumberId, at: Timestamp, why: &str) -> bool {
        let mut is_new = false;
        self.0.send_modify(|seen| {
            let of = seen.registrations.entry(number.clone()).or_default();
            is_new = of.error.as_deref() != Some(why);
            of.failed_at = Some(at);
            of.error = Some(why.to_owned());
        });
        is_new
    }

    /// Every change from now on.
    pub fn watch(&self) -> watch::Receiver<Seen> {
        self.0.subscribe()
    }

    pub(crate) fn tunnel(&self, tunnel: Tunnel) {
        self.0.send_modify(|seen| seen.tunnel = Some(tunnel));
    }

    /// The present state.
    pub fn read(&self) -> Seen {
        self.0.borrow().clone()
    }
}
