//! Refusals of the control socket: a status for programs, and a text that says what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

/// Why a request has no other answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is wrong; the text says how.
    Wrong(String),
    /// There is nothing of that name.
    Nothing(String),
    /// Whom it concerns may not do that.
    Forbidden(String),
    /// What is there is not in a state in which that can be done.
    Conflict(String),
    /// The journal failed.
    Journal(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Conflict { found: None, .. } => Self::Nothing(text),
            StoreError::Conflict { .. } | StoreError::TurnOpen { .. } => Self::Conflict(text),
            StoreError::Corrupt { .. }
            | StoreError::Encode(_)
            | StoreError::Database(_)
            | StoreError::Closed => Self::Journal(text),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (code, error) = match self {
            Self::Wrong(error) => (StatusCode::BAD_REQUEST, error),
            Self::Nothing(error) => (StatusCode::NOT_FOUND, error),
            Self::Forbidden(error) => (StatusCode::FORBIDDEN, error),
            Self::Conflict(error) => (StatusCode::CONFLICT, error),
            Self::Journal(error) => (StatusCode::SERVICE_UNAVAILABLE, error),
        };
        (code, Json(json!({ "error": error }))).into_response()
    }
}
