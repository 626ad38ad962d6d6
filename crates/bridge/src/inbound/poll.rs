//! Reads Kapso's message list again and again.
//!
//! Each read reaches back over the one before it, because an item may appear late and with an older time; the
//! ledger sorts out what is new. The cursor moves in the transaction that records the items. Before the first read
//! of a new journal nothing counts: the bridge starts from now.

use std::collections::HashSet;
use std::time::Duration;

use kapso::Class;
use model::{Arrival, ChatKey, Clock, IgnoreReason, Ignored, MessageId, Timestamp};
use store::{Store, StoreError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::health::Health;

/// When to read the list.
#[derive(Debug, Clone)]
pub struct PollTiming {
    /// From the start of one read to the start of the next.
    pub interval: Duration,
    /// How far a read reaches back over the one before it.
    pub overlap: Duration,
    /// How far a deep read reaches back, for what became visible late and under an older date.
    pub deep_overlap: Duration,
    /// Between two deep reads; those in between cost less of the plan's requests per minute.
    pub deep_every: Duration,
    /// The longest wait after failures.
    pub backoff_most: Duration,
    /// How old the cursor on disk may grow while nothing new arrives: an idle bridge does not write.
    pub cursor_age: Duration,
}

impl PollTiming {
    /// Production values around `interval`.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            overlap: Duration::from_secs(2 * 60),
            deep_overlap: Duration::from_secs(15 * 60),
            deep_every: Duration::from_secs(3 * 60),
            backoff_most: Duration::from_secs(300),
            cursor_age: Duration::from_secs(600),
        }
    }
}

/// How long settled rows are kept: Meta delivers again for up to seven days.
const RETENTION: Duration = Duration::from_secs(8 * 24 * 3600);

