//! Rows as the stages see them, read back and checked.

use model::{ChatKey, Identity, Inbound, MessageId, NumberId, Outgoing, Timestamp, Turn};
use rusqlite::Connection;
use serde::de::DeserializeOwned;

use crate::error::{Row, StoreError};
use crate::state::{OutgoingId, OutgoingState, TurnId, TurnState};
use crate::statement::prepared;

/// A message that waits for a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMessage {
    /// Its number in the journal, in the order of arrival.
    pub id: i64,
    /// What came.
    pub inbound: Inbound,
    /// When it was written here, by the bridge's clock.
    pub received_at: Timestamp,
    /// When the operator gave it another life: its age counts from then.
    pub released_at: Option<Timestamp>,
}

/// A turn in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTurn {
    /// Its number in the journal.
    pub id: TurnId,
    /// The question.
    pub turn: Turn,
    /// Where it stands.
    pub state: TurnState,
    /// The run of the gateway that was asked last, as text of its own making.
    pub boot: Option<String>,
    /// When it was asked last, by the bridge's clock.
    pub asked_at: Option<Timestamp>,
    /// When the gateway first accepted it, by the gateway's clock.
    pub accepted_at: Option<Timestamp>,
    /// Where the session's transcript stood when it was asked last.
    pub transcript_mark: Option<String>,
    /// How often it was asked.
    pub attempts: u32,
    /// How many parts of the answer are rows already.
    pub said: u32,
    /// When it was written here, by the bridge's clock.
    pub created_at: Timestamp,
}

/// An outgoing message in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOutgoing {
    /// Its number in the journal.
    pub id: OutgoingId,
    /// The turn that it answers; none for notices and for what was sent by hand.
    pub turn: Option<TurnId>,
    /// Its place among the parts of that turn, from 0.
    pub part: u32,
    /// The message.
    pub outgoing: Outgoing,
    /// Where it stands.
    pub state: OutgoingState,
    /// How often a request was made for it.
    pub attempts: u32,
    /// Not to be tried again before this instant of the bridge's clock.
    pub not_before: Option<Timestamp>,
    /// Why the last try did not succeed.
    pub reason: Option<String>,
    /// When it was written here, by the bridge's clock.
    pub created_at: Timestamp,
    /// When its state changed last, by the bridge's clock.
    pub updated_at: Timestamp,
}

impl StoredMessage {
    /// Reads `seq, body, received_at, released_at`.
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Message,
            id,
        };
        Ok(Self {
            id,
            inbound: cells.json(1)?,
            received_at: cells.time(2)?,
            released_at: cells.maybe_time(3)?,
        })
    }
}

impl StoredTurn {
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Turn,
            id,
        };
        Ok(Self {
            id: TurnId(id),
            turn: cells.json(1)?,
            state: cells.state(2, TurnState::parse)?,
            boot: row.get(3)?,
            asked_at: cells.maybe_time(4)?,
            accepted_at: cells.maybe_time(5)?,
            transcript_mark: row.get(6)?,
            attempts: cells.count(7)?,
            said: cells.count(8)?,
            created_at: cells.time(9)?,
        })
    }
}

impl StoredOutgoing {
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        let id = row.get(0)?;
        let cells = Cells {
            row,
            kind: Row::Outgoing,
            id,
        };
        Ok(Self {
            id: OutgoingId(id),
            turn: row.get::<_, Option<i64>>(1)?.map(TurnId),
            part: cells.count(2)?,
            outgoing: cells.json(3)?,
            state: cells.state(4, OutgoingState::parse)?,
            attempts: cells.count(5)?,
            not_before: cells.maybe_time(6)?,
            reason: row.get(7)?,
            created_at: cells.time(8)?,
            updated_at: cells.time(9)?,
        })
    }
}

/// A row that knows its own name, for the errors.
pub(crate) struct Cells<'r> {
    pub(crate) row: &'r rusqlite::Row<'r>,
    pub(crate) kind: Row,
    pub(crate) id: i64,
}

impl Cells<'_> {
    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt {
            row: self.kind,
            id: self.id,
            detail,
        }
    }

    fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, StoreError> {
        let text: String = self.row.get(column)?;
        // The position alone: serde's own words would repeat the customer's.
        serde_json::from_str(&text).map_err(|error| {
            self.corrupt(format!(
                "its body is wrong at line {} column {}",
                error.line(),
                error.column()
            ))
        })
    }

    pub(crate) fn state<S>(
        &self,
        column: usize,
        parse: fn(&str) -> Option<S>,
    ) -> Result<S, StoreError> {
        let text: String = self.row.get(column)?;
        parse(&text).ok_or_else(|| self.corrupt(format!("there is no state {text:?}")))
    }

    pub(crate) fn count(&self, column: usize) -> Result<u32, StoreError> {
        let count: i64 = self.row.get(column)?;
        u32::try_from(count).map_err(|error| self.corrupt(format!("{count} is no count: {error}")))
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.row.get(column)?))
    }

    /// WhatsApp's name of it.
    pub(crate) fn wamid(&self, column: usize) -> Result<MessageId, StoreError> {
        let text: String = self.row.get(column)?;
        MessageId::new(&text).map_err(|error| self.corrupt(format!("its id {error}")))
    }

    /// WhatsApp's name of it, if it has one.
    pub(crate) fn maybe_wamid(&self, column: usize) -> Result<Option<MessageId>, StoreError> {
        let text: Option<String> = self.row.get(column)?;
        text.map(|_| self.wamid(column)).transpose()
    }

    pub(crate) fn maybe_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let millis: Option<i64> = self.row.get(column)?;
        Ok(millis.map(Timestamp::from_millis))
    }
}

/// The chats whose names `statement` finds.
pub(crate) fn chats(
    connection: &Connection,
    row: Row,
    statement: &str,
) -> Result<Vec<ChatKey>, StoreError> {
    let mut names = prepared(connection, statement)?;
    names
        .query_and_then((), |found| chat(row, &found.get::<_, String>(0)?))?
        .collect()
}

/// The chat of a name that [`ChatKey`]'s `Display` wrote.
pub(crate) fn chat(row: Row, name: &str) -> Result<ChatKey, StoreError> {
    let read = || {
        let (number, peer) = name.split_once('/')?;
        let peer = Identity::new(peer).ok()?;
        Some(ChatKey::new(NumberId::new(number).ok()?, &peer))
    };
    read().ok_or_else(|| StoreError::Corrupt {
        row,
        id: 0,
        detail: format!("{name:?} is no chat"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_read_back_from_its_name() {
        for peer in [
            "+5491155551234",
            "+5511987654321",
            "US.ENT.1349aB",
            "+15551234567",
        ] {
            let key = ChatKey::new(
                NumberId::new("106540352242922").unwrap(),
                &Identity::new(peer).unwrap(),
            );
            assert_eq!(chat(Row::Message, &key.to_string()).unwrap(), key);
        }
        assert!(chat(Row::Message, "106540352242922").is_err());
    }
}
