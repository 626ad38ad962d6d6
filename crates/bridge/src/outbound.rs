//! Stage 7: a chat's outgoing rows become WhatsApp messages, in order, once, one request at a time.
//!
//! A row is marked before its request, so that a crash in between leaves it *unknown*, never forgotten. What became
//! of an unknown row is looked up in Kapso's outbound list before anything is repeated. A row waits for the one
//! before it; only WhatsApp's final refusal lets the next one pass. It leaves by the number that the person wrote to, and
//! by no other one: what is for a number that is not configured waits until it is.

use std::time::Duration;

use kapso::{Call, Class, Client};
use model::{ChatKey, Clock, MessageId, Timestamp};
use store::{Head, OutgoingState, Store, StoreError, StoredOutgoing};
use tracing::{debug, error, info, warn};

use crate::lanes::{Stage, Step};
use crate::numbers::Numbers;

/// Waits between the tries of a send.
#[derive(Debug, Clone)]
pub struct SendTiming {
    /// The first wait after a refusal that may pass; it doubles with each try.
    pub backoff_first: Duration,
    /// The longest wait between two tries.
    pub backoff_most: Duration,
    /// The wait after an error that only the operator can mend.
    pub operator: Duration,
    /// When an unknown outcome is looked up, counted from the request; after the last it is sent again.
    pub lookups: Vec<Duration>,
    /// The pause between two messages to one person: Meta does not keep their order by itself (kapso.md 2.11).
    pub gap: Duration,
    /// The age at which a message that never could be sent is given up.
    pub give_up: Duration,
}

impl Default for SendTiming {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(400),
            backoff_most: Duration::from_secs(60),
            operator: Duration::from_secs(300),
            lookups: vec![Duration::from_secs(2), Duration::from_secs(6)],
            gap: Duration::from_millis(600),
            give_up: Duration::from_secs(24 * 3600),
        }
    }
}

/// The reason on a row that broke the bridge.
const STUMBLED: &str = "broke the bridge twice";

/// The reason on a row whose number is not configured.
const NO_NUMBER: &str = "its business number is not configured";

/// How far before a row's first request the outbound list is searched; clocks differ.
const LOOKUP_MARGIN: Duration = Duration::from_secs(120);

/// The sender of outgoing rows.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    pub(crate) numbers: Numbers,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) timing: SendTiming,
}

impl Stage for Outbound {
    /// Sends the head of the chat's queue, or says how long it has to wait.
    async fn step(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        let Some(kapso) = self.numbers.of(&chat.number) else {
            return self.leave(chat).await;
        };
        if let Some(wait) = kapso.wait_for(Call::Send) {
            debug!(wait_s = wait.as_secs(), "near the plan's limit of requests");
            return Ok(Step::After(wait));
        }
        match self.store.claim_next(chat).await? {
            Head::Empty => Ok(Step::Idle),
            Head::Yours(row) => self.send(kapso, &row).await,
            Head::Waits(row) => match row.state {
                OutgoingState::Sending | OutgoingState::Unknown => self.look_up(kapso, &row).await,
                OutgoingState::Queued
                | OutgoingState::Sent
                | OutgoingState::Failed
                | OutgoingState::Dropped => Ok(Step::After(self.until(row.not_before))),
            },
        }
    }

    async fn stumbled(&self, chat: &ChatKey) -> Result<(), StoreError> {
        self.store.stumbled_sending(chat, STUMBLED).await.map(drop)
    }
}

impl Outbound {
    /// Leaves what is for a number that is not configured where it is, and says so on the row. A start with the number
    /// takes it up again.
    async fn leave(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        if let Some(row) = self.store.next_outgoing(chat).await? {
            self.store.waits_because(row.id, NO_NUMBER).await?;
        }
        Ok(Step::Idle)
    }

