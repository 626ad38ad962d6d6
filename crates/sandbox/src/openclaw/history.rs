//! `chat.history`: the visible rows of a session, as each release shows them (recorded in `42b` and `91`).

use std::sync::Arc;

use model::Timestamp;
use serde_json::json;

use super::json::{Object, array, text_block};
use super::outcome::tokens;
use super::release::Release;
use super::run::Run;
use super::session::{Body, Row, Session, Status, Summary};

/// The provider and model of every row.
const MODEL: &str = "scripted";
/// What 2026.7.35 shows in the place of a failed reply.
const FAILED_BEFORE_REPLY: &str = "The agent run failed before producing a reply.";

/// What history shows of one session.
#[derive(Debug)]
pub(super) struct Page {
    summary: Summary,
    rows: Vec<Row>,
    total: usize,
    waiting: Vec<Arc<Run>>,
}

impl Page {
    /// The last `limit` rows.
    pub(super) fn of(session: &Session, limit: usize) -> Self {
        let mut rows: Vec<Row> = session.visible().rev().take(limit).cloned().collect();
        rows.reverse();
        Self {
            summary: session.summary().clone(),
            rows,
            total: session.visible().count(),
            waiting: session.waiting().cloned().collect(),
        }
    }
}

/// The payload of `chat.history` for the session asked for as `raw_key`.
pub(super) fn payload(release: Release, raw_key: &str, page: Option<&Page>) -> Object {
    let head = Object::new().with("sessionKey", raw_key);
    let Some(page) = page else {
        // A session that does not exist has no messages; no release says more about it.
        return head.raw("messages", "[]");
    };
    let first = page.total - page.rows.len();
    let numbered = page.rows.iter().enumerate();
    let rows =
        numbered.flat_map(|(n, row)| messages(release, &page.summary.key, row, first + n + 1));
    let payload = head
        .with("sessionId", &page.summary.id)
        .list("messages", rows);
    let payload = match release {
        Release::V2026_5_7 | Release::V2026_7_35 => payload,
        Release::V2026_9_6 => modern_middle(payload, page),
    };
    match release {
        Release::V2026_5_7 => payload.with("thinkingLevel", "off"),
        Release::V2026_7_35 => payload
            .nest("defaults", defaults(release))
            .nest("sessionInfo", info(release, &page.summary))
            .with("thinkingLevel", "off"),
        Release::V2026_9_6 => payload
            .nest("defaults", defaults(release))
            .nest("sessionInfo", info(release, &page.summary))
            .when(matches!(page.summary.active, Some((_, true))), |o| {
                o.nest("inFlightRun", in_flight(&page.summary))
            }),
    }
}

fn modern_middle(payload: Object, page: &Page) -> Object {
    let pending = page.waiting.iter().map(|run| pending(run));
    let inputs = Object::new()
        .list("items", pending)
        .with("total", page.waiting.len());
    payload
        .nest("pendingInputs", inputs)
        .when(!page.rows.is_empty(), |o| {
            o.with("deltaCursor", format!("{}-{}", page.summary.id, page.total))
        })
        .with("hasMore", page.total > page.rows.len())
        .with("totalMessages", page.total)
}

/// A question that waits in its lane; only 2026.9.6 shows it.
fn pending(run: &Run) -> Object {
    let id = &run.asked.key;
    let mark = Object::new()
        .with("senderIsOwner", false)
        .with("id", format!("pending:{id}"));
    let message = Object::new()
        .with("role", "user")
        .with("content", &run.asked.text)
        .with("timestamp", run.asked.at)
        .nest("__openclaw", mark);
    Object::new()
        .with("id", id)
        .with("acceptedAt", run.asked.at)
        .with("state", "queued")
        .nest("message", message)
        .with("runId", id)
}

fn in_flight(summary: &Summary) -> Object {
    Object::new()
        .maybe("runId", summary.active.as_ref().map(|(run, _)| run))
        .with("text", "")
        .maybe("startedAt", summary.started_at)
        .with("sessionAbortable", true)
}

