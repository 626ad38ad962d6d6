//! The journal for the operator: the life of a message, what came in lately, what was set aside.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{ChatKey, Identity, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Dead, DeadId, Life, Recent, StoreError, Subject, TracedMessage, TracedReply, TracedTurn,
};

use super::Control;

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

/// Why a request has no other answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is wrong; the text says how.
    Wrong(String),
    /// There is nothing of that name.
    Nothing(String),
    /// The row is not in a state in which that can be done.
    Conflict(String),
    /// The journal failed.
    Journal(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Conflict { found: None, .. } => Self::Nothing(text),
            StoreError::Conflict { .. } | StoreError::TurnOpen { .. } => Self::Conflict(text),
            _ => Self::Journal(text),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (code, error) = match self {
            Self::Wrong(error) => (StatusCode::BAD_REQUEST, error),
            Self::Nothing(error) => (StatusCode::NOT_FOUND, error),
            Self::Conflict(error) => (StatusCode::CONFLICT, error),
            Self::Journal(error) => (StatusCode::SERVICE_UNAVAILABLE, error),
        };
        (code, Json(json!({ "error": error }))).into_response()
    }
}

/// `/trace?of=WAMID_OR_NUMBER`: the lives of a message, or of a person's latest ones, the newest last.
pub(super) async fn trace(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let of = wanted.of.as_deref().unwrap_or_default().trim();
    let subject = control.subject(of)?;
    let lives = control.store.trace(&subject, wanted.limit()).await?;
    if lives.is_empty() {
        return Err(Refused::Nothing(format!("nothing is known of {of:?}")));
    }
    let lives: Vec<ShownLife<'_>> = lives.iter().map(ShownLife::of).collect();
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
    /// A person where it reads as one, else a message.
    fn subject(&self, of: &str) -> Result<Subject, Refused> {
        if let Ok(person) = Identity::new(of) {
            let chat = ChatKey::new(self.number().clone(), &person);
            return Ok(Subject::Chat(chat));
        }
        MessageId::new(of).map(Subject::Message).map_err(|error| {
            Refused::Wrong(format!(
                "{of:?} is neither a phone number with country code, a user id, nor a message id ({error})"
            ))
        })
    }
}

/// A [`Life`] as it is shown; times are milliseconds since the epoch.
#[derive(Debug, Serialize)]
struct ShownLife<'a> {
    message: Option<Value>,
    turn: Option<Value>,
    replies: Vec<Value>,
    #[serde(skip)]
    _life: &'a Life,
}
