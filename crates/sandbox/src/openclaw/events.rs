//! The events of a run, as each release tells them to every connection (openclaw.md 2).
//!
//! Events are for onlookers: the answer of an `agent` request is its second response. So they carry what the
//! releases' events carry, and come in their order, without imitating every repetition.

use model::Timestamp;

use super::frame::event;
use super::json::{Object, text_block};
use super::methods::agent_of;
use super::outcome::{Outcome, Visible};
use super::release::Release;
use super::run::Run;
use super::session::Summary;

/// One run, for whom events are told.
struct Teller<'a> {
    release: Release,
    run: &'a Run,
    summary: &'a Summary,
    at: Timestamp,
}

/// The run began.
pub(super) fn started(
    release: Release,
    run: &Run,
    summary: &Summary,
    at: Timestamp,
) -> Vec<String> {
    let teller = Teller {
        release,
        run,
        summary,
        at,
    };
    let mut events = teller.task("running", None);
    let start = Object::new().with("phase", "start").with("startedAt", at);
    events.push(teller.agent("lifecycle", start));
    if release == Release::V2026_9_6 {
        events.push(teller.agent("lifecycle", model(Some("scripted"))));
    }
    events
}

/// The run used a tool.
pub(super) fn tool(
    release: Release,
    run: &Run,
    summary: &Summary,
    call: &str,
    tool: &str,
    at: Timestamp,
) -> Vec<String> {
    let teller = Teller {
        release,
        run,
        summary,
        at,
    };
    let item = |phase: &str, status: &str| {
        Object::new()
            .with("itemId", format!("tool:{call}"))
            .with("phase", phase)
            .with("kind", "tool")
            .with("title", tool)
            .with("status", status)
            .with("name", tool)
            .with("toolCallId", call)
            .with("startedAt", at)
    };
    vec![
        teller.agent("item", item("start", "running")),
        teller.agent("item", item("end", "completed").with("endedAt", at)),
    ]
}

/// The run ended.
pub(super) fn ended(
    release: Release,
    run: &Run,
    summary: &Summary,
    outcome: &Outcome,
    at: Timestamp,
) -> Vec<String> {
    let teller = Teller {
        release,
        run,
        summary,
        at,
    };
    let mut events = Vec::new();
    if let Visible::Text { text, .. } = &outcome.visible {
        events.extend(teller.said(text));
    }
    if release >= Release::V2026_7_35 {
        events.push(teller.agent("lifecycle", finishing(outcome, at)));
    }
    if release == Release::V2026_9_6 {
        events.push(teller.agent("lifecycle", model(None)));
    }
    events.push(teller.agent("lifecycle", teller.last(outcome)));
    events.extend(teller.chat_end(outcome));
    events.extend(teller.task("completed", Some("completed")));
    events
}

fn model(name: Option<&str>) -> Object {
    Object::new()
        .with("phase", "model")
        .with("provider", name)
        .with("model", name)
}

fn finishing(outcome: &Outcome, at: Timestamp) -> Object {
    let data = Object::new().with("phase", "finishing");
    let data = match &outcome.visible {
        Visible::Error { message } => data.with("error", message),
        Visible::Text { stop, .. } => data.with("stopReason", stop),
        Visible::Nothing => data.with("stopReason", "stop"),
        Visible::Aborted => data.with("stopReason", "aborted"),
    };
    data.with("aborted", matches!(outcome.visible, Visible::Aborted))
        .with("livenessState", outcome.liveness)
        .with("endedAt", at)
}

