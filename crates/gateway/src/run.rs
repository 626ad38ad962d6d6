//! Runs of the agent: what the two answers to `agent` say, and what `agent.wait` says (openclaw.md 3.10).
//!
//! The fields are handed on as the gateway gave them. What of them a customer may see is decided by the relay.

use model::{IdempotencyKey, InvalidId, RunId, SessionKey, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::frames::{self, loose, loose_list};
use crate::requests::{Outcome, Rejection, Reply, RequestError};

/// The first answer to `agent`.
#[derive(Debug)]
pub enum AgentReply {
    /// The gateway took the question. The result comes on this connection; see [`Run::finished`].
    ///
    /// 2026.5.7 also says so when asked again for a run that goes on; its result then comes to the first asker only.
    Accepted(Run),
    /// A run under this key goes on. Its result will not come by itself: wait for it, then ask again.
    InFlight(RunId),
    /// The run under this key is over; the gateway remembers its result for five minutes.
    Finished(Box<RunResult>),
}

/// A run whose result will come on this connection.
///
/// Dropping it stops waiting, not the run.
#[derive(Debug)]
pub struct Run {
    id: RunId,
    accepted_at: Option<Timestamp>,
    session: Option<SessionKey>,
    last: Option<oneshot::Receiver<Outcome>>,
}

impl Run {
    /// The run; equal to the idempotency key of the request.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// When the gateway took the question, by the gateway's clock.
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.accepted_at
    }

    /// The session in the gateway's own spelling (not on 2026.5.7).
    pub fn session(&self) -> Option<&SessionKey> {
        self.session.as_ref()
    }

    /// Waits for the result, for as long as the connection lives. Cancel-safe: it may be called again until it has
    /// returned once; after that it says [`RequestError::Lost`].
    ///
    /// # Errors
    /// [`RequestError::Lost`] when the connection ends first, [`RequestError::Rejected`] when the second answer is
    /// an error that says nothing about a run.
    pub async fn finished(&mut self) -> Result<RunResult, RequestError> {
        let Some(last) = &mut self.last else {
            return Err(RequestError::Lost);
        };
        let outcome = last.await;
        self.last = None;
        match outcome {
            Ok(reply) => ended(&reply?),
            Err(oneshot::error::RecvError { .. }) => Err(RequestError::Lost),
        }
    }
}

/// How a run ended, in the gateway's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// To its end.
    Ok,
    /// With an error.
    Error,
    /// By its time limit, or because somebody aborted it.
    Timeout,
    /// In a way that this program does not know.
    Other(String),
}

