//! An accepted connection while it lives: requests go out, answers come back, silence ends it.
//!
//! Liveness in one sentence: after one tick without a frame we ping, after two ticks the connection is dead. Reading
//! never waits for writing: while a frame is being written no further request is taken, and frames are still read.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::counters::Tally;
use crate::frames::{self, Frame, loose};
use crate::handle::{CLOSE_WAIT, Timing};
use crate::handshake::{Socket, broken};
use crate::hello::Hello;
use crate::refusal::{CLOSE_RESTART, Reason, Refusal};
use crate::requests::{Ask, Requests};

/// The close code for a gateway that fell silent (openclaw.md 5).
const CLOSE_SILENT: u16 = 4000;
const CLOSE_NORMAL: u16 = 1000;

/// The shortest silence that ends a connection, whatever tick the gateway names.
const SHORTEST_SILENCE: Duration = Duration::from_millis(200);

/// A connection that was accepted and has not ended.
#[derive(Debug)]
pub(crate) struct Serving {
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    asks: mpsc::Receiver<Ask>,
    requests: Requests,
    /// When the last frame came, of whatever kind.
    heard: Instant,
    /// Whether we pinged since then.
    pinged: bool,
    /// After this much silence we ping.
    ping_after: Duration,
    /// After this much silence the connection is dead.
    dead_after: Duration,
    /// Until when the frame that is being written has to be out.
    write_by: Option<Instant>,
    write_limit: Duration,
    /// Set once the gateway said that it shuts down.
    leaving: Option<Leaving>,
    leave_limit: Duration,
}

#[derive(Debug, Clone)]
struct Leaving {
    by: Instant,
    refusal: Refusal,
}

/// Everything that can happen to a connection.
enum Happening {
    Stop,
    Frame(Option<Result<Message, WsError>>),
    Ask(Ask),
    Written(Result<(), WsError>),
    TimeUp,
}

/// What one happening leads to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The connection goes on.
    Goes,
    /// It goes on for what was asked, but takes nothing new.
    Leaving(Refusal),
    /// It is over.
    Over(Refusal),
    /// We stop.
    Stopped,
}

impl Serving {
    pub(crate) fn new(
        socket: Socket,
        asks: mpsc::Receiver<Ask>,
        hello: &Hello,
        timing: &Timing,
    ) -> Self {
        let (sink, stream) = socket.split();
        let dead_after = hello
            .tick
            .saturating_mul(2)
            .max(SHORTEST_SILENCE)
            .min(timing.silence);
        Self {
            sink,
            stream,
            asks,
            requests: Requests::default(),
            heard: Instant::now(),
            pinged: false,
            ping_after: dead_after / 2,
            dead_after,
            write_by: None,
            write_limit: timing.request,
            leaving: None,
            leave_limit: timing.leave,
        }
    }

    /// Waits for one happening and deals with it.
    pub(crate) async fn step(&mut self, stop: &CancellationToken, tally: &Tally) -> Step {
        match self.happening(stop).await {
            Happening::Stop => Step::Stopped,
            Happening::Frame(Some(Ok(message))) => self.hear(&message, tally),
            Happening::Frame(Some(Err(error))) => Step::Over(self.or_leaving(broken(&error))),
            Happening::Frame(None) => Step::Over(self.or_leaving(Refusal::new(
                Reason::Closed { code: None },
                "",
                "without a close frame",
            ))),
            Happening::Ask(ask) => self.send(ask).await,
            Happening::Written(Ok(())) => {
                self.write_by = None;
                Step::Goes
            }
            Happening::Written(Err(error)) => Step::Over(self.or_leaving(broken(&error))),
            Happening::TimeUp => self.time_up().await,
        }
    }

    async fn happening(&mut self, stop: &CancellationToken) -> Happening {
        let (writing, room) = (self.write_by.is_some(), !self.requests.is_full());
        let deadline = self.deadline();
        tokio::select! {
            biased;
            () = stop.cancelled() => Happening::Stop,
            written = self.sink.flush(), if writing => Happening::Written(written),
            frame = self.stream.next() => Happening::Frame(frame),
            Some(ask) = self.asks.recv(), if room && !writing => Happening::Ask(ask),
            () = sleep_until(deadline) => Happening::TimeUp,
        }
    }

    fn deadline(&self) -> Instant {
        let silence = if self.pinged {
            self.dead_after
        } else {
            self.ping_after
        };
        let leave_by = self.leaving.as_ref().map(|leaving| leaving.by);
        [self.write_by, leave_by]
            .into_iter()
            .flatten()
            .fold(self.heard + silence, Instant::min)
    }

