//! What WhatsApp tells of messages that went out: noted on their rows, and kept while it may decide what became of a
//! request whose answer was lost.

use model::{ChatKey, Fate, MessageId, NumberId, Receipt, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::counters::{Counter, add};
use crate::error::{Row, StoreError};
use crate::row::{Cells, StoredOutgoing};
use crate::sending::WAITS;
use crate::state::{OutgoingId, OutgoingState};
use crate::statement::{execute, prepared};
use crate::{Store, links};

/// Something of any chat waits to be sent.
const ANY_WAITS: &str =
    "SELECT 1 FROM outgoing WHERE state IN ('queued', 'sending', 'unknown') LIMIT 1";

/// A request of the chat is under way, or its answer was lost. The long way round, because the index
/// `outgoing_waiting` serves only what repeats its condition.
pub(crate) const UNDECIDED: &str = "SELECT 1 FROM outgoing
     WHERE chat = $1 AND state IN ('queued', 'sending', 'unknown') AND state <> 'queued' LIMIT 1";

/// What is kept of a chat, in the order of its first words.
pub(crate) const KEPT: &str =
    "SELECT wamid, text FROM receipt WHERE chat = $1 AND first_at >= $2 ORDER BY first_at";

impl Store {
    /// Takes down what WhatsApp tells of messages that went out. Returns the chats, each once, in which a request has
    /// no answer yet and one of these may be it: [`Store::announced`] tells.
    ///
    /// Durable afterwards: on the row of that id, how far the message got, which only grows; a message that failed
    /// goes `sent` → `failed` with the reason, counted. What no row is known by is kept where it may be one whose
    /// answer is still missing: its chat has something to send, and no person typed it. Repeated: no change.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was noted, so nothing may be acknowledged.
    pub async fn receipts(&self, receipts: &[Receipt]) -> Result<Vec<ChatKey>, StoreError> {
        let now = self.now();
        let receipts = receipts.to_vec();
        self.write(move |connection| {
            let mut undecided = Vec::new();
            for receipt in &receipts {
                let Some(chat) = note(connection, receipt, now)? else {
                    continue;
                };
                if !undecided.contains(&chat)
                    && prepared(connection, UNDECIDED)?.exists([chat.to_string()])?
                {
                    undecided.push(chat);
                }
            }
            Ok(undecided)
        })
        .await
    }

    /// What WhatsApp named the message of `row`, as far as webhooks tell: one of its chat with the same words, that was
    /// first told of at `since` or later and belongs to no other row. The oldest, where there are several.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announced(
        &self,
        row: &StoredOutgoing,
        since: Timestamp,
    ) -> Result<Option<MessageId>, StoreError> {
        let chat = row.outgoing.chat.to_string();
        let words = row.outgoing.body.text().trim().to_owned();
        let id = row.id.0;
        self.read(move |connection| {
            let mut kept = prepared(connection, KEPT)?;
            let mut kept = kept.query(params![chat, since.as_millis()])?;
            while let Some(row) = kept.next()? {
                let text: Option<String> = row.get(1)?;
                if text.is_some_and(|text| text.trim() == words) {
                    let kind = Row::Outgoing;
                    return Cells { row, kind, id }.wamid(0).map(Some);
                }
            }
            Ok(None)
        })
        .await
    }
}

/// What WhatsApp said last of a message.
struct Word {
    fate: String,
    reason: Option<String>,
    at: Timestamp,
}

impl Word {
    fn of(receipt: &Receipt) -> Self {
        let reason = match &receipt.fate {
            Fate::Failed(reason) => Some(reason.clone()),
            Fate::Sent | Fate::Delivered | Fate::Read => None,
        };
        Self {
            fate: receipt.fate.name().to_owned(),
            reason,
            at: receipt.at,
        }
    }
}

/// How far a message got, by the name of its fate. What reached the phone did not fail, whatever is told later.
fn rank(fate: Option<&str>) -> u8 {
    match fate {
        Some("sent") => 1,
        Some("failed") => 2,
        Some("delivered") => 3,
        Some("read") => 4,
        Some(_) | None => 0,
    }
}

