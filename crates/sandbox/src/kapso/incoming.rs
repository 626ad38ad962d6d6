//! What a customer sends, put together step by step, and the message object that Kapso makes of it.

use std::time::Duration;

use model::{MessageId, NumberId, Timestamp, UserId};
use serde_json::{Map, Value, json};

use super::media::StoredMedia;

/// A message of a customer, to be handed to [`receive`](super::KapsoStandIn::receive).
///
/// A text is enough: `kapso.receive("+15551234567", "hello")`.
#[derive(Debug, Clone)]
pub struct Incoming {
    kind: String,
    part: Value,
    pub(super) id: Option<MessageId>,
    pub(super) name: Option<String>,
    pub(super) user_id: Option<UserId>,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) visibility: Visibility,
    pub(super) announced: bool,
    quoted: Option<MessageId>,
    origin: String,
    fields: Map<String, Value>,
    extension: Map<String, Value>,
}

/// When a message shows up in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    Listed,
    From(Timestamp),
    WhenRevealed,
}

impl Incoming {
    /// Typed words.
    pub fn text(body: &str) -> Self {
        Self::of_type("text", json!({ "body": body }))
    }

    /// Any other type: its name, and the object under that name (kapso.md 3.5).
    pub fn of_type(kind: &str, part: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            part,
            id: None,
            name: None,
            user_id: None,
            sent_at: None,
            created_at: None,
            visibility: Visibility::Listed,
            announced: true,
            quoted: None,
            origin: "cloud_api".to_owned(),
            fields: Map::new(),
            extension: Map::new(),
        }
    }

    /// A file: `kind` is `image`, `video`, `audio`, `document` or `sticker`, `part` what stands beside the file's id and
    /// type, such as a caption.
    pub fn file(kind: &str, media: &StoredMedia, mut part: Value) -> Self {
        part["id"] = json!(media.id);
        part["mime_type"] = json!(media.mime);
        Self::of_type(kind, part).with_kapso("media_url", json!(media.url))
    }

    /// Under this id instead of a new one.
    #[must_use]
    pub fn id(mut self, id: &MessageId) -> Self {
        self.id = Some(id.clone());
        self
    }

    /// With this profile name, which the customer keeps for later messages.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// From a customer known by this user id as well as by number.
    #[must_use]
    pub fn user_id(mut self, id: &UserId) -> Self {
        self.user_id = Some(id.clone());
        self
    }

    /// Sent then, by WhatsApp's clock; cut to the second. The present otherwise.
    #[must_use]
    pub fn sent_at(mut self, at: Timestamp) -> Self {
        self.sent_at = Some(at);
        self
    }

    /// Stored by Kapso then, which is what the list sorts and filters by. The present otherwise.
    #[must_use]
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.created_at = Some(at);
        self
    }

    /// Not in the list before then, by the stand-in's clock: an entry that shows up late with an old date.
    #[must_use]
    pub fn hidden_until(mut self, at: Timestamp) -> Self {
        self.visibility = Visibility::From(at);
        self
    }

    /// Not in the list before [`reveal`](super::KapsoStandIn::reveal).
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.visibility = Visibility::WhenRevealed;
        self
    }

    /// Never announced by webhook: a lost delivery.
    #[must_use]
    pub fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// In answer to this message.
    #[must_use]
    pub fn quoting(mut self, message: &MessageId) -> Self {
        self.quoted = Some(message.clone());
        self
    }

    /// With this `kapso.origin` (kapso.md 4.7); `cloud_api` otherwise.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// With this top-level field, whatever it would have been; `kapso` replaces the whole extension.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    /// With this field of the `kapso` object, whatever it would have been.
    #[must_use]
    pub fn with_kapso(mut self, field: &str, value: Value) -> Self {
        self.extension.insert(field.to_owned(), value);
        self
    }

    /// Stored by Kapso this much after it was sent.
    #[must_use]
    pub fn late_by(self, sent: Timestamp, delay: Duration) -> Self {
        self.sent_at(sent).created_at(sent.later(delay))
    }

    /// The object of the list (kapso.md 3.3); a webhook differs in the status.
    pub(super) fn object(&self, facts: &Facts<'_>) -> Value {
        let context = self.quoted.as_ref().map_or(
            Value::Null,
            |id| json!({ "from": facts.business, "id": id }),
        );
        let mut object = json!({
            "id": facts.id,
            "timestamp": (facts.sent_at.as_millis().div_euclid(1000)).to_string(),
            "type": self.kind,
            "from": facts.from,
            "context": context,
            "kapso": {
                "direction": "inbound",
                "status": "delivered",
                "processing_status": "completed",
                "origin": self.origin,
                "phone_number": facts.from.map(|digits| format!("+{digits}")),
                "phone_number_id": facts.number,
                "whatsapp_conversation_id": facts.conversation,
                "contact_name": facts.name,
                "has_media": self.has_media(),
                "message_type_data": {},
                "content": self.prose(),
            },
        });
        object[&self.kind] = self.part.clone();
        if let Some(id) = facts.user_id {
            object["from_user_id"] = json!(id);
        }
        for (field, value) in &self.extension {
            object["kapso"][field] = value.clone();
        }
        for (field, value) in &self.fields {
            object[field] = value.clone();
        }
        object
    }

    fn has_media(&self) -> bool {
        ["image", "video", "audio", "document", "sticker"].contains(&self.kind.as_str())
    }

    /// `kapso.content`: the words of a text, and the provider's English for everything else.
    fn prose(&self) -> String {
        let of = |field: &str| self.part[field].as_str().unwrap_or_default();
        match self.kind.as_str() {
            "text" => of("body").to_owned(),
            "reaction" if of("emoji").is_empty() => {
                format!("Reaction removed from message {}", of("message_id"))
            }
            "reaction" => format!(
                "Reacted with {} to message {}",
                of("emoji"),
                of("message_id")
            ),
            kind => format!("[{kind} attached] {}", of("caption"))
                .trim_end()
                .to_owned(),
        }
    }
}

impl From<&str> for Incoming {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Incoming {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

/// What the stand-in adds to a customer's message.
pub(super) struct Facts<'a> {
    pub(super) id: &'a MessageId,
    pub(super) sent_at: Timestamp,
    pub(super) from: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) conversation: &'a str,
    pub(super) number: &'a NumberId,
    pub(super) business: &'a str,
}
