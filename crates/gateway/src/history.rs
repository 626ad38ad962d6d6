//! What a session shows: the rows of `chat.history`, and whether something runs in it (openclaw.md 4 and 5).

use model::{IdempotencyKey, RunId, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::frames::{self, loose, loose_list};
use crate::requests::{Rejection, Reply, RequestError};

/// The tool name under which the gateway files its own note about an interrupted turn (2026.9.6).
const RECOVERY_TOOL: &str = "main_session_restart_recovery";
/// How that note begins in every release.
const RECOVERY_TEXT: &str = "[System] Your previous turn was interrupted";
/// What some releases put before it: the question that was interrupted (2026.5.7, 2026.7.35).
const QUEUED_TEXT: &str =
    "[Queued user message that arrived while the previous turn was still active]";

/// The visible end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The present transcript; none for a session that does not exist.
    pub session_id: Option<String>,
    /// The rows, oldest first. While a run is being prepared its question may be missing.
    pub rows: Vec<Row>,
    /// Whether a run is active; `None` where the release does not say (2026.5.7).
    pub active: Option<bool>,
    /// The active runs that the gateway names; there may be others.
    pub active_runs: Vec<RunId>,
    /// The session is marked as running or as interrupted: after a restart the gateway will resume it by itself.
    pub pending_resume: bool,
}

/// Who wrote a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person, or the gateway in the person's place (see [`Row::recovery`]).
    User,
    /// The agent.
    Assistant,
    /// A tool.
    ToolResult,
    /// The gateway's own notes.
    Other,
}

/// One row of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The gateway's name for it.
    pub id: Option<String>,
    /// Who wrote it.
    pub role: Role,
    /// Its text blocks, in order; thinking, tool calls and files left out.
    pub texts: Vec<String>,
    /// When it was written, by the gateway's clock; for an answer, when the model began it.
    pub at: Option<Timestamp>,
    /// `<key>:user` for a question that was asked under a key (2026.9.6 always, 2026.7.35 for `chat.send`).
    pub idempotency_key: Option<String>,
    /// The run that wrote it (2026.8.1 and newer, answers only).
    pub run: Option<RunId>,
    /// Why the model stopped: `stop`, `length`, `toolUse`, `error`, `aborted`.
    pub stop_reason: Option<String>,
    /// The gateway's own row that resumes an interrupted turn.
    pub recovery: bool,
    /// The gateway cut the text.
    pub truncated: bool,
    /// What went wrong. For operators.
    pub error: Option<String>,
}

impl Row {
    /// The text blocks as one text.
    pub fn text(&self) -> String {
        self.texts.concat()
    }

