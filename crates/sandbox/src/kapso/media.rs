//! Files of both sides: kept for a while, and given to whoever knows the address (kapso.md 2.6, 2.13).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::refusal::Refusal;

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
#[derive(Debug)]
pub(super) struct Shelf {
    address: SocketAddr,
    kept: Mutex<VecDeque<(String, Arc<Media>)>>,
}

impl Shelf {
    /// An empty one, of the stand-in at this address.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            kept: Mutex::default(),
        }
    }

    /// Where a file can be fetched without a key.
    pub(super) fn url(&self, id: &str) -> String {
        format!("http://{}/media/{id}", self.address)
    }

    /// What Kapso tells of a file.
    pub(super) fn described(&self, id: &str) -> Option<Value> {
        let media = self.get(id)?;
        Some(json!({
            "messaging_product": "whatsapp",
            "id": id,
            "mime_type": media.content_type,
            "sha256": STANDARD.encode(Sha256::digest(&media.bytes)),
            "file_size": media.bytes.len().to_string(),
            "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/",
            "download_url": self.url(id),
        }))
    }

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
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of an upload: the part `file` of a form that also says `messaging_product` (kapso.md 2.6).
pub(super) async fn uploaded(headers: &HeaderMap, bytes: Bytes) -> Result<Media, Refusal> {
    let unreadable = |problem: &dyn ToString| Refusal::meta(400, 100, &problem.to_string());
    let mut request = Request::new(Body::from(bytes));
    *request.headers_mut() = headers.clone();
    // The body has been read, and was not too long.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|problem| unreadable(&problem))?;
    let (mut file, mut product) = (None, None);
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|problem| unreadable(&problem))?
    {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().unwrap_or_default().to_owned();
        let kind = part.content_type().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|problem| unreadable(&problem))?;
        match name.as_str() {
            "file" => file = Some((file_name, kind, bytes)),
            "messaging_product" => product = Some(bytes),
            _ => {}
        }
    }
    if product.as_deref() != Some(b"whatsapp") {
        return Err(missing("messaging_product"));
    }
    match file {
        Some((name, content_type, bytes)) if !content_type.is_empty() => Ok(Media {
            name,
            content_type,
            bytes,
        }),
        Some(_) | None => Err(missing("file")),
    }
}

fn missing(field: &str) -> Refusal {
    let message = format!("Required parameter is missing: {field}");
    Refusal::meta(400, 131_008, &message)
}
