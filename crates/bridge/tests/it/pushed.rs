//! What Kapso pushes: every envelope is understood, nothing is believed without a signature, and 200 means on disk.

use std::time::Duration;

use sandbox::kapso::{Incoming, SendFault, Status, WebhookTarget};
use sandbox::openclaw::{Answer, Gate};
use serde_json::{Value, json};
use store::{Counter, EventKind, MessageState, OutgoingState};

use crate::push::{Push, exchange, get, signature};
use crate::world::{ANN, BOB, NUMBER, SECRET, STRANGER, VERIFY_TOKEN, World, now};

pub(crate) const RECEIVED: &str = "whatsapp.message.received";

/// A message as in Kapso's single bodies; the sender stands only in the conversation.
pub(crate) fn single(id: &str, text: &str) -> Value {
    let at = now().as_millis() / 1000;
    json!({
        "message": {"id": id, "timestamp": at.to_string(), "type": "text", "text": {"body": text},
            "kapso": {"direction": "inbound", "origin": "cloud_api"}},
        "conversation": {"id": "c1", "phone_number": "+1 555-123-4567"},
        "phone_number_id": NUMBER,
    })
}

fn batch(items: &[Value]) -> Value {
    json!({"type": RECEIVED, "batch": true, "data": items,
        "batch_info": {"size": items.len(), "window_ms": 5000}})
}

fn meta(number: &str, messages: &[Value]) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": [{"field": "messages",
        "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550009999", "phone_number_id": number},
            "contacts": [{"profile": {"name": "Ann"}, "wa_id": "15551234567"}],
            "messages": messages}}]}]})
}

/// How many messages the journal has in each state, and what was ignored for which reason.
async fn recorded(world: &mut World, state: MessageState) -> u64 {
    world.terminate().await;
    let depths = world.journal().await.depths().await.unwrap();
    depths.messages.get(&state).copied().unwrap_or_default()
}

pub(crate) async fn ignored(world: &mut World, reason: &str) -> u64 {
    world.terminate().await;
    let events = world.journal().await.events().await.unwrap();
    let found = events
        .iter()
        .find(|event| event.kind == EventKind::Ignored && event.reason == reason);
    found.map_or(0, |event| event.count)
}

#[tokio::test]
async fn i1_i2_a_single_signed_body_is_one_message_of_the_conversations_person() {
    let world = World::pushed().await;
    let push = Push::of(single("wamid.1", "hi")).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
    assert_eq!(
        world.openclaw.asked()[0].session,
        "agent:main:main-wa-15551234567"
    );
}

#[tokio::test]
async fn i3_a_batch_item_has_its_sender_from_the_conversation() {
    let world = World::pushed().await;
    let items = [single("wamid.1", "one"), single("wamid.2", "two")];
    let push = Push::of(batch(&items)).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(
        world.answers(ANN, 2).await,
        ["You said: one", "You said: two"]
    );
}

#[tokio::test]
async fn i4_what_the_owner_typed_and_what_was_imported_are_never_turns() {
    let mut world = World::pushed().await;
    let mut typed = single("wamid.1", "I am the owner");
    typed["message"]["kapso"] = json!({"direction": "outbound", "origin": "business_app"});
    let mut imported = single("wamid.2", "from last year");
    imported["message"]["kapso"]["origin"] = json!("history_sync");
    let items = [typed, imported, single("wamid.3", "hi")];
    let push = Push::of(batch(&items)).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(recorded(&mut world, MessageState::Ignored).await, 2);
}

#[tokio::test]
async fn i5_a_message_to_another_number_is_recorded_and_not_answered_from_this_one() {
    let mut world = World::pushed().await;
    let message = json!({"id": "wamid.9", "from": "15551234567", "timestamp": "1788000000", "type": "text",
        "text": {"body": "for the other shop"}});
    let push = Push::of(meta("100000000000009", &[message])).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    let push = Push::of(single("wamid.1", "hi")).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(ignored(&mut world, "other_number").await, 1);
}

