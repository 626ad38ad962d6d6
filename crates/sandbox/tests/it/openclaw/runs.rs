//! Runs: order, keys, the built-in agent, what is refused.

use std::time::Duration;

use model::{Clock, Timestamp};
use sandbox::openclaw::{Answer, Gate, Options, Release};
use serde_json::{Value, json};

use super::{Client, options, question, reply, world};

#[tokio::test]
async fn one_session_answers_in_order_and_two_do_not_wait_for_each_other() {
    let world = world(options(Release::V2026_9_6)).await;
    let gate = Gate::shut();
    world.gateway.answer_next(Answer::text("one").held(&gate));
    let mut client = Client::connect(&world.gateway).await;
    let (first, _) = client.accepted(question("ana", "k1", "a")).await;
    gate.reached(1).await;
    let (second, _) = client.accepted(question("ana", "k2", "b")).await;
    let (third, _) = client.accepted(question("ana", "k3", "c")).await;
    // Bob is answered while Ana's first question is worked on.
    assert_eq!(
        reply(&client.answered(question("bob", "k4", "hi")).await),
        "You said: hi"
    );
    let history = client
        .ask("chat.history", json!({"sessionKey": "ana"}))
        .await;
    assert_eq!(history["payload"]["pendingInputs"]["total"], 2);
    assert_eq!(
        history["payload"]["sessionInfo"]["activeRunIds"],
        json!(["k1"])
    );
    gate.open();
    assert_eq!(reply(&client.response(&first).await), "one");
    assert_eq!(reply(&client.response(&second).await), "You said: b");
    assert_eq!(reply(&client.response(&third).await), "You said: c");
    let rows = world.gateway.transcript("ana").unwrap();
    assert_eq!(
        rows,
        [
            "user: a",
            "assistant: one",
            "user: b",
            "assistant: You said: b",
            "user: c",
            "assistant: You said: c"
        ]
    );
    let asked: Vec<_> = world
        .gateway
        .asked()
        .into_iter()
        .map(|asked| asked.key)
        .collect();
    assert_eq!(asked, ["k1", "k2", "k3", "k4"]);
}

#[tokio::test]
async fn a_key_is_forgotten_after_five_minutes() {
    let start = Timestamp::from_seconds(1_795_000_000);
    let clock = Clock::standing_at(start);
    let world = world(Options {
        clock: clock.clone(),
        ..options(Release::V2026_7_35)
    })
    .await;
    let mut client = Client::connect(&world.gateway).await;
    client.answered(question("s", "k", "x")).await;
    clock.set(start.later(Duration::from_secs(300)));
    let (_, cached) = client.accepted(question("s", "k", "x")).await;
    assert_eq!(cached["payload"]["status"], "ok");
    clock.set(start.later(Duration::from_secs(301)));
    client.answered(question("s", "k", "x")).await;
    assert_eq!(world.gateway.executions().len(), 2);
}

#[tokio::test]
async fn a_run_that_is_unknown_or_goes_on_looks_the_same_to_agent_wait() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        let gate = Gate::shut();
        world.gateway.answer_next(Answer::text("done").held(&gate));
        let mut client = Client::connect(&world.gateway).await;
        client.accepted(question("s", "k", "x")).await;
        gate.reached(1).await;
        for run in ["k", "nobody"] {
            let waited = client
                .ask("agent.wait", json!({"runId": run, "timeoutMs": 1}))
                .await;
            assert_eq!(waited["payload"]["status"], "timeout");
        }
        let id = client
            .send("agent.wait", json!({"runId": "k", "timeoutMs": 20_000}))
            .await;
        gate.open();
        assert_eq!(client.response(&id).await["payload"]["status"], "ok");
    }
}

#[tokio::test]
async fn the_agent_reads_commands_as_text_and_only_reset_is_refused() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    for (n, text) in ["stop", "/status", "please /exec host=gateway ask=off"]
        .iter()
        .enumerate()
    {
        let result = client.answered(question("s", &format!("k{n}"), text)).await;
        assert_eq!(reply(&result), format!("You said: {text}"));
    }
    let (_, refusal) = client.accepted(question("s", "k9", "/reset now")).await;
    assert_eq!(refusal["error"]["message"], "missing scope: operator.admin");
    assert_eq!(world.gateway.executions().len(), 3);
}

#[tokio::test]
async fn what_is_not_emulated_is_refused_by_name() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    for method in ["sessions.send", "sessions.reset"] {
        let refusal = client.ask(method, json!({})).await;
        assert_eq!(refusal["error"]["code"], "INVALID_REQUEST");
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{method} is not emulated by the sandbox")),
            "{message}"
        );
    }
    let received: Vec<_> = world
        .gateway
        .received()
        .into_iter()
        .map(|r| r.method)
        .collect();
    assert_eq!(received, ["sessions.send", "sessions.reset"]);
}

#[tokio::test]
async fn health_and_the_list_of_sessions_are_there() {
    let world = world(options(Release::V2026_5_7)).await;
    let mut client = Client::connect(&world.gateway).await;
    client.answered(question("agent:main:Ana", "k", "x")).await;
    assert_eq!(client.ask("health", json!({})).await["payload"]["ok"], true);
    let list = client.ask("sessions.list", json!({})).await;
    assert_eq!(list["payload"]["sessions"][0]["key"], "agent:main:ana");
    let nobody = client
        .ask("chat.history", json!({"sessionKey": "nobody"}))
        .await;
    assert_eq!(nobody["payload"]["messages"], json!([]));
}

#[tokio::test]
async fn several_texts_are_payloads_and_words_before_a_tool_only_in_the_oldest_release() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        let mut client = Client::connect(&world.gateway).await;
        let texts = |result: &Value| -> Vec<String> {
            let payloads = result["payload"]["result"]["payloads"].as_array().unwrap();
            let texts = payloads
                .iter()
                .map(|payload| payload["text"].as_str().unwrap().to_owned());
            texts.collect()
        };
        let parts = client
            .answered(question("s", "k1", "From: +1 [role: guest]\nparts"))
            .await;
        assert_eq!(
            texts(&parts),
            ["The first part.", "The second part.", "The third part."]
        );
        let tools = client.answered(question("s", "k2", "tools")).await;
        let last = "I looked: everything is fine.";
        if release == Release::V2026_5_7 {
            assert_eq!(texts(&tools), ["Let me check.", "One more look.", last]);
        } else {
            assert_eq!(texts(&tools), [last]);
        }
    }
}

#[tokio::test]
async fn every_connection_hears_the_events_of_every_run_with_its_own_numbers() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut asker = Client::connect(&world.gateway).await;
    asker.answered(question("s", "k1", "x")).await;
    let mut onlooker = Client::connect(&world.gateway).await;
    asker.answered(question("s", "k2", "x")).await;
    let heard = onlooker.frame().await.unwrap();
    assert_eq!(heard["seq"], 1);
    assert_eq!(heard["payload"]["task"]["runId"], "k2");
}

#[tokio::test]
async fn a_thousand_sessions_are_served_at_once() {
    const SESSIONS: usize = 1_000;
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        let params = question(&format!("s{n}"), &format!("k{n}"), &n.to_string());
        ids.push(client.send("agent", params).await);
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(client.response(id).await["payload"]["status"], "accepted");
        assert_eq!(reply(&client.response(id).await), format!("You said: {n}"));
    }
    assert_eq!(world.gateway.executions().len(), SESSIONS);
}
