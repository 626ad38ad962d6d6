//! Sockets that drop, and processes that die, drain and come back.

use std::time::Duration;

use sandbox::openclaw::{Answer, Gate, OpenClawStandIn, Release, Resume};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Client, End, PATIENCE, options, question, reply, world};

/// Asks a question that is held at the gate.
async fn held(gateway: &OpenClawStandIn, client: &mut Client, key: &str) -> (String, Gate) {
    let gate = Gate::shut();
    gateway.answer_next(Answer::text("the answer").held(&gate));
    let (id, _) = client.accepted(question("s", key, "the question")).await;
    gate.reached(1).await;
    (id, gate)
}

fn boot_id(hello: &Value) -> String {
    hello["payload"]["server"]["bootId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_dropped_socket_leaves_the_run_alive_and_its_result_can_be_fetched() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        let mut client = Client::connect(&world.gateway).await;
        let (_, gate) = held(&world.gateway, &mut client, "k").await;
        world.gateway.drop_connections();
        assert_eq!(client.end().await, End::Dropped);
        let mut client = Client::connect(&world.gateway).await;
        let wait = client
            .send("agent.wait", json!({"runId": "k", "timeoutMs": 20_000}))
            .await;
        gate.open();
        assert_eq!(client.response(&wait).await["payload"]["status"], "ok");
        let (_, again) = client.accepted(question("s", "k", "the question")).await;
        assert_eq!(reply(&again), "the answer");
        assert_eq!(world.gateway.executions().len(), 1);
    }
}

#[tokio::test]
async fn a_killed_gateway_forgets_keys_and_resumes_by_itself() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        world.gateway.resume(Resume::Never);
        let mut client = Client::connect(&world.gateway).await;
        held(&world.gateway, &mut client, "k").await;
        world.gateway.kill();
        assert_eq!(client.end().await, End::Dropped);
        assert!(
            tokio_tungstenite::connect_async(world.gateway.url())
                .await
                .is_err()
        );
        world.gateway.restart();

        let mut client = Client::connect(&world.gateway).await;
        let history = client.ask("chat.history", json!({"sessionKey": "s"})).await;
        let info = &history["payload"]["sessionInfo"];
        if release > Release::V2026_5_7 {
            assert_eq!(info["status"], "running");
            assert_eq!(info["abortedLastRun"], true);
            assert_eq!(info["hasActiveRun"], false);
        }
        let waited = client
            .ask("agent.wait", json!({"runId": "k", "timeoutMs": 1}))
            .await;
        assert_eq!(waited["payload"]["status"], "timeout");

        world.gateway.resume(Resume::After(Duration::ZERO));
        let executions = world.gateway.executed_n(2).await;
        assert!(executions[1].resumed);
        assert_ne!(executions[1].key, "k");
        assert_eq!(executions[1].text, "the question");
        let wait = json!({"runId": executions[1].key, "timeoutMs": 20_000});
        assert_eq!(
            client.ask("agent.wait", wait).await["payload"]["status"],
            "ok"
        );
        let rows = world.gateway.transcript("s").unwrap();
        let asked = rows
            .iter()
            .filter(|row| row.as_str() == "user: the question")
            .count();
        // The older releases take the interrupted question out of sight.
        assert_eq!(
            asked,
            usize::from(release == Release::V2026_9_6),
            "{rows:?}"
        );
        assert_eq!(rows.last().unwrap(), "assistant: You said: the question");
        assert_eq!(world.gateway.asked().len(), 1);
    }
}

#[tokio::test]
async fn asking_again_after_a_restart_runs_again() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    client.answered(question("s", "k", "x")).await;
    let mut other = Client::open(&world.gateway).await;
    other.challenge().await;
    let before = other
        .ask("connect", super::connect_params(super::TOKEN))
        .await;
    world.gateway.restart();
    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let after = client
        .ask("connect", super::connect_params(super::TOKEN))
        .await;
    assert_ne!(boot_id(&before), boot_id(&after));
    client.answered(question("s", "k", "x")).await;
    assert_eq!(world.gateway.executions().len(), 2);
}

#[tokio::test]
async fn a_current_release_drains_before_it_goes() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    let (id, gate) = held(&world.gateway, &mut client, "k").await;
    world.gateway.terminate();
    // While it drains, nobody new gets in and nothing new is answered.
    assert!(
        tokio_tungstenite::connect_async(world.gateway.url())
            .await
            .is_err()
    );
    let ignored = client.send("health", json!({})).await;
    gate.open();
    assert_eq!(reply(&client.response(&id).await), "the answer");
    let end = client.try_response(&ignored).await.unwrap_err();
    assert_eq!(end, End::Closed(1012, "service restart".to_owned()));
    let last = client.events.last().unwrap();
    assert_eq!(last["event"], "shutdown");
    assert_eq!(last["payload"], json!({"reason": "gateway stopping"}));
    world.gateway.down().await;
    world.gateway.restart();
    Client::connect(&world.gateway).await;
    assert_eq!(world.gateway.executions().len(), 1);
}

#[tokio::test]
async fn an_older_release_goes_at_once_and_resumes_later() {
    for release in [Release::V2026_5_7, Release::V2026_7_35] {
        let world = world(options(release)).await;
        let mut client = Client::connect(&world.gateway).await;
        held(&world.gateway, &mut client, "k").await;
        world.gateway.terminate();
        let end = client.end().await;
        assert_eq!(end, End::Closed(1012, "service restart".to_owned()));
        let last = client.events.last().unwrap();
        assert_eq!(
            last["payload"],
            json!({"reason": "gateway stopping", "restartExpectedMs": null})
        );
        world.gateway.restart();
        let executions = world.gateway.executed_n(2).await;
        assert!(executions[1].resumed);
    }
}

#[tokio::test]
async fn a_starting_gateway_turns_away_with_1013() {
    let world = world(sandbox::openclaw::Options {
        startup: Duration::from_secs(1),
        ..options(Release::V2026_9_6)
    })
    .await;
    world.gateway.restart();
    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let id = client
        .send("connect", super::connect_params(super::TOKEN))
        .await;
    let refusal = client.response(&id).await;
    assert_eq!(refusal["error"]["code"], "UNAVAILABLE");
    assert_eq!(refusal["error"]["retryAfterMs"], 500);
    assert_eq!(
        client.end().await,
        End::Closed(1013, "gateway starting".to_owned())
    );
    world.gateway.up().await;
    Client::connect(&world.gateway).await;
}

#[tokio::test]
async fn g5_a_half_open_socket_takes_bytes_and_says_nothing_until_it_heals() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    world.gateway.half_open(true);
    let id = client.send("health", json!({})).await;
    // A new connection is accepted by the system and then nothing comes.
    let address = world.gateway.url().replace("ws://", "");
    let mut silent = TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut silent, b"GET / HTTP/1.1\r\n")
        .await
        .unwrap();
    world.gateway.tick();
    let nothing = tokio::time::timeout(Duration::from_millis(50), client.frame()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert!(world.gateway.received().is_empty());
    world.gateway.half_open(false);
    let answer = tokio::time::timeout(PATIENCE, client.response(&id))
        .await
        .unwrap();
    assert_eq!(answer["ok"], true);
    assert_eq!(client.events[0]["event"], "tick");
}
