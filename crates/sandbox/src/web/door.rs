//! Who may come in, and where what is.
//!
//! The secret is part of every path. That keeps other pages and other users of the machine out; the checks of `Host`
//! and `Origin` keep a page out that rebinds a name of its own to this address, or learnt the secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::files::{FILES, PAGE};
use super::{Desk, acts, happenings, wire};

/// The largest file that a customer can send here, in bytes: that of a video (kapso.md 2.5).
const LARGEST_FILE: usize = 16 * 1024 * 1024;

/// The page runs its own scripts, asks its own server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request has no other answer.
#[derive(Debug)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl Refused {
    /// The request is wrong; the text says how.
    pub(super) fn wrong(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }

    /// There is nothing of that name.
    pub(super) fn nothing(text: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, text.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Everything that is served, below the secret.
pub(super) fn routes(secret: &str, address: SocketAddr, desk: Arc<Desk>) -> Router {
    let at = |path: &str| format!("/{secret}/{path}");
    let mut routes = Router::new()
        .route(&at("events"), get(happenings::events))
        .route(&at("wire"), get(wire::wire))
        .route(&at("people"), post(acts::person))
        .route(&at("send"), post(acts::send))
        .route(&at("seen"), post(acts::seen))
        .route(&at("fault"), post(acts::fault))
        .route(
            &at("media"),
            post(acts::keep).layer(DefaultBodyLimit::max(LARGEST_FILE)),
        )
        .route(&at("media/{id}"), get(acts::media));
    for file in FILES.iter().chain([&PAGE]) {
        routes = routes.route(&at(file.path), get(move || async move { file.answer() }));
    }
    routes
        .with_state(desk)
        .layer(middleware::from_fn_with_state(address, admit))
}

/// Lets a request in that is meant for this server and comes from its own page, or from no page.
async fn admit(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let mut response = if is_ours(request.headers(), address) {
        next.run(request).await
    } else {
        Refused(StatusCode::FORBIDDEN, "not from this page".to_owned()).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_ours(headers: &HeaderMap, address: SocketAddr) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let hosts = [address.to_string(), format!("localhost:{}", address.port())];
    let host = text(HOST).is_some_and(|host| hosts.iter().any(|ours| ours == host));
    // A page sends it with everything that changes something; a program sends none.
    let origin = text(ORIGIN).is_none_or(|origin| {
        let host = origin.strip_prefix("http://");
        host.is_some_and(|host| hosts.iter().any(|ours| ours == host))
    });
    let site = text(FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    host && origin && site
}
