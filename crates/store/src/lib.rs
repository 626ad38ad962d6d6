//! What must survive a restart, behind a few verbs.
//!
//! The journal is one SQLite file in the state directory. No SQL leaves this crate: a stage calls a verb, and what
//! the verb's doc line promises is on disk when it returns. Every change of state names the states that it may
//! start from and is refused as a [`StoreError::Conflict`] otherwise, so a step that is repeated after a crash
//! cannot do its work twice. A verb whose future is dropped has done all of its work or none.
//!
//! Verbs run one after the other on the journal's thread, and those that wait together share a commit. Reports read
//! beside them.
//!
//! The statements are those of SQLite and PostgreSQL alike; what only SQLite has is in `open` and `journal`.

mod counters;
mod dead;
mod error;
mod forget;
mod intake;
mod journal;
mod links;
mod lock;
mod messages;
mod notices;
mod open;
mod outgoing;
mod pairing;
mod quarantine;
mod receipts;
mod recent;
mod row;
mod senders;
mod sending;
mod state;
mod statement;
mod status;
mod trace;
mod turns;
mod webhook;
mod words;

use std::sync::Arc;

use model::{Clock, Timestamp};
use rusqlite::Connection;

use crate::journal::{Access, Journal};

pub use counters::Counter;
pub use dead::{Dead, DeadId, InvalidDeadId};
pub use error::{Row, StoreError};
pub use intake::{Accepted, Listing};
pub use notices::Instead;
pub use open::OpenError;
pub use outgoing::Head;
pub use pairing::{Approval, Pairing, PairingEntry, PairingRequest};
pub use quarantine::Stumbled;
pub use recent::Recent;
pub use row::{StoredMessage, StoredOutgoing, StoredTurn};
pub use state::{MessageState, OutgoingId, OutgoingState, Settled, TurnId, TurnState};
pub use status::{Depths, Event, EventKind};
pub use trace::{Life, Subject, TracedMessage, TracedReply, TracedTurn};

/// The open journal. Clones share it; when the last one is gone, it is closed.
#[derive(Debug, Clone)]
pub struct Store {
    journal: Arc<Journal>,
    clock: Clock,
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
        self.journal.close().await;
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A verb that changes nothing.
    async fn read<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.journal.carry_out(Access::Read, verb).await
    }

    /// A verb that changes rows, and is refused before its first change or not at all.
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.journal.carry_out(Access::Write, verb).await
    }

    /// A verb that changes rows and may be refused halfway: what it did until then is undone.
    async fn guarded<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.journal.carry_out(Access::Guarded, verb).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite's plan for a statement, without parameters: each step in words.
    async fn plan(store: &Store, statement: &'static str) -> Vec<String> {
        let explain = move |connection: &Connection| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}"))?;
            let steps = explain.raw_query().mapped(|row| row.get("detail"));
            Ok(steps.collect::<Result<_, _>>()?)
        };
        store.read(explain).await.unwrap()
    }

    #[tokio::test]
    async fn what_verbs_look_for_they_find_by_an_index_and_sort_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Clock::system()).await.unwrap();
        for (statement, index) in [
            (outgoing::NEXT, "outgoing_waiting"),
            (outgoing::CLAIM, "outgoing_waiting"),
            (messages::RECEIVED, "message_received"),
            (turns::OPEN, "turn_open"),
            (sending::WAITS, "outgoing_waiting"),
            (receipts::UNDECIDED, "outgoing_waiting"),
            (receipts::KEPT, "receipt_chat"),
            (links::LINKED, "number=? AND user_id=?"),
            (links::NEWER, "number=? AND peer=?"),
            (notices::NOTICED, "outgoing_notice"),
            (notices::TOLD, "outgoing_notice"),
            (pairing::PENDING, "chat=?"),
            (pairing::PENDING_AT, "pairing_number"),
            (senders::SENDERS, "session=?"),
            (senders::OLDEST, "session_sender_at"),
            (forget::WORDY[0].blank, "INTEGER PRIMARY KEY"),
            (forget::WORDY[1].blank, "INTEGER PRIMARY KEY"),
            (forget::WORDY[2].blank, "INTEGER PRIMARY KEY"),
        ] {
            let plan = plan(&store, statement).await;
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
            let slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(slow), "{plan:?}");
        }
    }
}
