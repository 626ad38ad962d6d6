//! The life of a message, from its arrival to what became of its answer.

mod find;
mod read;

use model::{ChatKey, MessageId, Source, Timestamp};

use crate::Store;
use crate::error::StoreError;
use crate::state::{MessageState, OutgoingId, OutgoingState, TurnId, TurnState};

/// Of what a trace is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A message that came in or went out, by WhatsApp's name for it.
    Id(MessageId),
    /// Everything of a chat.
    Chat(ChatKey),
}

/// A message, the question that was made of it, and what was answered. Where one message went out without another
/// (a notice, or by hand), it stands alone; where several were asked together, each has the same turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What came in; none where nothing did, or where it was forgotten.
    pub message: Option<TracedMessage>,
    /// The question to the agent, if it came to that.
    pub turn: Option<TracedTurn>,
    /// What went out, in order.
    pub replies: Vec<TracedReply>,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedMessage {
    /// Its number in the journal.
    pub seq: i64,
    /// WhatsApp's name for it.
    pub wamid: MessageId,
    /// The chat that it belongs to; none where it never concerned one.
    pub chat: Option<ChatKey>,
    /// The profile name. Chosen by the sender: data, never authority.
    pub name: Option<String>,
    /// By which door it came first, where that is known.
    pub source: Option<Source>,
    /// Which kind of content it has; none where it was dropped to save space.
    pub kind: Option<&'static str>,
    /// Its words; none where it has none, or where they were dropped to save space.
    pub text: Option<String>,
    /// Where it stands.
    pub state: MessageState,
    /// Why it did not go the whole way.
    pub reason: Option<String>,
    /// When the person sent it, by WhatsApp's clock.
    pub sent_at: Option<Timestamp>,
    /// When it was written here, by the bridge's clock.
    pub received_at: Timestamp,
    /// When it was over, by the bridge's clock.
    pub done_at: Option<Timestamp>,
}

/// A question to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedTurn {
    /// Its number in the journal.
    pub id: TurnId,
    /// Where it stands.
    pub state: TurnState,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// How often it was asked.
    pub attempts: u32,
    /// When it was written here, by the bridge's clock.
    pub created_at: Timestamp,
    /// When it was asked last, by the bridge's clock.
    pub asked_at: Option<Timestamp>,
    /// When the gateway first accepted it, by the gateway's clock.
    pub accepted_at: Option<Timestamp>,
    /// When it was over, by the bridge's clock.
    pub settled_at: Option<Timestamp>,
}

/// What went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedReply {
    /// Its number in the journal.
    pub id: OutgoingId,
    /// Its place among the parts of its turn, from 0.
    pub part: u32,
    /// Why it was written: `reply`, `notice`, or `direct` where it was asked for by hand.
    pub kind: String,
    /// Where it stands.
    pub state: OutgoingState,
    /// Why the last try did not succeed, or why it did not arrive.
    pub reason: Option<String>,
    /// How often a request was made for it.
    pub attempts: u32,
    /// How often it was sent again without knowing what became of the request before.
    pub repeats: u32,
    /// When it was written here, by the bridge's clock.
    pub created_at: Timestamp,
    /// When its state changed last, by the bridge's clock.
    pub updated_at: Timestamp,
    /// When WhatsApp's answer came that it took it, by the bridge's clock.
    pub sent_at: Option<Timestamp>,
    /// WhatsApp's name for it.
    pub wamid: Option<MessageId>,
    /// How far WhatsApp tells that it got: `sent`, `delivered`, `read` or `failed`.
    pub delivery: Option<String>,
    /// When it got there, by WhatsApp's clock.
    pub delivery_at: Option<Timestamp>,
    /// Its words; none where they were dropped to save space.
    pub text: Option<String>,
}

impl Store {
    /// The lives of `subject`, the newest last; the newest `limit`, where there are more. Nothing, where nothing is
    /// known of it.
    ///
    /// Of a chat, only the newest 100,000 messages of the journal are looked at, and as many outgoing ones: a chat has
    /// no index of its own, which every message would pay for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trace(&self, subject: &Subject, limit: u32) -> Result<Vec<Life>, StoreError> {
        let subject = subject.clone();
        self.journal
            .report(move |connection| find::lives(connection, &subject, limit))
            .await
    }
}
