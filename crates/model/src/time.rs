//! Wall-clock instants and where they come from.
//!
//! What is stored or compared with the outside is a [`Timestamp`]; intervals inside the process use tokio's
//! monotonic clock instead. Code that needs "now" takes a [`Clock`], so that a test can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A wall-clock instant in milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant, `by` later.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This instant, `by` earlier.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where "now" comes from: the system, or a test.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands at `now` until [`Clock::set`] moves it; clones share the hand.
    pub fn standing_at(now: Timestamp) -> Self {
        Self(Kind::Set(Arc::new(AtomicI64::new(now.as_millis()))))
    }

    /// Moves a standing clock; the system's clock cannot be moved and ignores it.
    pub fn set(&self, now: Timestamp) {
        match &self.0 {
            Kind::System => {}
            Kind::Set(hand) => hand.store(now.as_millis(), Ordering::SeqCst),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                Timestamp(since_epoch.map_or(0, millis))
            }
            Kind::Set(hand) => Timestamp(hand.load(Ordering::SeqCst)),
        }
    }
}