    /// Makes the request for a row that is marked as `sending`, and writes down what came of it.
    async fn send(&self, kapso: &Client, row: &StoredOutgoing) -> Result<Step, StoreError> {
        let refusal = match kapso.send(&row.outgoing).await {
            Ok(wamid) => {
                debug!(outgoing = %row.id, %wamid, "sent");
                let more = self.store.sent(row.id, &wamid).await?;
                return Ok(if more {
                    Step::After(self.timing.gap)
                } else {
                    Step::Idle
                });
            }
            Err(refusal) => refusal,
        };
        let now = self.clock.now();
        let reason = refusal.to_string();
        let old = now.since(row.created_at) > self.timing.give_up;
        match refusal.class() {
            Class::Retryable | Class::RetryAfter(_) | Class::Operator if old => {
                warn!(outgoing = %row.id, %reason, "given up");
                self.store.failed(row.id, &reason).await?;
            }
            Class::Retryable => {
                return self
                    .retry(row, self.timing.backoff(row.attempts), &reason)
                    .await;
            }
            Class::RetryAfter(least) => {
                let wait = refusal.wait_before(row.attempts).unwrap_or(least);
                warn!(outgoing = %row.id, %reason, wait_s = wait.as_secs(), "WhatsApp asks to wait");
                return self.retry(row, wait, &reason).await;
            }
            Class::Operator => {
                error!(outgoing = %row.id, %reason, "WhatsApp refuses to send until the operator acts");
                return self.retry(row, self.timing.operator, &reason).await;
            }
            Class::WindowClosed if !old => {
                warn!(outgoing = %row.id, "the 24-hour window is closed: kept until the customer writes");
                return self.hold(row).await;
            }
            Class::WindowClosed | Class::Permanent => {
                warn!(outgoing = %row.id, %reason, "refused for good");
                self.store.failed(row.id, &reason).await?;
            }
            Class::Unknown => {
                info!(outgoing = %row.id, %reason, "outcome unknown, looking it up");
                self.store.unknown(row.id, &reason).await?;
            }
        }
        Ok(Step::Again)
    }

    async fn retry(
        &self,
        row: &StoredOutgoing,
        wait: Duration,
        reason: &str,
    ) -> Result<Step, StoreError> {
        debug!(outgoing = %row.id, attempts = row.attempts, reason, "sending again later");
        self.store
            .retry_at(row.id, self.clock.now().later(wait), reason)
            .await?;
        Ok(Step::After(wait))
    }

    /// Keeps a row, and what follows it, until the customer opens the window again by writing.
    async fn hold(&self, row: &StoredOutgoing) -> Result<Step, StoreError> {
        let until = row.created_at.later(self.timing.give_up);
        self.store.hold(row.id, until).await?;
        Ok(Step::After(self.until(Some(until))))
    }

    /// Finds out what became of a request whose answer was lost, at the times after it that
    /// [`SendTiming::lookups`] names: from what WhatsApp told by webhook, then from Kapso's list.
    async fn look_up(&self, kapso: &Client, row: &StoredOutgoing) -> Result<Step, StoreError> {
        let elapsed = self.clock.now().since(row.updated_at);
        let first = self.timing.lookups.first().copied().unwrap_or_default();
        if elapsed < first {
            return Ok(Step::After(first - elapsed));
        }
        let since = row.updated_at.min(row.created_at).earlier(LOOKUP_MARGIN);
        if let Some(wamid) = self.store.announced(row, since).await? {
            return self.was_sent(row, &wamid).await;
        }
        match kapso.find_sent(&row.outgoing, since).await {
            Ok(candidates) => {
                if let Some(wamid) = self.store.first_unclaimed(&candidates).await? {
                    return self.was_sent(row, &wamid).await;
                }
            }
            Err(error) => {
                debug!(outgoing = %row.id, %error, "could not look up");
                return Ok(Step::After(self.timing.backoff(row.attempts)));
            }
        }
        if let Some(next) = self.timing.lookups.iter().find(|after| **after > elapsed) {
            return Ok(Step::After(*next - elapsed));
        }
        if self.clock.now().since(row.created_at) > self.timing.give_up {
            warn!(outgoing = %row.id, "given up: its outcome stayed unknown");
            self.store
                .failed(row.id, "its outcome stayed unknown")
                .await?;
        } else {
            warn!(outgoing = %row.id, "nothing shows that it was taken, sending it again");
            self.store
                .repeat(row.id, "not in the outbound list")
                .await?;
        }
        Ok(Step::Again)
    }

    async fn was_sent(&self, row: &StoredOutgoing, wamid: &MessageId) -> Result<Step, StoreError> {
        info!(outgoing = %row.id, %wamid, "was sent");
        self.store.sent(row.id, wamid).await?;
        Ok(Step::Again)
    }

    fn until(&self, at: Option<Timestamp>) -> Duration {
        at.map(|at| at.since(self.clock.now())).unwrap_or_default()
    }
}

impl SendTiming {
    fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self
            .backoff_first
            .saturating_mul(1u32.checked_shl(attempts.min(16)).unwrap_or(u32::MAX));
        doubled.min(self.backoff_most)
    }
}
