//! Which kind of body it is, whose messages it brings, and what is wrong with it.

use kapso::webhook::{Kind, MOST, read};
use model::{Arrival, Content, IgnoreReason, NumberId};
use serde_json::{Value, json};

use super::{RECEIVED, only_message, push, recorded, took_nothing};
use crate::data::{NOW, body, change, message, number, single};

#[test]
fn i1_kapsos_default_body_is_one_message() {
    let body = br#"{"message":{"id":"wamid.1","timestamp":"1700000000","type":"text","text":{"body":"hi"},
        "kapso":{"direction":"inbound","origin":"cloud_api"}},"conversation":{"phone_number":"+15551234567"},
        "phone_number_id":"1"}"#;
    let number = NumberId::new("1").unwrap();
    let inbound = only_message(read(&number, RECEIVED, body, NOW));
    assert_eq!(inbound.from.to_string(), "+15551234567");
}

#[test]
fn i3_a_batch_item_has_its_sender_from_the_conversation() {
    let sender = |message: Value, conversation: Value| {
        let mut element = json!({"message": {"id": "wamid.1", "type": "text", "text": {"body": "hi"},
            "kapso": {"direction": "inbound"}}, "conversation": conversation});
        let fields = message.as_object().unwrap().clone();
        element["message"].as_object_mut().unwrap().extend(fields);
        let batch = json!({"type": "whatsapp.message.received", "batch": true, "data": [element]});
        let pushed = push(None, &batch);
        assert_eq!(pushed.kind, Kind::Batch);
        match pushed.arrivals.into_iter().next() {
            Some(Arrival::Message(inbound)) => inbound.from.to_string(),
            Some(Arrival::Ignored(ignored)) => ignored.reason.name().to_owned(),
            None => "nothing".to_owned(),
        }
    };
    let conversation = json!({"phone_number": "+591 700-00001", "business_scoped_user_id": "BO.1"});
    assert_eq!(sender(json!({}), conversation.clone()), "+59170000001");
    assert_eq!(
        sender(json!({"from": "15551234567"}), conversation),
        "+15551234567"
    );
    let in_kapso = json!({"kapso": {"direction": "inbound", "phone_number": "15551234567"}});
    assert_eq!(sender(in_kapso, Value::Null), "+15551234567");
    let hidden = json!({"phone_number": null, "business_scoped_user_id": "BO.1"});
    assert_eq!(sender(json!({"from": null}), hidden), "BO.1");
    assert_eq!(
        sender(json!({"from": ""}), json!({"phone_number": " "})),
        "no_sender"
    );
}

#[test]
fn c9_user_ids_are_told_apart_and_are_no_numbers() {
    for id in ["US.13491208655302741918", "MX.ab12c3", "US.xy1z23"] {
        let mut body = body("received");
        body["message"]["from"] = Value::Null;
        body["message"]["from_user_id"] = id.into();
        body["conversation"] = Value::Null;
        assert_eq!(only_message(push(RECEIVED, &body)).from.to_string(), id);
    }
}

#[test]
fn c14_a_media_id_cannot_lead_to_another_path() {
    let id = |id: &str| {
        let mut item = message("sticker");
        item["sticker"]["id"] = id.into();
        let inbound = only_message(push(RECEIVED, &single(&item)));
        let Content::Media(media) = inbound.content else {
            panic!("{inbound:?}")
        };
        media.id
    };
    assert_eq!(id("1000000000000005").as_deref(), Some("1000000000000005"));
    for forged in [
        "../../platform/v1/x",
        "..",
        "a/b",
        "a?b",
        "a%2fb",
        "a b",
        &"9".repeat(129),
    ] {
        assert_eq!(id(forged), None, "{forged}");
    }
}

/// A pushed body whose number is named in each of the places where it can be.
fn named_in(place: &str, id: &Value) -> Value {
    let mut named = match place {
        "metadata" => return with_metadata(id),
        _ => body("received"),
    };
    named.as_object_mut().unwrap().remove("phone_number_id");
    named["conversation"]
        .as_object_mut()
        .unwrap()
        .remove("phone_number_id");
    match place {
        "root" => named["phone_number_id"] = id.clone(),
        "conversation" => named["conversation"]["phone_number_id"] = id.clone(),
        _ => named["message"]["kapso"]["phone_number_id"] = id.clone(),
    }
    named
}

