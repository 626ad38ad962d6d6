//! A stand-in for Kapso's WhatsApp API, and the customers behind it.
//!
//! Served: `GET` and `POST /meta/whatsapp/{version}/{phone_number_id}/messages`, as kapso.md 1 to 4 describes them,
//! webhook deliveries, the number's webhooks below `/platform/v1/whatsapp` (kapso.md 5), uploads, and files in both of
//! Kapso's ways. Every other endpoint answers 501 and names itself. [`KapsoStandIn`] is the side that a
//! test or the phone drives: customers write with [`KapsoStandIn::receive`], what the business sent is awaited with
//! [`KapsoStandIn::sent_to`], troubles are switched on with [`KapsoStandIn::faults`].

mod api;
mod endpoint;
mod event;
mod fault;
mod incoming;
mod ledger;
mod media;
mod outgoing;
mod page;
mod refusal;
mod registry;
mod server;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, Identity, MessageId, NumberId, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use api::Api;
use ledger::{Accepted, Ledger, Names};
use media::MediaStore;
use outgoing::NewMessage;
use registry::Registry;
use webhook::Dispatcher;

pub use event::{
    Delivery, Event, Filed, Pushed, ReadReceipt, RecordedRequest, SentMessage, Status,
};
pub use fault::{DeliveryFault, Faults, ListFault, Pending, SendFault};
pub use incoming::Incoming;
pub use media::{Media, MediaRefused, StoredMedia};
pub use refusal::Refusal;
pub use webhook::{Buffering, Envelope, Signature, WebhookTarget, WebhookTiming};

/// How a stand-in is set up.
#[derive(Debug, Clone)]
pub struct StandInOptions {
    /// The key that requests must carry.
    pub api_key: SecretString,
    /// The business number's id, as in request paths.
    pub number: NumberId,
    /// The business number itself, digits only.
    pub business_phone: String,
    /// Where "now" comes from, for timestamps and the minute's limit.
    pub clock: Clock,
    /// Where events are pushed; nowhere by default.
    pub webhook: Option<WebhookTarget>,
    /// Every answer takes this much longer.
    pub latency: Duration,
    /// Requests that are answered per minute and key; without limit by default.
    pub requests_per_minute: Option<u32>,
    /// When a sent message turns `delivered` by itself; at once by default, never when none.
    pub delivered_after: Option<Duration>,
}

impl StandInOptions {
    /// A stand-in that answers at once, without webhook and limit, by the system's clock.
    pub fn new(api_key: impl Into<SecretString>, number: NumberId) -> Self {
        Self {
            api_key: api_key.into(),
            number,
            business_phone: "15550009999".to_owned(),
            clock: Clock::system(),
            webhook: None,
            latency: Duration::ZERO,
            requests_per_minute: None,
            delivered_after: Some(Duration::ZERO),
        }
    }
}

/// Fewer messages than awaited came in the time given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} of {wanted} messages came within {within:?}", .came.len())]
pub struct Missing {
    /// What came.
    pub came: Vec<SentMessage>,
    /// How many were awaited.
    pub wanted: usize,
    /// The time given.
    pub within: Duration,
}

/// A running stand-in. Clones are handles of the same one.
///
/// A customer is named by phone number in any spelling, or by user id.
#[derive(Clone)]
pub struct KapsoStandIn {
    api: Arc<Api>,
    address: SocketAddr,
}

impl KapsoStandIn {
    /// Serves on `listener` until `stop`, which drops every connection.
    ///
    /// # Errors
    /// When the listener has no address, or the webhook's host cannot be resolved.
    pub async fn start(
        listener: TcpListener,
        options: StandInOptions,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let names = || Names {
            number: options.number.clone(),
            business: options.business_phone.clone(),
        };
        let (announcer, dispatcher) = match options.webhook {
            None => (None, None),
            Some(target) => {
                let (announcer, dispatcher) = Dispatcher::new(target).await?;
                (Some(announcer), Some(dispatcher))
            }
        };
        let ledger = Arc::new(Ledger::new(names(), options.clock.clone(), announcer));
        let faults = Arc::new(Faults::default());
        let tracker = TaskTracker::new();
        if let Some(dispatcher) = dispatcher {
            let (ledger, faults) = (Arc::clone(&ledger), Arc::clone(&faults));
            tracker.spawn(dispatcher.run(ledger, faults, stop.clone(), tracker.clone()));
        }
        let api = Arc::new(Api {
            ledger,
            faults,
            registry: Registry::default(),
            names: names(),
            key: options.api_key,
            clock: options.clock,
            latency: options.latency,
            requests_per_minute: options.requests_per_minute,
            delivered_after: options.delivered_after,
            tracker: tracker.clone(),
            media: MediaStore::new(address),
            beside: Mutex::default(),
        });
        let serving = server::serve(listener, Arc::clone(&api), stop, tracker.clone());
        tracker.spawn(serving);
        Ok(Self { api, address })
    }

