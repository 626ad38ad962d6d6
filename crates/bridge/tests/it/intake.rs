//! What comes in: nothing is lost, nothing comes twice, and what cannot be read stops nothing.

use std::time::Duration;

use sandbox::kapso::{Incoming, ListFault, Refusal};
use sandbox::openclaw::Release;
use serde_json::json;
use store::{EventKind, MessageState, Store};

use crate::world::{ANN, BOB, DENY_MESSAGE, SLOWEST_POLL, STRANGER, World, now};

#[tokio::test]
async fn a_text_is_answered_in_the_senders_own_session() {
    let world = World::new().await;
    world
        .kapso
        .receive(ANN, Incoming::text("hello").name("Ann"));
    assert_eq!(world.answers(ANN, 1).await, ["You said: hello"]);
    let asked = world.openclaw.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].session, "agent:main:main-wa-15551234567");
    assert_eq!(
        asked[0].text,
        "From: +15551234567 (Ann) [role: member]\nhello"
    );
}

#[tokio::test]
async fn a_stranger_is_refused_once_a_day_and_never_reaches_the_agent() {
    let world = World::new().await;
    for text in ["let me in", "please", "hello?"] {
        world.kapso.receive(STRANGER, text);
    }
    world.kapso.receive(ANN, "hi");
    world.answers(ANN, 1).await;
    assert_eq!(world.answers(STRANGER, 1).await, [DENY_MESSAGE]);
    world.listed().await;
    assert_eq!(world.answers(STRANGER, 1).await, [DENY_MESSAGE]);
    assert!(
        world
            .openclaw
            .asked()
            .iter()
            .all(|asked| asked.session.ends_with("15551234567"))
    );
}

