//! Stage 6: what of the agent's words goes to the customer, in which form and in which pieces.
//!
//! Pure: no clock, no I/O. The [`reply()`] of a run is decided per release (OpenClaw 2026.5.7 to 2026.9.6), its
//! Markdown becomes WhatsApp's markup, and long texts are cut into messages. Nothing of a failed run gets
//! through but the configured neutral sentence.

mod control;
mod markdown;
mod reply;
mod split;

use model::{Identity, Outgoing, OutgoingBody, Reply, Turn};

pub use self::control::strip_control_lines;
pub use self::markdown::to_whatsapp;
pub use self::reply::{history_reply, reply, transcript_text};
pub use self::split::{CHUNK_LIMIT, split};

/// The messages that carry `reply` to the person who asked, in order.
///
/// `error_message` stands for a failed run; empty means that nothing is sent.
pub fn parts(turn: &Turn, reply: &Reply, error_message: &str) -> Vec<Outgoing> {
    let texts: Vec<String> = match reply {
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
