//! What goes out: a row before it is a request, one at a time per chat.

use model::{ChatKey, MessageId, Outgoing, Timestamp};
use sqlx::{Sqlite, Transaction};

use crate::error::{Row, StoreError};
use crate::row::StoredOutgoing;
use crate::state::{OutgoingId, OutgoingState, TurnId};
use crate::{Store, row};

/// The head of a chat's queue. Its condition is word for word that of the index `outgoing_waiting`.
pub(crate) const NEXT: &str =
    "SELECT id, turn_id, part, body, state, attempts, not_before, reason, created_at, updated_at
     FROM outgoing WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1";

/// The same, marked as it is read.
pub(crate) const CLAIM: &str =
    "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = $2
     WHERE state = 'queued' AND COALESCE(not_before, $2) <= $2 AND id = (
        SELECT id FROM outgoing WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') ORDER BY id LIMIT 1)
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
        let mut tx = self.begin().await?;
        let id = insert(&mut tx, outgoing, Kind::Direct, self.now()).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The chats that have something to send, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_outgoing(&self) -> Result<Vec<ChatKey>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT chat FROM outgoing WHERE state IN ('queued', 'sending', 'unknown')
             GROUP BY chat ORDER BY MIN(id)",
        )
        .fetch_all(&self.pool)
        .await?;
        names
            .iter()
            .map(|name| row::chat(Row::Outgoing, name))
            .collect()
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
        let row = sqlx::query(NEXT)
            .bind(chat.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(StoredOutgoing::read).transpose()
    }

    /// [`Store::next_outgoing`] and [`Store::sending`] in one statement, for a head that may go now.
    ///
    /// Durable afterwards, where it is [`Head::Yours`]: `queued` → `sending`, one more attempt. Repeated: the same row
    /// as [`Head::Waits`], in `sending`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_next(&self, chat: &ChatKey) -> Result<Head, StoreError> {
        let claimed = sqlx::query(CLAIM)
            .bind(chat.to_string())
            .bind(self.now().as_millis())
            .fetch_optional(&self.pool)
            .await?;
        if let Some(row) = claimed {
            return Ok(Head::Yours(StoredOutgoing::read(&row)?));
        }
        Ok(self
            .next_outgoing(chat)
            .await?
            .map_or(Head::Empty, Head::Waits))
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
        for candidate in candidates {
            let claimed: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM outgoing WHERE wamid = $1 LIMIT 1")
                    .bind(candidate.as_str())
                    .fetch_optional(&self.pool)
                    .await?;
            if claimed.is_none() {
                return Ok(Some(candidate.clone()));
            }
        }
        Ok(None)
    }

    /// Notes that a request is about to go out. To be called before it: a row that is `queued` is surely not on
    /// its way.
    ///
    /// Durable afterwards: `queued` → `sending`, one more attempt. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not in `queued`.
    pub async fn sending(&self, id: OutgoingId) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = $2
             WHERE id = $1 AND state = 'queued'",
        );
        self.change(
            Row::Outgoing,
            id.0,
            OutgoingState::Sending.as_str(),
            update.bind(id.0).bind(self.now().as_millis()),
        )
        .await
    }

    /// Notes that WhatsApp took the message, as its answer or its list says.
    ///
    /// Durable afterwards: `sending` or `unknown` → `sent`, with WhatsApp's name for it. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn sent(&self, id: OutgoingId, wamid: &MessageId) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE outgoing SET state = 'sent', wamid = $3, reason = NULL, updated_at = $2
             WHERE id = $1 AND state IN ('sending', 'unknown')",
        );
        self.change(
            Row::Outgoing,
            id.0,
            OutgoingState::Sent.as_str(),
            update
                .bind(id.0)
                .bind(self.now().as_millis())
                .bind(wamid.as_str()),
        )
        .await
    }

    /// Notes that the answer to the request was lost: neither sent nor failed.
    ///
    /// Durable afterwards: `sending` → `unknown` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn unknown(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE outgoing SET state = 'unknown', reason = $3, updated_at = $2
             WHERE id = $1 AND state = 'sending'",
        );
        self.change(
            Row::Outgoing,
            id.0,
            OutgoingState::Unknown.as_str(),
            update.bind(id.0).bind(self.now().as_millis()).bind(reason),
        )
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
        let update = sqlx::query(
            "UPDATE outgoing SET state = 'queued', not_before = $4, reason = $3, updated_at = $2
             WHERE id = $1 AND state IN ('sending', 'unknown')",
        );
        let update = update
            .bind(id.0)
            .bind(self.now().as_millis())
            .bind(reason)
            .bind(at.as_millis());
        self.change(Row::Outgoing, id.0, OutgoingState::Queued.as_str(), update)
            .await
    }

    /// Gives a message up for good; the next one of its chat may go.
    ///
    /// Durable afterwards: `queued`, `sending` or `unknown` → `failed` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row was sent or given up before.
    pub async fn failed(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE outgoing SET state = 'failed', reason = $3, updated_at = $2
             WHERE id = $1 AND state IN ('queued', 'sending', 'unknown')",
        );
        self.change(
            Row::Outgoing,
            id.0,
            OutgoingState::Failed.as_str(),
            update.bind(id.0).bind(self.now().as_millis()).bind(reason),
        )
        .await
    }
}

/// Queues a message that answers no turn.
pub(crate) async fn insert(
    tx: &mut Transaction<'static, Sqlite>,
    outgoing: &Outgoing,
    kind: Kind,
    now: Timestamp,
) -> Result<OutgoingId, StoreError> {
    insert_row(tx, None, 0, outgoing, kind, now).await
}

/// Queues parts of a turn's answer, numbered from `first`.
pub(crate) async fn insert_parts(
    tx: &mut Transaction<'static, Sqlite>,
    turn: TurnId,
    first: i64,
    parts: &[Outgoing],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (part, outgoing) in (first..).zip(parts) {
        insert_row(tx, Some(turn), part, outgoing, Kind::Reply, now).await?;
    }
    Ok(())
}

async fn insert_row(
    tx: &mut Transaction<'static, Sqlite>,
    turn: Option<TurnId>,
    part: i64,
    outgoing: &Outgoing,
    kind: Kind,
    now: Timestamp,
) -> Result<OutgoingId, StoreError> {
    let id = sqlx::query_scalar(
        "INSERT INTO outgoing (chat, turn_id, part, kind, body, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'queued', $6, $6) RETURNING id",
    )
    .bind(outgoing.chat.to_string())
    .bind(turn.map(|turn| turn.0))
    .bind(part)
    .bind(kind.as_str())
    .bind(serde_json::to_string(outgoing)?)
    .bind(now.as_millis())
    .fetch_one(&mut **tx)
    .await?;
    Ok(OutgoingId(id))
}
