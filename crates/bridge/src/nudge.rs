//! Tells the stages that rows were put back to work from outside, such as by the operator.

use std::sync::Arc;

use tokio::sync::Notify;

/// A wake-up for whatever the journal says is to be done. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Has the journal looked through for work soon. Carries nothing: a lost wake-up costs latency.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring. Cancel-safe.
    pub(crate) async fn rung(&self) {
        self.0.notified().await;
    }
}
