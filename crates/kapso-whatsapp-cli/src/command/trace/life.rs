//! What the poller knows of one message: how it came in, the turn that it became part of, and the replies.
//!
//! Fields that may be missing are optional: the poller may be of another version. Times are milliseconds since the
//! epoch.

use serde::Deserialize;

/// One message that came in with all that came of it, or what went out without one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Life {
    pub(super) message: Option<Message>,
    pub(super) turn: Option<Turn>,
    pub(super) replies: Vec<Reply>,
}

/// A message that came in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) from: Option<String>,
    pub(super) name: Option<String>,
    /// The door: `poll` or `webhook`.
    pub(super) source: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) text: Option<String>,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    /// By WhatsApp's clock, in whole seconds.
    pub(super) sent_at: Option<i64>,
    pub(super) received_at: Option<i64>,
    pub(super) done_at: Option<i64>,
}

/// A question to the agent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Turn {
    pub(super) id: i64,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) attempts: u64,
    pub(super) created_at: Option<i64>,
    /// When it was last asked.
    pub(super) asked_at: Option<i64>,
    /// When it was first accepted, by the gateway's clock.
    pub(super) accepted_at: Option<i64>,
    pub(super) settled_at: Option<i64>,
}

/// A message that went out, or is to go out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) id: i64,
    pub(super) part: Option<i64>,
    /// `reply`, `notice` or `direct`.
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) attempts: u64,
    /// How often it was sent again although it may have been taken before.
    pub(super) repeats: u64,
    pub(super) wamid: Option<String>,
    pub(super) created_at: Option<i64>,
    pub(super) sent_at: Option<i64>,
    pub(super) updated_at: Option<i64>,
    /// What WhatsApp told of it last: `sent`, `delivered`, `read` or `failed`.
    pub(super) delivery: Option<String>,
    pub(super) delivery_at: Option<i64>,
}
