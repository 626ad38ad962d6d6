//! What WhatsApp tells about a message that went out.

use serde::{Deserialize, Serialize};

use crate::{ChatKey, Identity, MessageId, NumberId, Timestamp};

/// An event of an outgoing message: it left, arrived, was read, or failed (kapso.md 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The business number that the message went out from.
    pub number: NumberId,
    /// WhatsApp's id of the message.
    pub id: MessageId,
    /// The recipient, where the event names one.
    pub to: Option<Identity>,
    /// What happened.
    pub fate: Fate,
    /// The words of the message, where the event shows them: they tell an unnamed send which one it was.
    pub text: Option<String>,
    /// Whether a person of the business typed it on the phone (`business_app`, kapso.md 4.7).
    pub by_hand: bool,
    /// When it happened, by WhatsApp's clock.
    pub at: Timestamp,
}

impl Receipt {
    /// The chat that the message belongs to, where the recipient is known.
    pub fn chat(&self) -> Option<ChatKey> {
        let to = self.to.as_ref()?;
        Some(ChatKey::new(self.number.clone(), to))
    }
}

/// How far an outgoing message got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// WhatsApp took it.
    Sent,
    /// It is on the recipient's phone.
    Delivered,
    /// The recipient has seen it.
    Read,
    /// It will not arrive; the text is the error's code and title (`131047 Re-engagement message`).
    Failed(String),
}

impl Fate {
    /// The word for it in the journal and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed(_) => "failed",
        }
    }
}
