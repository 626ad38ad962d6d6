//! What goes out: a row before it is a request, one at a time per chat.

use model::{ChatKey, Outgoing, Timestamp};
use rusqlite::{Connection, params};

use crate::error::{Row, StoreError};
use crate::row::StoredOutgoing;
use crate::state::{OutgoingId, TurnId};
use crate::statement::prepared;
use crate::{Store, row};

/// The head of a chat's queue. Its condition is word for word that of the index `outgoing_waiting`.
pub(crate) const NEXT: &str =
    "SELECT id, turn_id, part, body, state, attempts, not_before, reason, created_at, updated_at
     FROM outgoing WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1";

/// The same, marked as it is read.
pub(crate) const CLAIM: &str =
    "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = $1
     WHERE state = 'queued' AND COALESCE(not_before, $1) <= $1 AND id = (
        SELECT id FROM outgoing WHERE chat = $2 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1)
     RETURNING id, turn_id, part, body, state, attempts, not_before, reason, created_at, updated_at";

/// Why a row was written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Part of an answer.
    Reply,
    /// Told to someone who was turned away.
    Notice,
    /// Asked for by hand.
    Direct,
}

/// The head of a chat's queue, as [`Store::claim_next`] leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// It may go now and is marked as `sending`: the caller makes the request.
    Yours(StoredOutgoing),
    /// It may not go yet, or a request for it was under way before.
    Waits(StoredOutgoing),
    /// Nothing waits.
    Empty,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Notice => "notice",
            Self::Direct => "direct",
        }
    }
}

impl Store {
    /// Queues a message that answers no turn.
    ///
    /// Durable afterwards: the message as `queued`, behind all others of its chat. Repeated: a second message.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enqueue(&self, outgoing: &Outgoing) -> Result<OutgoingId, StoreError> {
        let now = self.now();
        let part = Part::new(outgoing)?;
        self.write(move |connection| Ok(part.insert(connection, Kind::Direct, now)?))
            .await
    }

    /// The chats that have something to send, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_outgoing(&self) -> Result<Vec<ChatKey>, StoreError> {
        let statement = "SELECT chat FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')
             GROUP BY chat ORDER BY MIN(id)";
        self.read(move |connection| row::chats(connection, Row::Outgoing, statement))
            .await
    }

    /// The head of the chat's queue: the oldest row that is neither sent nor failed. The rest waits for it, also
    /// while it may not be tried yet. `sending` at a start means that the bridge died with the request under way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_outgoing(
        &self,
        chat: &ChatKey,
    ) -> Result<Option<StoredOutgoing>, StoreError> {
        let chat = chat.to_string();
        self.read(move |connection| next(connection, &chat)).await
    }

    /// [`Store::next_outgoing`] and [`Store::sending`] in one, for a head that may go now.
    ///
    /// Durable afterwards, where it is [`Head::Yours`]: `queued` → `sending`, one more attempt. Repeated: the same row
    /// as [`Head::Waits`], in `sending`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_next(&self, chat: &ChatKey) -> Result<Head, StoreError> {
        let now = self.now();
        let chat = chat.to_string();
        self.guarded(move |connection| {
            let claimed = prepared(connection, CLAIM)?
                .query_and_then(params![now.as_millis(), chat], StoredOutgoing::read)?
                .next();
            Ok(match claimed {
                Some(row) => Head::Yours(row?),
                None => next(connection, &chat)?.map_or(Head::Empty, Head::Waits),
            })
        })
        .await
    }
}

fn next(connection: &Connection, chat: &str) -> Result<Option<StoredOutgoing>, StoreError> {
    let mut head = prepared(connection, NEXT)?;
    head.query_and_then([chat], StoredOutgoing::read)?
        .next()
        .transpose()
}

/// A message as it is written, made before the verb waits for its place.
pub(crate) struct Part {
    chat: String,
    body: String,
}

impl Part {
    pub(crate) fn new(outgoing: &Outgoing) -> Result<Self, StoreError> {
        Ok(Self {
            chat: outgoing.chat.to_string(),
            body: serde_json::to_string(outgoing)?,
        })
    }

    pub(crate) fn all(parts: &[Outgoing]) -> Result<Vec<Self>, StoreError> {
        parts.iter().map(Self::new).collect()
    }

    pub(crate) fn chat(&self) -> &str {
        &self.chat
    }

    /// Queues a message that answers no turn.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        kind: Kind,
        now: Timestamp,
    ) -> rusqlite::Result<OutgoingId> {
        self.insert_row(connection, None, 0, kind, now)
    }

    /// Queues parts of a turn's answer, numbered from `first`.
    pub(crate) fn insert_all(
        connection: &Connection,
        turn: TurnId,
        first: i64,
        parts: &[Self],
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        for (number, part) in (first..).zip(parts) {
            part.insert_row(connection, Some(turn), number, Kind::Reply, now)?;
        }
        Ok(())
    }

    fn insert_row(
        &self,
        connection: &Connection,
        turn: Option<TurnId>,
        number: i64,
        kind: Kind,
        now: Timestamp,
    ) -> rusqlite::Result<OutgoingId> {
        let id = prepared(
            connection,
            "INSERT INTO outgoing (chat, turn_id, part, kind, body, state, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, 'queued', $6, $6) RETURNING id",
        )?
        .query_row(
            params![
                self.chat,
                turn.map(|turn| turn.0),
                number,
                kind.as_str(),
                self.body,
                now.as_millis(),
            ],
            |row| row.get(0),
        )?;
        Ok(OutgoingId(id))
    }
}
