//! Bodies that nobody would send: whatever comes, nothing panics, and what is made of it is bounded by its size.
//!
//! `PROPTEST_CASES` sets the number of cases of each property.

use kapso::Page;
use kapso::webhook::{Kind, MOST, Pushed, Scope, read};
use model::{Arrival, Fate, NumberId};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

use super::numbers::id;
use crate::data::{BODIES, MESSAGES, NOW, batch, envelope, list_page, number, single};

/// What one arrival or receipt may hold beside words of the body: names, ids made of hashes, reasons of ours.
const FIXED: usize = 1024;

/// Every name that means something to the reader.
const NAMES: &[&str] = &[
    "address",
    "audio",
    "batch",
    "body",
    "business_scoped_user_id",
    "button",
    "button_reply",
    "caption",
    "changes",
    "code",
    "contact_name",
    "contacts",
    "content",
    "context",
    "conversation",
    "cursors",
    "after",
    "data",
    "direction",
    "document",
    "emoji",
    "entry",
    "errors",
    "event",
    "field",
    "filename",
    "forwarded",
    "from",
    "from_user_id",
    "group_id",
    "history",
    "id",
    "image",
    "interactive",
    "kapso",
    "latitude",
    "link",
    "list_reply",
    "location",
    "longitude",
    "media_data",
    "media_url",
    "message",
    "message_echoes",
    "message_id",
    "message_type",
    "messages",
    "metadata",
    "mime_type",
    "name",
    "nfm_reply",
    "order",
    "origin",
    "paging",
    "phone_number",
    "phone_number_id",
    "phones",
    "product_items",
    "profile",
    "reaction",
    "recipient_id",
    "response_json",
    "status",
    "statuses",
    "system",
    "text",
    "threads",
    "timestamp",
    "title",
    "to",
    "to_user_id",
    "transcript",
    "type",
    "unsupported",
    "user_id",
    "value",
    "voice",
    "wa_id",
    "whatsapp_config",
];

