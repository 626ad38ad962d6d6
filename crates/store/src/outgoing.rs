//! What goes out: a row before it is a request, one at a time per chat.

use model::{ChatKey, MessageId, Outgoing, Timestamp};
use rusqlite::{Connection, Params, params};

use crate::announced;
use crate::error::{Row, StoreError, change};
use crate::row::{StoredOutgoing, all, first};
use crate::state::{OutgoingId, OutgoingState, TurnId};
use crate::tally::{Counter, count};
use crate::{Store, row};

/// The head of a chat's queue. Its condition is word for word that of the index `outgoing_waiting`.
pub(crate) const NEXT: &str =
    "SELECT id, turn_id, part, body, state, attempts, not_before, reason, created_at, updated_at
     FROM outgoing WHERE chat = ?1 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1";

/// The same, marked as it is read.
pub(crate) const CLAIM: &str =
    "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = ?2
     WHERE state = 'queued' AND COALESCE(not_before, ?2) <= ?2 AND id = (
        SELECT id FROM outgoing WHERE chat = ?1 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1)
     RETURNING id, turn_id, part, body, state, attempts, not_before, reason, created_at, updated_at";

/// Whether a row of a chat may have been taken without our knowing.
pub(crate) const UNDECIDED: &str = "SELECT 1 FROM outgoing
     WHERE chat = ?1 AND state IN ('queued', 'sending', 'unknown') AND state <> 'queued' LIMIT 1";

/// The reason on a row that waits for the customer to write.
pub(crate) const WINDOW_CLOSED: &str = "window_closed";

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

/// A message as it will stand in its row.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) chat: String,
    body: String,
}

impl Draft {
    pub(crate) fn of(outgoing: &Outgoing) -> Result<Self, StoreError> {
        Ok(Self {
            chat: outgoing.chat.to_string(),
            body: serde_json::to_string(outgoing)?,
        })
    }

    pub(crate) fn all(parts: &[Outgoing]) -> Result<Vec<Self>, StoreError> {
        parts.iter().map(Self::of).collect()
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
        let (draft, now) = (Draft::of(outgoing)?, self.now());
        self.write(move |tx| insert(tx, (None, 0), &draft, Kind::Direct, now))
            .await
    }

