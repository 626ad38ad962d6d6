//! Reads Kapso's message objects, as they stand in lists and in webhooks (kapso.md 3.3, 3.5).
//!
//! Every field may be absent, null or of another type; such a field is as if it were not there. Whatever comes in
//! becomes an [`Arrival`], be it an ignored one: nothing is dropped without a reason, and nothing panics.

mod content;
mod kapso;
mod lenient;
mod message;
pub(crate) mod receipt;
pub(crate) mod unread;

use std::time::Duration;

use model::{
    Arrival, Identity, IgnoreReason, Ignored, Inbound, MessageId, NumberId, Receipt, Source,
    Timestamp,
};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};

pub use kapso::Conversation;
pub(crate) use kapso::Profile;
use message::Message;
use receipt::Step;

/// How far in the future a message's time may lie; beyond that a clock is wrong, and it is dated by its receipt.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The start of the year 2100. What is later when read as seconds was meant as milliseconds.
const FIRST_MILLIS: i64 = 4_102_444_800;

/// The largest message object that is read, in bytes. Ten times what a full text, an order or 250 contacts need; the
/// memory that hostile JSON takes while it is read is some forty times its size.
const MOST: usize = 1024 * 1024;

/// What marks an id that is ours, because the message came without one.
const OWN_ID: &str = "sha256:";

/// Fields that Kapso changes while a message is being handled: they do not make it another message.
const CHANGING: [&str; 7] = [
    "status",
    "processing_status",
    "statuses",
    "has_media",
    "media_url",
    "media_data",
    "transcript",
];

/// One item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The item as it enters the bridge; outbound ones are ignored there.
    pub arrival: Arrival,
    /// When it was sent, by WhatsApp's clock; when it was read, where that is missing or not believable.
    pub at: Timestamp,
    /// For an outbound item: what was sent.
    pub sent: Option<Sent>,
}

/// A message that went out from the business number, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// WhatsApp's id of it.
    pub id: MessageId,
    /// The recipient, under each name that the item gives: number, user id, or both.
    pub to: Vec<Identity>,
    /// Its words, if it is a text.
    pub text: Option<String>,
    /// How far it got: `pending`, `sent`, `delivered`, `read` or `failed`.
    pub status: Option<String>,
    /// Whether a person of the business typed it on the phone (`business_app`, kapso.md 4.7).
    pub by_hand: bool,
}

/// Reads one message object of business number `number`.
///
/// `context` is the conversation beside it in a webhook; a list has none. `now` dates messages whose own time is
/// missing or more than five minutes ahead.
pub fn arrival(
    number: &NumberId,
    raw: &Value,
    context: Option<&Conversation>,
    source: Source,
    now: Timestamp,
) -> Arrival {
    let raw = to_raw_value(raw).expect("a JSON value can be written");
    listed(number, &raw, context, source, now).arrival
}

/// As [`arrival`], with what an outbound item tells.
pub(crate) fn listed(
    number: &NumberId,
    raw: &RawValue,
    context: Option<&Conversation>,
    source: Source,
    now: Timestamp,
) -> Listed {
    Item::read(raw).listed(number, context, source, now)
}

/// A message object that has been read, and not yet been judged.
pub(crate) struct Item<'a> {
    raw: &'a RawValue,
    /// What is wrong with it where there is none.
    message: Result<Message, &'static str>,
}

impl<'a> Item<'a> {
    pub(crate) fn read(raw: &'a RawValue) -> Self {
        let message = match raw.get().len() {
            ..=MOST => Message::read(raw).ok_or("not a message object"),
            _ => Err("larger than a message can be"),
        };
        Self { raw, message }
    }

    /// Whether it is a message of version 1, which has its type under another name (kapso.md 4.4).
    pub(crate) fn is_v1(&self) -> bool {
        let untyped = |message: &Message| message.kind.is_none();
        self.message.as_ref().is_ok_and(untyped)
            && unread::pick(self.raw, ["message_type"])[0].is_some()
    }

    /// Whether it says of what type it is.
    pub(crate) fn has_type(&self) -> bool {
        let typed = |message: &Message| message.kind.is_some();
        self.message.as_ref().is_ok_and(typed)
    }

    /// The business number that it names.
    pub(crate) fn number(&self) -> Option<&str> {
        let message = self.message.as_ref().ok()?;
        message.kapso.phone_number_id.as_deref()
    }

    /// The number and the user id of its sender, as they stand there.
    pub(crate) fn senders(&self) -> [Option<&str>; 2] {
        let message = self.message.as_ref().ok();
        message.map_or([None; 2], Message::senders)
    }

    /// How far it got, if Kapso says that it went out.
    pub(crate) fn step(&self) -> Option<Step> {
        let message = self.message.as_ref().ok()?;
        let status = message.kapso.status.as_deref();
        let step = status.and_then(Step::named).unwrap_or(Step::Sent);
        message.says("outbound").then_some(step)
    }

