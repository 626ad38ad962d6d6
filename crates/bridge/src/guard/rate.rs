//! How often a sender may speak: a token bucket each.
//!
//! A bucket holds `limit` tokens and refills evenly over `window`, so a burst at a window's edge is not doubled
//! (a fixed window admits twice the limit there). Over the limit a message waits; it is never dropped. Full buckets
//! are forgotten, so memory is bounded by the senders of one window.

use std::time::Duration;

use dashmap::DashMap;
use model::{ChatKey, Timestamp};

/// The buckets of all senders who spoke lately.
#[derive(Debug)]
pub struct Rates {
    limit: f64,
    window: Duration,
    buckets: DashMap<ChatKey, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// Above this many buckets, a new one first clears out those that have refilled.
const SWEEP_ABOVE: usize = 4096;

impl Rates {
    /// Buckets of `limit` messages per `window`; a limit of zero counts as one.
    pub fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit: f64::from(limit.max(1)),
            window,
            buckets: DashMap::new(),
        }
    }

    /// Takes one token for `chat`, or says how long to wait for the next.
    ///
    /// # Errors
    /// The time until a token is there, when the bucket is empty.
    pub fn take(&self, chat: &ChatKey, now: Timestamp) -> Result<(), Duration> {
        if self.buckets.len() > SWEEP_ABOVE {
            self.buckets
                .retain(|_, bucket| self.refilled(*bucket, now) < self.limit);
        }
        let full = Bucket {
            tokens: self.limit,
            at: now,
        };
        let mut bucket = self.buckets.entry(chat.clone()).or_insert(full);
        let tokens = self.refilled(*bucket, now);
        if tokens < 1.0 {
            return Err(self
                .window
                .mul_f64((1.0 - tokens) / self.limit)
                .max(Duration::from_millis(1)));
        }
        *bucket = Bucket {
            tokens: tokens - 1.0,
            at: now,
        };
        Ok(())
    }

    fn refilled(&self, bucket: Bucket, now: Timestamp) -> f64 {
        let window = self.window.as_secs_f64().max(0.001);
        let gained = now.since(bucket.at).as_secs_f64() / window * self.limit;
        (bucket.tokens + gained).min(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use model::{Identity, NumberId};

    use super::*;

    fn chat(digits: &str) -> ChatKey {
        ChatKey::new(NumberId::new("1").unwrap(), &Identity::new(digits).unwrap())
    }

    #[test]
    fn c12_no_double_burst_at_the_edge_of_a_window() {
        let rates = Rates::new(10, Duration::from_secs(60));
        let at = Timestamp::from_seconds;
        let sender = chat("+15551234567");
        let admitted = |times: &[(i64, usize)]| -> usize {
            times
                .iter()
                .map(|(t, n)| {
                    (0..*n)
                        .filter(|_| rates.take(&sender, at(*t)).is_ok())
                        .count()
                })
                .sum()
        };
        assert_eq!(admitted(&[(0, 1)]), 1);
        assert_eq!(admitted(&[(59, 9), (61, 10)]), 10);
    }

    #[test]
    fn the_wait_is_until_the_next_token() {
        let rates = Rates::new(2, Duration::from_secs(60));
        let (sender, now) = (chat("+15551234567"), Timestamp::from_seconds(0));
        assert_eq!(
            (rates.take(&sender, now), rates.take(&sender, now)),
            (Ok(()), Ok(()))
        );
        assert_eq!(rates.take(&sender, now), Err(Duration::from_secs(30)));
        assert_eq!(rates.take(&sender, Timestamp::from_seconds(30)), Ok(()));
        assert_eq!(rates.take(&chat("+15559876543"), now), Ok(()));
    }
}
