//! Where the rows of a life are found.

use model::{ChatKey, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params};

use super::read::{MESSAGE, REPLY, TURN};
use super::{Life, Subject, TracedMessage, TracedReply, TracedTurn};
use crate::error::StoreError;

/// How many of the newest rows are looked at for those of a chat.
const LOOKED_AT: i64 = 100_000;

pub(super) fn lives(
    connection: &Connection,
    subject: &Subject,
    limit: u32,
) -> Result<Vec<Life>, StoreError> {
    let mut lives = match subject {
        Subject::Id(wamid) => of_id(connection, wamid)?,
        Subject::Chat(chat) => of_chat(connection, chat, limit)?,
    };
    lives.sort_by_key(Life::begun);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(lives.split_off(lives.len().saturating_sub(most)))
}

impl Life {
    /// When it began, by the bridge's clock; among those of one instant, in the order of their rows.
    pub fn begun(&self) -> (Option<Timestamp>, i64) {
        let message = self.message.as_ref();
        let reply = self.replies.first();
        let at = message.map(|message| message.received_at);
        let at = at.or_else(|| Some(self.turn.as_ref()?.created_at));
        let at = at.or_else(|| Some(reply?.created_at));
        (at, message.map_or(0, |message| message.seq))
    }
}

fn of_id(connection: &Connection, wamid: &MessageId) -> Result<Vec<Life>, StoreError> {
    let mut lives = Vec::new();
    for number in numbers(connection)? {
        for (message, turn) in messages(
            connection,
            "number = $1 AND wamid = $2",
            (number, wamid.as_str()),
        )? {
            lives.push(with_turn(connection, Some(message), turn)?);
        }
    }
    for (reply, turn) in replies(connection, "wamid = $1", [wamid.as_str()])? {
        match turn {
            None => lives.push(alone(reply)),
            Some(turn) => lives.extend(of_turn(connection, turn)?),
        }
    }
    Ok(lives)
}

fn of_chat(connection: &Connection, chat: &ChatKey, limit: u32) -> Result<Vec<Life>, StoreError> {
    let chat = chat.to_string();
    let found = messages(
        connection,
        "seq > (SELECT MAX(seq) FROM message) - $1 AND chat = $2 ORDER BY seq DESC LIMIT $3",
        (LOOKED_AT, &chat, limit),
    )?;
    let mut lives = Vec::new();
    for (message, turn) in found {
        lives.push(with_turn(connection, Some(message), turn)?);
    }
    let unasked = replies(
        connection,
        "id > (SELECT MAX(id) FROM outgoing) - $1 AND chat = $2 AND turn_id IS NULL ORDER BY id DESC LIMIT $3",
        (LOOKED_AT, &chat, limit),
    )?;
    lives.extend(unasked.into_iter().map(|(reply, _)| alone(reply)));
    Ok(lives)
}

/// The lives of the messages of a turn; one without a message, where they were forgotten.
fn of_turn(connection: &Connection, turn: i64) -> Result<Vec<Life>, StoreError> {
    let asked = messages(connection, "turn_id = $1 ORDER BY seq", [turn])?;
    if asked.is_empty() {
        return Ok(vec![with_turn(connection, None, Some(turn))?]);
    }
    asked
        .into_iter()
        .map(|(message, turn)| with_turn(connection, Some(message), turn))
        .collect()
}

fn with_turn(
    connection: &Connection,
    message: Option<TracedMessage>,
    turn: Option<i64>,
) -> Result<Life, StoreError> {
    let Some(id) = turn else {
        return Ok(Life {
            message,
            turn: None,
            replies: Vec::new(),
        });
    };
    let said = replies(connection, "turn_id = $1 ORDER BY part", [id])?;
    let mut turns = connection.prepare_cached(&format!("{TURN} WHERE id = $1"))?;
    Ok(Life {
        message,
        turn: turns
            .query_and_then([id], TracedTurn::read)?
            .next()
            .transpose()?,
        replies: said.into_iter().map(|(reply, _)| reply).collect(),
    })
}

fn alone(reply: TracedReply) -> Life {
    Life {
        message: None,
        turn: None,
        replies: vec![reply],
    }
}

/// The messages of a condition, each with its turn.
fn messages(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<(TracedMessage, Option<i64>)>, StoreError> {
    let mut messages = connection.prepare_cached(&format!("{MESSAGE} WHERE {condition}"))?;
    messages
        .query_and_then(parameters, TracedMessage::read)?
        .collect()
}

/// The outgoing messages of a condition, each with its turn.
fn replies(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<(TracedReply, Option<i64>)>, StoreError> {
    let mut replies = connection.prepare_cached(&format!("{REPLY} WHERE {condition}"))?;
    replies
        .query_and_then(parameters, TracedReply::read)?
        .collect()
}

/// The business numbers that have messages: the key of a message begins with one.
fn numbers(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut next = connection.prepare("SELECT MIN(number) FROM message WHERE number > $1")?;
    let mut numbers = Vec::new();
    let mut last = String::new();
    while let Some(number) = next
        .query_row([&last], |row| row.get::<_, Option<String>>(0))
        .optional()?
        .flatten()
    {
        last.clone_from(&number);
        numbers.push(number);
    }
    Ok(numbers)
}
