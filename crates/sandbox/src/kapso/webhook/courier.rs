//! One parcel: its body, signature and headers, and the attempts to hand it over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri};
use hmac::{Hmac, KeyInit, Mac};
use hyper_util::rt::TokioIo;
use model::MessageId;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Buffering, Notice, WebhookTarget};
use crate::kapso::event::Delivery;
use crate::kapso::ledger::Ledger;

/// Where the target's host was found.
#[derive(Debug)]
pub(super) struct Address {
    uri: Uri,
    authority: String,
    socket: SocketAddr,
}

impl Address {
    pub(super) async fn resolve(url: &str) -> io::Result<Self> {
        let refuse = |problem: &str| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("webhook address {problem}"),
            )
        };
        let uri: Uri = url
            .parse()
            .map_err(|problem| refuse(&format!("is not a URL: {problem}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(refuse("must begin with http://, the sandbox speaks no TLS"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("names no host"))?;
        let port = authority.port_u16().unwrap_or(80);
        let found = lookup_host((authority.host().trim_matches(['[', ']']), port)).await?;
        let socket = found
            .into_iter()
            .next()
            .ok_or_else(|| refuse("has no known host"))?;
        Ok(Self {
            authority: authority.to_string(),
            socket,
            uri,
        })
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

/// What is handed over in one request.
pub(super) struct Parcel {
    event: &'static str,
    key: String,
    body: String,
    /// Its notices, each of which can go alone.
    notices: Vec<Notice>,
    is_batch: bool,
}

impl Parcel {
    pub(super) fn single(notice: Notice) -> Self {
        Self {
            event: notice.event,
            key: Uuid::new_v4().to_string(),
            body: notice.body.to_string(),
            notices: vec![notice],
            is_batch: false,
        }
    }

    pub(super) fn batch(notices: Vec<Notice>, window: Duration, first_sequence: u64) -> Self {
        let event = "whatsapp.message.received";
        let size = notices.len();
        let data: Vec<&Value> = notices.iter().map(|notice| &notice.body).collect();
        let conversation = notices.first().map(|notice| &notice.conversation_id);
        let body = json!({
            "type": event,
            "batch": true,
            "data": data,
            "batch_info": {
                "size": size,
                "window_ms": window.as_millis() as u64,
                "first_sequence": first_sequence,
                "last_sequence": first_sequence + (size as u64).saturating_sub(1),
                "conversation_id": conversation,
            },
        });
        Self {
            event,
            key: Uuid::new_v4().to_string(),
            body: body.to_string(),
            notices,
            is_batch: true,
        }
    }

    fn messages(&self) -> Vec<MessageId> {
        self.notices.iter().map(|n| n.message.clone()).collect()
    }
}

pub(super) struct Courier {
    target: WebhookTarget,
    address: Address,
    ledger: Arc<Ledger>,
}

impl Courier {
    pub(super) fn new(target: WebhookTarget, address: Address, ledger: Arc<Ledger>) -> Self {
        Self {
            target,
            address,
            ledger,
        }
    }

    pub(super) fn wants(&self, event: &str) -> bool {
        self.target.events.is_empty() || self.target.events.iter().any(|wanted| wanted == event)
    }

    pub(super) fn buffering(&self) -> Option<Buffering> {
        self.target.buffer
    }

    pub(super) fn overtake(&self) -> Duration {
        self.target.timing.overtake
    }

    /// Tries until it is taken or the retries are used up; a failed batch then goes in single parcels.
    pub(super) async fn deliver(&self, parcel: Parcel) {
        if self.try_all(&parcel).await || !parcel.is_batch {
            return;
        }
        for notice in parcel.notices {
            self.try_all(&Parcel::single(notice)).await;
        }
    }

    async fn try_all(&self, parcel: &Parcel) -> bool {
        let pauses = [Duration::ZERO]
            .into_iter()
            .chain(self.target.timing.retries.iter().copied());
        for (number, pause) in pauses.enumerate() {
            sleep(pause).await;
            let answer = timeout(self.target.timing.answer, self.post(parcel)).await;
            let delivery = Delivery {
                event: parcel.event.to_owned(),
                key: parcel.key.clone(),
                messages: parcel.messages(),
                attempt: number + 1,
                status: answer.ok().and_then(Result::ok),
            };
            let accepted = delivery.accepted();
            self.ledger.record_delivery(delivery);
            if accepted {
                return true;
            }
        }
        false
    }

    async fn post(&self, parcel: &Parcel) -> Result<u16, PostError> {
        let stream = TcpStream::connect(self.address.socket).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = self.request(parcel)?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            Ok::<u16, hyper::Error>(response.status().as_u16())
        };
        let (answer, _ended) = tokio::join!(exchange, connection);
        Ok(answer?)
    }

    fn request(&self, parcel: &Parcel) -> Result<Request<Body>, axum::http::Error> {
        let mut request = Request::post(self.address.path())
            .header("host", &self.address.authority)
            .header("connection", "close")
            .header("content-type", "application/json")
            .header("x-webhook-event", parcel.event)
            .header("x-webhook-signature", self.signature(&parcel.body))
            .header("x-idempotency-key", &parcel.key)
            .header("x-webhook-payload-version", "v2");
        if parcel.is_batch {
            request = request
                .header("x-webhook-batch", "true")
                .header("x-batch-size", parcel.notices.len());
        }
        for (name, value) in &self.target.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(parcel.body.clone()))
    }

    /// Lower-case hex HMAC-SHA256 of the body's bytes (kapso.md 4.3).
    fn signature(&self, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.target.secret.expose_secret().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(body.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Why an attempt got no answer. All that counts for the next attempt is that it did not.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("no connection: {0}")]
    Connection(#[from] io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("not a request: {0}")]
    Request(#[from] axum::http::Error),
}
