//! Work that breaks the bridge itself is tried once more, and then set aside so that the rest goes on.

use model::{ChatKey, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::Store;
use crate::counters::{Counter, add};
use crate::dead::DeadId;
use crate::error::StoreError;
use crate::state::OutgoingId;
use crate::statement::{execute, prepared};

/// So often the bridge may break at the same row before the row is set aside.
const MOST_STUMBLES: i64 = 2;

/// What became of the work at which the bridge broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stumbled {
    /// It may be tried once more.
    Again,
    /// It is a dead letter now.
    SetAside {
        /// Under these names.
        what: Vec<DeadId>,
    },
    /// Nothing waits, so nothing can be at fault.
    Nothing,
}

impl Store {
    /// Notes that the bridge itself broke while it worked for `chat`: at its unfinished turn, else at the message that
    /// was next.
    ///
    /// Durable afterwards: one stumble more for the turn and its messages, or for the message. At the second one they
    /// go to `failed` with the reason. Repeated: another stumble.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stumbled(&self, chat: &ChatKey, reason: &str) -> Result<Stumbled, StoreError> {
        let now = self.now();
        let (chat, reason) = (chat.to_string(), reason.to_owned());
        self.write(
            move |connection| match stumbled_in_turn(connection, &chat, &reason, now)? {
                Stumbled::Nothing => stumbled_at_message(connection, &chat, &reason, now),
                stumbled @ (Stumbled::Again | Stumbled::SetAside { .. }) => Ok(stumbled),
            },
        )
        .await
    }

    /// Notes that the bridge itself broke while it sent for `chat`: at the head of its queue.
    ///
    /// Durable afterwards: one stumble more for the head. At the second one it goes to `failed` with the reason, and
    /// the next of its chat may go. Repeated: another stumble.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stumbled_sending(
        &self,
        chat: &ChatKey,
        reason: &str,
    ) -> Result<Stumbled, StoreError> {
        let now = self.now();
        let (chat, reason) = (chat.to_string(), reason.to_owned());
        self.write(move |connection| stumbled_at_head(connection, &chat, &reason, now))
            .await
    }
}

fn stumbled_in_turn(
    connection: &Connection,
    chat: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Stumbled, StoreError> {
    let count = "UPDATE turn SET stumbles = stumbles + 1
         WHERE chat = $1 AND state IN ('queued', 'asked') RETURNING id, stumbles";
    let Some((turn, stumbles)) = one_more(connection, count, chat)? else {
        return Ok(Stumbled::Nothing);
    };
    execute(
        connection,
        "UPDATE message SET stumbles = stumbles + 1 WHERE turn_id = $1",
        [turn],
    )?;
    if stumbles < MOST_STUMBLES {
        return Ok(Stumbled::Again);
    }
    execute(
        connection,
        "UPDATE turn SET state = 'failed', reason = $1, settled_at = $2 WHERE id = $3",
        params![reason, now.as_millis(), turn],
    )?;
    let what: Vec<DeadId> = prepared(
        connection,
        "UPDATE message SET state = 'failed', reason = $1, done_at = $2 WHERE turn_id = $3 RETURNING seq",
    )?
    .query_map(params![reason, now.as_millis(), turn], |row| {
        Ok(DeadId::Message(row.get(0)?))
    })?
    .collect::<Result<_, _>>()?;
    set_aside(connection, what)
}

fn stumbled_at_message(
    connection: &Connection,
    chat: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Stumbled, StoreError> {
    let count = "UPDATE message SET stumbles = stumbles + 1 WHERE seq = (
            SELECT seq FROM message WHERE chat = $1 AND state = 'received' ORDER BY sent_at, seq LIMIT 1)
         RETURNING seq, stumbles";
    match one_more(connection, count, chat)? {
        None => Ok(Stumbled::Nothing),
        Some((_, stumbles)) if stumbles < MOST_STUMBLES => Ok(Stumbled::Again),
        Some((message, _)) => {
            let update =
                "UPDATE message SET state = 'failed', reason = $1, done_at = $2 WHERE seq = $3";
            execute(
                connection,
                update,
                params![reason, now.as_millis(), message],
            )?;
            set_aside(connection, vec![DeadId::Message(message)])
        }
    }
}

fn stumbled_at_head(
    connection: &Connection,
    chat: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Stumbled, StoreError> {
    let count = "UPDATE outgoing SET stumbles = stumbles + 1 WHERE id = (
            SELECT id FROM outgoing WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown')
            ORDER BY id LIMIT 1)
         RETURNING id, stumbles";
    match one_more(connection, count, chat)? {
        None => Ok(Stumbled::Nothing),
        Some((_, stumbles)) if stumbles < MOST_STUMBLES => Ok(Stumbled::Again),
        Some((id, _)) => {
            let update =
                "UPDATE outgoing SET state = 'failed', reason = $1, updated_at = $2 WHERE id = $3";
            execute(connection, update, params![reason, now.as_millis(), id])?;
            set_aside(connection, vec![DeadId::Outgoing(OutgoingId(id))])
        }
    }
}

/// Counts a stumble; the row and its count.
fn one_more(
    connection: &Connection,
    update: &str,
    chat: &str,
) -> rusqlite::Result<Option<(i64, i64)>> {
    prepared(connection, update)?
        .query_row([chat], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn set_aside(connection: &Connection, what: Vec<DeadId>) -> Result<Stumbled, StoreError> {
    add(connection, Counter::SetAside, what.len() as u64)?;
    Ok(Stumbled::SetAside { what })
}
