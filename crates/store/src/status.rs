//! The journal in figures, for `status`, health and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;

use crate::Store;
use crate::error::StoreError;
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
            Self::TurnFailed => "turn_failed",
            Self::SendFailed => "send_failed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [
            Self::Ignored,
            Self::Refused,
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
    /// Rows by state and the ages of what waits. Read from indexes alone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn depths(&self) -> Result<Depths, StoreError> {
        let pool = &self.pool;
        let oldest = "SELECT MIN(received_at) FROM message WHERE state = 'received'";
        let oldest_turn = "SELECT MIN(created_at) FROM turn WHERE state IN ('queued', 'asked')";
        let oldest_outgoing =
            "SELECT MIN(created_at) FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')";
        Ok(Depths {
            messages: counts(
                pool,
                "SELECT state, COUNT(*) FROM message GROUP BY state",
                MessageState::parse,
            )
            .await?,
            turns: counts(
                pool,
                "SELECT state, COUNT(*) FROM turn GROUP BY state",
                TurnState::parse,
            )
            .await?,
            outgoing: counts(
                pool,
                "SELECT state, COUNT(*) FROM outgoing GROUP BY state",
                OutgoingState::parse,
            )
            .await?,
            oldest_received: self.age(oldest).await?,
            oldest_turn: self.age(oldest_turn).await?,
            oldest_outgoing: self.age(oldest_outgoing).await?,
        })
    }

    /// What was ignored, refused or failed, by reason, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
            "SELECT CASE state WHEN 'failed' THEN 'message_failed' ELSE state END, reason, COUNT(*) AS rows
             FROM message WHERE state IN ('ignored', 'refused', 'failed') GROUP BY state, reason
             UNION ALL
             SELECT 'turn_failed', reason, COUNT(*) FROM turn WHERE state = 'failed' GROUP BY reason
             UNION ALL
             SELECT 'send_failed', reason, COUNT(*) FROM outgoing WHERE state = 'failed' GROUP BY reason
             ORDER BY 3 DESC, 1, 2 LIMIT $1",
        )
        .bind(MOST_EVENTS)
        .fetch_all(&self.pool)
        .await?;
        let event = |(kind, reason, count): (String, Option<String>, i64)| {
            Some(Event {
                kind: EventKind::parse(&kind)?,
                reason: reason.unwrap_or_default(),
                count: u64::try_from(count).unwrap_or_default(),
            })
        };
        Ok(rows.into_iter().filter_map(event).collect())
    }

    async fn age(&self, oldest: &'static str) -> Result<Option<Duration>, StoreError> {
        let oldest: Option<i64> = sqlx::query_scalar(oldest).fetch_one(&self.pool).await?;
        Ok(oldest.map(|millis| self.now().since(model::Timestamp::from_millis(millis))))
    }
}

async fn counts<S: Ord>(
    pool: &SqlitePool,
    query: &'static str,
    parse: fn(&str) -> Option<S>,
) -> Result<BTreeMap<S, u64>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(query).fetch_all(pool).await?;
    let count = |(state, count): (String, i64)| Some((parse(&state)?, u64::try_from(count).ok()?));
    Ok(rows.into_iter().filter_map(count).collect())
}
