//! How far Kapso's clock is behind ours, by the `Date` of its answers.
//!
//! The list is asked for by Kapso's own times, and callers know only ours. Asked from too early it costs a page; asked from
//! too late it loses messages, and replies that it would have shown are sent again. So only what Kapso is behind counts, and
//! the most of it since the list was last read: a clock that jumps between two reads leaves no hole.

use std::time::Duration;

use model::Timestamp;

/// Up to this it is the way of an answer, and not the clock; callers look back further than that anyway.
const USUAL: Duration = Duration::from_secs(30);

/// The most that is believed: more than any wrong time zone.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// What the answers so far say.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    last: Duration,
    most: Duration,
}

impl Lag {
    /// Takes note of an answer's date, and of when it came by our clock.
    pub(crate) fn learn(&mut self, date: Option<Timestamp>, came: Timestamp) {
        let Some(date) = date else { return };
        let behind = came.since(date).min(MOST);
        self.last = if behind > USUAL {
            behind
        } else {
            Duration::ZERO
        };
        self.most = self.most.max(self.last);
    }

    /// The most that Kapso was behind since the list was last read.
    pub(crate) fn most(&self) -> Duration {
        self.most
    }

    /// Whether Kapso turned out to be behind by more than was allowed for.
    pub(crate) fn exceeds(&self, allowed: Duration) -> bool {
        self.most > allowed + USUAL
    }

    /// The list was read: what was before does not count any more.
    pub(crate) fn listed(&mut self) {
        self.most = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_788_000_000);
    const S: fn(u64) -> Duration = Duration::from_secs;

    fn after(behind: &[u64]) -> Lag {
        let mut lag = Lag::default();
        for behind in behind {
            lag.learn(Some(NOON.earlier(S(*behind))), NOON);
        }
        lag
    }

    #[test]
    fn the_way_of_an_answer_a_clock_ahead_and_no_date_are_no_lag() {
        let mut lag = after(&[29]);
        lag.learn(Some(NOON.later(S(3600))), NOON);
        lag.learn(None, NOON);
        assert_eq!(lag.most(), Duration::ZERO);
    }

    #[test]
    fn the_most_counts_until_the_list_was_read_and_then_the_last() {
        let mut lag = after(&[3600, 0]);
        assert_eq!(lag.most(), S(3600));
        assert!(lag.exceeds(Duration::ZERO));
        assert!(!lag.exceeds(S(3599)), "a second is the way of an answer");
        lag.listed();
        assert_eq!(lag.most(), Duration::ZERO);
        lag.learn(Some(NOON.earlier(S(3600))), NOON);
        lag.listed();
        assert_eq!(lag.most(), S(3600));
    }

    #[test]
    fn nonsense_is_believed_for_a_day_only() {
        assert_eq!(after(&[1_000_000_000]).most(), MOST);
    }
}
