//! What the stand-in saw and did, for whoever watches: tests, benches, the phone.

use std::sync::Arc;
use std::time::Duration;

use model::{MessageId, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

/// Something happened at the stand-in.
#[derive(Debug, Clone)]
pub enum Event {
    /// A customer wrote.
    Received {
        /// The message.
        message: MessageId,
        /// The customer, as `+digits`, user id, or the text given.
        customer: String,
    },
    /// A message was accepted for a customer.
    Sent(SentMessage),
    /// A sent message got a new status.
    Status {
        /// The sent message.
        message: MessageId,
        /// The customer.
        customer: String,
        /// The new status.
        status: Status,
    },
    /// A customer's message was marked read.
    Read(ReadReceipt),
    /// A page of the list was served.
    Listed {
        /// The number of items on it.
        items: usize,
    },
    /// A request got another answer than 200.
    Refused {
        /// The request's path.
        path: String,
        /// The HTTP status.
        status: u16,
    },
    /// A webhook delivery was tried.
    Delivered(Delivery),
}

/// A message that the business sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SentMessage {
    /// The id that it got.
    pub id: MessageId,
    /// The recipient as the request named them: `to`, else `recipient`.
    pub to: String,
    /// The recipient in canonical form: `+digits` or user id.
    pub customer: String,
    /// WhatsApp's name of its type, such as `text`.
    pub kind: String,
    /// The words of a text, the caption of a file, the body of a choice; empty for others.
    pub text: String,
    /// The message that it answers.
    pub quote: Option<MessageId>,
    /// The request's body as it came; null when a person sent it past the API.
    pub body: Value,
    /// When it was accepted, by the stand-in's clock.
    pub at: Timestamp,
    /// When its request had been read, by the monotonic clock: for measuring.
    pub arrived: Instant,
    /// Whether the list showed it from the beginning.
    pub listed: bool,
    /// Whether a fault kept the sender from learning that it was taken.
    pub answer_lost: bool,
}

/// A message as the list shows it, whoever sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed {
    /// The customer in canonical form: `+digits` or user id.
    pub customer: String,
    /// When it was stored, by the stand-in's clock.
    pub at: Timestamp,
    /// The message object (kapso.md 3.3).
    pub object: Value,
}

/// A customer's message that was marked read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReceipt {
    /// The message named; earlier ones of the chat count as read too.
    pub message: MessageId,
    /// The customer who wrote it.
    pub customer: String,
    /// Whether "typing…" was asked for.
    pub typing: bool,
    /// When, by the stand-in's clock.
    pub at: Timestamp,
}

/// A request as it came, whatever became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The JSON body; null when there was none or it was not JSON.
    pub body: Value,
    /// When it came, by the stand-in's clock.
    pub at: Timestamp,
    /// When it had been read, by the monotonic clock: for measuring.
    pub arrived: Instant,
}

impl RecordedRequest {
    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// How far a sent message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// On its way.
    Sent,
    /// On the customer's phone.
    Delivered,
    /// Seen by the customer.
    Read,
    /// Given up by WhatsApp, with its error code.
    Failed(i64),
}

impl Status {
    /// WhatsApp's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed(_) => "failed",
        }
    }
}

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event's name, as in `X-Webhook-Event`.
    pub event: String,
    /// The key of the delivery, the same for all its attempts.
    pub key: String,
    /// The messages in it.
    pub messages: Vec<MessageId>,
    /// 1 for the first attempt.
    pub attempt: usize,
    /// The HTTP status of the answer; none when there was no answer in time.
    pub status: Option<u16>,
    /// When it was over, by the stand-in's clock.
    pub at: Timestamp,
    /// How long it took to be answered, or given up.
    pub took: Duration,
    /// What was pushed, shared by all attempts; none for an attempt that is not among the last few.
    pub request: Option<Arc<Pushed>>,
}

/// The request of a webhook delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The headers, the signature among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Delivery {
    /// Whether this attempt was the one that succeeded.
    pub fn accepted(&self) -> bool {
        self.status == Some(200)
    }
}
