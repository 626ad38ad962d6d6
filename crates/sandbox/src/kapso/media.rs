//! Files of both sides, in Kapso's two ways: by the address that comes with the message, which is a redirect and wants
//! no key, and by the file's id (kapso.md 2.6, 2.13).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
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

/// A file that Kapso has, as its message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMedia {
    /// Meta's id of it.
    pub id: String,
    /// Where it is served, as in `kapso.media_url`.
    pub url: String,
    /// The type that it is said to be of.
    pub mime: String,
}

/// Why a file is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefused {
    /// It is larger than a document may be.
    #[error("{0} bytes are more than the {LARGEST} of the largest file")]
    TooLarge(usize),
}

/// Where files are kept, oldest first. The lock never leaves this file.
#[derive(Debug)]
pub(super) struct MediaStore {
    address: SocketAddr,
    kept: Mutex<VecDeque<File>>,
}

#[derive(Debug)]
struct File {
    id: String,
    media: Arc<Media>,
    /// The address that came with the message is gone.
    expired: bool,
    /// Requests for it are not answered.
    held: bool,
}

impl MediaStore {
    /// An empty one, of the stand-in at this address.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            kept: Mutex::default(),
        }
    }

    /// Keeps a file of a size that WhatsApp takes; its new id.
    pub(super) fn keep(&self, media: Media) -> Result<String, MediaRefused> {
        if media.bytes.len() > LARGEST {
            return Err(MediaRefused::TooLarge(media.bytes.len()));
        }
        Ok(self.put(media))
    }

    /// Keeps a file; its new id.
    pub(super) fn put(&self, media: Media) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let mut kept = self.lock();
        kept.push_back(File {
            id: id.clone(),
            media: Arc::new(media),
            expired: false,
            held: false,
        });
        let size = |file: &File| file.media.bytes.len();
        while kept.iter().map(size).sum::<usize>() > ROOM {
            kept.pop_front();
        }
        id
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Media>> {
        let kept = self.lock();
        let found = kept.iter().find(|file| file.id == id);
        found.map(|file| Arc::clone(&file.media))
    }

    /// The address of a file as it comes with the message.
    pub(super) fn url(&self, id: &str) -> String {
        let address = self.address;
        format!("http://{address}/rails/active_storage/blobs/redirect/{id}/file")
    }

    /// What Kapso tells of a file by its id; none for a file that is not there.
    pub(super) fn described(&self, id: &str) -> Option<Value> {
        let media = self.get(id)?;
        let address = self.address;
        Some(json!({
            "messaging_product": "whatsapp",
            "id": id,
            "mime_type": media.content_type,
            "sha256": STANDARD.encode(Sha256::digest(&media.bytes)),
            "file_size": media.bytes.len().to_string(),
            "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
            "download_url": format!("http://{address}/meta/whatsapp/media_download?token={id}"),
        }))
    }

    pub(super) fn expire(&self, id: &str) {
        self.change(id, |file| file.expired = true);
    }

    pub(super) fn hold(&self, id: &str, held: bool) {
        self.change(id, |file| file.held = held);
    }

    pub(super) fn lose(&self, id: &str) {
        self.lock().retain(|file| file.id != id);
    }

    /// Whether a request is for a file that is held.
    pub(super) fn holds(&self, uri: &Uri) -> bool {
        let kept = self.lock();
        let named = |file: &File| {
            let mut parts = uri
                .path()
                .split('/')
                .chain(uri.query().unwrap_or_default().split(['=', '&']));
            parts.any(|part| part == file.id)
        };
        kept.iter().any(|file| file.held && named(file))
    }

    /// The answer to a request that needs no key; none for one of another kind.
    pub(super) fn fetched(
        &self,
        method: &Method,
        uri: &Uri,
        query: &[(String, String)],
    ) -> Option<Response> {
        if method != Method::GET {
            return None;
        }
        match uri.path().trim_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["rails", "active_storage", "blobs", "redirect", id, _name] => Some(self.redirect(id)),
            ["r2", id] => Some(self.bytes(id)),
            ["meta", "whatsapp", "media_download"] => {
                let token = query.iter().find(|(name, _)| name == "token");
                Some(self.bytes(token.map_or("", |(_, token)| token.as_str())))
            }
            _ => None,
        }
    }

    fn redirect(&self, id: &str) -> Response {
        let leads_on = |file: &File| file.id == id && !file.expired;
        if !self.lock().iter().any(leads_on) {
            return gone();
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(to) = format!("/r2/{id}").parse() {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    fn bytes(&self, id: &str) -> Response {
        let Some(media) = self.get(id) else {
            return gone();
        };
        let mut response = Response::new(Body::from(media.bytes.clone()));
        if let Ok(kind) = media.content_type.parse() {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut File)) {
        if let Some(file) = self.lock().iter_mut().find(|file| file.id == id) {
            change(file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<File>> {
        // Nothing is done under the lock that could leave it half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
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
