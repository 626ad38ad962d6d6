//! What the bridge knows of its own state, for the control socket.

use model::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// When each part last succeeded, and why it last failed. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(watch::Sender<Seen>);

/// A reading of [`Health`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Seen {
    /// When Kapso's list was last read, in milliseconds since the epoch.
    pub polled_at: Option<Timestamp>,
    /// When reading it last failed, if it has failed since.
    pub poll_failed_at: Option<Timestamp>,
    /// Why.
    pub poll_error: Option<String>,
    /// When the journal last refused a stage.
    pub journal_failed_at: Option<Timestamp>,
    /// Why.
    pub journal_error: Option<String>,
}

impl Health {
    pub(crate) fn polled(&self, at: Timestamp) {
        self.0.send_modify(|seen| {
            seen.polled_at = Some(at);
            seen.poll_failed_at = None;
            seen.poll_error = None;
        });
    }

    pub(crate) fn poll_failed(&self, at: Timestamp, why: String) {
        self.0.send_modify(|seen| {
            seen.poll_failed_at = Some(at);
            seen.poll_error = Some(why);
        });
    }

    pub(crate) fn journal_failed(&self, at: Timestamp, why: String) {
        self.0.send_modify(|seen| {
            seen.journal_failed_at = Some(at);
            seen.journal_error = Some(why);
        });
    }

    /// The present state.
    pub fn read(&self) -> Seen {
        self.0.borrow().clone()
    }
}
