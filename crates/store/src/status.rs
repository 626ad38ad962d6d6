//! The journal in figures, for `status`, health and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use rusqlite::Connection;

use crate::Store;
use crate::error::StoreError;
use crate::state::{MessageState, OutgoingState, TurnState};

/// How many different reasons [`Store::events`] reports, the most frequent first; the rest is left out.
const MOST_EVENTS: i64 = 50;

/// Since when the message waits that waits longest. The first rows in their order tell: a long queue is not read whole.
const OLDEST_RECEIVED: &str = "SELECT MIN(COALESCE(released_at, received_at)) FROM (
        SELECT released_at, received_at FROM message WHERE state = 'received' AND reason IS NULL
        ORDER BY seq LIMIT 100) AS first";

/// How much is in the journal, how long the oldest of it has waited, and what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depths {
    /// Rows by state; a state without rows is missing.
    pub messages: BTreeMap<MessageState, u64>,
    /// Rows by state; a state without rows is missing.
    pub turns: BTreeMap<TurnState, u64>,
    /// Rows by state; a state without rows is missing.
    pub outgoing: BTreeMap<OutgoingState, u64>,
    /// Age of the oldest message in `received`; where the operator gave it another life, since then.
    pub oldest_received: Option<Duration>,
    /// Age of the oldest unfinished turn.
    pub oldest_turn: Option<Duration>,
    /// Age of the oldest outgoing message that is neither sent nor failed.
    pub oldest_outgoing: Option<Duration>,
    /// Bytes that the journal and its log take on the disk.
    pub bytes: u64,
}

/// What happened to rows that did not go the whole way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// Items that were nothing for the agent.
    Ignored,
    /// Messages that the guard turned away.
    Refused,
    /// Messages that were too old to be answered.
    Expired,
    /// Messages whose turn failed, or that could not become one.
    MessageFailed,
    /// Turns without an answer.
    TurnFailed,
    /// Outgoing messages that were given up.
    SendFailed,
}

impl EventKind {
    /// The name, as in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::MessageFailed => "message_failed",
            Self::TurnFailed => "turn_failed",
            Self::SendFailed => "send_failed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [
            Self::Ignored,
            Self::Refused,
            Self::Expired,
            Self::MessageFailed,
            Self::TurnFailed,
            Self::SendFailed,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// How often one thing happened for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Why; as the verb was told.
    pub reason: String,
    /// To how many rows.
    pub count: u64,
}

impl Store {
    /// Rows by state and the ages of what waits. Read from indexes alone, beside the verbs.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn depths(&self) -> Result<Depths, StoreError> {
        let now = self.now();
        let files = self.journal.files();
        self.journal
            .report(move |connection| {
                let bytes = files
                    .iter()
                    .map(|file| file.metadata().map_or(0, |about| about.len()));
                depths(connection, now, bytes.sum())
            })
            .await
    }

    /// What was ignored, refused or failed, by reason, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self) -> Result<Vec<Event>, StoreError> {
        self.journal.report(events).await
    }
}

fn depths(connection: &Connection, now: Timestamp, bytes: u64) -> Result<Depths, StoreError> {
    let age = |oldest| -> rusqlite::Result<Option<Duration>> {
        let oldest: Option<i64> = connection.query_row(oldest, (), |row| row.get(0))?;
        Ok(oldest.map(|millis| now.since(Timestamp::from_millis(millis))))
    };
    let messages = "SELECT state, COUNT(*) FROM message GROUP BY state";
    let turns = "SELECT state, COUNT(*) FROM turn GROUP BY state";
    let outgoing = "SELECT state, COUNT(*) FROM outgoing GROUP BY state";
    Ok(Depths {
        messages: counts(connection, messages, MessageState::parse)?,
        turns: counts(connection, turns, TurnState::parse)?,
        outgoing: counts(connection, outgoing, OutgoingState::parse)?,
        oldest_received: age(OLDEST_RECEIVED)?,
        oldest_turn: age("SELECT MIN(created_at) FROM turn WHERE state IN ('queued', 'asked')")?,
        oldest_outgoing: age(
            "SELECT MIN(created_at) FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')",
        )?,
        bytes,
    })
}

fn counts<S: Ord>(
    connection: &Connection,
    query: &str,
    parse: fn(&str) -> Option<S>,
) -> Result<BTreeMap<S, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        if let Some(state) = parse(&row.get::<_, String>(0)?) {
            counts.insert(state, row.get(1)?);
        }
    }
    Ok(counts)
}

fn events(connection: &Connection) -> Result<Vec<Event>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT CASE state WHEN 'failed' THEN 'message_failed' ELSE state END, reason, COUNT(*) AS rows
         FROM message WHERE state IN ('ignored', 'refused', 'expired', 'failed') GROUP BY state, reason
         UNION ALL
         SELECT 'turn_failed', reason, COUNT(*) FROM turn WHERE state = 'failed' GROUP BY reason
         UNION ALL
         SELECT 'send_failed', reason, COUNT(*) FROM outgoing WHERE state = 'failed' GROUP BY reason
         ORDER BY 3 DESC, 1, 2 LIMIT $1",
    )?;
    let mut events = Vec::new();
    let mut rows = statement.query([MOST_EVENTS])?;
    while let Some(row) = rows.next()? {
        if let Some(kind) = EventKind::parse(&row.get::<_, String>(0)?) {
            events.push(Event {
                kind,
                reason: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                count: row.get(2)?,
            });
        }
    }
    Ok(events)
}
