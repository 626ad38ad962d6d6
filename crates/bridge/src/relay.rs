//! Stage 6: what of the agent's words goes to the customer, in which form and in which pieces.
//!
//! Pure: no clock, no I/O. The [`reply()`] of a run is decided per release (OpenClaw 2026.5.7 to 2026.9.6); it is
//! [checked](Checked) for what belongs to the host, its Markdown becomes WhatsApp's markup, and long texts are cut into
//! messages. Nothing of a failed run gets through but the configured neutral sentence.

mod control;
mod leak;
mod markdown;
mod reasoning;
mod reply;
mod split;

use model::{Identity, Outgoing, OutgoingBody, Reply, Turn};

pub use self::control::strip_control_lines;
pub use self::leak::Leak;
pub use self::markdown::to_whatsapp;
pub use self::reply::{history_reply, reply, transcript_text};
pub use self::split::{CHUNK_LIMIT, split};

/// A reply without the host's internals: the only kind that becomes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    reply: Reply,
    removed: Vec<Leak>,
}

impl Checked {
    /// Cuts out of `reply` what no customer may see. A reply of which nothing is left has failed.
    pub fn new(reply: Reply) -> Self {
        let Reply::Say(texts) = reply else {
            return Self {
                reply,
                removed: Vec::new(),
            };
        };
        let mut removed = Vec::new();
        let mut left = Vec::with_capacity(texts.len());
        for text in texts {
            let (text, leaks) = leak::without_leaks(&text);
            if leaks.is_empty() || !text.trim().is_empty() {
                left.push(text);
            }
            removed.extend(leaks);
        }
        let reply = if left.is_empty() && !removed.is_empty() {
            Reply::Failed {
                detail: WITHHELD.to_owned(),
            }
        } else {
            Reply::Say(left)
        };
        Self { reply, removed }
    }

    /// What is left.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// What was cut out, in order: the kinds alone.
    pub fn removed(&self) -> &[Leak] {
        &self.removed
    }
}

/// Why a reply failed of which nothing was left.
const WITHHELD: &str = "withheld: the answer had nothing but the host's internals";

/// The messages that carry `checked` to the person who asked, in order.
///
/// `error_message` stands for a failed run; empty means that nothing is sent.
pub fn parts(turn: &Turn, checked: &Checked, error_message: &str) -> Vec<Outgoing> {
    let texts: Vec<String> = match &checked.reply {
        Reply::Say(texts) => texts.iter().map(|text| to_whatsapp(text)).collect(),
        Reply::Silent => Vec::new(),
        Reply::Failed { .. } => vec![error_message.to_owned()],
    };
    texts
        .iter()
        .flat_map(|text| split(text, CHUNK_LIMIT))
        .map(|chunk| outgoing(turn, &turn.to, chunk))
        .collect()
}

fn outgoing(turn: &Turn, to: &Identity, chunk: String) -> Outgoing {
    Outgoing {
        chat: turn.chat.clone(),
        to: to.clone(),
        body: OutgoingBody::Text { body: chunk },
        quote: None,
    }
}
