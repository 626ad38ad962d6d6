//! Reads Kapso's message list again and again.
//!
//! Each read reaches back over the one before it, because an item may appear late and with an older time; the
//! ledger sorts out what is new. The cursor moves in the transaction that records the items. Before the first read
//! of a new journal nothing counts: the bridge starts from now.

use std::collections::HashSet;
use std::time::Duration;

use kapso::{Call, Class};
use model::{Arrival, ChatKey, Clock, IgnoreReason, Ignored, MessageId, Timestamp};
use store::{Listing, Store, StoreError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::doorbell::Doorbell;
use super::schedule::{Pace, Purpose, Schedule};
use crate::Parts;
use crate::health::Health;
use crate::numbers::Number;

/// When to read the list, and how far back.
#[derive(Debug, Clone)]
pub struct PollTiming {
    /// From the start of one read to the start of the next.
    pub pace: Pace,
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
    /// The least time between two reads that somebody outside asks for.
    pub hint_gap: Duration,
    /// A message that the list has and no push brought after this long was missed by the pushes.
    pub recovery_grace: Duration,
}

impl PollTiming {
    /// Production values around `interval`.
    pub fn every(interval: Duration) -> Self {
        Self {
            pace: Pace::every(interval),
            overlap: Duration::from_secs(2 * 60),
            deep_overlap: Duration::from_secs(15 * 60),
            deep_every: Duration::from_secs(3 * 60),
            backoff_most: Duration::from_secs(300),
            cursor_age: Duration::from_secs(600),
            hint_gap: Duration::from_secs(3),
            // Kapso's first two retries are over by then (kapso.md 4.6).
            recovery_grace: Duration::from_secs(60),
        }
    }

    /// The longest that the list is left unread while all is well; `checks` where it only checks the pushes.
    pub fn longest(&self, checks: bool) -> Duration {
        if checks {
            self.pace.quiet_check.max(self.pace.interval)
        } else {
            self.pace.interval
        }
    }
}

/// How often a long wait looks at the wall clock: a laptop that slept has a gap to read.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Reads the list of one number into the store.
#[derive(Debug)]
pub(crate) struct Poll {
    kapso: kapso::Client,
    /// What the operator calls the number.
    name: String,
    store: Store,
    clock: Clock,
    timing: PollTiming,
    health: Health,
    doorbell: Doorbell,
    schedule: Schedule,
    /// Whether messages are pushed as well, and can be missed by the pushes.
    pushed: bool,
    /// When this process began.
    started: Timestamp,
    /// Since when messages count; what was sent before the first start of all is not new to a new journal.
    began: Option<Timestamp>,
    /// What the reads since the last deep one showed: seeing it again costs no transaction.
    seen: HashSet<MessageId>,
    written: Option<Timestamp>,
    /// Up to when the list has been read; on disk it may lag behind.
    cursor: Option<Timestamp>,
    /// When the list was last read deeply.
    deep_at: Option<Instant>,
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
        parts: &Parts,
        number: &Number,
        timing: PollTiming,
        (purpose, pushed): (Purpose, bool),
        doorbell: Doorbell,
    ) -> Self {
        // WhatsApp dates messages by whole seconds: one of this second is not older than this process.
        let started = Timestamp::from_seconds(parts.clock.now().as_millis().div_euclid(1000));
        Self {
            kapso: number.kapso.clone(),
            name: number.name.clone(),
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            schedule: Schedule::new(purpose, timing.pace.clone()),
            timing,
            health: parts.health.clone(),
            doorbell,
            pushed,
            started,
            began: None,
            seen: HashSet::new(),
            written: None,
            cursor: None,
            deep_at: None,
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
                    begun + self.schedule.wait(Instant::now(), self.kapso.quota())
                }
                Err(failure) => Instant::now() + self.after(&failure),
            };
            if stop
                .run_until_cancelled(self.rest(begun, next))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    /// Waits for the next read: its time, a hint, or the end of a sleep of this host.
    async fn rest(&mut self, begun: Instant, mut next: Instant) {
        let hinted_from = begun + self.timing.hint_gap;
        loop {
            if self.doorbell.took_active() {
                self.schedule.active(Instant::now());
                next = next.min(begun + self.schedule.wait(Instant::now(), self.kapso.quota()));
            }
            let (slept_at, wall) = (Instant::now(), self.clock.now());
            let until = next.min(slept_at + LOOK_EVERY);
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.doorbell.hinted() => next = next.min(hinted_from),
            }
            let gap = self.clock.now().since(wall) > slept_at.elapsed() + LOOK_EVERY;
            if gap {
                info!("this host slept or its clock was set: reading what was missed");
            }
            let due = Instant::now() >= next;
            if due || gap {
                break;
            }
        }
        if let Some(wait) = self.kapso.wait_for(Call::List) {
            debug!(wait_s = wait.as_secs(), "near the plan's limit of requests");
            tokio::time::sleep(wait).await;
        }
    }

    /// One read, and what the operator calls the number.
    pub(crate) async fn read_named(&mut self) -> (String, Result<Vec<ChatKey>, PollError>) {
        (self.name.clone(), self.read().await)
    }

    /// One read: the chats that have something new, oldest first.
    async fn read(&mut self) -> Result<Vec<ChatKey>, PollError> {
        let begun = self.clock.now();
        self.remember().await?;
        let deep = self
            .deep_at
            .is_none_or(|at| at.elapsed() >= self.timing.deep_every);
        let arrivals = self.list(begun, deep).await?;
        let ids: HashSet<MessageId> = arrivals
            .iter()
            .map(|arrival| arrival.id().clone())
            .collect();
        let fresh = if self.worth_writing(&ids, begun) {
            self.record(&arrivals, begun).await?
        } else {
            self.schedule.read(0);
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
        self.health.polled(self.kapso.number(), self.clock.now());
        Ok(fresh)
    }

    /// Reads the journal's memory of the list, once. The beginning is noted before anything is read: a process that dies
    /// before its first read leaves no gap.
    async fn remember(&mut self) -> Result<(), StoreError> {
        let number = self.kapso.number();
        if self.began.is_none() {
            let began = self.store.began(number, self.started).await?;
            if began == self.started {
                info!(number = self.name, "a new journal: starting from now");
            }
            self.began = Some(began);
        }
        if self.cursor.is_none() {
            self.cursor = self.store.listed_to(number).await?;
        }
        Ok(())
    }

    /// What the list shows from a little before the last read on.
    async fn list(&self, begun: Timestamp, deep: bool) -> Result<Vec<Arrival>, PollError> {
        let overlap = if deep {
            self.timing.deep_overlap
        } else {
            self.timing.overlap
        };
        let began = self.began.unwrap_or(self.started);
        let since = self.cursor.unwrap_or(began).min(begun).earlier(overlap);
        let arrivals = self.kapso.list_inbound_since(since).await?;
        if self.cursor.is_some() {
            return Ok(arrivals);
        }
        // Until the first read is on disk: afterwards what is older is late, and not from before.
        Ok(arrivals
            .into_iter()
            .map(|arrival| before_start(arrival, began))
            .collect())
    }

    async fn record(
        &mut self,
        arrivals: &[Arrival],
        begun: Timestamp,
    ) -> Result<Vec<ChatKey>, StoreError> {
        let listing = Listing {
            number: self.kapso.number(),
            to: begun,
            recovered_before: self
                .pushed
                .then(|| begun.earlier(self.timing.recovery_grace)),
        };
        let accepted = self.store.accept(arrivals, Some(listing)).await?;
        self.written = Some(begun);
        report(arrivals, &self.seen);
        debug!(
            new = accepted.new,
            duplicates = accepted.duplicates,
            ignored = accepted.ignored,
            "read the list"
        );
        if accepted.new > 0 {
            self.schedule.active(Instant::now());
        }
        if accepted.recovered > 0 {
            warn!(
                number = self.name,
                messages = accepted.recovered,
                "the list had what no webhook brought"
            );
        }
        self.schedule.read(accepted.recovered);
        Ok(accepted.fresh)
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
            .pace
            .interval
            .saturating_mul(1 << self.failures.min(8));
        let backoff = doubled.min(self.timing.backoff_most);
        let number = self.name.as_str();
        self.health
            .poll_failed(self.kapso.number(), self.clock.now(), failure.to_string());
        match failure {
            PollError::Store(error) => {
                error!(number, %error, "cannot record what Kapso lists; nothing is lost, reading again");
                backoff
            }
            PollError::Kapso(error) => match error.class() {
                Class::RetryAfter(wait) => {
                    warn!(number, %error, wait_s = wait.as_secs(), "Kapso asks to wait");
                    wait
                }
                Class::Operator | Class::Permanent | Class::WindowClosed => {
                    error!(number, %error, "Kapso refuses the list: check kapso.api_key and the phone_number_id");
                    self.timing.backoff_most
                }
                Class::Retryable | Class::Unknown => {
                    warn!(number, %error, failures = self.failures, "could not read the list");
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
