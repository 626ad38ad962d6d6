//! Everything the stand-in knows: messages, conversations, what was asked and sent. One lock, in this file only.
//!
//! Each verb takes the lock once, so what it does is whole. Events and webhook notices leave under the lock, and
//! without waiting, so that their order is the order of what happened.

mod conversation;
mod record;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Clock, MessageId, NumberId, Timestamp};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::customer_key;
use super::event::{Delivery, Event, Filed, ReadReceipt, RecordedRequest, SentMessage, Status};
use super::incoming::Incoming;
use super::outgoing::NewMessage;
use super::page::{ListQuery, Page};
use super::webhook::{Announcer, Notice};

pub(super) use record::{Place, Record};
use state::State;

/// Events kept for a slow watcher; one that lags further behind loses the oldest.
const EVENT_CAPACITY: usize = 1024;

/// Names that appear in what the stand-in writes.
pub(super) struct Names {
    /// The business number's id.
    pub(super) number: NumberId,
    /// The business number, digits only.
    pub(super) business: String,
}

/// How a message of the business came to be sent.
pub(super) struct Accepted<'a> {
    /// `kapso.origin`.
    pub(super) origin: &'a str,
    /// Whether the list shows it.
    pub(super) listed: bool,
    /// Whether the client is kept from the answer.
    pub(super) answer_lost: bool,
    /// When its request had been read.
    pub(super) arrived: Instant,
}

pub(super) struct Ledger {
    state: Mutex<State>,
    names: Names,
    clock: Clock,
    announcer: Option<Announcer>,
    events: broadcast::Sender<Event>,
    changes: watch::Sender<u64>,
}

impl Ledger {
    pub(super) fn new(names: Names, clock: Clock, announcer: Option<Announcer>) -> Self {
        Self {
            state: Mutex::default(),
            names,
            clock,
            announcer,
            events: broadcast::Sender::new(EVENT_CAPACITY),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Marked changed after every event and every request.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Files a customer's message and announces it.
    pub(super) fn receive(&self, customer: &str, incoming: &Incoming) -> MessageId {
        let now = self.clock.now();
        let mut state = self.lock();
        let (message, notice) = state.receive(&self.names, customer, incoming, now);
        let customer = state.customer_of(&message);
        if incoming.announced {
            self.announce(notice);
        }
        self.tell(Event::Received {
            message: message.clone(),
            customer,
        });
        message
    }

    /// Puts any JSON value in the list as it stands.
    pub(super) fn plant(&self, raw: Value, created_at: Option<Timestamp>) {
        let at = created_at.unwrap_or_else(|| self.clock.now());
        self.lock().plant(raw, at);
    }

    /// Shows a hidden message in the list; false when there is no such message.
    pub(super) fn reveal(&self, message: &MessageId) -> bool {
        self.lock().reveal(message)
    }

    /// Announces a customer's message once more; false when there is no such message.
    pub(super) fn announce_again(&self, message: &MessageId) -> bool {
        let state = self.lock();
        let notice = state.received_notice(&self.names, message);
        let known = notice.is_some();
        if let Some(notice) = notice {
            self.announce(notice);
        }
        known
    }

    /// Begins a send to a customer; none while another one is in flight.
    pub(super) fn begin_send(self: &Arc<Self>, customer: &str) -> Option<InFlight> {
        let conversation = self.lock().begin_send(customer, self.clock.now())?;
        Some(InFlight {
            ledger: Arc::clone(self),
            conversation,
        })
    }

    /// Files a message of the business as sent.
    pub(super) fn accept(&self, message: NewMessage, accepted: &Accepted<'_>) -> MessageId {
        let now = self.clock.now();
        let mut state = self.lock();
        let (sent, notice) = state.accept(&self.names, message, accepted, now);
        let id = sent.id.clone();
        self.announce(notice);
        self.tell(Event::Sent(sent));
        id
    }

    /// Moves a sent message on; false when it is unknown or already as far.
    pub(super) fn grow(&self, message: &MessageId, status: Status) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some((customer, notice)) = state.grow(&self.names, message, status, now) else {
            return false;
        };
        self.announce(notice);
        self.tell(Event::Status {
            message: message.clone(),
            customer,
            status,
        });
        true
    }

    /// Marks a customer's message, and the earlier ones of the chat, read; false when it is unknown.
    pub(super) fn mark_read(&self, message: &str, typing: bool) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(receipt) = state.mark_read(message, typing, now) else {
            return false;
        };
        self.tell(Event::Read(receipt));
        true
    }

    pub(super) fn page(&self, query: &ListQuery) -> Page {
        let now = self.clock.now();
        let state = self.lock();
        let page = state.page(query, now);
        self.tell(Event::Listed {
            items: page.items.len(),
        });
        page
    }

    /// Counts a request against the minute; returns how many were counted in it, this one included.
    pub(super) fn count_request(&self) -> u32 {
        self.lock().count_request(self.clock.now())
    }

    pub(super) fn record(&self, request: RecordedRequest) {
        let mut state = self.lock();
        state.record(request);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn record_delivery(&self, delivery: Delivery) {
        let mut state = self.lock();
        state.record_delivery(delivery.clone());
        self.tell(Event::Delivered(delivery));
    }

    /// Tells watchers of something that changes nothing here.
    pub(super) fn note(&self, event: Event) {
        let _state = self.lock();
        self.tell(event);
    }

    /// Lets watchers look again.
    pub(super) fn touch(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn messages(&self) -> Vec<Filed> {
        self.lock().filed()
    }

    pub(super) fn message(&self, id: &MessageId) -> Option<Filed> {
        self.lock().filed_as(id)
    }

    /// The stand-in's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn sent(&self) -> Vec<SentMessage> {
        self.lock().sent().to_vec()
    }

    pub(super) fn sent_to(&self, customer: &str) -> Vec<SentMessage> {
        self.lock().sent_to(&customer_key(customer))
    }

    /// How many webhook notices are under way; none where nothing is pushed.
    pub(super) fn notices_open(&self) -> Option<watch::Receiver<usize>> {
        self.announcer.as_ref().map(Announcer::open)
    }

    /// The business number, digits only.
    pub(super) fn business(&self) -> &str {
        &self.names.business
    }

    /// How many messages went to the customer, now and later.
    pub(super) fn sent_count(&self, customer: &str) -> watch::Receiver<usize> {
        self.lock().sent_count(customer, self.clock.now())
    }

    pub(super) fn reads(&self) -> Vec<ReadReceipt> {
        self.lock().reads().to_vec()
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests()
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.lock().deliveries()
    }

    fn announce(&self, notice: Notice) {
        if let Some(announcer) = &self.announcer {
            announcer.announce(notice);
        }
    }

    fn tell(&self, event: Event) {
        // An error means only that nobody watches.
        let _ = self.events.send(event);
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A send that has not been answered; dropping it lets the next one in.
pub(super) struct InFlight {
    ledger: Arc<Ledger>,
    conversation: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ledger.lock().end_send(self.conversation);
    }
}