/// Every word that means something to the reader.
const WORDS: &[&str] = &[
    "",
    " ",
    "597907523413541",
    "111",
    "../1",
    "15551234567",
    "+54 9 11 5555-1234",
    "AR.1049384756102",
    "wamid.A",
    "inbound",
    "outbound",
    "business_app",
    "history_sync",
    "cloud_api",
    "sent",
    "delivered",
    "read",
    "failed",
    "text",
    "image",
    "audio",
    "location",
    "contacts",
    "interactive",
    "reaction",
    "order",
    "system",
    "messages",
    "history",
    "smb_message_echoes",
    "message_echoes",
    "whatsapp.message.received",
    "whatsapp.message.failed",
    "1788000000",
    "9999999999999999999999",
    "true",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => select(WORDS).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(8, 128, 8, |inner| {
        let name = prop_oneof![9 => select(NAMES).prop_map(str::to_owned), 1 => any::<String>()];
        let fields = proptest::collection::vec((name, inner.clone()), 0..8);
        prop_oneof![
            1 => proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            3 => fields.prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn event() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![
        3 => "whatsapp\\.message\\.(received|sent|delivered|read|failed)",
        1 => any::<String>(),
    ])
}

/// A body that somebody might send: recorded, or a recorded message in one of the four envelopes.
fn genuine() -> impl Strategy<Value = Value> {
    let message =
        || select(MESSAGES).prop_map(|(_, json)| serde_json::from_str::<Value>(json).unwrap());
    let messages = || proptest::collection::vec(message(), 1..4);
    prop_oneof![
        select(BODIES).prop_map(|(_, json)| serde_json::from_str(json).unwrap()),
        message().prop_map(|message| single(&message)),
        message().prop_map(|message| envelope(&message)),
        messages().prop_map(|messages| batch(&messages)),
        messages().prop_map(|messages| list_page(&messages)),
    ]
}

/// Every value in `json`, itself included, from the outside in.
fn count(json: &Value) -> usize {
    1 + match json {
        Value::Array(elements) => elements.iter().map(count).sum::<usize>(),
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Puts `with` where the value number `at` is, counted as in [`count`]; what remains of `at` is returned.
fn replace(json: &mut Value, at: usize, with: &Value) -> Option<usize> {
    if at == 0 {
        *json = with.clone();
        return None;
    }
    let inner: Vec<&mut Value> = match json {
        Value::Array(elements) => elements.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let mut left = at - 1;
    for value in inner {
        left = replace(value, left, with)?;
    }
    Some(left)
}

/// A genuine body with some of its values replaced.
fn mutated() -> impl Strategy<Value = Value> {
    let changes = proptest::collection::vec((any::<Index>(), json()), 1..4);
    (genuine(), changes).prop_map(|(mut body, changes)| {
        for (at, with) in changes {
            let at = at.index(count(&body));
            replace(&mut body, at, &with);
        }
        body
    })
}

/// The bytes of a genuine body, some of them overwritten, the end cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..8);
    (genuine(), bytes, any::<Index>(), any::<bool>()).prop_map(|(body, bytes, end, cut)| {
        let mut body = body.to_string().into_bytes();
        for (at, byte) in bytes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let end = end.index(body.len());
        if cut {
            body.truncate(end);
        }
        body
    })
}

fn push(event: Option<&str>, body: &[u8]) -> Result<Pushed, TestCaseError> {
    let pushed = read(&number(), event, body, NOW);
    let taken = pushed.arrivals.len() + pushed.receipts.len();
    prop_assert!(taken <= MOST && taken <= body.len());
    let arrivals = pushed.arrivals.iter().map(serde_json::to_string);
    let receipts = pushed.receipts.iter().map(serde_json::to_string);
    let size: usize = arrivals
        .chain(receipts)
        .map(|json| json.unwrap().len())
        .sum();
    // What is written twice in it is kept twice at most: an escape takes six bytes, JSON within JSON doubles them.
    prop_assert!(
        size <= 12 * body.len() + taken * FIXED,
        "{size} of {}",
        body.len()
    );
    if let Kind::Other(name) = &pushed.kind {
        prop_assert!(name.len() <= 64 && !name.contains(|c: char| c.is_control()));
    }
    for receipt in &pushed.receipts {
        prop_assert_eq!(&receipt.number, &number());
        if let Fate::Failed(reason) = &receipt.fate {
            prop_assert!(!reason.is_empty() && !reason.contains(|c: char| c.is_control()));
        }
    }
    for arrival in &pushed.arrivals {
        if let Arrival::Message(inbound) = arrival {
            prop_assert_eq!(&inbound.number, &number());
        }
    }
    prop_assert_eq!(
        &read(&number(), event, body, NOW),
        &pushed,
        "the same again"
    );
    under_another_secret(event, body)?;
    Ok(pushed)
}

/// Signed for another number, no body brings or hides anything of ours.
fn under_another_secret(event: Option<&str>, body: &[u8]) -> Result<(), TestCaseError> {
    let (signer, unproven) = (id("1"), [number()]);
    let scope = Scope {
        number: &signer,
        beside: &[],
        unproven: &unproven,
    };
    let pushed = read(scope, event, body, NOW);
    for arrival in &pushed.arrivals {
        let about = match arrival {
            Arrival::Message(inbound) => &inbound.number,
            Arrival::Ignored(ignored) => &ignored.number,
        };
        prop_assert_ne!(about, &unproven[0]);
    }
    for receipt in &pushed.receipts {
        prop_assert_eq!(&receipt.number, &signer);
    }
    Ok(())
}

fn page(number: &NumberId, body: &[u8]) -> Result<(), TestCaseError> {
    match Page::read(number, body, NOW) {
        Ok(page) => prop_assert!(page.items.len() <= body.len()),
        Err(error) => prop_assert!(error.to_string().len() < 200),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(event in event(), body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let pushed = push(event.as_deref(), &body)?;
        prop_assert!(pushed.arrivals.is_empty() || serde_json::from_slice::<Value>(&body).is_ok());
        page(&number(), &body)?;
    }

    #[test]
    fn any_json(event in event(), body in json()) {
        let body = body.to_string();
        push(event.as_deref(), body.as_bytes())?;
        page(&number(), body.as_bytes())?;
    }

    #[test]
    fn genuine_bodies_with_wrong_values(event in event(), body in mutated()) {
        let body = body.to_string();
        push(event.as_deref(), body.as_bytes())?;
        page(&number(), body.as_bytes())?;
    }

    #[test]
    fn genuine_bodies_with_wrong_bytes(event in event(), body in damaged()) {
        push(event.as_deref(), &body)?;
        page(&number(), &body)?;
    }
}

#[test]
fn nesting_without_end_is_no_message() {
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("{\"message\":", "}"),
        ("{\"entry\":[", "]}"),
    ] {
        for closed in [true, false] {
            let depth = 200_000;
            let end = if closed {
                format!("1{}", close.repeat(depth))
            } else {
                String::new()
            };
            let deep = format!("{}{end}", open.repeat(depth));
            let whole = read(&number(), None, deep.as_bytes(), NOW);
            assert!(whole.arrivals.len() <= 1, "{}", whole.kind);
            let inside = format!(r#"{{"message":{{"id":"wamid.A","type":"text","text":{deep}}}}}"#);
            let inside = read(&number(), None, inside.as_bytes(), NOW);
            assert!(
                inside
                    .arrivals
                    .iter()
                    .all(|it| matches!(it, Arrival::Ignored(_)))
            );
        }
    }
}
