//! How the webhook tells the poll that there is something to look at.
//!
//! A ring is a hint and carries nothing: whatever it is about is read from Kapso with the bridge's own key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Rung by the webhook, heard by the poll. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doorbell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hint: Notify,
    active: AtomicBool,
}

impl Doorbell {
    /// Something may be in the list that no signed push has brought: read it soon. Rings that come before it is
    /// heard are one.
    pub(crate) fn ring(&self) {
        self.0.hint.notify_one();
    }

    /// Messages come by the other door.
    pub(crate) fn active(&self) {
        self.0.active.store(true, Ordering::Relaxed);
    }

    /// Waits for a ring. Cancel-safe.
    pub(crate) async fn hinted(&self) {
        self.0.hint.notified().await;
    }

    /// Whether messages came by the other door since the last look.
    pub(crate) fn took_active(&self) -> bool {
        self.0.active.swap(false, Ordering::Relaxed)
    }
}
