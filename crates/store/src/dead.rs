//! What was set aside, and what the operator does with it.

use std::fmt;
use std::str::FromStr;

use model::{ChatKey, Inbound, MessageId, Outgoing, Timestamp};
use rusqlite::{Connection, params};

use crate::Store;
use crate::error::{Row, StoreError, conflict};
use crate::row::{self, Cells, all, first};
use crate::state::OutgoingId;

/// The name of something that was set aside: `m12` for a message, `o34` for one to WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadId {
    /// A message that came in.
    Message(i64),
    /// A message that should have gone out.
    Outgoing(OutgoingId),
}

impl fmt::Display for DeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(seq) => write!(f, "m{seq}"),
            Self::Outgoing(id) => write!(f, "o{id}"),
        }
    }
}

/// Not the name of something that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no id of `dead list`, such as m12 or o34")]
pub struct NotADeadId;

impl FromStr for DeadId {
    type Err = NotADeadId;

    fn from_str(text: &str) -> Result<Self, NotADeadId> {
        let number = |digits: &str| digits.parse::<u32>().map(i64::from).map_err(|_| NotADeadId);
        match text.split_at_checked(1) {
            Some(("m", digits)) => number(digits).map(Self::Message),
            Some(("o", digits)) => number(digits).map(|id| Self::Outgoing(OutgoingId(id))),
            Some(_) | None => Err(NotADeadId),
        }
    }
}

/// Something that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its name.
    pub id: DeadId,
    /// The chat that it belongs to.
    pub chat: ChatKey,
    /// WhatsApp's name of it, where it has one.
    pub wamid: Option<MessageId>,
    /// Why it was set aside.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// How often it was asked or sent.
    pub attempts: u32,
    /// Its words.
    pub text: Option<String>,
}

impl Store {
    /// What was set aside, the newest first: messages that failed or expired, and replies that could not be sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead(&self, limit: u32) -> Result<Vec<Dead>, StoreError> {
        self.report(move |connection| {
            let messages =
                "SELECT seq, message.chat, wamid, message.reason, COALESCE(done_at, received_at), COALESCE(attempts, 0), message.body
                 FROM message LEFT JOIN turn ON turn.id = turn_id
                 WHERE message.state IN ('failed', 'expired') ORDER BY seq DESC LIMIT ?1";
            let replies = "SELECT id, chat, wamid, reason, updated_at, attempts, body FROM outgoing
                 WHERE state = 'failed' ORDER BY id DESC LIMIT ?1";
            let mut dead = all(connection, messages, [limit], |row| {
                let (entry, cells) = read(row, Row::Message, DeadId::Message)?;
                let inbound: Option<Inbound> = cells.maybe_json(6)?;
                Ok(Dead { text: inbound.and_then(|inbound| inbound.content.words().map(str::to_owned)), ..entry })
            })?;
            dead.extend(all(connection, replies, [limit], |row| {
                let (entry, cells) = read(row, Row::Outgoing, |id| DeadId::Outgoing(OutgoingId(id)))?;
                let outgoing: Option<Outgoing> = cells.maybe_json(6)?;
                let text = outgoing.map(|outgoing| outgoing.body.text().to_owned());
                Ok(Dead { text, ..entry })
            })?);
            dead.sort_by_key(|dead| std::cmp::Reverse(dead.at));
            dead.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(dead)
        })
        .await
    }

    /// Puts something that was set aside back to work, as if it were new. Returns its chat.
    ///
    /// Durable afterwards: a message as `received`, without its turn, its age counted from now; a reply as `queued`, at its
    /// old place. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not set aside.
    pub async fn retry_dead(&self, id: DeadId) -> Result<ChatKey, StoreError> {
        let now = self.now().as_millis();
        self.write(move |tx| match id {
            DeadId::Message(seq) => revived(
                tx,
                (Row::Message, seq),
                "UPDATE message SET state = 'received', reason = NULL, turn_id = NULL, stumbles = 0, done_at = NULL,
                 released_at = ?2 WHERE seq = ?1 AND state IN ('failed', 'expired') AND body IS NOT NULL RETURNING chat",
                now,
            ),
            DeadId::Outgoing(OutgoingId(id)) => revived(
                tx,
                (Row::Outgoing, id),
                "UPDATE outgoing SET state = 'queued', reason = NULL, attempts = 0, stumbles = 0, not_before = NULL,
                 wamid = NULL, delivery = NULL, delivery_at = NULL, created_at = ?2, updated_at = ?2
                 WHERE id = ?1 AND state = 'failed' AND body <> '' RETURNING chat",
                now,
            ),
        })
        .await
    }

    /// Gives something that was set aside up for good; the reason stays.
    ///
    /// Durable afterwards: it as `dropped`. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not set aside.
    pub async fn drop_dead(&self, id: DeadId) -> Result<(), StoreError> {
        let now = self.now().as_millis();
        self.write(move |tx| {
            let (row, id, update) = match id {
                DeadId::Message(seq) => (
                    Row::Message,
                    seq,
                    "UPDATE message SET state = 'dropped', done_at = ?2 WHERE seq = ?1 AND state IN ('failed', 'expired')",
                ),
                DeadId::Outgoing(OutgoingId(id)) => (
                    Row::Outgoing,
                    id,
                    "UPDATE outgoing SET state = 'dropped', updated_at = ?2 WHERE id = ?1 AND state = 'failed'",
                ),
            };
            crate::error::change(tx, (row, id, "dropped"), update, params![id, now])
        })
        .await
    }
}

fn revived(
    tx: &Connection,
    (row, id): (Row, i64),
    update: &str,
    now: i64,
) -> Result<ChatKey, StoreError> {
    let chat = first(tx, update, params![id, now], |found| {
        row::chat(row, &found.get::<_, String>(0)?)
    })?;
    chat.ok_or_else(|| conflict(tx, row, id, "put back to work"))
}

/// Reads `id, chat, wamid, reason, at, attempts`.
fn read<'r>(
    row: &'r rusqlite::Row<'r>,
    kind: Row,
    name: impl Fn(i64) -> DeadId,
) -> Result<(Dead, Cells<'r>), StoreError> {
    let id = row.get(0)?;
    let cells = Cells { row, kind, id };
    let dead = Dead {
        id: name(id),
        chat: cells.chat(1)?,
        wamid: cells.wamid(2)?,
        reason: cells.get::<Option<String>>(3)?.unwrap_or_default(),
        at: cells.time(4)?,
        attempts: cells.count(5)?,
        text: None,
    };
    Ok((dead, cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_name_and_nothing_else_is_one() {
        for id in [DeadId::Message(12), DeadId::Outgoing(OutgoingId(34))] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "m", "12", "x12", "m-1", "m1 ", "ö1"] {
            assert_eq!(wrong.parse::<DeadId>(), Err(NotADeadId), "{wrong:?}");
        }
    }
}
