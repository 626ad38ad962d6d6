//! What the connection counts: frames that are not what they should be, and connections.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, warn};

/// Numbers since the start of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Accepted connections.
    pub connections: u64,
    /// Frames that are no JSON object with a type.
    pub malformed: u64,
    /// Frames of a kind that this program does not know, binary ones included.
    pub unknown: u64,
    /// Answers that nobody waits for: their request was given up, or was never ours.
    pub unmatched: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    connections: AtomicU64,
    malformed: AtomicU64,
    unknown: AtomicU64,
    unmatched: AtomicU64,
}

/// Counts one more; true for the first one.
fn first(counter: &AtomicU64) -> bool {
    counter.fetch_add(1, Ordering::Relaxed) == 0
}

impl Tally {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Logged once, and never with the frame's text: it may be a customer's.
    pub(crate) fn malformed(&self, bytes: usize) {
        if first(&self.malformed) {
            warn!(
                bytes,
                "the gateway sent a frame that is not JSON; later ones are only counted"
            );
        }
    }

    /// Logged once, and never with the frame's text.
    pub(crate) fn unknown(&self, bytes: usize) {
        if first(&self.unknown) {
            warn!(
                bytes,
                "the gateway sent a frame of an unknown kind; later ones are only counted"
            );
        }
    }

    pub(crate) fn unmatched(&self, id: &str) {
        self.unmatched.fetch_add(1, Ordering::Relaxed);
        debug!(id, "an answer that nobody waits for");
    }

    pub(crate) fn read(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections: get(&self.connections),
            malformed: get(&self.malformed),
            unknown: get(&self.unknown),
            unmatched: get(&self.unmatched),
        }
    }
}
