//! Requests that wait for their answers, matched by id.
//!
//! An answer reaches the one who asked, whatever else arrives in between and in whatever order. A late answer to a
//! request that was given up is dropped: it can never be taken for the answer to another one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::command::ChatEnd;
use crate::frames::{Answer, WireError};

/// How many requests may wait at once. When so many do, further ones wait in their callers, until their deadlines.
const MOST_WAITING: usize = 1024;

/// A request that has no (good) answer, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was not sent: there is no connection. Safe to repeat.
    #[error("not connected to the gateway")]
    NotConnected,
    /// It was sent and the connection is gone: the gateway may have received it, and a run may go on.
    #[error("the connection to the gateway was lost before the answer")]
    Lost,
    /// The gateway answered with an error.
    #[error("{0}")]
    Rejected(Rejection),
    /// No answer in time: the gateway may have received it.
    #[error("the gateway did not answer in time")]
    Deadline,
    /// It was not sent: the frame is larger than the gateway accepts.
    #[error("the request has {size} bytes, the gateway accepts {limit}")]
    TooLarge {
        /// Bytes of the frame.
        size: usize,
        /// The gateway's limit.
        limit: usize,
    },
}

/// An error answer of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejection {
    /// The kind, such as `INVALID_REQUEST`; empty when none was given.
    pub code: String,
    /// The gateway's sentence. For operators: it may contain paths of the gateway's host.
    pub message: String,
    /// The finer kind, such as `MISSING_SCOPE`.
    pub detail_code: Option<String>,
    /// Whether the gateway says that it may pass.
    pub retryable: bool,
    /// How long the gateway asks to wait.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// An answer that says yes, but not what.
    pub(crate) fn unreadable(what: &str) -> Self {
        Self {
            code: "UNREADABLE_ANSWER".to_owned(),
            message: format!("the answer to {what} has an unknown form"),
            ..Self::default()
        }
    }
}

impl From<WireError> for Rejection {
    fn from(error: WireError) -> Self {
        Self {
            retry_after: error.retry_after(),
            code: error.code,
            message: error.message,
            detail_code: error.details.code,
            retryable: error.retryable,
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = match self.message.as_str() {
            "" => "no reason given",
            message => message,
        };
        let code = self.detail_code.as_deref().unwrap_or(&self.code);
        write!(f, "the gateway refused: {message} [{code}]")
    }
}

/// An answer, taken out of its frame.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) ok: bool,
    pub(crate) payload: Option<Box<RawValue>>,
    pub(crate) error: Option<Box<RawValue>>,
}

impl From<Answer<'_>> for Reply {
    fn from(answer: Answer<'_>) -> Self {
        Self {
            ok: answer.ok,
            payload: answer.payload.map(ToOwned::to_owned),
            error: answer.error.map(ToOwned::to_owned),
        }
    }
}

impl Reply {
    /// The payload of a good answer.
    ///
    /// # Errors
    /// [`RequestError::Rejected`] when the answer is an error, or good without a payload.
    pub(crate) fn accepted(&self, what: &str) -> Result<&RawValue, RequestError> {
        match &self.payload {
            Some(payload) if self.ok => Ok(payload),
            None if self.ok => Err(RequestError::Rejected(Rejection::unreadable(what))),
            Some(_) | None => Err(RequestError::Rejected(self.wire_error().into())),
        }
    }

    /// The error that came along; empty when there is none.
    pub(crate) fn wire_error(&self) -> WireError {
        WireError::of(self.error.as_deref())
    }
}

/// What an asker is told.
pub(crate) type Outcome = Result<Reply, RequestError>;

