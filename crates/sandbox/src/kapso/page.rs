//! The list: its query, and a page of it.
//!
//! Newest first by (`created_at`, record), with cursors that hold exactly that pair (kapso.md 3.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::{Place, Record};
use super::refusal::Refusal;

/// Items on a page when the request does not say.
const DEFAULT_LIMIT: usize = 20;
/// The most items on a page.
const LARGEST_LIMIT: usize = 100;
/// What `kapso(default)` stands for (kapso.md 3.1).
const DEFAULT_FIELDS: [&str; 15] = [
    "direction",
    "status",
    "processing_status",
    "phone_number",
    "has_media",
    "media_data",
    "media_url",
    "whatsapp_conversation_id",
    "contact_name",
    "message_type_data",
    "content",
    "flow_response",
    "flow_token",
    "flow_name",
    "order_text",
];

/// A request for a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    conversation: Option<String>,
    outbound: Option<bool>,
    status: Option<String>,
    /// Both ends in microseconds, both included.
    pub(super) since: Option<i64>,
    until: Option<i64>,
    pub(super) limit: usize,
    pub(super) before: Option<Place>,
    pub(super) after: Option<Place>,
    fields: Fields,
}

/// Which fields of the `kapso` object are shown.
#[derive(Debug, Default, PartialEq, Eq)]
enum Fields {
    #[default]
    All,
    None,
    Only(Vec<String>),
}

impl ListQuery {
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, Refusal> {
        let mut query = Self {
            limit: DEFAULT_LIMIT,
            ..Self::default()
        };
        for (name, value) in parameters {
            query
                .set(name, value)
                .map_err(|problem| Refusal::flat(400, &format!("{name} {problem}")))?;
        }
        if query.before.is_some() && query.after.is_some() {
            return Err(Refusal::flat(400, "before and after exclude each other"));
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "conversation_id" => self.conversation = Some(value.to_owned()),
            "direction" => self.outbound = Some(direction(value)?),
            "status" => self.status = Some(value.to_owned()),
            "since" => self.since = Some(micros(value)?),
            "until" => self.until = Some(micros(value)?),
            "limit" => self.limit = limit(value)?,
            "before" => self.before = Some(cursor(value)?),
            "after" => self.after = Some(cursor(value)?),
            "fields" => self.fields = Fields::read(value)?,
            _ => return Err("is not a parameter that the sandbox knows"),
        }
        Ok(())
    }

    pub(super) fn fits(&self, place: &Place, record: &Record) -> bool {
        let is = |wanted: &Option<String>, name| {
            wanted
                .as_deref()
                .is_none_or(|wanted| record.fact(name) == Some(wanted))
        };
        self.since.is_none_or(|since| place.micros >= since)
            && self.until.is_none_or(|until| place.micros <= until)
            && self.outbound.is_none_or(|it| record.is_outbound() == it)
            && is(&self.status, "status")
            && is(&self.conversation, "whatsapp_conversation_id")
    }
}

fn direction(value: &str) -> Result<bool, &'static str> {
    match value {
        "inbound" => Ok(false),
        "outbound" => Ok(true),
        _ => Err("must be inbound or outbound"),
    }
}

fn limit(value: &str) -> Result<usize, &'static str> {
    let limit = value
        .parse()
        .ok()
        .filter(|n| (1..=LARGEST_LIMIT).contains(n));
    limit.ok_or("must be between 1 and 100")
}

fn micros(value: &str) -> Result<i64, &'static str> {
    let at: Option<jiff::Timestamp> = value.parse().ok();
    at.map(jiff::Timestamp::as_microsecond)
        .ok_or("must be an ISO 8601 instant")
}

fn cursor(value: &str) -> Result<Place, &'static str> {
    read_cursor(value).ok_or("is not a cursor of this list")
}

fn read_cursor(text: &str) -> Option<Place> {
    let cursor: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    let values = cursor.get("values")?;
    let id: Uuid = values.get(1)?.as_str()?.parse().ok()?;
    Some(Place {
        micros: micros(values.get(0)?.as_str()?).ok()?,
        serial: u64::try_from(id.as_u128()).ok()?,
    })
}

fn write_cursor(place: Place) -> String {
    let at = jiff::Timestamp::from_microsecond(place.micros).unwrap_or_default();
    let id = Uuid::from_u128(u128::from(place.serial));
    let cursor = json!({
        "values": [at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), id.to_string()],
        "columns": ["created_at", "id"],
    });
    STANDARD.encode(cursor.to_string())
}

impl Fields {
    fn read(value: &str) -> Result<Self, &'static str> {
        let inner = value
            .strip_prefix("kapso(")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or("must be kapso(…)")?;
        Ok(match inner {
            "" => Self::None,
            "*" | "all" => Self::All,
            "default" => Self::Only(DEFAULT_FIELDS.map(str::to_owned).to_vec()),
            names => Self::Only(names.split(',').map(|n| n.trim().to_owned()).collect()),
        })
    }

    fn show(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        let Some(extension) = shown.get_mut("kapso").and_then(Value::as_object_mut) else {
            return shown;
        };
        match self {
            Self::All => {}
            Self::Only(names) => extension.retain(|name, _| names.contains(name)),
            Self::None => {
                if let Some(object) = shown.as_object_mut() {
                    object.remove("kapso");
                }
            }
        }
        shown
    }
}

/// A page as it is served.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    before: Option<Place>,
    after: Option<Place>,
    asked: Option<Place>,
}

impl Page {
    /// The page of these records; `more` tells whether older ones follow.
    pub(super) fn new(query: &ListQuery, found: &[(&Place, &Record)], more: bool) -> Self {
        let items = found.iter().map(|(_, r)| query.fields.show(&r.object));
        Self {
            items: items.collect(),
            before: found.first().map(|(place, _)| **place),
            after: found.last().filter(|_| more).map(|(place, _)| **place),
            asked: query.after,
        }
    }

    /// Makes the cursor lead to this very page once more.
    pub(super) fn repeat(&mut self) {
        let above = |place: Place| Place {
            serial: place.serial + 1,
            ..place
        };
        self.after = self.asked.or(self.before.map(above));
    }

    /// Puts a number and an empty object between the items.
    pub(super) fn spoil(&mut self) {
        let middle = self.items.len() / 2;
        self.items.insert(middle, json!({ "id": null, "type": 7 }));
        self.items.insert(middle, json!(42));
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "data": self.items,
            "paging": {
                "cursors": {
                    "before": self.before.map(write_cursor),
                    "after": self.after.map(write_cursor),
                },
                "next": null,
                "previous": null,
            },
        })
    }
}

/// An instant as Kapso writes it.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant as HTTP's `Date` header has it.
pub(super) fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let place = Place {
            micros: 1_788_000_000_123_456,
            serial: 77,
        };
        assert_eq!(read_cursor(&write_cursor(place)), Some(place));
        assert_eq!(read_cursor("eyJ2YWx1ZXMiOlsi"), None);
    }

    #[test]
    fn an_unusable_query_is_refused_by_name() {
        for (name, value) in [
            ("limit", "101"),
            ("limit", "0"),
            ("since", "yesterday"),
            ("direction", "in"),
            ("after", "?"),
            ("has_media", "true"),
            ("fields", "id,kapso"),
        ] {
            let refused = ListQuery::read(&[(name.to_owned(), value.to_owned())]).unwrap_err();
            assert_eq!(refused.status, 400, "{name}={value}");
            assert!(refused.body["error"].as_str().unwrap().starts_with(name));
        }
    }
}
