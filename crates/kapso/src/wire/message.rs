//! The message object, and who is on its two ends.

use model::{Identity, MessageId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{
    Button, ContactCard, File, Interactive, Order, Place, Reaction, System, Text, Unsupported,
};
use super::kapso::{Conversation, Extension};
use super::{lenient, unread};

/// The longest profile name that is kept, in characters; WhatsApp's have 25. One name can stand for the senders of
/// thousands of messages of one body, each of which gets a copy.
const LONGEST_NAME: usize = 128;

/// A message as served: Meta's object without what Kapso dropped, and Kapso's own beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::integer")]
    pub(super) timestamp: Option<i64>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    from: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    from_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    from_parent_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    to: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    to_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    to_parent_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    group_id: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    context: Context,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) text: Option<Text>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) image: Option<File>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) video: Option<File>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) audio: Option<File>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) document: Option<File>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) sticker: Option<File>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) location: Option<Place>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) contacts: Vec<ContactCard>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) interactive: Option<Interactive>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) button: Option<Button>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) reaction: Option<Reaction>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) order: Option<Order>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) system: Option<System>,
    #[serde(deserialize_with = "lenient::any")]
    pub(super) unsupported: Option<Unsupported>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) kapso: Extension,
}

/// What the message refers to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    message_id: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    forwarded: bool,
    #[serde(deserialize_with = "lenient::flag")]
    frequently_forwarded: bool,
}

impl Message {
    /// Reads a message; none when `raw` is no object or cannot be read at all.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        let read = serde_json::from_str(raw.get()).ok();
        read.filter(|_| unread::is_object(raw))
    }

    /// Whether Kapso says that it went this way, `inbound` or `outbound`.
    pub(super) fn says(&self, direction: &str) -> bool {
        let said = self.kapso.direction.as_deref();
        said.is_some_and(|said| said.eq_ignore_ascii_case(direction))
    }

    /// Whether it was imported when the number was connected (kapso.md 4.7).
    pub(super) fn is_history(&self) -> bool {
        self.kapso.origin.as_deref() == Some("history_sync")
    }

    /// The number and the user id of the sender, as they stand there.
    pub(super) fn senders(&self) -> [Option<&str>; 2] {
        [self.from.as_deref(), self.from_user_id.as_deref()]
    }

    /// Whether it passed through the phone. That means that a person of the business typed it, if it went out; of
    /// what came in it means nothing (kapso.md 4.7).
    pub(super) fn is_of_phone(&self) -> bool {
        self.kapso.origin.as_deref() == Some("business_app")
    }

    /// Whether it went out from the business number. Where Kapso does not say, a recipient without a sender shows it.
    pub(super) fn is_outbound(&self) -> bool {
        match &self.kapso.direction {
            Some(direction) => !direction.eq_ignore_ascii_case("inbound"),
            None => {
                let to = self.to.is_some() || self.to_user_id.is_some();
                let from = self.from.is_some() || self.from_user_id.is_some();
                to && !from
            }
        }
    }

    pub(super) fn is_group(&self) -> bool {
        self.group_id.is_some() || self.kapso.group_id.is_some()
    }

    pub(super) fn is_forwarded(&self) -> bool {
        self.context.forwarded || self.context.frequently_forwarded
    }

    /// The message that this one answers.
    pub(super) fn quoted(&self) -> Option<MessageId> {
        let ids = [&self.context.id, &self.context.message_id];
        ids.into_iter()
            .flatten()
            .find_map(|id| MessageId::new(id).ok())
    }

    /// Who wrote: the number if any field knows it, else the user id (kapso.md 6.2).
    pub(super) fn sender(&self, context: Option<&Conversation>) -> Option<Identity> {
        best([
            self.from.as_ref(),
            context.and_then(|chat| chat.phone_number.as_ref()),
            self.kapso.phone_number.as_ref(),
            self.from_user_id.as_ref(),
            context.and_then(|chat| chat.business_scoped_user_id.as_ref()),
            self.from_parent_user_id.as_ref(),
            context.and_then(|chat| chat.parent_business_scoped_user_id.as_ref()),
        ])
    }

    /// The user id of the person who wrote, where one stands beside the number `from`.
    pub(super) fn user(&self, from: &Identity, context: Option<&Conversation>) -> Option<UserId> {
        let ids = identities([
            self.from_user_id.as_ref(),
            context.and_then(|chat| chat.business_scoped_user_id.as_ref()),
        ]);
        ids.into_iter().find_map(|id| match (from, id) {
            (Identity::Phone(_), Identity::User(user)) => Some(user),
            (Identity::Phone(_) | Identity::User(_), _) => None,
        })
    }

    /// Who an outbound message went to: the number if any field knows it, else the user id. Where that is a whole
    /// group, no person is the recipient.
    pub(super) fn recipient(&self, context: Option<&Conversation>) -> Option<Identity> {
        let person = best([
            self.to.as_ref(),
            self.kapso.phone_number.as_ref(),
            context.and_then(|chat| chat.phone_number.as_ref()),
            self.to_user_id.as_ref(),
            context.and_then(|chat| chat.business_scoped_user_id.as_ref()),
            self.to_parent_user_id.as_ref(),
            context.and_then(|chat| chat.parent_business_scoped_user_id.as_ref()),
        ]);
        person.filter(|_| !self.is_group())
    }

    /// Under which names the recipient of an outbound message is known.
    pub(super) fn recipients(&self) -> Vec<Identity> {
        identities([
            self.to.as_ref(),
            self.kapso.phone_number.as_ref(),
            self.to_user_id.as_ref(),
            self.to_parent_user_id.as_ref(),
        ])
    }

    /// The profile name.
    pub(super) fn name(&self, context: Option<&Conversation>) -> Option<String> {
        context
            .and_then(|chat| {
                chat.kapso
                    .contact_name
                    .as_ref()
                    .or(chat.contact_name.as_ref())
            })
            .or(self.kapso.contact_name.as_ref())
            .map(|name| name.trim().chars().take(LONGEST_NAME).collect())
    }

    /// The words of a text. Kapso's own prose stands in only where a text has no body (kapso.md 10.9).
    pub(super) fn words(&self) -> Option<String> {
        let body = self.text.as_ref().and_then(|text| text.body.clone());
        match self.kind.as_deref() {
            Some("text") => body.or_else(|| self.kapso.content.clone()),
            Some(_) => None,
            None => body,
        }
    }
}

