//! A client that shows the bare answers of a [`KapsoStandIn`], broken connections included.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use model::{Clock, NumberId, Timestamp};
use sandbox::kapso::{KapsoStandIn, StandInOptions};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(crate) const KEY: &str = "test-key";
pub(crate) const NUMBER: &str = "597907523413541";
pub(crate) const ANA: &str = "+15551234567";
pub(crate) const BOB: &str = "+15557654321";
pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_788_000_000);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn code(&self) -> Option<i64> {
        self.json()["error"]["code"].as_i64()
    }
}

pub(crate) fn options() -> StandInOptions {
    StandInOptions::new(KEY, NumberId::new(NUMBER).unwrap())
}

pub(crate) fn at_noon() -> StandInOptions {
    StandInOptions {
        clock: Clock::standing_at(NOON),
        ..options()
    }
}

pub(crate) async fn start(options: StandInOptions) -> KapsoStandIn {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    KapsoStandIn::start(listener, options, CancellationToken::new())
        .await
        .unwrap()
}

/// One request on a connection of its own.
pub(crate) async fn exchange(
    kapso: &KapsoStandIn,
    request: Request<Body>,
) -> anyhow::Result<Answer> {
    exchange_at(kapso.address(), request).await
}

/// The same with any server.
pub(crate) async fn exchange_at(
    address: SocketAddr,
    request: Request<Body>,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let bytes = to_bytes(Body::new(body), 16 * 1024 * 1024).await?;
        drop(sender);
        anyhow::Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec())?,
        })
    };
    let (answer, _ended) = tokio::join!(answer, connection);
    answer
}

pub(crate) fn get(path: &str) -> Request<Body> {
    let request = Request::get(path).header("x-api-key", KEY);
    request.body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("x-api-key", KEY);
    request.body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn messages_path() -> String {
    format!("/meta/whatsapp/v24.0/{NUMBER}/messages")
}

/// A page of the list.
pub(crate) async fn list(kapso: &KapsoStandIn, query: &str) -> anyhow::Result<Answer> {
    exchange(kapso, get(&format!("{}?{query}", messages_path()))).await
}

/// Posts any body to `/messages`.
pub(crate) async fn submit(kapso: &KapsoStandIn, body: &Value) -> anyhow::Result<Answer> {
    exchange(kapso, post(&messages_path(), body)).await
}

/// Sends a text.
pub(crate) async fn send(kapso: &KapsoStandIn, to: &str, text: &str) -> anyhow::Result<Answer> {
    submit(kapso, &text_body(to, text)).await
}

pub(crate) fn text_body(to: &str, text: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "text",
        "text": { "body": text, "preview_url": false },
    })
}

/// Marks a message read and asks for "typing…".
pub(crate) async fn mark(kapso: &KapsoStandIn, message: &str) -> anyhow::Result<Answer> {
    let body = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": message,
        "typing_indicator": { "type": "text" },
    });
    submit(kapso, &body).await
}

/// The ids of a page, in its order.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap().iter();
    data.map(|item| item["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}
