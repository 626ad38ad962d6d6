//! What a run's outcome means for the customer, release by release (openclaw.md 3.7 to 3.10).

use gateway::transcript::Said;
use gateway::{Payload, RunResult};
use model::Reply;

use super::control::strip_control_lines;

/// What follows a text that the model could not finish.
const TRUNCATED: &str = "\n\n[…]";

/// Notices that the gateway appends for its own interface, unmarked (2026.7.35 tools, 2026.9.6 truncation).
const NOTICES: [&str; 3] = ["⚠️ 🛠️", "⚠️ Reply truncated", "⚠️ Agent couldn't generate"];

/// The reply that `result` carries.
///
/// Silence on 2026.9.6 looks like a failure whose raw text is the silence token; every other failure is one.
pub fn reply(result: &RunResult) -> Reply {
    let visible = result.final_visible_text.as_deref().unwrap_or_default();
    let raw = result.final_raw_text.as_deref().unwrap_or(visible);
    let silent = !raw.trim().is_empty() && strip_control_lines(raw).is_none();
    if silent && !result.aborted {
        return Reply::Silent;
    }
    if !result.ok {
        return Reply::Failed {
            detail: detail(result),
        };
    }
    let texts = said(result);
    if texts.is_empty() {
        Reply::Silent
    } else {
        Reply::Say(texts)
    }
}

/// The reply that texts from a session's history carry.
pub fn history_reply(texts: &[String]) -> Reply {
    let texts: Vec<String> = texts
        .iter()
        .filter_map(|text| strip_control_lines(text))
        .collect();
    if texts.is_empty() {
        Reply::Silent
    } else {
        Reply::Say(texts)
    }
}

/// What goes to the customer of one text in a session's transcript.
pub fn transcript_text(said: &Said) -> Option<String> {
    let text = strip_control_lines(&said.text)?;
    Some(if said.truncated {
        text + TRUNCATED
    } else {
        text
    })
}

fn detail(result: &RunResult) -> String {
    let told = [&result.error, &result.error_kind, &result.summary];
    told.into_iter()
        .flatten()
        .next()
        .cloned()
        .unwrap_or_else(|| format!("run ended as {:?}", result.status))
}

/// The final texts. Where one payload is the whole final message, those before it were said on the way to a tool
/// (2026.5.7 lists them all) and those after it are the gateway's notices.
fn said(result: &RunResult) -> Vec<String> {
    let visible = result
        .final_visible_text
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let told: Vec<&Payload> = result
        .payloads
        .iter()
        .filter(|p| !p.is_error && !p.is_reasoning)
        .collect();
    let whole = told
        .iter()
        .rfind(|payload| Some(payload.text.trim()) == visible);
    let texts: Vec<String> = match whole {
        Some(payload) => strip_control_lines(&payload.text).into_iter().collect(),
        None => told
            .iter()
            .filter(|payload| {
                !NOTICES
                    .iter()
                    .any(|notice| payload.text.starts_with(notice))
            })
            .filter_map(|payload| strip_control_lines(&payload.text))
            .collect(),
    };
    if result.stop_reason.as_deref() == Some("length") {
        truncated(texts)
    } else {
        texts
    }
}

fn truncated(mut texts: Vec<String>) -> Vec<String> {
    if let Some(last) = texts.last_mut() {
        last.push_str(TRUNCATED);
    }
    texts
}
