//! How a run's end is reported: one end of the model, three releases, and what they make of it (openclaw.md 3.7
//! to 3.10; recorded in the frames `61-agent-*`).

use std::sync::Arc;

use model::Timestamp;

use super::faults::Rejection;
use super::frame::Reply;
use super::json::Object;
use super::keys::Terminal;
use super::release::Release;
use super::run::Run;
use super::script::End;
use super::session::{Body, Status, Summary};

mod meta;

/// What the gateway says instead of an answer that it did not get.
const NO_ANSWER: &str = "⚠️ Agent couldn't generate a response. Please try again.";
/// The same in `meta.error`.
const NO_ANSWER_ERROR: &str = "Agent couldn't generate a response.";
/// The payload that 2026.9.6 adds to a truncated answer.
const TRUNCATED: &str = "⚠️ Reply truncated at the model's output token limit. The text above is partial — ask \
                         to continue it.";
/// What a run that took too long says.
const TOO_LONG: &str = "Request timed out before a response was generated. Please try again, or increase \
                        `agents.defaults.timeoutSeconds` in your config.";
/// What the agent says when it chooses to say nothing.
const NO_REPLY: &str = "NO_REPLY";

/// How a run came to its end.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// The model ended it.
    Model(End),
    /// The request's `timeout` did, or somebody who aborted it.
    TimedOut,
}

/// What a report is made of.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) release: Release,
    pub(super) run: &'a Run,
    pub(super) summary: &'a Summary,
    pub(super) session_file: &'a str,
    pub(super) began: Timestamp,
    pub(super) now: Timestamp,
    /// What was said on the way.
    pub(super) interim: &'a [String],
    pub(super) tools: usize,
    pub(super) ended: &'a Ended,
}

/// What onlookers see of the end.
#[derive(Debug, Clone)]
pub(super) enum Visible {
    /// An answer, with its stop reason.
    Text { text: String, stop: &'static str },
    /// A silent end.
    Nothing,
    /// A failure.
    Error { message: String },
    /// A run that was cut short.
    Aborted,
}

/// The report.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The last row of the transcript, where one is written.
    pub(super) row: Option<Body>,
    pub(super) status: Status,
    pub(super) visible: Visible,
    pub(super) liveness: &'static str,
    /// `terminalReceipt` of 2026.9.6.
    pub(super) receipt: Option<String>,
    /// `terminalReply` of 2026.9.6.
    pub(super) terminal_reply: Option<String>,
    pub(super) terminal: Arc<Terminal>,
}

/// One payload of a result.
#[derive(Debug)]
struct Payload {
    text: String,
    is_error: bool,
}

/// What a release makes of an end, before it is written as JSON.
#[derive(Debug)]
struct Verdict {
    /// `status` of the result: `ok`, `error` or `timeout`.
    word: &'static str,
    payloads: Vec<Payload>,
    /// What the model really said, where it said something.
    said: Option<String>,
    /// The stop reason, where the run is taken for a good one.
    stop: Option<&'static str>,
    liveness: &'static str,
    /// `meta.error.message`.
    error: Option<&'static str>,
}

/// The report of a run's end.
pub(super) fn of(facts: &Facts<'_>) -> Outcome {
    match facts.ended {
        Ended::Model(End::Failed(message)) => {
            let row = Body::Failed {
                message: message.clone(),
            };
            failure(facts, row, message)
        }
        Ended::Model(End::Empty) if facts.release == Release::V2026_5_7 => {
            let row = Body::Said {
                texts: Vec::new(),
                stop: "stop",
            };
            let message = "scripted/scripted ended with an incomplete terminal response";
            failure(facts, row, message)
        }
        Ended::Model(end) => report(facts, &end_of(facts, end), Some(row(end))),
        Ended::TimedOut => report(facts, &too_long(facts.release), None),
    }
}

/// About how many tokens a text has.
pub(super) fn tokens(text: &str) -> usize {
    text.len() / 4 + 1
}

