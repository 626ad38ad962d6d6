//! The other side: a WebSocket server that does what the test says, step by step.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use gateway::{AgentRequest, DeviceKey, Gateway, GatewayUrl, Options, Status, Timing};
use model::{IdempotencyKey, SessionKey};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, http::HeaderMap};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// No step of a test takes this long, unless something hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Lets a hanging test fail.
pub(crate) async fn within<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(LIMIT, test).await.context("the test hangs")?
}

/// A gateway's address.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) async fn bind() -> Result<Self> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
        })
    }

    pub(crate) fn url(&self) -> Result<GatewayUrl> {
        Ok(GatewayUrl::new(&format!(
            "ws://{}",
            self.listener.local_addr()?
        ))?)
    }

    pub(crate) fn options(&self) -> Result<Options> {
        Ok(Options {
            url: self.url()?,
            token: Some(SecretString::from("shared-token")),
            device: DeviceKey::from_seed(&[3; 32]),
            device_token_file: None,
            timing: quick(),
        })
    }

    /// The client's next connection, before any frame.
    pub(crate) async fn accept(&self) -> Result<Peer> {
        let (socket, _) = self.listener.accept().await?;
        let headers = Arc::new(Mutex::new(HeaderMap::new()));
        let seen = Arc::clone(&headers);
        #[expect(
            clippy::result_large_err,
            reason = "the callback's type is the library's"
        )]
        let note =
            move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                if let Ok(mut seen) = seen.lock() {
                    seen.clone_from(request.headers());
                }
                Ok(response)
            };
        let socket = tokio_tungstenite::accept_hdr_async(socket, note).await?;
        let headers = headers
            .lock()
            .map_or_else(|_| HeaderMap::new(), |headers| headers.clone());
        Ok(Peer { socket, headers })
    }

    /// The client's next connection, accepted as 2026.9.6 does it.
    pub(crate) async fn welcome(&self) -> Result<Peer> {
        self.welcome_as("2026.9.6", json!({})).await
    }

    /// The client's next connection, accepted by `version`, with `changes` to the hello.
    pub(crate) async fn welcome_as(&self, version: &str, changes: Value) -> Result<Peer> {
        let mut peer = self.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        peer.respond(&connect, merged(hello(version), changes))
            .await?;
        Ok(peer)
    }

    /// Refuses the next connection with an error frame and a close.
    pub(crate) async fn refuse(&self, error: Value, close: (u16, &str)) -> Result<()> {
        let mut peer = self.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        peer.fail(&connect, error).await?;
        peer.close(close.0, close.1).await
    }
}

/// One connection of the client.
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
    /// Of the client's upgrade request.
    pub(crate) headers: HeaderMap,
}

pub(crate) const NONCE: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CHALLENGED_AT: i64 = 1_795_221_030_000;

impl Peer {
    pub(crate) async fn challenge(&mut self) -> Result<()> {
        self.event(
            "connect.challenge",
            json!({"nonce": NONCE, "ts": CHALLENGED_AT}),
        )
        .await
    }

    pub(crate) async fn event(&mut self, name: &str, payload: Value) -> Result<()> {
        self.send(json!({"type": "event", "event": name, "payload": payload, "seq": 1}))
            .await
    }

    pub(crate) async fn send(&mut self, frame: Value) -> Result<()> {
        self.send_text(&frame.to_string()).await
    }

    pub(crate) async fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.send(Message::binary(bytes.to_vec())).await?)
    }

    pub(crate) async fn respond(&mut self, request: &Value, payload: Value) -> Result<()> {
        self.send(json!({"type": "res", "id": request["id"], "ok": true, "payload": payload}))
            .await
    }

    pub(crate) async fn fail(&mut self, request: &Value, error: Value) -> Result<()> {
        self.send(json!({"type": "res", "id": request["id"], "ok": false, "error": error}))
            .await
    }

    /// Answers `request` with a recorded frame.
    pub(crate) async fn replay(&mut self, request: &Value, recorded: &Value) -> Result<()> {
        let mut frame = recorded.clone();
        frame["id"] = request["id"].clone();
        self.send(frame).await
    }

    /// The client's next request.
    pub(crate) async fn receive(&mut self) -> Result<Value> {
        loop {
            match self.socket.next().await.context("the client hung up")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("closed: {frame:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The client's next ping, which is answered.
    pub(crate) async fn pinged(&mut self) -> Result<()> {
        loop {
            let message = self.socket.next().await.context("the client hung up")??;
            if matches!(message, Message::Ping(_)) {
                return Ok(self.socket.flush().await?);
            }
        }
    }

    /// The code with which the client closes.
    pub(crate) async fn closed(&mut self) -> Result<Option<u16>> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => return Ok(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(None),
            }
        }
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        Ok(self.socket.close(Some(frame)).await?)
    }
}

/// Intervals that keep a test short.
pub(crate) fn quick() -> Timing {
    Timing {
        backoff_first: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(20),
        refused: Duration::from_millis(5),
        ..Timing::default()
    }
}

/// A client, stopped when dropped.
pub(crate) struct Client {
    pub(crate) gateway: Gateway,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Client {
    pub(crate) fn open(options: Options) -> Self {
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let gateway = Gateway::open(options, stop.clone(), &tracker);
        Self {
            gateway,
            stop,
            tracker,
        }
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Waits for a status that `wanted` accepts.
    pub(crate) async fn status<T>(&self, wanted: impl Fn(&Status) -> Option<T>) -> Result<T> {
        let mut status = self.gateway.status();
        loop {
            if let Some(found) = wanted(&status.borrow_and_update()) {
                return Ok(found);
            }
            status.changed().await?;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A question under `key`.
pub(crate) fn question(key: &str) -> Result<AgentRequest> {
    Ok(AgentRequest {
        session: SessionKey::new("main-wa-15551234567")?,
        key: IdempotencyKey::new(key)?,
        text: format!("question {key}"),
        extra_system_prompt: None,
        timeout: None,
        pictures: Vec::new(),
    })
}

/// The payload of the hello of `version`.
pub(crate) fn hello(version: &str) -> Value {
    let protocol = if version == "2026.5.7" { 3 } else { 4 };
    json!({
        "type": "hello-ok",
        "protocol": protocol,
        "server": {"version": version, "connId": "c-1", "bootId": "boot-1"},
        "features": {"methods": ["agent", "agent.wait", "chat.history"], "events": ["tick"]},
        "snapshot": {"uptimeMs": 60_000},
        "auth": {"role": "operator", "scopes": ["operator.read", "operator.write"]},
        "policy": {"maxPayload": 26_214_400, "tickIntervalMs": 30_000},
    })
}

fn merged(mut base: Value, changes: Value) -> Value {
    match (base.as_object_mut(), changes) {
        (Some(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                let old = fields.remove(&name).unwrap_or_default();
                fields.insert(name, merged(old, change));
            }
            base
        }
        (_, changes) => changes,
    }
}

/// A recorded file below `tests/data`.
pub(crate) fn recorded(name: &str) -> Result<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}
