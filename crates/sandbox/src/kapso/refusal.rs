//! Answers that are not 200, in the shapes that Kapso and Meta use: the flat one and Meta's envelope.

use std::time::Duration;

use serde_json::{Value, json};

/// An error answer: what goes over the wire, ready made.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
    /// The `Retry-After` header: seconds or an HTTP date, word for word.
    pub retry_after: Option<String>,
}

impl Refusal {
    /// Kapso's own shape: `{"error":"…"}` (kapso.md 1.3 b).
    pub fn flat(status: u16, message: &str) -> Self {
        Self {
            status,
            body: json!({ "error": message }),
            retry_after: None,
        }
    }

    /// Meta's envelope with its numeric code (kapso.md 1.3 a).
    pub fn meta(status: u16, code: i64, message: &str) -> Self {
        Self {
            status,
            body: json!({ "error": {
                "message": format!("(#{code}) {message}"),
                "type": "OAuthException",
                "code": code,
                "error_data": { "messaging_product": "whatsapp", "details": message },
                "fbtrace_id": "AxSandboxTrace0000000000",
            }}),
            retry_after: None,
        }
    }

    /// Another send for the same conversation has not been answered yet (kapso.md 2.12).
    pub fn in_flight() -> Self {
        Self::flat(
            409,
            "Another message is already in-flight for this conversation. Please retry shortly.",
        )
    }

    /// The key's requests of this minute are used up (kapso.md 1.5).
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self {
            status: 429,
            body: json!({
                "error": "Rate limit exceeded",
                "message": "Too many requests for this API key in the current minute",
            }),
            retry_after: Some(retry_after.as_secs().to_string()),
        }
    }

    /// The customer has not written for 24 hours (kapso.md 1.4).
    pub fn window_closed() -> Self {
        Self {
            status: 422,
            body: json!({ "error": {
                "message": "Cannot send non-template messages outside the 24-hour window.",
                "type": "MessageError",
                "code": 131_047,
                "error_subcode": 131_047,
                "fbtrace_id": "AxSandboxTrace0000000000",
            }}),
            retry_after: None,
        }
    }

    /// Something is wrong at the provider.
    pub fn server_error() -> Self {
        Self::flat(500, "Internal server error")
    }

    /// The key is not the right one.
    pub(super) fn unauthorized() -> Self {
        Self::flat(401, "Invalid API key")
    }

    /// The stand-in does not do this.
    pub(super) fn not_emulated(what: &str) -> Self {
        Self::flat(501, &format!("not emulated by the sandbox: {what}"))
    }
}
