//! One question to the agent.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ChatKey, IdempotencyKey, Identity, MessageId, SessionKey};

/// What a sender may do, as named in the configuration (`security.roles`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Role(pub String);

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One question to the agent: the messages of one chat that are handed over together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The chat that asks.
    pub chat: ChatKey,
    /// Where the answer goes, in the form in which the person wrote.
    pub to: Identity,
    /// The conversation at the gateway.
    pub session: SessionKey,
    /// The key under which the gateway recognises a repetition of this very turn.
    pub key: IdempotencyKey,
    /// What the agent reads, envelope line included.
    pub text: String,
    /// What the agent's system prompt says about the sender: the bridge's words, never the sender's.
    #[serde(default)]
    pub context: String,
    /// The pictures that go with the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
    /// Whether the text is one of the gateway's own commands, and the sender may use it.
    #[serde(default)]
    pub command: bool,
    /// The last message of the turn: the one to mark read and to type under.
    pub last: MessageId,
}

/// A picture that is on disk, for the agent to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its file, by name: where the bridge keeps files is configured.
    pub file: String,
    /// Its type, as its first bytes tell it.
    pub mime: String,
}