/// The one who waits.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// For one answer.
    One(oneshot::Sender<Outcome>),
    /// For one answer, and for a second one if the first is `accepted`.
    Run {
        /// Gets the first answer.
        first: oneshot::Sender<Outcome>,
        /// Gets the second one.
        last: oneshot::Sender<Outcome>,
    },
    /// For one answer, and for the end of a chat, which is told as an event.
    Chat {
        /// Gets the answer.
        first: oneshot::Sender<Outcome>,
        /// The run's id, which is the key that it is asked under.
        run: String,
        /// Gets the end.
        end: oneshot::Sender<ChatEnd>,
    },
}

/// A request on its way to the socket.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) id: String,
    /// The whole frame.
    pub(crate) text: String,
    pub(crate) waiter: Waiter,
}

impl Ask {
    /// Tells the asker that it was not sent.
    pub(crate) fn not_sent(self) {
        let first = match self.waiter {
            Waiter::One(first) | Waiter::Run { first, .. } | Waiter::Chat { first, .. } => first,
        };
        // Whoever gave up already need not be told.
        let _ = first.send(Err(RequestError::NotConnected));
    }
}

#[derive(Debug)]
enum Waiting {
    One(oneshot::Sender<Outcome>),
    First {
        first: oneshot::Sender<Outcome>,
        last: oneshot::Sender<Outcome>,
    },
    Last(oneshot::Sender<Outcome>),
}

impl Waiting {
    fn is_given_up(&self) -> bool {
        match self {
            Self::One(sender) | Self::First { first: sender, .. } | Self::Last(sender) => {
                sender.is_closed()
            }
        }
    }
}

/// The requests of one connection that wait for answers. Dropping it tells all of them that they are lost.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: HashMap<String, Waiting>,
    /// Who waits for the end of a chat, by run.
    chats: HashMap<String, oneshot::Sender<ChatEnd>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

impl Requests {
    /// Remembers that `waiter` waits for answers to `id`.
    pub(crate) fn add(&mut self, id: String, waiter: Waiter) {
        let waiting = match waiter {
            Waiter::One(sender) => Waiting::One(sender),
            Waiter::Run { first, last } => Waiting::First { first, last },
            Waiter::Chat { first, run, end } => {
                // The end may be told before the answer is read.
                self.chats.insert(run, end);
                Waiting::One(first)
            }
        };
        self.waiting.insert(id, waiting);
    }

    /// Hands an answer to the one who waits for it; false when nobody does.
    pub(crate) fn answer(&mut self, id: &str, answer: Answer<'_>) -> bool {
        let Some(waiting) = self.waiting.remove(id) else {
            return false;
        };
        match waiting {
            // A gateway that says "accepted" twice has not ended the run.
            Waiting::Last(last) if is_accepted(&answer) => {
                self.waiting.insert(id.to_owned(), Waiting::Last(last));
                true
            }
            Waiting::One(sender) | Waiting::Last(sender) => sender.send(Ok(answer.into())).is_ok(),
            Waiting::First { first, last } => {
                let more = is_accepted(&answer);
                let told = first.send(Ok(answer.into())).is_ok();
                if told && more {
                    self.waiting.insert(id.to_owned(), Waiting::Last(last));
                }
                told
            }
        }
    }

    /// Whether somebody waits for the end of a chat: else events need not be read.
    pub(crate) fn awaits_chat(&self) -> bool {
        !self.chats.is_empty()
    }

    /// Tells the one who waits for the end of `run`, if somebody does.
    pub(crate) fn chat_ended(&mut self, run: &str, end: ChatEnd) {
        if let Some(sender) = self.chats.remove(run) {
            // Whoever gave up already need not be told.
            let _ = sender.send(end);
        }
    }

    /// Whether no further request may be sent now.
    pub(crate) fn is_full(&mut self) -> bool {
        if self.count() >= MOST_WAITING {
            self.forget_given_up();
        }
        self.count() >= MOST_WAITING
    }

    /// Forgets the requests whose askers gave up.
    pub(crate) fn forget_given_up(&mut self) {
        self.waiting.retain(|_, waiting| !waiting.is_given_up());
        self.chats.retain(|_, end| !end.is_closed());
    }