impl RunStatus {
    fn new(word: &str) -> Self {
        match word {
            "ok" => Self::Ok,
            "error" => Self::Error,
            "timeout" => Self::Timeout,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// The run.
    pub run: RunId,
    /// Whether it ended well: an `ok` answer with status [`RunStatus::Ok`], not aborted, without an error in its
    /// metadata. 2026.7.35 says `ok` for turns that it did not complete (openclaw.md 3.7).
    pub ok: bool,
    /// How it ended.
    pub status: RunStatus,
    /// The gateway's word for it, such as `completed`.
    pub summary: Option<String>,
    /// What went wrong. For operators: it may contain paths of the gateway's host.
    pub error: Option<String>,
    /// The gateway's code of the error, such as `UNAVAILABLE`.
    pub error_code: Option<String>,
    /// The kind of error in the metadata, such as `incomplete_turn`.
    pub error_kind: Option<String>,
    /// What was said, in order.
    pub payloads: Vec<Payload>,
    /// The last assistant message as a person sees it.
    pub final_visible_text: Option<String>,
    /// The last assistant message as the model wrote it.
    pub final_raw_text: Option<String>,
    /// Why the model stopped, such as `stop` or `length`.
    pub stop_reason: Option<String>,
    /// Whether it was aborted.
    pub aborted: bool,
    /// The gateway's name of the conversation's present transcript.
    pub session_id: Option<String>,
    /// The transcript file on the gateway's host (releases up to 2026.7.35; later ones give the session key).
    pub session_file: Option<String>,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The words; empty when there are none.
    pub text: String,
    /// Files, as paths or URLs that nobody has checked: never open them on this host (openclaw.md 3.8).
    pub media: Vec<String>,
    /// The gateway's own notice of a failure.
    pub is_error: bool,
    /// The model's thinking.
    pub is_reasoning: bool,
    /// Sound files are to be sent as voice messages.
    pub audio_as_voice: bool,
}

/// What `agent.wait` says. The gateway gives one word both for "not yet" and for "unknown", so it is not told apart:
/// after a restart every run is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The run is over; asking again under its key gives the result.
    Ended,
    /// It has not ended in that time, or the gateway does not know it.
    Running,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireRun {
    #[serde(deserialize_with = "loose")]
    run_id: Option<String>,
    #[serde(deserialize_with = "loose")]
    session_key: Option<String>,
    #[serde(deserialize_with = "loose")]
    status: String,
    #[serde(deserialize_with = "loose")]
    accepted_at: Option<i64>,
    #[serde(deserialize_with = "loose")]
    ended_at: Option<f64>,
    #[serde(deserialize_with = "loose")]
    summary: Option<String>,
    #[serde(deserialize_with = "loose")]
    result: WireResult,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireResult {
    #[serde(deserialize_with = "loose_list")]
    payloads: Vec<WirePayload>,
    #[serde(deserialize_with = "loose")]
    meta: WireMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WirePayload {
    #[serde(deserialize_with = "loose")]
    text: String,
    #[serde(deserialize_with = "loose")]
    media_url: Option<String>,
    #[serde(deserialize_with = "loose_list")]
    media_urls: Vec<String>,
    #[serde(deserialize_with = "loose")]
    is_error: bool,
    #[serde(deserialize_with = "loose")]
    is_reasoning: bool,
    #[serde(deserialize_with = "loose")]
    audio_as_voice: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireMeta {
    #[serde(deserialize_with = "loose")]
    aborted: bool,
    #[serde(deserialize_with = "loose")]
    stop_reason: Option<String>,
    #[serde(deserialize_with = "loose")]
    final_assistant_visible_text: Option<String>,
    #[serde(deserialize_with = "loose")]
    final_assistant_raw_text: Option<String>,
    #[serde(deserialize_with = "loose")]
    error: Option<WireMetaError>,
    #[serde(deserialize_with = "loose")]
    agent_meta: WireAgentMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMetaError {
    #[serde(deserialize_with = "loose")]
    kind: Option<String>,
    #[serde(deserialize_with = "loose")]
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireAgentMeta {
    #[serde(deserialize_with = "loose")]
    session_id: Option<String>,
    #[serde(deserialize_with = "loose")]
    session_file: Option<String>,
}

/// Reads the first answer to `agent`; `last` is where the second one will come.
pub(crate) fn first_reply(
    reply: &Reply,
    key: &IdempotencyKey,
    last: oneshot::Receiver<Outcome>,
) -> Result<AgentReply, RequestError> {
    let Some(wire) = wire_run(reply.payload.as_deref()) else {
        return Err(reply.accepted("agent").err().unwrap_or_else(unreadable));
    };
    let id = match &wire.run_id {
        Some(id) => RunId::new(id),
        None => RunId::new(key.as_str()),
    }
    .map_err(|_invalid: InvalidId| unreadable())?;
    match wire.status.as_str() {
        "accepted" if reply.ok => Ok(AgentReply::Accepted(Run {
            id,
            accepted_at: wire.accepted_at.map(Timestamp::from_millis),
            session: wire.session_key.and_then(|key| SessionKey::new(&key).ok()),
            last: Some(last),
        })),
        "in_flight" if reply.ok => Ok(AgentReply::InFlight(id)),
        _ => ended(reply).map(|result| AgentReply::Finished(Box::new(result))),
    }
}

/// Reads what `agent.wait` says.
pub(crate) fn waited(reply: &Reply) -> Result<Waited, RequestError> {
    let payload = reply.accepted("agent.wait")?;
    let wire = wire_run(Some(payload)).ok_or_else(unreadable)?;
    Ok(match RunStatus::new(&wire.status) {
        RunStatus::Ok | RunStatus::Error => Waited::Ended,
        // A run that ended by its time limit has an end; a wait that expired has not.
        RunStatus::Timeout if wire.ended_at.is_some() => Waited::Ended,
        RunStatus::Timeout | RunStatus::Other(_) => Waited::Running,
    })
}

fn unreadable() -> RequestError {
    RequestError::Rejected(Rejection::unreadable("agent"))
}

/// A payload that tells about a run.
fn wire_run(payload: Option<&RawValue>) -> Option<WireRun> {
    let wire: WireRun = frames::read(payload?.get()).ok()?;
    (!wire.status.is_empty()).then_some(wire)
}

/// Reads an answer that tells how a run ended. A failed run is an error answer with a payload.
fn ended(reply: &Reply) -> Result<RunResult, RequestError> {
    let Some(wire) = wire_run(reply.payload.as_deref()) else {
        return Err(reply.accepted("agent").err().unwrap_or_else(unreadable));
    };
    let Some(run) = wire.run_id.as_deref().and_then(|id| RunId::new(id).ok()) else {
        return Err(if reply.ok {
            unreadable()
        } else {
            RequestError::Rejected(reply.wire_error().into())
        });
    };
    let status = RunStatus::new(&wire.status);
    let meta = wire.result.meta;
    let ok = reply.ok && status == RunStatus::Ok && meta.error.is_none() && !meta.aborted;
    let told = reply.wire_error();
    let text = |text: String| (!text.is_empty()).then_some(text);
    let (error_kind, meta_error) = meta
        .error
        .map(|error| (error.kind, error.message))
        .unwrap_or_default();
    let blame = wire.summary.clone().filter(|_| !ok);
    Ok(RunResult {
        run,
        ok,
        status,
        error: text(told.message).or(meta_error).or(blame),
        summary: wire.summary,
        error_code: text(told.code),
        error_kind,
        payloads: wire
            .result
            .payloads
            .into_iter()
            .map(Payload::from)
            .collect(),
        final_visible_text: meta.final_assistant_visible_text,
        final_raw_text: meta.final_assistant_raw_text,
        stop_reason: meta.stop_reason,
        aborted: meta.aborted,
        session_id: meta.agent_meta.session_id,
        session_file: meta.agent_meta.session_file,
    })
}

impl From<WirePayload> for Payload {
    fn from(wire: WirePayload) -> Self {
        let mut media = wire.media_urls;
        // `mediaUrl` repeats the first of `mediaUrls`, or stands alone.
        if let Some(url) = wire.media_url.filter(|url| !media.contains(url)) {
            media.insert(0, url);
        }
        Self {
            text: wire.text,
            media,
            is_error: wire.is_error,
            is_reasoning: wire.is_reasoning,
            audio_as_voice: wire.audio_as_voice,
        }
    }
}