/// The model defaults beside a history or a list of sessions.
pub(super) fn defaults(release: Release) -> Object {
    let modern = release == Release::V2026_9_6;
    let runtime = Object::new()
        .with("id", "auto")
        .when(modern, |o| {
            o.with("cloudPlacementSupported", false)
                .with("devicePlacementSupported", false)
        })
        .with("source", "implicit");
    Object::new()
        .with("modelProvider", MODEL)
        .with("model", MODEL)
        .with("contextTokens", 120_000)
        .when(release > Release::V2026_5_7, |o| {
            o.nest("agentRuntime", runtime)
        })
        .when(!modern, thinking)
        .when(modern, |o| o.with("modelSelectionTarget", "session"))
}

fn thinking(object: Object) -> Object {
    object
        .with("thinkingLevels", json!([{"id": "off", "label": "off"}]))
        .with("thinkingOptions", ["off"])
        .with("thinkingDefault", "off")
}

/// A session as `sessionInfo` and as a row of `sessions.list`.
pub(super) fn info(release: Release, summary: &Summary) -> Object {
    let modern = release == Release::V2026_9_6;
    let runtime = summary
        .started_at
        .zip(summary.ended_at)
        .map(|(started, ended)| ended.since(started).as_millis());
    let running = summary.status == Some(Status::Running);
    let active: Vec<&String> = summary.active.iter().map(|(run, _)| run).collect();
    // While a resumed run works, 2026.9.6 says that there is one but not which (recorded in `91`).
    let named = !matches!(summary.active, Some((_, true))) || !modern;
    Object::new()
        .with("key", &summary.key)
        .when(modern, |o| {
            o.with("visibility", "shared")
                .with("createdAt", summary.created_at)
        })
        .with("kind", "direct")
        .when(modern, |o| o.with("agentId", "main"))
        .with("updatedAt", summary.updated_at)
        .with("archived", false)
        .with("pinned", false)
        .with("unread", modern)
        .with("lastActivityAt", summary.updated_at)
        .with("sessionId", &summary.id)
        .with("abortedLastRun", summary.interrupted)
        .when(!modern, thinking)
        .maybe("status", summary.status.map(Status::name))
        .maybe("startedAt", summary.started_at)
        .when(!running, |o| {
            o.maybe("endedAt", summary.ended_at)
                .maybe("runtimeMs", runtime)
        })
        .when(modern, |o| o.maybe("lastRunId", summary.last_run.as_ref()))
        .with("modelProvider", MODEL)
        .with("model", MODEL)
        .with("contextTokens", 120_000)
        .with("hasActiveRun", !active.is_empty())
        .when(named, |o| o.with("activeRunIds", &active))
}

/// A row as messages: 2026.9.6 shows words before a tool call as a message of their own.
fn messages(release: Release, session: &str, row: &Row, seq: usize) -> Vec<Object> {
    let mark = mark(release, row, seq);
    match &row.body {
        Body::User { text, recovery } => {
            let recovered = recovery.then_some(session);
            vec![user(release, row, text, recovered, mark)]
        }
        Body::Call { say, call, tool } => calls(release, row, (say, call, tool), &mark),
        Body::Result { call, tool, text } => vec![tool_result(row, (call, tool, text), mark)],
        Body::Said { texts, stop } => {
            let content = array(texts.iter().map(|text| text_block(text)));
            vec![assistant(release, row, &content, stop, None, mark)]
        }
        Body::Failed { message } => vec![failed(release, row, message, mark)],
    }
}

/// What the gateway adds to every message.
fn mark(release: Release, row: &Row, seq: usize) -> Object {
    let modern = release == Release::V2026_9_6;
    let user = matches!(row.body, Body::User { .. });
    let position = Object::new().with("source", &row.run).with("rawSeq", seq);
    Object::new()
        .when(modern && user, |o| o.with("senderIsOwner", false))
        .when(modern && !user, |o| o.with("runId", &row.run))
        .with("id", &row.id)
        .when(modern && user, |o| o.with("idempotencyKey", user_key(row)))
        .when(release > Release::V2026_5_7, |o| {
            o.with("recordTimestampMs", row.recorded)
        })
        .when(modern, |o| o.nest("transcriptPosition", position))
        .with("seq", seq)
}

fn user_key(row: &Row) -> String {
    format!("{}:user", row.run)
}

