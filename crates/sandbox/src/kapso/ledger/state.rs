//! What the ledger's lock guards, and how each verb changes it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{MessageId, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use super::conversation::Conversation;
use super::{Accepted, Names, Place, Record};
use crate::kapso::customer_key;
use crate::kapso::event::{Delivery, Filed, ReadReceipt, RecordedRequest, SentMessage, Status};
use crate::kapso::incoming::{Facts, Incoming, Visibility};
use crate::kapso::outgoing::NewMessage;
use crate::kapso::page::{ListQuery, Page};
use crate::kapso::webhook::Notice;

/// Requests, and webhook attempts, that are kept; the oldest go first.
const RECORDED: usize = 100_000;
/// Webhook attempts of which the request is kept as well; the oldest lose it first.
const PUSHED: usize = 1000;
/// Bytes of a peer's name that go into a message id.
const LONGEST_PEER: usize = 64;

#[derive(Default)]
pub(super) struct State {
    messages: BTreeMap<Place, Record>,
    by_id: HashMap<String, Place>,
    conversations: Vec<Conversation>,
    by_peer: HashMap<String, usize>,
    sent: Vec<SentMessage>,
    reads: Vec<ReadReceipt>,
    requests: VecDeque<RecordedRequest>,
    deliveries: VecDeque<Delivery>,
    serial: u64,
    salt: Option<u32>,
    minute: i64,
    used: u32,
}

impl State {
    pub(super) fn receive(
        &mut self,
        names: &Names,
        customer: &str,
        incoming: &Incoming,
        now: Timestamp,
    ) -> (MessageId, Notice) {
        let at = self.conversation(customer, now);
        if let Some(user) = &incoming.user_id {
            self.by_peer.insert(user.as_str().to_owned(), at);
            self.conversations[at].user_id = Some(user.as_str().to_owned());
        }
        let conversation = &mut self.conversations[at];
        conversation.seen_as(customer);
        if let Some(name) = &incoming.name {
            conversation.name = Some(name.clone());
        }
        let peer = conversation.recipient().to_owned();
        let id = incoming.id.clone().unwrap_or_else(|| self.new_id(&peer));
        let conversation = &mut self.conversations[at];
        let object = incoming.object(&Facts {
            id: &id,
            sent_at: incoming.sent_at.unwrap_or(now),
            from: conversation.phone.as_deref(),
            user_id: conversation.user_id.as_deref(),
            name: conversation.name.as_deref(),
            conversation: &conversation.id,
            number: &names.number,
            business: &names.business,
        });
        conversation.note(&id, &object, true, now);
        let record = Record {
            object,
            conversation: Some(at),
            visibility: incoming.visibility,
        };
        let notice = self.notice(names, "whatsapp.message.received", at, &id, &record.object);
        let place = self.file(&id, incoming.created_at.unwrap_or(now), record);
        self.conversations[at].unread.push(place);
        (id, notice)
    }

    pub(super) fn plant(&mut self, raw: Value, at: Timestamp) {
        let id = raw["id"].as_str().map(str::to_owned);
        let place = Place::new(at, self.next_serial());
        let record = Record {
            object: raw,
            conversation: None,
            visibility: Visibility::Listed,
        };
        self.messages.insert(place, record);
        if let Some(id) = id {
            self.by_id.insert(id, place);
        }
    }

    pub(super) fn reveal(&mut self, message: &MessageId) -> bool {
        let record = self.record_of(message.as_str());
        record.is_some_and(|record| {
            record.visibility = Visibility::Listed;
            true
        })
    }

    pub(super) fn received_notice(&self, names: &Names, message: &MessageId) -> Option<Notice> {
        let record = self.messages.get(self.by_id.get(message.as_str())?)?;
        let event = "whatsapp.message.received";
        Some(self.notice(names, event, record.conversation?, message, &record.object))
    }

    pub(super) fn begin_send(&mut self, customer: &str, now: Timestamp) -> Option<usize> {
        let at = self.conversation(customer, now);
        let conversation = &mut self.conversations[at];
        if conversation.in_flight {
            return None;
        }
        conversation.in_flight = true;
        Some(at)
    }

    pub(super) fn end_send(&mut self, conversation: usize) {
        self.conversations[conversation].in_flight = false;
    }

