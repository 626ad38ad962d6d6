//! What must survive a restart, behind a few verbs.
//!
//! The journal is one SQLite file in the state directory. No SQL leaves this crate: a stage calls a verb, and what
//! the verb's doc line promises is on disk when it returns. Every change of state names the states that it may
//! start from and is refused as a [`StoreError::Conflict`] otherwise, so a step that is repeated after a crash
//! cannot do its work twice. A verb whose future is dropped has done all of its work or none.
//!
//! The verbs run on one thread, and those that come together share a commit (`journal`). The statements are those of
//! SQLite and PostgreSQL alike, but for the sign before a parameter's number; what only SQLite has is in `open` and
//! `journal`.

mod announced;
#[cfg(feature = "crash-points")]
mod crash;
mod dead;
mod error;
mod forget;
mod journal;
mod life;
mod lock;
mod messages;
mod open;
mod outgoing;
mod row;
mod state;
mod status;
mod stumbles;
mod tally;
mod turns;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use model::{Clock, Timestamp};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::journal::Job;
use crate::lock::Lock;

pub use dead::{Dead, DeadId, NotADeadId};
pub use error::{Row, StoreError};
pub use life::{Life, LivedMessage, LivedReply, LivedTurn, Recent, Subject};
pub use messages::{Accepted, Listing};
pub use open::OpenError;
pub use outgoing::Head;
pub use row::{StoredMessage, StoredOutgoing, StoredTurn};
pub use state::{MessageState, OutgoingId, OutgoingState, Settled, TurnId, TurnState};
pub use status::{Depths, Event, EventKind};
pub use stumbles::Stumbled;
pub use tally::Counter;

/// The open journal. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
    clock: Clock,
    lock: Arc<Lock>,
    is_new: bool,
    /// Up to which row of each table the words of what is over were dropped.
    slimmed: Arc<[AtomicI64; 3]>,
}

impl Store {
    /// Whether this process made the journal: nothing is known of what happened before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Closes the journal for all clones and gives its lock back. Verbs fail from then on.
    ///
    /// Leaving it out loses nothing: the next start reads the write-ahead log instead.
    pub async fn close(&self) {
        let (closing, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(closing)).await.is_ok() {
            // The sender is dropped without a word when the journal is closed.
            let _ = closed.await;
        }
        self.lock.release();
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at the journal, after all verbs that were called before.
    async fn read<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, outcome) = journal::work(verb);
        self.done(Job::Read(work), outcome).await
    }

    /// Changes the journal; what `verb` did is on disk when this returns, or undone.
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, outcome) = journal::work(verb);
        self.done(Job::Write(work), outcome).await
    }

    async fn done<T>(
        &self,
        job: Job,
        outcome: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.jobs.send(job).await.is_err() {
            return Err(StoreError::Closed);
        }
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Looks at the journal on a connection of its own, which may take its time: no verb waits for it.
    async fn report<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(open::PATIENCE)?;
            look(&connection)
        });
        looked.await.unwrap_or(Err(StoreError::Closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite's plan for a statement, without parameters: each step in words.
    async fn plan(store: &Store, statement: &str) -> Vec<String> {
        let statement = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = store.read(move |connection| {
            let mut statement = connection.prepare(&statement)?;
            let mut rows = statement.raw_query();
            let mut steps = Vec::new();
            while let Some(row) = rows.next()? {
                steps.push(row.get("detail")?);
            }
            Ok(steps)
        });
        plan.await.unwrap()
    }

    #[tokio::test]
    async fn the_reads_on_the_way_of_a_message_use_their_index_and_sort_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Clock::system()).await.unwrap();
        for (statement, index) in [
            (outgoing::NEXT, "outgoing_waiting"),
            (outgoing::CLAIM, "outgoing_waiting"),
            (outgoing::UNDECIDED, "outgoing_waiting"),
            (messages::RECEIVED, "message_received"),
            (turns::OPEN, "turn_open"),
            (announced::ANNOUNCED, "receipt_chat"),
        ] {
            let plan = plan(&store, statement).await;
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
            let slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(slow), "{plan:?}");
        }
    }
}