    fn count(&self) -> usize {
        self.waiting.len().max(self.chats.len())
    }
}

fn is_accepted(answer: &Answer<'_>) -> bool {
    let head = answer
        .payload
        .and_then(|raw| serde_json::from_str::<Head<'_>>(raw.get()).ok());
    answer.ok
        && head
            .and_then(|head| head.status)
            .is_some_and(|status| status == "accepted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Waiter, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (Waiter::One(sender), receiver)
    }

    fn run() -> (
        Waiter,
        oneshot::Receiver<Outcome>,
        oneshot::Receiver<Outcome>,
    ) {
        let ((first, one), (last, two)) = (oneshot::channel(), oneshot::channel());
        (Waiter::Run { first, last }, one, two)
    }

    fn give(requests: &mut Requests, id: &str, payload: &str) -> bool {
        let raw: Box<RawValue> = serde_json::from_str(payload).unwrap();
        requests.answer(
            id,
            Answer {
                ok: true,
                payload: Some(&raw),
                error: None,
            },
        )
    }

    #[test]
    fn an_acceptance_that_comes_twice_is_not_the_end_of_the_run() {
        let mut requests = Requests::default();
        let (waiter, mut first, mut last) = run();
        requests.add("1".to_owned(), waiter);
        for _ in 0..2 {
            assert!(give(&mut requests, "1", r#"{"status":"accepted"}"#));
        }
        assert!(first.try_recv().is_ok());
        assert!(last.try_recv().is_err());
        assert!(give(&mut requests, "1", r#"{"status":"ok"}"#));
        assert!(last.try_recv().is_ok());
    }

    #[test]
    fn answers_reach_their_askers_in_any_order() {
        let mut requests = Requests::default();
        let ((first, mut one_answer), (second, mut two_answer)) = (one(), one());
        requests.add("1".to_owned(), first);
        requests.add("2".to_owned(), second);
        assert!(give(&mut requests, "2", r#""two""#));
        assert!(give(&mut requests, "1", r#""one""#));
        let payload = |outcome: Outcome| outcome.unwrap().payload.unwrap().get().to_owned();
        assert_eq!(payload(one_answer.try_recv().unwrap()), r#""one""#);
        assert_eq!(payload(two_answer.try_recv().unwrap()), r#""two""#);
        assert!(!give(&mut requests, "1", "{}"), "answered once");
    }

    #[test]
    fn only_an_accepted_run_waits_for_a_second_answer() {
        let mut requests = Requests::default();
        let (waiter, _first, mut last) = run();
        requests.add("1".to_owned(), waiter);
        assert!(give(&mut requests, "1", r#"{"status":"accepted"}"#));
        assert!(give(&mut requests, "1", r#"{"status":"ok"}"#));
        assert!(last.try_recv().unwrap().is_ok());

        let (waiter, _first, mut last) = run();
        requests.add("2".to_owned(), waiter);
        assert!(give(&mut requests, "2", r#"{"status":"in_flight"}"#));
        assert!(last.try_recv().is_err(), "no second answer comes");
        assert!(requests.waiting.is_empty());
    }

    #[test]
    fn who_gives_up_makes_room() {
        let mut requests = Requests::default();
        let kept: Vec<_> = (0..MOST_WAITING)
            .map(|id| {
                let (waiter, receiver) = one();
                requests.add(id.to_string(), waiter);
                receiver
            })
            .collect();
        assert!(requests.is_full());
        drop(kept);
        assert!(!requests.is_full());
        assert!(requests.waiting.is_empty());
    }

    #[test]
    fn a_dropped_connection_tells_everyone() {
        let mut requests = Requests::default();
        let (waiter, mut first, mut last) = run();
        requests.add("1".to_owned(), waiter);
        drop(requests);
        assert!(first.try_recv().is_err() && last.try_recv().is_err());
    }
}