fn row(end: &End) -> Body {
    let said = |texts: Vec<String>, stop| Body::Said { texts, stop };
    match end {
        End::Texts(texts) => said(texts.clone(), "stop"),
        End::Silent => said(vec![NO_REPLY.to_owned()], "stop"),
        End::Empty => said(Vec::new(), "stop"),
        End::Truncated(text) => said(vec![text.clone()], "length"),
        End::Failed(message) => Body::Failed {
            message: message.clone(),
        },
    }
}

/// A run that failed at the provider: the second response is an error.
fn failure(facts: &Facts<'_>, row: Body, message: &str) -> Outcome {
    let key = &facts.run.asked.key;
    let summary = format!("{}{message}", facts.release.failure_prefix());
    let payload = Object::new()
        .with("runId", key)
        .with("status", "error")
        .with("summary", &summary);
    let reply = Reply::failed(payload, &Rejection::new("UNAVAILABLE", &summary));
    let waited = Object::new()
        .with("runId", key)
        .with("status", "error")
        .with("endedAt", facts.now)
        .with("error", &summary);
    Outcome {
        row: Some(row),
        status: Status::Failed,
        visible: Visible::Error {
            message: message.to_owned(),
        },
        liveness: "blocked",
        receipt: None,
        terminal_reply: None,
        terminal: Arc::new(Terminal {
            reply,
            waited: Reply::done(waited),
        }),
    }
}

fn plain(text: impl Into<String>) -> Payload {
    Payload {
        text: text.into(),
        is_error: false,
    }
}

/// What the release makes of what the model did.
fn end_of(facts: &Facts<'_>, end: &End) -> Verdict {
    let good = |payloads: Vec<Payload>, said: String, stop| Verdict {
        word: "ok",
        payloads,
        said: Some(said),
        stop: Some(stop),
        liveness: "working",
        error: None,
    };
    let bad = |said: Option<String>| no_answer(facts.release, said);
    match (end, facts.release) {
        (End::Texts(texts), release) => {
            // Only 2026.5.7 makes payloads of what was said before a tool.
            let interim = if release == Release::V2026_5_7 {
                facts.interim
            } else {
                &[]
            };
            let payloads = interim.iter().chain(texts).map(plain).collect();
            good(payloads, texts.join("\n\n"), "stop")
        }
        (End::Silent, Release::V2026_9_6) => bad(Some(NO_REPLY.to_owned())),
        (End::Silent, Release::V2026_5_7 | Release::V2026_7_35) => {
            good(Vec::new(), NO_REPLY.to_owned(), "stop")
        }
        (End::Truncated(text), Release::V2026_9_6) => {
            good(vec![plain(text), plain(TRUNCATED)], text.clone(), "length")
        }
        (End::Truncated(text), Release::V2026_7_35) => bad(Some(text.clone())),
        (End::Truncated(text), Release::V2026_5_7) => {
            good(vec![plain(text)], text.clone(), "length")
        }
        (End::Empty | End::Failed(_), _) => bad(None),
    }
}

/// A run that ended without an answer. 2026.7.35 reports it as `ok`, with an error in `meta` alone.
fn no_answer(release: Release, said: Option<String>) -> Verdict {
    let flagged = release == Release::V2026_9_6;
    Verdict {
        word: if flagged { "error" } else { "ok" },
        payloads: vec![Payload {
            text: NO_ANSWER.to_owned(),
            is_error: flagged,
        }],
        said,
        stop: None,
        liveness: "abandoned",
        error: Some(NO_ANSWER_ERROR),
    }
}

fn too_long(release: Release) -> Verdict {
    let flagged = release == Release::V2026_9_6;
    let apology = Payload {
        text: TOO_LONG.to_owned(),
        is_error: flagged,
    };
    Verdict {
        word: "timeout",
        payloads: if flagged {
            vec![apology]
        } else {
            vec![plain("LLM request failed."), apology]
        },
        said: None,
        stop: None,
        liveness: if flagged { "paused" } else { "working" },
        error: flagged.then_some(TOO_LONG),
    }
}

