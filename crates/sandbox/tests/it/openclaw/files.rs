//! The session files of the releases that keep them.

use std::path::Path;

use sandbox::openclaw::{Answer, Gate, Options, Release};
use serde_json::Value;

use super::{Client, options, question, reply, world};

fn with_files(release: Release, state: &Path) -> Options {
    Options {
        transcripts: Some(state.to_owned()),
        ..options(release)
    }
}

/// The lines of the session's file, found as a reader finds it.
fn lines(index: &Path, key: &str) -> Vec<Value> {
    let index: Value = serde_json::from_str(&std::fs::read_to_string(index).unwrap()).unwrap();
    let file = index[key]["sessionFile"].as_str().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn the_last_line_is_in_the_file_before_the_second_response() {
    for release in [Release::V2026_5_7, Release::V2026_7_35] {
        let state = tempfile::tempdir().unwrap();
        let world = world(with_files(release, state.path())).await;
        let index = world.gateway.sessions_json().unwrap();
        let mut client = Client::connect(&world.gateway).await;
        world
            .gateway
            .answer_next(Answer::text("Final.").with_tool("Interim."));
        let result = client.answered(question("S", "k", "hello")).await;
        let lines = lines(&index, "agent:main:s");
        assert_eq!(
            result["payload"]["result"]["meta"]["agentMeta"]["sessionId"],
            lines[0]["id"]
        );
        let kinds: Vec<_> = lines
            .iter()
            .map(|line| line["type"].as_str().unwrap())
            .collect();
        let head = ["session", "model_change", "thinking_level_change", "custom"];
        assert_eq!(kinds[..4], head);
        assert_eq!(kinds[4..], ["message"; 4]);
        // Every entry hangs below the one before it.
        for pair in lines[1..].windows(2) {
            assert_eq!(pair[1]["parentId"], pair[0]["id"]);
        }
        let messages: Vec<_> = lines[4..].iter().map(|line| &line["message"]).collect();
        let asked = if release == Release::V2026_5_7 {
            messages[0]["content"][0]["text"].as_str().unwrap()
        } else {
            messages[0]["content"].as_str().unwrap()
        };
        assert!(asked.ends_with("hello"));
        assert_eq!(asked.starts_with('['), release == Release::V2026_5_7);
        assert_eq!(messages[1]["stopReason"], "toolUse");
        assert_eq!(messages[1]["content"][1]["id"], messages[2]["toolCallId"]);
        assert_eq!(messages[3]["stopReason"], "stop");
        assert_eq!(messages[3]["content"][0]["text"], reply_text(&result));
    }
}

fn reply_text(result: &Value) -> &str {
    let payloads = result["payload"]["result"]["payloads"].as_array().unwrap();
    payloads.last().unwrap()["text"].as_str().unwrap()
}

#[tokio::test]
async fn a_resumed_run_branches_off_before_the_interrupted_question() {
    let state = tempfile::tempdir().unwrap();
    let world = world(with_files(Release::V2026_7_35, state.path())).await;
    let index = world.gateway.sessions_json().unwrap();
    let mut client = Client::connect(&world.gateway).await;
    assert_eq!(
        reply(&client.answered(question("s", "k1", "one")).await),
        "You said: one"
    );
    let gate = Gate::shut();
    world.gateway.answer_next(Answer::text("lost").held(&gate));
    client.accepted(question("s", "k2", "two")).await;
    gate.reached(1).await;
    world.gateway.kill();
    world.gateway.restart();
    let run = world.gateway.executed_n(3).await[2].key.clone();
    let mut client = Client::connect(&world.gateway).await;
    let wait = serde_json::json!({"runId": run, "timeoutMs": 20_000});
    assert_eq!(
        client.ask("agent.wait", wait).await["payload"]["status"],
        "ok"
    );
    let lines = lines(&index, "agent:main:s");
    let [.., first, lost, resumed, answer] = lines.as_slice() else {
        panic!("too few lines");
    };
    assert_eq!(lost["parentId"], first["id"]);
    assert_eq!(resumed["parentId"], first["id"]);
    let text = resumed["message"]["content"].as_str().unwrap();
    assert!(
        text.starts_with("[System] Your previous turn was interrupted"),
        "{text}"
    );
    assert_eq!(answer["message"]["content"][0]["text"], "You said: two");
}

#[tokio::test]
async fn a_current_release_writes_no_files() {
    let state = tempfile::tempdir().unwrap();
    let world = world(with_files(Release::V2026_9_6, state.path())).await;
    let mut client = Client::connect(&world.gateway).await;
    client.answered(question("s", "k", "hello")).await;
    assert_eq!(world.gateway.sessions_json(), None);
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}