    pub(super) fn accept(
        &mut self,
        names: &Names,
        message: NewMessage,
        accepted: &Accepted<'_>,
        now: Timestamp,
    ) -> (SentMessage, Notice) {
        let at = self.conversation(&message.to, now);
        let peer = self.conversations[at].recipient().to_owned();
        let id = self.new_id(&peer);
        let conversation = &mut self.conversations[at];
        let object = message.object(&id, &conversation.id, &peer, names, accepted.origin, now);
        conversation.note(&id, &object, false, now);
        let mut record = Record {
            object,
            conversation: Some(at),
            visibility: if accepted.listed {
                Visibility::Listed
            } else {
                Visibility::WhenRevealed
            },
        };
        record.grow(&id, &peer, Status::Sent, now);
        let sent = SentMessage {
            id: id.clone(),
            to: message.to,
            customer: conversation.customer.clone(),
            kind: message.kind,
            text: message.text,
            quote: message.quote,
            body: message.body,
            at: now,
            arrived: accepted.arrived,
            listed: accepted.listed,
            answer_lost: accepted.answer_lost,
        };
        conversation.sent.push(self.sent.len());
        self.sent.push(sent.clone());
        let counted = self.conversations[at].sent.len();
        self.conversations[at].sent_count.send_replace(counted);
        let notice = self.notice(names, "whatsapp.message.sent", at, &id, &record.object);
        self.file(&id, now, record);
        (sent, notice)
    }

    pub(super) fn grow(
        &mut self,
        names: &Names,
        message: &MessageId,
        status: Status,
        now: Timestamp,
    ) -> Option<(String, Notice)> {
        let place = *self.by_id.get(message.as_str())?;
        let record = self.messages.get_mut(&place)?;
        let at = record.conversation?;
        let peer = self.conversations[at].recipient().to_owned();
        if !record.grow(message, &peer, status, now) {
            return None;
        }
        let event = match status {
            Status::Sent => "whatsapp.message.sent",
            Status::Delivered => "whatsapp.message.delivered",
            Status::Read => "whatsapp.message.read",
            Status::Failed(_) => "whatsapp.message.failed",
        };
        let object = record.object.clone();
        let customer = self.conversations[at].customer.clone();
        Some((customer, self.notice(names, event, at, message, &object)))
    }

    pub(super) fn mark_read(
        &mut self,
        message: &str,
        typing: bool,
        now: Timestamp,
    ) -> Option<ReadReceipt> {
        let place = *self.by_id.get(message)?;
        let record = self.messages.get_mut(&place)?;
        if record.is_outbound() {
            return None;
        }
        record.set_status("read");
        let conversation = record.conversation;
        let id = MessageId::new(message).ok()?;
        let unread = conversation.map(|at| &mut self.conversations[at].unread);
        for earlier in unread
            .into_iter()
            .flat_map(|all| all.extract_if(.., |p| *p <= place))
        {
            if let Some(record) = self.messages.get_mut(&earlier) {
                record.set_status("read");
            }
        }
        let customer = conversation.map(|at| self.conversations[at].customer.clone());
        let receipt = ReadReceipt {
            message: id,
            customer: customer.unwrap_or_default(),
            typing,
            at: now,
        };
        self.reads.push(receipt.clone());
        Some(receipt)
    }

    /// A page, newest first (kapso.md 3.2).
    pub(super) fn page(&self, query: &ListQuery, now: Timestamp) -> Page {
        let fits =
            |(place, record): &(&Place, &Record)| record.visible(now) && query.fits(place, record);
        let take = query.limit + 1;
        let (mut found, newest_last) = if let Some(before) = query.before {
            let newer = self
                .messages
                .range((Bound::Excluded(before), Bound::Unbounded));
            let found: Vec<_> = newer.filter(fits).take(take).collect();
            (found, true)
        } else {
            let start = query.after.map_or(Bound::Unbounded, Bound::Excluded);
            let older = self.messages.range((Bound::Unbounded, start)).rev();
            let recent =
                older.take_while(|(place, _)| query.since.is_none_or(|s| place.micros >= s));
            (recent.filter(fits).take(take).collect(), false)
        };
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        if newest_last {
            found.reverse();
        }
        Page::new(query, &found, more || newest_last)
    }

