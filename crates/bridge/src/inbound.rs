//! Stages 1 and 2: what comes from WhatsApp is read, committed, and only then acted on.
//!
//! Two doors, one ledger: the list that Kapso keeps of each number, and what Kapso pushes for all of them. What is new
//! is decided by the ledger, not by a cursor and not by a signature. In the webhook modes the lists show what the pushes
//! missed. A list that cannot be read holds no other one up.

mod doorbell;
pub mod poll;
pub mod schedule;
pub mod webhook;

use std::sync::Arc;

use futures_util::future::join_all;
use model::ChatKey;
use tokio_util::sync::CancellationToken;

use self::doorbell::Doorbells;
use self::poll::{Poll, PollTiming};
use self::schedule::Purpose;
use self::webhook::{Door, Webhook};
use crate::Parts;
use crate::numbers::Number;

/// Whom to tell, after the commit, that a chat has something new.
#[derive(Clone)]
pub(crate) struct Wake {
    /// It has a message.
    pub(crate) message: Arc<dyn Fn(ChatKey) + Send + Sync>,
    /// A receipt came for something that was sent to it.
    pub(crate) receipt: Arc<dyn Fn(ChatKey) + Send + Sync>,
}

/// The doors of all numbers.
pub(crate) struct Inbound {
    polls: Vec<Poll>,
    door: Option<(Door, Webhook)>,
}

/// What one read of every list brought.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The chats that have something new.
    pub(crate) fresh: Vec<ChatKey>,
    /// How many lists were read.
    pub(crate) lists: usize,
    /// Why the others could not be.
    pub(crate) failures: Vec<String>,
}

impl Inbound {
    pub(crate) fn new(parts: &Parts, timing: &PollTiming, fallback: bool, wake: Wake) -> Self {
        let purpose = match &parts.door {
            None => Purpose::Door,
            Some(_) if fallback => Purpose::Beside,
            Some(_) => Purpose::Reconcile,
        };
        let doorbells = Doorbells::new(parts.numbers.iter().map(Number::id));
        let poll = |number: &Number| {
            let door = parts.door.as_ref();
            let pushed = door.is_some_and(|door| door.keys_of(number).keys.are_set());
            let doorbell = doorbells.of(number.id());
            Poll::new(parts, number, timing.clone(), (purpose, pushed), doorbell)
        };
        Self {
            polls: parts.numbers.iter().map(poll).collect(),
            door: parts.door.clone().map(|door| {
                let webhook = Webhook::new(parts, &door, wake, doorbells.clone());
                (door, webhook)
            }),
        }
    }

    /// Takes in what comes, by every door, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken, wake: &Wake) {
        let listed = self
            .polls
            .into_iter()
            .map(|poll| poll.run(stop.clone(), |chat| (wake.message)(chat)));
        let pushed = async {
            if let Some((door, webhook)) = self.door {
                webhook::serve(door, webhook, stop.clone()).await;
            }
        };
        tokio::join!(join_all(listed), pushed);
    }

    /// One read of each list.
    pub(crate) async fn read_once(mut self) -> Read {
        let mut all = Read::default();
        let several = self.polls.len() > 1;
        for (name, read) in join_all(self.polls.iter_mut().map(Poll::read_named)).await {
            match read {
                Ok(fresh) => {
                    all.lists += 1;
                    all.fresh.extend(fresh);
                }
                Err(failure) if several => all.failures.push(format!("{name}: {failure}")),
                Err(failure) => all.failures.push(failure.to_string()),
            }
        }
        all
    }
}
