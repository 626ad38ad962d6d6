//! What broke the bridge: tried once more, then set aside, so that it cannot stop everything behind it.

use model::ChatKey;
use rusqlite::{Connection, params};

use crate::Store;
use crate::error::StoreError;
use crate::outgoing::NEXT;
use crate::row::first;
use crate::state::{Settled, TurnId};
use crate::tally::{Counter, count};
use crate::turns::{OPEN, settle};

/// How often something may break the bridge before it is set aside.
const MOST_STUMBLES: i64 = 2;

/// What became of the row on which the bridge broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stumbled {
    /// It is tried once more.
    Again,
    /// It is set aside: see [`Store::dead`].
    SetAside,
    /// There was nothing in work.
    Nothing,
}

impl Store {
    /// Notes that the bridge broke while it worked for `chat`: on its unfinished turn, else on its oldest message.
    ///
    /// Durable afterwards: one more stumble on it; the second sets it aside as `failed` with the reason. Repeated: one
    /// stumble more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stumbled(&self, chat: &ChatKey, reason: &str) -> Result<Stumbled, StoreError> {
        let (chat, reason, now) = (chat.to_string(), reason.to_owned(), self.now());
        self.write(move |tx| {
            let id = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(0)?);
            if let Some(turn) = first(tx, OPEN, [&chat], id)? {
                if !is_last(
                    tx,
                    "UPDATE turn SET stumbles = stumbles + 1 WHERE id = ?1 RETURNING stumbles",
                    turn,
                )? {
                    return Ok(Stumbled::Again);
                }
                settle(tx, TurnId(turn), &Settled::Failed { reason }, &[], now)?;
            } else if let Some(message) =
                first(tx, crate::messages::RECEIVED, params![chat, 1], id)?
            {
                if !is_last(
                    tx,
                    "UPDATE message SET stumbles = stumbles + 1 WHERE seq = ?1 RETURNING stumbles",
                    message,
                )? {
                    return Ok(Stumbled::Again);
                }
                tx.prepare_cached(
                    "UPDATE message SET state = 'failed', reason = ?2, done_at = ?3 WHERE seq = ?1",
                )?
                .execute(params![message, reason, now.as_millis()])?;
            } else {
                return Ok(Stumbled::Nothing);
            }
            count(tx, Counter::SetAside, 1)?;
            Ok(Stumbled::SetAside)
        })
        .await
    }

    /// The same for the head of the chat's outgoing queue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stumbled_sending(
        &self,
        chat: &ChatKey,
        reason: &str,
    ) -> Result<Stumbled, StoreError> {
        let (chat, reason, now) = (chat.to_string(), reason.to_owned(), self.now());
        self.write(move |tx| {
            let Some(head) = first(tx, NEXT, [&chat], |row| Ok(row.get::<_, i64>(0)?))? else {
                return Ok(Stumbled::Nothing);
            };
            if !is_last(
                tx,
                "UPDATE outgoing SET stumbles = stumbles + 1 WHERE id = ?1 RETURNING stumbles",
                head,
            )? {
                return Ok(Stumbled::Again);
            }
            tx.prepare_cached(
                "UPDATE outgoing SET state = 'failed', reason = ?2, updated_at = ?3 WHERE id = ?1",
            )?
            .execute(params![head, reason, now.as_millis()])?;
            count(tx, Counter::SetAside, 1)?;
            Ok(Stumbled::SetAside)
        })
        .await
    }
}

/// Counts a stumble; whether it was the last that is allowed.
fn is_last(tx: &Connection, stumble: &str, id: i64) -> Result<bool, StoreError> {
    let stumbles: i64 = tx
        .prepare_cached(stumble)?
        .query_row([id], |row| row.get(0))?;
    Ok(stumbles >= MOST_STUMBLES)
}
