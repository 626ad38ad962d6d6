//! What came in: recorded once, and led out of `received` by exactly one verb.

use std::collections::HashSet;
use std::time::Duration;

use model::{Arrival, ChatKey, IgnoreReason, NumberId, Outgoing, Source, Timestamp};
use rusqlite::{Connection, params};

use crate::error::{Row, StoreError, change};
use crate::outgoing::{Draft, Kind, insert};
use crate::row::{StoredMessage, all, first};
use crate::state::MessageState;
use crate::tally::{Counter, count};
use crate::{Store, row};

/// After a notice, a chat gets none for this long, however often it is refused.
const NOTICE_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The messages of a chat that wait, in order.
pub(crate) const RECEIVED: &str = "SELECT seq, body, received_at, released_at FROM message
     WHERE chat = ?1 AND state = 'received' ORDER BY sent_at, seq LIMIT ?2";

/// How far a list was read, and what that tells.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The number whose list it is.
    pub number: &'a NumberId,
    /// Up to when it was read.
    pub to: Timestamp,
    /// Where messages are pushed as well: new ones that were sent before this time were missed by the pushes.
    pub recovered_before: Option<Timestamp>,
}

/// What [`Store::accept`] found in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The chats that have something new, each once, in the order of the batch.
    pub fresh: Vec<ChatKey>,
    /// Messages that were not known.
    pub new: u64,
    /// Of these, those that only the list had.
    pub recovered: u64,
    /// Items that were known, or stood in the batch twice.
    pub duplicates: u64,
    /// Items that were not known and are nothing for the agent.
    pub ignored: u64,
}

impl Store {
    /// Records a batch as it was listed or pushed, and how far the list of a number has been read.
    ///
    /// Durable afterwards: every item, the new ones as `received` or `ignored`, and the cursor; all or nothing.
    /// Repeated, or with an item of an earlier batch: known items are counted and left as they are. The cursor
    /// also moves back, because a clock that ran ahead may have been set right.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded, so nothing may be acknowledged.
    pub async fn accept(
        &self,
        arrivals: &[Arrival],
        listing: Option<Listing<'_>>,
    ) -> Result<Accepted, StoreError> {
        let now = self.now().as_millis();
        let drafts: Vec<NewMessage> = arrivals
            .iter()
            .map(NewMessage::of)
            .collect::<Result<_, _>>()?;
        let recovered_before = listing.and_then(|listing| listing.recovered_before);
        let cursor = listing.map(|listing| (listing.number.clone(), listing.to));
        self.write(move |tx| {
            let (mut accepted, mut fresh, mut pushed_again) =
                (Accepted::default(), HashSet::new(), 0);
            for draft in drafts {
                let new = draft.record(tx, now)?;
                match (draft.inbound, new) {
                    (Some(arrived), true) => {
                        accepted.new += 1;
                        accepted.recovered += u64::from(
                            arrived.source == Source::Poll
                                && recovered_before.is_some_and(|before| arrived.sent_at < before),
                        );
                        if fresh.insert(arrived.chat.clone()) {
                            accepted.fresh.push(arrived.chat);
                        }
                    }
                    (None, true) => accepted.ignored += 1,
                    (arrived, false) => {
                        accepted.duplicates += 1;
                        let pushed = arrived.is_some_and(|it| it.source == Source::Webhook);
                        pushed_again += u64::from(pushed);
                    }
                }
            }
            count(tx, Counter::Duplicates, pushed_again)?;
            count(tx, Counter::Recovered, accepted.recovered)?;
            if let Some((number, to)) = &cursor {
                move_cursor(tx, number, *to)?;
            }
            Ok(accepted)
        })
        .await
    }

