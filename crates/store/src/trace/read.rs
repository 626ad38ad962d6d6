//! How the rows of a life are read.

use rusqlite::Row as Cursor;

use super::{TracedMessage, TracedReply, TracedTurn};
use crate::error::{Row, StoreError};
use crate::intake::source;
use crate::row::{Cells, chat};
use crate::state::{MessageState, OutgoingId, OutgoingState, TurnId, TurnState};
use crate::words;

/// What a traced message shows.
pub(super) const MESSAGE: &str = "SELECT seq, wamid, chat, source, state, reason, detail,
            sent_at, received_at, done_at, body, turn_id FROM message";

/// What a traced turn shows.
pub(super) const TURN: &str =
    "SELECT id, state, reason, attempts, created_at, asked_at, accepted_at, settled_at FROM turn";

/// What a traced reply shows.
pub(super) const REPLY: &str =
    "SELECT id, turn_id, part, kind, state, reason, attempts, repeats, created_at, updated_at, sent_at, wamid,
            delivery, delivery_at, body FROM outgoing";

impl TracedMessage {
    /// Reads a row of [`MESSAGE`]; with its turn.
    pub(super) fn read(row: &Cursor<'_>) -> Result<(Self, Option<i64>), StoreError> {
        let seq = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Message,
            id: seq,
        };
        let name: Option<String> = row.get(2)?;
        let door: Option<String> = row.get(3)?;
        let reason: Option<String> = row.get(5)?;
        let detail: Option<String> = row.get(6)?;
        let words = words::inbound(row.get::<_, Option<String>>(10)?.as_deref());
        let message = Self {
            seq,
            wamid: cells.wamid(1)?,
            chat: name.map(|name| chat(Row::Message, &name)).transpose()?,
            name: words.name,
            source: door.as_deref().and_then(source),
            kind: words.kind,
            text: words.text,
            state: cells.state(4, MessageState::parse)?,
            reason: reason.map(|reason| match detail {
                Some(detail) => format!("{reason}: {detail}"),
                None => reason,
            }),
            sent_at: cells.maybe_time(7)?,
            received_at: cells.time(8)?,
            done_at: cells.maybe_time(9)?,
        };
        Ok((message, row.get(11)?))
    }
}

impl TracedTurn {
    /// Reads a row of [`TURN`].
    pub(super) fn read(row: &Cursor<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Turn,
            id,
        };
        Ok(Self {
            id: TurnId(id),
            state: cells.state(1, TurnState::parse)?,
            reason: row.get(2)?,
            attempts: cells.count(3)?,
            created_at: cells.time(4)?,
            asked_at: cells.maybe_time(5)?,
            accepted_at: cells.maybe_time(6)?,
            settled_at: cells.maybe_time(7)?,
        })
    }
}

impl TracedReply {
    /// Reads a row of [`REPLY`]; with its turn.
    pub(super) fn read(row: &Cursor<'_>) -> Result<(Self, Option<i64>), StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Outgoing,
            id,
        };
        let reply = Self {
            id: OutgoingId(id),
            part: cells.count(2)?,
            kind: row.get(3)?,
            state: cells.state(4, OutgoingState::parse)?,
            reason: row.get(5)?,
            attempts: cells.count(6)?,
            repeats: cells.count(7)?,
            created_at: cells.time(8)?,
            updated_at: cells.time(9)?,
            sent_at: cells.maybe_time(10)?,
            wamid: cells.maybe_wamid(11)?,
            delivery: row.get(12)?,
            delivery_at: cells.maybe_time(13)?,
            text: words::outgoing(Some(&row.get::<_, String>(14)?)),
        };
        Ok((reply, row.get(1)?))
    }
}
