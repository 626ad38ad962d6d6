//! Stage 3: who may speak, as whom, and how often.
//!
//! Pure: configuration, sender and time are arguments. [`Admitted`] can only be made here, so nothing reaches
//! the agent that did not pass. An empty allowlist admits nobody.

mod approvals;
mod rate;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Content, Identity, Inbound, Role};

pub use self::approvals::Approvals;
pub use self::rate::Rates;

/// Who may speak.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether senders without a role are admitted (`security.mode = "open"`) with this role.
    pub strangers: Option<Role>,
    /// The role of each known sender, by canonical identity.
    pub roles: BTreeMap<Identity, Role>,
    /// Messages admitted per `window` and sender.
    pub rate_limit: u32,
    /// The time in which `rate_limit` messages are admitted.
    pub window: Duration,
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
    /// It is recorded and is no question: a reaction, or WhatsApp's own words.
    NoQuestion(&'static str),
}

impl Policy {
    /// Judges one message of which `inbound` is the content and `message` the caller's handle.
    pub fn judge<T>(&self, inbound: &Inbound, message: T) -> Verdict<T> {
        let Some(role) = self.role(&inbound.from) else {
            return Verdict::Refused;
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
            | Content::Unsupported { .. } => Verdict::Admitted(Admitted {
                message,
                role: role.clone(),
            }),
        }
    }

    /// As whom `sender` may speak, if at all.
    pub fn role(&self, sender: &Identity) -> Option<&Role> {
        self.roles
            .get(&sender.canonical())
            .or(self.strangers.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use model::{MessageId, NumberId, Source, Timestamp};

    use super::*;

    fn policy(open: bool) -> Policy {
        let admin = Identity::new("+54 9 11 5555 1234").unwrap().canonical();
        Policy {
            strangers: open.then(|| Role("guest".into())),
            roles: BTreeMap::from([(admin, Role("admin".into()))]),
            rate_limit: 10,
            window: Duration::from_secs(60),
        }
    }

    fn from(sender: &str, content: Content) -> Inbound {
        Inbound {
            number: NumberId::new("1").unwrap(),
            id: MessageId::new("wamid.1").unwrap(),
            from: Identity::new(sender).unwrap(),
            user: None,
            known_as: None,
            name: None,
            sent_at: Timestamp::from_seconds(1),
            content,
            quoted: None,
            forwarded: false,
            source: Source::Poll,
        }
    }

    fn text() -> Content {
        Content::Text { body: "hi".into() }
    }

    fn role(verdict: Verdict<()>) -> Option<String> {
        match verdict {
            Verdict::Admitted(admitted) => Some(admitted.role().to_string()),
            Verdict::Refused | Verdict::NoQuestion(_) => None,
        }
    }

    #[test]
    fn c10_any_spelling_of_a_listed_number_is_admitted() {
        assert_eq!(
            role(policy(false).judge(&from("541155551234", text()), ())),
            Some("admin".into())
        );
    }

    #[test]
    fn a_stranger_is_refused_and_an_empty_list_admits_nobody() {
        let nobody = Policy {
            roles: BTreeMap::new(),
            ..policy(false)
        };
        assert!(matches!(
            policy(false).judge(&from("+15551234567", text()), ()),
            Verdict::Refused
        ));
        assert!(matches!(
            nobody.judge(&from("541155551234", text()), ()),
            Verdict::Refused
        ));
        assert_eq!(
            role(policy(true).judge(&from("+15551234567", text()), ())),
            Some("guest".into())
        );
    }

    #[test]
    fn a_user_id_never_matches_by_its_digits() {
        let listed = Policy {
            roles: BTreeMap::from([(Identity::new("+1234567890").unwrap(), Role("admin".into()))]),
            ..policy(false)
        };
        assert!(matches!(
            listed.judge(&from("US.1234567890", text()), ()),
            Verdict::Refused
        ));
    }

    #[test]
    fn a_reaction_is_no_question_and_a_stranger_learns_nothing_by_one() {
        let reaction = || Content::Reaction {
            to: MessageId::new("wamid.2").unwrap(),
            emoji: None,
        };
        assert!(matches!(
            policy(false).judge(&from("541155551234", reaction()), ()),
            Verdict::NoQuestion(_)
        ));
        assert!(matches!(
            policy(false).judge(&from("+15551234567", reaction()), ()),
            Verdict::Refused
        ));
    }
}
