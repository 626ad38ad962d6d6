//! What is told about messages that went out, and what a person typed on the business's phone.

use kapso::webhook::{Kind, Pushed};
use model::{Fate, Identity, IgnoreReason, MessageId, Receipt, Timestamp};
use serde_json::{Value, json};

use super::{RECEIVED, push, recorded, took_nothing};
use crate::data::{NOW, body, change, number};

fn receipt(id: &str, fate: Fate, at: i64) -> Receipt {
    Receipt {
        number: number(),
        id: MessageId::new(id).unwrap(),
        to: Some(Identity::new("5491155551234").unwrap()),
        fate,
        text: None,
        by_hand: false,
        at: Timestamp::from_seconds(at),
    }
}

fn saying(text: &str, receipt: Receipt) -> Receipt {
    Receipt {
        text: Some(text.to_owned()),
        ..receipt
    }
}

fn by_hand(receipt: Receipt) -> Receipt {
    Receipt {
        by_hand: true,
        ..receipt
    }
}

fn to(person: Option<&str>, receipt: Receipt) -> Receipt {
    let to = person.map(|person| Identity::new(person).unwrap());
    Receipt { to, ..receipt }
}

fn only_receipt(pushed: Pushed) -> Receipt {
    assert_eq!(pushed.arrivals, []);
    let [receipt] = <[Receipt; 1]>::try_from(pushed.receipts).unwrap();
    receipt
}

#[test]
fn kapsos_events_tell_how_far_a_message_got() {
    let closed = Fate::Failed("131047 Re-engagement message".to_owned());
    for (name, fate, at) in [
        ("sent", Fate::Sent, 1_788_000_201),
        ("delivered", Fate::Delivered, 1_788_000_205),
        ("read", Fate::Read, 1_788_000_300),
        ("failed", closed, 1_788_000_207),
    ] {
        let expected = saying("ok", receipt("wamid.OUT", fate, at));
        // Without the event's name the status says it.
        for event in [Some(format!("whatsapp.message.{name}")), None] {
            let push = push(event.as_deref(), &body(name));
            assert_eq!(push.kind, Kind::Single, "{name}");
            assert_eq!(only_receipt(push), expected, "{name}");
        }
    }
}

#[test]
fn a_recipient_without_number_goes_by_the_user_id() {
    let pushed = push(Some("whatsapp.message.sent"), &body("sent_by_user_id"));
    let expected = receipt("wamid.OUT", Fate::Sent, 1_788_000_200);
    assert_eq!(
        only_receipt(pushed),
        to(Some("AR.1049384756102"), saying("ok", expected))
    );
}

#[test]
fn a_recipient_may_be_named_by_the_conversation_alone() {
    let mut sent = body("sent");
    sent["message"]["to"] = Value::Null;
    let expected = saying("ok", receipt("wamid.OUT", Fate::Sent, 1_788_000_201));
    assert_eq!(only_receipt(push(None, &sent)), expected);
    sent["message"]["group_id"] = "1203630".into();
    assert_eq!(only_receipt(push(None, &sent)), to(None, expected));
}

#[test]
fn what_was_typed_on_the_phone_is_told_apart() {
    let pushed = push(Some("whatsapp.message.sent"), &body("sent_from_phone"));
    let expected = saying(
        "Ya te llamo",
        receipt("wamid.HAND", Fate::Sent, 1_788_000_200),
    );
    assert_eq!(only_receipt(pushed), by_hand(expected));
}

#[test]
fn i4_a_persons_own_message_in_a_batch_is_recorded_and_no_turn() {
    let element = body("sent_from_phone");
    let batch = json!({"type": "whatsapp.message.received", "batch": true, "data": [element]});
    let pushed = push(RECEIVED, &batch);
    assert_eq!(
        recorded(&pushed),
        [("wamid.HAND", Some(&IgnoreReason::Outbound))]
    );
    let expected = saying(
        "Ya te llamo",
        receipt("wamid.HAND", Fate::Sent, 1_788_000_200),
    );
    assert_eq!(pushed.receipts, [by_hand(expected)]);
}

#[test]
fn i4_imported_history_is_recorded_and_no_turn() {
    for direction in ["inbound", "outbound"] {
        let mut old = body("received");
        old["message"]["kapso"]["origin"] = "history_sync".into();
        old["message"]["kapso"]["direction"] = direction.into();
        let pushed = push(RECEIVED, &old);
        let reason = match direction {
            "inbound" => IgnoreReason::HistorySync,
            _ => IgnoreReason::Outbound,
        };
        assert_eq!(recorded(&pushed), [("wamid.TXT", Some(&reason))]);
        assert_eq!(pushed.receipts, []);
    }
    let mut sent = body("sent");
    sent["message"]["kapso"]["origin"] = "history_sync".into();
    let event = "whatsapp.message.sent";
    took_nothing(&push(Some(event), &sent), &Kind::Other(event.to_owned()));
}

#[test]
fn an_inbound_message_under_the_name_of_an_outbound_event_gives_nothing() {
    // Not a turn, because old messages are marked read as well; not recorded, or it could never become one.
    for name in ["sent", "delivered", "read", "failed"] {
        let event = format!("whatsapp.message.{name}");
        let pushed = push(Some(&event), &body("received"));
        took_nothing(&pushed, &Kind::Other(event));
    }
}