fn user(release: Release, row: &Row, text: &str, recovered: Option<&str>, mark: Object) -> Object {
    let modern = release == Release::V2026_9_6;
    let message = Object::new().with("role", "user");
    let message = match release {
        Release::V2026_5_7 => message.list("content", [text_block(text)]),
        Release::V2026_7_35 | Release::V2026_9_6 => message.with("content", text),
    };
    let provenance = Object::new()
        .with("kind", "internal_system")
        .maybe("sourceSessionKey", recovered)
        .with("sourceTool", "main_session_restart_recovery");
    message
        .with("timestamp", row.at)
        .when(modern, |o| o.with("idempotencyKey", user_key(row)))
        .when(modern && recovered.is_some(), |o| {
            o.nest("provenance", provenance)
        })
        .nest("__openclaw", mark)
}

fn calls(
    release: Release,
    row: &Row,
    (say, call, tool): (&str, &str, &str),
    mark: &Object,
) -> Vec<Object> {
    let block = Object::new()
        .with("type", "toolCall")
        .with("id", call)
        .with("name", tool)
        .raw("arguments", "{}");
    let words = (!say.is_empty()).then(|| text_block(say));
    let stop = "toolUse";
    match release {
        Release::V2026_9_6 => {
            let before = words.map(|words| {
                let fallback = Object::new()
                    .with("replacementText", say)
                    .with("source", "segment");
                Object::new()
                    .with("role", "assistant")
                    .list("content", [words])
                    .with("timestamp", row.at)
                    .nest("openclawStreamFallback", fallback)
                    .nest("__openclaw", mark.clone())
            });
            let after = assistant(release, row, &array([block]), stop, None, mark.clone());
            before.into_iter().chain([after]).collect()
        }
        // 2026.7.35 shows the words and leaves the call out.
        Release::V2026_7_35 => {
            vec![assistant(
                release,
                row,
                &array(words),
                stop,
                None,
                mark.clone(),
            )]
        }
        Release::V2026_5_7 => {
            let content = array(words.into_iter().chain([block]));
            vec![assistant(release, row, &content, stop, None, mark.clone())]
        }
    }
}

fn tool_result(row: &Row, (call, tool, text): (&str, &str, &str), mark: Object) -> Object {
    Object::new()
        .with("role", "toolResult")
        .with("toolCallId", call)
        .with("toolName", tool)
        .list("content", [text_block(text)])
        .with("isError", false)
        .with("timestamp", row.at)
        .nest("__openclaw", mark)
}

fn failed(release: Release, row: &Row, message: &str, mark: Object) -> Object {
    match release {
        Release::V2026_5_7 => assistant(release, row, "[]", "error", Some(message), mark),
        Release::V2026_7_35 => {
            let content = array([text_block(FAILED_BEFORE_REPLY)]);
            assistant(release, row, &content, "error", None, mark)
        }
        Release::V2026_9_6 => {
            let content = array([text_block(&format!("⚠️ {message}"))]);
            assistant(release, row, &content, "error", None, mark)
                .with("idempotencyKey", format!("{}:terminal-error", row.run))
        }
    }
}

/// A message of the assistant; `content` is JSON.
fn assistant(
    release: Release,
    row: &Row,
    content: &str,
    stop: &str,
    error: Option<&str>,
    mark: Object,
) -> Object {
    let nothing = match release {
        Release::V2026_5_7 => json!({"total": 0}),
        Release::V2026_7_35 | Release::V2026_9_6 => no_cost(),
    };
    let usage = Object::new()
        .with("input", tokens(content))
        .with("output", tokens(content))
        .with("totalTokens", 2 * tokens(content))
        .with("cacheRead", 0)
        .with("cacheWrite", 0)
        .with("cost", nothing);
    Object::new()
        .with("role", "assistant")
        .raw("content", content)
        .with("api", "openai-completions")
        .with("provider", MODEL)
        .with("model", MODEL)
        .nest("usage", usage)
        .with("stopReason", stop)
        .with("timestamp", row.at)
        .maybe("errorMessage", error)
        .when(stop != "error", |o| {
            o.with("responseId", format!("c-{}", row.id))
        })
        .nest("__openclaw", mark)
}

/// The cost of a model that costs nothing.
pub(super) fn no_cost() -> serde_json::Value {
    json!({"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0})
}

/// `[Sat 2026-11-21 00:39 UTC] `, which 2026.5.7 writes before what the model reads.
pub(super) fn stamp(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.strftime("[%a %Y-%m-%d %H:%M UTC] ").to_string()
}
