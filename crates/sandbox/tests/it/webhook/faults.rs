//! What goes wrong with a delivery on its way.

use std::time::Duration;

use sandbox::kapso::{Buffering, DeliveryFault, KapsoStandIn, WebhookTarget};
use tokio::time::timeout;

use super::{PLENTY, Push, next, pushing};
use crate::http::{ANA, BOB, ids, list, send};

/// Longer than the others of a test take, and much shorter than a test may.
const LATER: Duration = Duration::from_millis(100);

fn customers_only(target: &mut WebhookTarget) {
    target.events = vec!["whatsapp.message.received".to_owned()];
}

/// The statuses of all attempts, once there are so many.
async fn statuses(kapso: &KapsoStandIn, n: usize) -> Vec<Option<u16>> {
    let all = kapso.until(|kapso| {
        let all: Vec<_> = kapso.deliveries().iter().map(|it| it.status).collect();
        (all.len() >= n).then_some(all)
    });
    timeout(PLENTY, all).await.unwrap()
}

#[tokio::test]
async fn a_lost_delivery_never_arrives_and_holds_nobody_up() {
    let (kapso, mut received) = pushing(&[], customers_only).await;
    kapso.faults().next_deliveries(1, DeliveryFault::Lost);
    kapso.receive(ANA, "lost");
    kapso.receive(ANA, "kept");
    assert_eq!(next(&mut received).await.text(), "kept");
    assert_eq!(statuses(&kapso, 2).await, [None, Some(200)]);
}

#[tokio::test]
async fn a_doubled_delivery_comes_on_two_connections_under_one_key() {
    let (kapso, mut received) = pushing(&[], customers_only).await;
    kapso.faults().next_deliveries(1, DeliveryFault::Pass);
    kapso.faults().next_deliveries(1, DeliveryFault::Twice);
    for text in ["once", "twice", "after"] {
        kapso.receive(ANA, text);
    }
    let mut pushes = vec![];
    for _ in 0..4 {
        pushes.push(next(&mut received).await);
    }
    let texts: Vec<String> = pushes.iter().map(Push::text).collect();
    assert_eq!(texts, ["once", "twice", "twice", "after"]);
    assert_eq!(
        pushes[1].header("x-idempotency-key"),
        pushes[2].header("x-idempotency-key")
    );
    assert_eq!(pushes[1].bytes, pushes[2].bytes);
}

#[tokio::test]
async fn a_late_delivery_holds_its_conversation_up_and_an_overtaken_one_does_not() {
    let (kapso, mut received) = pushing(&[], customers_only).await;
    kapso
        .faults()
        .next_deliveries(1, DeliveryFault::Late(LATER));
    kapso.faults().next_deliveries(1, DeliveryFault::Pass);
    kapso
        .faults()
        .next_deliveries(1, DeliveryFault::Overtaken(LATER));
    for (customer, text) in [
        (ANA, "late"),
        (ANA, "behind"),
        (BOB, "overtaken"),
        (BOB, "first"),
    ] {
        kapso.receive(customer, text);
    }
    let mut texts = vec![];
    for _ in 0..4 {
        texts.push(next(&mut received).await.text());
    }
    let place = |text: &str| texts.iter().position(|it| it == text).unwrap();
    assert!(place("late") < place("behind"), "{texts:?}");
    assert!(place("first") < place("overtaken"), "{texts:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_heard_brings_the_delivery_again() {
    let (kapso, mut received) = pushing(&[], customers_only).await;
    kapso.faults().next_deliveries(1, DeliveryFault::Unheard(2));
    kapso.receive(ANA, "thrice");
    let mut keys = vec![];
    for _ in 0..3 {
        keys.push(
            next(&mut received)
                .await
                .header("x-idempotency-key")
                .to_owned(),
        );
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
    assert_eq!(statuses(&kapso, 3).await, [None, None, Some(200)]);
}

#[tokio::test]
async fn a_batch_that_was_taken_unheard_comes_again_in_single_deliveries() {
    let (kapso, mut received) = pushing(&[], |target| {
        target.buffer = Some(Buffering {
            window: Duration::from_secs(3600),
            size: 2,
        });
    })
    .await;
    kapso
        .faults()
        .next_deliveries(1, DeliveryFault::Unheard(usize::MAX));
    kapso.receive(ANA, "a");
    kapso.receive(ANA, "b");
    for _ in 0..4 {
        assert_eq!(next(&mut received).await.json()["batch"], true);
    }
    let (a, b) = (next(&mut received).await, next(&mut received).await);
    assert_eq!((a.text(), b.text()), ("a".to_owned(), "b".to_owned()));
    assert_ne!(a.header("x-idempotency-key"), b.header("x-idempotency-key"));
}

#[tokio::test]
async fn who_waits_for_the_deliveries_waits_for_the_last_retry() {
    let (kapso, mut received) = pushing(&[500, 500, 500, 200, 500, 500, 500, 500], |_| {}).await;
    kapso.receive(ANA, "taken at last");
    kapso.receive(ANA, "given up");
    timeout(PLENTY, kapso.delivered()).await.unwrap();
    let attempts: Vec<usize> = kapso.deliveries().iter().map(|it| it.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 1, 2, 3, 4]);
    for _ in 0..8 {
        next(&mut received).await;
    }
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn reports_of_sent_messages_have_troubles_of_their_own() {
    let (kapso, mut received) = pushing(&[], |target| {
        target.events = ["sent", "received"]
            .map(|it| format!("whatsapp.message.{it}"))
            .to_vec();
    })
    .await;
    kapso.faults().next_reports(1, DeliveryFault::Lost);
    send(&kapso, ANA, "not reported").await.unwrap();
    kapso.receive(ANA, "reported");
    let push = next(&mut received).await;
    assert_eq!(push.header("x-webhook-event"), "whatsapp.message.received");
    send(&kapso, ANA, "reported too").await.unwrap();
    assert_eq!(next(&mut received).await.text(), "reported too");
}

#[tokio::test]
async fn what_is_sent_unlisted_is_not_in_the_list_before_it_is_revealed() {
    let (kapso, _received) = pushing(&[], customers_only).await;
    kapso.faults().unlisted_sends(true);
    assert_eq!(send(&kapso, ANA, "hidden").await.unwrap().status, 200);
    kapso.faults().unlisted_sends(false);
    send(&kapso, ANA, "shown").await.unwrap();
    let listed: Vec<bool> = kapso.sent().iter().map(|it| it.listed).collect();
    assert_eq!(listed, [false, true]);
    let sent: Vec<_> = kapso.sent().into_iter().map(|it| it.id).collect();
    let shown = list(&kapso, "direction=outbound").await.unwrap().json();
    assert_eq!(ids(&shown), [sent[1].as_str()]);
    assert!(kapso.reveal(&sent[0]));
    let shown = list(&kapso, "direction=outbound").await.unwrap().json();
    assert_eq!(ids(&shown), [sent[1].as_str(), sent[0].as_str()]);
}