fn with_metadata(id: &Value) -> Value {
    let mut named = body("meta_message");
    named["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = id.clone();
    named
}

#[test]
fn i5_another_numbers_message_is_recorded_under_that_number() {
    for place in ["root", "conversation", "kapso", "metadata"] {
        for id in [json!("111222333"), json!(111_222_333)] {
            let pushed = push(None, &named_in(place, &id));
            let [Arrival::Ignored(ignored)] = pushed.arrivals.as_slice() else {
                panic!("{place}: {pushed:?}")
            };
            assert_eq!(ignored.number.as_str(), "111222333", "{place}");
            assert_eq!(ignored.reason, IgnoreReason::OtherNumber, "{place}");
            assert!(ignored.id.as_str().starts_with("wamid."), "{place}");
        }
        let ours = only_message(push(None, &named_in(place, &json!(number().as_str()))));
        assert_eq!(ours.number, number(), "{place}");
        // Without a number it is ours: it came on our webhook.
        let none = only_message(push(None, &named_in(place, &Value::Null)));
        assert_eq!(none.number, number(), "{place}");
        let pushed = push(None, &named_in(place, &json!("../1")));
        let [(_, Some(IgnoreReason::Malformed(_)))] = recorded(&pushed)[..] else {
            panic!("{place}: {pushed:?}")
        };
    }
}

#[test]
fn i16_the_header_counts_more_than_a_type_in_the_body() {
    let mut body = body("received");
    body["type"] = "text".into();
    assert_eq!(only_message(push(RECEIVED, &body)).id.as_str(), "wamid.TXT");
    // Without the header the shape says it, and the message's type does not interfere.
    assert_eq!(only_message(push(None, &body)).id.as_str(), "wamid.TXT");
    assert_eq!(
        only_message(push(Some(" "), &body)).id.as_str(),
        "wamid.TXT"
    );
    let other = push(Some("whatsapp.message.edited"), &body);
    took_nothing(&other, &Kind::Other("whatsapp.message.edited".to_owned()));
}

#[test]
fn the_event_may_stand_in_the_body() {
    for key in ["event", "type"] {
        let mut delivered = body("delivered");
        delivered["message"]["kapso"]["status"] = "sent".into();
        delivered[key] = "whatsapp.message.delivered".into();
        let pushed = push(None, &delivered);
        let fates: Vec<_> = pushed.receipts.iter().map(|it| it.fate.name()).collect();
        assert_eq!(fates, ["delivered"], "{key}");
    }
}

#[test]
fn events_without_use_are_named_and_nothing_is_taken() {
    for (name, event) in [
        ("conversation_created", "whatsapp.conversation.created"),
        ("conversation_ended", "whatsapp.conversation.ended"),
        ("conversation_inactive", "whatsapp.conversation.inactive"),
        (
            "contact_identity_changed",
            "whatsapp.contact.identity_changed",
        ),
        (
            "contact_marketing_preference_changed",
            "whatsapp.contact.marketing_preference_changed",
        ),
        ("phone_number_created", "whatsapp.phone_number.created"),
        (
            "phone_number_disconnected",
            "whatsapp.phone_number.disconnected",
        ),
    ] {
        let pushed = push(Some(event), &body(name));
        took_nothing(&pushed, &Kind::Other(event.to_owned()));
    }
    let repeated = push(None, &body("phone_number_disconnected"));
    let event = "whatsapp.phone_number.disconnected".to_owned();
    took_nothing(&repeated, &Kind::Other(event));
    took_nothing(&push(None, &body("meta_contacts_of_phone")), &Kind::Meta);
}

#[test]
fn an_events_name_cannot_break_a_log_line() {
    let long = format!("Some.Event\n\u{202e}level=\"error\"{}", "x".repeat(100));
    let pushed = push(Some(&long), &body("received"));
    let Kind::Other(name) = &pushed.kind else {
        panic!("{pushed:?}")
    };
    assert!(
        name.starts_with("some.eventlevelerrorxxx") && name.len() == 64,
        "{name}"
    );
}

#[test]
fn of_version_1_nothing_is_taken() {
    for event in [RECEIVED, None] {
        took_nothing(&push(event, &body("v1_received")), &Kind::V1);
        let batch = json!({"type": "whatsapp.message.received", "batch": true, "data": [body("v1_received")]});
        took_nothing(&push(event, &batch), &Kind::V1);
    }
    let created = Some("whatsapp.config.created");
    took_nothing(&push(created, &body("v1_config_created")), &Kind::V1);
    // A version 2 message stays one, whatever stands beside it.
    let mut both = body("received");
    both["whatsapp_config"] = json!({"id": "880e8400"});
    both["message"]["message_type"] = "text".into();
    assert_eq!(only_message(push(RECEIVED, &both)).id.as_str(), "wamid.TXT");
    both["message"] = json!({"id": "1", "content": "Hola"});
    took_nothing(&push(RECEIVED, &both), &Kind::V1);
}

#[test]
fn what_else_stands_in_a_body_does_not_matter() {
    for (name, key) in [
        ("received", "entry"),
        ("batch", "entry"),
        ("received", "batch"),
    ] {
        let mut body = body(name);
        let expected = push(RECEIVED, &body);
        body[key] = json!([]);
        assert_eq!(push(RECEIVED, &body), expected, "{name} {key}");
    }
}

#[test]
fn one_malformed_element_costs_no_other() {
    let good = body("received");
    let mut wordless = good.clone();
    wordless["message"]["id"] = "wamid.W".into();
    wordless["message"]["text"] = Value::Null;
    wordless["message"]["kapso"]["content"] = Value::Null;
    let bad = [
        json!(null),
        json!(5),
        json!({}),
        json!({"message": "hi"}),
        json!([good]),
        wordless,
    ];
    let mut data = bad.to_vec();
    data.push(good);
    let batch = json!({"type": "whatsapp.message.received", "batch": true, "data": data});
    let pushed = push(RECEIVED, &batch);
    let recorded = recorded(&pushed);
    assert_eq!(recorded.len(), bad.len() + 1);
    for (id, reason) in &recorded[..bad.len()] {
        assert!(
            matches!(reason, Some(IgnoreReason::Malformed(_))),
            "{id}: {reason:?}"
        );
    }
    assert_eq!(recorded[bad.len()], ("wamid.TXT", None));
}

#[test]
fn half_a_character_costs_its_message_alone() {
    let text =
        |id: &str| json!({"from": "15551234567", "id": id, "type": "text", "text": {"body": "hi"}});
    let broken = r#""body":"half \ud83d""#;
    let value = json!({"messages": [text("wamid.1"), text("wamid.2"), text("wamid.3")]});
    let json = change("messages", &value).to_string();
    let (first, rest) = json.split_once(r#""body":"hi""#).unwrap();
    let json = format!("{first}{broken}{rest}");
    let pushed = read(&number(), None, json.as_bytes(), NOW);
    let reasons: Vec<_> = recorded(&pushed)
        .into_iter()
        .map(|(_, reason)| reason.is_some())
        .collect();
    assert_eq!(reasons, [true, false, false]);
}

#[test]
fn metas_malformed_parts_cost_no_others() {
    let mut envelope = body("meta_message");
    let good = envelope["entry"][0].take();
    let change = good["changes"][0].clone();
    envelope["entry"] = json!([5, {"changes": 5}, {"id": "1"},
        {"changes": ["?", {"field": "messages"}, {"field": "messages", "value": 5}, change]}, null]);
    let pushed = push(None, &envelope);
    assert_eq!(pushed.kind, Kind::Meta);
    let taken: Vec<_> = pushed
        .arrivals
        .iter()
        .map(|it| matches!(it, Arrival::Message(_)))
        .collect();
    assert_eq!(taken, [false, false, false, false, false, true, false]);
}

#[test]
fn what_is_no_body_is_malformed() {
    for (body, what) in [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("{\"message\":{}", "not JSON"),
        ("[]", "not an object"),
        ("null", "not an object"),
        ("\"whatsapp.message.received\"", "not an object"),
        ("{}", "no known shape"),
        ("{\"message\":null}", "no known shape"),
        ("{\"batch\":true,\"data\":{}}", "a batch without its list"),
        ("{\"entry\":{}}", "its entries are no list"),
    ] {
        let pushed = read(&number(), None, body.as_bytes(), NOW);
        took_nothing(&pushed, &Kind::Malformed(what));
    }
    let pushed = read(&number(), None, b"{\"message\":\"\xff\"}", NOW);
    took_nothing(&pushed, &Kind::Malformed("not JSON"));
    took_nothing(
        &push(RECEIVED, &json!({})),
        &Kind::Malformed("no message in it"),
    );
}

#[test]
fn more_than_can_be_true_is_left_out_and_counted() {
    let numbers: Vec<Value> = (0..MOST + 7).map(Value::from).collect();
    let batch = push(RECEIVED, &json!({"batch": true, "data": numbers}));
    assert_eq!((batch.arrivals.len(), batch.left_out), (MOST, 7));
    let half: Vec<Value> = (0..MOST / 2 + 5).map(Value::from).collect();
    let value = json!({"messages": half, "statuses": half});
    let meta = push(None, &change("messages", &value));
    assert_eq!(
        (meta.arrivals.len() + meta.receipts.len(), meta.left_out),
        (MOST, 10)
    );
}

#[test]
fn a_message_larger_than_any_is_recorded_as_malformed() {
    let mut huge = body("received");
    huge["message"]["text"]["body"] = "x".repeat(1024 * 1024).into();
    let pushed = push(RECEIVED, &huge);
    let expected = IgnoreReason::Malformed("larger than a message can be".to_owned());
    let [(id, Some(reason))] = recorded(&pushed)[..] else {
        panic!("{}", pushed.kind)
    };
    assert!(
        id.starts_with("sha256:") && *reason == expected,
        "{id} {reason:?}"
    );
}

#[test]
fn kinds_have_one_name_each_and_say_what_they_are() {
    let kinds = [
        (Kind::Single, "single", "single"),
        (Kind::Batch, "batch", "batch"),
        (Kind::Meta, "meta", "meta"),
        (Kind::V1, "v1", "v1"),
        (Kind::Other("a.b".to_owned()), "other", "other (a.b)"),
        (
            Kind::Malformed("not JSON"),
            "malformed",
            "malformed (not JSON)",
        ),
    ];
    for (kind, name, shown) in kinds {
        assert_eq!((kind.name(), kind.to_string().as_str()), (name, shown));
    }
}
