//! The door that Kapso pushes to: limit, verify, read, commit, then 200. One for all numbers.
//!
//! The answer is 200 once everything that the body brought is on disk, and before any work is done for it. What is
//! signed is taken as it is. What is not, because no key is configured, is only a hint: nothing of the body is used,
//! and Kapso's own list is read instead, so that a forged body gains nothing. Signed means signed with the secret of the
//! number that it is about: the secret of one number vouches for no other. A body that is not understood is
//! answered 200 as well, because refusals make Kapso pause the webhook (kapso.md 4.6), and hints at the list too.

mod seldom;
mod server;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kapso::webhook::{self, Keys, Kind, Pushed, Signatures};
use model::{Arrival, Clock, IgnoreReason, Ignored, NumberId};
use secrecy::SecretString;
use store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use self::seldom::Seldom;
pub use self::trust::NumberKeys;
use self::trust::{Belief, Believed, believe};
use super::Wake;
use super::doorbell::Doorbells;
use crate::Parts;
use crate::control::Control;
use crate::health::{Health, Push};
use crate::numbers::Number;

/// The longest body that is read, in bytes. Meta sends up to 3 MB (kapso.md 10.2).
const BODY_MOST: usize = 4 << 20;

/// KiB of large bodies that are read at once; further ones wait, until their deadline.
const ROOM_KIB: usize = 32 << 10;

/// Bodies up to this many bytes are read without asking for room: nearly all are that small, and whoever holds the
/// room with large ones cannot keep them out.
const SMALL: usize = 64 << 10;

/// From a request's head to the end of its body: Kapso gives an endpoint ten seconds for everything.
pub const READ_DEADLINE: Duration = Duration::from_secs(8);

const SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");
const HUB_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const EVENT: HeaderName = HeaderName::from_static("x-webhook-event");

/// Where messages are pushed to.
#[derive(Debug, Clone)]
pub struct Door {
    /// The bound port.
    pub listener: Arc<TcpListener>,
    /// The keys of each number's signatures; for a number without any, what is pushed is only a hint.
    pub keys: Vec<NumberKeys>,
    /// What a verification request has to show.
    pub verify_token: Option<SecretString>,
    /// How long a body may take to come; [`READ_DEADLINE`] in production.
    pub read_deadline: Duration,
    /// What `/health` and `/ready` answer from.
    pub control: Control,
}

impl Door {
    /// The keys of a number; none, where none are given.
    pub(super) fn keys_of(&self, number: &Number) -> NumberKeys {
        let given = self.keys.iter().find(|keys| keys.number == *number.id());
        given.cloned().unwrap_or_else(|| NumberKeys {
            number: number.id().clone(),
            name: number.name.clone(),
            keys: Keys::default(),
        })
    }
}

/// Takes what Kapso pushes. Clones share everything.
#[derive(Clone)]
pub(crate) struct Webhook(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    health: Health,
    keys: Vec<NumberKeys>,
    verify_token: Option<SecretString>,
    wake: Wake,
    doorbells: Doorbells,
    read_deadline: Duration,
    room: Semaphore,
    complaints: Seldom,
}

/// Answers on the door until `stop`.
pub(crate) async fn serve(door: Door, webhook: Webhook, stop: CancellationToken) {
    let routes = Router::new()
        .route("/webhook", get(verify).post(receive))
        .with_state(webhook)
        .merge(door.control.public_routes())
        .layer(map_response(nothing_to_sniff));
    server::serve(&door.listener, routes, stop).await;
}

