//! Ends the process at a durable step, for tests that kill it at every one (feature `crash-points`).
//!
//! `KAPSO_CRASH_AT=n` names the step: 2k-1 is just before the k-th commit, 2k just after it and before anybody is told.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static CRASH_AT: LazyLock<Option<u64>> = LazyLock::new(|| {
    let step = std::env::var("KAPSO_CRASH_AT").ok()?;
    step.parse().ok()
});

static STEPS: AtomicU64 = AtomicU64::new(0);

/// One more durable step; the process ends here, as by `kill -9`, when it is the one that was named.
pub(crate) fn durable_step() {
    let step = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    if *CRASH_AT == Some(step) {
        std::process::abort();
    }
}
