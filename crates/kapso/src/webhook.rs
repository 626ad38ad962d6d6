//! What Kapso pushes (kapso.md 4): is it genuine, and what does it bring?
//!
//! Pure: no I/O, no waiting, no clock but the one passed in. [`Keys::verify`] says whether a body may be believed, and
//! [`read`] what is in it. Neither fails on hostile input nor panics. Memory goes with the body's size: messages are
//! read one at a time, none that is larger than 1 MiB, and at most [`MOST`] of them; what is larger is recorded as
//! malformed, what is more is counted.
//!
//! Four shapes are understood: Kapso's version 2, single and in batches, Meta's own envelope, and Kapso's version 1,
//! of which nothing is taken.

mod challenge;
mod element;
mod meta;
mod scope;
mod signature;

use std::collections::BTreeSet;
use std::fmt;

use model::{Arrival, IgnoreReason, NumberId, Receipt, Timestamp};
use serde_json::value::RawValue;

pub use challenge::challenge;
pub use scope::Scope;
pub use signature::{Keys, Signatures, Trust, WrongSignature};

use element::Element;
use scope::Whose;

use crate::wire::receipt::Step;
use crate::wire::unread::{elements, is_list, is_object, pick, text};
use crate::wire::{self, ignored};

/// The most arrivals and receipts that are taken from one body: ten times what Meta puts into one. Beyond it nothing
/// is read; [`Pushed::left_out`] counts it, and the message list has it.
pub const MOST: usize = 10_000;

/// The longest event name that is kept, in characters.
const LONGEST_EVENT: usize = 64;

/// What a pushed body brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// What kind of body it was.
    pub kind: Kind,
    /// What came in, in the order in which it stood there; also what is only recorded.
    pub arrivals: Vec<Arrival>,
    /// What became of messages that went out from our number.
    pub receipts: Vec<Receipt>,
    /// Receipts that were left out because the message went out from another business number.
    pub elsewhere: usize,
    /// Numbers of the same bridge that it names although their secret did not sign it: nothing of it is believed for
    /// them, and their lists may have what it tells.
    pub unproven: BTreeSet<NumberId>,
    /// Elements that name no number although several share the secret: recorded as malformed; read their lists.
    pub unnamed: usize,
    /// Elements that were left out because there were more than [`MOST`]: read the list.
    pub left_out: usize,
}

/// What kind of body was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One event of Kapso's version 2.
    Single,
    /// Several messages of Kapso's version 2 (buffering is on).
    Batch,
    /// Meta's envelope.
    Meta,
    /// Kapso's version 1: nothing is taken. The operator has to set the webhook's payload version to v2.
    V1,
    /// An event that is of no use to the bridge, or unknown: its name, in safe characters, at most 64 of them.
    Other(String),
    /// No body that Kapso or Meta would send: what is wrong with it, without its content.
    Malformed(&'static str),
}

impl Kind {
    /// The kind's name in metrics: one of six.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Meta => "meta",
            Self::V1 => "v1",
            Self::Other(_) => "other",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single | Self::Batch | Self::Meta | Self::V1 => f.write_str(self.name()),
            Self::Other(event) => write!(f, "other ({event})"),
            Self::Malformed(what) => write!(f, "malformed ({what})"),
        }
    }
}

/// Reads what was pushed for the business numbers of `scope`, or for one number.
///
/// `event` is the header `X-Webhook-Event`, which counts more than anything in the body (kapso.md 4.2). `now` dates
/// what carries no believable time. A message for a number that is none of the bridge's is an ignored arrival under
/// that number.
pub fn read<'n>(
    scope: impl Into<Scope<'n>>,
    event: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Pushed {
    let mut reading = Reading {
        scope: scope.into(),
        now,
        pushed: Pushed {
            kind: Kind::Malformed(""),
            arrivals: Vec::new(),
            receipts: Vec::new(),
            elsewhere: 0,
            unproven: BTreeSet::new(),
            unnamed: 0,
            left_out: 0,
        },
    };
    reading.pushed.kind = match serde_json::from_slice(body) {
        Ok(json) => reading.body(event, json),
        Err(_) => Kind::Malformed("not JSON"),
    };
    reading.pushed
}

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// It came in.
    Received,
    /// It went out and got so far.
    Outbound(Step),
}

impl Event {
    /// Reads an event's name.
    ///
    /// # Errors
    /// The name, in safe characters, of an event that is none of these.
    fn named(name: &str) -> Result<Self, String> {
        let name = name.trim().to_ascii_lowercase();
        match name.strip_prefix("whatsapp.message.") {
            Some("received") => Ok(Self::Received),
            Some("sent") => Ok(Self::Outbound(Step::Sent)),
            Some("delivered") => Ok(Self::Outbound(Step::Delivered)),
            Some("read") => Ok(Self::Outbound(Step::Read)),
            Some("failed") => Ok(Self::Outbound(Step::Failed)),
            Some(_) | None => Err(safe(&name)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Received => "whatsapp.message.received",
            Self::Outbound(Step::Sent) => "whatsapp.message.sent",
            Self::Outbound(Step::Delivered) => "whatsapp.message.delivered",
            Self::Outbound(Step::Read) => "whatsapp.message.read",
            Self::Outbound(Step::Failed) => "whatsapp.message.failed",
        }
    }
}

/// A name in the characters that event names have.
fn safe(name: &str) -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars().filter(known).take(LONGEST_EVENT).collect()
}