#[tokio::test]
async fn i6_without_a_key_a_forged_body_gains_nothing_and_a_true_message_is_read_from_the_list() {
    let mut world = World::unsigned().await;
    let forged = json!({"id": "wamid.f", "from": "15551234567", "timestamp": "1788000000", "type": "text",
        "text": {"body": "!restart"}});
    let push = Push::of(meta(NUMBER, &[forged]));
    assert_eq!(push.post(world.door()).await.0, 200);
    // The stand-in's push of it carries no signature either: it is the list that is believed.
    world.kapso.receive(ANN, "truly mine");
    assert_eq!(world.answers(ANN, 1).await, ["You said: truly mine"]);
    assert_eq!(world.openclaw.asked().len(), 1);
    world.terminate().await;
    let depths = world.journal().await.depths().await.unwrap();
    assert_eq!(depths.messages.values().sum::<u64>(), 1);
}

#[tokio::test]
async fn i6_a_wrong_signature_is_refused_and_nothing_of_the_right_one_is_told() {
    let world = World::pushed().await;
    let body = single("wamid.1", "hi").to_string();
    let right = signature(SECRET, &body);
    for wrong in [signature("another", &body), String::new(), "zz".repeat(32)] {
        let push = Push::of(&body).with("X-Webhook-Signature", &wrong);
        let (status, answer) = push.post(world.door()).await;
        assert_eq!(status, 401);
        assert!(!answer.contains(&right));
    }
    assert_eq!(Push::of(&body).post(world.door()).await.0, 401);
    assert!(world.openclaw.asked().is_empty());
}

#[tokio::test]
async fn i7_the_answer_waits_neither_for_the_agent_nor_for_whatsapp() {
    let world = World::pushed().await;
    let never = Gate::shut();
    let held = never.clone();
    world
        .openclaw
        .answer_with(move |_| Answer::text("never").held(&held));
    world
        .kapso
        .faults()
        .next_sends_to(STRANGER, 1, SendFault::Hang);
    let mut stranger = single("wamid.0", "let me in");
    stranger["conversation"]["phone_number"] = json!(STRANGER);
    let push = Push::of(stranger).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    for n in 1..=300 {
        let body = single(&format!("wamid.{n}"), "and another");
        let push = Push::of(body).event(RECEIVED).signed();
        assert_eq!(push.post(world.door()).await.0, 200);
    }
}

#[tokio::test]
async fn i8_what_was_answered_200_survives_a_kill_and_is_handled_once() {
    let mut world = World::pushed().await;
    for n in 0..20 {
        let body = single(&format!("wamid.{n}"), &format!("m{n}"));
        let push = Push::of(body).event(RECEIVED).signed();
        assert_eq!(push.post(world.door()).await.0, 200);
    }
    world.kill().await;
    world.start().await;
    let answers = world.answers(ANN, 20).await;
    let expected: Vec<String> = (0..20).map(|n| format!("You said: m{n}")).collect();
    assert_eq!(answers, expected);
    assert_eq!(world.openclaw.executions().len(), 20);
}

#[tokio::test]
async fn i9_a_body_above_four_mebibytes_is_refused_announced_or_not() {
    let world = World::pushed().await;
    let huge = "x".repeat((4 << 20) + 1);
    assert_eq!(Push::of(&huge).signed().post(world.door()).await.0, 413);
    let chunked = format!(
        "POST /webhook HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{huge}\r\n0\r\n\r\n",
        huge.len()
    );
    assert_eq!(exchange(world.door(), chunked).await.0, 413);
    let mut largest = single("wamid.1", "hi");
    largest["padding"] = json!("x".repeat((4 << 20) - 1000));
    let push = Push::of(largest).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
}

#[tokio::test]
async fn i9_a_body_that_does_not_come_is_not_waited_for() {
    let world = World::pushed().await;
    let slow = "POST /webhook HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\nContent-Length: 10\r\n\r\nx";
    assert_eq!(exchange(world.door(), slow.to_owned()).await.0, 408);
}

