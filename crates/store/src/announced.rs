//! What WhatsApp tells about what went out: kept until it is known which row it is about.

use model::{ChatKey, Fate, MessageId, Receipt, Timestamp};
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::outgoing::{UNDECIDED, is_claimed};
use crate::row::{StoredOutgoing, all, first};
use crate::tally::{Counter, count};
use crate::{Store, row};

/// Messages that went to a chat with certain words and that no row was sent as, the oldest first.
pub(crate) const ANNOUNCED: &str = "SELECT wamid FROM receipt
     WHERE chat = ?1 AND noted_at >= ?2 AND words = ?3 AND by_hand = 0 ORDER BY noted_at";

impl Store {
    /// Notes what WhatsApp told about messages that went out. Returns the chats of which a row may be decided by it.
    ///
    /// Durable afterwards: the row of each message knows how far it got, and one that failed is `failed` with the reason;
    /// what is about no row that is known is kept. Repeated, or out of order: nothing moves backwards.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded.
    pub async fn receipts(&self, receipts: &[Receipt]) -> Result<Vec<ChatKey>, StoreError> {
        let (receipts, now) = (receipts.to_vec(), self.now());
        self.write(move |tx| {
            let mut undecided = Vec::new();
            for receipt in receipts {
                if note(tx, &receipt.id, &receipt.fate, now.as_millis())? {
                    continue;
                }
                keep(tx, &receipt, now)?;
                let Some(chat) = receipt.chat() else {
                    continue;
                };
                if tx.prepare_cached(UNDECIDED)?.exists([chat.to_string()])?
                    && !undecided.contains(&chat)
                {
                    undecided.push(chat);
                }
            }
            Ok(undecided)
        })
        .await
    }

    /// The message as which WhatsApp announced `row`, whose answer was lost: one that went to its chat with its very words
    /// since `since` by the bridge's clock, and that is no other row's.
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
        self.read(move |connection| {
            let candidates = all(
                connection,
                ANNOUNCED,
                params![chat, since.as_millis(), words],
                row::wamid,
            )?;
            for candidate in candidates {
                if !is_claimed(connection, &candidate)? {
                    return Ok(Some(candidate));
                }
            }
            Ok(None)
        })
        .await
    }
}

/// Gives a row that is known by its wamid now what was kept for it.
pub(crate) fn claim(tx: &Connection, wamid: &MessageId, now: i64) -> Result<(), StoreError> {
    let kept = first(
        tx,
        "DELETE FROM receipt WHERE wamid = ?1 RETURNING fate, reason",
        [wamid.as_str()],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)),
    )?;
    if let Some((fate, reason)) = kept {
        let fate = match fate.as_str() {
            "delivered" => Fate::Delivered,
            "read" => Fate::Read,
            "failed" => Fate::Failed(reason.unwrap_or_default()),
            _ => Fate::Sent,
        };
        note(tx, wamid, &fate, now)?;
    }
    Ok(())
}

/// Notes a fate on the row that was sent as `wamid`; whether there is one.
fn note(tx: &Connection, wamid: &MessageId, fate: &Fate, now: i64) -> Result<bool, StoreError> {
    if let Fate::Failed(reason) = fate {
        let failed = tx
            .prepare_cached(
                "UPDATE outgoing SET state = 'failed', reason = ?3, delivery = 'failed', delivery_at = ?2, updated_at = ?2
                 WHERE wamid = ?1 AND state = 'sent' AND COALESCE(delivery, 'sent') NOT IN ('delivered', 'read')",
            )?
            .execute(params![wamid.as_str(), now, reason])?;
        if failed > 0 {
            count(tx, Counter::Undelivered, 1)?;
            return Ok(true);
        }
    } else {
        let behind: &[&str] = match fate {
            Fate::Sent | Fate::Failed(_) => &[""],
            Fate::Delivered => &["", "sent"],
            Fate::Read => &["", "sent", "delivered"],
        };
        let mut grow = tx.prepare_cached(
            "UPDATE outgoing SET delivery = ?3, delivery_at = ?2 WHERE wamid = ?1 AND COALESCE(delivery, '') = ?4",
        )?;
        for from in behind {
            if grow.execute(params![wamid.as_str(), now, fate.name(), from])? > 0 {
                return Ok(true);
            }
        }
    }
    is_claimed(tx, wamid)
}

/// Keeps what is about no known row; the newest word counts, and words of the message are not forgotten.
fn keep(tx: &Connection, receipt: &Receipt, now: Timestamp) -> Result<(), StoreError> {
    let reason = match &receipt.fate {
        Fate::Failed(reason) => Some(reason.as_str()),
        Fate::Sent | Fate::Delivered | Fate::Read => None,
    };
    let mut keep = tx.prepare_cached(
        "INSERT INTO receipt (number, wamid, chat, words, by_hand, fate, reason, happened_at, noted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (number, wamid) DO UPDATE SET fate = excluded.fate, reason = excluded.reason,
            chat = COALESCE(receipt.chat, excluded.chat), words = COALESCE(receipt.words, excluded.words)
         WHERE receipt.fate <> 'failed' AND NOT (receipt.fate = 'read' AND excluded.fate IN ('sent', 'delivered'))
            AND NOT (receipt.fate = 'delivered' AND excluded.fate = 'sent')",
    )?;
    keep.execute(params![
        receipt.number.as_str(),
        receipt.id.as_str(),
        receipt.chat().map(|chat| chat.to_string()),
        receipt.text.as_deref().map(str::trim),
        receipt.by_hand,
        receipt.fate.name(),
        reason,
        receipt.at.as_millis(),
        now.as_millis(),
    ])?;
    Ok(())
}