/// Writes the verdict down.
fn report(facts: &Facts<'_>, verdict: &Verdict, row: Option<Body>) -> Outcome {
    let timed_out = verdict.word == "timeout";
    let modern = facts.release == Release::V2026_9_6;
    let disposition = disposition(verdict);
    let receipt = modern.then(|| meta::receipt(facts, Some(disposition != "visible")).end());
    let terminal_reply = modern.then(|| {
        Object::new()
            .with("disposition", disposition)
            .maybe(
                "text",
                verdict.said.as_ref().filter(|_| disposition == "visible"),
            )
            .end()
    });
    let payload = Object::new()
        .with("runId", &facts.run.asked.key)
        .with("status", verdict.word)
        .with("summary", summary(verdict.word))
        .when(timed_out && !modern, |o| o.with("stopReason", "rpc"))
        .when(timed_out, provider_phase)
        .nest("result", result(facts, verdict));
    let waited = waited(facts, verdict)
        .maybe_raw("terminalReceipt", receipt.as_deref())
        .maybe_raw("terminalReply", terminal_reply.as_deref());
    Outcome {
        row,
        status: match verdict.word {
            "ok" => Status::Done,
            "timeout" => Status::Timeout,
            _ => Status::Failed,
        },
        visible: visible(facts.release, verdict),
        liveness: verdict.liveness,
        receipt,
        terminal_reply,
        terminal: Arc::new(Terminal {
            reply: Reply::done(payload),
            waited: Reply::done(waited),
        }),
    }
}

fn summary(word: &str) -> &'static str {
    match word {
        "ok" => "completed",
        "timeout" => "aborted",
        _ => "failed",
    }
}

fn provider_phase(object: Object) -> Object {
    object
        .with("timeoutPhase", "provider")
        .with("providerStarted", true)
}

fn disposition(verdict: &Verdict) -> &'static str {
    match (verdict.said.as_deref(), verdict.stop) {
        (Some(NO_REPLY), _) => "silent",
        (Some(_), Some(_)) => "visible",
        (Some(_), None) | (None, _) => "empty",
    }
}

fn visible(release: Release, verdict: &Verdict) -> Visible {
    match (&verdict.said, verdict.stop, verdict.error) {
        (Some(said), Some(_), _) if said == NO_REPLY => Visible::Nothing,
        (Some(said), Some(stop), _) => Visible::Text {
            text: said.clone(),
            stop,
        },
        (_, _, Some(TOO_LONG)) => Visible::Error {
            message: TOO_LONG.to_owned(),
        },
        (_, None, None) if release < Release::V2026_9_6 => Visible::Aborted,
        _ => Visible::Error {
            message: NO_ANSWER.to_owned(),
        },
    }
}

fn result(facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let payloads = verdict.payloads.iter().map(|payload| {
        Object::new()
            .with("text", &payload.text)
            .when(payload.is_error, |o| o.with("isError", true))
            .with("mediaUrl", None::<&str>)
    });
    let said_something = !verdict.payloads.is_empty();
    Object::new()
        .list("payloads", payloads)
        .nest("meta", meta::of(facts, verdict))
        .when(facts.release == Release::V2026_9_6, |o| {
            o.with("sourceReplyDeliveryState", "missing")
        })
        .when(facts.release == Release::V2026_5_7 && said_something, |o| {
            o.with("deliverySucceeded", false)
        })
}

/// The answer of `agent.wait`, which takes `meta.error` for an error even where the result says `ok`.
fn waited(facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let timed_out = verdict.word == "timeout";
    let modern = facts.release == Release::V2026_9_6;
    let word = match verdict.error {
        Some(_) if !timed_out => "error",
        Some(_) | None => verdict.word,
    };
    let error = match (timed_out, modern, verdict.error) {
        (true, true, _) => Some(TOO_LONG),
        (true, false, _) | (false, _, Some(_)) => Some(summary(verdict.word)),
        (false, _, None) => None,
    };
    Object::new()
        .with("runId", &facts.run.asked.key)
        .with("status", word)
        .when(timed_out && modern, |o| o.with("startedAt", facts.began))
        .with("endedAt", facts.now)
        .maybe("error", error)
        .maybe("stopReason", verdict.stop)
        .when(timed_out && !modern, |o| o.with("stopReason", "rpc"))
        .with("livenessState", verdict.liveness)
        .when(timed_out, provider_phase)
}
