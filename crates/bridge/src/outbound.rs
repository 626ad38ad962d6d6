//! Stage 7: a chat's outgoing rows become WhatsApp messages, in order, once, one request at a time.
//!
//! A row is marked before its request, so that a crash in between leaves it *unknown*, never forgotten. What became
//! of an unknown row is looked up in Kapso's outbound list before anything is repeated. A row waits for the one
//! before it; only WhatsApp's final refusal lets the next one pass.

use std::time::Duration;

use kapso::Class;
use model::{ChatKey, Clock, Timestamp};
use store::{Head, OutgoingState, Store, StoreError, StoredOutgoing};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::lanes::{Stage, Step};

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

/// How far before a row's first request the outbound list is searched; clocks differ.
const LOOKUP_MARGIN: Duration = Duration::from_secs(120);

/// The sender of outgoing rows.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    pub(crate) kapso: kapso::Client,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) timing: SendTiming,
    pub(crate) stop: CancellationToken,
}

impl Stage for Outbound {
    async fn step(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        self.drain(chat).await?;
        Ok(Step::Idle)
    }
}

impl Outbound {
    /// Sends what waits for `chat`, until nothing does or the bridge stops.
    ///
    /// # Errors
    /// [`StoreError`] when the journal cannot be read or written; the rows keep their state.
    async fn drain(&self, chat: &ChatKey) -> Result<(), StoreError> {
        loop {
            match self.store.claim_next(chat).await? {
                Head::Empty => return Ok(()),
                Head::Yours(row) => self.send(&row).await?,
                Head::Waits(row) => {
                    let goes_on = match row.state {
                        OutgoingState::Sending | OutgoingState::Unknown => {
                            self.look_up(&row).await?
                        }
                        OutgoingState::Queued | OutgoingState::Sent | OutgoingState::Failed => {
                            self.pause(row.not_before).await
                        }
                    };
                    if !goes_on {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Makes the request for a row that is marked as `sending`, and writes down what came of it.
    async fn send(&self, row: &StoredOutgoing) -> Result<(), StoreError> {
        let refusal = match self.kapso.send(&row.outgoing).await {
            Ok(wamid) => {
                debug!(outgoing = %row.id, %wamid, "sent");
                self.store.sent(row.id, &wamid).await?;
                tokio::time::sleep(
                    self.timing
                        .gap_after(self.store.next_outgoing(&row.outgoing.chat).await?),
                )
                .await;
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let now = self.clock.now();
        let reason = refusal.to_string();
        let old = now.since(row.created_at) > self.timing.give_up;
        match refusal.class() {
            Class::Retryable | Class::RetryAfter(_) | Class::Operator if old => {
                warn!(outgoing = %row.id, %reason, "given up");
                self.store.failed(row.id, &reason).await
            }
            Class::Retryable => {
                self.retry(row, now.later(self.timing.backoff(row.attempts)), &reason)
                    .await
            }
            Class::RetryAfter(wait) => {
                warn!(outgoing = %row.id, %reason, wait_s = wait.as_secs(), "WhatsApp asks to wait");
                self.retry(row, now.later(wait), &reason).await
            }
            Class::Operator => {
                error!(outgoing = %row.id, %reason, "WhatsApp refuses to send until the operator acts");
                self.retry(row, now.later(self.timing.operator), &reason)
                    .await
            }
            Class::WindowClosed | Class::Permanent => {
                warn!(outgoing = %row.id, %reason, "refused for good");
                self.store.failed(row.id, &reason).await
            }
            Class::Unknown => {
                info!(outgoing = %row.id, %reason, "outcome unknown, looking it up");
                self.store.unknown(row.id, &reason).await
            }
        }
    }

    async fn retry(
        &self,
        row: &StoredOutgoing,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        debug!(outgoing = %row.id, attempts = row.attempts, reason, "sending again later");
        self.store.retry_at(row.id, at, reason).await
    }

    /// Finds out what became of a request whose answer was lost. `false` when the bridge stops meanwhile.
    async fn look_up(&self, row: &StoredOutgoing) -> Result<bool, StoreError> {
        let since = row.updated_at.min(row.created_at).earlier(LOOKUP_MARGIN);
        for after in &self.timing.lookups {
            if !self.pause(Some(row.updated_at.later(*after))).await {
                return Ok(false);
            }
            match self.kapso.find_sent(&row.outgoing, since).await {
                Ok(candidates) => {
                    if let Some(wamid) = self.store.first_unclaimed(&candidates).await? {
                        info!(outgoing = %row.id, %wamid, "was sent");
                        self.store.sent(row.id, &wamid).await?;
                        return Ok(true);
                    }
                }
                Err(error) => {
                    debug!(outgoing = %row.id, %error, "could not look up");
                    let at = self.clock.now().later(self.timing.backoff(row.attempts));
                    return Ok(self.pause(Some(at)).await);
                }
            }
        }
        let now = self.clock.now();
        if now.since(row.created_at) > self.timing.give_up {
            warn!(outgoing = %row.id, "given up: its outcome stayed unknown");
            self.store
                .failed(row.id, "its outcome stayed unknown")
                .await?;
        } else {
            self.retry(row, now, "not in the outbound list").await?;
        }
        Ok(true)
    }

    /// Waits until `at`; `false` when the bridge stops first.
    async fn pause(&self, at: Option<Timestamp>) -> bool {
        let wait = at.map(|at| at.since(self.clock.now())).unwrap_or_default();
        if wait.is_zero() {
            return true;
        }
        self.stop
            .run_until_cancelled(tokio::time::sleep(wait))
            .await
            .is_some()
    }
}

impl SendTiming {
    fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self
            .backoff_first
            .saturating_mul(1u32.checked_shl(attempts.min(16)).unwrap_or(u32::MAX));
        doubled.min(self.backoff_most)
    }

    fn gap_after(&self, next: Option<StoredOutgoing>) -> Duration {
        next.map_or(Duration::ZERO, |_| self.gap)
    }
}
