//! The parameters of our requests, and which of them a release knows.
//!
//! Every parameter object of the gateway is closed: one unknown field and the request is refused. What is sent
//! therefore depends on the release that the gateway names in its hello.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{IdempotencyKey, RunId, SessionKey};
use serde::Serialize;

/// A question to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRequest {
    /// The conversation.
    pub session: SessionKey,
    /// The key under which the gateway recognises a repetition, for five minutes and until it restarts
    /// (openclaw.md 3.2). It becomes the run's id.
    pub key: IdempotencyKey,
    /// What the agent reads. Must not be blank.
    pub text: String,
    /// What the agent is told about the sender, as part of the system prompt: trusted, so never the sender's words.
    pub extra_system_prompt: Option<String>,
    /// After which the gateway ends the run; none leaves it to the gateway's own setting. Whole seconds, rounded up.
    pub timeout: Option<Duration>,
    /// What the agent is shown: pictures and nothing else (openclaw.md 3.5). Left out where [`Hello::takes_pictures`]
    /// says no.
    ///
    /// [`Hello::takes_pictures`]: crate::Hello::takes_pictures
    pub pictures: Vec<Picture>,
}

/// A picture for the agent. The gateway tells by itself what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its name, which is shown where it is refused.
    pub name: String,
    /// Its type.
    pub mime: String,
    /// The whole of it.
    pub bytes: Vec<u8>,
}

/// The longest text of one history row that is asked for: the most that every release allows.
const HISTORY_CHARS: u32 = 500_000;
/// The most rows that one `chat.history` gives.
const HISTORY_ROWS: u32 = 1000;

/// An OpenClaw release, for comparing. Pre-releases count as the release that they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    year: u16,
    month: u16,
    patch: u16,
}

impl Release {
    const fn of(year: u16, month: u16, patch: u16) -> Self {
        Self { year, month, patch }
    }

    fn parse(version: &str) -> Option<Self> {
        let number = version
            .trim()
            .trim_start_matches('v')
            .split(['-', '+'])
            .next()?;
        let mut parts = number.split('.').map(str::parse);
        let release = Self::of(
            parts.next()?.ok()?,
            parts.next()?.ok()?,
            parts.next()?.ok()?,
        );
        parts.next().is_none().then_some(release)
    }
}

/// What the connected gateway understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// `agent` takes `inputProvenance`. First seen in 2026.3.13; 2026.1.29 refuses it.
    provenance: bool,
    /// `chat.history` takes `maxChars`. First seen in 2026.4.15; 2026.3.13 refuses it.
    history_chars: bool,
    /// `agent` takes `attachments`. First recorded in 2026.5.7.
    pub(crate) pictures: bool,
}

impl Known {
    /// What the release that calls itself `version` knows. A version of another form is taken for a new one.
    pub(crate) fn by(version: &str) -> Self {
        let since = |first| Release::parse(version).is_none_or(|release| release >= first);
        Self {
            provenance: since(Release::of(2026, 3, 13)),
            history_chars: since(Release::of(2026, 4, 15)),
            pictures: since(Release::of(2026, 5, 7)),
        }
    }
}

/// Parameters of `agent`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agent<'a> {
    session_key: &'a SessionKey,
    message: &'a str,
    idempotency_key: &'a IdempotencyKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_system_prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_provenance: Option<Provenance>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
}

/// A picture in the shape that every recorded release takes (`70-attachments-agent`, `image-flat`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    mime_type: &'a str,
    file_name: &'a str,
    content: String,
}

impl<'a> Attachment<'a> {
    fn new(picture: &'a Picture) -> Self {
        Self {
            kind: "image",
            mime_type: &picture.mime,
            file_name: &picture.name,
            content: STANDARD.encode(&picture.bytes),
        }
    }
}

/// Who wrote the text: somebody outside, on WhatsApp.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Provenance {
    kind: &'static str,
    source_channel: &'static str,
}

impl<'a> Agent<'a> {
    /// `request` in the words of a gateway that knows `known`.
    pub(crate) fn new(request: &'a AgentRequest, known: Known) -> Self {
        let whole_seconds = |timeout: Duration| timeout.as_millis().div_ceil(1000);
        let pictures = request.pictures.iter().filter(|_| known.pictures);
        Self {
            attachments: pictures.map(Attachment::new).collect(),
            session_key: &request.session,
            message: &request.text,
            idempotency_key: &request.key,
            extra_system_prompt: request.extra_system_prompt.as_deref(),
            timeout: request
                .timeout
                .map(|timeout| u64::try_from(whole_seconds(timeout)).unwrap_or(u64::MAX)),
            input_provenance: known.provenance.then_some(Provenance {
                kind: "external_user",
                source_channel: "whatsapp",
            }),
        }
    }
}

