//! Troubles that can be switched on: what the next requests meet instead of a proper answer.
//!
//! Each kind of request has its own row of faults, used up in order, one per request. A request that is refused
//! for its own sake (wrong key, unreadable body) uses none up.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::customer_key;
use super::refusal::Refusal;

/// What a send, or a read receipt, meets.
#[derive(Debug, Clone, PartialEq)]
pub enum SendFault {
    /// Answered properly; lets requests pass before the next fault of the row.
    Pass,
    /// 409: another message is in flight for the conversation. Nothing is sent.
    InFlight,
    /// 429 with this many whole seconds in `Retry-After`. Nothing is sent.
    RateLimited(Duration),
    /// Any other refusal. Nothing is sent.
    Refuse(Refusal),
    /// 500. Nothing is sent.
    ServerError,
    /// 500, but the message goes out.
    ServerErrorAfterAccepting,
    /// The connection is reset. Nothing is sent.
    Reset,
    /// The message goes out, then the connection is reset.
    ResetAfterAccepting,
    /// No answer, for as long as the client waits. Nothing is sent.
    Hang,
    /// The message goes out, and no answer comes for as long as the client waits.
    HangAfterAccepting,
    /// The message goes out, and the answer is a 200 that is not JSON.
    Garbage,
    /// Answered properly, this much later.
    Delay(Duration),
}

/// What a list request meets.
#[derive(Debug, Clone, PartialEq)]
pub enum ListFault {
    /// Answered properly; lets requests pass before the next fault of the row.
    Pass,
    /// 500.
    ServerError,
    /// 429 with this many whole seconds in `Retry-After`.
    RateLimited(Duration),
    /// Any other refusal.
    Refuse(Refusal),
    /// The connection is reset.
    Reset,
    /// No answer, for as long as the client waits.
    Hang,
    /// A 200 that is not JSON.
    NotJson,
    /// The page has a number and an object without any usable field between its items.
    MalformedElement,
    /// The page's `after` cursor leads to the same page again.
    RepeatedPage,
    /// Answered properly, this much later.
    Delay(Duration),
}

/// What a webhook delivery meets on its way. One counts for all attempts of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    /// Goes as it should; lets deliveries pass before the next fault of the row.
    Pass,
    /// No attempt arrives; what cannot be taken apart any more is lost for good.
    Lost,
    /// The first attempt goes out twice at once, on two connections.
    Twice,
    /// Goes out this much later, and holds those behind it in its conversation up.
    Late(Duration),
    /// Goes out this much later; those behind it in its conversation go first.
    Overtaken(Duration),
    /// The answers to so many attempts are not heard: each arrives, and counts as failed.
    Unheard(usize),
}

/// What is switched on and has not struck yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Sends that will go wrong.
    pub sends: usize,
    /// Read receipts that will go wrong.
    pub marks: usize,
    /// Reads of the list that will go wrong.
    pub lists: usize,
    /// Webhook deliveries that will go wrong.
    pub deliveries: usize,
    /// The customers, in canonical form, who can only be sent templates.
    pub closed: Vec<String>,
}

/// The switches. Shared by all handles of one stand-in.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Switches>);

#[derive(Debug, Default)]
struct Switches {
    sends: VecDeque<SendFault>,
    sends_to: HashMap<String, VecDeque<SendFault>>,
    marks: VecDeque<SendFault>,
    webhooks: VecDeque<SendFault>,
    lists: VecDeque<ListFault>,
    deliveries: VecDeque<DeliveryFault>,
    reports: VecDeque<DeliveryFault>,
    sends_unlisted: bool,
    closed: HashSet<String>,
    unreachable: bool,
}

impl Faults {
    /// The next `n` sends, to whomever, meet `fault`; after what was switched on before.
    pub fn next_sends(&self, n: usize, fault: SendFault) {
        self.switches().sends.extend(vec![fault; n]);
    }

    /// The next `n` sends to `customer` meet `fault`; they use up none of [`Faults::next_sends`].
    pub fn next_sends_to(&self, customer: &str, n: usize, fault: SendFault) {
        self.switches()
            .sends_to
            .entry(customer_key(customer))
            .or_default()
            .extend(vec![fault; n]);
    }

    /// The next `n` requests about the number's webhooks meet `fault`; "goes out" means here that it is carried out.
    pub fn next_webhook_requests(&self, n: usize, fault: SendFault) {
        self.switches().webhooks.extend(vec![fault; n]);
    }

    /// The next `n` read receipts meet `fault`; "goes out" means here that the message is marked read.
    pub fn next_marks(&self, n: usize, fault: SendFault) {
        self.switches().marks.extend(vec![fault; n]);
    }

    /// The next `n` list requests meet `fault`.
    pub fn next_lists(&self, n: usize, fault: ListFault) {
        self.switches().lists.extend(vec![fault; n]);
    }

    /// The next `n` webhook deliveries of customers' messages meet `fault`; a batch is one.
    pub fn next_deliveries(&self, n: usize, fault: DeliveryFault) {
        self.switches().deliveries.extend(vec![fault; n]);
    }

