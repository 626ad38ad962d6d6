//! The bodies in each form, all made of what payload version 2 says.

use serde_json::{Map, Value, json};

use super::{Envelope, Notice, Signature};

/// Messages in one change of Meta's envelope.
const MESSAGES_PER_CHANGE: usize = 3;
/// Changes in one entry of Meta's envelope.
const CHANGES_PER_ENTRY: usize = 3;
/// The business account that Meta's entries name.
const BUSINESS_ACCOUNT: &str = "102290129340398";

impl Envelope {
    /// `X-Webhook-Payload-Version`, where the form has one.
    pub(super) fn version(self) -> Option<&'static str> {
        match self {
            Self::KapsoV2 => Some("v2"),
            Self::KapsoV1 => Some("v1"),
            Self::Meta => None,
        }
    }

    /// One event by itself. `business` is the business number, digits only.
    pub(super) fn single(self, notice: &Notice, business: &str) -> Value {
        match self {
            Self::KapsoV2 => notice.body.clone(),
            Self::KapsoV1 => legacy(&notice.body, business),
            Self::Meta => meta(std::slice::from_ref(notice), business),
        }
    }

    /// Several received messages at once; `info` is `batch_info`, which Meta does not have.
    pub(super) fn batch(self, notices: &[Notice], info: &Value, business: &str) -> Value {
        if self == Self::Meta {
            return meta(notices, business);
        }
        let data = notices.iter().map(|notice| self.single(notice, business));
        json!({
            "type": "whatsapp.message.received",
            "batch": true,
            "data": data.collect::<Vec<_>>(),
            "batch_info": info,
        })
    }
}

impl Signature {
    /// The header and its value for this digest of the body; none when unsigned.
    pub(super) fn header(self, digest: &[u8]) -> Option<(&'static str, String)> {
        let hex = hex::encode(digest);
        match self {
            Self::Kapso => Some(("x-webhook-signature", hex)),
            Self::Hub => Some(("x-hub-signature-256", format!("sha256={hex}"))),
            Self::Unsigned => None,
        }
    }
}

/// Payload version 1: the words in `content`, the type in `message_type`, the number inside `whatsapp_config`.
fn legacy(body: &Value, business: &str) -> Value {
    let (message, conversation) = (&body["message"], &body["conversation"]);
    let extension = &message["kapso"];
    let config = "5e0c6a2e-6f0b-4c0e-9a53-1f1f6f0a7c11";
    json!({
        "message": {
            "id": message["id"],
            "whatsapp_message_id": message["id"],
            "message_type": message["type"],
            "content": extension["content"],
            "direction": extension["direction"],
            "status": extension["status"],
            "origin": extension["origin"],
            "has_media": extension["has_media"],
            "contact_name": extension["contact_name"],
            "conversation_phone_number": conversation["phone_number"],
            "message_type_data": extension["message_type_data"],
            "timestamp": message["timestamp"],
        },
        "conversation": {
            "id": conversation["id"],
            "phone_number": conversation["phone_number"],
            "status": conversation["status"],
            "last_active_at": conversation["last_active_at"],
            "contact_name": conversation["contact_name"],
            "whatsapp_config_id": config,
        },
        "whatsapp_config": {
            "id": config,
            "name": "Sandbox",
            "phone_number_id": body["phone_number_id"],
            "display_phone_number": business,
        },
        "is_new_conversation": body["is_new_conversation"],
    })
}

/// What one event becomes in Meta's envelope.
struct Item {
    field: &'static str,
    /// The list within the change that it stands in.
    list: &'static str,
    object: Value,
    contact: Option<Value>,
}

impl Item {
    fn is_beside(&self, other: &Self) -> bool {
        (self.field, self.list) == (other.field, other.list)
    }
}

fn meta(notices: &[Notice], business: &str) -> Value {
    let number = notices.first().map(|it| it.body["phone_number_id"].clone());
    let items: Vec<Item> = notices.iter().map(|it| item(it, business)).collect();
    let alike = items.chunk_by(Item::is_beside);
    let changes = alike.flat_map(|items| items.chunks(MESSAGES_PER_CHANGE));
    let changes: Vec<Value> = changes
        .map(|items| change(items, number.as_ref(), business))
        .collect();
    let entries = changes.chunks(CHANGES_PER_ENTRY);
    let entries = entries.map(|changes| json!({ "id": BUSINESS_ACCOUNT, "changes": changes }));
    json!({ "object": "whatsapp_business_account", "entry": entries.collect::<Vec<_>>() })
}

/// A change that holds items of one list.
fn change(items: &[Item], number: Option<&Value>, business: &str) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": business, "phone_number_id": number },
    });
    let mut contacts: Vec<&Value> = items.iter().filter_map(|it| it.contact.as_ref()).collect();
    contacts.dedup();
    if !contacts.is_empty() {
        value["contacts"] = json!(contacts);
    }
    let (field, list) = items.first().map_or(("", ""), |it| (it.field, it.list));
    let objects: Vec<&Value> = items.iter().map(|it| &it.object).collect();
    value[list] = json!(objects);
    json!({ "field": field, "value": value })
}

fn item(notice: &Notice, business: &str) -> Item {
    let message = &notice.body["message"];
    if notice.is_received() {
        return Item {
            field: "messages",
            list: "messages",
            object: plain(message),
            contact: Some(contact(&notice.body["conversation"])),
        };
    }
    if notice.event == "whatsapp.message.sent" && message["kapso"]["origin"] == "business_app" {
        let mut echo = plain(message);
        echo["from"] = json!(business);
        return Item {
            field: "smb_message_echoes",
            list: "message_echoes",
            object: echo,
            contact: None,
        };
    }
    let accounts = message["kapso"]["statuses"].as_array();
    Item {
        field: "messages",
        list: "statuses",
        object: accounts
            .and_then(|all| all.last())
            .cloned()
            .unwrap_or_default(),
        contact: None,
    }
}

/// Meta's own part of a message object: without Kapso's extension, and without what is null.
fn plain(message: &Value) -> Value {
    let fields = message.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| *name != "kapso" && !value.is_null());
    let fields: Map<String, Value> = fields.map(|(k, v)| (k.clone(), v.clone())).collect();
    Value::Object(fields)
}

fn contact(conversation: &Value) -> Value {
    let number = conversation["phone_number"].as_str();
    let mut contact = json!({ "profile": { "name": conversation["contact_name"] } });
    if let Some(number) = number {
        contact["wa_id"] = json!(number.trim_start_matches('+'));
    }
    if let Some(user) = conversation["business_scoped_user_id"].as_str() {
        contact["user_id"] = json!(user);
    }
    contact
}
