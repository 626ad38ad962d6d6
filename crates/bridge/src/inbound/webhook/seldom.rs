//! Lines about what anyone on the internet can cause: one a minute, so that the log is not theirs to fill.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::Timestamp;

/// Between two lines.
const GAP: Duration = Duration::from_secs(60);

/// Says whether a line may be written now.
#[derive(Debug)]
pub(super) struct Seldom(AtomicI64);

impl Default for Seldom {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Seldom {
    /// Whether the last line is long enough ago; then this is the new last one.
    pub(super) fn may(&self, now: Timestamp) -> bool {
        let last = Timestamp::from_millis(self.0.load(Ordering::Relaxed));
        // A clock that was set back is no reason to be silent until it has caught up.
        let may = now.since(last) >= GAP || last > now;
        if may {
            self.0.store(now.as_millis(), Ordering::Relaxed);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_and_one_after_the_clock_was_set_back() {
        let seldom = Seldom::default();
        let said = [100, 101, 159, 160, 30].map(|s| seldom.may(Timestamp::from_seconds(s)));
        assert_eq!(said, [true, false, false, true, true]);
    }
}