    async fn time_up(&mut self) -> Step {
        let now = Instant::now();
        if let Some(leaving) = self.leaving.as_ref().filter(|leaving| leaving.by <= now) {
            return Step::Over(leaving.refusal.clone());
        }
        if self.write_by.is_some_and(|by| by <= now) {
            return Step::Over(self.silent("the gateway takes no frames"));
        }
        if now.duration_since(self.heard) >= self.dead_after {
            return Step::Over(self.silent("no frame for two ticks"));
        }
        self.pinged = true;
        // What is being written will do instead of a ping.
        if self.write_by.is_some() {
            return Step::Goes;
        }
        self.write(Message::Ping(Bytes::new())).await
    }

    fn silent(&self, what: &str) -> Refusal {
        self.or_leaving(Refusal::new(Reason::Silent, CLOSE_SILENT.to_string(), what))
    }

    /// However a connection ends after the gateway said that it shuts down, that is the reason.
    fn or_leaving(&self, refusal: Refusal) -> Refusal {
        self.leaving
            .as_ref()
            .map_or(refusal, |leaving| leaving.refusal.clone())
    }

    async fn send(&mut self, ask: Ask) -> Step {
        if self.leaving.is_some() {
            ask.not_sent();
            return Step::Goes;
        }
        self.requests.add(ask.id, ask.waiter);
        self.write(Message::text(ask.text)).await
    }

    async fn write(&mut self, message: Message) -> Step {
        // Only one frame is written at a time, so that this does not wait.
        match self.sink.feed(message).await {
            Ok(()) => {
                self.write_by
                    .get_or_insert(Instant::now() + self.write_limit);
                Step::Goes
            }
            Err(error) => Step::Over(self.or_leaving(broken(&error))),
        }
    }

    fn hear(&mut self, message: &Message, tally: &Tally) -> Step {
        (self.heard, self.pinged) = (Instant::now(), false);
        match message {
            Message::Text(text) => self.read(text, tally),
            Message::Binary(bytes) => {
                tally.unknown(bytes.len());
                Step::Goes
            }
            Message::Close(Some(frame)) => {
                Step::Over(self.or_leaving(Refusal::from_close(frame.code.into(), &frame.reason)))
            }
            Message::Close(None) => Step::Over(self.or_leaving(Refusal::new(
                Reason::Closed { code: None },
                "",
                "closed without a code",
            ))),
            // A ping is answered by the socket, a pong is a sign of life.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Step::Goes,
        }
    }

    fn read(&mut self, text: &str, tally: &Tally) -> Step {
        match Frame::read(text) {
            Ok(Frame::Response { id, answer }) => {
                if !self.requests.answer(&id, answer) {
                    tally.unmatched(&id);
                }
                Step::Goes
            }
            Ok(Frame::Event { name, payload }) => self.event(&name, payload),
            Ok(Frame::Unknown) => {
                tally.unknown(text.len());
                Step::Goes
            }
            Err(_) => {
                tally.malformed(text.len());
                Step::Goes
            }
        }
    }

    fn event(&mut self, name: &str, payload: Option<&RawValue>) -> Step {
        match name {
            "tick" => {
                self.requests.forget_given_up();
                Step::Goes
            }
            "shutdown" => {
                let notice: Shutdown = payload
                    .and_then(|raw| frames::read(raw.get()).ok())
                    .unwrap_or_default();
                let retry_after = notice.restart_expected_ms.map(Duration::from_millis);
                let refusal = Refusal::new(
                    Reason::Restarting { retry_after },
                    CLOSE_RESTART.to_string(),
                    notice.reason,
                );
                let by = Instant::now() + self.leave_limit;
                self.leaving = Some(Leaving {
                    by,
                    refusal: refusal.clone(),
                });
                Step::Leaving(refusal)
            }
            "chat" if self.requests.awaits_chat() => {
                if let Some((run, end)) = payload.and_then(command::ended) {
                    self.requests.chat_ended(&run, end);
                }
                Step::Goes
            }
            // Everything else is about sessions and screens; runs are answered on their requests.
            _ => Step::Goes,
        }
    }

    /// Ends the connection: what was not sent is told so, what was sent is lost.
    pub(crate) async fn end(mut self, refusal: Option<&Refusal>) {
        self.asks.close();
        while let Ok(ask) = self.asks.try_recv() {
            ask.not_sent();
        }
        drop(self.requests);
        let (code, reason) = match refusal.map(|refusal| &refusal.reason) {
            Some(Reason::Silent) => (CLOSE_SILENT, "tick timeout"),
            Some(_) | None => (CLOSE_NORMAL, ""),
        };
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        // The peer may be gone; then there is nobody to be polite to.
        let _ = timeout(CLOSE_WAIT, self.sink.send(Message::Close(Some(frame)))).await;
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Shutdown {
    #[serde(deserialize_with = "loose")]
    reason: String,
    #[serde(deserialize_with = "loose")]
    restart_expected_ms: Option<u64>,
}
