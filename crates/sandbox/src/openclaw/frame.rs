//! Frames: how a request is read, and how a response or an event is written.

use serde::Deserialize;
use serde_json::Value;

use super::faults::Rejection;
use super::json::Object;

/// A frame from a client.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(rename = "type")]
    kind: String,
    pub(super) id: String,
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Value,
}

impl Request {
    /// Reads a frame; none when it is no request.
    pub(super) fn read(text: &str) -> Option<Self> {
        let request: Self = serde_json::from_str(text).ok()?;
        (request.kind == "req").then_some(request)
    }

    /// A parameter that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    /// A parameter that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.params.get(name)?.as_u64()
    }
}

/// A response without the id of the request, so that it can be kept and given to whoever asks again.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    ok: bool,
    payload: Option<String>,
    error: Option<String>,
}

impl Reply {
    /// `ok:true`.
    pub(super) fn done(payload: Object) -> Self {
        Self {
            ok: true,
            payload: Some(payload.end()),
            error: None,
        }
    }

    /// `ok:false`.
    pub(super) fn refused(rejection: &Rejection) -> Self {
        Self {
            ok: false,
            payload: None,
            error: Some(error(rejection)),
        }
    }

    /// `ok:false` of a run that was taken and failed: payload and error.
    pub(super) fn failed(payload: Object, rejection: &Rejection) -> Self {
        Self {
            ok: false,
            payload: Some(payload.end()),
            error: Some(error(rejection)),
        }
    }

    /// `ok:false` and nothing else, which no release sends and a client must survive.
    pub(super) const fn bare() -> Self {
        Self {
            ok: false,
            payload: None,
            error: None,
        }
    }

    /// The frame that answers the request `id`.
    pub(super) fn frame(&self, id: &str) -> String {
        let mut frame = Object::new()
            .with("type", "res")
            .with("id", id)
            .with("ok", self.ok);
        if let Some(payload) = &self.payload {
            frame = frame.raw("payload", payload);
        }
        if let Some(error) = &self.error {
            frame = frame.raw("error", error);
        }
        frame.end()
    }
}

fn error(rejection: &Rejection) -> String {
    Object::new()
        .with("code", &rejection.code)
        .with("message", &rejection.message)
        .when(rejection.retry_after.is_some(), |o| {
            o.with("retryable", true)
        })
        .maybe(
            "retryAfterMs",
            rejection.retry_after.map(|after| after.as_millis()),
        )
        .maybe("details", rejection.details.as_ref())
        .end()
}

/// An event frame without its sequence number and its closing brace: every connection counts for itself.
pub(super) fn event(name: &str, payload: Object) -> String {
    let mut frame = Object::new()
        .with("type", "event")
        .with("event", name)
        .nest("payload", payload)
        .end();
    frame.pop();
    frame
}

/// The frame made of an [`event`] head, with or without a sequence number.
pub(super) fn numbered(head: &str, seq: Option<u64>) -> String {
    match seq {
        Some(seq) => format!("{head},\"seq\":{seq}}}"),
        None => format!("{head}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_json() {
        let reply = Reply::failed(
            Object::new().with("status", "error"),
            &Rejection::new("UNAVAILABLE", "no"),
        );
        assert_eq!(
            reply.frame("r1"),
            r#"{"type":"res","id":"r1","ok":false,"payload":{"status":"error"},"error":{"code":"UNAVAILABLE","message":"no"}}"#
        );
        let tick = event("tick", Object::new().with("ts", 5));
        assert_eq!(
            numbered(&tick, Some(3)),
            r#"{"type":"event","event":"tick","payload":{"ts":5},"seq":3}"#
        );
        assert!(Request::read(r#"{"type":"event","event":"x"}"#).is_none());
    }
}