impl Webhook {
    pub(crate) fn new(parts: &Parts, door: &Door, wake: Wake, doorbells: Doorbells) -> Self {
        let keys: Vec<NumberKeys> = parts
            .numbers
            .iter()
            .map(|number| door.keys_of(number))
            .collect();
        for number in keys.iter().filter(|number| !number.keys.are_set()) {
            warn!(
                number = number.name,
                "webhook.secret is not set: pushed messages are only hints, and are read from Kapso's list. \
                 Make one (openssl rand -hex 32), and set it at Kapso's webhook and here"
            );
        }
        Self(Arc::new(Inner {
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            health: parts.health.clone(),
            keys,
            verify_token: door.verify_token.clone(),
            wake,
            doorbells,
            read_deadline: door.read_deadline,
            room: Semaphore::new(ROOM_KIB),
            complaints: Seldom::default(),
        }))
    }

    /// What a request is answered with.
    async fn take(&self, headers: &HeaderMap, body: Body) -> (StatusCode, &'static str) {
        let this = &*self.0;
        let read = timeout(this.read_deadline, this.read(headers, body)).await;
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(refused)) => return this.refused(refused),
            Err(_elapsed) => return this.refused(Refused::Slow),
        };
        let value = |name| headers.get(name).map(HeaderValue::as_bytes);
        let signatures = Signatures {
            kapso: value(SIGNATURE),
            meta: value(HUB_SIGNATURE),
        };
        let believed = match believe(&this.keys, &signatures, &body) {
            Belief::Signed(believed) => believed,
            Belief::Hint(numbers) => {
                this.hinted(&numbers);
                return (StatusCode::OK, "ok");
            }
            Belief::None => return this.refused(Refused::Signature),
        };
        let event = headers.get(EVENT).and_then(|event| event.to_str().ok());
        let pushed = webhook::read(believed.scope(), event, &body, this.clock.now());
        drop(body);
        match this.commit(&pushed).await {
            Ok(()) => {
                this.note(&pushed, &believed);
                (StatusCode::OK, "ok")
            }
            Err(failure) => {
                error!(%failure, "cannot record what Kapso pushed; it will push it again");
                let now = this.clock.now();
                this.health.journal_failed(now, failure.to_string());
                this.health.pushed(now, Push::NotRecorded);
                // Three pushes may all fail; the list keeps what they brought.
                this.doorbells.ring(believed.numbers());
                (StatusCode::SERVICE_UNAVAILABLE, "cannot be recorded now")
            }
        }
    }
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy)]
enum Refused {
    TooLarge,
    Slow,
    Broken,
    Signature,
}