#[tokio::test]
async fn i10_verification_gives_the_challenge_back_as_plain_text_to_the_right_token_only() {
    let world = World::pushed().await;
    let ask = |token: &str| {
        format!("/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=%3Cscript%3E")
    };
    let (status, answer) = get(world.door(), &ask(VERIFY_TOKEN)).await;
    assert_eq!(status, 200);
    let head = answer.to_ascii_lowercase();
    assert!(head.contains("content-type: text/plain"), "{answer}");
    assert!(head.contains("x-content-type-options: nosniff"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n<script>"), "{answer}");
    assert_eq!(get(world.door(), &ask("verify-tokem")).await.0, 403);
    assert_eq!(get(world.door(), "/webhook").await.0, 403);
}

#[tokio::test]
async fn i11_each_header_is_tried_and_hex_may_be_upper_case() {
    let world = World::pushed().await;
    let body = single("wamid.1", "hi").to_string();
    let push = Push::of(&body)
        .event(RECEIVED)
        .with("X-Webhook-Signature", &signature("an old key", &body))
        .with(
            "X-Hub-Signature-256",
            &format!("sha256={}", signature(SECRET, &body).to_uppercase()),
        );
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
}

#[tokio::test]
async fn i12_a_failed_status_marks_the_reply_with_its_reason() {
    for target in [WebhookTarget::new, WebhookTarget::meta] {
        let mut world = World::pushed_as(target).await;
        world.kapso.receive(ANN, "hello");
        world.answers(ANN, 1).await;
        let sent = world.kapso.sent()[0].id.clone();
        world.kapso.set_status(&sent, Status::Failed(131_026));
        let told = |event: &sandbox::kapso::Delivery| {
            event.event.contains("failed") && event.accepted() && event.messages.contains(&sent)
        };
        world
            .kapso
            .until(|kapso| kapso.deliveries().iter().any(told).then_some(()))
            .await;
        world.terminate().await;
        let journal = world.journal().await;
        let outgoing = journal.depths().await.unwrap().outgoing;
        assert_eq!(outgoing.get(&OutgoingState::Failed), Some(&1));
        let reasons = journal.events().await.unwrap();
        assert!(
            reasons.iter().any(|event| event.reason.contains("131026")),
            "{reasons:?}"
        );
    }
}

#[tokio::test]
async fn i13_health_on_the_open_port_shows_the_parts_and_no_secrets() {
    let world = World::pushed().await;
    world.openclaw.connected_n(1).await;
    while get(world.door(), "/ready").await.0 != 200 {
        tokio::task::yield_now().await;
    }
    // The stand-ins know of the connection and of the read a moment before the bridge does.
    let answer = loop {
        let (status, answer) = get(world.door(), "/health").await;
        if status == 200 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert!(answer.ends_with("ok"), "{answer}");
    world.openclaw.kill();
    let answer = loop {
        let (status, answer) = get(world.door(), "/health").await;
        if status != 200 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert!(answer.ends_with("degraded"), "{answer}");
}

#[tokio::test]
async fn i16_a_type_beside_the_message_does_not_hide_it() {
    let world = World::pushed().await;
    let mut body = single("wamid.1", "hi");
    body["type"] = json!("text");
    let push = Push::of(body).event(RECEIVED).signed();
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(world.answers(ANN, 1).await, ["You said: hi"]);
}

#[tokio::test]
async fn an_event_that_is_not_known_and_a_body_that_cannot_be_read_are_answered_200() {
    let world = World::pushed().await;
    let unknown = Push::of(json!({"contact": {}})).event("whatsapp.contact.something_new");
    assert_eq!(unknown.signed().post(world.door()).await.0, 200);
    assert_eq!(Push::of("{").signed().post(world.door()).await.0, 200);
    assert!(world.openclaw.asked().is_empty());
}

#[tokio::test]
async fn what_the_pushes_missed_is_recovered_from_the_list_at_the_next_start_and_counted() {
    let mut world = World::pushed().await;
    world
        .kapso
        .receive(ANN, Incoming::text("missed").unannounced());
    world.terminate().await;
    world.start().await;
    assert_eq!(world.answers(ANN, 1).await, ["You said: missed"]);
    world.terminate().await;
    let counters = world.journal().await.counters().await.unwrap();
    assert!(counters.contains(&(Counter::Recovered, 1)), "{counters:?}");
}

#[tokio::test]
async fn p5_a_push_and_the_list_are_one_message_also_after_a_restart() {
    let mut world = World::pushed().await;
    let message = world.kapso.receive(ANN, "once");
    world.answers(ANN, 1).await;
    world.terminate().await;
    world.start().await;
    assert!(world.kapso.announce_again(&message));
    let again = |delivery: &sandbox::kapso::Delivery| {
        delivery.accepted() && delivery.messages.contains(&message)
    };
    world
        .kapso
        .until(|kapso| (kapso.deliveries().iter().filter(|d| again(d)).count() > 1).then_some(()))
        .await;
    world.kapso.receive(BOB, "later");
    world.answers(BOB, 1).await;
    assert_eq!(world.answers(ANN, 1).await, ["You said: once"]);
    assert_eq!(world.openclaw.executions().len(), 2);
}

#[tokio::test]
async fn p6_a_message_that_is_listed_again_after_a_crash_makes_no_second_turn_and_no_error_text() {
    let mut world = World::pushed().await;
    let message = world.kapso.receive(ANN, "once");
    world.answers(ANN, 1).await;
    world.kill().await;
    world.start().await;
    world.kapso.announce_again(&message);
    world.kapso.receive(BOB, "later");
    world.answers(BOB, 1).await;
    assert_eq!(world.answers(ANN, 1).await, ["You said: once"]);
}

#[tokio::test]
async fn p7_one_sticker_is_one_question_however_often_it_is_listed() {
    let world = World::new().await;
    let sticker = json!({"id": "1000000000000005", "mime_type": "image/webp"});
    world
        .kapso
        .receive(ANN, Incoming::of_type("sticker", sticker));
    world.answers(ANN, 1).await;
    world.listed().await;
    world.listed().await;
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(world.kapso.sent().len(), 1);
}

#[tokio::test]
async fn p13_messages_over_the_limit_wait_and_none_is_dropped() {
    let mut world = World::stopped(sandbox::openclaw::Release::V2026_9_6, false).await;
    world.policy().rate_limit = 10;
    world.policy().window = Duration::from_millis(500);
    world.start().await;
    for n in 0..60 {
        world.kapso.receive(ANN, format!("m{n}").as_str());
    }
    let answers = world.answers(ANN, 60).await;
    let expected: Vec<String> = (0..60).map(|n| format!("You said: m{n}")).collect();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn p15_a_stranger_whose_notice_hangs_holds_nobody_up() {
    let world = World::pushed().await;
    world
        .kapso
        .faults()
        .next_sends_to(STRANGER, 1000, SendFault::Hang);
    world.kapso.receive(STRANGER, "let me in");
    world
        .kapso
        .until(|_| (world.sends() == 1).then_some(()))
        .await;
    world.kapso.receive(ANN, "hello");
    assert_eq!(world.answers(ANN, 1).await, ["You said: hello"]);
}

#[tokio::test]
async fn s7_a_stranger_who_writes_a_thousand_times_is_told_once() {
    let mut world = World::pushed().await;
    for n in 0..1000 {
        world.kapso.receive(STRANGER, format!("m{n}").as_str());
    }
    let taken =
        |delivery: &sandbox::kapso::Delivery| delivery.event == RECEIVED && delivery.accepted();
    world
        .kapso
        .until(|kapso| {
            (kapso.deliveries().iter().filter(|d| taken(d)).count() == 1000).then_some(())
        })
        .await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    assert_eq!(recorded(&mut world, MessageState::Refused).await, 1000);
    assert_eq!(world.kapso.sent().len(), 2);
}