/// Notes a receipt on its row, or keeps it; its chat, where it was kept and names one.
fn note(
    connection: &Connection,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<Option<ChatKey>, StoreError> {
    if let Some(id) = row_of(connection, &receipt.number, &receipt.id)? {
        apply(connection, id, &Word::of(receipt), now)?;
        return Ok(None);
    }
    let chat = match &receipt.to {
        Some(to) => Some(links::chat_of(connection, &receipt.number, to)?),
        None => None,
    };
    let may_be_ours = match &chat {
        _ if receipt.by_hand => false,
        Some(chat) => prepared(connection, WAITS)?.exists([chat.to_string()])?,
        None => prepared(connection, ANY_WAITS)?.exists(())?,
    };
    if !may_be_ours {
        return Ok(None);
    }
    keep(connection, receipt, chat.as_ref(), now)?;
    Ok(chat)
}

/// The row that was sent as `wamid` from `number`.
fn row_of(
    connection: &Connection,
    number: &NumberId,
    wamid: &MessageId,
) -> rusqlite::Result<Option<OutgoingId>> {
    let mut named = prepared(connection, "SELECT id, chat FROM outgoing WHERE wamid = $1")?;
    let mut named = named.query([wamid.as_str()])?;
    while let Some(row) = named.next()? {
        let chat: String = row.get(1)?;
        if chat
            .split_once('/')
            .is_some_and(|(of, _)| of == number.as_str())
        {
            return Ok(Some(OutgoingId(row.get(0)?)));
        }
    }
    Ok(None)
}

/// Writes a word on the row of its message, unless it is old news.
fn apply(
    connection: &Connection,
    id: OutgoingId,
    word: &Word,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let stands = "SELECT state, delivery FROM outgoing WHERE id = $1";
    let (state, delivery): (String, Option<String>) =
        prepared(connection, stands)?.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let was_sent = OutgoingState::parse(&state)
        .is_some_and(|state| matches!(state, OutgoingState::Sent | OutgoingState::Failed));
    // A row that is to be sent again still has its old name: that is not what it will be known by.
    if !was_sent || rank(Some(&word.fate)) <= rank(delivery.as_deref()) {
        return Ok(());
    }
    execute(
        connection,
        "UPDATE outgoing SET delivery = $1, delivery_at = $2 WHERE id = $3",
        params![word.fate, word.at.as_millis(), id.0],
    )?;
    if let Some(reason) = &word.reason {
        let undelivered = execute(
            connection,
            "UPDATE outgoing SET state = 'failed', reason = $1, updated_at = $2 WHERE id = $3 AND state = 'sent'",
            params![reason, now.as_millis(), id.0],
        )?;
        add(connection, Counter::Undelivered, undelivered as u64)?;
    }
    Ok(())
}

/// Notes on a row that was just sent what WhatsApp told of it before, and lets go of that.
pub(crate) fn apply_kept(
    connection: &Connection,
    id: OutgoingId,
    chat: &str,
    wamid: &MessageId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let number = chat.split_once('/').map_or(chat, |(number, _)| number);
    let kept = prepared(
        connection,
        "DELETE FROM receipt WHERE number = $1 AND wamid = $2 RETURNING fate, reason, at",
    )?
    .query_row(params![number, wamid.as_str()], |row| {
        Ok(Word {
            fate: row.get(0)?,
            reason: row.get(1)?,
            at: Timestamp::from_millis(row.get(2)?),
        })
    })
    .optional()?;
    kept.map_or(Ok(()), |word| apply(connection, id, &word, now))
}

/// Keeps what is told of a message that no row is known by: its newest word, and when it was first told of.
fn keep(
    connection: &Connection,
    receipt: &Receipt,
    chat: Option<&ChatKey>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let chat = chat.map(ChatKey::to_string);
    let kept: Option<String> = prepared(
        connection,
        "UPDATE receipt SET first_at = CASE WHEN first_at < $1 THEN first_at ELSE $1 END,
             text = COALESCE(text, $2), chat = COALESCE(chat, $3)
         WHERE number = $4 AND wamid = $5 RETURNING fate",
    )?
    .query_row(
        params![
            receipt.at.as_millis(),
            receipt.text,
            chat,
            receipt.number.as_str(),
            receipt.id.as_str(),
        ],
        |row| row.get(0),
    )
    .optional()?;
    let word = Word::of(receipt);
    if kept.is_some() && rank(Some(&word.fate)) <= rank(kept.as_deref()) {
        return Ok(());
    }
    execute(
        connection,
        "INSERT INTO receipt (number, wamid, chat, text, fate, reason, at, first_at, noted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
         ON CONFLICT (number, wamid) DO UPDATE
         SET fate = excluded.fate, reason = excluded.reason, at = excluded.at",
        params![
            receipt.number.as_str(),
            receipt.id.as_str(),
            chat,
            receipt.text,
            word.fate,
            word.reason,
            word.at.as_millis(),
            now.as_millis(),
        ],
    )?;
    Ok(())
}
