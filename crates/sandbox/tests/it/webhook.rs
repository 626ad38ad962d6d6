//! The Kapso stand-in's webhook deliveries, received by a real server.

mod envelopes;
mod faults;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use sandbox::kapso::{
    Buffering, Incoming, KapsoStandIn, StandInOptions, Status, WebhookTarget, WebhookTiming,
};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::{ANA, BOB, NUMBER, at_noon, send, start};

const SECRET: &str = "webhook-secret";
/// More than any step of a test takes.
const PLENTY: Duration = Duration::from_secs(10);

/// One delivery as the receiver got it.
struct Push {
    headers: HeaderMap,
    bytes: Bytes,
}

impl Push {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    fn text(&self) -> String {
        let body = self.json()["message"]["text"]["body"].clone();
        body.as_str().unwrap_or_default().to_owned()
    }

    fn is_signed(&self) -> bool {
        self.is_signed_with(self.header("x-webhook-signature"))
    }

    fn is_signed_with(&self, hex: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&self.bytes);
        mac.verify_slice(&hex::decode(hex).unwrap()).is_ok()
    }
}

#[derive(Clone)]
struct Receiver {
    pushes: mpsc::Sender<Push>,
    /// The statuses of the next answers; 200 when there are none.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, bytes: Bytes) -> StatusCode {
    receiver.pushes.send(Push { headers, bytes }).await.unwrap();
    let answer = receiver.answers.lock().unwrap().pop_front();
    StatusCode::from_u16(answer.unwrap_or(200)).unwrap()
}

/// A stand-in that pushes to a receiver which answers with these statuses, and what the receiver gets.
async fn pushing(
    answers: &[u16],
    adjust: impl FnOnce(&mut WebhookTarget),
) -> (KapsoStandIn, mpsc::Receiver<Push>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/kapso", listener.local_addr().unwrap());
    let (pushes, received) = mpsc::channel(64);
    let receiver = Receiver {
        pushes,
        answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
    };
    let app = Router::new()
        .route("/hooks/kapso", post(take))
        .with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let mut target = WebhookTarget::new(url, SECRET);
    target.timing = WebhookTiming {
        retries: vec![Duration::from_millis(1); 3],
        ..WebhookTiming::default()
    };
    adjust(&mut target);
    let options = StandInOptions {
        webhook: Some(target),
        ..at_noon()
    };
    (start(options).await, received)
}