    /// The chats that have something to send, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_outgoing(&self) -> Result<Vec<ChatKey>, StoreError> {
        self.read(|connection| {
            let waiting =
                "SELECT chat FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')
                 GROUP BY chat ORDER BY MIN(id)";
            all(connection, waiting, [], |found| {
                row::chat(Row::Outgoing, &found.get::<_, String>(0)?)
            })
        })
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
        self.read(move |connection| first(connection, NEXT, [chat], StoredOutgoing::read))
            .await
    }

    /// [`Store::next_outgoing`] and [`Store::sending`] in one statement, for a head that may go now.
    ///
    /// Durable afterwards, where it is [`Head::Yours`]: `queued` → `sending`, one more attempt. Repeated: the same row
    /// as [`Head::Waits`], in `sending`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_next(&self, chat: &ChatKey) -> Result<Head, StoreError> {
        let (chat, now) = (chat.to_string(), self.now().as_millis());
        self.write(move |tx| {
            let claimed = first(tx, CLAIM, params![chat, now], StoredOutgoing::read)?;
            if let Some(row) = claimed {
                return Ok(Head::Yours(row));
            }
            let head = first(tx, NEXT, [chat], StoredOutgoing::read)?;
            Ok(head.map_or(Head::Empty, Head::Waits))
        })
        .await
    }

    /// The first of `candidates` that no row was sent as: a message in WhatsApp's list that is not yet accounted
    /// for. Two rows of the same text are told apart by it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn first_unclaimed(
        &self,
        candidates: &[MessageId],
    ) -> Result<Option<MessageId>, StoreError> {
        let candidates = candidates.to_vec();
        self.read(move |connection| {
            for candidate in candidates {
                if !is_claimed(connection, &candidate)? {
                    return Ok(Some(candidate));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Notes that a request is about to go out. To be called before it: a row that is `queued` is surely not on
    /// its way.
    ///
    /// Durable afterwards: `queued` → `sending`, one more attempt. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not in `queued`.
    pub async fn sending(&self, id: OutgoingId) -> Result<(), StoreError> {
        let now = self.now().as_millis();
        self.move_row(
            id,
            OutgoingState::Sending,
            "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = ?2
             WHERE id = ?1 AND state = 'queued'",
            (id.0, now),
        )
        .await
    }

    /// Notes that WhatsApp took the message, as its answer, its list or an event says; whether another row of the chat
    /// waits behind it. What WhatsApp told of the message before it was known counts from here on.
    ///
    /// Durable afterwards: `sending` or `unknown` → `sent`, with WhatsApp's name for it. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn sent(&self, id: OutgoingId, wamid: &MessageId) -> Result<bool, StoreError> {
        let (now, wamid) = (self.now().as_millis(), wamid.clone());
        self.write(move |tx| {
            let was_unknown = "SELECT 1 FROM outgoing WHERE id = ?1 AND state = 'unknown'";
            let found = tx.prepare_cached(was_unknown)?.exists([id.0])?;
            count(tx, Counter::FoundSent, u64::from(found))?;
            change(
                tx,
                (Row::Outgoing, id.0, OutgoingState::Sent.as_str()),
                "UPDATE outgoing SET state = 'sent', wamid = ?3, reason = NULL, updated_at = ?2, sent_at = ?2
                 WHERE id = ?1 AND state IN ('sending', 'unknown')",
                params![id.0, now, wamid.as_str()],
            )?;
            announced::claim(tx, &wamid, now)?;
            let behind = "SELECT 1 FROM outgoing WHERE chat = (SELECT chat FROM outgoing WHERE id = ?1)
                 AND state IN ('queued', 'sending', 'unknown') LIMIT 1";
            Ok(tx.prepare_cached(behind)?.exists([id.0])?)
        })
        .await
    }

    /// Notes that the answer to the request was lost: neither sent nor failed.
    ///
    /// Durable afterwards: `sending` → `unknown` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn unknown(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let (now, reason) = (self.now().as_millis(), reason.to_owned());
        self.write(move |tx| {
            count(tx, Counter::Unknown, 1)?;
            change(
                tx,
                (Row::Outgoing, id.0, OutgoingState::Unknown.as_str()),
                "UPDATE outgoing SET state = 'unknown', reason = ?3, updated_at = ?2
                 WHERE id = ?1 AND state = 'sending'",
                params![id.0, now, reason],
            )
        })
        .await
    }

    /// Puts a message back that surely was not taken, to be tried again from `at` on. It stays the head of its queue.
    ///
    /// Durable afterwards: `sending` or `unknown` → `queued` with the reason and the time. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn retry_at(
        &self,
        id: OutgoingId,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        let now = self.now().as_millis();
        self.move_row(
            id,
            OutgoingState::Queued,
            "UPDATE outgoing SET state = 'queued', not_before = ?4, reason = ?3, updated_at = ?2
             WHERE id = ?1 AND state IN ('sending', 'unknown')",
            (id.0, now, reason.to_owned(), at.as_millis()),
        )
        .await
    }

    /// Puts a message back that may have been taken, because nothing shows that it was: it may arrive twice.
    ///
    /// Durable afterwards: `sending` or `unknown` → `queued` with the reason, and the count of such repeats. Repeated:
    /// a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn repeat(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let (now, reason) = (self.now().as_millis(), reason.to_owned());
        self.write(move |tx| {
            count(tx, Counter::Repeated, 1)?;
            change(
                tx,
                (Row::Outgoing, id.0, OutgoingState::Queued.as_str()),
                "UPDATE outgoing SET state = 'queued', repeats = repeats + 1, reason = ?3, updated_at = ?2
                 WHERE id = ?1 AND state IN ('sending', 'unknown')",
                params![id.0, now, reason],
            )
        })
        .await
    }

    /// Keeps a message, and those behind it, until the customer writes, or else until `until`. The next turn of its
    /// chat sets it free.
    ///
    /// Durable afterwards: `sending` → `queued`, to wait. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn hold(&self, id: OutgoingId, until: Timestamp) -> Result<(), StoreError> {
        self.retry_at(id, until, WINDOW_CLOSED).await
    }

    /// Gives a message up for good; the next one of its chat may go.
    ///
    /// Durable afterwards: `queued`, `sending` or `unknown` → `failed` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row was sent or given up before.
    pub async fn failed(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let now = self.now().as_millis();
        self.move_row(
            id,
            OutgoingState::Failed,
            "UPDATE outgoing SET state = 'failed', reason = ?3, updated_at = ?2
             WHERE id = ?1 AND state IN ('queued', 'sending', 'unknown')",
            (id.0, now, reason.to_owned()),
        )
        .await
    }

    async fn move_row(
        &self,
        id: OutgoingId,
        to: OutgoingState,
        update: &'static str,
        params: impl Params + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(move |tx| change(tx, (Row::Outgoing, id.0, to.as_str()), update, params))
            .await
    }
}

/// Whether a row was sent as `wamid`.
pub(crate) fn is_claimed(connection: &Connection, wamid: &MessageId) -> Result<bool, StoreError> {
    let claimed = "SELECT 1 FROM outgoing WHERE wamid = ?1 LIMIT 1";
    Ok(connection
        .prepare_cached(claimed)?
        .exists([wamid.as_str()])?)
}

/// Sets the replies free that waited for the customer to write.
pub(crate) fn open_window(tx: &Connection, chat: &str) -> Result<(), StoreError> {
    let mut free = tx.prepare_cached(
        "UPDATE outgoing SET not_before = NULL, reason = NULL
         WHERE chat = ?1 AND state IN ('queued', 'sending', 'unknown') AND reason = ?2",
    )?;
    free.execute(params![chat, WINDOW_CLOSED])?;
    Ok(())
}

/// Queues parts of a turn's answer, numbered from `from`.
pub(crate) fn insert_parts(
    tx: &Connection,
    turn: TurnId,
    from: i64,
    parts: &[Draft],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (part, draft) in (from..).zip(parts) {
        insert(tx, (Some(turn), part), draft, Kind::Reply, now)?;
    }
    Ok(())
}

/// Queues one message: a part of a turn's answer, or one that answers none.
pub(crate) fn insert(
    tx: &Connection,
    (turn, part): (Option<TurnId>, i64),
    draft: &Draft,
    kind: Kind,
    now: Timestamp,
) -> Result<OutgoingId, StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO outgoing (chat, turn_id, part, kind, body, state, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?6)",
    )?;
    let turn = turn.map(|turn| turn.0);
    let id = insert.insert(params![
        draft.chat,
        turn,
        part,
        kind.as_str(),
        draft.body,
        now.as_millis()
    ])?;
    Ok(OutgoingId(id))
}
