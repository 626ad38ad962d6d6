//! Crashes and losses of every party in the middle of a turn: one answer, asked once by us.

use std::time::Duration;

use sandbox::openclaw::{Answer, Gate, Release};

use crate::world::{ANN, ERROR_MESSAGE, World};

const ALL: [Release; 3] = [Release::V2026_9_6, Release::V2026_7_35, Release::V2026_5_7];

/// A world whose agent holds the first question at the returned gate.
async fn held(release: Release, jsonl: bool) -> (World, Gate) {
    let world = World::of(release, jsonl).await;
    let gate = Gate::shut();
    let hold = gate.clone();
    world
        .openclaw
        .answer_with(move |asked| match asked.words() {
            "question" => Answer::text("answer").held(&hold),
            other => Answer::text(format!("answer to {other}")),
        });
    world.kapso.receive(ANN, "question");
    gate.reached(1).await;
    (world, gate)
}

fn asked_by_us(world: &World) -> usize {
    world
        .openclaw
        .executions()
        .iter()
        .filter(|run| !run.resumed)
        .count()
}

async fn answered_once(world: &World, case: &str) {
    assert_eq!(world.answers(ANN, 1).await, ["answer"], "{case}");
    world.kapso.receive(ANN, "next");
    assert_eq!(
        world.answers(ANN, 2).await,
        ["answer", "answer to next"],
        "{case}"
    );
    assert_eq!(asked_by_us(world), 2, "{case}");
}

#[tokio::test]
async fn a_dropped_socket_costs_nothing() {
    for release in ALL {
        let (world, gate) = held(release, false).await;
        world.openclaw.drop_connections();
        gate.open();
        answered_once(&world, &format!("{release:?}")).await;
    }
}

#[tokio::test]
async fn g2_a_killed_gateway_resumes_by_itself_and_is_not_asked_again() {
    for release in ALL {
        let (world, gate) = held(release, false).await;
        world.openclaw.kill();
        gate.open();
        world.openclaw.restart();
        answered_once(&world, &format!("{release:?}")).await;
    }
}

#[tokio::test]
async fn a_terminated_gateway_is_followed_to_the_answer() {
    for release in ALL {
        let (world, gate) = held(release, false).await;
        world.openclaw.terminate();
        gate.open();
        world.openclaw.down().await;
        world.openclaw.restart();
        answered_once(&world, &format!("{release:?}")).await;
    }
}

#[tokio::test]
async fn a_transcript_is_followed_through_a_restart_of_the_gateway() {
    let (world, gate) = held(Release::V2026_7_35, true).await;
    world.openclaw.kill();
    gate.open();
    world.openclaw.restart();
    answered_once(&world, "jsonl").await;
}

#[tokio::test]
async fn p17_a_stop_during_a_turn_loses_nothing() {
    for (release, jsonl) in [
        (Release::V2026_9_6, false),
        (Release::V2026_7_35, true),
        (Release::V2026_5_7, false),
    ] {
        let (mut world, gate) = held(release, jsonl).await;
        world.terminate().await;
        gate.open();
        world.start().await;
        answered_once(&world, &format!("{release:?} {jsonl}")).await;
    }
}

#[tokio::test]
async fn r9_a_killed_bridge_finds_its_turn_again() {
    for (release, jsonl) in [
        (Release::V2026_9_6, false),
        (Release::V2026_7_35, true),
        (Release::V2026_5_7, false),
    ] {
        let (mut world, gate) = held(release, jsonl).await;
        world.kill().await;
        gate.open();
        world.start().await;
        answered_once(&world, &format!("{release:?} {jsonl}")).await;
    }
}

#[tokio::test]
async fn r12_the_gateway_may_be_elsewhere_no_file_is_read() {
    let world = World::new().await;
    world.kapso.receive(ANN, "hello");
    assert_eq!(world.answers(ANN, 1).await, ["You said: hello"]);
    assert!(!world.dir.path().join("openclaw").exists());
}

#[tokio::test]
async fn a_run_that_never_reports_is_aborted_and_the_chat_goes_on() {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    world.options().turn.run_limit = Duration::from_millis(700);
    world.start().await;
    let never = Gate::shut();
    world
        .openclaw
        .answer_next(Answer::text("never").held(&never));
    world.kapso.receive(ANN, "hello");
    never.reached(1).await;
    assert_eq!(world.answers(ANN, 1).await, [ERROR_MESSAGE]);
    world.kapso.receive(ANN, "still there?");
    assert_eq!(
        world.answers(ANN, 2).await,
        [ERROR_MESSAGE, "You said: still there?"]
    );
}
