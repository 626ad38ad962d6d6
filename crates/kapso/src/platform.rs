//! Kapso's platform API, as far as a number's webhooks go (kapso.md 5): list, create, change, delete, test.
//!
//! Every call may be repeated: whoever registers lists first and matches by address, so a repetition finds what an
//! answer that was lost had done. A webhook's key is in what Kapso tells; it stays in a [`SecretString`] and out of
//! errors.

use std::sync::Arc;

use model::NumberId;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, below};
use crate::{Call, Client, Error, InvalidOptions};

/// The events of a number's webhook that the bridge uses (kapso.md 4.5).
pub const EVENTS: [&str; 5] = [
    "whatsapp.message.received",
    "whatsapp.message.sent",
    "whatsapp.message.delivered",
    "whatsapp.message.read",
    "whatsapp.message.failed",
];

/// The payload version that the bridge reads.
pub const VERSION: &str = "v2";

/// The kind of webhook that has events and Kapso's own bodies (kapso.md 4.1).
pub const KIND: &str = "kapso";

/// Webhooks on a page of the list.
const PAGE: u32 = 100;

/// Pages that are read: nobody has a thousand webhooks on one number.
const PAGES: u32 = 10;

/// Speaks to Kapso's platform API. Its requests count with those of the client that it was made from.
#[derive(Debug, Clone)]
pub struct Platform {
    client: Client,
    base: Arc<Url>,
}

/// A webhook as Kapso has it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Kapso's id of it.
    pub id: String,
    /// Where it pushes to.
    pub url: String,
    /// `kapso` or `meta` (kapso.md 4.1).
    pub kind: String,
    /// The events that it pushes.
    pub events: Vec<String>,
    /// Whether it pushes at all. Kapso switches it off when most pushes of a quarter of an hour fail (kapso.md 4.6).
    pub active: bool,
    /// `v1` or `v2`.
    pub version: Option<String>,
    /// The key of its signatures, where Kapso tells it.
    pub secret: Option<SecretString>,
}

/// What a webhook is to be. What is none stays as it is.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Where it pushes to.
    pub url: &'a str,
    /// The events that it pushes.
    pub events: Vec<String>,
    /// The key of its signatures. A new one needs it.
    pub secret: Option<&'a SecretString>,
}

impl Platform {
    /// The platform API at `base`, with the key of `client`. Nothing is dialled.
    ///
    /// # Errors
    /// [`InvalidOptions`] when no address can be made of it, or the key would travel unencrypted.
    pub fn new(client: &Client, base: Url) -> Result<Self, InvalidOptions> {
        below(base.clone(), &[])?;
        Ok(Self {
            client: client.for_base(&base)?,
            base: Arc::new(base),
        })
    }

    /// The webhooks of a number, all pages of them.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn webhooks(&self, number: &NumberId) -> Result<Vec<Webhook>, Error> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.of_number(number, &[])?;
            url.query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("per_page", &PAGE.to_string());
            let listed: Listed = read(&self.call(Method::GET, url, None, None).await?)?;
            all.extend(listed.data.into_iter().filter_map(Wire::webhook));
            if listed.meta.total_pages.is_none_or(|pages| page >= pages) {
                return Ok(all);
            }
        }
        Err(unreadable(format!("more than {PAGES} pages of webhooks")))
    }

    /// Makes a webhook that is active, unbuffered, of version v2.
    ///
    /// # Errors
    /// [`Error`]; Kapso refuses an address that is not public https (422).
    pub async fn create(&self, number: &NumberId, wanted: &Wanted<'_>) -> Result<Webhook, Error> {
        let mut webhook = described(wanted);
        webhook["kind"] = KIND.into();
        webhook["buffer_enabled"] = false.into();
        let url = self.of_number(number, &[])?;
        let answer = self.call(Method::POST, url, Some(wrapped(&webhook)), wanted.secret);
        one(&answer.await?)
    }

    /// Changes a webhook, and switches it on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update(
        &self,
        number: &NumberId,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Webhook, Error> {
        let url = self.of_number(number, &[id])?;
        let answer = self.call(
            Method::PATCH,
            url,
            Some(wrapped(&described(wanted))),
            wanted.secret,
        );
        one(&answer.await?)
    }

    /// Takes a webhook away.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, number: &NumberId, id: &str) -> Result<(), Error> {
        let url = self.of_number(number, &[id])?;
        self.call(Method::DELETE, url, None, None).await.map(drop)
    }

    /// Has Kapso push a made-up message to a webhook, and says whether it was taken.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn test(&self, id: &str) -> Result<bool, Error> {
        let url = self.at(&["whatsapp", "webhooks", id, "test"])?;
        let body = json!({ "event_type": EVENTS[0] });
        let answer = self.call(Method::POST, url, Some(body), None).await?;
        let answer: Value = read(&answer)?;
        let tested = answer.get("data").unwrap_or(&answer);
        match tested.get("success").and_then(Value::as_bool) {
            Some(taken) => Ok(taken),
            None => Err(unreadable("nothing about success in it".to_owned())),
        }
    }

    fn of_number(&self, number: &NumberId, rest: &[&str]) -> Result<Url, Error> {
        let path = ["whatsapp", "phone_numbers", number.as_str(), "webhooks"];
        self.at(&[&path, rest].concat())
    }

    fn at(&self, path: &[&str]) -> Result<Url, Error> {
        below((*self.base).clone(), path).map_err(|invalid| unreadable(invalid.to_string()))
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        body: Option<Value>,
        hidden: Option<&SecretString>,
    ) -> Result<Answer, Error> {
        let request = self.client.http.request(method, url);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let hidden = hidden.map_or("", |secret| secret.expose_secret());
        self.client.exchange(Call::Webhook, request, hidden).await
    }
}

