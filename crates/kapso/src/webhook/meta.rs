//! Meta's own envelope: entries of changes, each with messages, statuses, echoes or history (kapso.md 4.1, 4.4).

use std::collections::HashMap;

use model::{IgnoreReason, Source};
use serde_json::value::RawValue;

use super::scope::Whose;
use super::{About, Kind, MOST, Reading};
use crate::wire::receipt;
use crate::wire::unread::{elements, is_list, is_object, pick, text};
use crate::wire::{Conversation, Item, Profile, listed};

/// The fields that are read.
const FIELDS: [&str; 4] = [
    "messages",
    "smb_message_echoes",
    "message_echoes",
    "history",
];

impl Reading<'_> {
    pub(super) fn envelope(&mut self, entries: &RawValue) -> Kind {
        if !is_list(entries) {
            return Kind::Malformed("its entries are no list");
        }
        for entry in self.elements(Some(entries)) {
            let [changes] = pick(entry, ["changes"]);
            if changes.is_none() {
                self.malformed(entry, "an entry without changes");
            }
            for change in self.elements(changes) {
                let [field, value] = pick(change, ["field", "value"]);
                match value.filter(|value| is_object(value)) {
                    Some(value) => self.change(field.and_then(text).as_deref(), value),
                    None => self.malformed(change, "a change without a value"),
                }
            }
        }
        Kind::Meta
    }

    /// The elements of a list; what is too many of them is counted.
    fn elements<'a>(&mut self, list: Option<&'a RawValue>) -> Vec<&'a RawValue> {
        let elements = list.map(|list| elements(list, MOST)).unwrap_or_default();
        self.pushed.left_out += elements.beyond;
        elements.taken
    }

    fn change(&mut self, field: Option<&str>, value: &RawValue) {
        let names = [
            "metadata",
            "contacts",
            "messages",
            "statuses",
            "message_echoes",
            "history",
        ];
        let [metadata, contacts, messages, statuses, echoes, history] = pick(value, names);
        let [id] = metadata.map_or([None], |it| pick(it, ["phone_number_id"]));
        let id = id.and_then(text);
        let whose = self.scope.whose([id.as_deref()]);
        if whose == Ok(Whose::Unnamed) && field.is_some_and(|field| !FIELDS.contains(&field)) {
            // Of no use to any number.
            return;
        }
        let Some(about) = self.settle(value, whose) else {
            return;
        };
        let about = &about;
        match field {
            Some("messages") | None => {
                self.messages(about, contacts, messages);
                self.statuses(about, statuses);
            }
            // Only the first is said to be a phone's alone; a person's send is known by its unknown id as well.
            Some("smb_message_echoes") => self.echoes(about, echoes, true),
            Some("message_echoes") => self.echoes(about, echoes, false),
            Some("history") => self.history(about, history, messages),
            Some(_) => {}
        }
    }

    fn messages(
        &mut self,
        about: &About<'_>,
        contacts: Option<&RawValue>,
        messages: Option<&RawValue>,
    ) {
        let people = People::new(&self.elements(contacts));
        for message in self.elements(messages) {
            let message = Item::read(message);
            let context = people.sender(&message);
            let read = message.listed(about.number(), context, Source::Webhook, self.now);
            match about {
                About::Ours(_) => self.arrived(read.arrival),
                About::Other(other) => {
                    self.set_aside(other, &read.arrival, IgnoreReason::OtherNumber);
                }
            }
        }
    }

    fn statuses(&mut self, about: &About<'_>, statuses: Option<&RawValue>) {
        for status in self.elements(statuses) {
            let About::Ours(number) = about else {
                self.pushed.elsewhere += 1;
                continue;
            };
            let receipt = receipt::of_status(number, status, self.now);
            self.receipt(status, receipt);
        }
    }

    fn echoes(&mut self, about: &About<'_>, echoes: Option<&RawValue>, by_hand: bool) {
        for echo in self.elements(echoes) {
            let About::Ours(number) = about else {
                self.pushed.elsewhere += 1;
                continue;
            };
            let receipt = Item::read(echo).echo(number, by_hand, self.now);
            self.receipt(echo, receipt);
        }
    }

    /// Threads of messages of the last half year, and, in pushes of their own, the files of some of them.
    fn history(&mut self, about: &About<'_>, history: Option<&RawValue>, files: Option<&RawValue>) {
        self.past(about, files);
        for chunk in self.elements(history) {
            let [threads] = pick(chunk, ["threads"]);
            for thread in self.elements(threads) {
                let [messages] = pick(thread, ["messages"]);
                self.past(about, messages);
            }
        }
    }

    fn past(&mut self, about: &About<'_>, messages: Option<&RawValue>) {
        let (number, reason) = match about {
            About::Ours(number) => (*number, IgnoreReason::HistorySync),
            About::Other(other) => (other, IgnoreReason::OtherNumber),
        };
        for message in self.elements(messages) {
            let read = listed(number, message, None, Source::Webhook, self.now);
            self.set_aside(number, &read.arrival, reason.clone());
        }
    }
}

/// The people of `contacts[]`.
struct People {
    people: Vec<Conversation>,
    /// Their places, by number and by user id as Meta writes them.
    places: HashMap<String, usize>,
}

impl People {
    fn new(contacts: &[&RawValue]) -> Self {
        let mut found = Self {
            people: Vec::new(),
            places: HashMap::new(),
        };
        for contact in contacts.iter().filter(|it| is_object(it)) {
            let Ok(profile) = serde_json::from_str::<Profile>(contact.get()) else {
                continue;
            };
            let place = found.people.len();
            let names = [&profile.wa_id, &profile.user_id];
            let names = names.into_iter().flatten().cloned();
            found.places.extend(names.map(|name| (name, place)));
            found.people.push(profile.into());
        }
        found
    }

    /// Who wrote `message`: the one that it names, or the only one there is.
    fn sender(&self, message: &Item<'_>) -> Option<&Conversation> {
        let mut named = message.senders().into_iter().flatten();
        let place = named.find_map(|name| self.places.get(name).copied());
        match (place, self.people.as_slice()) {
            (Some(place), people) => people.get(place),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}