#[test]
fn i12_metas_statuses_are_receipts() {
    let pushed = push(None, &body("meta_statuses"));
    assert_eq!((&pushed.kind, pushed.arrivals.len()), (&Kind::Meta, 0));
    let failed = Fate::Failed("131047 Re-engagement message".to_owned());
    let expected = [
        receipt("wamid.1", Fate::Sent, 1_788_000_201),
        receipt("wamid.1", Fate::Delivered, 1_788_000_202),
        receipt("wamid.1", Fate::Read, 1_788_000_203),
        to(
            Some("AR.1049384756102"),
            receipt("wamid.2", failed, 1_788_000_204),
        ),
        // `deleted` says nothing about the way of wamid.3; wamid.4 went to a group.
        to(None, receipt("wamid.4", Fate::Delivered, 1_788_000_206)),
    ];
    assert_eq!(pushed.receipts, expected);
}

#[test]
fn i12_a_failure_is_told_in_one_plain_line() {
    let failed = |errors: Value| {
        let status = json!({"id": "wamid.1", "status": "failed", "recipient_id": "5491155551234", "errors": errors});
        let pushed = push(None, &change("messages", &json!({"statuses": [status]})));
        match only_receipt(pushed).fate {
            Fate::Failed(reason) => reason,
            other @ (Fate::Sent | Fate::Delivered | Fate::Read) => panic!("{other:?}"),
        }
    };
    let told =
        failed(json!([{"code": "131026", "message": "Message\n\tundeliverable\u{202e}\u{7}"}]));
    assert_eq!(told, "131026 Message undeliverable");
    let long = failed(json!([{"code": 1, "title": "é".repeat(1_000)}]));
    assert_eq!(long.chars().count(), 200);
    assert_eq!(failed(json!([{"code": 131_053}])), "131053");
    for none in [json!([]), json!(null), json!("no"), json!([{"code": {}}])] {
        assert_eq!(failed(none), "no reason given");
    }
}

#[test]
fn i12_the_last_status_has_the_reason_whatever_it_is_called() {
    let mut failed = body("failed");
    failed["message"]["kapso"]["statuses"][1]["status"] = "undelivered".into();
    let receipt = only_receipt(push(Some("whatsapp.message.failed"), &failed));
    let closed = Fate::Failed("131047 Re-engagement message".to_owned());
    assert_eq!(receipt.fate, closed);
}

#[test]
fn i4_metas_echoes_are_receipts() {
    let expected = receipt("wamid.ECHO", Fate::Sent, 1_788_000_210);
    let phone = push(None, &body("meta_echo_of_phone"));
    assert_eq!(
        only_receipt(phone),
        by_hand(saying("Ya te llamo", expected.clone()))
    );
    let any = push(None, &body("meta_echo"));
    assert_eq!(only_receipt(any), saying("ok", expected));
}

#[test]
fn metas_history_is_recorded_and_no_turn() {
    let history = |id| (id, Some(&IgnoreReason::HistorySync));
    let pushed = push(None, &body("meta_history"));
    let expected = ["wamid.H1", "wamid.H2", "wamid.H3"].map(history);
    assert_eq!(recorded(&pushed), expected);
    let pushed = push(None, &body("meta_history_file"));
    assert_eq!(recorded(&pushed), [history("wamid.H3")]);
}

#[test]
fn a_receipt_without_a_time_is_dated_by_its_arrival() {
    let mut late = body("delivered");
    late["message"]["kapso"]["statuses"] = json!([{"status": "sent", "timestamp": "1788000201"}]);
    let pushed = push(Some("whatsapp.message.delivered"), &late);
    assert_eq!(only_receipt(pushed).at, NOW);
}

#[test]
fn what_cannot_be_a_receipt_is_recorded_and_costs_no_other() {
    let mut nameless = body("sent");
    nameless["message"]["id"] = json!("a?b");
    let pushed = push(Some("whatsapp.message.sent"), &nameless);
    let reasons = |pushed: &Pushed| {
        let recorded = recorded(pushed);
        recorded
            .iter()
            .filter_map(|(_, reason)| reason.map(IgnoreReason::name))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (reasons(&pushed), pushed.receipts.len()),
        (vec!["malformed"], 0)
    );
    let statuses =
        json!([5, {"status": "sent"}, {"id": "wamid.1", "status": "sent"}, null, {"id": []}]);
    let pushed = push(None, &change("messages", &json!({"statuses": statuses})));
    assert_eq!(
        reasons(&pushed),
        ["malformed"; 3],
        "the last says nothing at all"
    );
    assert_eq!(pushed.receipts.len(), 1);
}

#[test]
fn i5_receipts_of_another_number_are_counted_and_left_out() {
    for name in [
        "meta_statuses",
        "meta_echo_of_phone",
        "sent",
        "sent_from_phone",
    ] {
        let mut foreign = body(name);
        if foreign["entry"].is_array() {
            let value = &mut foreign["entry"][0]["changes"][0]["value"];
            value["metadata"]["phone_number_id"] = "1".into();
        } else {
            foreign["phone_number_id"] = "1".into();
        }
        let pushed = push(None, &foreign);
        assert_eq!(
            (pushed.arrivals.len(), pushed.receipts.len()),
            (0, 0),
            "{name}"
        );
        let expected = if name == "meta_statuses" { 6 } else { 1 };
        assert_eq!(pushed.elsewhere, expected, "{name}");
    }
    assert_eq!(push(None, &body("meta_statuses")).elsewhere, 0);
}
