//! The attempts to hand a parcel over, and what goes wrong with them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::parcel::Parcel;
use super::{Buffering, Envelope, Notice, WebhookTarget};
use crate::kapso::event::Delivery;
use crate::kapso::fault::{DeliveryFault, Faults};
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

pub(super) struct Courier {
    pub(super) target: WebhookTarget,
    pub(super) address: Address,
    pub(super) faults: Arc<Faults>,
    pub(super) ledger: Arc<Ledger>,
}

impl Courier {
    pub(super) fn wants(&self, event: &str) -> bool {
        let events = &self.target.events;
        self.target.envelope == Envelope::Meta
            || events.is_empty()
            || events.iter().any(|wanted| wanted == event)
    }

    pub(super) fn buffering(&self) -> Option<Buffering> {
        self.target.buffer
    }

    pub(super) fn overtake(&self) -> Duration {
        self.target.timing.overtake
    }

    pub(super) fn single(&self, notice: Notice) -> Parcel {
        Parcel::single(&self.target, notice, self.ledger.business())
    }

    pub(super) fn batch(&self, notices: Vec<Notice>, window: Duration, first: u64) -> Parcel {
        Parcel::batch(&self.target, notices, self.ledger.business(), window, first)
    }

    /// The trouble that this parcel meets.
    pub(super) fn trouble(&self, parcel: &Parcel) -> DeliveryFault {
        self.faults.take_delivery(parcel.is_received())
    }

    /// Tries until it is taken or the retries are used up; a failed batch then goes in single parcels.
    pub(super) async fn deliver(&self, parcel: Parcel, trouble: DeliveryFault) {
        if self.try_all(&parcel, trouble).await {
            return;
        }
        for notice in parcel.singles(self.target.envelope) {
            let single = self.single(notice);
            let trouble = self.trouble(&single);
            self.try_all(&single, trouble).await;
        }
    }

    async fn try_all(&self, parcel: &Parcel, trouble: DeliveryFault) -> bool {
        match trouble {
            DeliveryFault::Late(time) | DeliveryFault::Overtaken(time) => sleep(time).await,
            DeliveryFault::Lost => {
                self.note(parcel, 1, None, Duration::ZERO);
                return false;
            }
            DeliveryFault::Pass | DeliveryFault::Twice | DeliveryFault::Unheard(_) => {}
        }
        let pauses = [Duration::ZERO]
            .into_iter()
            .chain(self.target.timing.retries.iter().copied());
        for (number, pause) in (1..).zip(pauses) {
            sleep(pause).await;
            let accepted = match trouble {
                DeliveryFault::Twice if number == 1 => {
                    let (one, other) = tokio::join!(
                        self.attempt(parcel, number, true),
                        self.attempt(parcel, number, true)
                    );
                    one || other
                }
                DeliveryFault::Unheard(deaf) => self.attempt(parcel, number, number > deaf).await,
                DeliveryFault::Pass
                | DeliveryFault::Twice
                | DeliveryFault::Lost
                | DeliveryFault::Late(_)
                | DeliveryFault::Overtaken(_) => self.attempt(parcel, number, true).await,
            };
            if accepted {
                return true;
            }
        }
        false
    }

    /// Whether it was taken, and that was heard.
    async fn attempt(&self, parcel: &Parcel, number: usize, heard: bool) -> bool {
        let begun = Instant::now();
        let answer = timeout(self.target.timing.answer, self.post(parcel)).await;
        let status = answer.ok().and_then(Result::ok).filter(|_| heard);
        self.note(parcel, number, status, begun.elapsed())
    }

    fn note(&self, parcel: &Parcel, attempt: usize, status: Option<u16>, took: Duration) -> bool {
        let delivery = Delivery {
            event: parcel.event.to_owned(),
            key: parcel.key.clone(),
            messages: parcel.messages(),
            attempt,
            status,
            at: self.ledger.now(),
            took,
            request: Some(parcel.pushed()),
        };
        let accepted = delivery.accepted();
        self.ledger.record_delivery(delivery);
        accepted
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
        let request = Request::post(self.address.path())
            .header("host", &self.address.authority)
            .header("connection", "close");
        parcel.request(request)
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
