//! Blue ticks and "typing…" while the agent works.
//!
//! WhatsApp shows typing for 25 s, so it is repeated every 20 s (kapso.md 2.8). A failure here never holds a turn up.

use std::time::Duration;

use kapso::Call;
use model::MessageId;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::debug;

/// Shows that the agent works.
#[derive(Debug, Clone)]
pub(crate) struct Typing {
    pub(crate) kapso: kapso::Client,
    pub(crate) tracker: TaskTracker,
    pub(crate) every: Duration,
}

/// How often typing is shown for one turn: a turn that waits for a gateway for hours is not being typed.
const MOST_TIMES: u32 = 90;

impl Typing {
    /// Marks `message` read and shows typing until the returned guard is dropped.
    pub(crate) fn keep(&self, message: MessageId) -> AbortOnDropHandle<()> {
        let (kapso, every) = (self.kapso.clone(), self.every);
        AbortOnDropHandle::new(self.tracker.spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..MOST_TIMES {
                ticks.tick().await;
                if kapso.wait_for(Call::Mark).is_some() {
                    debug!(%message, "near the plan's limit of requests: not shown as typing");
                    continue;
                }
                if let Err(error) = kapso.mark_read(&message, true).await {
                    debug!(%message, %error, "could not show typing");
                }
            }
        }))
    }
}
