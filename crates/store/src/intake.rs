//! The door: what came in is recorded once, whichever way and however often it comes.

use std::collections::HashSet;

use model::{Arrival, ChatKey, IgnoreReason, NumberId, Source, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::Store;
use crate::counters::{Counter, add};
use crate::error::StoreError;
use crate::state::MessageState;
use crate::statement::{execute, prepared};

/// What [`Store::accept`] found in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The chats that have something new, each once, in the order of the batch.
    pub fresh: Vec<ChatKey>,
    /// Messages that were not known.
    pub new: u64,
    /// Items that were known, or stood in the batch twice.
    pub duplicates: u64,
    /// Items that were not known and are nothing for the agent.
    pub ignored: u64,
    /// Those of the new messages that a webhook should have brought before; counted over restarts, too.
    pub recovered: u64,
}

/// How the list of a number was read, when a batch comes from it.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The number whose list it is.
    pub number: &'a NumberId,
    /// How far it has been read: where the next read begins.
    pub to: Timestamp,
    /// Where webhooks are on: a new message that was sent before this instant was missed by them. None where the list
    /// is the only source.
    pub recovered_before: Option<Timestamp>,
}

impl<'a> Listing<'a> {
    /// The list of `number`, read up to `to`, as the only source of messages.
    pub const fn new(number: &'a NumberId, to: Timestamp) -> Self {
        Self {
            number,
            to,
            recovered_before: None,
        }
    }
}

/// An item as it is written, made before the verb waits for its place.
struct Item {
    number: String,
    wamid: String,
    /// Missing where it is nothing for the agent.
    message: Option<Message>,
    reason: Option<&'static str>,
    detail: Option<String>,
}

struct Message {
    chat: ChatKey,
    body: String,
    sent_at: Timestamp,
    source: Source,
}

impl Store {
    /// Records a batch as it was listed or pushed, and how far the list of a number has been read.
    ///
    /// Durable afterwards: every item, the new ones as `received` or `ignored`, and the cursor; all or nothing.
    /// Repeated, or with an item of an earlier batch: known items are left as they are. Pushed ones are counted as
    /// [`Counter::Duplicates`]; that the list shows what it showed before is its way. The cursor also moves back,
    /// because a clock that ran ahead may have been set right.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded, so nothing may be acknowledged.
    pub async fn accept(
        &self,
        arrivals: &[Arrival],
        listing: Option<Listing<'_>>,
    ) -> Result<Accepted, StoreError> {
        let now = self.now();
        let items: Vec<Item> = arrivals.iter().map(Item::new).collect::<Result<_, _>>()?;
        let recovered_before = listing.and_then(|listing| listing.recovered_before);
        let listed_to = listing.map(|listing| (listing.number.clone(), listing.to));
        self.write(move |connection| {
            let mut found = Found::default();
            for item in items {
                let is_new = item.insert(connection, now)?;
                found.add(item, is_new, recovered_before);
            }
            add(connection, Counter::Duplicates, found.pushed_again)?;
            add(connection, Counter::Recovered, found.accepted.recovered)?;
            if let Some((number, to)) = listed_to {
                move_cursor(connection, &number, to)?;
            }
            Ok(found.accepted)
        })
        .await
    }

    /// How far the list of `number` has been read; none when it never was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn listed_to(&self, number: &NumberId) -> Result<Option<Timestamp>, StoreError> {
        let number = number.clone();
        self.read(move |connection| {
            let to = prepared(
                connection,
                "SELECT listed_to FROM listing WHERE number = $1",
            )?
            .query_row([number.as_str()], |row| row.get(0))
            .optional()?;
            Ok(to.map(Timestamp::from_millis))
        })
        .await
    }
}

impl Store {
    /// Since when messages of `number` count: `at`, unless it was noted before.
    ///
    /// Durable afterwards: that instant. Repeated: the first one stays, also when the process that noted it died before it
    /// did anything else.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn began(&self, number: &NumberId, at: Timestamp) -> Result<Timestamp, StoreError> {
        let number = number.clone();
        self.write(move |connection| {
            execute(
                connection,
                "INSERT INTO beginning (number, at) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING",
                params![number.as_str(), at.as_millis()],
            )?;
            let noted = prepared(connection, "SELECT at FROM beginning WHERE number = $1")?
                .query_row([number.as_str()], |row| row.get(0))?;
            Ok(Timestamp::from_millis(noted))
        })
        .await
    }
}

impl Item {
    fn new(arrival: &Arrival) -> Result<Self, StoreError> {
        Ok(match arrival {
            Arrival::Message(inbound) => Self {
                number: inbound.number.to_string(),
                wamid: inbound.id.to_string(),
                message: Some(Message {
                    chat: inbound.chat(),
                    body: serde_json::to_string(inbound)?,
                    sent_at: inbound.sent_at,
                    source: inbound.source,
                }),
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

    /// Writes it down unless it is known; whether it was new.
    fn insert(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
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

/// What a batch turns out to hold.
#[derive(Default)]
struct Found {
    accepted: Accepted,
    fresh: HashSet<ChatKey>,
    /// Known messages that a webhook brought.
    pushed_again: u64,
}

impl Found {
    fn add(&mut self, item: Item, is_new: bool, recovered_before: Option<Timestamp>) {
        let accepted = &mut self.accepted;
        match item.message {
            None if is_new => accepted.ignored += 1,
            None => accepted.duplicates += 1,
            Some(message) if is_new => {
                accepted.new += 1;
                let is_recovered = recovered_before.is_some_and(|before| message.sent_at < before);
                accepted.recovered += u64::from(is_recovered);
                if self.fresh.insert(message.chat.clone()) {
                    accepted.fresh.push(message.chat);
                }
            }
            Some(message) => {
                accepted.duplicates += 1;
                self.pushed_again += u64::from(message.source == Source::Webhook);
            }
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

fn move_cursor(connection: &Connection, number: &NumberId, to: Timestamp) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT INTO listing (number, listed_to) VALUES ($1, $2)
         ON CONFLICT (number) DO UPDATE SET listed_to = excluded.listed_to",
        params![number.as_str(), to.as_millis()],
    )?;
    Ok(())
}
