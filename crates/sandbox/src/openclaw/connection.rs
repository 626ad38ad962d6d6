//! One connection: challenge, first frame, then requests in and frames out until somebody ends it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error};
use uuid::Uuid;

use super::clients::{Out, Seat};
use super::faults::ConnectFault;
use super::frame::{event, numbered};
use super::gateway::Gateway;
use super::handshake::{self, Caller, LONGEST_FIRST, Refusal, Welcome};
use super::hello::LARGEST_FRAME;
use super::json::Object;
use super::methods::{self, Peer};
use super::release::Release;

/// How often the gateway pings (openclaw.md 5).
const PING: Duration = Duration::from_secs(25);
/// How long a closed connection waits for the other side's close.
const GOODBYE: Duration = Duration::from_secs(1);
/// Frames that are written in one go.
const BATCH: usize = 64;
/// The longest reason of a close frame, in bytes (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;

/// Why a connection goes on no further.
enum Over {
    /// The socket is gone, or is to go without a word.
    Gone,
    /// It is closed, with a frame before it where there is one.
    Closed(Refusal),
}

impl From<Error> for Over {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Capacity(_)) {
            Self::Closed(handshake::silent(1009))
        } else {
            Self::Gone
        }
    }
}

struct Connection {
    gateway: Arc<Gateway>,
    socket: WebSocketStream<TcpStream>,
    seat: Seat,
    frozen: watch::Receiver<bool>,
    seq: u64,
}

/// Serves a connection to its end.
pub(super) async fn serve(gateway: Arc<Gateway>, stream: TcpStream) {
    let seat = gateway.clients.enter(&gateway.stop);
    let (id, cut) = (seat.id, seat.cut.clone());
    // A connection that is cut is dropped wherever it stands, so that no close frame is written.
    cut.run_until_cancelled(run(Arc::clone(&gateway), stream, seat))
        .await;
    gateway.clients.leave(id);
}

async fn run(gateway: Arc<Gateway>, stream: TcpStream, seat: Seat) {
    let mut frozen = gateway.frozen.subscribe();
    thaw(&mut frozen).await;
    // Small frames in both directions: waiting to fill a packet would only add latency.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut origin = false;
    #[expect(
        clippy::result_large_err,
        reason = "the library's callback has this type"
    )]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        origin = request.headers().contains_key("origin");
        Ok(response)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    let upgraded =
        tokio_tungstenite::accept_hdr_async_with_config(stream, note, Some(config)).await;
    let Ok(socket) = upgraded else {
        return;
    };
    let mut connection = Connection {
        gateway,
        socket,
        seat,
        frozen,
        seq: 0,
    };
    if let Err(Over::Closed(refusal)) = connection.live(origin).await {
        connection.close(refusal).await;
    }
}

impl Connection {
    async fn live(&mut self, origin: bool) -> Result<(), Over> {
        let welcome = self.shake_hands(origin).await?;
        self.write(welcome.hello).await?;
        let peer = Peer {
            client: self.seat.id,
            scopes: welcome.scopes,
        };
        self.gateway.clients.accept(peer.client);
        self.converse(&peer).await
    }

    /// Challenge, first frame, judgement.
    async fn shake_hands(&mut self, origin: bool) -> Result<Welcome, Over> {
        let caller = Caller {
            nonce: Uuid::new_v4().to_string(),
            origin,
            fault: self.gateway.faults.connect(),
        };
        if matches!(caller.fault, Some(ConnectFault::Mute)) {
            while let Some(frame) = self.socket.next().await {
                frame?;
            }
            return Err(Over::Gone);
        }
        let challenge = self.challenge(&caller.nonce);
        self.write(challenge).await?;
        let first = self.first().await?;
        if matches!(caller.fault, Some(ConnectFault::EventFirst)) {
            let tick = event("tick", Object::new().with("ts", self.gateway.clock.now()));
            self.write(numbered(&tick, Some(0))).await?;
        }
        handshake::judge(&self.gateway, &caller, &first).map_err(Over::Closed)
    }

