//! What went over the wires for one message: the same life as `trace` tells, and beside it the deliveries, what the
//! agent read, the gateway's events and the requests to Kapso.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use model::{Identity, MessageId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::door::Refused;
use super::{Agent, Desk};
use crate::kapso::{Delivery, RecordedRequest};

/// Of which message.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    message: MessageId,
}

pub(super) async fn wire(
    State(desk): State<Arc<Desk>>,
    Query(Wanted { message }): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let filed = desk
        .kapso
        .message(&message)
        .ok_or_else(|| Refused::nothing("no such message"))?;
    let lives = (desk.trace)(message.clone())
        .await
        .map_err(|problem| Refused(StatusCode::SERVICE_UNAVAILABLE, problem))?;
    let concerned = Concerned::new(&message, &filed.customer, &lives);
    let (asked, frames) = desk.asked(&concerned);
    let deliveries = desk.kapso.deliveries();
    let requests = desk.kapso.requests();
    Ok(Json(json!({
        "message": { "customer": filed.customer, "at": filed.at, "object": filed.object },
        "lives": lives,
        "deliveries": deliveries.iter().filter(|one| concerned.delivery(one)).map(delivery).collect::<Vec<_>>(),
        "asked": asked,
        "frames": frames,
        "requests": requests.iter().filter(|one| concerned.request(one)).map(request).collect::<Vec<_>>(),
    })))
}

/// By what the records about a message are known.
struct Concerned<'a> {
    customer: &'a str,
    /// The message, those asked together with it, and the answers.
    ids: HashSet<&'a str>,
    /// What the answers say: a request that failed has no id.
    texts: HashSet<&'a str>,
    /// When the turn was made and settled, in milliseconds; none while there is no turn.
    turn: Option<(i64, i64)>,
}

impl<'a> Concerned<'a> {
    fn new(message: &'a MessageId, customer: &'a str, lives: &'a [Value]) -> Self {
        let replies = || {
            lives
                .iter()
                .filter_map(|life| life["replies"].as_array())
                .flatten()
        };
        let asked = lives
            .iter()
            .filter_map(|life| life["message"]["id"].as_str());
        let answers = replies().filter_map(|reply| reply["wamid"].as_str());
        let turn = lives
            .iter()
            .map(|life| &life["turn"])
            .find(|turn| turn.is_object());
        Self {
            customer,
            ids: asked.chain(answers).chain([message.as_str()]).collect(),
            texts: replies()
                .filter_map(|reply| reply["text"].as_str())
                .collect(),
            turn: turn.and_then(|turn| {
                let settled = turn["settled_at"].as_i64().unwrap_or(i64::MAX);
                Some((turn["created_at"].as_i64()?, settled))
            }),
        }
    }

    fn delivery(&self, delivery: &Delivery) -> bool {
        let mut messages = delivery.messages.iter();
        messages.any(|message| self.ids.contains(message.as_str()))
    }

    fn request(&self, request: &RecordedRequest) -> bool {
        let body = &request.body;
        let named = body["message_id"].as_str();
        if let Some(named) = named {
            return self.ids.contains(named);
        }
        let to = body["to"].as_str().or(body["recipient"].as_str());
        let to = to.and_then(|to| Identity::new(to).ok());
        let text = body["text"]["body"].as_str();
        to.is_some_and(|to| to.canonical().to_string() == self.customer)
            && text.is_some_and(|text| self.texts.contains(text))
            && self
                .turn
                .is_none_or(|(made, _)| request.at.as_millis() >= made)
    }
}

impl Desk {
    /// What the scripted agent was asked in the turn, and the events of its runs.
    fn asked(&self, concerned: &Concerned<'_>) -> (Vec<Value>, Vec<Value>) {
        let (Agent::Scripted(agent), Some((made, settled))) = (&self.agent, concerned.turn) else {
            return Default::default();
        };
        let Ok(customer) = Identity::new(concerned.customer) else {
            return Default::default();
        };
        let session = format!("-wa-{}", customer.session_suffix());
        let asked: Vec<_> = agent
            .asked()
            .into_iter()
            .filter(|asked| asked.session.ends_with(&session))
            .filter(|asked| (made..=settled).contains(&asked.at.as_millis()))
            .collect();
        let frames = asked
            .iter()
            .flat_map(|asked| self.frames.of_run(&asked.key))
            .collect();
        let asked = asked
            .into_iter()
            .map(|asked| json!({ "at": asked.at, "key": asked.key, "text": asked.text, "params": asked.params }))
            .collect();
        (asked, frames)
    }
}

fn delivery(delivery: &Delivery) -> Value {
    let request = delivery.request.as_ref();
    json!({
        "event": delivery.event,
        "key": delivery.key,
        "messages": delivery.messages,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "at": delivery.at,
        "took": delivery.took.as_millis() as u64,
        "request": request.map(|request| json!({ "headers": request.headers, "body": request.body })),
    })
}

fn request(request: &RecordedRequest) -> Value {
    json!({ "method": request.method, "path": request.path, "body": request.body, "at": request.at })
}
