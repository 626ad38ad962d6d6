//! The steps of a send: each is a row before the next one is taken.

use model::{MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::counters::{Counter, add};
use crate::error::{Row, StoreError, conflict};
use crate::state::{OutgoingId, OutgoingState};
use crate::statement::{change, execute, prepared};
use crate::{Store, receipts};

/// Whether something of a chat waits to be sent. Its condition is word for word that of the index `outgoing_waiting`.
pub(crate) const WAITS: &str =
    "SELECT 1 FROM outgoing WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') LIMIT 1";

impl Store {
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
            let statement = "SELECT 1 FROM outgoing WHERE wamid = $1 LIMIT 1";
            let mut claimed = prepared(connection, statement)?;
            for candidate in candidates {
                if !claimed.exists([candidate.as_str()])? {
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
        let now = self.now();
        self.write(move |connection| {
            change(
                connection,
                step(id, OutgoingState::Sending),
                "UPDATE outgoing SET state = 'sending', attempts = attempts + 1, not_before = NULL, updated_at = $1
                 WHERE id = $2 AND state = 'queued'",
                params![now.as_millis(), id.0],
            )
        })
        .await
    }

    /// Notes that WhatsApp took the message, as its answer, its list or its webhook says. Returns whether another
    /// message of the chat waits behind it.
    ///
    /// Durable afterwards: `sending` or `unknown` → `sent`, with WhatsApp's name for it, and with what WhatsApp told of
    /// it before: that may be that it failed. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn sent(&self, id: OutgoingId, wamid: &MessageId) -> Result<bool, StoreError> {
        let now = self.now();
        let wamid = wamid.clone();
        self.write(move |connection| sent(connection, id, &wamid, now))
            .await
    }

    /// Notes that the answer to the request was lost: neither sent nor failed.
    ///
    /// Durable afterwards: `sending` → `unknown` with the reason, counted. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn unknown(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| {
            change(
                connection,
                step(id, OutgoingState::Unknown),
                "UPDATE outgoing SET state = 'unknown', reason = $1, updated_at = $2
                 WHERE id = $3 AND state = 'sending'",
                params![reason, now.as_millis(), id.0],
            )?;
            Ok(add(connection, Counter::Unknown, 1)?)
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
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| {
            change(
                connection,
                step(id, OutgoingState::Queued),
                "UPDATE outgoing SET state = 'queued', not_before = $1, reason = $2, updated_at = $3
                 WHERE id = $4 AND state IN ('sending', 'unknown')",
                params![at.as_millis(), reason, now.as_millis(), id.0],
            )
        })
        .await
    }

    /// Puts a message back although it may have been taken: nothing shows that it was. It stays the head of its queue.
    ///
    /// Durable afterwards: `sending` or `unknown` → `queued` with the reason, one more repeat, counted. Repeated: a
    /// conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn repeat(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| {
            change(
                connection,
                step(id, OutgoingState::Queued),
                "UPDATE outgoing SET state = 'queued', not_before = NULL, reason = $1, updated_at = $2,
                 repeats = repeats + 1 WHERE id = $3 AND state IN ('sending', 'unknown')",
                params![reason, now.as_millis(), id.0],
            )?;
            Ok(add(connection, Counter::Repeated, 1)?)
        })
        .await
    }

    /// Keeps a message, and those behind it, until the customer writes, or else until `until`: the next turn of its chat
    /// sets it free.
    ///
    /// Durable afterwards: `sending` or `unknown` → `queued`, to wait. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when no request for the row was under way.
    pub async fn hold(&self, id: OutgoingId, until: Timestamp) -> Result<(), StoreError> {
        self.retry_at(id, until, WINDOW_CLOSED).await
    }

    /// Notes why a message that waits cannot go now.
    ///
    /// Durable afterwards: the reason, on a row in `queued`; not on one that waits for the customer to write, which is
    /// found by its own. Repeated: no change.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn waits_because(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.write(move |connection| {
            execute(
                connection,
                "UPDATE outgoing SET reason = $1
                 WHERE id = $2 AND state = 'queued' AND COALESCE(reason, '') <> $3",
                params![reason, id.0, WINDOW_CLOSED],
            )?;
            Ok(())
        })
        .await
    }

    /// Gives a message up for good; the next one of its chat may go.
    ///
    /// Durable afterwards: `queued`, `sending` or `unknown` → `failed` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row was sent or given up before.
    pub async fn failed(&self, id: OutgoingId, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        let reason = reason.to_owned();
        self.write(move |connection| {
            change(
                connection,
                step(id, OutgoingState::Failed),
                "UPDATE outgoing SET state = 'failed', reason = $1, updated_at = $2
                 WHERE id = $3 AND state IN ('queued', 'sending', 'unknown')",
                params![reason, now.as_millis(), id.0],
            )
        })
        .await
    }
}

/// Sets the messages of a chat free that waited for the customer to write.
pub(crate) fn open_window(connection: &Connection, chat: &str) -> rusqlite::Result<()> {
    execute(
        connection,
        "UPDATE outgoing SET not_before = NULL, reason = NULL
         WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') AND reason = $2",
        params![chat, WINDOW_CLOSED],
    )
    .map(drop)
}

/// The reason on a message that waits for the customer to write.
const WINDOW_CLOSED: &str = "window_closed";

/// How a refusal names what was to be done.
fn step(id: OutgoingId, to: OutgoingState) -> (Row, i64, &'static str) {
    (Row::Outgoing, id.0, to.as_str())
}

fn sent(
    connection: &Connection,
    id: OutgoingId,
    wamid: &MessageId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let under_way =
        "SELECT chat, state FROM outgoing WHERE id = $1 AND state IN ('sending', 'unknown')";
    let found: Option<(String, String)> = prepared(connection, under_way)?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((chat, state)) = found else {
        return Err(conflict(connection, Row::Outgoing, id.0, "sent"));
    };
    execute(
        connection,
        "UPDATE outgoing SET state = 'sent', wamid = $1, reason = NULL, updated_at = $2, sent_at = $2 WHERE id = $3",
        params![wamid.as_str(), now.as_millis(), id.0],
    )?;
    if state == OutgoingState::Unknown.as_str() {
        add(connection, Counter::FoundSent, 1)?;
    }
    receipts::apply_kept(connection, id, &chat, wamid, now)?;
    Ok(prepared(connection, WAITS)?.exists([chat])?)
}
