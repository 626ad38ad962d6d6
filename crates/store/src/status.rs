//! The journal in figures, for `status`, health and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use rusqlite::Connection;

use crate::Store;
use crate::error::StoreError;
use crate::row::all;
use crate::state::{MessageState, OutgoingState, TurnState};

/// How many different reasons [`Store::events`] reports, the most frequent first; the rest is left out.
const MOST_EVENTS: i64 = 50;

/// How much is in the journal, and how long the oldest of it has waited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depths {
    /// Rows by state; a state without rows is missing.
    pub messages: BTreeMap<MessageState, u64>,
    /// Rows by state; a state without rows is missing.
    pub turns: BTreeMap<TurnState, u64>,
    /// Rows by state; a state without rows is missing.
    pub outgoing: BTreeMap<OutgoingState, u64>,
    /// Age of the oldest message in `received`.
    pub oldest_received: Option<Duration>,
    /// Age of the oldest unfinished turn.
    pub oldest_turn: Option<Duration>,
    /// Age of the oldest outgoing message that is neither sent nor failed.
    pub oldest_outgoing: Option<Duration>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What happened to rows that did not go the whole way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// Items that were nothing for the agent.
    Ignored,
    /// Messages that the guard turned away.
    Refused,
    /// Messages whose turn failed, or that could not become one.
    MessageFailed,
    /// Messages that were too old to be answered.
    Expired,
    /// Messages that the operator gave up.
    Dropped,
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
            Self::MessageFailed => "message_failed",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::TurnFailed => "turn_failed",
            Self::SendFailed => "send_failed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [
            Self::Ignored,
            Self::Refused,
            Self::MessageFailed,
            Self::Expired,
            Self::Dropped,
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
    /// Rows by state and the ages of what waits. Read from indexes alone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn depths(&self) -> Result<Depths, StoreError> {
        let now = self.now();
        self.report(move |connection| {
            let age = |oldest: &str| -> Result<Option<Duration>, StoreError> {
                let oldest: Option<i64> = connection.query_row(oldest, [], |row| row.get(0))?;
                Ok(oldest.map(|millis| now.since(Timestamp::from_millis(millis))))
            };
            let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let bytes = pragma("page_count")? * pragma("page_size")?;
            Ok(Depths {
                messages: counts(
                    connection,
                    "SELECT state, COUNT(*) FROM message GROUP BY state",
                    MessageState::parse,
                )?,
                turns: counts(
                    connection,
                    "SELECT state, COUNT(*) FROM turn GROUP BY state",
                    TurnState::parse,
                )?,
                outgoing: counts(
                    connection,
                    "SELECT state, COUNT(*) FROM outgoing GROUP BY state",
                    OutgoingState::parse,
                )?,
                oldest_received: age("SELECT MIN(received_at) FROM message WHERE state = 'received'")?,
                oldest_turn: age("SELECT MIN(created_at) FROM turn WHERE state IN ('queued', 'asked')")?,
                oldest_outgoing: age(
                    "SELECT MIN(created_at) FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')",
                )?,
                bytes: u64::try_from(bytes).unwrap_or_default(),
            })
        })
        .await
    }

    /// What was ignored, refused or failed, by reason, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self) -> Result<Vec<Event>, StoreError> {
        self.report(|connection| {
            let set_aside =
                "SELECT CASE state WHEN 'failed' THEN 'message_failed' ELSE state END, reason, COUNT(*) AS rows
                 FROM message WHERE state IN ('ignored', 'refused', 'failed', 'expired', 'dropped')
                 GROUP BY state, reason
                 UNION ALL
                 SELECT 'turn_failed', reason, COUNT(*) FROM turn WHERE state = 'failed' GROUP BY reason
                 UNION ALL
                 SELECT 'send_failed', reason, COUNT(*) FROM outgoing WHERE state = 'failed' GROUP BY reason
                 ORDER BY 3 DESC, 1, 2 LIMIT ?1";
            let found = all(connection, set_aside, [MOST_EVENTS], |row| {
                let (kind, reason, count): (String, Option<String>, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(EventKind::parse(&kind).map(|kind| Event {
                    kind,
                    reason: reason.unwrap_or_default(),
                    count: u64::try_from(count).unwrap_or_default(),
                }))
            })?;
            Ok(found.into_iter().flatten().collect())
        })
        .await
    }
}

fn counts<S: Ord>(
    connection: &Connection,
    query: &str,
    parse: fn(&str) -> Option<S>,
) -> Result<BTreeMap<S, u64>, StoreError> {
    let rows = all(connection, query, [], |row| {
        let (state, count): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((state, count))
    })?;
    let count = |(state, count): (String, i64)| Some((parse(&state)?, u64::try_from(count).ok()?));
    Ok(rows.into_iter().filter_map(count).collect())
}