impl Webhook {
    /// Whether it pushes what the bridge reads, and all of it.
    pub fn serves(&self) -> bool {
        let has = |event: &str| self.events.iter().any(|of| of == event);
        self.active && self.version.as_deref() == Some(VERSION) && EVENTS.into_iter().all(has)
    }

    /// Its own events, and those that the bridge uses.
    pub fn events_with_ours(&self) -> Vec<String> {
        let own = self.events.iter().map(String::as_str);
        let missing = EVENTS
            .into_iter()
            .filter(|event| !self.events.iter().any(|of| of == event));
        own.chain(missing).map(str::to_owned).collect()
    }
}

fn wrapped(webhook: &Value) -> Value {
    json!({ "whatsapp_webhook": webhook })
}

fn described(wanted: &Wanted<'_>) -> Value {
    let mut webhook = json!({
        "url": wanted.url,
        "events": wanted.events,
        "payload_version": VERSION,
        "active": true,
    });
    if let Some(secret) = wanted.secret {
        webhook["secret_key"] = secret.expose_secret().into();
    }
    webhook
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Wire>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    total_pages: Option<u32>,
}

/// A webhook as it is written. Only the id and the address are needed.
#[derive(Deserialize)]
struct Wire {
    id: Value,
    url: Option<String>,
    kind: Option<String>,
    events: Option<Vec<String>>,
    active: Option<bool>,
    payload_version: Option<String>,
    #[serde(alias = "webhook_secret_key")]
    secret_key: Option<String>,
}

impl Wire {
    /// None for one without an id.
    fn webhook(self) -> Option<Webhook> {
        let id = match self.id {
            Value::String(id) if !id.is_empty() => id,
            Value::Number(id) => id.to_string(),
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => {
                return None;
            }
        };
        Some(Webhook {
            id,
            url: self.url.unwrap_or_default(),
            kind: self.kind.unwrap_or_else(|| KIND.to_owned()),
            events: self.events.unwrap_or_default(),
            active: self.active.unwrap_or(true),
            version: self.payload_version,
            secret: self.secret_key.map(SecretString::from),
        })
    }
}

/// The one webhook of an answer, however it is wrapped (kapso.md 5).
fn one(answer: &Answer) -> Result<Webhook, Error> {
    let mut value: Value = read(answer)?;
    for wrapper in ["data", "whatsapp_webhook", "webhook"] {
        if let Some(inner) = value.get_mut(wrapper).filter(|inner| inner.is_object()) {
            value = inner.take();
        }
    }
    let wire = Wire::deserialize(value).ok().and_then(Wire::webhook);
    wire.ok_or_else(|| unreadable("no webhook in it".to_owned()))
}

fn read<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Error> {
    // What the parser says may hold the key.
    serde_json::from_slice(&answer.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        unreadable(format!("not as expected at {line}:{column}"))
    })
}

fn unreadable(what: String) -> Error {
    Error::Unreadable {
        call: Call::Webhook,
        what,
    }
}