    /// How far the list of `number` has been read; none when it never was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn listed_to(&self, number: &NumberId) -> Result<Option<Timestamp>, StoreError> {
        let number = number.as_str().to_owned();
        self.read(move |connection| {
            let cursor = "SELECT listed_to FROM listing WHERE number = ?1";
            first(connection, cursor, [number], |row| {
                Ok(Timestamp::from_millis(row.get(0)?))
            })
        })
        .await
    }

    /// The chats that have a message in `received` or an unfinished turn, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_work(&self) -> Result<Vec<ChatKey>, StoreError> {
        self.read(|connection| {
            let waiting = "SELECT chat FROM (
                SELECT chat, received_at AS since FROM message WHERE state = 'received'
                UNION ALL
                SELECT chat, created_at AS since FROM turn WHERE state IN ('queued', 'asked')
             ) AS waiting GROUP BY chat ORDER BY MIN(since), chat";
            all(connection, waiting, [], |found| {
                row::chat(Row::Message, &found.get::<_, String>(0)?)
            })
        })
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
            all(
                connection,
                RECEIVED,
                params![chat, limit],
                StoredMessage::read,
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
        let (now, reason) = (self.now(), reason.to_owned());
        let notice = notice.map(Draft::of).transpose()?;
        self.write(move |tx| {
            leave_received(tx, message, MessageState::Refused, &reason, now)?;
            let Some(notice) = notice else {
                return Ok(false);
            };
            let noticed = "SELECT 1 FROM outgoing
                 WHERE chat = ?1 AND created_at > ?2 AND kind = 'notice' LIMIT 1";
            let since = now.earlier(NOTICE_PAUSE).as_millis();
            if tx
                .prepare_cached(noticed)?
                .exists(params![notice.chat, since])?
            {
                return Ok(false);
            }
            insert(tx, (None, 0), &notice, Kind::Notice, now)?;
            Ok(true)
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

    /// Sets a message aside that waited for too long to be answered.
    ///
    /// Durable afterwards: `received` → `expired` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn expire(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        self.leave(message, MessageState::Expired, reason).await
    }

    async fn leave(&self, message: i64, to: MessageState, reason: &str) -> Result<(), StoreError> {
        let (now, reason) = (self.now(), reason.to_owned());
        self.write(move |tx| {
            let expired = u64::from(to == MessageState::Expired);
            count(tx, Counter::Expired, expired)?;
            leave_received(tx, message, to, &reason, now)
        })
        .await
    }
}

/// An item as it will stand in its row.
struct NewMessage {
    number: String,
    wamid: String,
    reason: Option<&'static str>,
    detail: Option<String>,
    /// Where it is a message.
    inbound: Option<Arrived>,
}

struct Arrived {
    chat: ChatKey,
    body: String,
    sent_at: Timestamp,
    source: Source,
}

impl NewMessage {
    fn of(arrival: &Arrival) -> Result<Self, StoreError> {
        Ok(match arrival {
            Arrival::Message(inbound) => Self {
                number: inbound.number.as_str().to_owned(),
                wamid: inbound.id.as_str().to_owned(),
                reason: None,
                detail: None,
                inbound: Some(Arrived {
                    chat: inbound.chat(),
                    body: serde_json::to_string(inbound)?,
                    sent_at: inbound.sent_at,
                    source: inbound.source,
                }),
            },
            Arrival::Ignored(ignored) => Self {
                number: ignored.number.as_str().to_owned(),
                wamid: ignored.id.as_str().to_owned(),
                reason: Some(ignored.reason.name()),
                detail: detail(&ignored.reason).map(str::to_owned),
                inbound: None,
            },
        })
    }

    /// Writes the item down unless it is known; whether it was new.
    fn record(&self, tx: &Connection, now: i64) -> Result<bool, StoreError> {
        let mut insert = tx.prepare_cached(
            "INSERT INTO message (number, wamid, received_at, state, chat, body, sent_at, reason, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (number, wamid) DO NOTHING",
        )?;
        let state = if self.inbound.is_some() {
            MessageState::Received
        } else {
            MessageState::Ignored
        };
        let inbound = self.inbound.as_ref();
        let inserted = insert.execute(params![
            self.number,
            self.wamid,
            now,
            state.as_str(),
            inbound.map(|arrived| arrived.chat.to_string()),
            inbound.map(|arrived| &arrived.body),
            inbound.map(|arrived| arrived.sent_at.as_millis()),
            self.reason,
            self.detail,
        ])?;
        Ok(inserted == 1)
    }
}

/// What a reason's name does not say.
fn detail(reason: &IgnoreReason) -> Option<&str> {
    match reason {
        IgnoreReason::Malformed(what) => Some(what),
        IgnoreReason::NoSender
        | IgnoreReason::Outbound
        | IgnoreReason::HistorySync
        | IgnoreReason::Group
        | IgnoreReason::BeforeStart
        | IgnoreReason::OtherNumber => None,
    }
}

fn move_cursor(tx: &Connection, number: &NumberId, to: Timestamp) -> Result<(), StoreError> {
    let mut cursor = tx.prepare_cached(
        "INSERT INTO listing (number, listed_to) VALUES (?1, ?2)
         ON CONFLICT (number) DO UPDATE SET listed_to = excluded.listed_to",
    )?;
    cursor.execute(params![number.as_str(), to.as_millis()])?;
    Ok(())
}

fn leave_received(
    tx: &Connection,
    message: i64,
    to: MessageState,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    change(
        tx,
        (Row::Message, message, to.as_str()),
        "UPDATE message SET state = ?2, reason = ?3, done_at = ?4 WHERE seq = ?1 AND state = 'received'",
        params![message, to.as_str(), reason, now.as_millis()],
    )
}
