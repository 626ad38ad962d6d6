//! What the bridge knows of its own state, for the control socket.

use std::sync::Arc;
use std::sync::RwLock;

use model::Timestamp;
use serde::Serialize;

/// When each part last succeeded, and why it last failed. Cheap to clone; the lock never leaves this file.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<RwLock<Seen>>);

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
        self.note(|seen| {
            seen.polled_at = Some(at);
            seen.poll_failed_at = None;
            seen.poll_error = None;
        });
    }

    pub(crate) fn poll_failed(&self, at: Timestamp, why: String) {
        self.note(|seen| {
            seen.poll_failed_at = Some(at);
            seen.poll_error = Some(why);
        });
    }

    pub(crate) fn journal_failed(&self, at: Timestamp, why: String) {
        self.note(|seen| {
            seen.journal_failed_at = Some(at);
            seen.journal_error = Some(why);
        });
    }

    /// The present state.
    pub fn read(&self) -> Seen {
        self.0.read().map(|seen| seen.clone()).unwrap_or_default()
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        if let Ok(mut seen) = self.0.write() {
            change(&mut seen);
        }
    }
}