/// Between two clean-ups of the journal.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Reads the list of one number into the store.
#[derive(Debug)]
pub(crate) struct Poll {
    kapso: kapso::Client,
    store: Store,
    clock: Clock,
    timing: PollTiming,
    health: Health,
    /// When this process began; items older than it are not new to a new journal.
    started: Timestamp,
    /// What the reads since the last deep one showed: seeing it again costs no transaction.
    seen: HashSet<MessageId>,
    written: Option<Timestamp>,
    /// Up to when the list has been read; on disk it may lag behind.
    cursor: Option<Timestamp>,
    /// When the list was last read deeply.
    deep_at: Option<Instant>,
    /// When the journal was last relieved of what is long over.
    forgot_at: Option<Instant>,
    failures: u32,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PollError {
    /// Kapso did not give the list.
    #[error("kapso: {0}")]
    Kapso(#[from] kapso::Error),
    /// The journal could not be read or written; nothing was acknowledged.
    #[error("journal: {0}")]
    Store(#[from] StoreError),
}

impl Poll {
    pub(crate) fn new(
        kapso: kapso::Client,
        store: Store,
        clock: Clock,
        timing: PollTiming,
        health: Health,
    ) -> Self {
        // WhatsApp dates messages by whole seconds: one of this second is not older than this process.
        let started = Timestamp::from_seconds(clock.now().as_millis().div_euclid(1000));
        Self {
            kapso,
            store,
            clock,
            timing,
            health,
            started,
            seen: HashSet::new(),
            written: None,
            cursor: None,
            deep_at: None,
            forgot_at: None,
            failures: 0,
        }
    }

    /// Reads until `stop`; `wake` is called with each chat that has something new, after the commit.
    pub(crate) async fn run(mut self, stop: CancellationToken, wake: impl Fn(ChatKey)) {
        loop {
            let begun = Instant::now();
            let Some(read) = stop.run_until_cancelled(self.read()).await else {
                return;
            };
            let next = match read {
                Ok(chats) => {
                    chats.into_iter().for_each(&wake);
                    begun + self.timing.interval
                }
                Err(failure) => Instant::now() + self.after(&failure),
            };
            if stop.run_until_cancelled(sleep_until(next)).await.is_none() {
                return;
            }
        }
    }

    /// One read: the chats that have something new, oldest first.
    pub(crate) async fn read(&mut self) -> Result<Vec<ChatKey>, PollError> {
        let number = self.kapso.number().clone();
        let begun = self.clock.now();
        if self.cursor.is_none() {
            self.cursor = self.store.listed_to(&number).await?;
        }
        let deep = self
            .deep_at
            .is_none_or(|at| at.elapsed() >= self.timing.deep_every);
        let overlap = if deep {
            self.timing.deep_overlap
        } else {
            self.timing.overlap
        };
        let since = self
            .cursor
            .unwrap_or(self.started)
            .min(begun)
            .earlier(overlap);
        let mut arrivals = self.kapso.list_inbound_since(since).await?;
        if self.cursor.is_none() {
            info!(older = arrivals.len(), "a new journal: starting from now");
            arrivals = arrivals
                .into_iter()
                .map(|arrival| before_start(arrival, self.started))
                .collect();
        }
        let ids: HashSet<MessageId> = arrivals
            .iter()
            .map(|arrival| arrival.id().clone())
            .collect();
        let fresh = if self.worth_writing(&ids, begun) {
            let accepted = self.store.accept(&arrivals, Some((&number, begun))).await?;
            self.written = Some(begun);
            report(&arrivals, &self.seen);
            debug!(
                new = accepted.new,
                duplicates = accepted.duplicates,
                ignored = accepted.ignored,
                "read the list"
            );
            accepted.fresh
        } else {
            Vec::new()
        };
        self.cursor = Some(begun);
        if deep {
            self.deep_at = Some(Instant::now());
            self.seen = ids;
        } else {
            self.seen.extend(ids);
        }
        self.failures = 0;
        self.health.polled(self.clock.now());
        self.forget(begun).await?;
        Ok(fresh)
    }

    /// Once a day, drops what has been over for so long that no provider brings it again.
    async fn forget(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let due = self.forgot_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY);
        if due {
            let rows = self.store.forget(now.earlier(RETENTION)).await?;
            // One call looks at the oldest rows only; where it found some, the next read goes on.
            self.forgot_at = (rows == 0).then(Instant::now);
            debug!(rows, "dropped what is long over");
        }
        Ok(())
    }

    fn worth_writing(&self, ids: &HashSet<MessageId>, now: Timestamp) -> bool {
        let stale = self
            .written
            .is_none_or(|at| now.since(at) >= self.timing.cursor_age || at > now);
        stale || !ids.is_subset(&self.seen)
    }

    /// Says what went wrong and how long to wait.
    fn after(&mut self, failure: &PollError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = self
            .timing
            .interval
            .saturating_mul(1 << self.failures.min(8));
        let backoff = doubled.min(self.timing.backoff_most);
        self.health
            .poll_failed(self.clock.now(), failure.to_string());
        match failure {
            PollError::Store(error) => {
                error!(%error, "cannot record what Kapso lists; nothing is lost, reading again");
                backoff
            }
            PollError::Kapso(error) => match error.class() {
                Class::RetryAfter(wait) => {
                    warn!(%error, wait_s = wait.as_secs(), "Kapso asks to wait");
                    wait
                }
                Class::Operator | Class::Permanent | Class::WindowClosed => {
                    error!(%error, "Kapso refuses the list: check kapso.api_key and kapso.phone_number_id");
                    self.timing.backoff_most
                }
                Class::Retryable | Class::Unknown => {
                    warn!(%error, failures = self.failures, "could not read the list");
                    backoff
                }
            },
        }
    }
}

fn before_start(arrival: Arrival, started: Timestamp) -> Arrival {
    match arrival {
        Arrival::Message(inbound) if inbound.sent_at < started => Arrival::Ignored(Ignored {
            number: inbound.number,
            id: inbound.id,
            reason: IgnoreReason::BeforeStart,
        }),
        newer @ (Arrival::Message(_) | Arrival::Ignored(_)) => newer,
    }
}

/// One line for each malformed item, the first time that it is seen; never its text.
fn report(arrivals: &[Arrival], seen: &HashSet<MessageId>) {
    for arrival in arrivals {
        if let Arrival::Ignored(Ignored {
            id,
            reason: IgnoreReason::Malformed(what),
            ..
        }) = arrival
            && !seen.contains(id)
        {
            warn!(%id, what, "recorded a message that cannot be read");
        }
    }
}
