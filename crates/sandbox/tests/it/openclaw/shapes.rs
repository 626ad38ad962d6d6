//! The frames have the keys of the recorded ones, release by release.

use std::collections::BTreeSet;

use sandbox::openclaw::{Answer, Gate, Release, Resume};
use serde_json::{Value, json};

use super::{Client, World, options, question, world};

fn recorded(release: Release) -> Value {
    let text = match release {
        Release::V2026_5_7 => include_str!("../../data/openclaw/2026.5.7.json"),
        Release::V2026_7_35 => include_str!("../../data/openclaw/2026.7.35.json"),
        Release::V2026_9_6 => include_str!("../../data/openclaw/2026.9.6.json"),
    };
    serde_json::from_str(text).unwrap()
}

/// Subtrees that the stand-in does not imitate in full: reports for dashboards, and lists whose members differ.
const LOOSE: [&str; 8] = [
    "contextBudgetStatus",
    "systemPromptReport",
    "health",
    "tools",
    "updateSchedule",
    "attempts",
    "openclawStreamFallback",
    "cost",
];

/// Every path of keys in a value; members of a list count as one.
fn paths(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = format!("{path}/{key}");
                found.insert(path.clone());
                if !LOOSE.contains(&key.as_str()) {
                    collect(value, &path, found);
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                collect(value, &format!("{path}[]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[track_caller]
fn same(release: Release, what: &str, ours: &Value, theirs: &Value) {
    let (ours, theirs) = (paths(ours), paths(theirs));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{release:?} {what}: missing {missing:?}, extra {extra:?}"
    );
}

async fn client(release: Release) -> (World, Client) {
    let world = world(options(release)).await;
    let client = Client::connect(&world.gateway).await;
    (world, client)
}

#[tokio::test]
async fn challenge_and_hello_have_the_recorded_keys() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        let mut client = Client::open(&world.gateway).await;
        let challenge = client.challenge().await;
        let hello = client
            .ask("connect", super::connect_params(super::TOKEN))
            .await;
        let recorded = recorded(release);
        same(release, "challenge", &challenge, &recorded["challenge"]);
        same(release, "hello", &hello, &recorded["hello"]);
        assert_eq!(
            hello["payload"]["protocol"],
            recorded["hello"]["payload"]["protocol"]
        );
        assert_eq!(
            hello["payload"]["server"]["version"],
            recorded["hello"]["payload"]["server"]["version"]
        );
    }
}

#[tokio::test]
async fn an_answered_run_has_the_recorded_keys() {
    for release in Release::ALL {
        let (_world, mut client) = client(release).await;
        let recorded = recorded(release);
        let (id, accepted) = client.accepted(question("ag1", "k1", "hello")).await;
        let result = client.response(&id).await;
        let waited = client
            .ask("agent.wait", json!({"runId": "k1", "timeoutMs": 500}))
            .await;
        same(release, "accepted", &accepted, &recorded["accepted"]);
        same(release, "final", &result, &recorded["final"]);
        same(release, "waited", &waited, &recorded["waited"]);
        assert_eq!(
            result["payload"]["result"]["payloads"][0]["text"],
            "You said: hello"
        );
        for (name, event, find) in [
            ("lifecycle_start", "agent", "start"),
            ("lifecycle_end", "agent", "end"),
            ("assistant", "agent", "assistant"),
            ("chat_delta", "chat", "delta"),
            ("chat_final", "chat", "final"),
        ] {
            let found = client.events.iter().find(|frame| {
                let payload = &frame["payload"];
                let marks = [
                    &payload["data"]["phase"],
                    &payload["state"],
                    &payload["stream"],
                ];
                frame["event"] == event && marks.iter().any(|mark| *mark == find)
            });
            let mut theirs = recorded[name].clone();
            let mut ours = found.unwrap().clone();
            for frame in [&mut ours, &mut theirs] {
                without_stream_fields(frame);
            }
            same(release, name, &ours, &theirs);
        }
    }
}

/// Which of these an event bears depends on its stream; all bear run id and session key.
fn without_stream_fields(event: &mut Value) {
    let payload = event["payload"].as_object_mut().unwrap();
    payload.remove("sessionId");
    if let Some(Value::Object(data)) = payload.get_mut("data") {
        data.remove("itemId");
    }
}

#[tokio::test]
async fn every_kind_of_end_has_the_recorded_keys() {
    let ends = [
        ("noreply", Answer::silent()),
        ("empty", Answer::empty()),
        ("finlen", Answer::truncated("cut off")),
        ("tool1", Answer::text("Final.").with_tool("Interim.")),
        ("err_http400", Answer::failed("LLM request failed.")),
    ];
    for release in Release::ALL {
        let (world, mut client) = client(release).await;
        let recorded = recorded(release);
        for (name, answer) in &ends {
            world.gateway.answer_next(answer.clone());
            let result = client.answered(question(name, name, "x")).await;
            let waited = client
                .ask("agent.wait", json!({"runId": name, "timeoutMs": 500}))
                .await;
            let mut theirs = recorded[*name].clone();
            // A failed tool is recorded; the scripted tool works.
            if let Some(tools) = theirs.pointer_mut("/payload/result/meta/toolSummary") {
                tools.as_object_mut().unwrap().remove("unresolvedError");
            }
            same(release, name, &result, &theirs);
            same(release, name, &waited, &recorded[format!("{name}_waited")]);
            for pointer in ["/ok", "/payload/status", "/payload/result/meta/stopReason"] {
                assert_eq!(
                    result.pointer(pointer),
                    recorded[*name].pointer(pointer),
                    "{release:?} {name} {pointer}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_run_over_its_time_has_the_recorded_keys() {
    for release in [Release::V2026_7_35, Release::V2026_9_6] {
        let (world, mut client) = client(release).await;
        let recorded = recorded(release);
        world
            .gateway
            .answer_next(Answer::text("never").held(&Gate::shut()));
        let mut params = question("slow", "k", "x");
        params["timeout"] = json!(1);
        let result = client.answered(params).await;
        let waited = client
            .ask("agent.wait", json!({"runId": "k", "timeoutMs": 1}))
            .await;
        same(release, "timeout", &result, &recorded["timeout"]);
        same(
            release,
            "timeout_waited",
            &waited,
            &recorded["timeout_waited"],
        );
        assert_eq!(result["payload"]["status"], "timeout");
    }
}

#[tokio::test]
async fn history_has_the_recorded_keys() {
    for release in Release::ALL {
        let (world, mut client) = client(release).await;
        let recorded = recorded(release);
        client.answered(question("ag2", "k1", "hello")).await;
        let mut ours = client
            .ask("chat.history", json!({"sessionKey": "ag2", "limit": 50}))
            .await;
        let mut theirs = recorded["history"].clone();
        assert_eq!(ours["payload"]["sessionKey"], "ag2");
        let (info, known) = (take_info(&mut ours), take_info(&mut theirs));
        same(release, "history", &ours, &theirs);
        // A dashboard's fields are left out, but what is there is what the release has.
        let invented: Vec<_> = info.difference(&known).cloned().collect();
        assert!(invented.is_empty(), "{release:?} sessionInfo: {invented:?}");

        world
            .gateway
            .answer_next(Answer::text("Final.").with_tool("Interim."));
        client.answered(question("ag3", "k2", "hello")).await;
        let history = client
            .ask("chat.history", json!({"sessionKey": "ag3"}))
            .await;
        let rows = history["payload"]["messages"].as_array().unwrap();
        let ours: Vec<_> = rows.iter().filter(|row| row["role"] != "user").collect();
        let mut theirs = recorded["tool_rows"].clone();
        for row in theirs.as_array_mut().unwrap() {
            without_arguments(row);
        }
        same(release, "tool rows", &json!(ours), &theirs);
    }
}

/// The scripted tool takes no arguments.
fn without_arguments(row: &mut Value) {
    let blocks = row["content"].as_array_mut().into_iter().flatten();
    for arguments in blocks.filter_map(|block| block.get_mut("arguments")) {
        *arguments = json!({});
    }
}

fn take_info(history: &mut Value) -> BTreeSet<String> {
    let payload = history["payload"].as_object_mut().unwrap();
    payload
        .remove("sessionInfo")
        .map(|info| info.as_object().unwrap().keys().cloned().collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_repeated_question_has_the_recorded_keys() {
    for release in Release::ALL {
        let (world, mut client) = client(release).await;
        let gate = Gate::shut();
        world.gateway.answer_next(Answer::text("done").held(&gate));
        let (first, _) = client.accepted(question("s", "k", "x")).await;
        gate.reached(1).await;
        let (_, again) = client.accepted(question("s", "k", "x")).await;
        same(release, "going on", &again, &recorded(release)["going_on"]);
        gate.open();
        let result = client.response(&first).await;
        let (_, cached) = client.accepted(question("s", "k", "x")).await;
        assert_eq!(cached["payload"], result["payload"]);
        assert_eq!(world.gateway.executions().len(), 1);
    }
}

#[tokio::test]
async fn a_resumed_question_has_the_recorded_keys() {
    for release in Release::ALL {
        let (world, mut client) = client(release).await;
        world.gateway.resume(Resume::Never);
        let gate = Gate::shut();
        world.gateway.answer_next(Answer::text("lost").held(&gate));
        client.accepted(question("s", "k", "the question")).await;
        gate.reached(1).await;
        world.gateway.kill();
        world.gateway.restart();
        world
            .gateway
            .resume(Resume::After(std::time::Duration::ZERO));
        world.gateway.executed_n(2).await;
        let mut client = Client::connect(&world.gateway).await;
        let history = client.ask("chat.history", json!({"sessionKey": "s"})).await;
        let rows = history["payload"]["messages"].as_array().unwrap();
        let row = rows.iter().rfind(|row| row["role"] == "user").unwrap();
        let recorded = &recorded(release)["resumed_row"];
        same(release, "resumed row", row, recorded);
        let text = |row: &Value| row["content"].as_str().map(|text| text[..60].to_owned());
        assert_eq!(text(row), text(recorded), "{release:?}");
    }
}
