//! The control socket: `state.dir/control.sock`, mode 0600, HTTP/1.1.
//!
//! `GET /health` answers `ok` or, to a client that accepts `application/json`, a [`Report`]; `GET /metrics` gives
//! the same in Prometheus' text form. `/trace`, `/inbox` and `/dead` are the journal for the operator, `/pairing` says
//! who was let in, `/identity` to whom a session belongs, signed with the key of `/jwks.json`. All of it works in every
//! delivery mode, because it does not depend on the webhook's address. The open port of the webhook modes has a `/health`
//! and a `/ready` of its own, which say less, and the same `/jwks.json`.

mod doorway;
mod identity;
mod metrics;
mod pairing;
mod people;
mod records;
mod refused;
mod report;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use gateway::Gateway;
use model::{Clock, Timestamp};
use serde::Serialize;
use store::Store;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

pub use self::doorway::{RegistrationReport, TunnelReport};
pub use self::people::{Grants, People};
pub use self::report::{
    GatewayReport, KapsoReport, NumberReport, Report, SetAside, StoreReport, Unconfigured,
    WebhookReport,
};
use crate::health::Health;
use crate::nudge::Nudge;
use crate::numbers::Numbers;

/// What the control socket reads from.
#[derive(Debug, Clone)]
pub struct Control {
    /// The stages' own reports.
    pub health: Health,
    /// The WhatsApp edge, number by number.
    pub numbers: Numbers,
    /// The agent edge.
    pub gateway: Gateway,
    /// The journal.
    pub store: Store,
    /// The wall clock.
    pub clock: Clock,
    /// The longest that the list is left unread while all is well.
    pub poll_most: Duration,
    /// When this process began.
    pub started: Timestamp,
    /// The port that messages are pushed to.
    pub listening: Option<Listening>,
    /// Tells the stages what the operator released.
    pub nudge: Nudge,
    /// Who may speak as whom.
    pub people: People,
}

/// The port that messages are pushed to.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Where it listens.
    pub address: String,
    /// Whether signatures are checked, for every number.
    pub signed: bool,
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
    let routes = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics::metrics))
        .route("/trace", get(records::trace))
        .route("/inbox", get(records::inbox))
        .route("/dead", get(records::dead))
        .route("/dead/{id}/retry", post(records::retry))
        .route("/dead/{id}/drop", post(records::give_up))
        .route("/pairing", get(pairing::list))
        .route("/pairing/approve", post(pairing::approve))
        .route("/pairing/revoke", post(pairing::revoke))
        .route("/identity", get(identity::identity))
        .merge(public_keys())
        .with_state(control);
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// Answers `/metrics` on a TCP port until `stop` (`control.metrics_addr`).
///
/// # Errors
/// [`io::Error`] when the listener fails.
pub async fn serve_metrics(
    listener: TcpListener,
    control: Control,
    stop: CancellationToken,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/metrics", get(metrics::metrics))
        .with_state(control);
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

impl Control {
    /// The routes of the open port: whether the bridge works, and nothing that a stranger should not know.
    pub(crate) fn public_routes(&self) -> Router {
        let routes = Router::new()
            .route("/health", get(glance))
            .route("/ready", get(ready));
        let routes = match &self.people.issuer {
            Some(_) => routes.merge(public_keys()),
            None => routes,
        };
        routes.with_state(self.clone())
    }
}

/// Where backends read the public key: by its own name, and where they look by convention.
fn public_keys() -> Router<Control> {
    Router::new()
        .route("/jwks.json", get(identity::jwks))
        .route("/.well-known/jwks.json", get(identity::jwks))
}

async fn health(State(control): State<Control>, headers: HeaderMap) -> Response {
    let report = control.report().await;
    told(&headers, report.status, &report)
}

async fn glance(State(control): State<Control>, headers: HeaderMap) -> Response {
    let glance = control.glance();
    told(&headers, glance.status, &glance)
}

/// Whether pushed messages can be taken.
async fn ready(State(control): State<Control>) -> Response {
    if control.glance().journal {
        "ready".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the journal refuses").into_response()
    }
}

/// The status as a word, or everything as JSON to whoever asks for it.
fn told(headers: &HeaderMap, status: &'static str, report: &impl Serialize) -> Response {
    let code = if status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    if accept.contains("application/json") {
        return Json(report).into_response();
    }
    (code, status).into_response()
}