/// A body that is being read.
struct Reading<'n> {
    scope: Scope<'n>,
    now: Timestamp,
    pushed: Pushed,
}

impl<'n> Reading<'n> {
    fn body(&mut self, header: Option<&str>, body: &RawValue) -> Kind {
        if !is_object(body) {
            return Kind::Malformed("not an object");
        }
        let names = [
            "entry",
            "data",
            "batch",
            "event",
            "type",
            "message",
            "conversation",
            "phone_number_id",
            "whatsapp_config",
        ];
        let [entry, data, batch, event, kind, parts @ ..] = pick(body, names);
        let list = data.filter(|data| is_list(data));
        let element = Element::of(body, parts);
        if let Some(entries) = entry.filter(|_| element.message.is_none() && list.is_none()) {
            return self.envelope(entries);
        }
        let kind = kind.and_then(text).filter(|kind| {
            // A message has a type too, which is no event.
            list.is_some()
                || element.message.is_none()
                || kind.trim_start().starts_with("whatsapp.")
        });
        let header = header.filter(|name| !name.trim().is_empty());
        let name = header
            .map(str::to_owned)
            .or_else(|| event.and_then(text))
            .or(kind);
        let event = match name.map(|name| Event::named(&name)).transpose() {
            _ if element.is_v1() => return Kind::V1,
            Ok(event) => event,
            Err(other) => return Kind::Other(other),
        };
        match list {
            Some(list) => self.batch(event, list),
            None if batch.is_some_and(|batch| batch.get() == "true") => {
                Kind::Malformed("a batch without its list")
            }
            None => self.single(event, &element),
        }
    }

    fn single(&mut self, event: Option<Event>, element: &Element<'_>) -> Kind {
        let event = match (event, element.shape()) {
            (Some(event), Some(_)) | (None, Some(event)) => event,
            (Some(_), None) => return Kind::Malformed("no message in it"),
            (None, None) => return Kind::Malformed("no known shape"),
        };
        match self.element(event, element) {
            Taken::Yes => Kind::Single,
            Taken::Nothing => Kind::Other(event.name().to_owned()),
        }
    }

    fn batch(&mut self, event: Option<Event>, list: &RawValue) -> Kind {
        let list = elements(list, MOST);
        self.pushed.left_out += list.beyond;
        let mut kind = Kind::Batch;
        for element in list.taken {
            let element = Element::find(element);
            if element.is_v1() {
                kind = Kind::V1;
                continue;
            }
            let event = event.or_else(|| element.shape());
            self.element(event.unwrap_or(Event::Received), &element);
        }
        kind
    }

    fn has_room(&mut self) -> bool {
        let room = self.pushed.arrivals.len() + self.pushed.receipts.len() < MOST;
        self.pushed.left_out += usize::from(!room);
        room
    }

    fn arrived(&mut self, arrival: Arrival) {
        if self.has_room() {
            self.pushed.arrivals.push(arrival);
        }
    }

    fn malformed(&mut self, raw: &RawValue, what: &str) {
        self.arrived(wire::malformed(self.scope.number, raw, what));
    }

    /// How something is to be read, by the number that it is about; none where that cannot be told, which is recorded.
    fn settle(
        &mut self,
        raw: &RawValue,
        whose: Result<Whose<'n>, &'static str>,
    ) -> Option<About<'n>> {
        match whose {
            Ok(Whose::Ours(number)) => return Some(About::Ours(number)),
            Ok(Whose::Foreign(number)) => return Some(About::Other(number)),
            Ok(Whose::Unproven(number)) => {
                self.pushed.unproven.insert(number.clone());
                return Some(About::Other(self.scope.number.clone()));
            }
            Ok(Whose::Unnamed) => {
                self.pushed.unnamed += 1;
                self.malformed(
                    raw,
                    "it names no business number, and several share its secret",
                );
            }
            Err(what) => self.malformed(raw, what),
        }
        None
    }

    /// Records a message that is not ours to answer, whatever it is, under `number` and for `reason`.
    fn set_aside(&mut self, number: &NumberId, read: &Arrival, reason: IgnoreReason) {
        self.arrived(ignored(number, read.id().clone(), reason));
    }

    /// Takes a receipt that could be read, or records why it could not.
    fn receipt(&mut self, raw: &RawValue, receipt: Result<Option<Receipt>, &'static str>) -> Taken {
        match receipt {
            Ok(Some(receipt)) => {
                if self.has_room() {
                    self.pushed.receipts.push(receipt);
                }
            }
            Ok(None) => return Taken::Nothing,
            Err(what) => self.malformed(raw, what),
        }
        Taken::Yes
    }
}

/// How something is read.
enum About<'n> {
    /// The body is believed for this number.
    Ours(&'n NumberId),
    /// It is not ours to answer, and is recorded under this number.
    Other(NumberId),
}

impl About<'_> {
    fn number(&self) -> &NumberId {
        match self {
            Self::Ours(number) => number,
            Self::Other(number) => number,
        }
    }
}

/// Whether anything was taken from an element, if only a record of what is wrong with it.
enum Taken {
    Yes,
    Nothing,
}
