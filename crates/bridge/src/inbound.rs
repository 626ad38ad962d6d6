//! Stages 1 and 2: what comes from WhatsApp is read, committed, and only then acted on.
//!
//! Two doors, one ledger: the list that Kapso keeps, and what Kapso pushes. What is new is decided by the ledger,
//! not by a cursor and not by a signature. In the webhook modes the list shows what the pushes missed.

mod doorbell;
pub mod poll;
pub mod schedule;
pub mod webhook;

use std::sync::Arc;

use model::ChatKey;
use tokio_util::sync::CancellationToken;

use self::doorbell::Doorbell;
use self::poll::{Poll, PollError, PollTiming};
use self::schedule::Purpose;
use self::webhook::{Door, Webhook};
use crate::Parts;

/// Whom to tell, after the commit, that a chat has something new.
#[derive(Clone)]
pub(crate) struct Wake {
    /// It has a message.
    pub(crate) message: Arc<dyn Fn(ChatKey) + Send + Sync>,
    /// A receipt came for something that was sent to it.
    pub(crate) receipt: Arc<dyn Fn(ChatKey) + Send + Sync>,
}

/// The doors of one number.
pub(crate) struct Inbound {
    poll: Poll,
    door: Option<(Door, Webhook)>,
}

impl Inbound {
    pub(crate) fn new(parts: &Parts, timing: PollTiming, fallback: bool, wake: Wake) -> Self {
        let doorbell = Doorbell::default();
        let signed = parts.door.as_ref().map(|door| door.keys.are_set());
        let purpose = match signed {
            None => Purpose::Door,
            Some(_) if fallback => Purpose::Beside,
            Some(_) => Purpose::Reconcile,
        };
        let pushed = signed == Some(true);
        let poll = Poll::new(parts, timing, (purpose, pushed), doorbell.clone());
        let door = parts.door.clone().map(|door| {
            let webhook = Webhook::new(parts, &door, wake, doorbell);
            (door, webhook)
        });
        Self { poll, door }
    }

    /// Takes in what comes, by every door, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken, wake: &Wake) {
        let listed = self.poll.run(stop.clone(), |chat| (wake.message)(chat));
        let pushed = async {
            if let Some((door, webhook)) = self.door {
                webhook::serve(door, webhook, stop.clone()).await;
            }
        };
        tokio::join!(listed, pushed);
    }

    /// One read of the list: the chats that have something new.
    ///
    /// # Errors
    /// [`PollError`] when the list or the journal cannot be read.
    pub(crate) async fn read_once(mut self) -> Result<Vec<ChatKey>, PollError> {
        self.poll.read().await
    }
}
