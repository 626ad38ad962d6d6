//! When the list is read next.
//!
//! Pure: what the last read showed and the time go in, the wait comes out. While people write, the list of a bridge
//! that only polls is read often; where Kapso pushes, reading is a check of what the pushes missed, and the more it
//! finds the more often it looks. Kapso's own count of requests stretches both.

use std::time::Duration;

use kapso::Quota;
use tokio::time::Instant;

/// Why the list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is the only door.
    Door,
    /// Kapso pushes, and the list is read all the same at the configured interval (`delivery.poll_fallback`).
    Beside,
    /// Kapso pushes; the list shows what the pushes missed.
    Reconcile,
}

/// Intervals of reading the list.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The configured interval (`delivery.poll_interval`).
    pub interval: Duration,
    /// While a conversation is active, where the list is the only door.
    pub active: Duration,
    /// How long after a message a conversation counts as active.
    pub active_for: Duration,
    /// Between two checks of the pushes while messages come.
    pub busy_check: Duration,
    /// Between two checks of the pushes while it is quiet.
    pub quiet_check: Duration,
}

impl Pace {
    /// Production values around `interval`.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            active: interval.min(Duration::from_secs(5)),
            active_for: Duration::from_secs(2 * 60),
            busy_check: Duration::from_secs(60),
            quiet_check: Duration::from_secs(5 * 60),
        }
    }
}

/// What was seen so far.
#[derive(Debug)]
pub(crate) struct Schedule {
    purpose: Purpose,
    pace: Pace,
    /// When something new came last, by whichever door.
    active_at: Option<Instant>,
    /// Whether the last read found what no push had brought.
    recovered: bool,
}

impl Schedule {
    pub(crate) fn new(purpose: Purpose, pace: Pace) -> Self {
        Self {
            purpose,
            pace,
            active_at: None,
            recovered: false,
        }
    }

    /// Something new came.
    pub(crate) fn active(&mut self, now: Instant) {
        self.active_at = Some(now);
    }

    /// A read ended, and `recovered` messages were in the list alone.
    pub(crate) fn read(&mut self, recovered: u64) {
        self.recovered = recovered > 0;
    }

    /// From the start of the last read to the start of the next.
    pub(crate) fn wait(&self, now: Instant, quota: Option<Quota>) -> Duration {
        let active = self
            .active_at
            .is_some_and(|at| now.saturating_duration_since(at) < self.pace.active_for);
        let wanted = match self.purpose {
            Purpose::Door if active => self.pace.active,
            Purpose::Door | Purpose::Beside => self.pace.interval,
            Purpose::Reconcile if self.recovered => self.pace.interval,
            Purpose::Reconcile if active => self.pace.busy_check,
            Purpose::Reconcile => self.pace.quiet_check,
        };
        stretched(wanted, quota)
    }
}

/// A wait twice as long when half of the minute's requests are used, and four times when little is left.
fn stretched(wanted: Duration, quota: Option<Quota>) -> Duration {
    let Some(Quota { limit, remaining }) = quota else {
        return wanted;
    };
    if remaining.saturating_mul(5) < limit {
        wanted * 4
    } else if remaining.saturating_mul(2) < limit {
        wanted * 2
    } else {
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn schedule(purpose: Purpose) -> (Schedule, Instant) {
        (Schedule::new(purpose, Pace::every(S(30))), Instant::now())
    }

    #[test]
    fn an_active_conversation_is_polled_every_five_seconds_and_a_quiet_one_at_the_interval() {
        let (mut schedule, now) = schedule(Purpose::Door);
        assert_eq!(schedule.wait(now, None), S(30));
        schedule.active(now);
        assert_eq!(schedule.wait(now + S(119), None), S(5));
        assert_eq!(schedule.wait(now + S(121), None), S(30));
    }

    #[test]
    fn a_check_of_the_pushes_follows_the_traffic_and_what_it_finds() {
        let (mut schedule, now) = schedule(Purpose::Reconcile);
        assert_eq!(schedule.wait(now, None), S(300));
        schedule.active(now);
        assert_eq!(schedule.wait(now, None), S(60));
        schedule.read(2);
        assert_eq!(schedule.wait(now, None), S(30));
        schedule.read(0);
        assert_eq!(schedule.wait(now + S(121), None), S(300));
    }

    #[test]
    fn a_fallback_keeps_its_interval() {
        let (mut schedule, now) = schedule(Purpose::Beside);
        schedule.active(now);
        assert_eq!(schedule.wait(now, None), S(30));
    }

    #[test]
    fn few_requests_left_stretch_the_wait() {
        let (schedule, now) = schedule(Purpose::Door);
        let left = |remaining| {
            Some(Quota {
                limit: 100,
                remaining,
            })
        };
        let waits = [60, 49, 19].map(|remaining| schedule.wait(now, left(remaining)));
        assert_eq!(waits, [S(30), S(60), S(120)]);
    }
}
