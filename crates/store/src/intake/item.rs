//! An item as it is written, and the two names of its sender brought together.

use model::{Arrival, ChatKey, Identity, IgnoreReason, Inbound, Phone, Source, Timestamp, UserId};
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::links;
use crate::state::MessageState;
use crate::statement::execute;

/// An item as it is written, made before the verb waits for its place.
pub(super) struct Item {
    number: String,
    wamid: String,
    /// Missing where it is nothing for the agent.
    pub(super) message: Option<Message>,
    reason: Option<&'static str>,
    detail: Option<String>,
}

/// A message for the agent.
pub(super) struct Message {
    pub(super) chat: ChatKey,
    body: String,
    pub(super) sent_at: Timestamp,
    pub(super) source: Source,
    names: Names,
}

/// What a message tells of its sender's names, or has to be told.
enum Names {
    /// A number alone. It costs nothing more.
    Number,
    /// A number and a user id: the pair is learnt.
    Both(Phone, UserId),
    /// A user id alone, with the message: its number may be known.
    User(UserId, Box<Inbound>),
}

impl Item {
    pub(super) fn new(arrival: &Arrival) -> Result<Self, StoreError> {
        Ok(match arrival {
            Arrival::Message(inbound) => Self {
                number: inbound.number.to_string(),
                wamid: inbound.id.to_string(),
                message: Some(Message::new(inbound)?),
                reason: None,
                detail: None,
            },
            Arrival::Ignored(ignored) => Self {
                number: ignored.number.to_string(),
                wamid: ignored.id.to_string(),
                message: None,
                reason: Some(ignored.reason.name()),
                detail: detail(&ignored.reason).map(str::to_owned),
            },
        })
    }

    /// Puts a message of a user id into the chat of its number, where that is known.
    pub(super) fn find_number(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        match &mut message.names {
            Names::Number | Names::Both(..) => Ok(()),
            Names::User(user, inbound) => {
                inbound.known_as = links::phone_of(connection, &self.number, user)?;
                if inbound.known_as.is_some() {
                    message.chat = inbound.chat();
                    // A failure here has to take the whole batch back, as one of the database does.
                    message.body = serde_json::to_string(inbound)
                        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                }
                Ok(())
            }
        }
    }

    /// Notes whose two names it has, if it has two.
    pub(super) fn learn_names(&self, connection: &Connection) -> rusqlite::Result<()> {
        match &self.message {
            Some(Message {
                names: Names::Both(phone, user),
                sent_at,
                ..
            }) => links::learn(connection, &self.number, (phone, user), *sent_at),
            Some(_) | None => Ok(()),
        }
    }

    /// Writes it down unless it is known; whether it was new.
    pub(super) fn insert(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
        let message = self.message.as_ref();
        let state = message.map_or(MessageState::Ignored, |_| MessageState::Received);
        let inserted = execute(
            connection,
            "INSERT INTO message
                (number, wamid, received_at, state, chat, body, sent_at, source, reason, detail, done_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (number, wamid) DO NOTHING",
            params![
                self.number,
                self.wamid,
                now.as_millis(),
                state.as_str(),
                message.map(|message| message.chat.to_string()),
                message.map(|message| &message.body),
                message.map(|message| message.sent_at.as_millis()),
                message.map(|message| source_name(message.source)),
                self.reason,
                self.detail,
                self.reason.map(|_| now.as_millis()),
            ],
        )?;
        Ok(inserted == 1)
    }
}

impl Message {
    fn new(inbound: &Inbound) -> Result<Self, StoreError> {
        let own = inbound.known_as.is_some().then(|| Inbound {
            known_as: None,
            ..inbound.clone()
        });
        let inbound = own.as_ref().unwrap_or(inbound);
        Ok(Self {
            chat: inbound.chat(),
            body: serde_json::to_string(inbound)?,
            sent_at: inbound.sent_at,
            source: inbound.source,
            names: Names::of(inbound),
        })
    }
}

impl Names {
    fn of(inbound: &Inbound) -> Self {
        match (&inbound.from, &inbound.user) {
            (Identity::Phone(_), None) => Self::Number,
            (Identity::Phone(phone), Some(user)) => Self::Both(phone.clone(), user.clone()),
            (Identity::User(user), _) => Self::User(user.clone(), Box::new(inbound.clone())),
        }
    }
}

/// The door as it stands in the file.
const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Poll => "poll",
        Source::Webhook => "webhook",
    }
}

/// The door of that name.
pub(crate) fn source(name: &str) -> Option<Source> {
    [Source::Poll, Source::Webhook]
        .into_iter()
        .find(|source| source_name(*source) == name)
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
