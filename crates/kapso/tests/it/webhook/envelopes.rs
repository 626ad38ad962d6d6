//! One message, four envelopes: the same comes out of each.

use kapso::Page;
use kapso::webhook::Kind;
use model::{Arrival, Choice, Content, IgnoreReason, Inbound, Source};
use serde_json::{Value, json};

use super::{RECEIVED, only_message, push, recorded};
use crate::data::{self, MESSAGES, NOW, batch, body, envelope, list_page, message, number, single};

/// Recorded messages that came in.
fn inbound() -> impl Iterator<Item = (&'static str, Value)> {
    let names = MESSAGES.iter().map(|(name, _)| *name);
    names
        .filter(|name| *name != "outbound_text")
        .map(|name| (name, message(name)))
}

fn listed(item: &Value) -> Inbound {
    let page = list_page(std::slice::from_ref(item)).to_string();
    let page = Page::read(&number(), page.as_bytes(), NOW).unwrap();
    match page.items.into_iter().next().map(|item| item.arrival) {
        Some(Arrival::Message(inbound)) => *inbound,
        other => panic!("{other:?}"),
    }
}

fn pushed(inbound: Inbound) -> Inbound {
    Inbound {
        source: Source::Webhook,
        ..inbound
    }
}

#[test]
fn every_recorded_message_is_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let files = |folder: &str| {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    };
    assert_eq!((MESSAGES.len(), files(folder)), (29, 29));
    assert_eq!(data::BODIES.len(), files(&format!("{folder}/webhook")));
}

#[test]
fn i1_a_single_event_brings_what_the_list_shows() {
    for (name, item) in inbound() {
        let push = push(RECEIVED, &single(&item));
        assert_eq!(push.kind, Kind::Single, "{name}");
        assert_eq!(only_message(push), pushed(listed(&item)), "{name}");
    }
}

#[test]
fn i3_a_batch_brings_what_the_list_shows_in_its_order() {
    let (names, items): (Vec<&str>, Vec<Value>) = inbound().unzip();
    let push = push(RECEIVED, &batch(&items));
    assert_eq!(push.kind, Kind::Batch);
    assert_eq!(push.arrivals.len(), names.len());
    for ((name, item), arrival) in names.iter().zip(&items).zip(push.arrivals) {
        let expected = Arrival::Message(Box::new(pushed(listed(item))));
        assert_eq!(arrival, expected, "{name}");
    }
}

/// What Meta cannot tell, because Kapso made it: where a file lies, what was said in it, the name of a form. Of a
/// system message it names no contact.
fn without_kapso(name: &str, inbound: Inbound) -> Inbound {
    let content = match inbound.content {
        Content::Media(mut media) => {
            media.url = None;
            media.transcript = None;
            Content::Media(media)
        }
        Content::Choice(choice) if name == "flow_reply" => {
            assert_eq!(choice.id.as_deref(), Some("intake"));
            let id = Some("flow".to_owned());
            Content::Choice(Choice { id, ..choice })
        }
        other @ (Content::Text { .. }
        | Content::Location(_)
        | Content::Contacts { .. }
        | Content::Reaction { .. }
        | Content::Choice(_)
        | Content::Order { .. }
        | Content::System { .. }
        | Content::Unsupported { .. }) => other,
    };
    let name = inbound.name.filter(|_| name != "system_number_change");
    Inbound {
        content,
        name,
        ..inbound
    }
}

#[test]
fn metas_envelope_brings_the_same_but_for_what_kapso_adds() {
    for (name, item) in inbound() {
        let push = push(None, &envelope(&item));
        assert_eq!(push.kind, Kind::Meta, "{name}");
        if name == "text_without_body" {
            // Its words are Kapso's alone.
            let malformed = IgnoreReason::Malformed("a text without words".to_owned());
            let id = item["id"].as_str().unwrap();
            assert_eq!(recorded(&push), [(id, Some(&malformed))]);
            continue;
        }
        let expected = without_kapso(name, pushed(listed(&item)));
        assert_eq!(only_message(push), expected, "{name}");
    }
}

#[test]
fn what_went_out_is_recorded_and_never_a_message() {
    let item = message("outbound_text");
    let id = item["id"].as_str().unwrap();
    for body in [single(&item), batch(std::slice::from_ref(&item))] {
        let push = push(RECEIVED, &body);
        assert_eq!(recorded(&push), [(id, Some(&IgnoreReason::Outbound))]);
        assert_eq!(push.receipts, []);
    }
}

