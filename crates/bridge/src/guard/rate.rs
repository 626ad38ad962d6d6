//! How often a sender may speak: a token bucket each.
//!
//! A bucket holds `limit` tokens and refills evenly over `window`, so a burst at a window's edge is not doubled
//! (a fixed window admits twice the limit there). Full buckets are forgotten, so memory is bounded by the senders of one
//! window: at most twice as many buckets are kept as are not full, and [`SWEEP_ABOVE`] in any case. A bucket takes about
//! 150 bytes.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use model::{ChatKey, Timestamp};

/// The buckets of all senders who spoke lately, or of whatever else `K` names.
#[derive(Debug)]
pub struct Rates<K: Eq + Hash = ChatKey> {
    limit: f64,
    window: Duration,
    buckets: DashMap<K, Bucket>,
    /// With how many buckets the full ones are looked for next.
    sweep_at: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// Up to this many buckets, nobody looks for those that have refilled.
const SWEEP_ABOVE: usize = 4096;

impl<K: Eq + Hash + Clone> Rates<K> {
    /// Buckets of `limit` messages per `window`; a limit of zero counts as one.
    pub fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit: f64::from(limit.max(1)),
            window,
            buckets: DashMap::new(),
            sweep_at: AtomicUsize::new(SWEEP_ABOVE),
        }
    }

    /// Takes one token for `key`, or says how long to wait for the next.
    ///
    /// # Errors
    /// The time until a token is there, when the bucket is empty.
    pub fn take(&self, key: &K, now: Timestamp) -> Result<(), Duration> {
        let full = Bucket {
            tokens: self.limit,
            at: now,
        };
        let mut bucket = match self.buckets.get_mut(key) {
            Some(bucket) => bucket,
            None => {
                self.sweep(now);
                self.buckets.entry(key.clone()).or_insert(full)
            }
        };
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

    /// Makes room for a new bucket: now and then, so that a crowd of senders does not pay for it with each message.
    fn sweep(&self, now: Timestamp) {
        if self.buckets.len() < self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.buckets
            .retain(|_, bucket| self.refilled(*bucket, now) < self.limit);
        let next = (self.buckets.len() * 2).max(SWEEP_ABOVE);
        self.sweep_at.store(next, Ordering::Relaxed);
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
    fn c12_full_buckets_are_forgotten() {
        let rates = Rates::new(10, Duration::from_secs(60));
        let spoke = |second: i64, senders: usize| {
            for sender in 0..senders {
                let sender = chat(&format!("+1555{second:04}{sender:06}"));
                assert_eq!(rates.take(&sender, Timestamp::from_seconds(second)), Ok(()));
            }
            rates.buckets.len()
        };
        assert_eq!(spoke(0, 10_000), 10_000);
        // A minute later those of the first minute are full; the next crowd finds them out.
        assert!(spoke(120, 10_000) <= 2 * 10_000);
        assert!(spoke(240, 20_000) <= 2 * 20_000);
        assert!(spoke(360, 20_000) <= 2 * 20_000);
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
