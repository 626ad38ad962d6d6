//! Stage 3: who may speak, as whom, how often, about what and when.
//!
//! Pure: configuration, sender and time are arguments. [`Admitted`] can only be made here, so nothing reaches
//! the agent that did not pass. An empty allowlist admits nobody, and so does a number that is not configured. Identity is
//! what the provider vouches for: a number, or a business-scoped user id, compared whole.

mod approvals;
mod hours;
mod policy;
mod rate;
mod rules;

use std::collections::HashMap;
use std::iter;
use std::time::Duration;

use model::{ChatKey, Content, Identity, Inbound, NumberId, Role, Timestamp, UserId};

pub use self::approvals::Approvals;
pub use self::hours::{Closed, Hours};
pub use self::policy::{OverLimit, Policy, Strangers};
pub use self::rate::Rates;
pub use self::rules::{Held, Rule, Rules, Words};

/// The guard of every number.
#[derive(Debug)]
pub struct Guard {
    numbers: HashMap<NumberId, Gate>,
    approvals: Approvals,
    rules: Rules,
}

#[derive(Debug)]
struct Gate {
    policy: Policy,
    rates: Rates,
}

/// A message that may go to the agent, and the sender's role.
#[derive(Debug, Clone)]
pub struct Admitted<T> {
    message: T,
    role: Role,
}

impl<T> Admitted<T> {
    /// The admitted message.
    pub const fn message(&self) -> &T {
        &self.message
    }

    /// As whom the sender speaks.
    pub const fn role(&self) -> &Role {
        &self.role
    }
}

/// What the guard says of a message.
#[derive(Debug)]
pub enum Verdict<T> {
    /// It goes to the agent.
    Admitted(Admitted<T>),
    /// The sender may not speak.
    Refused,
    /// The sender may not speak, and may ask the operator to be let in.
    Unpaired,
    /// It is recorded and is no question: a reaction, or WhatsApp's own words.
    NoQuestion(&'static str),
}

/// A sender wrote more often than the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The message waits for so long.
    Wait(Duration),
    /// The message is dropped.
    Drop,
}

impl Guard {
    /// The guard of the numbers of `policies`.
    pub fn new(
        policies: impl IntoIterator<Item = (NumberId, Policy)>,
        approvals: Approvals,
        rules: Rules,
    ) -> Self {
        let gates = policies.into_iter().map(|(number, policy)| {
            let rates = Rates::new(policy.rate_limit, policy.window);
            (number, Gate { policy, rates })
        });
        Self {
            numbers: gates.collect(),
            approvals,
            rules,
        }
    }

    /// Judges one message of which `inbound` is the content and `message` the caller's handle.
    pub fn judge<T>(&self, inbound: &Inbound, message: T) -> Verdict<T> {
        let Some(gate) = self.numbers.get(&inbound.number) else {
            return Verdict::Refused;
        };
        let user = match &inbound.from {
            Identity::User(user) => Some(user),
            Identity::Phone(_) => inbound.user.as_ref(),
        };
        let Some(role) = self.role_on(gate, &inbound.chat(), user) else {
            return match gate.policy.strangers {
                Strangers::Paired { .. } => Verdict::Unpaired,
                Strangers::Refused | Strangers::Admitted(_) => Verdict::Refused,
            };
        };
        match &inbound.content {
            Content::Reaction { .. } => Verdict::NoQuestion("reaction"),
            Content::System { .. } => Verdict::NoQuestion("system"),
            Content::Text { .. }
            | Content::Media(_)
            | Content::Location(_)
            | Content::Contacts { .. }
            | Content::Choice(_)
            | Content::Order { .. }
            | Content::Unsupported { .. } => Verdict::Admitted(Admitted { message, role }),
        }
    }

    /// As whom the person of `chat` speaks now, if at all.
    pub fn role(&self, chat: &ChatKey) -> Option<Role> {
        self.role_on(self.numbers.get(&chat.number)?, chat, None)
    }

    /// The role of the person of `chat`, who may have a user id beside the number. An operator's approval counts where the
    /// mode leaves room for it: an allowlist is the list alone.
    fn role_on(&self, gate: &Gate, chat: &ChatKey, user: Option<&UserId>) -> Option<Role> {
        let user = user.map(|user| {
            let user = Identity::User(user.clone());
            ChatKey::new(chat.number.clone(), &user)
        });
        let mut names = iter::once(chat).chain(&user);
        let policy = &gate.policy;
        let listed = names.clone().find_map(|name| policy.roles.get(name.peer()));
        if let Some(role) = listed {
            return Some(role.clone());
        }
        let mut approved = || names.find_map(|name| self.approvals.role(name));
        match &policy.strangers {
            Strangers::Refused => None,
            Strangers::Paired { .. } => approved(),
            Strangers::Admitted(role) => approved().or_else(|| Some(role.clone())),
        }
    }

    /// Counts a message that is about to be handed over.
    ///
    /// # Errors
    /// [`Over`] when the sender's bucket is empty.
    pub fn pace(&self, chat: &ChatKey, now: Timestamp) -> Result<(), Over> {
        let Some(gate) = self.numbers.get(&chat.number) else {
            return Ok(());
        };
        gate.rates
            .take(chat, now)
            .map_err(|wait| match gate.policy.over_limit {
                OverLimit::Wait => Over::Wait(wait),
                OverLimit::Drop => Over::Drop,
            })
    }

    /// What is configured of a number.
    pub fn policy(&self, number: &NumberId) -> Option<&Policy> {
        self.numbers.get(number).map(|gate| &gate.policy)
    }

    /// Whom the operator let in.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// The operator's rules about what is said and when.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

#[cfg(test)]
pub(crate) mod tests;