    /// The next `n` webhook deliveries about sent messages meet `fault`.
    pub fn next_reports(&self, n: usize, fault: DeliveryFault) {
        self.switches().reports.extend(vec![fault; n]);
    }

    /// While on, what is sent does not show in the list, not even later, unless it is
    /// [revealed](super::KapsoStandIn::reveal).
    pub fn unlisted_sends(&self, on: bool) {
        self.switches().sends_unlisted = on;
    }

    /// From now on `customer` can only be sent templates: 422 with code 131047.
    pub fn close_window(&self, customer: &str) {
        self.switches().closed.insert(customer_key(customer));
    }

    /// Ends [`Faults::close_window`]; a message of the customer does so too.
    pub fn open_window(&self, customer: &str) {
        self.switches().closed.remove(&customer_key(customer));
    }

    /// While on, every new connection is reset before a byte is read from it.
    pub fn unreachable(&self, on: bool) {
        self.switches().unreachable = on;
    }

    /// What is still to come.
    pub fn pending(&self) -> Pending {
        let switches = self.switches();
        let mut closed: Vec<String> = switches.closed.iter().cloned().collect();
        closed.sort();
        Pending {
            sends: switches.sends.len()
                + switches.sends_to.values().map(VecDeque::len).sum::<usize>(),
            marks: switches.marks.len(),
            lists: switches.lists.len(),
            deliveries: switches.deliveries.len() + switches.reports.len(),
            closed,
        }
    }

    /// Switches everything off.
    pub fn clear(&self) {
        *self.switches() = Switches::default();
    }

    pub(super) fn take_send(&self, customer: &str) -> SendFault {
        let mut switches = self.switches();
        let own = switches
            .sends_to
            .get_mut(customer)
            .and_then(VecDeque::pop_front);
        own.or_else(|| switches.sends.pop_front())
            .unwrap_or(SendFault::Pass)
    }

    pub(super) fn take_mark(&self) -> SendFault {
        self.switches().marks.pop_front().unwrap_or(SendFault::Pass)
    }

    pub(super) fn take_webhook(&self) -> SendFault {
        let fault = self.switches().webhooks.pop_front();
        fault.unwrap_or(SendFault::Pass)
    }

    pub(super) fn take_list(&self) -> ListFault {
        self.switches().lists.pop_front().unwrap_or(ListFault::Pass)
    }

    pub(super) fn take_delivery(&self, of_customers: bool) -> DeliveryFault {
        let mut switches = self.switches();
        let row = if of_customers {
            &mut switches.deliveries
        } else {
            &mut switches.reports
        };
        row.pop_front().unwrap_or(DeliveryFault::Pass)
    }

    pub(super) fn sends_are_unlisted(&self) -> bool {
        self.switches().sends_unlisted
    }

    pub(super) fn window_is_closed(&self, customer: &str) -> bool {
        self.switches().closed.contains(customer)
    }

    pub(super) fn is_unreachable(&self) -> bool {
        self.switches().unreachable
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a request before its work is done, or of its answer afterwards.
#[derive(Debug)]
pub(super) enum Outcome {
    Proper,
    Refused(Refusal),
    NotJson,
    Reset,
    Hang,
}

/// A send fault, taken apart: what happens before the message goes out, and after.
pub(super) struct Course {
    pub(super) delay: Duration,
    pub(super) before: Outcome,
    pub(super) after: Outcome,
}

impl Course {
    fn before(before: Outcome) -> Self {
        Self {
            delay: Duration::ZERO,
            before,
            after: Outcome::Proper,
        }
    }

    fn after(after: Outcome) -> Self {
        Self {
            delay: Duration::ZERO,
            before: Outcome::Proper,
            after,
        }
    }
}

impl From<SendFault> for Course {
    fn from(fault: SendFault) -> Self {
        match fault {
            SendFault::Pass => Self::before(Outcome::Proper),
            SendFault::InFlight => Self::before(Outcome::Refused(Refusal::in_flight())),
            SendFault::RateLimited(wait) => {
                Self::before(Outcome::Refused(Refusal::rate_limited(wait)))
            }
            SendFault::Refuse(refusal) => Self::before(Outcome::Refused(refusal)),
            SendFault::ServerError => Self::before(Outcome::Refused(Refusal::server_error())),
            SendFault::ServerErrorAfterAccepting => {
                Self::after(Outcome::Refused(Refusal::server_error()))
            }
            SendFault::Reset => Self::before(Outcome::Reset),
            SendFault::ResetAfterAccepting => Self::after(Outcome::Reset),
            SendFault::Hang => Self::before(Outcome::Hang),
            SendFault::HangAfterAccepting => Self::after(Outcome::Hang),
            SendFault::Garbage => Self::after(Outcome::NotJson),
            SendFault::Delay(delay) => Self {
                delay,
                before: Outcome::Proper,
                after: Outcome::Proper,
            },
        }
    }
}
