//! How long to wait before dialling again: doubling, capped, and spread, so that many clients of a restarted gateway
//! do not come back in one moment.

use std::time::Duration;

/// The wait after `attempt` failed attempts: between half of and the whole of `first` doubled `attempt` times, at
/// most `cap`.
pub(super) fn delay(attempt: u32, first: Duration, cap: Duration) -> Duration {
    // Without randomness the wait is the longest one; that spreads nothing, but is no reason to stop.
    spread(attempt, first, cap, getrandom::u32().unwrap_or(u32::MAX))
}

fn spread(attempt: u32, first: Duration, cap: Duration, random: u32) -> Duration {
    let doubled = first
        .saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX))
        .min(cap);
    let half = doubled / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread() {
        let wait = |attempt, random| {
            spread(
                attempt,
                Duration::from_millis(500),
                Duration::from_secs(30),
                random,
            )
            .as_millis()
        };
        assert_eq!(
            [0, 1, 2, 3].map(|attempt| wait(attempt, u32::MAX)),
            [500, 1000, 2000, 4000]
        );
        assert_eq!(
            [0, 1, 2, 3].map(|attempt| wait(attempt, 0)),
            [250, 500, 1000, 2000]
        );
        for attempt in [6, 31, 32, 33, u32::MAX] {
            assert_eq!(wait(attempt, u32::MAX), 30_000, "{attempt}");
            assert_eq!(wait(attempt, 0), 15_000, "{attempt}");
        }
    }
}
