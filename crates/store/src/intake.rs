//! The door: what came in is recorded once, whichever way and however often it comes.

mod item;

use std::collections::HashSet;

use model::{Arrival, ChatKey, NumberId, Source, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::Store;
use crate::counters::{Counter, add};
use crate::error::StoreError;
use crate::intake::item::Item;
use crate::statement::{execute, prepared};

pub(crate) use item::source;

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

impl Store {
    /// Records a batch as it was listed or pushed, and how far the list of a number has been read.
    ///
    /// The two names of one person are brought together here: a new message with a number and a user id tells that they
    /// are one person's, and one with such a user id alone is `known_as` that number, and of its chat. Nothing that the
    /// caller says of `known_as` counts.
    ///
    /// Durable afterwards: every item, the new ones as `received` or `ignored`, what they tell of their senders' names,
    /// and the cursor; all or nothing. Repeated, or with an item of an earlier batch: known items are left as they are.
    /// Pushed ones are counted as [`Counter::Duplicates`]; that the list shows what it showed before is its way. The
    /// cursor also moves back, because a clock that ran ahead may have been set right.
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
            for mut item in items {
                item.find_number(connection)?;
                let is_new = item.insert(connection, now)?;
                if is_new {
                    item.learn_names(connection)?;
                }
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

fn move_cursor(connection: &Connection, number: &NumberId, to: Timestamp) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT INTO listing (number, listed_to) VALUES ($1, $2)
         ON CONFLICT (number) DO UPDATE SET listed_to = excluded.listed_to",
        params![number.as_str(), to.as_millis()],
    )?;
    Ok(())
}
