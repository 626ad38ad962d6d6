//! One event of Kapso's version 2: a message with its conversation, alone or in a batch (kapso.md 4.4).

use model::{IgnoreReason, NumberId, Source};
use serde_json::value::RawValue;

use super::{About, Event, Reading, Taken};
use crate::wire::receipt::Step;
use crate::wire::unread::{is_object, pick, text};
use crate::wire::{Conversation, Item};

/// What one event consists of.
pub(super) struct Element<'a> {
    raw: &'a RawValue,
    pub(super) message: Option<Item<'a>>,
    conversation: Option<&'a RawValue>,
    /// The business number.
    number: Option<&'a RawValue>,
    /// What version 1 has instead.
    config: Option<&'a RawValue>,
}

impl<'a> Element<'a> {
    pub(super) fn find(raw: &'a RawValue) -> Self {
        let names = [
            "message",
            "conversation",
            "phone_number_id",
            "whatsapp_config",
        ];
        Self::of(raw, pick(raw, names))
    }

    /// As [`Element::find`], with the parts found already, in its order.
    pub(super) fn of(raw: &'a RawValue, parts: [Option<&'a RawValue>; 4]) -> Self {
        let [message, conversation, number, config] = parts;
        Self {
            raw,
            message: message.map(Item::read),
            conversation,
            number,
            config,
        }
    }

    /// Whether it is of version 1. A message of version 2 is one, whatever stands beside it.
    pub(super) fn is_v1(&self) -> bool {
        let Some(message) = &self.message else {
            return self.config.is_some();
        };
        message.is_v1() || (self.config.is_some() && !message.has_type())
    }

    /// What must have happened, where nothing but the message says it; none where there is no message.
    pub(super) fn shape(&self) -> Option<Event> {
        let step = self.message.as_ref()?.step();
        Some(step.map_or(Event::Received, Event::Outbound))
    }

    /// The conversation, if that is what it is.
    fn context(&self) -> Option<Conversation> {
        let conversation = self.conversation.filter(|it| is_object(it))?;
        serde_json::from_str(conversation.get()).ok()
    }
}

impl Reading<'_> {
    /// Takes what one element brings.
    pub(super) fn element(&mut self, event: Event, element: &Element<'_>) -> Taken {
        let Some(message) = &element.message else {
            self.malformed(element.raw, "no message in it");
            return Taken::Yes;
        };
        let context = element.context();
        let root = element.number.and_then(text);
        let ids = [
            root.as_deref(),
            context
                .as_ref()
                .and_then(|it| it.phone_number_id.as_deref()),
            message.number(),
        ];
        let whose = self.scope.whose(ids);
        let Some(about) = self.settle(element.raw, whose) else {
            return Taken::Yes;
        };
        match (event, about) {
            (Event::Received, About::Ours(number)) => {
                self.received(number, element.raw, message, context.as_ref())
            }
            (Event::Received, About::Other(other)) => {
                let read = message.listed(&other, context.as_ref(), Source::Webhook, self.now);
                self.set_aside(&other, &read.arrival, IgnoreReason::OtherNumber);
                Taken::Yes
            }
            (Event::Outbound(step), About::Ours(number)) => {
                let receipt = message.receipt(number, context.as_ref(), step, self.now);
                self.receipt(element.raw, receipt)
            }
            (Event::Outbound(_), About::Other(_)) => {
                self.pushed.elsewhere += 1;
                Taken::Yes
            }
        }
    }

    fn received(
        &mut self,
        number: &NumberId,
        raw: &RawValue,
        message: &Item<'_>,
        context: Option<&Conversation>,
    ) -> Taken {
        let read = message.listed(number, context, Source::Webhook, self.now);
        self.arrived(read.arrival);
        if read.sent.is_some_and(|sent| sent.by_hand) {
            // A person took over: that counts, under whichever name it is told.
            let receipt = message.receipt(number, context, Step::Sent, self.now);
            return self.receipt(raw, receipt);
        }
        Taken::Yes
    }
}