impl Teller<'_> {
    /// An `agent` event: the fields of a lifecycle stand in another order than those of a stream.
    fn agent(&self, stream: &str, data: Object) -> String {
        let new = self.release >= Release::V2026_7_35;
        let payload = Object::new()
            .with("runId", &self.run.asked.key)
            .when(new, |o| o.with("sessionKey", &self.summary.key))
            .when(new, |o| o.with("sessionId", &self.summary.id))
            .when(new, |o| o.with("agentId", agent_of(&self.summary.key)))
            .with("stream", stream)
            .nest("data", data)
            .when(!new, |o| o.with("sessionKey", &self.summary.key))
            .with("seq", self.run.next_seq())
            .with("ts", self.at);
        event("agent", payload)
    }

    /// A `chat` event of this state; `fill` adds what belongs to the state.
    fn chat(&self, seq: u64, state: &str, fill: impl FnOnce(Object) -> Object) -> String {
        let payload = Object::new()
            .with("runId", &self.run.asked.key)
            .with("sessionKey", &self.summary.key)
            .when(self.release >= Release::V2026_7_35, |o| {
                o.with("agentId", agent_of(&self.summary.key))
            })
            .with("seq", seq)
            .with("state", state);
        event("chat", fill(payload))
    }

    fn message(&self, text: &str) -> Object {
        Object::new()
            .with("role", "assistant")
            .list("content", [text_block(text)])
            .with("timestamp", self.at)
    }

    /// The words as they stream, in one piece.
    fn said(&self, text: &str) -> Vec<String> {
        let words = Object::new().with("text", text).with("delta", text);
        let assistant = self.agent("assistant", words);
        let seq = self.run.next_seq();
        let delta = self.chat(seq, "delta", |o| {
            o.when(self.release >= Release::V2026_7_35, |o| {
                o.with("deltaText", text)
            })
            .nest("message", self.message(text))
        });
        let mut events = vec![assistant, delta];
        if self.release == Release::V2026_9_6 {
            let usage = Object::new().with("outputTokens", super::outcome::tokens(text));
            events.push(self.agent("usage", usage));
        }
        events
    }

    /// The last lifecycle event.
    fn last(&self, outcome: &Outcome) -> Object {
        let failed = matches!(outcome.visible, Visible::Error { .. });
        let data = Object::new()
            .with("phase", if failed { "error" } else { "end" })
            .when(self.release >= Release::V2026_7_35, |o| {
                o.maybe("startedAt", self.summary.started_at)
            })
            .with("endedAt", self.at);
        let data = match (&outcome.visible, self.release) {
            (Visible::Error { message }, _) => data.with("error", message),
            (_, Release::V2026_5_7) => data,
            (Visible::Text { stop, .. }, _) => data.with("aborted", false).with("stopReason", stop),
            (Visible::Nothing, _) => data.with("aborted", false).with("stopReason", "stop"),
            (Visible::Aborted, _) => data.with("aborted", true),
        };
        match self.release {
            Release::V2026_5_7 => data.with("livenessState", outcome.liveness),
            Release::V2026_7_35 => data,
            Release::V2026_9_6 => data
                .with("livenessState", outcome.liveness)
                .with("executionSettled", true)
                .maybe_raw("terminalReceipt", outcome.receipt.as_deref())
                .maybe_raw("terminalReply", outcome.terminal_reply.as_deref()),
        }
    }

    /// How the chat stream ends. 2026.5.7 and 2026.7.35 tell a provider's failure there only later.
    fn chat_end(&self, outcome: &Outcome) -> Option<String> {
        let seq = self.run.next_seq();
        let stop = |o: Object, reason: &str| {
            o.when(self.release >= Release::V2026_7_35, |o| {
                o.with("stopReason", reason)
            })
        };
        match &outcome.visible {
            Visible::Text { text, stop: reason } => Some(self.chat(seq, "final", |o| {
                stop(o, reason).nest("message", self.message(text))
            })),
            Visible::Nothing => Some(self.chat(seq, "final", |o| stop(o, "stop"))),
            Visible::Aborted => Some(self.chat(seq, "aborted", |o| stop(o, "aborted"))),
            Visible::Error { message } if self.release == Release::V2026_9_6 => {
                Some(self.chat(seq, "error", |o| o.with("errorMessage", message)))
            }
            Visible::Error { .. } => None,
        }
    }

    /// The background record that `agent` makes of every run since 2026.7.
    fn task(&self, status: &str, summary: Option<&str>) -> Vec<String> {
        if self.release < Release::V2026_7_35 {
            return Vec::new();
        }
        let key = &self.run.asked.key;
        let task = Object::new()
            .with("id", key)
            .with("taskId", key)
            .with("kind", "cli")
            .with("runtime", "cli")
            .with("status", status)
            .with("title", self.run.asked.words())
            .with("agentId", agent_of(&self.summary.key))
            .with("sessionKey", &self.summary.key)
            .with("childSessionKey", &self.summary.key)
            .with("ownerKey", &self.summary.key)
            .with("runId", key)
            .with("sourceId", key)
            .with("createdAt", self.run.asked.at)
            .with("updatedAt", self.at)
            .maybe("terminalSummary", summary);
        let payload = Object::new().with("action", "upserted").nest("task", task);
        vec![event("task", payload)]
    }
}
