//! The requests that the stand-in answers. Any other is refused by name, so that nothing depends on it unnoticed.

use std::sync::Arc;
use std::time::Duration;

use model::{SessionKey, Timestamp};
use tokio::time::timeout;

use super::attachments;
use super::chat;
use super::clients::Out;
use super::faults::{Rejection, RequestFault};
use super::frame::{Reply, Request};
use super::gateway::Gateway;
use super::history::{self, Page};
use super::json::Object;
use super::keys::Known;
use super::params;
use super::release::Release;
use super::run::{self, ReplyTo, Run};
use super::script::Asked;
use super::state::{Admitted, Received, Wanted};

/// The methods that are emulated.
pub(super) const EMULATED: [&str; 8] = [
    "connect",
    "health",
    "agent",
    "agent.wait",
    "chat.history",
    "chat.send",
    "sessions.abort",
    "sessions.list",
];
/// What `chat.history` gives when no limit is named.
const ROWS: u64 = 200;
/// How long `agent.wait` waits when no time is named.
const WAIT_MS: u64 = 30_000;

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) client: u64,
    pub(super) scopes: Vec<String>,
}

/// How the responses to one request go out.
#[derive(Debug, Clone)]
pub(super) struct Answerer {
    pub(super) gateway: Arc<Gateway>,
    client: u64,
    id: String,
    fault: Option<RequestFault>,
}

/// Handles a frame of an accepted connection. What takes time goes on in a task of its own.
pub(super) fn handle(gateway: &Arc<Gateway>, peer: &Peer, text: &str) {
    let Some(request) = Request::read(text) else {
        let refusal = Reply::refused(&Rejection::invalid("invalid request frame"));
        gateway
            .clients
            .send(peer.client, Out::Frame(refusal.frame("invalid")));
        return;
    };
    gateway.memory.receive(Received {
        method: request.method.clone(),
        params: request.params.clone(),
        at: gateway.clock.now(),
    });
    if gateway.is_deaf() {
        // A draining gateway leaves new requests unanswered (openclaw.md 5).
        return;
    }
    let answerer = Answerer {
        gateway: Arc::clone(gateway),
        client: peer.client,
        id: request.id.clone(),
        fault: gateway.faults.request(&request.method),
    };
    match &answerer.fault {
        Some(RequestFault::Ignored) => return,
        Some(RequestFault::DropBefore) => {
            gateway.clients.cut(peer.client);
            return;
        }
        Some(RequestFault::BareFailure) => {
            answerer.plainly(&Reply::bare());
            return;
        }
        Some(RequestFault::Reject(rejection)) => {
            answerer.plainly(&Reply::refused(rejection));
            return;
        }
        Some(RequestFault::Held(_) | RequestFault::Twice | RequestFault::DropAfter) | None => {}
    }
    if let Err(rejection) = dispatch(&answerer, peer, &request) {
        answerer.give(&Reply::refused(&rejection));
    }
}

fn dispatch(answerer: &Answerer, peer: &Peer, request: &Request) -> Result<(), Rejection> {
    let gateway = &answerer.gateway;
    match request.method.as_str() {
        "agent" => {
            needs(gateway.release, peer, "operator.write")?;
            agent(answerer, request)
        }
        "agent.wait" => {
            needs(gateway.release, peer, "operator.read")?;
            wait(answerer, request)
        }
        "chat.history" => {
            needs(gateway.release, peer, "operator.read")?;
            answerer.give(&Reply::done(show_history(gateway, request)?));
            Ok(())
        }
        "chat.send" => {
            needs(gateway.release, peer, "operator.write")?;
            chat::send(answerer, request)
        }
        "health" => {
            answerer.give(&Reply::done(health(gateway.clock.now())));
            Ok(())
        }
        "sessions.abort" => {
            needs(gateway.release, peer, "operator.write")?;
            answerer.give(&Reply::done(abort(gateway, request)?));
            Ok(())
        }
        "sessions.list" => {
            needs(gateway.release, peer, "operator.read")?;
            answerer.give(&Reply::done(list(gateway)));
            Ok(())
        }
        other => Err(Rejection::invalid(format!(
            "{other} is not emulated by the sandbox; it answers {}",
            EMULATED.join(", ")
        ))
        .detail("NOT_EMULATED")),
    }
}

/// Refuses a connection that lacks a scope, in the release's words.
fn needs(release: Release, peer: &Peer, scope: &str) -> Result<(), Rejection> {
    if peer.scopes.iter().any(|has| has == scope) {
        return Ok(());
    }
    Err(missing(release, scope))
}

fn missing(release: Release, scope: &str) -> Rejection {
    let message = format!("missing scope: {scope}");
    match release {
        Release::V2026_9_6 => Rejection::new("FORBIDDEN", message).detail("MISSING_SCOPE"),
        Release::V2026_5_7 | Release::V2026_7_35 => Rejection::invalid(message),
    }
}

