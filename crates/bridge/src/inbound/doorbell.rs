//! How the webhook tells the poll that there is something to look at.
//!
//! A ring is a hint and carries nothing: whatever it is about is read from Kapso with the bridge's own key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::NumberId;
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

/// A doorbell for the list of each number. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doorbells(BTreeMap<NumberId, Doorbell>);

impl Doorbells {
    /// One for each of `numbers`.
    pub(crate) fn new<'n>(numbers: impl Iterator<Item = &'n NumberId>) -> Self {
        Self(
            numbers
                .map(|number| (number.clone(), Doorbell::default()))
                .collect(),
        )
    }

    /// The doorbell of `number`; one that nobody hears, where there is no such list.
    pub(crate) fn of(&self, number: &NumberId) -> Doorbell {
        self.0.get(number).cloned().unwrap_or_default()
    }

    /// Rings for each of `numbers`.
    pub(crate) fn ring<'n>(&self, numbers: impl IntoIterator<Item = &'n NumberId>) {
        numbers
            .into_iter()
            .for_each(|number| self.of(number).ring());
    }

    /// Rings for every list.
    pub(crate) fn ring_all(&self) {
        self.0.values().for_each(Doorbell::ring);
    }
}
