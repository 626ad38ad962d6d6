//! What is posted to `/messages`: a message to send, or a read receipt; checked as Meta checks it.

use model::{Identity, MessageId, Phone, Timestamp, UserId};
use serde_json::{Value, json};

use super::ledger::Names;
use super::refusal::Refusal;

/// The longest text, in characters (kapso.md 2.2).
const LONGEST_TEXT: usize = 4096;
/// The longest caption, in characters (kapso.md 2.5).
const LONGEST_CAPTION: usize = 1024;
/// The types that can be sent (kapso.md 2.2 to 2.7).
const KINDS: [&str; 11] = [
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "reaction",
    "location",
    "contacts",
    "interactive",
    "template",
];

/// A request to `/messages`, understood.
#[derive(Debug)]
pub(super) enum Post {
    Mark { message: String, typing: bool },
    Send(Box<NewMessage>),
}

/// A message to a customer.
#[derive(Debug)]
pub(super) struct NewMessage {
    /// The recipient as the request named them.
    pub(super) to: String,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) quote: Option<MessageId>,
    pub(super) part: Value,
    pub(super) body: Value,
}

impl Post {
    pub(super) fn read(body: Value, names: &Names) -> Result<Self, Refusal> {
        if body["messaging_product"] != "whatsapp" {
            return Err(invalid("messaging_product must be whatsapp"));
        }
        if body["status"] == "read" {
            let message = body["message_id"].as_str();
            return Ok(Self::Mark {
                message: message.ok_or_else(|| missing("message_id"))?.to_owned(),
                typing: body["typing_indicator"]["type"] == "text",
            });
        }
        let to = recipient(&body, names)?;
        let kind = body["type"].as_str().unwrap_or("text").to_owned();
        if !KINDS.contains(&kind.as_str()) {
            let message = format!("Message type {kind} is not supported");
            return Err(Refusal::meta(400, 131_051, &message));
        }
        let part = part(&body, &kind)?;
        let context = Some(&body["context"]).filter(|context| !context.is_null());
        let quote = context.map(quote).transpose()?;
        Ok(Self::Send(Box::new(NewMessage {
            to,
            text: words(&part).to_owned(),
            kind,
            quote,
            part,
            body,
        })))
    }
}

impl NewMessage {
    /// A text that did not come through the API.
    pub(super) fn text(to: &str, body: &str) -> Self {
        Self {
            to: to.to_owned(),
            kind: "text".to_owned(),
            text: body.to_owned(),
            quote: None,
            part: json!({ "body": body }),
            body: Value::Null,
        }
    }

    pub(super) fn is_template(&self) -> bool {
        self.kind == "template"
    }

    /// The object of the list (kapso.md 3.5, outbound), before its first status.
    pub(super) fn object(
        &self,
        id: &MessageId,
        conversation: &str,
        peer: &str,
        names: &Names,
        origin: &str,
        at: Timestamp,
    ) -> Value {
        let user = UserId::new(peer).ok();
        let phone = user.is_none().then_some(peer);
        let mut object = json!({
            "id": id,
            "timestamp": at.as_millis().div_euclid(1000).to_string(),
            "type": self.kind,
            "from": null,
            "to": phone,
            "to_user_id": user,
            "context": self.quote.as_ref().map(|id| json!({ "id": id })),
            "kapso": {
                "direction": "outbound",
                "status": "pending",
                "processing_status": "completed",
                "origin": origin,
                "phone_number": phone.map(|digits| format!("+{digits}")),
                "phone_number_id": names.number,
                "whatsapp_conversation_id": conversation,
                "has_media": self.part.get("link").or(self.part.get("id")).is_some(),
                "message_type_data": {},
                "content": self.text,
                "statuses": [],
            },
        });
        object[&self.kind] = self.part.clone();
        object
    }

    /// The answer to the request that sent it (kapso.md 2.1).
    pub(super) fn answer(to: &str, id: &MessageId) -> Value {
        let contact = match Identity::new(to) {
            Ok(Identity::User(user)) => json!({ "input": to, "user_id": user }),
            Ok(Identity::Phone(phone)) => json!({ "input": to, "wa_id": phone.digits() }),
            Err(_) => json!({ "input": to }),
        };
        json!({
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{ "id": id, "message_status": "accepted" }],
        })
    }
}

/// Who it goes to: `to` wins over `recipient`, and holds a phone number only (kapso.md 6.3).
fn recipient(body: &Value, names: &Names) -> Result<String, Refusal> {
    if body["recipient_type"] == "group" {
        return Err(Refusal::not_emulated("messages to groups"));
    }
    if let Some(to) = body["to"].as_str() {
        if UserId::new(to).is_ok() {
            return Err(Refusal::meta(400, 131_026, "Message undeliverable"));
        }
        let phone = Phone::new(to)
            .map_err(|problem| Refusal::meta(400, 131_009, &format!("to {problem}")))?;
        if phone.digits() == names.business {
            let message = "Recipient cannot be the sender";
            return Err(Refusal::meta(400, 131_021, message));
        }
        return Ok(to.to_owned());
    }
    let user = body["recipient"].as_str().ok_or_else(|| missing("to"))?;
    UserId::new(user)
        .map_err(|problem| Refusal::meta(400, 131_009, &format!("recipient {problem}")))?;
    Ok(user.to_owned())
}

fn part(body: &Value, kind: &str) -> Result<Value, Refusal> {
    let part = &body[kind];
    let shaped = if kind == "contacts" {
        part.is_array()
    } else {
        part.is_object()
    };
    if !shaped {
        return Err(missing(kind));
    }
    match kind {
        "text" => text(&part["body"])?,
        "image" | "video" | "audio" | "document" | "sticker" => media(kind, part)?,
        _ => {}
    }
    Ok(part.clone())
}

fn text(body: &Value) -> Result<(), Refusal> {
    let body = body.as_str().ok_or_else(|| missing("text.body"))?;
    if body.trim().is_empty() {
        return Err(missing("text.body"));
    }
    if body.chars().count() > LONGEST_TEXT {
        return Err(invalid(
            "Param text['body'] must be at most 4096 characters long.",
        ));
    }
    Ok(())
}

fn media(kind: &str, part: &Value) -> Result<(), Refusal> {
    if part["id"].is_string() == part["link"].is_string() {
        return Err(invalid(&format!("{kind} needs either an id or a link")));
    }
    let caption = part["caption"].as_str().unwrap_or_default();
    if caption.chars().count() > LONGEST_CAPTION {
        return Err(invalid("caption must be at most 1024 characters long."));
    }
    Ok(())
}

fn quote(context: &Value) -> Result<MessageId, Refusal> {
    let id = context["message_id"].as_str().unwrap_or_default();
    MessageId::new(id)
        .map_err(|problem| Refusal::meta(400, 131_009, &format!("context.message_id {problem}")))
}

/// The words that the customer sees.
fn words(part: &Value) -> &str {
    let places = [&part["body"], &part["caption"], &part["body"]["text"]];
    places
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default()
}

fn missing(field: &str) -> Refusal {
    Refusal::meta(
        400,
        131_008,
        &format!("Required parameter is missing: {field}"),
    )
}

fn invalid(message: &str) -> Refusal {
    Refusal::meta(400, 100, message)
}