    pub(super) fn count_request(&mut self, now: Timestamp) -> u32 {
        let minute = now.as_millis().div_euclid(60_000);
        if minute != self.minute {
            self.minute = minute;
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        self.used
    }

    pub(super) fn record(&mut self, request: RecordedRequest) {
        push_bounded(&mut self.requests, request);
    }

    pub(super) fn record_delivery(&mut self, delivery: Delivery) {
        push_bounded(&mut self.deliveries, delivery);
        let old = self.deliveries.len().checked_sub(PUSHED + 1);
        if let Some(delivery) = old.and_then(|old| self.deliveries.get_mut(old)) {
            delivery.request = None;
        }
    }

    pub(super) fn filed(&self) -> Vec<Filed> {
        let messages = self.messages.iter();
        messages
            .filter_map(|(place, record)| self.as_filed(*place, record))
            .collect()
    }

    pub(super) fn filed_as(&self, id: &MessageId) -> Option<Filed> {
        let place = *self.by_id.get(id.as_str())?;
        self.as_filed(place, self.messages.get(&place)?)
    }

    fn as_filed(&self, place: Place, record: &Record) -> Option<Filed> {
        Some(Filed {
            customer: self.conversations[record.conversation?].customer.clone(),
            at: Timestamp::from_millis(place.micros.div_euclid(1000)),
            object: record.object.clone(),
        })
    }

    pub(super) fn sent(&self) -> &[SentMessage] {
        &self.sent
    }

    pub(super) fn sent_to(&self, customer: &str) -> Vec<SentMessage> {
        let conversation = self
            .by_peer
            .get(customer)
            .map(|at| &self.conversations[*at]);
        let places = conversation.map_or(&[][..], |conversation| &conversation.sent);
        places.iter().map(|at| self.sent[*at].clone()).collect()
    }

    pub(super) fn sent_count(&mut self, customer: &str, now: Timestamp) -> watch::Receiver<usize> {
        let at = self.conversation(customer, now);
        self.conversations[at].sent_count.subscribe()
    }

    pub(super) fn reads(&self) -> &[ReadReceipt] {
        &self.reads
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.iter().cloned().collect()
    }

    /// The customer of a message, in canonical form.
    pub(super) fn customer_of(&self, message: &MessageId) -> String {
        let record = self
            .by_id
            .get(message.as_str())
            .and_then(|at| self.messages.get(at));
        let conversation = record.and_then(|record| record.conversation);
        conversation.map_or_else(String::new, |at| self.conversations[at].customer.clone())
    }

    /// The conversation with a customer, begun if there is none.
    fn conversation(&mut self, written: &str, now: Timestamp) -> usize {
        let key = customer_key(written);
        if let Some(at) = self.by_peer.get(&key) {
            return *at;
        }
        let at = self.conversations.len();
        self.conversations
            .push(Conversation::new(key.clone(), written, now));
        self.by_peer.insert(key, at);
        at
    }

    fn record_of(&mut self, message: &str) -> Option<&mut Record> {
        self.messages.get_mut(self.by_id.get(message)?)
    }

    fn file(&mut self, id: &MessageId, created_at: Timestamp, record: Record) -> Place {
        let place = Place::new(created_at, self.next_serial());
        self.messages.insert(place, record);
        self.by_id.insert(id.as_str().to_owned(), place);
        place
    }

    fn notice(
        &self,
        names: &Names,
        event: &'static str,
        conversation: usize,
        id: &MessageId,
        object: &Value,
    ) -> Notice {
        let mut message = object.clone();
        if event == "whatsapp.message.received" {
            message["kapso"]["status"] = json!("received");
            message["kapso"]["processing_status"] = json!("pending");
        }
        let with = &self.conversations[conversation];
        Notice {
            event,
            conversation,
            conversation_id: with.id.clone(),
            message: id.clone(),
            body: json!({
                "message": message,
                "conversation": with.object(&names.number),
                "is_new_conversation": with.messages <= 1,
                "phone_number_id": names.number,
            }),
        }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A new id in WhatsApp's form: base64 of framing bytes, the peer, and twenty hexadecimal digits.
    fn new_id(&mut self, peer: &str) -> MessageId {
        let salt = *self
            .salt
            .get_or_insert_with(|| Uuid::new_v4().as_fields().0);
        let serial = self.next_serial();
        let peer = &peer.as_bytes()[..peer.len().min(LONGEST_PEER)];
        let mut bytes = vec![0x1c, 0x18, u8::try_from(peer.len()).unwrap_or(u8::MAX)];
        bytes.extend(peer);
        bytes.extend([0x15, 0x02, 0x00, 0x12, 0x18, 0x14]);
        bytes.extend(format!("{salt:08X}{serial:012X}").bytes());
        bytes.push(0);
        MessageId::new(&format!("wamid.{}", STANDARD.encode(bytes)))
            .expect("base64 of a hundred bytes is as short and plain as an id must be")
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == RECORDED {
        queue.pop_front();
    }
    queue.push_back(item);
}
