//! `result.meta` of a run: the bulk of a result, and the fields that differ most between the releases.

use std::sync::LazyLock;

use super::super::history::stamp;
use super::super::json::{Object, array};
use super::super::release::Release;
use super::{Facts, Verdict, tokens};

/// The one provider and model of the scripted agent.
const MODEL: &str = "scripted";
/// Skills and tools in the report about the system prompt: as many as make a result as large as a real one.
const REPORTED: usize = 40;

/// `result.meta`.
pub(super) fn of(facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let release = facts.release;
    let timed_out = verdict.word == "timeout";
    let aborted = timed_out && release < Release::V2026_9_6;
    let early_texts = release == Release::V2026_7_35 && verdict.stop.is_some();
    let meta = Object::new()
        .when(timed_out && !aborted, |o| {
            o.with("modelFallbackStopReason", "agent_run_terminal_timeout")
        })
        .with("durationMs", facts.now.since(facts.began).as_millis())
        .nest("agentMeta", agent(facts, verdict))
        .with("aborted", aborted)
        .when(early_texts, |o| texts(o, verdict))
        .nest("systemPromptReport", prompt_report(facts))
        .with("finalPromptText", prompt_text(facts))
        .when(!early_texts, |o| texts(o, verdict))
        .with("replayInvalid", verdict.stop.is_none() && !aborted)
        .with("livenessState", verdict.liveness)
        .maybe("stopReason", verdict.stop)
        .when(timed_out, super::provider_phase);
    let meta = match verdict.error {
        Some(message) => meta.nest("error", failure(message, timed_out)),
        None => meta,
    };
    match verdict.stop {
        Some(stop) => good(meta, facts, stop),
        None if release == Release::V2026_9_6 => {
            meta.nest("executionTrace", failed_trace(timed_out))
        }
        None => meta,
    }
}

/// `terminalReceipt`: in `meta` without the disposition.
pub(super) fn receipt(facts: &Facts<'_>, hidden: Option<bool>) -> Object {
    let key = &facts.run.asked.key;
    let named = || Object::new().with("provider", MODEL).with("model", MODEL);
    Object::new()
        .with("runId", key)
        .with("sessionId", &facts.summary.id)
        .with("turnId", key)
        .nest("requested", named())
        .nest("effective", named().with("responseModel", MODEL))
        .raw("successfulToolNames", "[]")
        .with("rerouted", false)
        .maybe(
            "terminalDisposition",
            hidden.map(|hidden| if hidden { "not-visible" } else { "visible" }),
        )
}

fn texts(meta: Object, verdict: &Verdict) -> Object {
    meta.maybe("finalAssistantVisibleText", verdict.said.as_ref())
        .maybe("finalAssistantRawText", verdict.said.as_ref())
}

/// What the model was given; 2026.5.7 puts the time before it.
fn prompt_text(facts: &Facts<'_>) -> String {
    let text = facts.run.prompt(facts.release);
    match facts.release {
        Release::V2026_5_7 => format!("{}{text}", stamp(facts.began)),
        Release::V2026_7_35 | Release::V2026_9_6 => text,
    }
}

fn failure(message: &str, timed_out: bool) -> Object {
    Object::new()
        .with("kind", "incomplete_turn")
        .with("message", message)
        .with("fallbackSafe", !timed_out)
        .when(!timed_out, |o| o.with("terminalPresentation", false))
}

fn good(meta: Object, facts: &Facts<'_>, stop: &str) -> Object {
    let attempt = Object::new()
        .with("provider", MODEL)
        .with("model", MODEL)
        .with("result", "success")
        .with("stage", "assistant");
    let trace = Object::new()
        .with("winnerProvider", MODEL)
        .with("winnerModel", MODEL)
        .list("attempts", [attempt])
        .with("fallbackUsed", false)
        .with("runner", "embedded");
    let tools = |o: Object| {
        let summary = Object::new()
            .with("calls", facts.tools)
            .with("tools", ["session_status"])
            .with("failures", 0);
        o.nest("toolSummary", summary)
    };
    let completion = Object::new()
        .with("stopReason", stop)
        .with("finishReason", stop);
    let last = facts.release == Release::V2026_9_6;
    meta.nest("executionTrace", trace)
        .nest("requestShaping", Object::new().with("thinking", "off"))
        .when(facts.tools > 0 && !last, tools)
        .nest("completion", completion)
        .when(facts.tools > 0 && last, tools)
}

fn failed_trace(timed_out: bool) -> Object {
    let attempt = Object::new()
        .with("provider", MODEL)
        .with("model", MODEL)
        .with("result", "candidate_failed")
        .with("reason", "format");
    Object::new()
        .when(!timed_out, |o| o.list("attempts", [attempt]))
        .with("fallbackUsed", !timed_out)
}

