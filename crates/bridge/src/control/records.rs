//! The journal for the operator: the life of a message, what came in lately, what was set aside.

use axum::Json;
use axum::extract::{Path, Query, State};
use model::{ChatKey, Identity, MessageId, Source};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Dead, DeadId, Life, Recent, Subject, TracedMessage, TracedReply, TracedTurn};

use super::Control;
use super::refused::Refused;
use crate::numbers::Number;

/// How many rows a request gets that does not say.
const ROWS: u32 = 20;

/// How many rows a request gets at most.
const ROWS_MOST: u32 = 1000;

/// Of whom or what, and how much of it.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    of: Option<String>,
    limit: Option<u32>,
    after: Option<i64>,
}

impl Wanted {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(ROWS).clamp(1, ROWS_MOST)
    }
}

/// `/trace?of=WAMID_OR_NUMBER`: the lives of a message, or of a person's latest ones, the newest last.
pub(super) async fn trace(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let of = wanted.of.as_deref().unwrap_or_default().trim();
    let lives = control.lives(of, wanted.limit()).await?;
    if lives.is_empty() {
        return Err(Refused::Nothing(format!("nothing is known of {of:?}")));
    }
    let lives: Vec<Value> = lives.iter().map(shown_life).collect();
    Ok(Json(json!({ "lives": lives })))
}

/// `/inbox`: what came in lately, the newest last; `after` gives what came after a row.
pub(super) async fn inbox(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let recent = control.store.recent(wanted.limit(), wanted.after).await?;
    let messages: Vec<Value> = recent.iter().map(shown_recent).collect();
    Ok(Json(json!({ "messages": messages })))
}

/// `/dead`: what was set aside, the newest first.
pub(super) async fn dead(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let dead = control.store.dead(wanted.limit()).await?;
    let dead: Vec<Value> = dead.iter().map(shown_dead).collect();
    Ok(Json(json!({ "dead": dead })))
}

/// `/dead/{id}/retry`: puts it back to work.
pub(super) async fn retry(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    let id = dead_id(&id)?;
    control.store.retry_dead(id).await?;
    control.nudge.ring();
    let state = match id {
        DeadId::Message(_) => "received",
        DeadId::Outgoing(_) => "queued",
    };
    Ok(Json(json!({ "id": id.to_string(), "state": state })))
}

/// `/dead/{id}/drop`: gives it up for good.
pub(super) async fn give_up(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    let id = dead_id(&id)?;
    control.store.drop_dead(id).await?;
    Ok(Json(json!({ "id": id.to_string(), "state": "dropped" })))
}

fn dead_id(text: &str) -> Result<DeadId, Refused> {
    text.parse()
        .map_err(|error| Refused::Wrong(format!("{text:?} {error}")))
}

impl Control {
    /// The lives of a person where it reads as one, else of a message; the newest last.
    async fn lives(&self, of: &str, limit: u32) -> Result<Vec<Life>, Refused> {
        let mut lives = Vec::new();
        for subject in self.subjects(of)? {
            lives.extend(self.store.trace(&subject, limit).await?);
        }
        lives.sort_by_key(Life::begun);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(lives.split_off(lives.len().saturating_sub(most)))
    }

    /// A person's chats with each number, or a message.
    fn subjects(&self, of: &str) -> Result<Vec<Subject>, Refused> {
        if let Ok(person) = Identity::new(of) {
            let chat = |number: &Number| ChatKey::new(number.id().clone(), &person);
            return Ok(self.numbers.iter().map(chat).map(Subject::Chat).collect());
        }
        let id = MessageId::new(of).map_err(|error| {
            Refused::Wrong(format!(
                "{of:?} is neither a phone number with country code, a user id, nor a message id ({error})"
            ))
        })?;
        Ok(vec![Subject::Id(id)])
    }
}

fn shown_life(life: &Life) -> Value {
    json!({
        "message": life.message.as_ref().map(shown_message),
        "turn": life.turn.as_ref().map(shown_turn),
        "replies": life.replies.iter().map(shown_reply).collect::<Vec<_>>(),
    })
}

fn shown_message(message: &TracedMessage) -> Value {
    let source = message.source.map(|source| match source {
        Source::Poll => "poll",
        Source::Webhook => "webhook",
    });
    json!({
        "id": message.wamid,
        "chat": message.chat.as_ref().map(ToString::to_string),
        "from": message.chat.as_ref().map(|chat| chat.peer().to_string()),
        "name": message.name,
        "source": source,
        "kind": message.kind,
        "text": message.text,
        "state": message.state.as_str(),
        "reason": message.reason,
        "sent_at": message.sent_at,
        "received_at": message.received_at,
        "done_at": message.done_at,
    })
}

fn shown_recent(recent: &Recent) -> Value {
    json!({
        "seq": recent.seq,
        "id": recent.wamid,
        "from": recent.chat.peer().to_string(),
        "name": recent.name,
        "kind": recent.kind,
        "text": recent.text,
        "state": recent.state.as_str(),
        "reason": recent.reason,
        "received_at": recent.received_at,
    })
}

fn shown_turn(turn: &TracedTurn) -> Value {
    json!({
        "id": turn.id.get(),
        "state": turn.state.as_str(),
        "reason": turn.reason,
        "attempts": turn.attempts,
        "created_at": turn.created_at,
        "asked_at": turn.asked_at,
        "accepted_at": turn.accepted_at,
        "settled_at": turn.settled_at,
    })
}

fn shown_reply(reply: &TracedReply) -> Value {
    json!({
        "id": DeadId::Outgoing(reply.id).to_string(),
        "part": reply.part,
        "kind": reply.kind,
        "state": reply.state.as_str(),
        "reason": reply.reason,
        "attempts": reply.attempts,
        "repeats": reply.repeats,
        "text": reply.text,
        "wamid": reply.wamid,
        "created_at": reply.created_at,
        "sent_at": reply.sent_at,
        "updated_at": reply.updated_at,
        "delivery": reply.delivery,
        "delivery_at": reply.delivery_at,
    })
}

fn shown_dead(dead: &Dead) -> Value {
    let kind = match dead.id {
        DeadId::Message(_) => "message",
        DeadId::Outgoing(_) => "reply",
    };
    json!({
        "id": dead.id.to_string(),
        "kind": kind,
        "chat": dead.chat.to_string(),
        "wamid": dead.wamid,
        "reason": dead.reason,
        "at": dead.at,
        "attempts": dead.attempts,
        "text": dead.text,
    })
}