    /// What a client is configured with, such as `http://127.0.0.1:4321/meta/whatsapp/v24.0`.
    pub fn base_url(&self) -> String {
        format!("http://{}/meta/whatsapp/v24.0", self.address)
    }

    /// Where the number's webhooks are managed, such as `http://127.0.0.1:4321/platform/v1`.
    pub fn platform_url(&self) -> String {
        format!("http://{}/platform/v1", self.address)
    }

    /// The webhooks that are registered for the number, as the API shows them.
    pub fn webhooks(&self) -> Vec<Value> {
        self.api.registry.all()
    }

    /// Sets a field of a registered webhook, as someone does in Kapso's dashboard, or Kapso itself when it pauses one
    /// (`active`: false); false when there is no such webhook.
    pub fn set_webhook(&self, id: &str, field: &str, value: Value) -> bool {
        self.api.registry.set(id, field, value)
    }

    /// Serves another stand-in's number at this one's address too, as Kapso serves all numbers at one. Messages, faults
    /// and records stay with each.
    pub fn serve_also(&self, other: &Self) {
        let mut beside = self
            .api
            .beside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        beside.push(Arc::clone(&other.api));
    }

    /// The business number, digits only.
    pub fn business_phone(&self) -> &str {
        self.api.ledger.business()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The troubles that can be switched on.
    pub fn faults(&self) -> &Faults {
        &self.api.faults
    }

    /// A customer writes; a text, or an [`Incoming`]. Opens a closed window.
    pub fn receive(&self, from: &str, content: impl Into<Incoming>) -> MessageId {
        self.api.faults.open_window(from);
        self.api.ledger.receive(from, &content.into())
    }

    /// Keeps a file of a customer, as WhatsApp does before a message brings it; gives its media id. Uploads of the
    /// business are kept beside them.
    ///
    /// # Errors
    /// [`MediaRefused`] when it is larger than any file of WhatsApp's.
    pub fn keep(&self, media: Media) -> Result<String, MediaRefused> {
        self.api.media.keep(media)
    }

    /// The same for [`Incoming::file`], whatever the file's size.
    pub fn store_media(&self, mime: &str, bytes: impl Into<Vec<u8>>) -> StoredMedia {
        let id = self.api.media.put(Media {
            name: "file".to_owned(),
            content_type: mime.to_owned(),
            bytes: bytes.into().into(),
        });
        StoredMedia {
            url: self.media_url(&id),
            mime: mime.to_owned(),
            id,
        }
    }

    /// A file that is kept.
    pub fn media(&self, id: &str) -> Option<Arc<Media>> {
        self.api.media.get(id)
    }

    /// Where a file can be fetched without a key, after a redirect: the address that comes with its message
    /// (kapso.md 2.13).
    pub fn media_url(&self, id: &str) -> String {
        self.api.media.url(id)
    }

    /// From now on the address that came with the file's message is gone; its id still leads to it.
    pub fn expire_media_url(&self, media: &StoredMedia) {
        self.api.media.expire(&media.id);
    }

    /// Whether requests for the file are left without an answer from now on.
    pub fn hold_media(&self, media: &StoredMedia, held: bool) {
        self.api.media.hold(&media.id, held);
    }

    /// From now on the file is gone altogether.
    pub fn lose_media(&self, media: &StoredMedia) {
        self.api.media.lose(&media.id);
    }

    /// Every message that has not been forgotten, whoever sent it, in the order of the list, oldest first. Planted
    /// values are not among them.
    pub fn messages(&self) -> Vec<Filed> {
        self.api.ledger.messages()
    }

    /// A message, whoever sent it, as it is now.
    pub fn message(&self, id: &MessageId) -> Option<Filed> {
        self.api.ledger.message(id)
    }

    /// Puts any JSON value in the list as it stands, stored then or now; nothing about it is checked.
    pub fn plant(&self, raw: Value, created_at: Option<Timestamp>) {
        self.api.ledger.plant(raw, created_at);
    }

    /// Shows a message in the list that was received [`hidden`](Incoming::hidden), or sent
    /// [unlisted](Faults::unlisted_sends); false when there is no such message.
    pub fn reveal(&self, message: &MessageId) -> bool {
        self.api.ledger.reveal(message)
    }

    /// Announces a customer's message by webhook once more; false when there is no such message.
    pub fn announce_again(&self, message: &MessageId) -> bool {
        self.api.ledger.announce_again(message)
    }

    /// A person of the business writes to a customer, past the API: `business_app` on their phone, `cloud_api` in
    /// Kapso's inbox (kapso.md 4.7). It is among [`KapsoStandIn::sent`], with a null `body`.
    pub fn send_by_hand(&self, to: &str, text: &str, origin: &str) -> MessageId {
        let message = NewMessage::text(to, text);
        let accepted = Accepted {
            origin,
            listed: true,
            answer_lost: false,
            arrived: Instant::now(),
        };
        let id = self.api.ledger.accept(message, &accepted);
        self.api.deliver(&id);
        id
    }

    /// Moves a sent message on, as the customer's phone or WhatsApp does; false when it is unknown or as far already.
    pub fn set_status(&self, message: &MessageId, status: Status) -> bool {
        self.api.ledger.grow(message, status)
    }

    /// Everything that went to customers, in order.
    pub fn sent(&self) -> Vec<SentMessage> {
        self.api.ledger.sent()
    }

    /// Waits until `n` messages went to a customer, and gives all that did.
    pub async fn sent_to(&self, to: &str, n: usize) -> Vec<SentMessage> {
        let mut count = self.api.ledger.sent_count(to);
        // An error would mean that the ledger is gone, and this handle keeps it.
        let _ = count.wait_for(|count| *count >= n).await;
        self.api.ledger.sent_to(to)
    }

    /// As [`KapsoStandIn::sent_to`], but only for so long.
    ///
    /// # Errors
    /// [`Missing`] with what came instead.
    pub async fn sent_to_within(
        &self,
        to: &str,
        n: usize,
        within: Duration,
    ) -> Result<Vec<SentMessage>, Missing> {
        let came = timeout(within, self.sent_to(to, n)).await;
        came.map_err(|_elapsed| Missing {
            came: self.api.ledger.sent_to(to),
            wanted: n,
            within,
        })
    }

    /// The customers' messages that were marked read, in order of the requests.
    pub fn reads(&self) -> Vec<ReadReceipt> {
        self.api.ledger.reads()
    }

    /// Every request, in order, whatever became of it; the last 100,000.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.api.ledger.requests()
    }

    /// Every attempt to deliver a webhook, in order; the last 100,000.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.api.ledger.deliveries()
    }

    /// Waits until no webhook delivery is under way: each was taken, or given up. Batches that wait for more messages
    /// are under way.
    pub async fn delivered(&self) {
        if let Some(mut open) = self.api.ledger.notices_open() {
            // An error would mean that the ledger is gone, and this handle keeps it.
            let _ = open.wait_for(|open| *open == 0).await;
        }
    }

    /// Waits until `look` finds what it wants; it looks again whenever something happened.
    pub async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.api.ledger.changes();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            // An error would mean that the ledger is gone, and this handle keeps it.
            let _ = changes.changed().await;
        }
    }

    /// What happens from now on. A receiver that lags far behind misses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.api.ledger.events()
    }

    /// Waits, after `stop`, until nothing of the stand-in runs any more.
    pub async fn stopped(&self) {
        self.api.tracker.close();
        self.api.tracker.wait().await;
    }
}

/// The one form of a customer's name that all spellings share; a text that names nobody stays as it is.
fn customer_key(text: &str) -> String {
    Identity::new(text).map_or_else(|_| text.to_owned(), |id| id.canonical().to_string())
}
