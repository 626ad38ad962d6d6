//! What the control socket tells the operator, and what it lets them do.

use std::path::Path;

use sandbox::openclaw::Answer;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::world::{ANN, BOB, ERROR_MESSAGE, World};

/// Asks the bridge's control socket; the status and the body.
pub(crate) async fn ask(world: &World, method: &str, path: &str) -> (u16, String) {
    ask_at(&world.dir.path().join("state/control.sock"), method, path).await
}

/// The same of a control socket without a bridge.
pub(crate) async fn ask_at(socket: &Path, method: &str, path: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: bridge\r\nAccept: application/json\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}

pub(crate) async fn json(world: &World, path: &str) -> Value {
    let (status, body) = ask(world, "GET", path).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn trace_tells_the_life_of_a_message_by_its_id_its_answers_id_or_its_sender() {
    let world = World::new().await;
    let message = world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    let sent = world.kapso.sent()[0].id.to_string();
    for of in [message.as_str(), &sent, "%2B1+555+123+4567"] {
        let life = loop {
            let lives = json(&world, &format!("/trace?of={of}")).await;
            let life = lives["lives"][0].clone();
            // The answer is at WhatsApp a moment before that stands in the journal.
            if life["replies"][0]["state"] == "sent" {
                break life;
            }
            // By the answer's own id it is not found before.
            tokio::task::yield_now().await;
        };
        assert_eq!(life["message"]["id"], message.as_str(), "{of}");
        assert_eq!(life["message"]["state"], "answered");
        assert_eq!(life["message"]["source"], "poll");
        assert_eq!(life["message"]["text"], "hello");
        assert_eq!(life["turn"]["state"], "answered");
        assert_eq!(life["turn"]["attempts"], 1);
        assert_eq!(life["replies"][0]["wamid"], sent.as_str());
        let times = ["received_at", "done_at"].map(|time| life["message"][time].as_i64().unwrap());
        assert!(times[0] <= times[1], "{life}");
    }
    let (status, body) = ask(&world, "GET", "/trace?of=wamid.nobody").await;
    assert_eq!((status, body.contains("nothing is known")), (404, true));
    assert_eq!(ask(&world, "GET", "/trace?of=").await.0, 400);
}

#[tokio::test]
async fn inbox_gives_the_latest_and_then_what_is_new() {
    let world = World::new().await;
    for text in ["one", "two", "three"] {
        world.kapso.receive(ANN, text);
    }
    world.answers(ANN, 3).await;
    let latest = json(&world, "/inbox?limit=2").await;
    let texts = |list: &Value| -> Vec<String> {
        let list = list["messages"].as_array().unwrap();
        list.iter()
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&latest), ["two", "three"]);
    let seen = latest["messages"][0]["seq"].as_i64().unwrap();
    let next = json(&world, &format!("/inbox?after={seen}")).await;
    assert_eq!(texts(&next), ["three"]);
}

#[tokio::test]
async fn what_failed_is_listed_and_is_asked_again_when_the_operator_says_so() {
    let world = World::new().await;
    world
        .openclaw
        .answer_next(Answer::failed("the model is away"));
    world.kapso.receive(ANN, "hello");
    assert_eq!(world.answers(ANN, 1).await, [ERROR_MESSAGE]);
    let dead = json(&world, "/dead").await["dead"].clone();
    assert_eq!(dead[0]["kind"], "message");
    assert_eq!(dead[0]["text"], "hello");
    let id = dead[0]["id"].as_str().unwrap();
    let (status, body) = ask(&world, "POST", &format!("/dead/{id}/retry")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        world.answers(ANN, 2).await,
        [ERROR_MESSAGE, "You said: hello"]
    );
    assert_eq!(
        ask(&world, "POST", &format!("/dead/{id}/drop")).await.0,
        409
    );
    assert_eq!(ask(&world, "POST", "/dead/m999/retry").await.0, 404);
    assert_eq!(ask(&world, "POST", "/dead/x/retry").await.0, 400);
}

#[tokio::test]
async fn metrics_carry_the_depths_and_the_counters() {
    let world = World::new().await;
    world.kapso.receive(BOB, "hello");
    world.answers(BOB, 1).await;
    let (status, text) = ask(&world, "GET", "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "kapso_whatsapp_up{part=\"gateway\"} 1",
        "kapso_whatsapp_messages{state=\"answered\"} 1",
        "kapso_whatsapp_recovered_total 0",
        "kapso_whatsapp_repeated_total 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}
