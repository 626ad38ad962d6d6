//! A door that a test holds shut: whoever comes to it waits until the test opens it.
//!
//! It takes the place of sleeping: a run, an acknowledgement or an answer is held at a gate, the test waits with
//! [`Gate::reached`] until it stands there, does what it wants to see survived, and opens.

use tokio::sync::watch;

/// A latch, shut when made; clones are the same door. Once open it stays open.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

impl Gate {
    /// A shut gate.
    pub fn shut() -> Self {
        Self {
            open: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
        }
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until `n` comers in all have stood here.
    pub async fn reached(&self, n: usize) {
        let mut arrived = self.arrived.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = arrived.wait_for(|count| *count >= n).await;
    }

    /// Whether it was opened.
    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Comes to the gate and waits until it is open.
    pub(super) async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }
}
