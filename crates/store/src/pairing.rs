//! Pairing: a stranger gets a code, the operator approves it, and whom they let in stays in.
//!
//! A stranger cannot make this grow: a business number has at most so many codes at a time, a chat has at most one, and
//! a chat is told at most once a day.

use std::time::Duration;

use model::{ChatKey, Outgoing, Role, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Row, StoreError};
use crate::messages::leave_received;
use crate::notices::was_noticed;
use crate::outgoing::{Kind, Part};
use crate::row::chat;
use crate::state::MessageState;
use crate::statement::{execute, prepared};
use crate::{Store, words};

/// The reason on the messages of strangers.
const NOT_PAIRED: &str = "not_paired";

/// A code of the chat is pending.
pub(crate) const PENDING: &str = "SELECT 1 FROM pairing WHERE chat = $1";

/// How many codes of a business number are pending.
pub(crate) const PENDING_AT: &str = "SELECT COUNT(*) FROM pairing WHERE number = $1";

/// The code that a stranger is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingRequest {
    /// The code, as the notice shows it. Upper and lower case are the same to [`Store::approve`].
    pub code: String,
    /// For how long it can be approved.
    pub lives: Duration,
    /// The most codes that are pending on a business number at a time.
    pub most: u32,
}

/// What became of a stranger's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The code was written down, and the notice is queued.
    Asked,
    /// The chat has a code already, or was told something within the last day. It gets no other.
    Pending,
    /// The business number has as many codes as it may have. The chat may get one when another is approved or expires.
    Full,
}

/// A code that waits to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingEntry {
    /// The code, in upper case.
    pub code: String,
    /// The chat that was given it.
    pub chat: ChatKey,
    /// The profile name. Chosen by the sender: data, never authority.
    pub name: Option<String>,
    /// When the chat was given it, by the bridge's clock.
    pub asked_at: Timestamp,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The chat: one person at one business number.
    pub chat: ChatKey,
    /// What they may do.
    pub role: Role,
    /// Since when, by the bridge's clock.
    pub at: Timestamp,
}

impl Store {
    /// Turns the message of a stranger away, and gives its chat a code where it may have one.
    ///
    /// Durable afterwards: `received` → `refused` as `not_paired` in every case; the code and the notice where it is
    /// [`Pairing::Asked`]; and that codes which expired are gone. A code that another chat has leaves this one without,
    /// as [`Pairing::Full`]. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn ask_to_pair(
        &self,
        message: i64,
        request: &PairingRequest,
        notice: &Outgoing,
    ) -> Result<Pairing, StoreError> {
        let now = self.now();
        let request = PairingRequest {
            code: normal(&request.code),
            ..request.clone()
        };
        let notice = Part::new(notice)?;
        self.write(move |connection| ask(connection, message, &request, &notice, now))
            .await
    }

    /// The codes that can be approved now, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pairings(&self) -> Result<Vec<PairingEntry>, StoreError> {
        let now = self.now();
        self.journal
            .report(move |connection| pairings(connection, now))
            .await
    }

    /// Lets the chat in that was given `code`. None where there is no such code, or where it expired.
    ///
    /// Durable afterwards: the approval, instead of one that the chat had before, and that the code is used up.
    /// Repeated: none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approve(&self, code: &str, role: &Role) -> Result<Option<Approval>, StoreError> {
        let now = self.now();
        let (code, role) = (normal(code), role.clone());
        self.write(move |connection| approve(connection, &code, role, now))
            .await
    }

    /// Everyone who was let in by a code, the earliest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        self.journal.report(approvals).await
    }

    /// Takes an approval back; whether there was one.
    ///
    /// Durable afterwards: that it is gone. Repeated: there is none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn revoke(&self, chat: &ChatKey) -> Result<bool, StoreError> {
        let chat = chat.to_string();
        self.write(move |connection| {
            let gone = execute(connection, "DELETE FROM approval WHERE chat = $1", [chat])?;
            Ok(gone > 0)
        })
        .await
    }
}

/// A code as it is compared: people type it off a screen.
fn normal(code: &str) -> String {
    code.trim().to_ascii_uppercase()
}

fn ask(
    connection: &Connection,
    message: i64,
    request: &PairingRequest,
    notice: &Part,
    now: Timestamp,
) -> Result<Pairing, StoreError> {
    leave_received(connection, message, MessageState::Refused, NOT_PAIRED, now)?;
    execute(
        connection,
        "DELETE FROM pairing WHERE expires_at <= $1",
        [now.as_millis()],
    )?;
    let whose = "SELECT chat, body FROM message WHERE seq = $1";
    let (chat, body): (String, Option<String>) =
        prepared(connection, whose)?.query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if prepared(connection, PENDING)?.exists([&chat])? || was_noticed(connection, &chat, now)? {
        return Ok(Pairing::Pending);
    }
    let number = chat.split_once('/').map_or("", |(number, _)| number);
    let pending: u32 = prepared(connection, PENDING_AT)?.query_row([number], |row| row.get(0))?;
    if pending >= request.most {
        return Ok(Pairing::Full);
    }
    let written = execute(
        connection,
        "INSERT INTO pairing (code, number, chat, name, asked_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        params![
            request.code,
            number,
            chat,
            words::inbound(body.as_deref()).name,
            now.as_millis(),
            now.later(request.lives).as_millis(),
        ],
    )?;
    if written == 0 {
        return Ok(Pairing::Full);
    }
    notice.insert(connection, Kind::Notice, now)?;
    Ok(Pairing::Asked)
}

fn pairings(connection: &Connection, now: Timestamp) -> Result<Vec<PairingEntry>, StoreError> {
    let mut pending = connection.prepare(
        "SELECT code, chat, name, asked_at, expires_at FROM pairing
         WHERE expires_at > $1 ORDER BY asked_at, code",
    )?;
    pending
        .query_and_then([now.as_millis()], |row| {
            Ok(PairingEntry {
                code: row.get(0)?,
                chat: chat(Row::Message, &row.get::<_, String>(1)?)?,
                name: row.get(2)?,
                asked_at: Timestamp::from_millis(row.get(3)?),
                expires_at: Timestamp::from_millis(row.get(4)?),
            })
        })?
        .collect()
}

fn approve(
    connection: &Connection,
    code: &str,
    role: Role,
    now: Timestamp,
) -> Result<Option<Approval>, StoreError> {
    let pending = "SELECT chat FROM pairing WHERE code = $1 AND expires_at > $2";
    let found: Option<String> = prepared(connection, pending)?
        .query_row(params![code, now.as_millis()], |row| row.get(0))
        .optional()?;
    let Some(name) = found else {
        return Ok(None);
    };
    let approval = Approval {
        chat: chat(Row::Message, &name)?,
        role,
        at: now,
    };
    execute(connection, "DELETE FROM pairing WHERE code = $1", [code])?;
    execute(
        connection,
        "INSERT INTO approval (chat, role, at) VALUES ($1, $2, $3)
         ON CONFLICT (chat) DO UPDATE SET role = excluded.role, at = excluded.at",
        params![name, approval.role.0, now.as_millis()],
    )?;
    Ok(Some(approval))
}

fn approvals(connection: &Connection) -> Result<Vec<Approval>, StoreError> {
    let mut approvals =
        connection.prepare("SELECT chat, role, at FROM approval ORDER BY at, chat")?;
    approvals
        .query_and_then((), |row| {
            Ok(Approval {
                chat: chat(Row::Message, &row.get::<_, String>(0)?)?,
                role: Role(row.get(1)?),
                at: Timestamp::from_millis(row.get(2)?),
            })
        })?
        .collect()
}