/// `agent`: the first response now, the second one when the run ends.
fn agent(answerer: &Answerer, request: &Request) -> Result<(), Rejection> {
    let gateway = &answerer.gateway;
    params::agent(gateway.release, &request.params)?;
    let text = request.text("message").unwrap_or_default();
    if params::is_reset(text) {
        return Err(missing(gateway.release, "operator.admin"));
    }
    attachments::check(gateway.release, request.params.get("attachments"))?;
    let session = session(gateway, request.text("sessionKey").unwrap_or("main"))?;
    if text.trim().is_empty() {
        answerer.give(&no_message(gateway.release));
        return Ok(());
    }
    let asked = Asked {
        session,
        key: request
            .text("idempotencyKey")
            .unwrap_or_default()
            .to_owned(),
        text: text.to_owned(),
        params: request.params.clone(),
        at: gateway.clock.now(),
        resumed: false,
    };
    let reply_to = ReplyTo::Request {
        client: answerer.client,
        id: request.id.clone(),
        twice: matches!(answerer.fault, Some(RequestFault::Twice)),
    };
    // No limit and a limit of nothing are the same.
    let limit = request.number("timeout").filter(|seconds| *seconds > 0);
    let (session, key) = (asked.session.clone(), asked.key.clone());
    match gateway.memory.admit(Wanted {
        asked,
        reply_to,
        timeout: limit.map(Duration::from_secs),
    }) {
        Admitted::New { run, start } => {
            answerer.acknowledge(&run);
            if start {
                run::start(gateway, run);
            }
        }
        Admitted::Running { accepted_at } => {
            answerer.give(&going_on(gateway.release, &key, &session, accepted_at));
        }
        Admitted::Ended(terminal) => answerer.give(&terminal.reply),
        Admitted::Dead => {}
        Admitted::Full => return Err(full()),
    }
    Ok(())
}

/// More questions wait than a session takes.
pub(super) fn full() -> Rejection {
    Rejection::new("UNAVAILABLE", "too many queued runs for this session")
}

/// A text of white space passes the schema and is refused by the agent.
fn no_message(release: Release) -> Reply {
    let message = match release {
        Release::V2026_9_6 => "Message (--message) is required",
        Release::V2026_5_7 | Release::V2026_7_35 => "Error: Message (--message) is required",
    };
    let payload = Object::new().with("status", "error");
    Reply::failed(payload, &Rejection::new("UNAVAILABLE", message))
}

/// The answer to a key whose run goes on: 2026.5.7 accepts it once more.
fn going_on(release: Release, key: &str, session: &str, accepted_at: Timestamp) -> Reply {
    let modern = release == Release::V2026_9_6;
    match release {
        Release::V2026_5_7 => Reply::done(accepted(release, key, session, accepted_at)),
        Release::V2026_7_35 | Release::V2026_9_6 => Reply::done(
            Object::new()
                .with("runId", key)
                .with("status", "in_flight")
                .with("sessionKey", session)
                .when(modern, |o| o.with("agentId", agent_of(session))),
        ),
    }
}

fn accepted(release: Release, key: &str, session: &str, at: Timestamp) -> Object {
    Object::new()
        .with("runId", key)
        .when(release >= Release::V2026_7_35, |o| {
            o.with("sessionKey", session)
        })
        .when(release == Release::V2026_9_6, |o| {
            o.with("agentId", agent_of(session))
        })
        .with("status", "accepted")
        .with("acceptedAt", at)
}

/// The canonical form of a session key, if its agent is configured.
pub(super) fn session(gateway: &Gateway, raw: &str) -> Result<String, Rejection> {
    let key = SessionKey::new(raw).map_err(|error| {
        Rejection::invalid(format!("invalid agent params: at /sessionKey: {error}"))
    })?;
    let agent = agent_of(key.as_str());
    if gateway.agents.iter().any(|known| known == agent) {
        return Ok(key.as_str().to_owned());
    }
    Err(Rejection::invalid(format!(
        "Agent \"{agent}\" no longer exists in configuration"
    )))
}

/// The agent of a session, by its canonical key.
pub(super) fn agent_of(session: &str) -> &str {
    session.split(':').nth(1).unwrap_or_default()
}

/// `agent.wait`: when the run ends or the time is over. An unknown run and a run that goes on look the same then.
fn wait(answerer: &Answerer, request: &Request) -> Result<(), Rejection> {
    let gateway = &answerer.gateway;
    params::wait(&request.params)?;
    let run = request.text("runId").unwrap_or_default().to_owned();
    let time = Duration::from_millis(request.number("timeoutMs").unwrap_or(WAIT_MS));
    let (gateway, answerer) = (Arc::clone(gateway), answerer.clone());
    let life = gateway.memory.boot().life;
    gateway.tracker.clone().spawn(async move {
        let ended = life.run_until_cancelled(ended(&gateway, &run, time)).await;
        if let Some(reply) = ended {
            answerer.give(&reply);
        }
    });
    Ok(())
}

