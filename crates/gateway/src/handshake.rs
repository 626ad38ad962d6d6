//! From an address to an accepted connection: dial, challenge, `connect`, hello.
//!
//! Only the response with the id of our `connect` decides, and only its `ok`; events may come in between. The bridge
//! asks for the least scopes, sends no `Origin`, and signs the challenge with its device key (openclaw.md 2 and 6).

mod connect;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use model::{Clock, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use self::connect::{Connect, READ, WRITE};
pub(crate) use self::connect::{Credentials, Signed};
use crate::frames::{self, Frame, WireError, loose};
use crate::handle::Timing;
use crate::hello::{Challenged, Hello, HelloOk};
use crate::refusal::{NEWEST_PROTOCOL, OLDEST_PROTOCOL, Reason, Refusal};
use crate::url::GatewayUrl;

/// The socket to the gateway.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The largest frame that is read: the gateway's own limit of 25 MiB and room for a larger one.
const MAX_INBOUND: usize = 32 << 20;
/// Bytes read at a time. Most frames are smaller, and the memory is held for as long as the connection.
const READ_BUFFER: usize = 16 << 10;

const CONNECT_ID: &str = "connect";
/// The scope that includes all others.
const ADMIN: &str = "operator.admin";

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) hello: Hello,
    /// Issued to this device just now.
    pub(crate) device_token: Option<SecretString>,
}

/// Opens a connection.
///
/// # Errors
/// The [`Refusal`] that says why not.
pub(crate) async fn open(
    url: &GatewayUrl,
    credentials: &Credentials<'_>,
    timing: &Timing,
    after_restart: bool,
) -> Result<Accepted, Refusal> {
    let late = |what: &'static str, limit: Duration| {
        move |_: tokio::time::error::Elapsed| {
            Refusal::new(
                Reason::Unreachable,
                "TIMEOUT",
                format!("no {what} within {limit:?}"),
            )
        }
    };
    let mut socket = timeout(timing.connect, dial(url))
        .await
        .map_err(late("connection", timing.connect))??;
    let (hello, device_token) = timeout(
        timing.handshake,
        shake(&mut socket, credentials, after_restart),
    )
    .await
    .map_err(late("handshake", timing.handshake))??;
    Ok(Accepted {
        socket,
        hello,
        device_token,
    })
}

async fn dial(url: &GatewayUrl) -> Result<Socket, Refusal> {
    let mut config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    config.max_message_size = Some(MAX_INBOUND);
    config.max_frame_size = Some(MAX_INBOUND);
    let request = url
        .uri()
        .into_client_request()
        .map_err(|error| not_dialled(&error))?;
    // Frames are small and answers are waited for: no delay for batching.
    let no_delay = true;
    // On the heap: TLS makes this future large, and it is gone before the connection is used.
    let (socket, _) = Box::pin(connect_async_with_config(request, Some(config), no_delay))
        .await
        .map_err(|error| not_dialled(&error))?;
    Ok(socket)
}

async fn shake(
    socket: &mut Socket,
    credentials: &Credentials<'_>,
    after_restart: bool,
) -> Result<(Hello, Option<SecretString>), Refusal> {
    let stored = credentials.stored;
    let challenge = challenge(socket, stored).await?;
    let challenged = Challenged {
        ts: challenge
            .ts
            .map_or_else(|| Clock::system().now(), Timestamp::from_millis),
        at: Instant::now(),
    };
    let connect = Connect::new(credentials, &challenge.nonce, challenged.ts);
    let text = frames::request(CONNECT_ID, "connect", &connect)
        .map_err(|error| Refusal::new(Reason::Other, "ENCODING", error.to_string()))?;
    socket
        .send(Message::text(text))
        .await
        .map_err(|error| broken(&error))?;
    let mut hello = answer(socket, stored).await?;
    check(&hello)?;
    let device_token = hello.take_device_token();
    Ok((hello.accepted(challenged, after_restart), device_token))
}

/// The first event that matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Challenge {
    #[serde(deserialize_with = "loose")]
    nonce: String,
    #[serde(deserialize_with = "loose")]
    ts: Option<i64>,
}

