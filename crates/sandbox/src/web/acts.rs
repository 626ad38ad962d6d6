//! What the person at the page does: writes as a customer, reads, adds customers, switches faults.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Identity, MessageId};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::door::Refused;
use super::people::Person;
use super::{Agent, Desk};
use crate::kapso::{Incoming, Media, Status};
use crate::switch::{FAULTS, Switch};

/// What a customer can send from the page; WhatsApp's names (kapso.md 3.5).
const KINDS: [&str; 9] = [
    "text",
    "image",
    "video",
    "audio",
    "document",
    "location",
    "contacts",
    "reaction",
    "interactive",
];

/// The longest name of a customer, in characters.
const LONGEST_NAME: usize = 64;

/// Times that a fault can be switched on for at once.
const TIMES_MOST: usize = 100;

/// A customer's message, as the page gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    customer: String,
    kind: String,
    part: Value,
    quote: Option<MessageId>,
}

pub(super) async fn send(
    State(desk): State<Arc<Desk>>,
    Json(written): Json<Written>,
) -> Result<Json<Value>, Refused> {
    let person = desk.person(&written.customer)?;
    let incoming = desk.incoming(&written)?.name(&person.name);
    let incoming = match &written.quote {
        Some(quote) => incoming.quoting(quote),
        None => incoming,
    };
    let id = desk.kapso.receive(&person.id.to_string(), incoming);
    Ok(Json(json!({ "id": id })))
}

/// The messages that the customer has seen.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    messages: Vec<MessageId>,
}

pub(super) async fn seen(State(desk): State<Arc<Desk>>, Json(seen): Json<Seen>) -> Json<Value> {
    let read = |id: &&MessageId| desk.kapso.set_status(id, Status::Read);
    Json(json!({ "read": seen.messages.iter().filter(read).count() }))
}

/// A customer to be added or changed.
#[derive(Debug, Deserialize)]
pub(super) struct Described {
    name: String,
    id: String,
    allowed: bool,
}

pub(super) async fn person(
    State(desk): State<Arc<Desk>>,
    Json(described): Json<Described>,
) -> Result<Json<Value>, Refused> {
    let id = identity(&described.id)?;
    let name = described.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Refused::wrong(format!(
            "a name has 1 to {LONGEST_NAME} characters"
        )));
    }
    let person = Person {
        name: name.to_owned(),
        id,
        allowed: described.allowed,
    };
    let shown = person.shown();
    desk.people
        .put(person)
        .map_err(|crowded| Refused(StatusCode::CONFLICT, crowded.to_string()))?;
    Ok(Json(shown))
}

/// A fault to be switched on, or all off.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    name: String,
    times: Option<usize>,
    customer: Option<String>,
}

pub(super) async fn fault(
    State(desk): State<Arc<Desk>>,
    Json(fault): Json<Fault>,
) -> Result<Json<Value>, Refused> {
    let done = match (fault.name.as_str(), &desk.agent) {
        ("gateway-down", Agent::Scripted(agent)) => {
            agent.kill();
            "the gateway is down".to_owned()
        }
        ("gateway-up", Agent::Scripted(agent)) => {
            agent.restart();
            "the gateway is up".to_owned()
        }
        ("gateway-down" | "gateway-up", Agent::Elsewhere(_)) => {
            return Err(Refused::wrong("the gateway is not the sandbox's own"));
        }
        (name, agent) => {
            let switch = Switch::read(name).ok_or_else(|| Refused::wrong(FAULTS))?;
            if let (Switch::Off, Agent::Scripted(agent)) = (&switch, agent)
                && !agent.is_up()
            {
                agent.restart();
            }
            let times = fault.times.unwrap_or(1).clamp(1, TIMES_MOST);
            switch.set(
                &desk.kapso,
                fault.customer.as_deref().unwrap_or_default(),
                times,
            )
        }
    };
    Ok(Json(json!({ "done": done })))
}

/// The name that a file has at the customer's.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn keep(
    State(desk): State<Arc<Desk>>,
    Query(Named { name }): Query<Named>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Value>, Refused> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = Media {
        name,
        content_type: content_type
            .unwrap_or("application/octet-stream")
            .to_owned(),
        bytes,
    };
    let id = desk
        .kapso
        .keep(media)
        .map_err(|refused| Refused(StatusCode::PAYLOAD_TOO_LARGE, refused.to_string()))?;
    Ok(Json(json!({ "id": id })))
}

/// A file for the page. What a browser might run rather than show is only ever saved.
pub(super) async fn media(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let media = desk
        .kapso
        .media(&id)
        .ok_or_else(|| Refused::nothing("no such file"))?;
    let kind = media.content_type.as_str();
    let is_shown = kind != "image/svg+xml"
        && ["image/", "audio/", "video/"]
            .iter()
            .any(|family| kind.starts_with(family));
    let (kind, disposition) = match HeaderValue::from_str(kind) {
        Ok(kind) if is_shown => (kind, "inline"),
        Ok(_) | Err(_) => (
            HeaderValue::from_static("application/octet-stream"),
            "attachment",
        ),
    };
    let mut response = Response::new(media.bytes.clone().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    Ok(response)
}

fn identity(text: &str) -> Result<Identity, Refused> {
    Identity::new(text.trim()).map_err(|problem| Refused::wrong(format!("{text:?} {problem}")))
}

impl Desk {
    fn person(&self, id: &str) -> Result<Person, Refused> {
        let found = self.people.find(&identity(id)?);
        found.ok_or_else(|| Refused::nothing(format!("no customer {id}")))
    }

    /// The message as WhatsApp gives it to Kapso.
    fn incoming(&self, written: &Written) -> Result<Incoming, Refused> {
        let Written { kind, part, .. } = written;
        if !KINDS.contains(&kind.as_str()) {
            return Err(Refused::wrong(format!("customers send no {kind:?} here")));
        }
        match kind.as_str() {
            "image" | "video" | "audio" | "document" => self.with_file(kind, part),
            _ => Ok(Incoming::of_type(kind, part.clone())),
        }
    }

    /// Adds to a file's message what WhatsApp and Kapso know of the file (kapso.md 3.5).
    fn with_file(&self, kind: &str, part: &Value) -> Result<Incoming, Refused> {
        let id = part["id"].as_str().unwrap_or_default();
        let media = self
            .kapso
            .media(id)
            .ok_or_else(|| Refused::nothing("the file is gone; choose it again"))?;
        let url = self.kapso.media_url(id);
        let mut part = part.clone();
        part["mime_type"] = json!(media.content_type);
        part["sha256"] = json!(STANDARD.encode(Sha256::digest(&media.bytes)));
        part["link"] = json!(url);
        let data = json!({
            "url": url,
            "filename": media.name,
            "content_type": media.content_type,
            "byte_size": media.bytes.len(),
        });
        let incoming = Incoming::of_type(kind, part)
            .with_kapso("media_url", json!(url))
            .with_kapso("media_data", data);
        Ok(incoming)
    }
}
