//! One stored message: its JSON object, and where it stands in the list.

use model::{MessageId, Timestamp};
use serde_json::{Value, json};

use crate::kapso::event::Status;
use crate::kapso::incoming::Visibility;

/// A place in the list, which is sorted by Kapso's `created_at` and, within one instant, by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kapso) struct Place {
    /// Microseconds since the Unix epoch.
    pub(in crate::kapso) micros: i64,
    /// The number of the record.
    pub(in crate::kapso) serial: u64,
}

impl Place {
    pub(in crate::kapso) fn new(at: Timestamp, serial: u64) -> Self {
        Self {
            micros: at.as_millis().saturating_mul(1000),
            serial,
        }
    }
}

pub(in crate::kapso) struct Record {
    /// As the list shows it.
    pub(in crate::kapso) object: Value,
    /// The conversation it belongs to; none for a planted value.
    pub(super) conversation: Option<usize>,
    pub(super) visibility: Visibility,
}

impl Record {
    pub(super) fn visible(&self, now: Timestamp) -> bool {
        match self.visibility {
            Visibility::Listed => true,
            Visibility::From(at) => now >= at,
            Visibility::WhenRevealed => false,
        }
    }

    /// A field of the `kapso` object that is a text.
    pub(in crate::kapso) fn fact(&self, name: &str) -> Option<&str> {
        self.object.get("kapso")?.get(name)?.as_str()
    }

    pub(in crate::kapso) fn is_outbound(&self) -> bool {
        self.fact("direction") == Some("outbound")
    }

    pub(super) fn set_status(&mut self, status: &str) {
        if let Some(kapso) = self.object.get_mut("kapso").and_then(Value::as_object_mut) {
            kapso.insert("status".to_owned(), json!(status));
        }
    }

    /// Adds Meta's account of a new status; false when the message is already as far, or failed.
    pub(super) fn grow(
        &mut self,
        id: &MessageId,
        recipient: &str,
        status: Status,
        at: Timestamp,
    ) -> bool {
        if !self.is_outbound() || rank(self.fact("status")) >= rank(Some(status.name())) {
            return false;
        }
        let mut account = json!({
            "id": id,
            "status": status.name(),
            "timestamp": at.as_millis().div_euclid(1000).to_string(),
            "recipient_id": recipient,
        });
        if let Status::Failed(code) = status {
            account["errors"] = json!([{
                "code": code,
                "title": "Message undeliverable",
                "message": "Message undeliverable",
                "error_data": { "details": "Refused by the sandbox" },
            }]);
        }
        self.set_status(status.name());
        if let Some(statuses) = self.object["kapso"]["statuses"].as_array_mut() {
            statuses.push(account);
        }
        true
    }
}

fn rank(status: Option<&str>) -> u8 {
    match status {
        Some("sent") => 1,
        Some("delivered") => 2,
        Some("read") => 3,
        Some("failed") => 4,
        _ => 0,
    }
}
