//! `chat.send`: what the text says is obeyed, whoever wrote it; what is left is a run whose end is told as an event.
//!
//! What becomes of a text that comes while its session is busy differs with the release (openclaw.md 3.4) and is not
//! imitated: it waits its turn.

use std::sync::Arc;

use super::commands::{self, Reading};
use super::faults::Rejection;
use super::frame::{Reply, Request, event};
use super::gateway::Gateway;
use super::json::{Object, text_block};
use super::keys::{Known, Terminal};
use super::methods::{self, Answerer};
use super::params;
use super::release::Release;
use super::run::{self, ReplyTo};
use super::script::Asked;
use super::state::{Admitted, Obeyed, Wanted};

/// `chat.send`: one response at once; an end follows for what was started.
pub(super) fn send(answerer: &Answerer, request: &Request) -> Result<(), Rejection> {
    let gateway = &answerer.gateway;
    params::chat_send(gateway.release, &request.params)?;
    let text = cleaned(request.text("message").unwrap_or_default())?;
    let raw = request.text("sessionKey").unwrap_or_default();
    let session = methods::session(gateway, raw)?;
    let key = request.text("idempotencyKey").unwrap_or_default();
    if let Some(status) = known(gateway, key) {
        answerer.give(&Reply::done(state(key, status)));
        return Ok(());
    }
    let obeyed = |text: &str| Obeyed {
        session: session.clone(),
        key: key.to_owned(),
        text: text.to_owned(),
    };
    match commands::read(gateway.release, &session, &text) {
        Reading::Stop => {
            gateway.memory.obey(obeyed(&text));
            answerer.give(&Reply::done(stop(gateway, &session)));
        }
        Reading::Command(said) => {
            gateway.memory.obey(obeyed(&text));
            gateway
                .memory
                .done(key, &terminal(key), gateway.clock.now());
            answerer.give(&Reply::done(state(key, "started")));
            let end = end(gateway, &session, key, said.as_deref());
            gateway.clients.tell(event("chat", end));
        }
        Reading::Words { words, directives } => {
            for directive in &directives {
                gateway.memory.obey(obeyed(directive));
            }
            let asked = Asked {
                session,
                key: key.to_owned(),
                text: words,
                params: request.params.clone(),
                at: gateway.clock.now(),
                resumed: false,
            };
            ask(answerer, asked)?;
        }
        Reading::Other(name) => {
            let message = format!("the command /{name} is not emulated by the sandbox");
            return Err(Rejection::invalid(message).detail("NOT_EMULATED"));
        }
    }
    Ok(())
}

/// The text without control characters, as the gateway reads it.
fn cleaned(text: &str) -> Result<String, Rejection> {
    if text.contains('\0') {
        return Err(Rejection::invalid("message must not contain null bytes"));
    }
    if text.trim().is_empty() {
        return Err(Rejection::invalid("message or attachment required"));
    }
    let kept = |c: &char| !c.is_ascii_control() || matches!(c, '\t' | '\n' | '\r');
    Ok(text.chars().filter(kept).collect())
}

/// The status of a key that was used before.
fn known(gateway: &Gateway, key: &str) -> Option<&'static str> {
    match gateway.memory.look(key, gateway.clock.now()) {
        Known::Nothing => None,
        Known::Running { .. } => Some("in_flight"),
        Known::Ended(_) => Some("ok"),
    }
}

fn state(key: &str, status: &str) -> Object {
    Object::new().with("runId", key).with("status", status)
}

fn terminal(key: &str) -> Arc<Terminal> {
    let ended = Reply::done(state(key, "ok"));
    Arc::new(Terminal {
        reply: ended.clone(),
        waited: ended,
    })
}

/// Ends what runs in the session. The answer has no run of its own.
fn stop(gateway: &Gateway, session: &str) -> Object {
    let stopped = gateway.memory.see(session, |session| {
        session.active().map(|run| {
            run.abort();
            run.asked.key.clone()
        })
    });
    let runs: Vec<String> = stopped.flatten().into_iter().collect();
    Object::new()
        .with("ok", true)
        .with("aborted", !runs.is_empty())
        .with("runIds", runs)
}

/// The end of a command: its words, if it has some.
fn end(gateway: &Gateway, session: &str, key: &str, said: Option<&str>) -> Object {
    let end = Object::new()
        .with("runId", key)
        .with("sessionKey", session)
        .when(gateway.release >= Release::V2026_7_35, |o| {
            o.with("agentId", methods::agent_of(session))
        })
        .with("seq", 1)
        .with("state", "final");
    let Some(text) = said else {
        return end;
    };
    let message = Object::new()
        .with("role", "assistant")
        .list("content", [text_block(text)])
        .with("timestamp", gateway.clock.now());
    end.nest("message", message)
}

/// The words become a run. Only its events tell of its end.
fn ask(answerer: &Answerer, asked: Asked) -> Result<(), Rejection> {
    let gateway = &answerer.gateway;
    let key = asked.key.clone();
    let admitted = gateway.memory.admit(Wanted {
        asked,
        reply_to: ReplyTo::Nobody,
        timeout: None,
    });
    match admitted {
        Admitted::New { run, start } => {
            answerer.give(&Reply::done(state(&key, "started")));
            run.acknowledged.open();
            if start {
                run::start(gateway, run);
            }
        }
        Admitted::Running { .. } => answerer.give(&Reply::done(state(&key, "in_flight"))),
        Admitted::Ended(_) => answerer.give(&Reply::done(state(&key, "ok"))),
        Admitted::Dead => {}
        Admitted::Full => return Err(methods::full()),
    }
    Ok(())
}
