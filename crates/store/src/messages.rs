//! What came in and waits: read in order, and led out of `received` by exactly one verb.

use model::{ChatKey, Outgoing, Timestamp};
use rusqlite::{Connection, params};

use crate::counters::{Counter, add};
use crate::error::{Row, StoreError};
use crate::notices::was_noticed;
use crate::outgoing::{Kind, Part};
use crate::row::StoredMessage;
use crate::state::MessageState;
use crate::statement::{change, prepared};
use crate::{Store, row};

/// The messages of a chat that wait, in order.
pub(crate) const RECEIVED: &str = "SELECT seq, body, received_at, released_at FROM message
     WHERE chat = $1 AND state = 'received' ORDER BY sent_at, seq LIMIT $2";

impl Store {
    /// The chats that have a message in `received` or an unfinished turn, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_work(&self) -> Result<Vec<ChatKey>, StoreError> {
        let statement = "SELECT chat FROM (
                SELECT chat, received_at AS since FROM message WHERE state = 'received'
                UNION ALL
                SELECT chat, created_at AS since FROM turn WHERE state IN ('queued', 'asked')
             ) AS waiting GROUP BY chat ORDER BY MIN(since), chat";
        self.read(move |connection| row::chats(connection, Row::Message, statement))
            .await
    }

    /// The messages of `chat` that wait for a turn: at most `limit`, in the order in which they were sent, and in
    /// the order of arrival where WhatsApp's seconds do not tell.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn received(
        &self,
        chat: &ChatKey,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let chat = chat.to_string();
        self.read(move |connection| {
            let mut received = prepared(connection, RECEIVED)?;
            received
                .query_and_then(params![chat, limit], StoredMessage::read)?
                .collect()
        })
        .await
    }

    /// Notes about a message that goes on what is missing of it, such as a file that could not be fetched. It stays its
    /// reason, unless its turn fails.
    ///
    /// Durable afterwards: the reason. Repeated: the newest counts.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn remark(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.write(move |connection| {
            change(
                connection,
                (Row::Message, message, "remarked on"),
                "UPDATE message SET reason = $1 WHERE seq = $2 AND state = 'received'",
                params![reason, message],
            )
        })
        .await
    }

    /// Turns a message away. Returns whether `notice` was queued: it is not when the chat was given one within the
    /// last 24 hours, so a stranger cannot make the bridge write without end.
    ///
    /// Durable afterwards: `received` → `refused` with the reason, and the notice if any. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn refuse(
        &self,
        message: i64,
        reason: &str,
        notice: Option<&Outgoing>,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        let notice = notice.map(Part::new).transpose()?;
        self.write(move |connection| {
            leave_received(connection, message, MessageState::Refused, &reason, now)?;
            match notice {
                Some(notice) if !was_noticed(connection, notice.chat(), now)? => {
                    notice.insert(connection, Kind::Notice, now)?;
                    Ok(true)
                }
                Some(_) | None => Ok(false),
            }
        })
        .await
    }

    /// Sets a message aside that is nothing for the agent, such as a reaction.
    ///
    /// Durable afterwards: `received` → `ignored` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn ignore(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        self.leave(message, MessageState::Ignored, reason).await
    }

    /// Sets a message aside that cannot become a turn.
    ///
    /// Durable afterwards: `received` → `failed` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn fail(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        self.leave(message, MessageState::Failed, reason).await
    }

    /// Leaves a message unanswered that is too old for it.
    ///
    /// Durable afterwards: `received` → `expired` with the reason, counted. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn expire(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| {
            leave_received(connection, message, MessageState::Expired, &reason, now)?;
            Ok(add(connection, Counter::Expired, 1)?)
        })
        .await
    }

    async fn leave(&self, message: i64, to: MessageState, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| leave_received(connection, message, to, &reason, now))
            .await
    }
}

/// Leads a message out of `received`, or refuses the verb before it changed anything.
pub(crate) fn leave_received(
    connection: &Connection,
    message: i64,
    to: MessageState,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    change(
        connection,
        (Row::Message, message, to.as_str()),
        "UPDATE message SET state = $1, reason = $2, done_at = $3 WHERE seq = $4 AND state = 'received'",
        params![to.as_str(), reason, now.as_millis(), message],
    )
}
