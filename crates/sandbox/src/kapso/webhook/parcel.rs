//! One parcel: what is handed over in one request, signed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use hmac::{Hmac, KeyInit, Mac};
use model::MessageId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Envelope, Notice, Signature, WebhookTarget};
use crate::kapso::event::Pushed;

/// What is handed over in one request.
pub(super) struct Parcel {
    pub(super) event: &'static str,
    /// The same for all its attempts.
    pub(super) key: String,
    pushed: Arc<Pushed>,
    /// Its notices, each of which can go alone.
    notices: Vec<Notice>,
    is_batch: bool,
}

impl Parcel {
    pub(super) fn single(target: &WebhookTarget, notice: Notice, business: &str) -> Self {
        let body = target.envelope.single(&notice, business).to_string();
        let key = key(target.envelope, &body);
        let headers = headers(target, notice.event, &key, &body, None);
        Self {
            event: notice.event,
            key,
            pushed: Arc::new(Pushed { headers, body }),
            notices: vec![notice],
            is_batch: false,
        }
    }

    pub(super) fn batch(
        target: &WebhookTarget,
        notices: Vec<Notice>,
        business: &str,
        window: Duration,
        first_sequence: u64,
    ) -> Self {
        let size = notices.len() as u64;
        let info = json!({
            "size": size,
            "window_ms": window.as_millis() as u64,
            "first_sequence": first_sequence,
            "last_sequence": first_sequence + size.saturating_sub(1),
            "conversation_id": notices.first().map(|notice| &notice.conversation_id),
        });
        let body = target.envelope.batch(&notices, &info, business).to_string();
        let event = "whatsapp.message.received";
        let key = key(target.envelope, &body);
        let headers = headers(target, event, &key, &body, Some(notices.len()));
        Self {
            event,
            key,
            pushed: Arc::new(Pushed { headers, body }),
            notices,
            is_batch: true,
        }
    }

    pub(super) fn messages(&self) -> Vec<MessageId> {
        self.notices.iter().map(|n| n.message.clone()).collect()
    }

    pub(super) fn is_received(&self) -> bool {
        self.notices.iter().all(Notice::is_received)
    }

    /// What goes alone when the whole cannot be handed over. Only Kapso takes its batches apart (kapso.md 4.4).
    pub(super) fn singles(self, envelope: Envelope) -> Vec<Notice> {
        match envelope {
            Envelope::KapsoV2 | Envelope::KapsoV1 if self.is_batch => self.notices,
            Envelope::KapsoV2 | Envelope::KapsoV1 | Envelope::Meta => Vec::new(),
        }
    }

    /// What is handed over.
    pub(super) fn pushed(&self) -> Arc<Pushed> {
        Arc::clone(&self.pushed)
    }

    /// The request, but for its path and host.
    pub(super) fn request(&self, request: Builder) -> Result<Request<Body>, axum::http::Error> {
        let Pushed { headers, body } = &*self.pushed;
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.body(Body::from(body.clone()))
    }
}

/// The headers of a body, its signature among them.
fn headers(
    target: &WebhookTarget,
    event: &str,
    key: &str,
    body: &str,
    batch: Option<usize>,
) -> Vec<(String, String)> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(version) = target.envelope.version() {
        headers.push(("x-webhook-event", event.to_owned()));
        headers.push(("x-webhook-payload-version", version.to_owned()));
    }
    // Meta itself, which signs with the app's secret, knows no such key.
    if target.signature != Signature::Hub {
        headers.push(("x-idempotency-key", key.to_owned()));
    }
    if let Some(size) = batch.filter(|_| target.envelope != Envelope::Meta) {
        headers.push(("x-webhook-batch", "true".to_owned()));
        headers.push(("x-batch-size", size.to_string()));
    }
    headers.extend(target.signature.header(&digest(body, &target.secret)));
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    headers.chain(target.headers.iter().cloned()).collect()
}

/// HMAC-SHA256 of the body's bytes (kapso.md 4.3).
fn digest(body: &str, secret: &SecretString) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A new key; in Meta's envelope the hash of the body (kapso.md 4.2).
fn key(envelope: Envelope, body: &str) -> String {
    match envelope {
        Envelope::KapsoV2 | Envelope::KapsoV1 => Uuid::new_v4().to_string(),
        Envelope::Meta => hex::encode(Sha256::digest(body.as_bytes())),
    }
}