async fn challenge(socket: &mut Socket, stored: bool) -> Result<Challenge, Refusal> {
    loop {
        let text = next_text(socket, stored).await?;
        match Frame::read(&text) {
            Ok(Frame::Event { name, payload }) if name == "connect.challenge" => {
                let challenge = payload.and_then(|raw| frames::read::<Challenge>(raw.get()).ok());
                return challenge
                    .filter(|challenge| !challenge.nonce.is_empty())
                    .ok_or_else(|| {
                        Refusal::new(
                            Reason::NotAGateway { status: None },
                            "CHALLENGE",
                            "the challenge has no nonce",
                        )
                    });
            }
            // A starting gateway refuses before it challenges.
            Ok(Frame::Response { answer, .. }) if !answer.ok => {
                return Err(Refusal::from_answer(&WireError::of(answer.error), stored));
            }
            Ok(Frame::Event { .. } | Frame::Response { .. } | Frame::Unknown) | Err(_) => {}
        }
    }
}

async fn answer(socket: &mut Socket, stored: bool) -> Result<HelloOk, Refusal> {
    loop {
        let text = next_text(socket, stored).await?;
        let Ok(Frame::Response { id, answer }) = Frame::read(&text) else {
            continue;
        };
        if id != CONNECT_ID {
            continue;
        }
        if !answer.ok {
            return Err(Refusal::from_answer(&WireError::of(answer.error), stored));
        }
        let hello = answer
            .payload
            .map(RawValue::get)
            .and_then(|raw| frames::read::<HelloOk>(raw).ok());
        return hello.filter(HelloOk::is_hello).ok_or_else(|| {
            Refusal::new(
                Reason::NotAGateway { status: None },
                "HELLO",
                "connect was answered without a hello",
            )
        });
    }
}

fn check(hello: &HelloOk) -> Result<(), Refusal> {
    let protocol = hello.protocol();
    if !(OLDEST_PROTOCOL..=NEWEST_PROTOCOL).contains(&protocol) {
        let reason = Reason::ProtocolMismatch {
            theirs: Some(protocol),
        };
        return Err(Refusal::new(reason, "PROTOCOL_MISMATCH", ""));
    }
    let Some(granted) = hello.scopes() else {
        return Ok(());
    };
    let has = |wanted: &str| {
        granted
            .iter()
            .any(|scope| scope == wanted || scope == ADMIN)
    };
    if has(READ) && has(WRITE) {
        return Ok(());
    }
    let reason = Reason::MissingScopes {
        granted: granted.to_vec(),
    };
    Err(Refusal::new(reason, "MISSING_SCOPES", ""))
}

async fn next_text(
    socket: &mut Socket,
    stored: bool,
) -> Result<tokio_tungstenite::tungstenite::Utf8Bytes, Refusal> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(Some(frame)))) => {
                return Err(Refusal::from_early_close(
                    frame.code.into(),
                    &frame.reason,
                    stored,
                ));
            }
            Some(Ok(Message::Close(None))) | None => {
                return Err(Refusal::new(
                    Reason::Closed { code: None },
                    "",
                    "before the handshake was over",
                ));
            }
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {}
            Some(Err(error)) => return Err(broken(&error)),
        }
    }
}

/// What a failed attempt to reach the address means.
fn not_dialled(error: &WsError) -> Refusal {
    match error {
        WsError::Http(response) => {
            let status = response.status();
            let reason = Reason::NotAGateway {
                status: Some(status.as_u16()),
            };
            Refusal::new(
                reason,
                format!("HTTP_{}", status.as_u16()),
                status.canonical_reason().unwrap_or_default(),
            )
        }
        WsError::Tls(error) => Refusal::new(Reason::Untrusted, "TLS", error.to_string()),
        // rustls reports a bad certificate as an I/O error of this kind.
        WsError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Refusal::new(Reason::Untrusted, "TLS", error.to_string())
        }
        WsError::Io(error) => Refusal::new(Reason::Unreachable, "UNREACHABLE", error.to_string()),
        WsError::Protocol(error) => Refusal::new(
            Reason::NotAGateway { status: None },
            "PROTOCOL",
            error.to_string(),
        ),
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Capacity(_)
        | WsError::WriteBufferFull(_)
        | WsError::Utf8(_)
        | WsError::AttackAttempt
        | WsError::Url(_)
        | WsError::HttpFormat(_) => {
            Refusal::new(Reason::Unreachable, "UNREACHABLE", error.to_string())
        }
    }
}

/// What a broken socket means.
pub(crate) fn broken(error: &WsError) -> Refusal {
    Refusal::new(Reason::Closed { code: None }, "BROKEN", error.to_string())
}
