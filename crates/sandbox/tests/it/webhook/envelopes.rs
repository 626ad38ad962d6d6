//! The forms of a body and of its signature.

use std::time::Duration;

use model::UserId;
use sandbox::kapso::{Buffering, Envelope, Incoming, Signature, Status};
use serde_json::{Value, json};

use super::{PLENTY, next, pushing};
use crate::http::{ANA, BOB, NUMBER, send};

#[tokio::test]
async fn metas_envelope_has_metas_fields_and_signature_alone() {
    let (kapso, mut received) = pushing(&[], |target| {
        target.envelope = Envelope::Meta;
        target.signature = Signature::Hub;
        target.events = vec!["whatsapp.message.sent".to_owned()];
    })
    .await;
    let user = UserId::new("AR.1049384756102").unwrap();
    let id = kapso.receive(ANA, Incoming::text("Hola").name("Ana").user_id(&user));
    let push = next(&mut received).await;
    let signature = push.header("x-hub-signature-256");
    assert!(push.is_signed_with(signature.strip_prefix("sha256=").unwrap()));
    assert!(
        push.headers
            .keys()
            .all(|it| !it.as_str().starts_with("x-webhook"))
    );
    let body = push.json();
    assert_eq!(body["object"], "whatsapp_business_account");
    let change = &body["entry"][0]["changes"][0];
    let expected = json!({
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550009999", "phone_number_id": NUMBER },
            "contacts": [{ "profile": { "name": "Ana" }, "wa_id": "15551234567", "user_id": user }],
            "messages": [{
                "id": id, "timestamp": "1788000000", "type": "text", "from": "15551234567",
                "from_user_id": user, "text": { "body": "Hola" },
            }],
        },
    });
    assert_eq!(*change, expected);
}

#[tokio::test]
async fn metas_envelope_tells_statuses_and_what_was_typed_on_the_phone() {
    let (kapso, mut received) = pushing(&[], |target| target.envelope = Envelope::Meta).await;
    send(&kapso, ANA, "hello").await.unwrap();
    let sent = kapso.sent()[0].id.clone();
    kapso.set_status(&sent, Status::Failed(131_026));
    let mut words = vec![];
    for _ in 0..3 {
        let push = next(&mut received).await;
        assert!(
            push.is_signed(),
            "Kapso signs Meta's envelope in its own way"
        );
        assert_eq!(push.header("x-idempotency-key").len(), 64);
        let value = push.json()["entry"][0]["changes"][0]["value"].clone();
        let status = &value["statuses"][0];
        assert_eq!(
            (&status["id"], &value["messages"]),
            (&json!(sent), &Value::Null)
        );
        words.push(status["status"].as_str().unwrap().to_owned());
        if status["status"] == "failed" {
            assert_eq!(status["errors"][0]["code"], 131_026);
        }
    }
    words.sort();
    assert_eq!(words, ["delivered", "failed", "sent"]);

    kapso.send_by_hand(ANA, "typed", "business_app");
    let mut fields = vec![];
    for _ in 0..2 {
        let body = next(&mut received).await.json();
        let change = &body["entry"][0]["changes"][0];
        if change["field"] == "smb_message_echoes" {
            let echo = &change["value"]["message_echoes"][0];
            assert_eq!(
                (&echo["from"], &echo["to"]),
                (&json!("15550009999"), &json!("15551234567"))
            );
            assert_eq!(echo["text"]["body"], "typed");
        }
        fields.push(change["field"].as_str().unwrap().to_owned());
    }
    assert!(
        fields.contains(&"smb_message_echoes".to_owned()),
        "{fields:?}"
    );
}

#[tokio::test]
async fn metas_batch_holds_messages_of_several_customers_and_is_not_taken_apart() {
    let (kapso, mut received) = pushing(&[500], |target| {
        target.envelope = Envelope::Meta;
        target.timing.retries = vec![Duration::from_millis(1)];
        target.buffer = Some(Buffering {
            window: Duration::from_secs(3600),
            size: 27,
        });
    })
    .await;
    for n in 0..27 {
        kapso.receive([ANA, BOB][n % 2], format!("{n}"));
    }
    let refused = next(&mut received).await;
    let again = next(&mut received).await;
    assert_eq!(refused.bytes, again.bytes);
    assert_eq!(
        refused.header("x-idempotency-key"),
        again.header("x-idempotency-key")
    );
    assert_eq!(refused.header("x-webhook-batch"), "");
    let body = again.json();
    let entries = body["entry"].as_array().unwrap();
    let changes = |entry: &Value| entry["changes"].as_array().unwrap().clone();
    let shape: Vec<usize> = entries.iter().map(|it| changes(it).len()).collect();
    assert_eq!(shape, [3, 3, 3]);
    let changes = entries.iter().flat_map(changes);
    let messages = changes.flat_map(|it| {
        assert_eq!(it["value"]["messages"].as_array().unwrap().len(), 3);
        it["value"]["messages"].as_array().unwrap().clone()
    });
    let texts: Vec<Value> = messages.map(|it| it["text"]["body"].clone()).collect();
    let all: Vec<Value> = (0..27).map(|n| json!(n.to_string())).collect();
    assert_eq!(texts, all);
}

#[tokio::test]
async fn the_legacy_body_nests_the_number_and_names_its_version() {
    let (kapso, mut received) = pushing(&[], |target| target.envelope = Envelope::KapsoV1).await;
    let id = kapso.receive(ANA, "Hola");
    let push = next(&mut received).await;
    assert!(push.is_signed());
    assert_eq!(push.header("x-webhook-payload-version"), "v1");
    assert_eq!(push.header("x-webhook-event"), "whatsapp.message.received");
    let body = push.json();
    assert_eq!(body["message"]["message_type"], "text");
    assert_eq!(body["message"]["content"], "Hola");
    assert_eq!(body["message"]["origin"], "cloud_api");
    assert_eq!(body["message"]["whatsapp_message_id"], json!(id));
    assert_eq!(body["whatsapp_config"]["phone_number_id"], NUMBER);
    assert_eq!(body["phone_number_id"], Value::Null);
    assert_eq!(body["message"]["kapso"], Value::Null);
}

#[tokio::test]
async fn an_unsigned_delivery_has_no_signature_of_any_kind() {
    let (kapso, mut received) = pushing(&[], |target| target.signature = Signature::Unsigned).await;
    kapso.receive(ANA, "Hola");
    let push = next(&mut received).await;
    let signed = |it: &axum::http::HeaderName| it.as_str().contains("signature");
    assert!(!push.headers.keys().any(signed));
    assert_eq!(push.text(), "Hola");
    let delivered = kapso.until(|kapso| kapso.deliveries().pop());
    let delivered = tokio::time::timeout(PLENTY, delivered).await.unwrap();
    assert!(delivered.accepted());
}
