//! Reads what is told about messages that went out: Kapso's events, Meta's statuses, echoes of a phone
//! (kapso.md 4.5, 4.7).
//!
//! A receipt needs an id of WhatsApp's; everything else in it may be missing.

use model::{Fate, Identity, MessageId, NumberId, Receipt, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::kapso::Conversation;
use super::message::{self, Message};
use super::{lenient, sent_at, unread};

/// The longest account of a failure, in characters.
const LONGEST_REASON: usize = 200;

/// How far a message got, as WhatsApp and Kapso name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Sent,
    Delivered,
    Read,
    Failed,
}

impl Step {
    /// Reads a status; none for those that say nothing about the way of a message, such as `deleted`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "sent" => Some(Self::Sent),
            "delivered" => Some(Self::Delivered),
            // A sound that was listened to was seen before.
            "read" | "played" => Some(Self::Read),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }

    fn fate(self, status: Option<&Status>) -> Fate {
        match self {
            Self::Sent => Fate::Sent,
            Self::Delivered => Fate::Delivered,
            Self::Read => Fate::Read,
            Self::Failed => Fate::Failed(reason(status)),
        }
    }
}

/// Meta's status object, in an envelope of its own or in `kapso.statuses`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    status: Option<String>,
    #[serde(deserialize_with = "lenient::integer")]
    timestamp: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    recipient_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    recipient_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    recipient_parent_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    recipient_type: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    errors: Vec<Complaint>,
}

/// What WhatsApp says about a failure.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    #[serde(deserialize_with = "lenient::text")]
    code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    title: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    message: Option<String>,
}

impl Status {
    fn step(&self) -> Option<Step> {
        self.status.as_deref().and_then(Step::named)
    }

    /// Where a whole group is the recipient, no person is.
    fn recipient(&self) -> Option<Identity> {
        let group = self.recipient_type.as_deref() == Some("group");
        let names = [
            self.recipient_id.as_ref(),
            self.recipient_user_id.as_ref(),
            self.recipient_parent_user_id.as_ref(),
        ];
        message::best(names).filter(|_| !group)
    }
}

/// The receipt of a message that went out and got as far as `step`.
///
/// # Errors
/// What is wrong with an object that cannot be a message.
pub(super) fn of_message(
    number: &NumberId,
    message: &Message,
    context: Option<&Conversation>,
    step: Step,
    now: Timestamp,
) -> Result<Receipt, &'static str> {
    let statuses = &message.kapso.statuses;
    let told = statuses.iter().rfind(|it| it.step() == Some(step));
    let time = match (told, step) {
        (Some(status), _) => status.timestamp,
        (None, Step::Sent) => message.timestamp,
        (None, Step::Delivered | Step::Read | Step::Failed) => None,
    };
    Ok(Receipt {
        number: number.clone(),
        id: id(message.id.as_deref())?,
        to: message.recipient(context),
        fate: step.fate(told.or(statuses.last())),
        text: message.words(),
        by_hand: message.is_of_phone(),
        at: sent_at(time, now),
    })
}

/// The receipt that one of Meta's statuses gives; none where it says nothing about the way of the message.
///
/// # Errors
/// What is wrong with an object that cannot be a status.
pub(crate) fn of_status(
    number: &NumberId,
    raw: &RawValue,
    now: Timestamp,
) -> Result<Option<Receipt>, &'static str> {
    let read = serde_json::from_str(raw.get()).ok();
    let status: Status = read
        .filter(|_| unread::is_object(raw))
        .ok_or("not a status object")?;
    let Some(step) = status.step() else {
        return Ok(None);
    };
    Ok(Some(Receipt {
        number: number.clone(),
        id: id(status.id.as_deref())?,
        to: status.recipient(),
        fate: step.fate(Some(&status)),
        text: None,
        by_hand: false,
        at: sent_at(status.timestamp, now),
    }))
}

fn id(text: Option<&str>) -> Result<MessageId, &'static str> {
    let text = text.ok_or("an event of a message without its id")?;
    match MessageId::new(text) {
        Ok(id) => Ok(id),
        Err(_) => Err("an event of a message with an id that is none"),
    }
}

/// Code and title of a failure, in one line: letters, digits and ASCII punctuation.
fn reason(status: Option<&Status>) -> String {
    let none = Complaint::default();
    let complaint = status.and_then(|it| it.errors.first()).unwrap_or(&none);
    let title = complaint.title.as_ref().or(complaint.message.as_ref());
    let words: Vec<&str> = [complaint.code.as_ref(), title]
        .into_iter()
        .flatten()
        .flat_map(|text| text.split(|c: char| c.is_whitespace() || c.is_control()))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return "no reason given".to_owned();
    }
    let plain = |c: &char| c.is_alphanumeric() || c.is_ascii_punctuation() || *c == ' ';
    let line = words.join(" ");
    line.chars().filter(plain).take(LONGEST_REASON).collect()
}