    fn challenge(&self, nonce: &str) -> String {
        let modern = self.gateway.release == Release::V2026_9_6;
        let payload = Object::new()
            .with("nonce", nonce)
            .with("ts", self.gateway.clock.now())
            .when(modern, |o| {
                o.with("capabilities", ["model-catalog-snapshot"])
            });
        numbered(&event("connect.challenge", payload), None)
    }

    /// The first data frame.
    async fn first(&mut self) -> Result<String, Over> {
        loop {
            let message = self.socket.next().await.ok_or(Over::Gone)??;
            match message {
                Message::Text(text) if text.len() > LONGEST_FIRST => {
                    return Err(Over::Closed(handshake::silent(1009)));
                }
                Message::Text(text) => return Ok(text.to_string()),
                Message::Binary(_) => return Err(Over::Closed(handshake::silent(1000))),
                Message::Close(_) => return Err(Over::Gone),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Requests in, frames out.
    async fn converse(&mut self, peer: &Peer) -> Result<(), Over> {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            thaw(&mut self.frozen).await;
            tokio::select! {
                changed = self.frozen.changed() => changed.map_err(|_gone| Over::Gone)?,
                _ = self.seat.outbox.recv_many(&mut batch, BATCH) => self.put(&mut batch).await?,
                message = self.socket.next() => {
                    self.take(peer, message.ok_or(Over::Gone)??).await?;
                }
                _ = ping.tick() => self.socket.send(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    async fn take(&mut self, peer: &Peer, message: Message) -> Result<(), Over> {
        match message {
            Message::Text(text) => methods::handle(&self.gateway, peer, text.as_str()),
            Message::Close(_) => {
                // The reply was queued on reading; nobody minds when it cannot be written.
                let _ = self.socket.flush().await;
                return Err(Over::Gone);
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    /// Writes what was put before this connection.
    async fn put(&mut self, batch: &mut Vec<Out>) -> Result<(), Over> {
        for out in batch.drain(..) {
            let frame = match out {
                Out::Event(head) => {
                    self.seq += 1;
                    numbered(&head, Some(self.seq))
                }
                Out::Frame(frame) => frame,
                Out::Close(code, reason) => {
                    return Err(Over::Closed(Refusal {
                        frame: None,
                        code,
                        reason: reason.to_owned(),
                    }));
                }
            };
            self.socket.feed(Message::text(frame)).await?;
        }
        self.socket.flush().await?;
        Ok(())
    }

    async fn write(&mut self, frame: String) -> Result<(), Over> {
        self.socket.send(Message::text(frame)).await?;
        Ok(())
    }

    /// Closes as the gateway does: the last frame, the close frame, and a moment for the other side's.
    async fn close(mut self, refusal: Refusal) {
        let goodbye = async {
            if let Some(frame) = refusal.frame {
                self.socket.send(Message::text(frame)).await?;
            }
            let frame = CloseFrame {
                code: refusal.code.into(),
                reason: shortened(&refusal.reason).into_owned().into(),
            };
            self.socket.close(Some(frame)).await?;
            while let Some(message) = self.socket.next().await {
                message?;
            }
            Ok::<(), Error>(())
        };
        // A side that does not say goodbye is left standing.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Waits while the stand-in plays dead.
async fn thaw(frozen: &mut watch::Receiver<bool>) {
    // The sender lives as long as the gateway; when it is gone, so is every reason to wait.
    let _ = frozen.wait_for(|frozen| !frozen).await;
}

fn shortened(reason: &str) -> Cow<'_, str> {
    if reason.len() <= LONGEST_REASON {
        return Cow::Borrowed(reason);
    }
    let end = (0..=LONGEST_REASON)
        .rev()
        .find(|at| reason.is_char_boundary(*at));
    Cow::Borrowed(&reason[..end.unwrap_or(0)])
}