#[test]
fn three_entries_of_three_changes_of_three_messages_are_all_read_in_order() {
    let message = |n: usize| {
        json!({"from": format!("1555123{:04}", n % 9), "id": format!("wamid.{n:02}"),
            "timestamp": "1788000000", "type": "text", "text": {"body": format!("{n}")}})
    };
    let change = |first: usize| {
        let mut change = data::change("messages", &json!({}))["entry"][0]["changes"][0].take();
        change["value"]["messages"] = (first..first + 3).map(message).collect();
        change
    };
    let entry = |first: usize| {
        let changes: Vec<Value> = (0..3).map(|n| change(first + 3 * n)).collect();
        json!({"id": "1029384756", "changes": changes})
    };
    let entries: Vec<Value> = (0..3).map(|n| entry(9 * n)).collect();
    let push = push(
        None,
        &json!({"object": "whatsapp_business_account", "entry": entries}),
    );
    let ids: Vec<_> = push.arrivals.iter().map(|it| it.id().as_str()).collect();
    let expected: Vec<String> = (0..27).map(|n| format!("wamid.{n:02}")).collect();
    assert_eq!(ids, expected);
    let message = |it: &Arrival| matches!(it, Arrival::Message(_));
    assert!(push.arrivals.iter().all(message));
}

#[test]
fn the_examples_of_the_documentation_are_understood() {
    let found = |name: &str, event| only_message(push(event, &body(name)));
    for (name, event, id) in [
        ("received", RECEIVED, "wamid.TXT"),
        ("received", None, "wamid.TXT"),
        ("received_without_sender", RECEIVED, "wamid.OLD"),
        ("meta_message", None, "wamid.META"),
    ] {
        let inbound = found(name, event);
        assert_eq!(inbound.id.as_str(), id, "{name}");
        assert_eq!(inbound.from.to_string(), "+5491155551234", "{name}");
        assert_eq!(inbound.name.as_deref(), Some("Ana"), "{name}");
        let words = Content::Text {
            body: "Hola".to_owned(),
        };
        assert_eq!(inbound.content, words, "{name}");
    }
    for event in [RECEIVED, None] {
        let push = push(event, &body("batch"));
        assert_eq!(push.kind, Kind::Batch);
        assert_eq!(
            recorded(&push),
            [("wamid.A", None), ("wamid.B", None), ("wamid.C", None)]
        );
    }
}

#[test]
fn contacts_are_matched_by_number_or_user_id() {
    let value = json!({
        "contacts": [
            {"profile": {"name": "Ana"}, "wa_id": "5491155551234", "user_id": "AR.1"},
            {"profile": {"name": "Bea"}, "wa_id": "5491166660000"},
            {"profile": {"name": "Cleo"}, "user_id": "AR.3"},
            "?",
        ],
        "messages": [
            {"from": "5491166660000", "id": "wamid.B", "type": "text", "text": {"body": "b"}},
            {"from_user_id": "AR.3", "id": "wamid.C", "type": "text", "text": {"body": "c"}},
            {"from_user_id": "AR.1", "id": "wamid.A", "type": "text", "text": {"body": "a"}},
            {"from": "5491177770000", "id": "wamid.D", "type": "text", "text": {"body": "d"}},
            {"id": "wamid.E", "type": "text", "text": {"body": "e"}},
        ],
    });
    let push = push(None, &data::change("messages", &value));
    let who: Vec<_> = push
        .arrivals
        .iter()
        .map(|arrival| match arrival {
            Arrival::Message(it) => (it.from.to_string(), it.name.clone().unwrap_or_default()),
            Arrival::Ignored(it) => (it.id.to_string(), it.reason.name().to_owned()),
        })
        .collect();
    let expected = [
        ("+5491166660000", "Bea"),
        ("AR.3", "Cleo"),
        ("+5491155551234", "Ana"),
        ("+5491177770000", ""),
        ("wamid.E", "no_sender"),
    ];
    assert_eq!(
        who,
        expected.map(|(from, name)| (from.to_owned(), name.to_owned()))
    );
}

#[test]
fn the_only_contact_is_the_one_who_wrote() {
    let ana = json!({"profile": {"name": "Ana"}, "wa_id": "5491155551234", "user_id": "AR.1"});
    let sender = |mut message: Value| {
        message["id"] = "wamid.A".into();
        message["type"] = "text".into();
        message["text"] = json!({"body": "hi"});
        let value = json!({"contacts": [ana.clone()], "messages": [message]});
        let inbound = only_message(push(None, &data::change("messages", &value)));
        (inbound.from.to_string(), inbound.name)
    };
    let name = || Some("Ana".to_owned());
    assert_eq!(sender(json!({})), ("+5491155551234".to_owned(), name()));
    // The same number without the digit that WhatsApp adds; an answer goes to the form of the message.
    let without = json!({"from": "541155551234"});
    assert_eq!(sender(without), ("+541155551234".to_owned(), name()));
}