    /// Whether this is the question that was asked under `key`.
    pub fn asked_under(&self, key: &IdempotencyKey) -> bool {
        let asked = self
            .idempotency_key
            .as_deref()
            .and_then(|own| own.strip_suffix(":user"));
        self.role == Role::User && asked == Some(key.as_str())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireHistory {
    #[serde(deserialize_with = "loose")]
    session_id: Option<String>,
    #[serde(deserialize_with = "loose_list")]
    messages: Vec<WireRow>,
    #[serde(deserialize_with = "loose")]
    session_info: WireInfo,
    #[serde(deserialize_with = "loose")]
    in_flight_run: WireActive,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireInfo {
    #[serde(deserialize_with = "loose")]
    has_active_run: Option<bool>,
    #[serde(deserialize_with = "loose_list")]
    active_run_ids: Vec<String>,
    #[serde(deserialize_with = "loose")]
    status: Option<String>,
    #[serde(deserialize_with = "loose")]
    aborted_last_run: bool,
}

impl WireInfo {
    /// 2026.7.35 leaves the mark of the interruption on a session that it has given up resuming.
    fn pending_resume(&self) -> bool {
        let status = self.status.as_deref();
        status == Some("running") || (self.aborted_last_run && status != Some("failed"))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireActive {
    #[serde(deserialize_with = "loose")]
    run_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireRow {
    #[serde(deserialize_with = "loose")]
    role: String,
    #[serde(rename = "content", deserialize_with = "texts")]
    texts: Vec<String>,
    #[serde(deserialize_with = "loose")]
    timestamp: Option<f64>,
    #[serde(deserialize_with = "loose")]
    idempotency_key: Option<String>,
    #[serde(deserialize_with = "loose")]
    stop_reason: Option<String>,
    #[serde(deserialize_with = "loose")]
    error_message: Option<String>,
    #[serde(deserialize_with = "loose")]
    provenance: WireProvenance,
    #[serde(rename = "__openclaw", deserialize_with = "loose")]
    extra: WireExtra,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireProvenance {
    #[serde(deserialize_with = "loose")]
    source_tool: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireExtra {
    #[serde(deserialize_with = "loose")]
    id: Option<String>,
    #[serde(deserialize_with = "loose")]
    run_id: Option<String>,
    #[serde(deserialize_with = "loose")]
    idempotency_key: Option<String>,
    #[serde(deserialize_with = "loose")]
    record_timestamp_ms: Option<f64>,
    #[serde(deserialize_with = "loose")]
    truncated: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: String,
}

/// Reads a `chat.history` answer.
pub(crate) fn history(reply: &Reply) -> Result<History, RequestError> {
    let payload = reply.accepted("chat.history")?;
    let wire: WireHistory = frames::read(payload.get()).map_err(|_error: serde_json::Error| {
        RequestError::Rejected(Rejection::unreadable("chat.history"))
    })?;
    let info = wire.session_info;
    let pending_resume = info.pending_resume();
    let mut active_runs: Vec<RunId> = Vec::new();
    for id in info
        .active_run_ids
        .into_iter()
        .chain(wire.in_flight_run.run_id)
    {
        if let Ok(run) = RunId::new(&id)
            && !active_runs.contains(&run)
        {
            active_runs.push(run);
        }
    }
    Ok(History {
        session_id: wire.session_id,
        rows: wire.messages.into_iter().map(Row::from).collect(),
        // 2026.9.6 lists some active runs only in the list.
        active: info
            .has_active_run
            .map(|active| active || !active_runs.is_empty()),
        active_runs,
        pending_resume,
    })
}

/// Content is a plain text (people's, on 2026.7.35 and newer) or a list of blocks.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    if let Ok(text) = frames::read::<String>(raw.get()) {
        return Ok(vec![text]);
    }
    let blocks: Vec<Block> = loose_list(raw).unwrap_or_default();
    Ok(blocks
        .into_iter()
        .filter(|block| block.kind == "text")
        .map(|block| block.text)
        .collect())
}

impl From<WireRow> for Row {
    fn from(wire: WireRow) -> Self {
        let role = match wire.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "toolResult" | "tool" => Role::ToolResult,
            _ => Role::Other,
        };
        let tool = wire.provenance.source_tool.as_deref();
        let text = wire.texts.first().map(String::as_str).unwrap_or_default();
        // Looked for at the beginning, and not anywhere: a person may write the same words.
        let told = text.starts_with(RECOVERY_TEXT)
            || (text.starts_with(QUEUED_TEXT) && text.contains(RECOVERY_TEXT));
        let at = wire.timestamp.or(wire.extra.record_timestamp_ms);
        Self {
            id: wire.extra.id,
            recovery: role == Role::User && (tool == Some(RECOVERY_TOOL) || told),
            role,
            texts: wire.texts,
            at: at.map(|millis| Timestamp::from_millis(millis as i64)),
            idempotency_key: wire.idempotency_key.or(wire.extra.idempotency_key),
            run: wire.extra.run_id.and_then(|id| RunId::new(&id).ok()),
            stop_reason: wire.stop_reason,
            truncated: wire.extra.truncated,
            error: wire.error_message,
        }
    }
}
