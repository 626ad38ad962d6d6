//! The customers' files: kept for a while, and given to whoever knows the address (kapso.md 2.13).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use uuid::Uuid;

/// The largest file, in bytes: that of a document (kapso.md 2.5).
const LARGEST: usize = 100 * 1024 * 1024;

/// Bytes of all files that are kept; the oldest go first when there are more.
const ROOM: usize = 256 * 1024 * 1024;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The name that it has at the customer's.
    pub name: String,
    /// Its MIME type, as the customer's phone says.
    pub content_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// Why a file is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefused {
    /// It is larger than a document may be.
    #[error("{0} bytes are more than the {LARGEST} of the largest file")]
    TooLarge(usize),
}

/// Where files are kept. The lock never leaves this file.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<VecDeque<(String, Arc<Media>)>>);

impl Shelf {
    pub(super) fn keep(&self, media: Media) -> Result<String, MediaRefused> {
        if media.bytes.len() > LARGEST {
            return Err(MediaRefused::TooLarge(media.bytes.len()));
        }
        let id = Uuid::new_v4().simple().to_string();
        let mut kept = self.lock();
        kept.push_back((id.clone(), Arc::new(media)));
        while kept
            .iter()
            .map(|(_, media)| media.bytes.len())
            .sum::<usize>()
            > ROOM
        {
            kept.pop_front();
        }
        Ok(id)
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Media>> {
        let kept = self.lock();
        let found = kept.iter().find(|(known, _)| known == id);
        found.map(|(_, media)| Arc::clone(media))
    }

    /// The answer to `GET /media/{id}`; none for any other request, and for a file that is gone.
    pub(super) fn fetched(&self, method: &Method, path: &str) -> Option<Response> {
        let id = path
            .strip_prefix("/media/")
            .filter(|_| method == Method::GET)?;
        let media = self.get(id)?;
        let mut response = Response::new(Body::from(media.bytes.clone()));
        let kind = HeaderValue::from_str(&media.content_type).ok()?;
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Some(response)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Arc<Media>)>> {
        // Nothing is done under the lock that could leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
