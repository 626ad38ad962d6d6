//! Faults that are switched on.

use futures_util::SinkExt as _;
use sandbox::openclaw::{Answer, ConnectFault, Gate, Rejection, Release, RequestFault};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Client, End, TOKEN, connect_params, options, question, reply, world};

#[tokio::test]
async fn connects_fail_as_told_and_then_work_again() {
    let world = world(options(Release::V2026_9_6)).await;
    let gateway = &world.gateway;
    let faults = [
        (ConnectFault::Starting, json!("UNAVAILABLE"), 1013),
        (ConnectFault::NotPaired, json!("NOT_PAIRED"), 1008),
        (ConnectFault::TokenMismatch, json!("INVALID_REQUEST"), 1008),
        (
            ConnectFault::ProtocolMismatch,
            json!("INVALID_REQUEST"),
            1002,
        ),
        (ConnectFault::BareFailure, json!(null), 1008),
        (
            ConnectFault::Reject(Rejection::new("ODD", "odd").detail("ODDITY"), 1011),
            json!("ODD"),
            1011,
        ),
    ];
    for (fault, code, close) in faults {
        gateway.fail_connect(1, fault);
        let mut client = Client::open(gateway).await;
        client.challenge().await;
        let answer = client.ask("connect", connect_params(TOKEN)).await;
        assert_eq!(answer["ok"], false);
        assert_eq!(answer["error"]["code"], code);
        assert!(matches!(client.end().await, End::Closed(closed, _) if closed == close));
    }
    gateway.fail_connect(1, ConnectFault::EventFirst);
    let mut client = Client::connect(gateway).await;
    assert_eq!(client.events[0]["event"], "tick");
    assert_eq!(client.ask("health", json!({})).await["ok"], true);
}

#[tokio::test]
async fn requests_fail_as_told_and_then_work_again() {
    let world = world(options(Release::V2026_7_35)).await;
    let gateway = &world.gateway;
    let mut client = Client::connect(gateway).await;
    gateway.fail_request("agent", 1, RequestFault::BareFailure);
    let (_, bare) = client.accepted(question("s", "k1", "x")).await;
    assert_eq!(bare, json!({"type": "res", "id": bare["id"], "ok": false}));
    gateway.fail_request(
        "agent",
        1,
        RequestFault::Reject(Rejection::new("BUSY", "no")),
    );
    let (_, rejected) = client.accepted(question("s", "k2", "x")).await;
    assert_eq!(rejected["error"], json!({"code": "BUSY", "message": "no"}));
    assert!(gateway.executions().is_empty());

    gateway.fail_request("agent", 1, RequestFault::Twice);
    let (id, first) = client.accepted(question("s", "k3", "x")).await;
    assert_eq!(client.response(&id).await, first);
    let result = client.response(&id).await;
    assert_eq!(client.response(&id).await, result);
    assert_eq!(reply(&result), "You said: x");
    assert_eq!(gateway.executions().len(), 1);
}

#[tokio::test]
async fn a_held_acknowledgement_holds_the_result_too_but_not_the_run() {
    let world = world(options(Release::V2026_9_6)).await;
    let gate = Gate::shut();
    world
        .gateway
        .fail_request("agent", 1, RequestFault::Held(gate.clone()));
    let mut client = Client::connect(&world.gateway).await;
    let id = client.send("agent", question("s", "k", "x")).await;
    let waited = client
        .ask("agent.wait", json!({"runId": "k", "timeoutMs": 20_000}))
        .await;
    assert_eq!(waited["payload"]["status"], "ok");
    assert!(client.responses.is_empty());
    gate.open();
    assert_eq!(client.response(&id).await["payload"]["status"], "accepted");
    assert_eq!(client.response(&id).await["payload"]["status"], "ok");
}

#[tokio::test]
async fn a_socket_drops_before_or_after_a_request_was_taken() {
    let world = world(options(Release::V2026_9_6)).await;
    let gateway = &world.gateway;
    let mut client = Client::connect(gateway).await;
    gateway.fail_request("agent", 1, RequestFault::DropBefore);
    client.send("agent", question("s", "k1", "x")).await;
    assert_eq!(client.end().await, End::Dropped);
    assert!(gateway.asked().is_empty());

    let gate = Gate::shut();
    gateway.answer_next(Answer::text("kept").held(&gate));
    let mut client = Client::connect(gateway).await;
    gateway.fail_request("agent", 1, RequestFault::DropAfter);
    client.send("agent", question("s", "k2", "x")).await;
    assert_eq!(client.end().await, End::Dropped);
    assert_eq!(gateway.asked_n(1).await[0].key, "k2");
    gate.open();
    let mut client = Client::connect(gateway).await;
    let wait = json!({"runId": "k2", "timeoutMs": 20_000});
    assert_eq!(
        client.ask("agent.wait", wait).await["payload"]["status"],
        "ok"
    );
}

#[tokio::test]
async fn a_frame_that_is_no_request_is_answered_and_the_next_one_works() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::connect(&world.gateway).await;
    client.socket.send(Message::text("garbage")).await.unwrap();
    let answer = client.response("invalid").await;
    assert_eq!(answer["error"]["message"], "invalid request frame");
    world.gateway.send_raw(r#"{"type":"riddle"}"#);
    assert_eq!(client.frame().await.unwrap(), json!({"type": "riddle"}));
    assert_eq!(client.ask("health", json!({})).await["ok"], true);
}