#[tokio::test]
async fn p1_all_pages_are_read_also_within_one_second() {
    let mut world = World::new().await;
    world.listed().await;
    world.terminate().await;
    let at = now();
    for n in 0..250 {
        world.kapso.receive(
            ANN,
            Incoming::text(&format!("m{n:03}"))
                .sent_at(at)
                .created_at(at),
        );
    }
    world.start().await;
    let answers = world.answers(ANN, 250).await;
    let expected: Vec<String> = (0..250).map(|n| format!("You said: m{n:03}")).collect();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn p2_late_message_is_delivered() {
    let world = World::new().await;
    let at = now();
    let late = world
        .kapso
        .receive(ANN, Incoming::text("b").sent_at(at).hidden());
    world.kapso.receive(BOB, Incoming::text("a").sent_at(at));
    world.answers(BOB, 1).await;
    assert!(world.kapso.reveal(&late));
    assert_eq!(world.answers(ANN, 1).await, ["You said: b"]);
}

#[tokio::test]
async fn p3_a_message_that_appears_late_with_an_older_time_is_delivered() {
    let world = World::new().await;
    let old = now().earlier(Duration::from_secs(540));
    world.kapso.receive(BOB, "newer");
    world.answers(BOB, 1).await;
    world.kapso.receive(
        ANN,
        Incoming::text("nine minutes late")
            .sent_at(old)
            .created_at(old),
    );
    assert_eq!(world.answers(ANN, 1).await, ["You said: nine minutes late"]);
}

#[tokio::test]
async fn p4_fetched_messages_survive_a_crash() {
    let mut world = World::new().await;
    world.openclaw.kill();
    for n in 0..60 {
        world.kapso.receive(ANN, Incoming::text(&format!("{n}")));
    }
    world.listed().await;
    world.kill().await;
    world.openclaw.restart();
    world.start().await;
    let answers = world.answers(ANN, 60).await;
    assert_eq!(
        answers,
        (0..60)
            .map(|n| format!("You said: {n}"))
            .collect::<Vec<_>>()
    );
    world.listed().await;
    assert_eq!(world.openclaw.executions().len(), 60);
}

#[tokio::test]
async fn p9_p10_odd_times_neither_stop_nor_repeat_anything() {
    let world = World::new().await;
    let ms = now().as_millis().to_string();
    world.kapso.receive(
        ANN,
        Incoming::text("in milliseconds").with("timestamp", json!(ms)),
    );
    world.kapso.receive(
        ANN,
        Incoming::text("in the future").with("timestamp", json!("4102444800")),
    );
    world.kapso.receive(
        BOB,
        Incoming::text("without").with("timestamp", json!(null)),
    );
    let mut answers = world.answers(ANN, 2).await;
    answers.sort();
    assert_eq!(
        answers,
        ["You said: in milliseconds", "You said: in the future"]
    );
    assert_eq!(world.answers(BOB, 1).await, ["You said: without"]);
    world.kapso.receive(BOB, "after");
    assert_eq!(
        world.answers(BOB, 2).await,
        ["You said: without", "You said: after"]
    );
}

#[tokio::test]
async fn p11_a_list_that_never_answers_does_not_stop_the_reading() {
    let world = World::new().await;
    world.kapso.faults().next_lists(2, ListFault::Hang);
    world.kapso.receive(ANN, "hello");
    assert_eq!(world.answers(ANN, 1).await, ["You said: hello"]);
}

#[tokio::test]
async fn p12_a_wait_that_kapso_asks_for_is_kept_and_a_refusal_is_asked_rarely() {
    let world = World::new().await;
    let wait = Duration::from_secs(1);
    let refused = Refusal::flat(401, "invalid API key");
    for (fault, least) in [
        (ListFault::RateLimited(wait), wait),
        (ListFault::Refuse(refused), SLOWEST_POLL),
    ] {
        let before = world.lists();
        world.kapso.faults().next_lists(1, fault.clone());
        world
            .kapso
            .until(|_| (world.lists() >= before + 3).then_some(()))
            .await;
        let requests = world.kapso.requests();
        let lists = requests.iter().filter(|request| request.method == "GET");
        let lists: Vec<_> = lists.skip(before).map(|request| request.arrived).collect();
        let longest = lists
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap();
        assert!(longest >= least, "{fault:?}: {longest:?}");
    }
    world.kapso.receive(ANN, "hello");
    assert_eq!(world.answers(ANN, 1).await, ["You said: hello"]);
}

#[tokio::test]
async fn p14_messages_without_an_id_are_told_apart_by_their_content() {
    let world = World::new().await;
    for body in ["one", "two"] {
        world.kapso.plant(without_id(body), None);
    }
    let mut answers = world.answers(ANN, 2).await;
    answers.sort();
    assert_eq!(answers, ["You said: one", "You said: two"]);
    world.listed().await;
    assert_eq!(world.openclaw.asked().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_recorded_and_the_next_message_works() {
    let mut world = World::new().await;
    world.kapso.plant(
        json!({"id": "wamid.BAD", "timestamp": {"not": "a time"}, "type": 7, "from": []}),
        None,
    );
    world.kapso.plant(json!("no object at all"), None);
    world.kapso.receive(
        ANN,
        Incoming::of_type("hologram", json!({"secret": "words"})),
    );
    world.kapso.faults().next_lists(1, ListFault::NotJson);
    world.kapso.receive(ANN, "next");
    let answers = world.answers(ANN, 2).await;
    assert!(
        answers.contains(&"You said: next".to_owned()),
        "{answers:?}"
    );
    assert!(
        answers.contains(&"You said: [unsupported message: hologram]".to_owned()),
        "{answers:?}"
    );
    world.listed().await;
    world.terminate().await;
    let journal: Store = world.journal().await;
    let events = journal.events().await.unwrap();
    let ignored: u64 = events
        .iter()
        .filter(|event| event.kind == EventKind::Ignored)
        .map(|event| event.count)
        .sum();
    assert_eq!(ignored, 2, "{events:?}");
    assert_eq!(
        journal
            .depths()
            .await
            .unwrap()
            .messages
            .get(&MessageState::Answered),
        Some(&2)
    );
}

#[tokio::test]
async fn a_new_journal_starts_from_now() {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    let past = now().earlier(Duration::from_secs(120));
    world.kapso.receive(
        ANN,
        Incoming::text("before the first start")
            .sent_at(past)
            .created_at(past),
    );
    world.start().await;
    world.kapso.receive(ANN, "after it");
    assert_eq!(world.answers(ANN, 1).await, ["You said: after it"]);
    world.listed().await;
    assert_eq!(world.openclaw.asked().len(), 1);
}

fn without_id(body: &str) -> serde_json::Value {
    json!({
        "timestamp": (now().as_millis() / 1000).to_string(),
        "type": "text",
        "from": &ANN[1..],
        "text": {"body": body},
        "kapso": {"direction": "inbound", "status": "delivered"}
    })
}

#[tokio::test]
async fn a_process_that_dies_before_its_first_read_leaves_no_gap() {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    world.kapso.receive(BOB, "long before");
    // Dates have whole seconds: what is said now is of a later one than what was said before the start.
    let before = now().as_millis() / 1000;
    world.kapso.faults().next_lists(1, ListFault::Hang);
    while now().as_millis() / 1000 == before {
        tokio::task::yield_now().await;
    }
    world.start().await;
    world.kill().await;
    world.kapso.receive(ANN, "in between");
    world.start().await;
    assert_eq!(world.answers(ANN, 1).await, ["You said: in between"]);
    world.listed().await;
    assert_eq!(world.kapso.sent().len(), 1);
}
