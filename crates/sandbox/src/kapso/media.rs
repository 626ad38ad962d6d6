//! Files that customers sent, in Kapso's two ways: by the address that comes with the message, which leads on once and
//! wants no key, and by the file's id (kapso.md 2.13).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Response, StatusCode, Uri, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// A file that Kapso has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMedia {
    /// Meta's id of it.
    pub id: String,
    /// Where it is served, as in `kapso.media_url`.
    pub url: String,
    /// The type that it is said to be of.
    pub mime: String,
}

#[derive(Debug)]
struct File {
    mime: String,
    bytes: Vec<u8>,
    /// The address that came with the message is gone.
    expired: bool,
    /// Requests for it are not answered.
    held: bool,
}

/// All files, by id.
#[derive(Debug, Default)]
pub(super) struct MediaStore(Mutex<HashMap<String, File>>);

/// The path of a file as it comes with the message.
pub(super) fn blob(id: &str) -> String {
    format!("/rails/active_storage/blobs/redirect/{id}/file")
}

/// The id that a request for a file's address names.
pub(super) fn asked(path: &str) -> Option<&str> {
    match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["meta", "whatsapp", _version, id] => Some(id),
        _ => None,
    }
}

impl MediaStore {
    /// Takes a file; its new id.
    pub(super) fn put(&self, mime: &str, bytes: Vec<u8>) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let file = File {
            mime: mime.to_owned(),
            bytes,
            expired: false,
            held: false,
        };
        self.lock().insert(id.clone(), file);
        id
    }

    pub(super) fn expire(&self, id: &str) {
        if let Some(file) = self.lock().get_mut(id) {
            file.expired = true;
        }
    }

    pub(super) fn hold(&self, id: &str, held: bool) {
        if let Some(file) = self.lock().get_mut(id) {
            file.held = held;
        }
    }

    /// Whether a request is for a file that is held.
    pub(super) fn holds(&self, uri: &Uri) -> bool {
        let files = self.lock();
        let mut parts = uri
            .path()
            .split('/')
            .chain(uri.query().unwrap_or_default().split('='));
        parts.any(|part| files.get(part).is_some_and(|file| file.held))
    }

    pub(super) fn lose(&self, id: &str) {
        self.lock().remove(id);
    }

    /// What `GET /{media_id}` says; none for a file that is not there.
    pub(super) fn told(&self, id: &str, host: &str) -> Option<Value> {
        let files = self.lock();
        let file = files.get(id)?;
        Some(json!({
            "messaging_product": "whatsapp",
            "id": id,
            "mime_type": file.mime,
            "file_size": file.bytes.len().to_string(),
            "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
            "download_url": format!("http://{host}/meta/whatsapp/media_download?token={id}"),
        }))
    }

    /// The answer to a request that needs no key; none for one of another kind.
    pub(super) fn file(&self, uri: &Uri, query: &[(String, String)]) -> Option<Response<Body>> {
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

    fn redirect(&self, id: &str) -> Response<Body> {
        if self.lock().get(id).is_none_or(|file| file.expired) {
            return gone();
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(to) = format!("/r2/{id}").parse() {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    fn bytes(&self, id: &str) -> Response<Body> {
        let files = self.lock();
        let Some(file) = files.get(id) else {
            return gone();
        };
        let mut response = Response::new(Body::from(file.bytes.clone()));
        if let Ok(mime) = file.mime.parse() {
            response.headers_mut().insert(header::CONTENT_TYPE, mime);
        }
        response
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