async fn next(received: &mut mpsc::Receiver<Push>) -> Push {
    timeout(PLENTY, received.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_received_message_is_pushed_with_signature_and_headers() {
    let (kapso, mut received) = pushing(&[], |target| {
        target.headers = vec![("X-Bridge-Instance".to_owned(), "host1".to_owned())];
    })
    .await;
    let id = kapso.receive(ANA, Incoming::text("Hola").name("Ana"));
    let push = next(&mut received).await;
    assert!(push.is_signed());
    assert_eq!(push.header("x-webhook-signature").len(), 64);
    assert_eq!(push.header("x-webhook-event"), "whatsapp.message.received");
    assert_eq!(push.header("x-webhook-payload-version"), "v2");
    assert_eq!(push.header("x-idempotency-key").len(), 36);
    assert_eq!(push.header("x-webhook-batch"), "");
    assert_eq!(push.header("x-bridge-instance"), "host1");
    let body = push.json();
    assert!(
        body.get("type").is_none(),
        "the event's name is in the header alone"
    );
    assert_eq!(body["message"]["id"], id.as_str());
    assert_eq!(body["message"]["kapso"]["status"], "received");
    assert_eq!(body["conversation"]["phone_number"], ANA);
    assert_eq!(body["conversation"]["kapso"]["contact_name"], "Ana");
    assert_eq!(body["is_new_conversation"], true);
    assert_eq!(body["phone_number_id"], NUMBER);
}

#[tokio::test]
async fn a_sent_message_is_pushed_with_its_statuses() {
    let (kapso, mut received) = pushing(&[], |_| {}).await;
    send(&kapso, ANA, "hello").await.unwrap();
    let sent = kapso.sent_to(ANA, 1).await[0].id.clone();
    kapso.set_status(&sent, Status::Failed(131_026));
    let mut events = vec![];
    for _ in 0..3 {
        let push = next(&mut received).await;
        assert_eq!(push.json()["message"]["id"], sent.as_str());
        events.push(push.header("x-webhook-event").to_owned());
        if push.header("x-webhook-event") == "whatsapp.message.failed" {
            let statuses = &push.json()["message"]["kapso"]["statuses"];
            assert_eq!(statuses[2]["errors"][0]["code"], 131_026);
        }
    }
    // Only received and sent have an order; the others may overtake each other.
    events.sort();
    let words = ["delivered", "failed", "sent"].map(|it| format!("whatsapp.message.{it}"));
    assert_eq!(events, words);
}

#[tokio::test]
async fn a_refused_delivery_is_repeated_under_one_key_and_then_given_up() {
    let only_received = |target: &mut WebhookTarget| {
        target.events = vec!["whatsapp.message.received".to_owned()];
    };
    let (kapso, mut received) = pushing(&[500, 202, 500, 503, 404, 200], only_received).await;
    kapso.receive(ANA, "lost");
    kapso.receive(ANA, "kept");
    let mut pushes = vec![];
    for _ in 0..6 {
        pushes.push(next(&mut received).await);
    }
    let texts: Vec<String> = pushes.iter().map(Push::text).collect();
    assert_eq!(texts, ["lost", "lost", "lost", "lost", "kept", "kept"]);
    let key = |n: usize| pushes[n].header("x-idempotency-key");
    assert_eq!((key(0), key(4)), (key(3), key(5)));
    assert_ne!(key(0), key(4));
    let statuses = kapso.until(|kapso| {
        let all: Vec<_> = kapso.deliveries().iter().map(|it| it.status).collect();
        (all.len() == 6).then_some(all)
    });
    let statuses = timeout(PLENTY, statuses).await.unwrap();
    assert_eq!(statuses, [500, 202, 500, 503, 404, 200].map(Some));
}

#[tokio::test]
async fn a_stuck_delivery_is_overtaken() {
    let (kapso, mut received) = pushing(&[500], |target| {
        target.timing.retries = vec![Duration::from_secs(3600)];
        target.timing.overtake = Duration::from_millis(20);
    })
    .await;
    kapso.receive(ANA, "stuck");
    kapso.receive(ANA, "behind it");
    kapso.receive(BOB, "elsewhere");
    let mut texts = vec![];
    for _ in 0..3 {
        texts.push(next(&mut received).await.text());
    }
    let place = |text: &str| texts.iter().position(|it| it == text).unwrap();
    assert!(place("stuck") < place("behind it"), "{texts:?}");
    assert!(place("elsewhere") < place("behind it"), "{texts:?}");
}

#[tokio::test]
async fn a_full_batch_goes_out_whole_and_falls_back_to_single_deliveries() {
    let buffering = |target: &mut WebhookTarget| {
        target.timing.retries = vec![];
        target.buffer = Some(Buffering {
            window: Duration::from_secs(3600),
            size: 2,
        });
    };
    let (kapso, mut received) = pushing(&[200, 500], buffering).await;
    for text in ["a", "b", "c", "d"] {
        kapso.receive(ANA, text);
    }
    let batch = next(&mut received).await;
    assert!(batch.is_signed());
    assert_eq!(
        (
            batch.header("x-webhook-batch"),
            batch.header("x-batch-size")
        ),
        ("true", "2")
    );
    let body = batch.json();
    assert_eq!(
        (&body["type"], &body["batch"]),
        (&"whatsapp.message.received".into(), &true.into())
    );
    assert_eq!(body["data"][1]["message"]["text"]["body"], "b");
    assert_eq!(body["batch_info"]["first_sequence"], 1);
    assert_eq!(body["batch_info"]["last_sequence"], 2);

    let refused = next(&mut received).await;
    assert_eq!(refused.json()["batch"], true);
    let (c, d) = (next(&mut received).await, next(&mut received).await);
    assert_eq!((c.text(), d.text()), ("c".to_owned(), "d".to_owned()));
    assert_ne!(
        c.header("x-idempotency-key"),
        refused.header("x-idempotency-key")
    );
}

#[tokio::test]
async fn a_batch_is_complete_when_its_window_ends() {
    let (kapso, mut received) = pushing(&[], |target| {
        target.buffer = Some(Buffering {
            window: Duration::from_millis(20),
            size: 50,
        });
    })
    .await;
    kapso.receive(ANA, "alone");
    let body = next(&mut received).await.json();
    assert_eq!(body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delivery_can_be_lost_or_come_twice() {
    let (kapso, mut received) = pushing(&[], |_| {}).await;
    kapso.receive(ANA, Incoming::text("lost").unannounced());
    let id = kapso.receive(ANA, "twice");
    assert!(kapso.announce_again(&id));
    let (first, second) = (next(&mut received).await, next(&mut received).await);
    assert_eq!(
        (first.text(), second.text()),
        ("twice".to_owned(), "twice".to_owned())
    );
    assert_ne!(
        first.header("x-idempotency-key"),
        second.header("x-idempotency-key")
    );
}

#[tokio::test]
async fn a_target_without_plain_http_is_refused_at_the_start() {
    for url in ["https://bridge.example.com/hooks", "not a url", "/hooks"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = StandInOptions {
            webhook: Some(WebhookTarget::new(url, SECRET)),
            ..at_noon()
        };
        let started = KapsoStandIn::start(listener, options, CancellationToken::new()).await;
        let problem = started.err().unwrap().to_string();
        assert!(problem.starts_with("webhook address"), "{problem}");
    }
}
