//! Several business numbers in one process: each has its own list, its own secret and its own way out.

use model::{
    Arrival, ChatKey, Content, Identity, Inbound, MessageId, NumberId, Outgoing, OutgoingBody,
    Source,
};
use sandbox::kapso::{Incoming, KapsoStandIn, ListFault, WebhookTarget};
use sandbox::openclaw::Release;
use serde_json::{Value, json};
use store::Counter;

use crate::operator::{ask, json as told};
use crate::push::Push;
use crate::pushed::{RECEIVED, ignored, single};
use crate::world::{ANN, BOB, NUMBER, SECRET, World, now, texts};

const OTHER: &str = "100000000000022";
const OTHER_SECRET: &str = "the other webhook's secret";

/// Two numbers whose lists are read; the bridge runs.
async fn polled() -> (World, KapsoStandIn) {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    let other = world.add_line(OTHER, None, None).await;
    world.start().await;
    read(&other, 1).await;
    (world, other)
}

/// Two numbers that are pushed for, the second under `key`; the bridge has read both lists, and reads them again when
/// something hints at it.
async fn pushed(key: Option<&'static str>) -> (World, KapsoStandIn) {
    let mut world = World::stopped_behind_a_door(Some(SECRET), WebhookTarget::new).await;
    let url = format!("http://{}/webhook", world.door());
    let target = WebhookTarget::new(url, OTHER_SECRET.to_owned());
    let other = world.add_line(OTHER, Some(target), key).await;
    world.start().await;
    read(&other, 1).await;
    (world, other)
}

/// Waits until the list was asked for `n` times.
async fn read(kapso: &KapsoStandIn, n: usize) {
    let lists = |kapso: &KapsoStandIn| {
        let requests = kapso.requests();
        requests.iter().filter(|it| it.method == "GET").count()
    };
    kapso.until(|kapso| (lists(kapso) >= n).then_some(())).await;
}

async fn answers(kapso: &KapsoStandIn, customer: &str, n: usize) -> Vec<String> {
    texts(&kapso.sent_to(customer, n).await)
}

/// A message for the other number, as Kapso pushes it.
fn for_other(id: &str, text: &str) -> Value {
    let mut body = single(id, text);
    body["phone_number_id"] = json!(OTHER);
    body
}

#[tokio::test]
async fn a_reply_leaves_by_the_number_that_was_written_to() {
    let (world, other) = polled().await;
    let first = world.kapso.receive(ANN, "to the one");
    let second = other.receive(ANN, "to the other");
    assert_eq!(answers(&other, ANN, 1).await, ["You said: to the other"]);
    assert_eq!(world.answers(ANN, 1).await, ["You said: to the one"]);
    for (kapso, message) in [(&world.kapso, first), (&other, second)] {
        let reads = kapso
            .until(|kapso| (!kapso.reads().is_empty()).then(|| kapso.reads()))
            .await;
        assert!(
            reads.iter().all(|read| read.message == message),
            "{reads:?}"
        );
    }
    assert_eq!((world.kapso.sent().len(), other.sent().len()), (1, 1));
}

#[tokio::test]
async fn one_open_port_takes_what_is_pushed_for_every_number() {
    let (mut world, other) = pushed(Some(OTHER_SECRET)).await;
    world.kapso.receive(ANN, "to the one");
    other.receive(BOB, "to the other");
    assert_eq!(world.answers(ANN, 1).await, ["You said: to the one"]);
    assert_eq!(answers(&other, BOB, 1).await, ["You said: to the other"]);
    assert_eq!(ignored(&mut world, "other_number").await, 0);
    let counters = world.journal().await.counters().await.unwrap();
    assert!(
        !counters
            .iter()
            .any(|(it, n)| *it == Counter::Recovered && *n > 0)
    );
}

#[tokio::test]
async fn i5_a_secret_vouches_for_its_own_number_alone_and_hides_nothing_of_another_one() {
    let (mut world, other) = pushed(Some(OTHER_SECRET)).await;
    let forged = Push::of(for_other("wamid.1", "forged")).event(RECEIVED);
    assert_eq!(forged.signed().post(world.door()).await.0, 200);
    read(&other, 2).await;
    let genuine = Push::of(for_other("wamid.1", "genuine")).event(RECEIVED);
    let genuine = genuine.signed_with(OTHER_SECRET);
    assert_eq!(genuine.post(world.door()).await.0, 200);
    assert_eq!(answers(&other, ANN, 1).await, ["You said: genuine"]);
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(world.kapso.sent().len(), 0);
    assert_eq!(ignored(&mut world, "other_number").await, 1);
}

#[tokio::test]
async fn two_secrets_that_were_confused_cost_no_message() {
    let (world, other) = pushed(Some(OTHER_SECRET)).await;
    let message = other.receive(ANN, Incoming::text("hello").unannounced());
    let confused = Push::of(for_other(message.as_str(), "hello")).event(RECEIVED);
    assert_eq!(confused.signed().post(world.door()).await.0, 200);
    assert_eq!(answers(&other, ANN, 1).await, ["You said: hello"]);
}

