//! What goes to WhatsApp.

use serde::{Deserialize, Serialize};

use crate::{ChatKey, Identity, MessageId};

/// What the agent said in a turn, ready to be cut into WhatsApp messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Texts for the customer, in order, none of them blank.
    Say(Vec<String>),
    /// The agent chose to say nothing.
    Silent,
    /// The run failed. The detail is for the log; the customer gets the neutral message.
    Failed {
        /// The gateway's account of it.
        detail: String,
    },
}

/// One WhatsApp message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The chat, which orders it among others.
    pub chat: ChatKey,
    /// The person, in the form in which they wrote to us.
    pub to: Identity,
    /// What is sent.
    pub body: OutgoingBody,
    /// The message that it answers, shown as a quote.
    pub quote: Option<MessageId>,
}

/// What an outgoing message carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutgoingBody {
    /// Words, in WhatsApp's markup, at most 4096 characters (kapso.md 2.2).
    Text {
        /// The words.
        body: String,
    },
}

impl OutgoingBody {
    /// The words of it, for comparing with what a list shows.
    pub fn text(&self) -> &str {
        match self {
            Self::Text { body } => body,
        }
    }
}
