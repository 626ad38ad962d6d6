//! The life of a message, from its receipt to what became of each reply; and what came in lately.

use model::{ChatKey, Inbound, MessageId, NumberId, Outgoing, Timestamp};
use rusqlite::{Connection, params};

use crate::Store;
use crate::error::{Row, StoreError};
use crate::row::{Cells, all, first};
use crate::state::{MessageState, OutgoingId, OutgoingState, TurnId, TurnState};

/// How many of the newest messages are looked through for those of one chat: there is no index for it, because each
/// would cost every message that comes.
const LOOKED_THROUGH: u32 = 100_000;

/// Of what to tell the life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One message, which came in or went out.
    Message(NumberId, MessageId),
    /// The latest messages of a chat.
    Chat(ChatKey),
}

/// What happened to one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// The message that came in; none for what answers nothing, such as a notice.
    pub message: Option<LivedMessage>,
    /// The turn that it was part of.
    pub turn: Option<LivedTurn>,
    /// What went out for that turn, in order.
    pub replies: Vec<LivedReply>,
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct LivedMessage {
    /// Its number in the journal, in the order of arrival.
    pub id: i64,
    /// WhatsApp's name of it.
    pub wamid: MessageId,
    /// Where it stands.
    pub state: MessageState,
    /// Why it did not go the whole way, in a word.
    pub reason: Option<String>,
    /// What the word does not say.
    pub detail: Option<String>,
    /// The message; none where it never was one, or where its words were dropped.
    pub inbound: Option<Inbound>,
    /// When it was sent, by WhatsApp's clock.
    pub sent_at: Option<Timestamp>,
    /// When it was written here.
    pub received_at: Timestamp,
    /// When it was over.
    pub done_at: Option<Timestamp>,
}

/// A question to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivedTurn {
    /// Its number in the journal.
    pub id: TurnId,
    /// Where it stands.
    pub state: TurnState,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// How often it was asked.
    pub attempts: u32,
    /// When it was written here.
    pub created_at: Timestamp,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// When the gateway accepted it, by the gateway's clock.
    pub accepted_at: Option<Timestamp>,
    /// When it was over.
    pub settled_at: Option<Timestamp>,
}

/// A message that went out, or was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivedReply {
    /// Its number in the journal.
    pub id: OutgoingId,
    /// Its place among the parts of its turn, from 0.
    pub part: u32,
    /// `reply`, `notice` or `direct`.
    pub kind: String,
    /// Where it stands.
    pub state: OutgoingState,
    /// Why the last try did not succeed, or why it was given up.
    pub reason: Option<String>,
    /// How often a request was made for it.
    pub attempts: u32,
    /// How often it was sent again although it may have been taken.
    pub repeats: u32,
    /// The message; none where its words were dropped.
    pub outgoing: Option<Outgoing>,
    /// When it was written here.
    pub created_at: Timestamp,
    /// When its state changed last.
    pub updated_at: Timestamp,
    /// When WhatsApp took it.
    pub sent_at: Option<Timestamp>,
    /// WhatsApp's name of it.
    pub wamid: Option<MessageId>,
    /// What WhatsApp told of it since: `sent`, `delivered`, `read` or `failed`.
    pub delivery: Option<String>,
    /// When it told that.
    pub delivery_at: Option<Timestamp>,
}

/// A message that came in lately.
pub type Recent = LivedMessage;

/// The columns of [`LivedMessage`], and the turn.
macro_rules! message_columns {
    () => {
        "seq, wamid, state, reason, detail, body, sent_at, received_at, done_at, turn_id"
    };
}

/// The columns of [`LivedReply`].
macro_rules! reply_columns {
    () => {
        "id, part, kind, state, reason, attempts, repeats, body, created_at, updated_at, sent_at, wamid, delivery, delivery_at"
    };
}

impl Store {
    /// The lives that `subject` names: of a chat the latest `limit`, the newest last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trace(&self, subject: &Subject, limit: u32) -> Result<Vec<Life>, StoreError> {
        let subject = subject.clone();
        self.report(move |connection| {
            let found = match subject {
                Subject::Chat(chat) => of_chat(connection, &chat, limit)?,
                Subject::Message(number, id) => {
                    let incoming = of_message(connection, &number, &id)?;
                    if incoming.is_empty() {
                        return of_reply(connection, &id);
                    }
                    incoming
                }
            };
            found
                .into_iter()
                .map(|(message, turn)| life(connection, Some(message), turn))
                .collect()
        })
        .await
    }

    /// The latest `limit` messages, the newest last; with `after`, those behind that row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recent(&self, limit: u32, after: Option<i64>) -> Result<Vec<Recent>, StoreError> {
        self.report(move |connection| {
            let latest = concat!(
                "SELECT ",
                message_columns!(),
                " FROM message WHERE seq > ?1 ORDER BY seq DESC LIMIT ?2"
            );
            let next = concat!(
                "SELECT ",
                message_columns!(),
                " FROM message WHERE seq > ?1 ORDER BY seq LIMIT ?2"
            );
            let read = |row: &rusqlite::Row<'_>| Ok(LivedMessage::read(row)?.0);
            let query = if after.is_some() { next } else { latest };
            let mut found = all(connection, query, params![after.unwrap_or(0), limit], read)?;
            found.sort_by_key(|message| message.id);
            Ok(found)
        })
        .await
    }
}

