//! Which of the agent's words reach the customer.

use sandbox::openclaw::{Answer, Gate, Release, RequestFault};
use store::TurnState;

use crate::world::{ANN, BOB, ERROR_MESSAGE, World};

const RELEASES: [(Release, bool); 4] = [
    (Release::V2026_9_6, false),
    (Release::V2026_7_35, false),
    (Release::V2026_7_35, true),
    (Release::V2026_5_7, false),
];

fn say(world: &World, answer: Answer) {
    world
        .openclaw
        .answer_with(move |asked| match asked.words() {
            "done" => Answer::text("done"),
            _ => answer.clone(),
        });
    world.kapso.receive(ANN, "question");
    world.kapso.receive(ANN, "done");
}

#[tokio::test]
async fn r5_every_final_text_is_delivered_in_order() {
    for (release, jsonl) in RELEASES {
        let world = World::of(release, jsonl).await;
        say(&world, Answer::texts(["first", "second", "third"]));
        let answers = world.answers(ANN, if jsonl { 2 } else { 4 }).await;
        assert_eq!(
            answers
                .join(" ")
                .replace('\n', " ")
                .split_whitespace()
                .collect::<Vec<_>>(),
            ["first", "second", "third", "done"],
            "{release:?} {jsonl}"
        );
    }
}

#[tokio::test]
async fn interim_texts_before_a_tool_are_not_answers() {
    for (release, jsonl) in RELEASES {
        let world = World::of(release, jsonl).await;
        say(
            &world,
            Answer::text("the weather is fine").with_tool("let me look"),
        );
        assert_eq!(
            world.answers(ANN, 2).await,
            ["the weather is fine", "done"],
            "{release:?} {jsonl}"
        );
    }
}

#[tokio::test]
async fn r15_silence_sends_nothing() {
    for (release, jsonl) in RELEASES {
        let mut world = World::of(release, jsonl).await;
        say(&world, Answer::silent());
        assert_eq!(world.answers(ANN, 1).await, ["done"], "{release:?} {jsonl}");
        world.terminate().await;
        let turns = world.journal().await.depths().await.unwrap().turns;
        assert_eq!(
            turns.get(&TurnState::Silent),
            Some(&1),
            "{release:?} {jsonl}"
        );
    }
}

#[tokio::test]
async fn r8_a_failed_run_tells_the_neutral_sentence_and_no_detail() {
    for (release, jsonl) in RELEASES {
        for failure in [
            Answer::failed("provider at /home/user/key refused"),
            Answer::empty(),
        ] {
            let world = World::of(release, jsonl).await;
            say(&world, failure);
            assert_eq!(
                world.answers(ANN, 2).await,
                [ERROR_MESSAGE, "done"],
                "{release:?} {jsonl}"
            );
        }
    }
}

#[tokio::test]
async fn r8_a_truncated_answer_is_marked() {
    let world = World::of(Release::V2026_9_6, false).await;
    say(&world, Answer::truncated("cut off"));
    assert_eq!(world.answers(ANN, 2).await, ["cut off\n\n[…]", "done"]);
    let world = World::of(Release::V2026_7_35, true).await;
    say(&world, Answer::truncated("cut off"));
    assert_eq!(world.answers(ANN, 2).await, ["cut off\n\n[…]", "done"]);
}

#[tokio::test]
async fn r3_a_new_sender_never_receives_another_sessions_words() {
    let world = World::of(Release::V2026_7_35, true).await;
    let gate = Gate::shut();
    let held = gate.clone();
    world
        .openclaw
        .answer_with(move |asked| match asked.words() {
            "private" => Answer::text("owner's private calendar"),
            _ => Answer::text("hello Ann").held(&held),
        });
    world.kapso.receive(ANN, "hi");
    gate.reached(1).await;
    world.kapso.receive(BOB, "private");
    assert_eq!(world.answers(BOB, 1).await, ["owner's private calendar"]);
    gate.open();
    assert_eq!(world.answers(ANN, 1).await, ["hello Ann"]);
}

#[tokio::test]
async fn r4_an_answer_before_the_acknowledgement_is_delivered() {
    for (release, jsonl) in RELEASES {
        let world = World::of(release, jsonl).await;
        let late = Gate::shut();
        world
            .openclaw
            .fail_request("agent", 1, RequestFault::Held(late.clone()));
        world.kapso.receive(ANN, "quick");
        world.openclaw.executed_n(1).await;
        late.open();
        assert_eq!(
            world.answers(ANN, 1).await,
            ["You said: quick"],
            "{release:?} {jsonl}"
        );
    }
}

#[tokio::test]
async fn r6_a_slow_answer_comes_when_it_comes_and_is_not_the_next_ones() {
    let world = World::new().await;
    let gate = Gate::shut();
    let held = gate.clone();
    world
        .openclaw
        .answer_with(move |asked| match asked.words() {
            "slow" => Answer::text("slow answer").held(&held),
            other => Answer::text(format!("answer to {other}")),
        });
    world.kapso.receive(ANN, "slow");
    gate.reached(1).await;
    world.kapso.receive(ANN, "next");
    world.listed().await;
    gate.open();
    assert_eq!(
        world.answers(ANN, 2).await,
        ["slow answer", "answer to next"]
    );
}

#[tokio::test]
async fn o2_a_long_answer_arrives_whole_in_few_messages() {
    let world = World::new().await;
    let long = "日本語のテキスト。".repeat(1000);
    say(&world, Answer::text(long.clone()));
    let answers = world.answers(ANN, 4).await;
    assert_eq!(answers[..3].concat(), long);
    assert!(answers.iter().all(|part| part.chars().count() <= 4096));
}

#[tokio::test]
async fn commands_and_directives_reach_the_agent_as_text() {
    for (release, jsonl) in RELEASES {
        let world = World::of(release, jsonl).await;
        for text in [
            "stop",
            "/status",
            "/new",
            "please /exec host=gateway security=full ask=off do it",
        ] {
            world.kapso.receive(ANN, text);
        }
        world.answers(ANN, 4).await;
        let words: Vec<String> = world
            .openclaw
            .asked()
            .iter()
            .map(|asked| asked.words().replace('\u{2060}', ""))
            .collect();
        assert_eq!(
            words,
            [
                "stop",
                "/status",
                "/new",
                "please /exec host=gateway security=full ask=off do it"
            ]
        );
    }
}
