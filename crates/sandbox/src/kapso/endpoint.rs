//! What can be asked for, by method and path.

use axum::http::Method;

use super::registry::Registry;

/// The largest request body that is read, but for a file.
const LARGEST_BODY: usize = 1024 * 1024;

/// The largest upload that is read: a document of the largest size, and what is around it (kapso.md 2.5).
const LARGEST_UPLOAD: usize = 101 * 1024 * 1024;

/// What a request with a key asks for. Lists, posts and uploads have the number of the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint<'a> {
    /// A page of the list.
    List(&'a str),
    /// A send, or a read receipt.
    Post(&'a str),
    /// A file to be kept.
    Upload(&'a str),
    /// A file that is kept, by its id.
    File(&'a str),
    /// The number's webhooks, with the number somewhere in the path: what exactly, the [`Registry`] reads.
    Webhooks,
    /// The stand-in does not do this; method and path.
    Unknown(String),
}

impl<'a> Endpoint<'a> {
    pub(super) fn of(method: &Method, path: &'a str) -> Self {
        if Registry::has(path) {
            return Self::Webhooks;
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let ["meta", "whatsapp", _version, rest @ ..] = parts.as_slice() else {
            return Self::unknown(method, path);
        };
        match (method.as_str(), rest) {
            ("GET", [number, "messages"]) => Self::List(number),
            ("POST", [number, "messages"]) => Self::Post(number),
            ("POST", [number, "media"]) => Self::Upload(number),
            ("GET", [id]) => Self::File(id),
            _ => Self::unknown(method, path),
        }
    }

    fn unknown(method: &Method, path: &str) -> Self {
        Self::Unknown(format!("{method} {path}"))
    }

    /// The number that it is about.
    pub(super) fn number(&self) -> Option<&str> {
        match self {
            Self::List(number) | Self::Post(number) | Self::Upload(number) => Some(number),
            Self::File(_) | Self::Webhooks | Self::Unknown(_) => None,
        }
    }

    /// Bytes of a request's body that are read.
    pub(super) fn largest_body(&self) -> usize {
        match self {
            Self::Upload(_) => LARGEST_UPLOAD,
            Self::List(_) | Self::Post(_) | Self::File(_) | Self::Webhooks | Self::Unknown(_) => {
                LARGEST_BODY
            }
        }
    }
}