fn agent(facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let modern = facts.release == Release::V2026_9_6;
    let harness = match facts.release {
        Release::V2026_5_7 => "pi",
        Release::V2026_7_35 | Release::V2026_9_6 => "openclaw",
    };
    let credential = Object::new()
        .with("kind", "direct")
        .with("evidence", "provider-config")
        .with("authorization", "declared");
    let object = Object::new()
        .with("sessionId", &facts.summary.id)
        .with("sessionFile", facts.session_file)
        .with("provider", MODEL)
        .with("model", MODEL)
        .with("contextTokens", 120_000)
        .when(modern, |o| o.with("contextTokensSource", "resolved"))
        .with("agentHarnessId", harness)
        .when(modern, |o| o.nest("credentialSource", credential));
    let object = if verdict.word == "timeout" {
        object
    } else {
        usage(object, facts, verdict)
    };
    let object = object.when(facts.release >= Release::V2026_7_35, |o| {
        o.nest("contextBudgetStatus", budget(facts))
    });
    let object = if modern {
        counters(object, facts, verdict)
    } else {
        object
    };
    let retried = verdict.error.is_some() && (modern || verdict.said.is_none());
    object.when(retried && verdict.word != "timeout", |o| {
        o.list("fallbackAttempts", [attempt()])
    })
}

fn attempt() -> Object {
    Object::new()
        .with("provider", MODEL)
        .with("model", MODEL)
        .with("error", super::NO_ANSWER)
        .with("reason", "format")
        .with("code", "incomplete_result")
}

fn usage(object: Object, facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let input = tokens(&facts.run.asked.text);
    let output = verdict.said.as_deref().map_or(0, tokens);
    let modern = facts.release == Release::V2026_9_6;
    let nothing = || Object::new().with("total", 0);
    let spent = Object::new()
        .with("input", input)
        .with("output", output)
        .when(modern, |o| o.with("cacheRead", 0).with("cacheWrite", 0))
        .with("total", input + output)
        .when(modern, |o| o.nest("cost", nothing()));
    let last = Object::new()
        .with("input", input)
        .with("output", output)
        .with("cacheRead", 0)
        .with("cacheWrite", 0)
        .when(modern, |o| o.nest("cost", nothing()))
        .with("total", input + output);
    object
        .nest("usage", spent)
        .nest("lastCallUsage", last)
        .with("promptTokens", input)
}

fn budget(facts: &Facts<'_>) -> Object {
    let estimated = tokens(&facts.run.asked.text) + 11_000;
    Object::new()
        .with("schemaVersion", 1)
        .with("source", "pre-prompt-estimate")
        .with("updatedAt", facts.began)
        .with("provider", MODEL)
        .with("model", MODEL)
        .with("route", "fits")
        .with("shouldCompact", false)
        .with("estimatedPromptTokens", estimated)
        .with("contextTokenBudget", 120_000)
        .with("promptBudgetBeforeReserve", 100_000)
        .with("reserveTokens", 20_000)
        .with("effectiveReserveTokens", 20_000)
        .with(
            "remainingPromptBudgetTokens",
            100_000_usize.saturating_sub(estimated),
        )
        .with("overflowTokens", 0)
        .with("toolResultReducibleChars", 0)
        .with("messageCount", 0)
        .with("unwindowedMessageCount", 0)
        .with("sessionId", &facts.summary.id)
}

/// What only 2026.9.6 counts.
fn counters(object: Object, facts: &Facts<'_>, verdict: &Verdict) -> Object {
    let calls = Object::new()
        .with("search", 0)
        .with("describe", 0)
        .with("call", 0);
    object
        .with("codeModeEngaged", false)
        .with("assistantTurns", facts.tools + 1)
        .nest("bridgeCalls", calls)
        .when(verdict.word != "timeout", |o| o.with("costUsd", 0))
        .nest("terminalReceipt", receipt(facts, None))
}

/// The report about the system prompt, which makes a real result ten kilobytes and more.
fn prompt_report(facts: &Facts<'_>) -> Object {
    static REST: LazyLock<String> = LazyLock::new(report_rest);
    let mut report = Object::new()
        .with("source", "run")
        .with("generatedAt", facts.began)
        .with("sessionId", &facts.summary.id)
        .with("sessionKey", &facts.summary.key)
        .with("provider", MODEL)
        .with("model", MODEL);
    for (key, json) in [
        ("workspaceDir", "\"/home/user/ws\""),
        ("tools", REST.as_str()),
    ] {
        report = report.raw(key, json);
    }
    report
}

fn report_rest() -> String {
    let entries = (0..REPORTED).map(|n| {
        Object::new()
            .with("name", format!("tool_{n}"))
            .with("summaryChars", 200 + n)
            .with("summaryHash", format!("{n:064x}"))
            .with("schemaChars", 400 + n)
            .with("schemaHash", format!("{:064x}", n + REPORTED))
            .with("propertiesCount", n % 13)
    });
    Object::new()
        .with("listChars", 0)
        .with("schemaChars", 6_277)
        .raw("entries", &array(entries))
        .end()
}
