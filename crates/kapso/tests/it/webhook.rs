//! What is made of pushed bodies: shapes, receipts, and who may be believed.

mod envelopes;
mod hostile;
mod numbers;
mod receipts;
mod shapes;
mod signatures;

use kapso::webhook::{Kind, Pushed, read};
use model::{Arrival, IgnoreReason, Inbound};
use serde_json::Value;

use crate::data::{NOW, number};

/// The header of a received message.
const RECEIVED: Option<&str> = Some("whatsapp.message.received");

fn push(event: Option<&str>, body: &Value) -> Pushed {
    read(&number(), event, body.to_string().as_bytes(), NOW)
}

/// The one message that came in.
fn only_message(pushed: Pushed) -> Inbound {
    assert_eq!(pushed.receipts, []);
    match <[Arrival; 1]>::try_from(pushed.arrivals) {
        Ok([Arrival::Message(inbound)]) => *inbound,
        other => panic!("{other:?}"),
    }
}

/// Ids and reasons of what was only recorded; messages have none.
fn recorded(pushed: &Pushed) -> Vec<(&str, Option<&IgnoreReason>)> {
    pushed
        .arrivals
        .iter()
        .map(|arrival| match arrival {
            Arrival::Message(inbound) => (inbound.id.as_str(), None),
            Arrival::Ignored(ignored) => (ignored.id.as_str(), Some(&ignored.reason)),
        })
        .collect()
}

fn took_nothing(pushed: &Pushed, kind: &Kind) {
    assert_eq!(&pushed.kind, kind);
    assert_eq!((pushed.arrivals.len(), pushed.receipts.len()), (0, 0));
}
