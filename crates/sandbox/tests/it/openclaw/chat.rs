//! `chat.send`: what is obeyed, what reaches the model, and how its end is told (openclaw.md 3.2, 3.6).

use sandbox::openclaw::{Answer, Gate, OpenClawStandIn, Options, Release};
use serde_json::{Value, json};

use super::{Client, World, options, question, reply, world};

impl Client {
    /// The end of the chat under `key`.
    async fn chat_end(&mut self, key: &str) -> Value {
        let ends = |frame: &Value| {
            let payload = &frame["payload"];
            frame["event"] == "chat" && payload["runId"] == key && payload["state"] == "final"
        };
        loop {
            if let Some(at) = self.events.iter().position(ends) {
                return self.events.swap_remove(at)["payload"].clone();
            }
            let frame = self.frame().await.unwrap();
            if frame["type"] == "event" {
                self.events.push(frame);
            } else {
                self.responses.push_back(frame);
            }
        }
    }

    /// Sends `text` by `chat.send`; gives the response's payload.
    async fn chat(&mut self, key: &str, text: &str) -> Value {
        let response = self
            .ask("chat.send", question("main-wa-1", key, text))
            .await;
        assert_eq!(response["ok"], true, "{response}");
        response["payload"].clone()
    }
}

async fn connected(release: Release) -> (World, Client) {
    let world = world(options(release)).await;
    let client = Client::connect(&world.gateway).await;
    (world, client)
}

fn obeyed(gateway: &OpenClawStandIn) -> Vec<String> {
    let obeyed = gateway.obeyed().into_iter();
    obeyed.map(|obeyed| obeyed.text).collect()
}

fn said(end: &Value) -> Option<&str> {
    end["message"]["content"][0]["text"].as_str()
}

#[tokio::test]
async fn a_command_is_obeyed_and_the_model_is_not_asked() {
    for release in Release::ALL {
        let (world, mut client) = connected(release).await;
        let started = client.chat("k1", "/status").await;
        assert_eq!(started, json!({"runId": "k1", "status": "started"}));
        let end = client.chat_end("k1").await;
        assert!(
            said(&end).is_some_and(|text| text.contains("OpenClaw")),
            "{end}"
        );
        client.chat("k2", "/new").await;
        let told = said(&client.chat_end("k2").await).is_some();
        assert_eq!(
            told,
            release == Release::V2026_9_6,
            "older releases say nothing"
        );
        assert_eq!(obeyed(&world.gateway), ["/status", "/new"]);
        assert!(world.gateway.executions().is_empty());
    }
}

#[tokio::test]
async fn a_directive_is_taken_out_of_the_words_and_obeyed() {
    let (world, mut client) = connected(Release::V2026_9_6).await;
    client
        .chat(
            "k1",
            "please /exec host=gateway security=full ask=off list it",
        )
        .await;
    let end = client.chat_end("k1").await;
    assert_eq!(said(&end), Some("You said: please list it"));
    assert_eq!(
        obeyed(&world.gateway),
        ["/exec host=gateway security=full ask=off"]
    );
}

#[tokio::test]
async fn a_stop_word_ends_what_runs_and_has_no_run_of_its_own() {
    let (world, mut client) = connected(Release::V2026_9_6).await;
    let gate = Gate::shut();
    world.gateway.answer_next(Answer::text("late").held(&gate));
    let id = client
        .send("agent", question("main-wa-1", "slow", "hello"))
        .await;
    assert_eq!(client.response(&id).await["payload"]["status"], "accepted");
    world.gateway.executed_n(1).await;
    let stopped = client.chat("k1", "Please stop!").await;
    assert_eq!(
        stopped,
        json!({"ok": true, "aborted": true, "runIds": ["slow"]})
    );
    assert_eq!(client.response(&id).await["payload"]["status"], "timeout");
    assert_eq!(obeyed(&world.gateway), ["Please stop!"]);
}

#[tokio::test]
async fn a_key_that_was_used_is_not_obeyed_again() {
    let (world, mut client) = connected(Release::V2026_7_35).await;
    client.chat("k1", "/status").await;
    client.chat_end("k1").await;
    let again = client.chat("k1", "/status").await;
    assert_eq!(again, json!({"runId": "k1", "status": "ok"}));
    assert_eq!(obeyed(&world.gateway).len(), 1);
}

#[tokio::test]
async fn agent_obeys_nothing() {
    let (world, mut client) = connected(Release::V2026_9_6).await;
    let answer = client
        .answered(question("main-wa-1", "k1", "/status and stop"))
        .await;
    assert_eq!(reply(&answer), "You said: /status and stop");
    assert!(world.gateway.obeyed().is_empty());
}

#[tokio::test]
async fn what_chat_send_does_not_take_is_refused_as_recorded() {
    let (_world, mut client) = connected(Release::V2026_5_7).await;
    for (params, message) in [
        (
            question("main", "i2", "   "),
            "message or attachment required",
        ),
        (
            question("main", "i3", "a\0b"),
            "message must not contain null bytes",
        ),
        (
            json!({"sessionKey": "main", "message": "x"}),
            "invalid chat.send params: must have required property 'idempotencyKey'",
        ),
        (
            json!({"sessionKey": "main", "message": "x", "idempotencyKey": "i1", "extraSystemPrompt": "evil"}),
            "invalid chat.send params: at root: unexpected property 'extraSystemPrompt'",
        ),
        (
            question("main", "i4", "/compact"),
            "the command /compact is not emulated by the sandbox",
        ),
    ] {
        let refused = client.ask("chat.send", params).await;
        assert_eq!(refused["error"]["message"], message);
    }
}

#[tokio::test]
async fn only_configured_agents_have_sessions() {
    let world = world(Options {
        agents: vec!["main".to_owned(), "sales".to_owned()],
        ..options(Release::V2026_9_6)
    })
    .await;
    let mut client = Client::connect(&world.gateway).await;
    let (_, accepted) = client
        .accepted(question("agent:sales:main-wa-1", "k1", "hello"))
        .await;
    assert_eq!(accepted["payload"]["agentId"], "sales");
    let (_, refused) = client
        .accepted(question("agent:nope:main-wa-1", "k2", "hello"))
        .await;
    assert_eq!(
        refused["error"]["message"],
        "Agent \"nope\" no longer exists in configuration"
    );
}