/// Parameters of `agent.wait`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgentWait<'a> {
    run_id: &'a RunId,
    timeout_ms: u64,
}

impl<'a> AgentWait<'a> {
    /// Waits up to `timeout` for `run`.
    pub(crate) fn new(run: &'a RunId, timeout: Duration) -> Self {
        Self {
            run_id: run,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Parameters of `sessions.abort`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionsAbort<'a> {
    /// The session.
    pub(crate) key: &'a SessionKey,
    /// The run in it, which is the key that it was asked under.
    pub(crate) run_id: &'a str,
}

/// Parameters of `chat.send`: what every release knows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatSend<'a> {
    session_key: &'a SessionKey,
    message: &'a str,
    idempotency_key: &'a IdempotencyKey,
}

impl<'a> ChatSend<'a> {
    /// `message` in `session`; `key` becomes the id of the run.
    pub(crate) fn new(session: &'a SessionKey, message: &'a str, key: &'a IdempotencyKey) -> Self {
        Self {
            session_key: session,
            message,
            idempotency_key: key,
        }
    }
}

/// Parameters of `chat.history`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatHistory<'a> {
    session_key: &'a SessionKey,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_chars: Option<u32>,
}

impl<'a> ChatHistory<'a> {
    /// The last `limit` rows (1 to 1000) of `session`, with texts as whole as the gateway gives them.
    pub(crate) fn new(session: &'a SessionKey, limit: u32, known: Known) -> Self {
        Self {
            session_key: session,
            limit: limit.clamp(1, HISTORY_ROWS),
            max_chars: known.history_chars.then_some(HISTORY_CHARS),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request() -> AgentRequest {
        AgentRequest {
            session: SessionKey::new("main-wa-15551234567").unwrap(),
            key: IdempotencyKey::new("k-1").unwrap(),
            text: "hello".to_owned(),
            extra_system_prompt: None,
            timeout: None,
            pictures: Vec::new(),
        }
    }

    fn agent(request: &AgentRequest, version: &str) -> Value {
        serde_json::to_value(Agent::new(request, Known::by(version))).unwrap()
    }

    #[test]
    fn a_release_gets_only_what_it_knows() {
        let base = json!({
            "sessionKey": "agent:main:main-wa-15551234567", "message": "hello", "idempotencyKey": "k-1",
        });
        assert_eq!(agent(&request(), "2026.1.29"), base);
        let provenance = json!({"kind": "external_user", "sourceChannel": "whatsapp"});
        for version in [
            "2026.3.13",
            "2026.5.7",
            "2026.7.2-beta.1",
            "2026.9.6",
            "dev",
            "",
        ] {
            assert_eq!(
                agent(&request(), version)["inputProvenance"],
                provenance,
                "{version}"
            );
        }
        let session = SessionKey::new("x").unwrap();
        let history = |version| {
            serde_json::to_value(ChatHistory::new(&session, 0, Known::by(version))).unwrap()
        };
        assert_eq!(
            history("2026.3.13"),
            json!({"sessionKey": "agent:main:x", "limit": 1})
        );
        assert_eq!(history("2026.5.7")["maxChars"], 500_000);
    }

    #[test]
    fn c4_pictures_go_whole_to_the_releases_that_take_them() {
        let asked = AgentRequest {
            pictures: vec![Picture {
                name: "p.png".to_owned(),
                mime: "image/png".to_owned(),
                bytes: b"picture".to_vec(),
            }],
            ..request()
        };
        let shown = json!([{"type": "image", "mimeType": "image/png", "fileName": "p.png", "content": "cGljdHVyZQ=="}]);
        for version in ["2026.5.7", "2026.7.35", "2026.9.6"] {
            assert_eq!(agent(&asked, version)["attachments"], shown, "{version}");
        }
        assert_eq!(agent(&asked, "2026.4.15").get("attachments"), None);
    }

    #[test]
    fn a_timeout_is_whole_seconds_and_never_shortened() {
        let asked = AgentRequest {
            extra_system_prompt: Some("from WhatsApp".to_owned()),
            timeout: Some(Duration::from_millis(90_001)),
            ..request()
        };
        let sent = agent(&asked, "2026.9.6");
        assert_eq!(
            (&sent["timeout"], &sent["extraSystemPrompt"]),
            (&json!(91), &json!("from WhatsApp"))
        );
    }
}
