//! One customer, and what Kapso says about the conversation with them.

use model::{Identity, MessageId, NumberId, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use super::Place;
use crate::kapso::page::rfc3339;

pub(super) struct Conversation {
    /// Kapso's id of it.
    pub(super) id: String,
    /// The customer in canonical form.
    pub(super) customer: String,
    /// The customer's number as digits, in the form used last; none when known by user id alone.
    pub(super) phone: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) in_flight: bool,
    /// Places in the list of all that was sent.
    pub(super) sent: Vec<usize>,
    pub(super) sent_count: watch::Sender<usize>,
    /// The customer's messages that nobody marked read.
    pub(super) unread: Vec<Place>,
    pub(super) messages: usize,
    created_at: Timestamp,
    last_at: Timestamp,
    last_inbound_at: Option<Timestamp>,
    last_outbound_at: Option<Timestamp>,
    last: Value,
}

impl Conversation {
    pub(super) fn new(customer: String, written: &str, now: Timestamp) -> Self {
        let (phone, user_id) = match Identity::new(written) {
            Ok(Identity::Phone(phone)) => (Some(phone.digits().to_owned()), None),
            Ok(Identity::User(user)) => (None, Some(user.as_str().to_owned())),
            Err(_) => (Some(written.to_owned()), None),
        };
        Self {
            id: Uuid::new_v4().to_string(),
            customer,
            phone,
            user_id,
            name: None,
            in_flight: false,
            sent: Vec::new(),
            sent_count: watch::Sender::new(0),
            unread: Vec::new(),
            messages: 0,
            created_at: now,
            last_at: now,
            last_inbound_at: None,
            last_outbound_at: None,
            last: Value::Null,
        }
    }

    /// Remembers the form of the number in which the customer appeared.
    pub(super) fn seen_as(&mut self, written: &str) {
        if let Ok(Identity::Phone(phone)) = Identity::new(written) {
            self.phone = Some(phone.digits().to_owned());
        }
    }

    /// What a status calls the customer.
    pub(super) fn recipient(&self) -> &str {
        self.phone
            .as_deref()
            .or(self.user_id.as_deref())
            .unwrap_or_default()
    }

    pub(super) fn note(&mut self, id: &MessageId, object: &Value, inbound: bool, now: Timestamp) {
        self.messages += 1;
        self.last_at = now;
        if inbound {
            self.last_inbound_at = Some(now);
        } else {
            self.last_outbound_at = Some(now);
        }
        self.last = json!({
            "last_message_id": id,
            "last_message_type": object["type"],
            "last_message_timestamp": rfc3339(now),
            "last_message_text": object["kapso"]["content"],
        });
    }

    /// The `conversation` object of a webhook (kapso.md 4.4).
    pub(super) fn object(&self, number: &NumberId) -> Value {
        let mut kapso = json!({
            "contact_name": self.name,
            "messages_count": self.messages,
            "last_inbound_at": self.last_inbound_at.map(rfc3339),
            "last_outbound_at": self.last_outbound_at.map(rfc3339),
        });
        if let (Some(kapso), Some(last)) = (kapso.as_object_mut(), self.last.as_object()) {
            kapso.extend(last.clone());
        }
        json!({
            "id": self.id,
            "phone_number": self.phone.as_ref().map(|digits| format!("+{digits}")),
            "business_scoped_user_id": self.user_id,
            "parent_business_scoped_user_id": null,
            "username": null,
            "status": "active",
            "last_active_at": rfc3339(self.last_at),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.last_at),
            "metadata": {},
            "phone_number_id": number,
            "contact_name": self.name,
            "kapso": kapso,
        })
    }
}
