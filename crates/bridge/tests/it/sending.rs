//! What goes out: once, in order, tried again where that is right.

use std::time::Duration;

use sandbox::kapso::SendFault;
use sandbox::openclaw::{Answer, Gate};
use store::OutgoingState;

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
    let gate = Gate::shut();
    let held = gate.clone();
    world
        .openclaw
        .answer_next(Answer::text("too late").held(&held));
    world.kapso.receive(ANN, "hello");
    gate.reached(1).await;
    world.kapso.faults().close_window(ANN);
    gate.open();
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