type Found = Vec<(LivedMessage, Option<i64>)>;

fn of_chat(connection: &Connection, chat: &ChatKey, limit: u32) -> Result<Found, StoreError> {
    let query = concat!(
        "SELECT ",
        message_columns!(),
        " FROM (SELECT * FROM message ORDER BY seq DESC LIMIT ?3) AS latest WHERE chat = ?1 ORDER BY seq DESC LIMIT ?2"
    );
    let params = params![chat.to_string(), limit, LOOKED_THROUGH];
    let mut found = all(connection, query, params, LivedMessage::read)?;
    found.reverse();
    Ok(found)
}

fn of_message(
    connection: &Connection,
    number: &NumberId,
    id: &MessageId,
) -> Result<Found, StoreError> {
    let query = concat!(
        "SELECT ",
        message_columns!(),
        " FROM message WHERE number = ?1 AND wamid = ?2"
    );
    all(
        connection,
        query,
        [number.as_str(), id.as_str()],
        LivedMessage::read,
    )
}

/// The lives that a message which went out belongs to.
fn of_reply(connection: &Connection, id: &MessageId) -> Result<Vec<Life>, StoreError> {
    let query = concat!(
        "SELECT ",
        reply_columns!(),
        ", turn_id FROM outgoing WHERE wamid = ?1"
    );
    let reply = first(connection, query, [id.as_str()], |row| {
        Ok((LivedReply::read(row)?, row.get::<_, Option<i64>>(14)?))
    })?;
    let Some((reply, turn)) = reply else {
        return Ok(Vec::new());
    };
    let Some(turn) = turn else {
        return Ok(vec![Life {
            message: None,
            turn: None,
            replies: vec![reply],
        }]);
    };
    let query = concat!(
        "SELECT ",
        message_columns!(),
        " FROM message WHERE turn_id = ?1 ORDER BY seq"
    );
    let messages = all(connection, query, [turn], LivedMessage::read)?;
    if messages.is_empty() {
        return Ok(vec![life(connection, None, Some(turn))?]);
    }
    messages
        .into_iter()
        .map(|(message, turn)| life(connection, Some(message), turn))
        .collect()
}

fn life(
    connection: &Connection,
    message: Option<LivedMessage>,
    turn: Option<i64>,
) -> Result<Life, StoreError> {
    let Some(turn) = turn else {
        return Ok(Life {
            message,
            turn: None,
            replies: Vec::new(),
        });
    };
    let query = "SELECT id, state, reason, attempts, created_at, asked_at, accepted_at, settled_at
         FROM turn WHERE id = ?1";
    let replies = concat!(
        "SELECT ",
        reply_columns!(),
        " FROM outgoing WHERE turn_id = ?1 ORDER BY part"
    );
    Ok(Life {
        message,
        turn: first(connection, query, [turn], LivedTurn::read)?,
        replies: all(connection, replies, [turn], LivedReply::read)?,
    })
}

impl LivedMessage {
    fn read(row: &rusqlite::Row<'_>) -> Result<(Self, Option<i64>), StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Message,
            id,
        };
        let message = Self {
            id,
            wamid: crate::row::wamid_at(row, 1)?,
            state: cells.state(2, MessageState::parse)?,
            reason: cells.get(3)?,
            detail: cells.get(4)?,
            inbound: cells.maybe_json(5)?,
            sent_at: cells.maybe_time(6)?,
            received_at: cells.time(7)?,
            done_at: cells.maybe_time(8)?,
        };
        Ok((message, cells.get(9)?))
    }
}

impl LivedTurn {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Turn,
            id,
        };
        Ok(Self {
            id: TurnId(id),
            state: cells.state(1, TurnState::parse)?,
            reason: cells.get(2)?,
            attempts: cells.count(3)?,
            created_at: cells.time(4)?,
            asked_at: cells.maybe_time(5)?,
            accepted_at: cells.maybe_time(6)?,
            settled_at: cells.maybe_time(7)?,
        })
    }
}

impl LivedReply {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Outgoing,
            id,
        };
        Ok(Self {
            id: OutgoingId(id),
            part: cells.count(1)?,
            kind: cells.get(2)?,
            state: cells.state(3, OutgoingState::parse)?,
            reason: cells.get(4)?,
            attempts: cells.count(5)?,
            repeats: cells.count(6)?,
            outgoing: cells.maybe_json(7)?,
            created_at: cells.time(8)?,
            updated_at: cells.time(9)?,
            sent_at: cells.maybe_time(10)?,
            wamid: cells.wamid(11)?,
            delivery: cells.get(12)?,
            delivery_at: cells.maybe_time(13)?,
        })
    }
}
