//! What happened in a life, one step after the other.

use std::time::Duration;

use super::life::{Life, Message, Reply, Turn};
use crate::local::Zone;
use crate::screen::{count, took};

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Step {
    /// When, in milliseconds since the epoch.
    pub(super) at: i64,
    /// The new state of what it happened to.
    pub(super) what: String,
    /// The rest: how, how often, why.
    pub(super) note: String,
    /// WhatsApp's id of what this is about, on a line of its own, to be copied.
    pub(super) id: Option<String>,
}

/// The steps of lives that share a turn, in the order of time.
pub(super) fn of(lives: &[Life], zone: &Zone) -> Vec<Step> {
    let messages: Vec<&Message> = lives
        .iter()
        .filter_map(|life| life.message.as_ref())
        .collect();
    let turn = lives.iter().find_map(|life| life.turn.as_ref());
    let replies = replies(lives);
    let several = messages.len() > 1;
    let mut steps: Vec<Step> = messages
        .iter()
        .filter_map(|message| received(message, several))
        .collect();
    steps.extend(turn.into_iter().flat_map(|turn| asked(turn, &replies)));
    steps.extend(messages.iter().filter_map(|message| ended(message, turn)));
    let sent = replies
        .iter()
        .filter_map(|reply| sent(reply, &replies, zone));
    steps.extend(sent);
    steps.sort_by_key(|step| step.at);
    steps
}

fn received(message: &Message, one_of_many: bool) -> Option<Step> {
    let at = message.received_at?;
    let door = match message.source.as_deref() {
        Some("webhook") => "by webhook",
        Some("poll") => "from the list",
        Some(_) | None => "",
    };
    let late = message
        .sent_at
        .and_then(|sent| u64::try_from(at.saturating_sub(sent)).ok());
    let late =
        late.map(|millis| format!("{} after it was sent", took(Duration::from_millis(millis))));
    let note: Vec<&str> = [Some(door), late.as_deref()]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    let id = one_of_many.then(|| message.id.clone());
    Some(Step {
        at,
        what: "received".to_owned(),
        note: note.join(", "),
        id,
    })
}

/// What became of a message without a turn, or after one: refused, ignored, expired, dropped.
fn ended(message: &Message, turn: Option<&Turn>) -> Option<Step> {
    let waits = matches!(message.state.as_str(), "received" | "in_turn");
    let told_by_turn = turn.is_some_and(|turn| turn.settled_at.is_some())
        && matches!(message.state.as_str(), "answered" | "failed");
    let at = message
        .done_at
        .or(message.received_at)
        .filter(|_| !waits && !told_by_turn)?;
    let note = message.reason.clone().unwrap_or_default();
    Some(Step {
        at,
        what: message.state.clone(),
        note,
        id: None,
    })
}

fn asked(turn: &Turn, replies: &[&Reply]) -> Vec<Step> {
    let step = |at: Option<i64>, what: &str, note: String| {
        at.map(|at| Step {
            at,
            what: what.to_owned(),
            note,
            id: None,
        })
    };
    let open = turn.reason.as_deref().filter(|_| turn.settled_at.is_none());
    let reason = open.map(|reason| format!(": {reason}")).unwrap_or_default();
    let queued = turn.created_at.filter(|_| turn.created_at != turn.asked_at);
    // The gateway's clock may differ from ours; the order does not.
    let not_before = turn.created_at.unwrap_or(i64::MIN);
    let not_after = turn.settled_at.unwrap_or(i64::MAX).max(not_before);
    let accepted = turn.accepted_at.map(|at| at.clamp(not_before, not_after));
    let parts = replies.iter().filter(|reply| reply.kind == "reply").count();
    let outcome = match turn.state.as_str() {
        "answered" => count(parts as u64, "part"),
        "silent" => "the agent chose to say nothing".to_owned(),
        _ => turn.reason.clone().unwrap_or_default(),
    };
    let steps = [
        step(queued, "queued", format!("turn {}", turn.id)),
        step(
            turn.asked_at,
            "asked",
            format!("turn {}, attempt {}{reason}", turn.id, turn.attempts),
        ),
        step(accepted, "accepted", "by the gateway".to_owned()),
        step(turn.settled_at, &turn.state, outcome),
    ];
    steps.into_iter().flatten().collect()
}

/// All replies of these lives, each once, in the order of sending.
fn replies(lives: &[Life]) -> Vec<&Reply> {
    let mut replies: Vec<&Reply> = lives.iter().flat_map(|life| &life.replies).collect();
    replies.sort_by_key(|reply| (reply.part, reply.id));
    replies.dedup_by_key(|reply| reply.id);
    replies
}

fn sent(reply: &Reply, all: &[&Reply], zone: &Zone) -> Option<Step> {
    let at = match reply.state.as_str() {
        "sent" => reply.sent_at.or(reply.updated_at),
        "queued" => reply.created_at,
        _ => reply.updated_at,
    };
    let mut note = Vec::new();
    if reply.kind != "reply" {
        note.push(reply.kind.clone());
    }
    if reply.attempts > 1 {
        note.push(format!("attempt {}", reply.attempts));
    }
    if reply.repeats > 0 {
        note.push("sent again: it may have arrived twice".to_owned());
    }
    if let Some(delivery) = reply
        .delivery
        .as_deref()
        .filter(|delivery| *delivery != "sent")
    {
        let at = reply.delivery_at.map(|at| format!(" {}", zone.time(at)));
        note.push(format!("{delivery}{}", at.unwrap_or_default()));
    }
    note.extend(reply.reason.clone());
    let what = match place(reply, all) {
        Some(place) => format!("{} {place}", reply.state),
        None => reply.state.clone(),
    };
    Some(Step {
        at: at.or(reply.created_at)?,
        what,
        note: note.join(", "),
        id: reply.wamid.clone(),
    })
}

/// `1/2`, for a part of an answer in several.
fn place(reply: &Reply, all: &[&Reply]) -> Option<String> {
    let parts: Vec<i64> = all
        .iter()
        .filter(|other| other.kind == reply.kind)
        .map(|other| other.id)
        .collect();
    let place = parts.iter().position(|id| *id == reply.id)?;
    (parts.len() > 1).then(|| format!("{}/{}", place + 1, parts.len()))
}
