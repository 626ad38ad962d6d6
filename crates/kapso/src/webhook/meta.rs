//! Meta's own envelope: entries of changes, each with messages, statuses, echoes or history (kapso.md 4.1, 4.4).

use std::collections::HashMap;

use model::{IgnoreReason, NumberId, Source};
use serde_json::value::RawValue;

use super::{Kind, MOST, Reading, other_number};
use crate::wire::receipt;
use crate::wire::unread::{elements, is_list, is_object, pick, text};
use crate::wire::{Conversation, Item, Profile, listed};

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
        let other = match other_number(self.number, [id.as_deref()]) {
            Ok(other) => other,
            Err(what) => return self.malformed(value, what),
        };
        let other = other.as_ref();
        match field {
            Some("messages") | None => {
                self.messages(other, contacts, messages);
                self.statuses(other, statuses);
            }
            // Only the first is said to be a phone's alone; a person's send is known by its unknown id as well.
            Some("smb_message_echoes") => self.echoes(other, echoes, true),
            Some("message_echoes") => self.echoes(other, echoes, false),
            Some("history") => self.history(other, history, messages),
            Some(_) => {}
        }
    }

    fn messages(
        &mut self,
        other: Option<&NumberId>,
        contacts: Option<&RawValue>,
        messages: Option<&RawValue>,
    ) {
        let people = People::new(&self.elements(contacts));
        for message in self.elements(messages) {
            let message = Item::read(message);
            let context = people.sender(&message);
            let read = message.listed(self.number, context, Source::Webhook, self.now);
            match other {
                None => self.arrived(read.arrival),
                Some(number) => {
                    self.set_aside(number, &read.arrival, IgnoreReason::OtherNumber);
                }
            }
        }
    }

    fn statuses(&mut self, other: Option<&NumberId>, statuses: Option<&RawValue>) {
        for status in self.elements(statuses) {
            if other.is_some() {
                self.pushed.elsewhere += 1;
                continue;
            }
            let receipt = receipt::of_status(self.number, status, self.now);
            self.receipt(status, receipt);
        }
    }

    fn echoes(&mut self, other: Option<&NumberId>, echoes: Option<&RawValue>, by_hand: bool) {
        for echo in self.elements(echoes) {
            if other.is_some() {
                self.pushed.elsewhere += 1;
                continue;
            }
            let receipt = Item::read(echo).echo(self.number, by_hand, self.now);
            self.receipt(echo, receipt);
        }
    }

    /// Threads of messages of the last half year, and, in pushes of their own, the files of some of them.
    fn history(
        &mut self,
        other: Option<&NumberId>,
        history: Option<&RawValue>,
        files: Option<&RawValue>,
    ) {
        self.past(other, files);
        for chunk in self.elements(history) {
            let [threads] = pick(chunk, ["threads"]);
            for thread in self.elements(threads) {
                let [messages] = pick(thread, ["messages"]);
                self.past(other, messages);
            }
        }
    }

    fn past(&mut self, other: Option<&NumberId>, messages: Option<&RawValue>) {
        let (number, reason) = match other {
            None => (self.number, IgnoreReason::HistorySync),
            Some(number) => (number, IgnoreReason::OtherNumber),
        };
        for message in self.elements(messages) {
            let read = listed(self.number, message, None, Source::Webhook, self.now);
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
