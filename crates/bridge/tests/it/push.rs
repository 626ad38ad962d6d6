//! Requests to the open port, byte by byte as a test wants them.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::SECRET;

/// A request to `/webhook` in the making.
pub(crate) struct Push {
    body: String,
    head: String,
}

impl Push {
    /// A body without any header of its own.
    pub(crate) fn of(body: impl std::fmt::Display) -> Self {
        Self {
            body: format!("{body}"),
            head: String::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Kapso's event header.
    pub(crate) fn event(self, name: &str) -> Self {
        self.with("X-Webhook-Event", name)
    }

    /// Signed as Kapso does.
    pub(crate) fn signed(self) -> Self {
        self.signed_with(SECRET)
    }

    /// As [`Push::signed`], with another secret.
    pub(crate) fn signed_with(self, secret: &str) -> Self {
        let signature = signature(secret, &self.body);
        self.with("X-Webhook-Signature", &signature)
    }

    /// Posts it and gives the answer: its status, and the rest as text.
    pub(crate) async fn post(self, door: SocketAddr) -> (u16, String) {
        let Self { body, head } = self;
        let length = body.len();
        exchange(
            door,
            format!("POST /webhook HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n{body}"),
        )
        .await
    }
}

/// `hex(HMAC-SHA256(secret, body))`.
pub(crate) fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A `GET` of `path`.
pub(crate) async fn get(door: SocketAddr, path: &str) -> (u16, String) {
    exchange(
        door,
        format!("GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// Writes `request` and reads the answer to its end.
pub(crate) async fn exchange(door: SocketAddr, request: String) -> (u16, String) {
    let mut stream = TcpStream::connect(door).await.unwrap();
    // The bridge may answer and close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    (status.parse().unwrap_or_default(), answer)
}
