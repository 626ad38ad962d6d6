//! What must survive a restart, behind a few verbs.
//!
//! The journal is one SQLite file in the state directory. No SQL leaves this crate: a stage calls a verb, and what
//! the verb's doc line promises is on disk when it returns. Every change of state names the states that it may
//! start from and is refused as a [`StoreError::Conflict`] otherwise, so a step that is repeated after a crash
//! cannot do its work twice. A verb whose future is dropped has done all of its work or none.
//!
//! The statements are those of SQLite and PostgreSQL alike; what only SQLite has is in `open`.

mod error;
mod forget;
mod lock;
mod messages;
mod open;
mod outgoing;
mod row;
mod state;
mod status;
mod turns;

use std::sync::Arc;

use model::{Clock, Timestamp};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{Sqlite, Transaction};

use crate::error::conflict;
use crate::lock::Lock;

pub use error::{Row, StoreError};
pub use messages::Accepted;
pub use open::OpenError;
pub use outgoing::Head;
pub use row::{StoredMessage, StoredOutgoing, StoredTurn};
pub use state::{MessageState, OutgoingId, OutgoingState, Settled, TurnId, TurnState};
pub use status::{Depths, Event, EventKind};

/// The open journal. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: SQLite has one writer, and a second cache would only cost memory.
    pool: SqlitePool,
    clock: Clock,
    lock: Arc<Lock>,
    is_new: bool,
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
        self.pool.close().await;
        self.lock.release();
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs an update of one row that names its old states: a single statement, which commits by itself.
    async fn change(
        &self,
        row: Row,
        id: i64,
        verb: &'static str,
        update: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(), StoreError> {
        match update.execute(&self.pool).await?.rows_affected() {
            0 => Err(conflict(&mut *self.pool.acquire().await?, row, id, verb).await),
            _ => Ok(()),
        }
    }

    /// A transaction that may write. Dropping it undoes it.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    /// SQLite's plan for a statement, without parameters: each step in words.
    async fn plan(store: &Store, statement: &str) -> Vec<String> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "EXPLAIN QUERY PLAN {statement}"
        )))
        .fetch_all(&store.pool)
        .await
        .unwrap();
        rows.iter().map(|row| row.get("detail")).collect()
    }

    #[tokio::test]
    async fn the_reads_on_the_way_of_a_message_use_their_index_and_sort_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Clock::system()).await.unwrap();
        for (statement, index) in [
            (outgoing::NEXT, "outgoing_waiting"),
            (outgoing::CLAIM, "outgoing_waiting"),
            (messages::RECEIVED, "message_received"),
            (turns::OPEN, "turn_open"),
        ] {
            let plan = plan(&store, statement).await;
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
            let slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(slow), "{plan:?}");
        }
    }
}
