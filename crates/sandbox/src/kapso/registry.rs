//! The number's webhooks as Kapso's platform API manages them (kapso.md 5): list, create, change, delete, test.
//!
//! What is registered here is a record alone: where events are pushed is set by `StandInOptions::webhook`. Plain http
//! is taken on loopback, where Kapso takes none, because that is where tests listen.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use model::NumberId;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// Webhooks on a page, unless the request says otherwise.
const PAGE: usize = 20;

/// What a request changes of a webhook.
const CHANGEABLE: [&str; 5] = ["url", "events", "active", "payload_version", "secret_key"];

/// The webhooks of one number, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    webhooks: Vec<Value>,
    made: usize,
}

/// An answer with its status.
pub(super) type Answered = Result<(u16, Value), Refusal>;

impl Registry {
    /// Whether the path is one of these.
    pub(super) fn has(path: &str) -> bool {
        path.starts_with("/platform/v1/whatsapp/")
    }

    pub(super) fn answer(
        &self,
        number: &NumberId,
        request: (&Method, &str, &[(String, String)]),
        body: &Value,
    ) -> Answered {
        let (method, path, query) = request;
        let other = || Err(Refusal::not_emulated(&format!("{method} {path}")));
        let below = path.trim_start_matches("/platform/v1/whatsapp/");
        match below.trim_end_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["phone_numbers", of, "webhooks", ref rest @ ..] => {
                if of != number.as_str() {
                    return Err(Refusal::flat(404, "Phone number not found"));
                }
                match (method, rest) {
                    (&Method::GET, []) => Ok((200, self.page(query))),
                    (&Method::POST, []) => self.create(number, body),
                    (&Method::GET, [id]) => Ok((200, json!({ "data": self.of(id)? }))),
                    (&Method::PATCH, [id]) => self.change(id, body),
                    (&Method::DELETE, [id]) => self.delete(id),
                    _ => other(),
                }
            }
            ["webhooks", id, "test"] if *method == Method::POST => {
                let active = self.of(id)?["active"] == true;
                Ok((200, json!({ "data": { "success": active } })))
            }
            _ => other(),
        }
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.lock().webhooks.clone()
    }

    /// Sets a field of a webhook; false where there is no such webhook.
    pub(super) fn set(&self, id: &str, field: &str, value: Value) -> bool {
        let mut kept = self.lock();
        let found = kept.webhooks.iter_mut().find(|webhook| webhook["id"] == id);
        found.is_some_and(|webhook| {
            webhook[field] = value;
            true
        })
    }

    fn of(&self, id: &str) -> Result<Value, Refusal> {
        let kept = self.lock();
        let found = kept.webhooks.iter().find(|webhook| webhook["id"] == id);
        found.cloned().ok_or_else(missing)
    }

    fn page(&self, query: &[(String, String)]) -> Value {
        let number = |name: &str, usual: usize| {
            let found = query.iter().find(|(key, _)| key == name);
            let found = found.and_then(|(_, value)| value.parse::<usize>().ok());
            found.filter(|number| *number > 0).unwrap_or(usual)
        };
        let (page, size) = (number("page", 1), number("per_page", PAGE));
        let kept = self.lock();
        let total = kept.webhooks.len();
        let on_page = kept.webhooks.iter().skip((page - 1) * size).take(size);
        json!({
            "data": on_page.cloned().collect::<Vec<_>>(),
            "meta": {
                "page": page,
                "per_page": size,
                "total_pages": total.div_ceil(size),
                "total_count": total,
            },
        })
    }

    fn create(&self, number: &NumberId, body: &Value) -> Answered {
        let wanted = fields(body)?;
        checked_url(wanted.get("url").unwrap_or(&Value::Null))?;
        if wanted
            .get("secret_key")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            return Err(Refusal::flat(422, "Secret key can't be blank"));
        }
        let mut kept = self.lock();
        kept.made += 1;
        let mut webhook = json!({
            "id": format!("00000000-0000-4000-8000-{:012}", kept.made),
            "kind": "kapso",
            "events": [],
            "active": true,
            "payload_version": "v1",
            "buffer_enabled": false,
            "headers": {},
            "phone_number_id": number.as_str(),
        });
        for (field, value) in wanted.iter() {
            webhook[field] = value.clone();
        }
        kept.webhooks.push(webhook.clone());
        Ok((201, json!({ "data": webhook })))
    }

    fn change(&self, id: &str, body: &Value) -> Answered {
        let wanted = fields(body)?;
        if let Some(url) = wanted.get("url") {
            checked_url(url)?;
        }
        for field in CHANGEABLE {
            if let Some(value) = wanted.get(field) {
                self.set(id, field, value.clone());
            }
        }
        Ok((200, json!({ "data": self.of(id)? })))
    }

    fn delete(&self, id: &str) -> Answered {
        self.of(id)?;
        self.lock().webhooks.retain(|webhook| webhook["id"] != id);
        Ok((200, json!({ "data": { "deleted": true } })))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing() -> Refusal {
    Refusal::flat(404, "Webhook not found")
}

fn fields(body: &Value) -> Result<&Map<String, Value>, Refusal> {
    let fields = body["whatsapp_webhook"].as_object();
    fields.ok_or_else(|| {
        Refusal::flat(
            400,
            "param is missing or the value is empty: whatsapp_webhook",
        )
    })
}

fn checked_url(url: &Value) -> Result<(), Refusal> {
    let url = url.as_str().unwrap_or_default();
    let taken = ["https://", "http://127.0.0.1:", "http://localhost:"];
    if taken.iter().any(|start| url.starts_with(start)) {
        return Ok(());
    }
    Err(Refusal::flat(422, "Url must be a public https address"))
}
