//! The scripted gateway, from outside: a bare WebSocket client speaks to it as a bridge would.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use sandbox::openclaw::{OpenClawStandIn, Options, Release};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::{CancellationToken, DropGuard};

mod chat;
mod faults;
mod files;
mod handshake;
mod lives;
mod runs;
mod shapes;

/// The longest that a test waits for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "sandbox-token";

/// A running stand-in, stopped when the test ends.
struct World {
    gateway: OpenClawStandIn,
    _stop: DropGuard,
}

async fn world(options: Options) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = CancellationToken::new();
    let gateway = OpenClawStandIn::start(listener, options, stop.clone()).unwrap();
    World {
        gateway,
        _stop: stop.drop_guard(),
    }
}

fn options(release: Release) -> Options {
    Options {
        release,
        token: Some(TOKEN.to_owned()),
        ..Options::default()
    }
}

/// What a connection ends with.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed(u16, String),
    Dropped,
}

/// A bare client: frames as they come, responses found by id, events kept.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    responses: VecDeque<Value>,
    events: Vec<Value>,
    next: u32,
}

impl Client {
    /// Opens a socket; says nothing.
    async fn open(gateway: &OpenClawStandIn) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(gateway.url())
            .await
            .unwrap();
        Self {
            socket,
            responses: VecDeque::new(),
            events: Vec::new(),
            next: 0,
        }
    }

    /// Opens a socket and is let in.
    async fn connect(gateway: &OpenClawStandIn) -> Self {
        let mut client = Self::open(gateway).await;
        client.challenge().await;
        let hello = client.ask("connect", connect_params(TOKEN)).await;
        assert_eq!(hello["payload"]["type"], "hello-ok", "{hello}");
        client
    }

    async fn challenge(&mut self) -> Value {
        let challenge = self.frame().await.unwrap();
        assert_eq!(challenge["event"], "connect.challenge");
        challenge
    }

    /// The next data frame.
    async fn frame(&mut self) -> Result<Value, End> {
        let wait = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(serde_json::from_str(text.as_str()).unwrap());
                    }
                    Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                        return Err(End::Closed(code.into(), reason.to_string()));
                    }
                    Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(End::Dropped),
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }

    async fn send(&mut self, method: &str, params: Value) -> String {
        self.next += 1;
        let id = format!("r{}", self.next);
        let frame = json!({"type": "req", "id": id, "method": method, "params": params});
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .unwrap();
        id
    }

    /// The next response to `id`.
    async fn response(&mut self, id: &str) -> Value {
        self.try_response(id).await.unwrap()
    }

    async fn try_response(&mut self, id: &str) -> Result<Value, End> {
        if let Some(at) = self.responses.iter().position(|frame| frame["id"] == id) {
            return Ok(self.responses.remove(at).unwrap());
        }
        loop {
            let frame = self.frame().await?;
            if frame["type"] == "event" {
                self.events.push(frame);
            } else if frame["id"] == id {
                return Ok(frame);
            } else {
                self.responses.push_back(frame);
            }
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.response(&id).await
    }

    /// Asks the agent; gives the first response.
    async fn accepted(&mut self, params: Value) -> (String, Value) {
        let id = self.send("agent", params).await;
        let accepted = self.response(&id).await;
        (id, accepted)
    }

    /// Asks the agent; gives the second response.
    async fn answered(&mut self, params: Value) -> Value {
        let (id, accepted) = self.accepted(params).await;
        assert_eq!(accepted["payload"]["status"], "accepted", "{accepted}");
        self.response(&id).await
    }

    /// Reads until the connection ends.
    async fn end(&mut self) -> End {
        loop {
            match self.frame().await {
                Ok(frame) if frame["type"] == "event" => self.events.push(frame),
                Ok(_) => {}
                Err(end) => return end,
            }
        }
    }
}

fn connect_params(token: &str) -> Value {
    json!({
        "minProtocol": 3, "maxProtocol": 4,
        "client": {"id": "gateway-client", "version": "0.0.1", "platform": "linux", "mode": "backend"},
        "role": "operator", "scopes": ["operator.read", "operator.write"], "caps": [],
        "auth": {"token": token},
    })
}

fn question(session: &str, key: &str, text: &str) -> Value {
    json!({"sessionKey": session, "message": text, "idempotencyKey": key})
}

/// The text of the first payload of a result.
fn reply(result: &Value) -> &str {
    result["payload"]["result"]["payloads"][0]["text"]
        .as_str()
        .unwrap()
}
