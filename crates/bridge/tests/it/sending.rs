//! What goes out: once, in order, tried again where that is right.

use std::time::Duration;

use sandbox::kapso::{Refusal, SendFault};
use sandbox::openclaw::{Answer, Gate};
use store::{Counter, OutgoingState};

use crate::world::{ANN, BOB, World};

#[tokio::test]
async fn s4_passing_refusals_are_tried_again_and_nothing_is_doubled() {
    for fault in [
        SendFault::InFlight,
        SendFault::RateLimited(Duration::from_secs(1)),
        SendFault::ServerError,
        SendFault::ServerErrorAfterAccepting,
        SendFault::Reset,
        SendFault::ResetAfterAccepting,
        SendFault::Hang,
        SendFault::HangAfterAccepting,
        SendFault::Garbage,
    ] {
        let world = World::new().await;
        world.kapso.faults().next_sends(1, fault.clone());
        world.kapso.receive(ANN, "one");
        world.kapso.receive(ANN, "two");
        assert_eq!(
            world.answers(ANN, 2).await,
            ["You said: one", "You said: two"],
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn s4_a_final_refusal_is_not_repeated() {
    let mut world = World::new().await;
    let undeliverable = Refusal::meta(400, 131_026, "Message undeliverable");
    world
        .kapso
        .faults()
        .next_sends_to(ANN, 1, SendFault::Refuse(undeliverable));
    world.kapso.receive(ANN, "hello");
    world
        .kapso
        .until(|_| (world.sends() == 1).then_some(()))
        .await;
    world.kapso.receive(BOB, "hello");
    world.answers(BOB, 1).await;
    world.listed().await;
    assert_eq!(world.sends(), 2);
    world.terminate().await;
    let outgoing = world.journal().await.depths().await.unwrap().outgoing;
    assert_eq!(outgoing.get(&OutgoingState::Failed), Some(&1));
}

#[tokio::test]
async fn s8_a_reply_that_meets_a_closed_window_is_kept_until_the_customer_writes() {
    let mut world = World::new().await;
    let gate = Gate::shut();
    let held = gate.clone();
    world
        .openclaw
        .answer_next(Answer::text("the answer").held(&held));
    world.kapso.receive(ANN, "hello");
    gate.reached(1).await;
    world.kapso.faults().close_window(ANN);
    gate.open();
    world
        .kapso
        .until(|_| (world.sends() == 1).then_some(()))
        .await;
    world.terminate().await;
    let outgoing = world.journal().await.depths().await.unwrap().outgoing;
    assert_eq!(outgoing.get(&OutgoingState::Queued), Some(&1));
    world.start().await;
    world.kapso.receive(ANN, "still there?");
    assert_eq!(
        world.answers(ANN, 2).await,
        ["the answer", "You said: still there?"]
    );
}

#[tokio::test]
async fn s5_a_lost_answer_is_looked_up_and_the_message_is_not_sent_again() {
    for fault in [
        SendFault::ServerErrorAfterAccepting,
        SendFault::ResetAfterAccepting,
        SendFault::HangAfterAccepting,
        SendFault::Garbage,
    ] {
        let mut world = World::new().await;
        world.kapso.faults().next_sends(1, fault.clone());
        world.kapso.receive(ANN, "one");
        world.kapso.receive(ANN, "two");
        let said = ["You said: one", "You said: two"];
        assert_eq!(world.answers(ANN, 2).await, said, "{fault:?}");
        assert_eq!(world.sends(), 2, "{fault:?}");
        world.terminate().await;
        let counters = world.journal().await.counters().await.unwrap();
        assert!(counters.contains(&(Counter::FoundSent, 1)), "{counters:?}");
    }
}

#[tokio::test]
async fn s5_a_sent_event_tells_what_the_list_cannot() {
    let mut world = World::pushed().await;
    world.kapso.faults().unlisted_sends(true);
    world
        .kapso
        .faults()
        .next_sends(1, SendFault::HangAfterAccepting);
    world.kapso.receive(ANN, "one");
    world.answers(ANN, 1).await;
    world.kapso.receive(ANN, "two");
    assert_eq!(
        world.answers(ANN, 2).await,
        ["You said: one", "You said: two"]
    );
    assert_eq!(world.sends(), 2);
    world.terminate().await;
    let counters = world.journal().await.counters().await.unwrap();
    assert!(counters.contains(&(Counter::Repeated, 0)), "{counters:?}");
}

#[tokio::test]
async fn s5_what_neither_the_list_nor_an_event_shows_is_sent_again_and_counted() {
    let mut world = World::new().await;
    world.kapso.faults().unlisted_sends(true);
    world
        .kapso
        .faults()
        .next_sends(1, SendFault::ResetAfterAccepting);
    world.kapso.receive(ANN, "one");
    let twice = ["You said: one", "You said: one"];
    assert_eq!(world.answers(ANN, 2).await, twice);
    world.terminate().await;
    let counters = world.journal().await.counters().await.unwrap();
    assert!(counters.contains(&(Counter::Repeated, 1)), "{counters:?}");
}

#[tokio::test]
async fn r7_a_failed_part_is_retried_before_the_next_one_also_after_a_crash() {
    let mut world = World::new().await;
    world
        .openclaw
        .answer_with(|_| Answer::texts(["part 1", "part 2", "part 3"]));
    world.kapso.receive(ANN, "tell me");
    world.answers(ANN, 1).await;
    world.kapso.faults().next_sends(1000, SendFault::InFlight);
    world.kill().await;
    world.start().await;
    world.listed().await;
    world.kapso.faults().clear();
    assert_eq!(world.answers(ANN, 3).await, ["part 1", "part 2", "part 3"]);
}

#[tokio::test]
async fn s6_a_recipient_has_one_form() {
    let world = World::new().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    assert_eq!(world.kapso.sent()[0].to, ANN);
}
