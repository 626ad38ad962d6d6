//! Recorded messages, and the four envelopes in which one and the same message can come: an item of the list, Kapso's
//! webhook alone and in a batch, Meta's own.

use model::{NumberId, Timestamp};
use serde_json::{Value, json};

use crate::server::NUMBER;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_788_000_500);

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../data/", $name, ".json")))),*]
    };
}

/// Every recorded message, as the list shows it.
pub(crate) const MESSAGES: &[(&str, &str)] = files![
    "audio_file",
    "button_reply",
    "click_to_whatsapp_ad",
    "contacts",
    "document",
    "flow_reply",
    "forwarded",
    "frequently_forwarded",
    "image_with_caption",
    "image_without_caption",
    "list_reply",
    "location",
    "location_as_text",
    "order",
    "outbound_text",
    "quoted_reply",
    "reaction_added",
    "reaction_emptied",
    "reaction_removed",
    "sticker",
    "system_number_change",
    "template_button",
    "text",
    "text_without_body",
    "unknown_type",
    "unsupported",
    "user_without_number",
    "video",
    "voice_note",
];

/// Every recorded webhook body.
pub(crate) const BODIES: &[(&str, &str)] = files![
    "webhook/batch",
    "webhook/contact_identity_changed",
    "webhook/contact_marketing_preference_changed",
    "webhook/conversation_created",
    "webhook/conversation_ended",
    "webhook/conversation_inactive",
    "webhook/delivered",
    "webhook/failed",
    "webhook/meta_contacts_of_phone",
    "webhook/meta_echo",
    "webhook/meta_echo_of_phone",
    "webhook/meta_history",
    "webhook/meta_history_file",
    "webhook/meta_message",
    "webhook/meta_statuses",
    "webhook/phone_number_created",
    "webhook/phone_number_disconnected",
    "webhook/read",
    "webhook/received",
    "webhook/received_without_sender",
    "webhook/sent",
    "webhook/sent_by_user_id",
    "webhook/sent_from_phone",
    "webhook/v1_config_created",
    "webhook/v1_received",
];

pub(crate) fn number() -> NumberId {
    NumberId::new(NUMBER).unwrap()
}

/// A recorded message, as the list shows it.
pub(crate) fn message(name: &str) -> Value {
    parsed(MESSAGES, name)
}

/// A recorded webhook body.
pub(crate) fn body(name: &str) -> Value {
    parsed(BODIES, &format!("webhook/{name}"))
}

fn parsed(files: &[(&str, &str)], name: &str) -> Value {
    let found = files.iter().find(|(known, _)| *known == name);
    let (_, json) = found.unwrap_or_else(|| panic!("{name} is not in the table"));
    serde_json::from_str(json).unwrap()
}

/// A page of the list with these items.
pub(crate) fn list_page(items: &[Value]) -> Value {
    json!({"data": items, "paging": {"cursors": {"before": null, "after": null}, "next": null}})
}

/// The body of one event of Kapso's about `listed`. What the conversation beside it says is not said in the message
/// again (kapso.md 4.4).
pub(crate) fn single(listed: &Value) -> Value {
    let mut message = listed.clone();
    let kapso = message["kapso"].as_object_mut().unwrap();
    let phone = kapso.remove("phone_number");
    let name = kapso.remove("contact_name");
    kapso.remove("phone_number_id");
    kapso.remove("whatsapp_conversation_id");
    if kapso["direction"] == "inbound" {
        kapso.insert("status".to_owned(), "received".into());
    }
    json!({
        "message": message,
        "conversation": {
            "id": "0f1e2d3c-4b5a-4678-9876-543210fedcba", "phone_number": phone,
            "business_scoped_user_id": listed["from_user_id"], "parent_business_scoped_user_id": null,
            "username": null, "status": "active", "last_active_at": "2026-09-01T12:00:00Z", "metadata": {},
            "phone_number_id": NUMBER, "contact_name": name,
            "kapso": {"contact_name": name, "messages_count": 7, "last_message_id": message["id"]},
        },
        "is_new_conversation": false,
        "phone_number_id": NUMBER,
    })
}

/// The body of Kapso's batch of these messages.
pub(crate) fn batch(listed: &[Value]) -> Value {
    let elements: Vec<Value> = listed.iter().map(single).collect();
    json!({
        "type": "whatsapp.message.received", "batch": true, "data": elements,
        "batch_info": {"size": listed.len(), "window_ms": 5000, "first_sequence": 1, "last_sequence": listed.len(),
            "conversation_id": "0f1e2d3c-4b5a-4678-9876-543210fedcba"},
    })
}

/// The body of Meta's envelope of one message: without anything that Kapso added, and with Meta's field names.
pub(crate) fn envelope(listed: &Value) -> Value {
    let mut message = listed.clone();
    let contacts = match message["type"].as_str() {
        Some("system") => json!([]),
        Some(_) | None => json!([{
            "profile": {"name": listed["kapso"]["contact_name"]},
            "wa_id": listed["from"], "user_id": listed["from_user_id"],
        }]),
    };
    let fields = message.as_object_mut().unwrap();
    fields.retain(|name, value| !matches!(name.as_str(), "kapso" | "username") && !value.is_null());
    for field in fields.values_mut().filter_map(Value::as_object_mut) {
        field.remove("link");
        if let Some(note) = field.remove("order_text") {
            field.insert("text".to_owned(), note);
        }
    }
    change(
        "messages",
        &json!({"contacts": contacts, "messages": [message]}),
    )
}

/// Meta's envelope of one change of our number's.
pub(crate) fn change(field: &str, value: &Value) -> Value {
    let mut value = value.clone();
    value["messaging_product"] = "whatsapp".into();
    value["metadata"] = json!({"display_phone_number": "5491150000000", "phone_number_id": NUMBER});
    json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1029384756", "changes": [{"field": field, "value": value}]}]})
}
