//! Dead letters: what was given up, kept so that a person can look at it, try it again, or drop it.

use std::fmt;
use std::str::FromStr;

use model::{ChatKey, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Row, StoreError, conflict};
use crate::row::{Cells, chat};
use crate::state::OutgoingId;
use crate::statement::{change, prepared};
use crate::{Store, words};

/// The name of a dead letter: `m12` for a message that came in, `o34` for one that should have gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadId {
    /// A message that came in.
    Message(i64),
    /// A message that should have gone out.
    Outgoing(OutgoingId),
}

/// A text that names no dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no dead letter: they are called m12 (a message) or o34 (a reply)")]
pub struct InvalidDeadId(String);

/// Something that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its name, for [`Store::retry_dead`] and [`Store::drop_dead`].
    pub id: DeadId,
    /// The chat that it belongs to.
    pub chat: ChatKey,
    /// WhatsApp's name for it; one that never went out has none.
    pub wamid: Option<MessageId>,
    /// Why it was given up.
    pub reason: String,
    /// When, by the bridge's clock.
    pub at: Timestamp,
    /// How often it was tried: asked, or sent.
    pub attempts: u32,
    /// Its words; none where it has none, or where they were dropped to save space.
    pub text: Option<String>,
}

impl DeadId {
    /// What it is, in reports: `message` or `reply`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Outgoing(_) => "reply",
        }
    }
}

impl fmt::Display for DeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(seq) => write!(f, "m{seq}"),
            Self::Outgoing(id) => write!(f, "o{id}"),
        }
    }
}

impl FromStr for DeadId {
    type Err = InvalidDeadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (kind, number) = text.split_at_checked(1)?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|_| is_number)?;
            match kind {
                "m" => Some(Self::Message(number)),
                "o" => Some(Self::Outgoing(OutgoingId(number))),
                _ => None,
            }
        };
        read().ok_or_else(|| InvalidDeadId(text.to_owned()))
    }
}

impl Store {
    /// The newest `limit` dead letters, the newest first: messages in `failed` or `expired`, and outgoing messages in
    /// `failed`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead(&self, limit: u32) -> Result<Vec<Dead>, StoreError> {
        self.journal
            .report(move |connection| dead(connection, limit))
            .await
    }

    /// Gives a dead letter another life. The returned chat has work then.
    ///
    /// Durable afterwards: a message as `received`, without its turn, its age counting from now; an outgoing message as
    /// `queued`, with all its tries before it. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is no dead letter, or when its words were dropped to save space.
    pub async fn retry_dead(&self, id: DeadId) -> Result<ChatKey, StoreError> {
        let now = self.now();
        self.write(move |connection| match id {
            DeadId::Message(seq) => retry_message(connection, seq, now),
            DeadId::Outgoing(id) => retry_outgoing(connection, id, now),
        })
        .await
    }

    /// Lets a dead letter rest: it is reported no longer.
    ///
    /// Durable afterwards: `failed` or `expired` → `dropped`. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is no dead letter.
    pub async fn drop_dead(&self, id: DeadId) -> Result<(), StoreError> {
        let now = self.now();
        self.write(move |connection| match id {
            DeadId::Message(seq) => change(
                connection,
                (Row::Message, seq, "dropped"),
                "UPDATE message SET state = 'dropped', done_at = $1
                 WHERE seq = $2 AND state IN ('failed', 'expired')",
                params![now.as_millis(), seq],
            ),
            DeadId::Outgoing(id) => change(
                connection,
                (Row::Outgoing, id.0, "dropped"),
                "UPDATE outgoing SET state = 'dropped', updated_at = $1 WHERE id = $2 AND state = 'failed'",
                params![now.as_millis(), id.0],
            ),
        })
        .await
    }
}

fn dead(connection: &Connection, limit: u32) -> Result<Vec<Dead>, StoreError> {
    let mut dead = connection.prepare(
        "SELECT 'message', seq, message.chat, wamid, message.reason, COALESCE(done_at, received_at) AS died_at,
                COALESCE(turn.attempts, 0), message.body
         FROM message LEFT JOIN turn ON turn.id = message.turn_id
         WHERE message.state IN ('failed', 'expired')
         UNION ALL
         SELECT 'reply', id, chat, wamid, reason, updated_at, attempts, body FROM outgoing WHERE state = 'failed'
         ORDER BY 6 DESC, 2 DESC LIMIT $1",
    )?;
    dead.query_and_then([limit], read)?.collect()
}

fn read(row: &rusqlite::Row<'_>) -> Result<Dead, StoreError> {
    let number = row.get(1)?;
    let is_message = row.get::<_, String>(0)? == "message";
    let (kind, id) = if is_message {
        (Row::Message, DeadId::Message(number))
    } else {
        (Row::Outgoing, DeadId::Outgoing(OutgoingId(number)))
    };
    let cells = Cells {
        row,
        kind,
        id: number,
    };
    let body: Option<String> = row.get(7)?;
    Ok(Dead {
        id,
        chat: chat(kind, &row.get::<_, String>(2)?)?,
        wamid: cells.maybe_wamid(3)?,
        reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        at: cells.time(5)?,
        attempts: cells.count(6)?,
        text: match id {
            DeadId::Message(_) => words::inbound(body.as_deref()).text,
            DeadId::Outgoing(_) => words::outgoing(body.as_deref()),
        },
    })
}

fn retry_message(connection: &Connection, seq: i64, now: Timestamp) -> Result<ChatKey, StoreError> {
    let released: Option<String> = prepared(
        connection,
        "UPDATE message SET state = 'received', reason = NULL, turn_id = NULL, stumbles = 0,
             done_at = NULL, released_at = $1
         WHERE seq = $2 AND state IN ('failed', 'expired') AND body IS NOT NULL RETURNING chat",
    )?
    .query_row(params![now.as_millis(), seq], |row| row.get(0))
    .optional()?;
    match released {
        Some(name) => chat(Row::Message, &name),
        None => Err(no_retry(connection, Row::Message, seq)),
    }
}

fn retry_outgoing(
    connection: &Connection,
    id: OutgoingId,
    now: Timestamp,
) -> Result<ChatKey, StoreError> {
    // The old wamid stays until there is a new one: what WhatsApp has under it is accounted for.
    let queued: Option<String> = prepared(
        connection,
        "UPDATE outgoing SET state = 'queued', reason = NULL, attempts = 0, stumbles = 0, not_before = NULL,
             sent_at = NULL, delivery = NULL, delivery_at = NULL, created_at = $1, updated_at = $1
         WHERE id = $2 AND state = 'failed' AND body <> '' RETURNING chat",
    )?
    .query_row(params![now.as_millis(), id.0], |row| row.get(0))
    .optional()?;
    match queued {
        Some(name) => chat(Row::Outgoing, &name),
        None => Err(no_retry(connection, Row::Outgoing, id.0)),
    }
}

/// Why a row cannot be tried again: it is in another state, or its words are gone.
fn no_retry(connection: &Connection, row: Row, id: i64) -> StoreError {
    let mut error = conflict(connection, row, id, "tried again");
    if let StoreError::Conflict {
        found: Some(found), ..
    } = &mut error
        && matches!(found.as_str(), "failed" | "expired")
    {
        "without its words, which were dropped to save space".clone_into(found);
    }
    error
}
