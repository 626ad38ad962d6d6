//! Why a verb did not do its work.

use std::fmt;
use std::sync::Arc;

use model::ChatKey;
use rusqlite::{Connection, OptionalExtension};

use crate::statement::prepared;

/// The kinds of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Something that came in.
    Message,
    /// A question to the agent.
    Turn,
    /// Something that goes out.
    Outgoing,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "message",
            Self::Turn => "turn",
            Self::Outgoing => "outgoing message",
        })
    }
}

/// Why a verb did not do its work. Nothing of it was written then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row is not in a state from which the verb may start: the step was done before, or never begun.
    #[error("{row} {id} cannot be {verb}: it is {}", .found.as_deref().unwrap_or("not in the journal"))]
    Conflict {
        /// The kind of row.
        row: Row,
        /// Its number.
        id: i64,
        /// What should have been done to it.
        verb: &'static str,
        /// The state in which it is; none when there is no such row, or not in that chat.
        found: Option<String>,
    },
    /// The chat has an unfinished turn, and there is never a second one.
    #[error("chat {chat} already has an unfinished turn")]
    TurnOpen {
        /// The chat.
        chat: Box<ChatKey>,
    },
    /// A row holds what this program never writes.
    #[error("{row} {id} cannot be read back: {detail}")]
    Corrupt {
        /// The kind of row.
        row: Row,
        /// Its number.
        id: i64,
        /// Which part of it, and what is wrong; never its text.
        detail: String,
    },
    /// A value could not be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// The database failed: the disk is full or broken.
    #[error("state.db: {0}")]
    Database(#[source] Arc<rusqlite::Error>),
    /// The journal was closed, or is being closed.
    #[error("state.db: the journal is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl StoreError {
    /// The failure of the database behind it.
    pub(crate) fn failure(&self) -> Option<Arc<rusqlite::Error>> {
        match self {
            Self::Database(error) => Some(Arc::clone(error)),
            Self::Conflict { .. }
            | Self::TurnOpen { .. }
            | Self::Corrupt { .. }
            | Self::Encode(_)
            | Self::Closed => None,
        }
    }
}

/// The conflict of a statement that matched no row, with the state in which the row really is.
pub(crate) fn conflict(
    connection: &Connection,
    row: Row,
    id: i64,
    verb: &'static str,
) -> StoreError {
    let state = match row {
        Row::Message => "SELECT state FROM message WHERE seq = $1",
        Row::Turn => "SELECT state FROM turn WHERE id = $1",
        Row::Outgoing => "SELECT state FROM outgoing WHERE id = $1",
    };
    let found = || {
        prepared(connection, state)?
            .query_row([id], |row| row.get(0))
            .optional()
    };
    match found() {
        Ok(found) => StoreError::Conflict {
            row,
            id,
            verb,
            found,
        },
        Err(error) => error.into(),
    }
}