    /// What it is to the bridge, with what an outbound one tells.
    pub(crate) fn listed(
        &self,
        number: &NumberId,
        context: Option<&Conversation>,
        source: Source,
        now: Timestamp,
    ) -> Listed {
        let message = match &self.message {
            Ok(message) => message,
            Err(what) => {
                let arrival = malformed(number, self.raw, what);
                let (at, sent) = (now, None);
                return Listed { arrival, at, sent };
            }
        };
        let at = sent_at(message.timestamp, now);
        let id = message
            .id
            .as_deref()
            .and_then(|id| MessageId::new(id).ok())
            .unwrap_or_else(|| own_id(self.raw));
        let outbound = message.is_outbound();
        let sent = (outbound && !is_own_id(&id)).then(|| Sent {
            id: id.clone(),
            to: message.recipients(),
            text: message.words(),
            status: message.kapso.status.clone(),
            by_hand: message.is_of_phone(),
        });
        let arrival = match inbound(number, &id, at, message, context, source) {
            Ok(inbound) => Arrival::Message(Box::new(inbound)),
            Err(reason) => ignored(number, id, reason),
        };
        Listed { arrival, at, sent }
    }

    /// The receipt that an event of Kapso's gives about it; none when it came in instead of going out, or is of the
    /// imported history.
    ///
    /// # Errors
    /// What is wrong with an object that cannot be a message.
    pub(crate) fn receipt(
        &self,
        number: &NumberId,
        context: Option<&Conversation>,
        step: Step,
        now: Timestamp,
    ) -> Result<Option<Receipt>, &'static str> {
        let message = self.message.as_ref().map_err(|what| *what)?;
        if message.says("inbound") || message.is_history() {
            return Ok(None);
        }
        receipt::of_message(number, message, context, step, now).map(Some)
    }

    /// The receipt that Meta's copy of a message gives that went out from the business number.
    ///
    /// # Errors
    /// What is wrong with an object that cannot be a message.
    pub(crate) fn echo(
        &self,
        number: &NumberId,
        by_hand: bool,
        now: Timestamp,
    ) -> Result<Option<Receipt>, &'static str> {
        let message = self.message.as_ref().map_err(|what| *what)?;
        let receipt = receipt::of_message(number, message, None, Step::Sent, now)?;
        Ok(Some(Receipt { by_hand, ..receipt }))
    }
}

/// Something that is recorded because it cannot be read, under an id made of its content.
pub(crate) fn malformed(number: &NumberId, raw: &RawValue, what: &str) -> Arrival {
    let reason = IgnoreReason::Malformed(what.to_owned());
    ignored(number, hashed(raw.get()), reason)
}

/// An arrival that goes no further.
pub(crate) fn ignored(number: &NumberId, id: MessageId, reason: IgnoreReason) -> Arrival {
    Arrival::Ignored(Ignored {
        number: number.clone(),
        id,
        reason,
    })
}

fn inbound(
    number: &NumberId,
    id: &MessageId,
    sent_at: Timestamp,
    message: &Message,
    context: Option<&Conversation>,
    source: Source,
) -> Result<Inbound, IgnoreReason> {
    if message.is_outbound() {
        return Err(IgnoreReason::Outbound);
    }
    if message.is_history() {
        return Err(IgnoreReason::HistorySync);
    }
    if message.is_group() {
        return Err(IgnoreReason::Group);
    }
    let content =
        content::read(message).map_err(|what| IgnoreReason::Malformed(what.to_owned()))?;
    let from = message.sender(context).ok_or(IgnoreReason::NoSender)?;
    Ok(Inbound {
        number: number.clone(),
        id: id.clone(),
        user: message.user(&from, context),
        known_as: None,
        from,
        name: message.name(context),
        sent_at,
        content,
        quoted: message.quoted(),
        forwarded: message.is_forwarded(),
        source,
    })
}

/// The time of a message: seconds, or milliseconds where seconds make no sense.
fn sent_at(number: Option<i64>, now: Timestamp) -> Timestamp {
    let at = match number {
        Some(millis) if millis > FIRST_MILLIS => Timestamp::from_millis(millis),
        Some(seconds) if seconds > 0 => Timestamp::from_seconds(seconds),
        Some(_) | None => return now,
    };
    if at > now.later(CLOCK_SKEW) { now } else { at }
}

/// An id made of the content, equal for every showing of the same message.
fn own_id(raw: &RawValue) -> MessageId {
    let Ok(mut stable) = serde_json::from_str::<Value>(raw.get()) else {
        return hashed(raw.get());
    };
    if let Some(Value::Object(kapso)) = stable.get_mut("kapso") {
        kapso.retain(|key, _| !CHANGING.contains(&key.as_str()));
    }
    stable.sort_all_objects();
    hashed(&stable.to_string())
}