impl Inner {
    /// The whole body, while there is room for it.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Refused> {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
            .unwrap_or(BODY_MOST);
        if announced > BODY_MOST {
            return Err(Refused::TooLarge);
        }
        let kib = match announced {
            ..=SMALL => 0,
            large => u32::try_from(large / 1024 + 1).unwrap_or(u32::MAX),
        };
        let Ok(_room) = self.room.acquire_many(kib).await else {
            return Err(Refused::Broken);
        };
        match Limited::new(body, BODY_MOST).collect().await {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
            Err(_broken) => Err(Refused::Broken),
        }
    }

    /// Writes down what was pushed, then wakes whom it concerns.
    async fn commit(&self, pushed: &Pushed) -> Result<(), StoreError> {
        if !pushed.arrivals.is_empty() {
            let accepted = self.store.accept(&pushed.arrivals, None).await?;
            for chat in accepted.fresh {
                self.doorbells.of(&chat.number).active();
                (self.wake.message)(chat);
            }
        }
        if !pushed.receipts.is_empty() {
            let chats = self.store.receipts(&pushed.receipts).await?;
            chats.into_iter().for_each(|chat| (self.wake.receipt)(chat));
        }
        Ok(())
    }

    /// Has the lists of these numbers read, which have no secret that the body could have been signed with.
    fn hinted(&self, numbers: &[NumberId]) {
        let now = self.clock.now();
        self.health.pushed(now, Push::Hint);
        self.doorbells.ring(numbers);
        if numbers.len() < self.keys.len() && self.complaints.may(now) {
            warn!(
                hinted = ?self.names(numbers),
                "a push that no secret fits: only a hint for the numbers that have none; set a secret for each number"
            );
        }
    }

    /// Counts what it was, and tells the operator what they can mend.
    fn note(&self, pushed: &Pushed, believed: &Believed) {
        let now = self.clock.now();
        self.note_others(pushed, believed);
        if pushed.left_out + pushed.unnamed > 0 {
            warn!(
                items = pushed.left_out,
                unnamed = pushed.unnamed,
                "a push with too much in it, or without the number that it is for; the list has the rest"
            );
            self.doorbells.ring(believed.numbers());
        }
        let push = match &pushed.kind {
            Kind::Single | Kind::Batch | Kind::Meta => Push::Taken,
            Kind::Other(event) => {
                debug!(%event, "an event that is not used");
                Push::Unused
            }
            Kind::V1 => {
                if self.complaints.may(now) {
                    error!(
                        "Kapso pushes payload version v1, which is not read: set the webhook to v2 in Kapso's dashboard"
                    );
                }
                self.doorbells.ring(believed.numbers());
                Push::V1
            }
            Kind::Malformed(what) => {
                if self.complaints.may(now) {
                    warn!(
                        what,
                        "a signed push that cannot be read; reading the list instead"
                    );
                }
                self.doorbells.ring(believed.numbers());
                Push::Malformed
            }
        };
        self.health.pushed(now, push);
    }

    /// What a push tells of numbers for which it is not believed: the operator may have confused two secrets, and the
    /// lists have what is true of it.
    fn note_others(&self, pushed: &Pushed, believed: &Believed) {
        self.doorbells.ring(&pushed.unproven);
        let foreign = pushed.arrivals.iter().filter(|arrival| is_foreign(arrival));
        let foreign = foreign.count() + pushed.elsewhere;
        if foreign == 0 || !self.complaints.may(self.clock.now()) {
            return;
        }
        let signed = self.names(believed.numbers());
        if pushed.unproven.is_empty() {
            warn!(
                items = foreign,
                ?signed,
                "pushed for a number that is not configured: recorded, and not answered from here"
            );
        } else {
            let about = self.names(&pushed.unproven);
            warn!(
                items = foreign,
                ?signed,
                ?about,
                "pushed for one number and signed with the secret of another: not believed, and read from the list; \
                 check their webhook secrets"
            );
        }
    }

    /// What the operator calls these numbers.
    fn names<'n>(&self, ids: impl IntoIterator<Item = &'n NumberId>) -> Vec<&str> {
        ids.into_iter()
            .filter_map(|id| self.keys.iter().find(|keys| keys.number == *id))
            .map(|keys| keys.name.as_str())
            .collect()
    }

    fn refused(&self, refused: Refused) -> (StatusCode, &'static str) {
        let now = self.clock.now();
        self.health.pushed(now, Push::Refused);
        if self.complaints.may(now) {
            warn!(?refused, "turned a request to /webhook away");
        }
        match refused {
            Refused::TooLarge => {
                // It will not come again: a list may have it.
                self.doorbells.ring_all();
                (StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB")
            }
            Refused::Slow => (StatusCode::REQUEST_TIMEOUT, "too slow"),
            Refused::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
            Refused::Signature => (StatusCode::UNAUTHORIZED, "wrong signature"),
        }
    }
}

fn is_foreign(arrival: &Arrival) -> bool {
    matches!(
        arrival,
        Arrival::Ignored(Ignored {
            reason: IgnoreReason::OtherNumber,
            ..
        })
    )
}

async fn receive(State(webhook): State<Webhook>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    webhook.take(&head.headers, body).await.into_response()
}

/// Meta's question whether the endpoint is ours.
async fn verify(State(webhook): State<Webhook>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    match webhook::challenge(&query, webhook.0.verify_token.as_ref()) {
        Some(challenge) => challenge.into_response(),
        None => (StatusCode::FORBIDDEN, "wrong verify token").into_response(),
    }
}

async fn nothing_to_sniff(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