async fn ended(gateway: &Gateway, run: &str, time: Duration) -> Reply {
    match gateway.memory.look(run, gateway.clock.now()) {
        Known::Ended(terminal) => return terminal.waited.clone(),
        Known::Running { mut ended, .. } => {
            let wait = timeout(time, ended.wait_for(Option::is_some)).await;
            if let Ok(Ok(terminal)) = wait
                && let Some(terminal) = terminal.as_ref()
            {
                return terminal.waited.clone();
            }
        }
        Known::Nothing => {
            tokio::time::sleep(time).await;
            if let Known::Ended(terminal) = gateway.memory.look(run, gateway.clock.now()) {
                return terminal.waited.clone();
            }
        }
    }
    let expired = Object::new().with("runId", run).with("status", "timeout");
    Reply::done(match gateway.release {
        Release::V2026_7_35 => expired
            .with("timeoutPhase", "queue")
            .with("providerStarted", false),
        Release::V2026_5_7 | Release::V2026_9_6 => expired,
    })
}

fn show_history(gateway: &Gateway, request: &Request) -> Result<Object, Rejection> {
    params::history(gateway.release, &request.params)?;
    let raw = request.text("sessionKey").unwrap_or_default();
    let key = session(gateway, raw)?;
    let limit = request.number("limit").unwrap_or(ROWS);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = gateway.memory.see(&key, |session| Page::of(session, limit));
    Ok(history::payload(gateway.release, raw, page.as_ref()))
}

/// `sessions.abort`: ends the named run if it is the active one of the session (openclaw.md 3.7).
fn abort(gateway: &Gateway, request: &Request) -> Result<Object, Rejection> {
    let key = session(gateway, request.text("key").unwrap_or_default())?;
    let wanted = request.text("runId");
    let aborted = gateway.memory.see(&key, |session| {
        let run = session.active()?;
        let named = wanted.is_none_or(|id| id == run.asked.key);
        named.then(|| {
            run.abort();
            run.asked.key.clone()
        })
    });
    let aborted = aborted.flatten();
    let status = if aborted.is_some() {
        "aborted"
    } else {
        "no-active-run"
    };
    Ok(Object::new()
        .with("ok", true)
        .with("abortedRunId", aborted)
        .with("status", status))
}

/// `health`, also in the hello frame: a gateway without channels.
pub(super) fn health(now: Timestamp) -> Object {
    Object::new()
        .with("ok", true)
        .with("ts", now)
        .with("durationMs", 0)
        .raw("channels", "{}")
        .raw("channelOrder", "[]")
        .raw("channelLabels", "{}")
        .with("heartbeatSeconds", 1_800)
        .with("defaultAgentId", "main")
}

fn list(gateway: &Gateway) -> Object {
    let sessions = gateway.memory.sessions();
    let count = sessions.len();
    let rows = sessions
        .iter()
        .map(|session| history::info(gateway.release, session));
    Object::new()
        .with("ts", gateway.clock.now())
        .with("count", count)
        .with("totalCount", count)
        .with("hasMore", false)
        .nest("defaults", history::defaults(gateway.release))
        .list("sessions", rows)
}

impl Answerer {
    /// Sends the response, as its fault says.
    pub(super) fn give(&self, reply: &Reply) {
        match &self.fault {
            Some(RequestFault::DropAfter) => self.gateway.clients.cut(self.client),
            Some(RequestFault::Twice) => {
                self.plainly(reply);
                self.plainly(reply);
            }
            Some(RequestFault::Held(gate)) => {
                let (answerer, reply, gate) = (self.clone(), reply.clone(), gate.clone());
                let life = self.gateway.memory.boot().life;
                self.gateway.tracker.spawn(async move {
                    if life.run_until_cancelled(gate.pass()).await.is_some() {
                        answerer.plainly(&reply);
                    }
                });
            }
            Some(
                RequestFault::BareFailure
                | RequestFault::Reject(_)
                | RequestFault::Ignored
                | RequestFault::DropBefore,
            )
            | None => self.plainly(reply),
        }
    }

    fn plainly(&self, reply: &Reply) {
        self.gateway
            .clients
            .send(self.client, Out::Frame(reply.frame(&self.id)));
    }

    /// The first response of a new run; the second one may follow once it was sent.
    fn acknowledge(&self, run: &Arc<Run>) {
        let asked = &run.asked;
        let reply = Reply::done(accepted(
            self.gateway.release,
            &asked.key,
            &asked.session,
            asked.at,
        ));
        if let Some(RequestFault::Held(gate)) = &self.fault {
            let (answerer, gate, run) = (self.clone(), gate.clone(), Arc::clone(run));
            let life = self.gateway.memory.boot().life;
            self.gateway.tracker.spawn(async move {
                if life.run_until_cancelled(gate.pass()).await.is_some() {
                    answerer.plainly(&reply);
                    run.acknowledged.open();
                }
            });
            return;
        }
        self.give(&reply);
        run.acknowledged.open();
    }
}