#[tokio::test]
async fn what_no_secret_fits_is_refused_and_where_one_number_has_none_hints_at_its_list_alone() {
    let (world, _other) = pushed(Some(OTHER_SECRET)).await;
    let push = Push::of(for_other("wamid.1", "hi")).signed_with("neither");
    assert_eq!(push.post(world.door()).await.0, 401);

    let (world, other) = pushed(None).await;
    let before = world.lists();
    other.receive(ANN, Incoming::text("from the list").unannounced());
    let push = Push::of(for_other("wamid.1", "from nobody")).signed_with("neither");
    assert_eq!(push.post(world.door()).await.0, 200);
    assert_eq!(answers(&other, ANN, 1).await, ["You said: from the list"]);
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(world.lists(), before);
}

#[tokio::test]
async fn a_number_whose_list_cannot_be_read_holds_no_other_one_up_and_is_reported() {
    let (world, other) = polled().await;
    read(&other, 2).await;
    other.faults().next_lists(10_000, ListFault::ServerError);
    let report = loop {
        let report = told(&world, "/health").await;
        if report["kapso"]["numbers"][1]["ok"] == false {
            break report;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(report["status"], "degraded");
    let kapso = &report["kapso"];
    assert_eq!(
        (&kapso["ok"], &kapso["numbers"][0]["ok"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(kapso["numbers"][0]["number"], NUMBER);
    let error = kapso["error"].as_str().unwrap();
    assert!(error.starts_with(OTHER) && error.contains("500"), "{error}");
    let (_, metrics) = ask(&world, "GET", "/metrics").await;
    for (number, up) in [(NUMBER, 1), (OTHER, 0)] {
        let line = format!("number_up{{number=\"{number}\",name=\"{number}\"}} {up}");
        assert!(metrics.contains(&line), "{line} is missing in\n{metrics}");
    }

    world.kapso.receive(ANN, "to the one");
    assert_eq!(world.answers(ANN, 1).await, ["You said: to the one"]);
    other.receive(ANN, "to the other");
    other.faults().clear();
    assert_eq!(answers(&other, ANN, 1).await, ["You said: to the other"]);
}

#[tokio::test]
async fn a_persons_trace_has_what_they_wrote_to_every_number() {
    let (world, other) = polled().await;
    world.kapso.receive(ANN, "first");
    world.answers(ANN, 1).await;
    other.receive(ANN, "second");
    answers(&other, ANN, 1).await;
    let texts = |trace: &Value| -> Vec<String> {
        let lives = trace["lives"].as_array().unwrap();
        let text = |life: &Value| life["message"]["text"].as_str().map(str::to_owned);
        lives.iter().filter_map(text).collect()
    };
    let trace = told(&world, "/trace?of=%2B15551234567").await;
    assert_eq!(texts(&trace), ["first", "second"]);
    let trace = told(&world, "/trace?of=%2B15551234567&limit=1").await;
    assert_eq!(texts(&trace), ["second"]);
}

#[tokio::test]
async fn what_is_left_of_a_number_that_is_not_configured_any_more_waits_until_it_is() {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    let to_bob = left_behind(&world).await;
    world.start().await;
    world.kapso.receive(ANN, "to the one");
    assert_eq!(world.answers(ANN, 1).await, ["You said: to the one"]);
    let report = told(&world, "/health").await;
    assert_eq!(
        report["kapso"]["unconfigured"],
        json!([{"number": OTHER, "chats": 1, "sends": 1}])
    );
    world.terminate().await;

    let journal = world.journal().await;
    let waits = journal.next_outgoing(&to_bob).await.unwrap().unwrap();
    let reason = waits.reason.unwrap_or_default();
    assert!(reason.contains("not configured"), "{reason}");
    assert_eq!(waits.attempts, 0);
    journal.close().await;
    assert_eq!(world.openclaw.asked().len(), 1);
    assert_eq!(world.kapso.sent().len(), 1);

    let other = world.add_line(OTHER, None, None).await;
    world.start().await;
    assert_eq!(answers(&other, BOB, 1).await, ["left behind"]);
    assert_eq!(answers(&other, ANN, 1).await, ["You said: to the other"]);
    let report = told(&world, "/health").await;
    assert_eq!(report["kapso"]["unconfigured"], json!([]));
}

/// Leaves a message of Ann's to the other number, and one from it to Bob, in the journal; the chat with Bob.
async fn left_behind(world: &World) -> ChatKey {
    let number = NumberId::new(OTHER).unwrap();
    let [ann, bob] = [ANN, BOB].map(|person| Identity::new(person).unwrap());
    let from_ann = Inbound {
        number: number.clone(),
        id: MessageId::new("wamid.1").unwrap(),
        from: ann,
        user: None,
        known_as: None,
        name: None,
        sent_at: now(),
        content: Content::Text {
            body: "to the other".to_owned(),
        },
        quoted: None,
        forwarded: false,
        source: Source::Poll,
    };
    let to_bob = Outgoing {
        chat: ChatKey::new(number, &bob),
        to: bob,
        body: OutgoingBody::Text {
            body: "left behind".to_owned(),
        },
        quote: None,
    };
    let journal = world.journal().await;
    let arrival = Arrival::Message(Box::new(from_ann));
    journal.accept(&[arrival], None).await.unwrap();
    journal.enqueue(&to_bob).await.unwrap();
    journal.close().await;
    to_bob.chat
}
