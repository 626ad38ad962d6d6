//! The newest messages, as an inbox shows them.

use model::{ChatKey, MessageId, Timestamp};
use rusqlite::Connection;

use crate::Store;
use crate::error::{Row, StoreError};
use crate::row::{Cells, chat};
use crate::state::MessageState;
use crate::words;

/// A message, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Its number in the journal: what comes later has a greater one.
    pub seq: i64,
    /// WhatsApp's name for it.
    pub wamid: MessageId,
    /// The chat that it belongs to.
    pub chat: ChatKey,
    /// The profile name. Chosen by the sender: data, never authority.
    pub name: Option<String>,
    /// Where it stands.
    pub state: MessageState,
    /// Why it did not go the whole way.
    pub reason: Option<String>,
    /// When it was written here, by the bridge's clock.
    pub received_at: Timestamp,
    /// Which kind of content it has; none where it was dropped to save space.
    pub kind: Option<&'static str>,
    /// Its words; none where it has none, or where they were dropped to save space.
    pub text: Option<String>,
}

impl Store {
    /// Messages of people, at most `limit`, the newest last: the newest of all, or the first behind the number `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recent(&self, limit: u32, after: Option<i64>) -> Result<Vec<Recent>, StoreError> {
        self.journal
            .report(move |connection| recent(connection, limit, after))
            .await
    }
}

fn recent(
    connection: &Connection,
    limit: u32,
    after: Option<i64>,
) -> Result<Vec<Recent>, StoreError> {
    let order = if after.is_some() { "ASC" } else { "DESC" };
    // Those without a chat are nothing that a person wrote.
    let mut messages = connection.prepare(&format!(
        "SELECT seq, wamid, chat, state, reason, received_at, body FROM message
         WHERE seq > $1 AND chat IS NOT NULL ORDER BY seq {order} LIMIT $2"
    ))?;
    let mut recent: Vec<Recent> = messages
        .query_and_then((after.unwrap_or(0), limit), read)?
        .collect::<Result<_, _>>()?;
    if after.is_none() {
        recent.reverse();
    }
    Ok(recent)
}

fn read(row: &rusqlite::Row<'_>) -> Result<Recent, StoreError> {
    let seq = row.get(0)?;
    let cells = Cells {
        row,
        kind: Row::Message,
        id: seq,
    };
    let words = words::inbound(row.get::<_, Option<String>>(6)?.as_deref());
    Ok(Recent {
        seq,
        wamid: cells.wamid(1)?,
        chat: chat(Row::Message, &row.get::<_, String>(2)?)?,
        name: words.name,
        state: cells.state(3, MessageState::parse)?,
        reason: row.get(4)?,
        received_at: cells.time(5)?,
        kind: words.kind,
        text: words.text,
    })
}
