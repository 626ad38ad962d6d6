//! A wall clock that goes on by itself and can be made to jump: the stand-ins' idea of the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{Clock, Timestamp};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// How exact it is, while the machine keeps up.
const STEP: Duration = Duration::from_millis(5);

/// The clock. Clones are hands of the same one.
#[derive(Debug, Clone)]
pub struct Wall {
    clock: Clock,
    /// Milliseconds ahead of the system's clock.
    ahead: Arc<AtomicI64>,
}

impl Wall {
    /// A clock that shows the system's time, and goes until `stop`.
    pub fn start(stop: CancellationToken) -> Self {
        let wall = Self {
            clock: Clock::standing_at(Clock::system().now()),
            ahead: Arc::default(),
        };
        let going = wall.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let mut steps = interval(STEP);
            loop {
                steps.tick().await;
                going.show();
            }
        }));
        wall
    }

    /// The clock, to be read by a stand-in.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// What it shows, exactly: it is set first.
    pub fn now(&self) -> Timestamp {
        self.show();
        self.clock.now()
    }

    /// Jumps so many seconds ahead, or back.
    pub fn jump(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * 1000, Ordering::Relaxed);
        self.show();
    }

    fn show(&self) {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let now = Clock::system().now().as_millis() + ahead;
        self.clock.set(Timestamp::from_millis(now));
    }
}
