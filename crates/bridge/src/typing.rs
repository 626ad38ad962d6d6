//! Blue ticks and "typing…" while the agent works.
//!
//! WhatsApp shows typing for 25 s, so it is repeated every 20 s (kapso.md 2.8). A failure here never holds a turn up.

use std::time::Duration;

use kapso::Call;
use model::{MessageId, NumberId};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::debug;

use crate::numbers::Numbers;

/// Shows that the agent works.
#[derive(Debug, Clone)]
pub(crate) struct Typing {
    pub(crate) numbers: Numbers,
    pub(crate) tracker: TaskTracker,
    pub(crate) every: Duration,
}

/// How often typing is shown for one turn: a turn that waits for a gateway for hours is not being typed.
const MOST_TIMES: u32 = 90;

impl Typing {
    /// Marks `message`, which came to `number`, read and shows typing until the returned guard is dropped.
    pub(crate) fn keep(
        &self,
        number: &NumberId,
        message: MessageId,
    ) -> Option<AbortOnDropHandle<()>> {
        let kapso = self.numbers.of(number)?.clone();
        let every = self.every;
        Some(AbortOnDropHandle::new(self.tracker.spawn(async move {
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
        })))
    }
}
