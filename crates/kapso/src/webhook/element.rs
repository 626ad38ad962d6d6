//! One event of Kapso's version 2: a message with its conversation, alone or in a batch (kapso.md 4.4).

use model::{IgnoreReason, NumberId, Source};
use serde_json::value::RawValue;

use super::{Event, Reading, Taken, other_number};
use crate::wire::receipt::{self, Step};
use crate::wire::unread::{is_object, pick, text};
use crate::wire::{Conversation, listed};

/// Whether it is of version 1, which has a configuration instead of a number, and a type under another name.
pub(super) fn is_v1(element: &RawValue) -> bool {
    let [config, message] = pick(element, ["whatsapp_config", "message"]);
    let [old, new] = message.map_or([None; 2], |it| pick(it, ["message_type", "type"]));
    new.is_none() && (old.is_some() || config.is_some())
}

/// What must have happened, where nothing but the message says it; none where there is no message.
pub(super) fn shape(element: &RawValue) -> Option<Event> {
    let [message] = pick(element, ["message"]);
    let [kapso] = pick(message?, ["kapso"]);
    let [direction, status] = kapso.map_or([None; 2], |it| pick(it, ["direction", "status"]));
    let direction = direction.and_then(text);
    if !direction.is_some_and(|it| it.eq_ignore_ascii_case("outbound")) {
        return Some(Event::Received);
    }
    let step = status.and_then(text).and_then(|it| Step::named(&it));
    Some(Event::Outbound(step.unwrap_or(Step::Sent)))
}

impl Reading<'_> {
    /// Takes what one element brings.
    pub(super) fn element(&mut self, event: &Event, element: &RawValue) -> Taken {
        let names = ["message", "conversation", "phone_number_id"];
        let [message, conversation, id] = pick(element, names);
        let Some(message) = message else {
            self.malformed(element, "no message in it");
            return Taken::Yes;
        };
        let [kapso] = pick(message, ["kapso"]);
        let ids = [
            id,
            conversation.and_then(|it| pick(it, ["phone_number_id"])[0]),
            kapso.and_then(|it| pick(it, ["phone_number_id"])[0]),
        ];
        let other = match other_number(self.number, ids) {
            Ok(other) => other,
            Err(what) => {
                self.malformed(element, what);
                return Taken::Yes;
            }
        };
        let conversation = conversation.filter(|it| is_object(it));
        let context: Option<Conversation> =
            conversation.and_then(|it| serde_json::from_str(it.get()).ok());
        match event {
            Event::Received => self.received(other.as_ref(), message, context.as_ref()),
            Event::Outbound(step) => {
                self.outbound(other.as_ref(), message, context.as_ref(), *step)
            }
            Event::Other(_) => Taken::Nothing,
        }
    }

    fn received(
        &mut self,
        other: Option<&NumberId>,
        message: &RawValue,
        context: Option<&Conversation>,
    ) -> Taken {
        let read = listed(self.number, message, context, Source::Webhook, self.now);
        if let Some(number) = other {
            self.set_aside(number, &read.arrival, IgnoreReason::OtherNumber);
            return Taken::Yes;
        }
        self.arrived(read.arrival);
        if read.sent.is_some_and(|sent| sent.by_hand) {
            // A person took over: that counts, under whichever name it is told.
            let receipt = receipt::of_message(self.number, message, context, Step::Sent, self.now);
            return self.receipt(message, receipt);
        }
        Taken::Yes
    }

    fn outbound(
        &mut self,
        other: Option<&NumberId>,
        message: &RawValue,
        context: Option<&Conversation>,
        step: Step,
    ) -> Taken {
        if other.is_some() {
            self.pushed.elsewhere += 1;
            return Taken::Yes;
        }
        let receipt = receipt::of_message(self.number, message, context, step, self.now);
        self.receipt(message, receipt)
    }
}