/// The first number among the readable ones of `texts`, else the first user id.
pub(super) fn best<const N: usize>(texts: [Option<&String>; N]) -> Option<Identity> {
    let names = identities(texts);
    let phone = |name: &&Identity| matches!(name, Identity::Phone(_));
    names.iter().find(phone).or(names.first()).cloned()
}

fn identities<const N: usize>(texts: [Option<&String>; N]) -> Vec<Identity> {
    let readable = |text: &String| Identity::new(text).ok();
    texts.into_iter().flatten().filter_map(readable).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(raw: Value) -> Message {
        serde_json::from_value(raw).unwrap()
    }

    fn sender(raw: Value, context: Value) -> Option<String> {
        let context: Conversation = serde_json::from_value(context).unwrap();
        message(raw).sender(Some(&context)).map(|id| id.to_string())
    }

    #[test]
    fn the_number_comes_before_the_user_id_wherever_it_stands() {
        let user = "AR.1049384756102";
        let both = json!({"from": "5491155551234", "from_user_id": user});
        assert_eq!(sender(both, json!({})).as_deref(), Some("+5491155551234"));
        let beside = json!({"phone_number": "+591 700-00001", "business_scoped_user_id": user});
        let found = sender(json!({"from": null, "from_user_id": user}), beside);
        assert_eq!(found.as_deref(), Some("+59170000001"));
        let hidden = json!({"phone_number": null, "business_scoped_user_id": user});
        assert_eq!(sender(json!({"from": null}), hidden).as_deref(), Some(user));
        assert_eq!(
            sender(json!({"from": user}), json!({})).as_deref(),
            Some(user)
        );
        assert_eq!(sender(json!({"from": "a person"}), json!({})), None);
    }

    #[test]
    fn names_are_taken_from_the_conversation_first() {
        let raw = json!({"kapso": {"contact_name": " Ana "}});
        assert_eq!(message(raw.clone()).name(None).as_deref(), Some("Ana"));
        let context: Conversation = serde_json::from_value(
            json!({"contact_name": "Bea", "kapso": {"contact_name": "Cleo"}}),
        )
        .unwrap();
        assert_eq!(message(raw).name(Some(&context)).as_deref(), Some("Cleo"));
    }

    #[test]
    fn a_long_name_is_cut() {
        let raw = json!({"kapso": {"contact_name": "é".repeat(1000)}});
        assert_eq!(message(raw).name(None), Some("é".repeat(LONGEST_NAME)));
    }

    #[test]
    fn without_a_direction_a_recipient_shows_what_went_out() {
        assert!(message(json!({"to": "15551234567", "from": null})).is_outbound());
        assert!(!message(json!({"to": "15550000000", "from": "15551234567"})).is_outbound());
        assert!(!message(json!({"from": "15551234567"})).is_outbound());
        let echoed = json!({"from": "15550000000", "kapso": {"direction": "outbound"}});
        assert!(message(echoed).is_outbound());
    }
}