fn hashed(content: &str) -> MessageId {
    let digest = hex::encode(Sha256::digest(content));
    MessageId::new(&format!("{OWN_ID}{digest}")).expect("a prefix and hex digits are a valid id")
}

/// Whether WhatsApp does not know this id, because [`own_id`] made it.
pub(crate) fn is_own_id(id: &MessageId) -> bool {
    id.as_str().starts_with(OWN_ID)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_788_000_500);

    fn read(raw: &Value) -> Arrival {
        let number = NumberId::new("597907523413541").unwrap();
        arrival(&number, raw, None, Source::Poll, NOW)
    }

    fn text(timestamp: &Value) -> Value {
        json!({"id": "wamid.A", "timestamp": timestamp, "type": "text", "from": "15551234567",
            "text": {"body": "hi"}, "kapso": {"direction": "inbound"}})
    }

    fn time_of(timestamp: &Value) -> i64 {
        match read(&text(timestamp)) {
            Arrival::Message(inbound) => inbound.sent_at.as_millis(),
            Arrival::Ignored(ignored) => panic!("{ignored:?}"),
        }
    }

    #[test]
    fn p9_milliseconds_and_a_future_clock_give_a_believable_time() {
        assert_eq!(time_of(&json!("1788000000123")), 1_788_000_000_123);
        assert_eq!(time_of(&json!(1_700_000_000_123_i64)), 1_700_000_000_123);
        assert_eq!(time_of(&json!("1788000799")), 1_788_000_799_000);
        assert_eq!(time_of(&json!("1788000801")), NOW.as_millis());
        assert_eq!(time_of(&json!("4102444799")), NOW.as_millis());
        assert_eq!(time_of(&json!(i64::MAX)), NOW.as_millis());
    }

    #[test]
    fn p10_a_missing_or_unreadable_time_is_the_time_of_receipt() {
        for timestamp in [
            json!(null),
            json!("yesterday"),
            json!(""),
            json!(0),
            json!([1]),
        ] {
            assert_eq!(time_of(&timestamp), NOW.as_millis(), "{timestamp}");
        }
        assert_eq!(time_of(&json!(1_788_000_000)), 1_788_000_000_000);
        assert_eq!(time_of(&json!("1788000000")), 1_788_000_000_000);
    }

    #[test]
    fn p14_messages_without_id_are_told_apart_by_their_content() {
        let item = |body: &str, status: &str| {
            json!({"id": "", "timestamp": "1788000000", "type": "text", "from": "15551234567",
                "text": {"body": body}, "kapso": {"direction": "inbound", "status": status}})
        };
        let (one, two) = (
            read(&item("one", "delivered")),
            read(&item("two", "delivered")),
        );
        assert!(one.id().as_str().starts_with("sha256:"));
        assert_eq!(one.id().as_str().len(), "sha256:".len() + 64);
        assert_ne!(one.id(), two.id());
        assert_eq!(one.id(), read(&item("one", "delivered")).id());
        assert_eq!(
            one.id(),
            read(&item("one", "read")).id(),
            "the status moved on"
        );
    }

    #[test]
    fn an_id_that_could_break_a_log_line_is_replaced() {
        let raw = json!({"id": "wamid.A\nlevel=error", "type": "text", "from": "15551234567",
            "text": {"body": "hi"}});
        assert!(is_own_id(read(&raw).id()));
    }

    #[test]
    fn what_is_no_message_is_ignored_with_its_reason() {
        let reason = |raw: &Value| match read(raw) {
            Arrival::Ignored(ignored) => ignored.reason.name(),
            Arrival::Message(inbound) => panic!("{inbound:?}"),
        };
        for raw in [
            json!(null),
            json!("wamid.A"),
            json!([{"id": "wamid.A"}]),
            json!({}),
            json!({"id": "wamid.A", "from": "15551234567"}),
            json!({"id": "wamid.A", "type": "text", "from": "15551234567", "text": 5}),
            json!({"id": {"a": 1}, "type": ["text"], "kapso": "x", "timestamp": {}}),
        ] {
            assert_eq!(reason(&raw), "malformed", "{raw}");
        }
        let with = |key: &str, value: Value| {
            let mut raw = text(&json!("1788000000"));
            raw[key] = value;
            reason(&raw)
        };
        assert_eq!(with("from", json!(null)), "no_sender");
        assert_eq!(with("from", json!({"a": 1})), "no_sender");
        assert_eq!(with("kapso", json!({"direction": "outbound"})), "outbound");
        assert_eq!(
            with("kapso", json!({"origin": "history_sync"})),
            "history_sync"
        );
        assert_eq!(with("group_id", json!("1203630")), "group");
        assert_eq!(with("kapso", json!({"group_id": "1203630"})), "group");
    }

    #[test]
    fn a_message_from_the_business_app_to_us_stays_a_message() {
        let mut raw = text(&json!("1788000000"));
        raw["kapso"]["origin"] = json!("business_app");
        assert!(matches!(read(&raw), Arrival::Message(_)));
    }
}
