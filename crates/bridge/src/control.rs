//! The control socket: `state.dir/control.sock`, mode 0600, HTTP/1.1.
//!
//! `GET /health` answers `ok` or, to a client that accepts `application/json`, a [`Report`]. It works in every
//! delivery mode, because it does not depend on the webhook's address.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gateway::{Gateway, Status};
use model::{Clock, Timestamp};
use serde::Serialize;
use store::{Depths, Event, Store, StoreError};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::health::{Health, Seen};

/// A poll is overdue after this many intervals without a success.
const OVERDUE_INTERVALS: u32 = 4;

/// What the control socket reads from.
#[derive(Debug, Clone)]
pub struct Control {
    /// The stages' own reports.
    pub health: Health,
    /// The agent edge.
    pub gateway: Gateway,
    /// The journal.
    pub store: Store,
    /// The wall clock.
    pub clock: Clock,
    /// Between two reads of the list.
    pub poll_interval: Duration,
    /// When this process began.
    pub started: Timestamp,
}

/// One look at the whole bridge.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok` when every part works, `degraded` otherwise.
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The process.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime_s: u64,
    /// The WhatsApp edge.
    pub kapso: KapsoReport,
    /// The agent edge.
    pub gateway: GatewayReport,
    /// The journal.
    pub store: StoreReport,
}

/// The WhatsApp edge.
#[derive(Debug, Serialize)]
pub struct KapsoReport {
    /// Whether the list was read lately.
    pub ok: bool,
    /// Seconds since it was last read.
    pub last_success_s: Option<u64>,
    /// Why it cannot be read now.
    pub error: Option<String>,
}

/// The agent edge.
#[derive(Debug, Serialize)]
pub struct GatewayReport {
    /// Whether turns can be asked.
    pub ok: bool,
    /// `connecting`, `connected`, `refused` or `closed`.
    pub state: &'static str,
    /// OpenClaw's release.
    pub version: Option<String>,
    /// The protocol agreed on.
    pub protocol: Option<u32>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// Why there is no connection.
    pub error: Option<String>,
    /// What the operator does about it.
    pub remedy: Option<String>,
}

/// The journal.
#[derive(Debug, Serialize)]
pub struct StoreReport {
    /// Whether it can be read and no stage was refused lately.
    pub ok: bool,
    /// Messages by state.
    pub messages: BTreeMap<&'static str, u64>,
    /// Turns by state.
    pub turns: BTreeMap<&'static str, u64>,
    /// Replies by state.
    pub outgoing: BTreeMap<&'static str, u64>,
    /// Seconds that the oldest message has waited to become a turn.
    pub oldest_received_s: Option<u64>,
    /// Seconds that the oldest turn has been open.
    pub oldest_turn_s: Option<u64>,
    /// Seconds that the oldest reply has waited to be sent.
    pub oldest_outgoing_s: Option<u64>,
    /// What did not go the whole way: how often, by kind and reason.
    pub set_aside: Vec<SetAside>,
    /// Why it refused, last.
    pub error: Option<String>,
}

/// One reason for which rows did not go the whole way.
#[derive(Debug, Serialize)]
pub struct SetAside {
    /// What happened to them.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Binds the control socket, replacing one that a dead process left.
///
/// # Errors
/// [`io::Error`] when the folder does not allow it. The caller holds the store's lock, so no live process owns it.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers on `listener` until `stop`.
///
/// # Errors
/// [`io::Error`] when the listener fails.
pub async fn serve(
    listener: UnixListener,
    control: Control,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/health", get(health))
        .with_state(control);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn health(State(control): State<Control>, headers: HeaderMap) -> Response {
    let report = control.report().await;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    if accept.contains("application/json") {
        return Json(report).into_response();
    }
    match report.status {
        "ok" => "ok".into_response(),
        degraded => (StatusCode::SERVICE_UNAVAILABLE, degraded).into_response(),
    }
}

impl Control {
    /// Looks at every part.
    pub async fn report(&self) -> Report {
        let (now, seen) = (self.clock.now(), self.health.read());
        let kapso = self.kapso(now, &seen);
        let gateway = gateway_report(&self.gateway.status().borrow());
        let store = self.store(now, seen).await;
        let ok = kapso.ok && gateway.ok && store.ok;
        Report {
            status: if ok { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_s: now.since(self.started).as_secs(),
            kapso,
            gateway,
            store,
        }
    }

    fn kapso(&self, now: Timestamp, seen: &Seen) -> KapsoReport {
        let age = now.since(seen.polled_at.unwrap_or(self.started));
        let overdue = age > self.poll_interval * OVERDUE_INTERVALS;
        let error = seen
            .poll_error
            .clone()
            .or_else(|| overdue.then(|| format!("the list was not read for {} s", age.as_secs())));
        KapsoReport {
            ok: error.is_none() && seen.polled_at.is_some(),
            last_success_s: seen.polled_at.map(|at| now.since(at).as_secs()),
            error,
        }
    }

    async fn store(&self, now: Timestamp, seen: Seen) -> StoreReport {
        let refused_lately = seen
            .journal_failed_at
            .is_some_and(|at| now.since(at) < JOURNAL_MEMORY);
        let read =
            async { Ok::<_, StoreError>((self.store.depths().await?, self.store.events().await?)) };
        match read.await {
            Ok((depths, events)) => StoreReport {
                ok: !refused_lately,
                error: seen.journal_error.filter(|_| refused_lately),
                ..StoreReport::of(&depths, events)
            },
            Err(error) => StoreReport {
                error: Some(error.to_string()),
                ..StoreReport::of(&Depths::default(), Vec::new())
            },
        }
    }
}

impl StoreReport {
    fn of(depths: &Depths, events: Vec<Event>) -> Self {
        let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
        Self {
            ok: false,
            messages: depths
                .messages
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            turns: depths
                .turns
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            outgoing: depths
                .outgoing
                .iter()
                .map(|(state, n)| (state.as_str(), *n))
                .collect(),
            oldest_received_s: seconds(depths.oldest_received),
            oldest_turn_s: seconds(depths.oldest_turn),
            oldest_outgoing_s: seconds(depths.oldest_outgoing),
            set_aside: events
                .into_iter()
                .map(|event| SetAside {
                    kind: event.kind.name(),
                    reason: event.reason,
                    count: event.count,
                })
                .collect(),
            error: None,
        }
    }
}

/// How long a refusal of the journal keeps the report degraded.
const JOURNAL_MEMORY: Duration = Duration::from_secs(60);

fn gateway_report(status: &Status) -> GatewayReport {
    let report = |state, ok| GatewayReport {
        ok,
        state,
        version: None,
        protocol: None,
        scopes: Vec::new(),
        error: None,
        remedy: None,
    };
    match status {
        Status::Connected(hello) => GatewayReport {
            version: Some(hello.version.clone()),
            protocol: Some(hello.protocol),
            scopes: hello.scopes.clone(),
            ..report("connected", true)
        },
        Status::Connecting { last, .. } => GatewayReport {
            error: last.as_ref().map(ToString::to_string),
            remedy: last.as_ref().map(gateway::Refusal::remedy),
            ..report("connecting", false)
        },
        Status::Refused { refusal, .. } => GatewayReport {
            error: Some(refusal.to_string()),
            remedy: Some(refusal.remedy()),
            ..report("refused", false)
        },
        Status::Closed => report("closed", false),
    }
}
