//! Names that other systems gave to things, each of its own type so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or only white space.
    #[error("is empty")]
    Empty,
    /// More characters than the system that owns the name accepts.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A character that could change the meaning of a path, a header or a log line.
    #[error("contains {0:?}, which is not allowed here")]
    Character(char),
}

fn checked(text: &str, longest: usize, allowed: fn(char) -> bool) -> Result<String, InvalidId> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.chars().count() > longest {
        return Err(InvalidId::TooLong(longest));
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(bad) => Err(InvalidId::Character(bad)),
        None => Ok(text.to_owned()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $longest:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes `text`; surrounding white space is dropped.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long, or has a character that does not belong there.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                checked(text, $longest, $allowed).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A business number as Meta names it (`phone_number_id`, digits; kapso.md 7). Part of request paths.
    NumberId, 64, |c| c.is_ascii_alphanumeric()
);
text_id!(
    /// A WhatsApp message id (`wamid…`), or `sha256:…` of the raw object where a message came without one.
    ///
    /// The characters are those of identifiers and of base64, so that an id cannot become a query or a log line.
    MessageId, 512, |c| c.is_ascii_alphanumeric() || "._-=+/:".contains(c)
);
text_id!(
    /// The key under which one turn is asked; OpenClaw uses it as the run id of that turn.
    IdempotencyKey, 128, |c| c.is_ascii_alphanumeric() || c == '-'
);
text_id!(
    /// A run of the gateway. Equal to the idempotency key when the bridge asked; the gateway's own otherwise.
    RunId, 512, |c| !c.is_control()
);

/// An OpenClaw session, in canonical form: lower case, `agent:<agent>:<rest>` (openclaw.md 3.3).
///
/// Keys are compared whole; a prefix is another session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionKey(String);

impl SessionKey {
    /// The agent that the gateway assumes for a key that names none.
    const DEFAULT_AGENT: &'static str = "main";
    /// The longest key that the gateway accepts (openclaw.md 3.3).
    const LONGEST: usize = 512;

    /// The canonical form of `text`.
    ///
    /// # Errors
    /// [`InvalidId`] for an empty or too long key, a control character, or `global` and `unknown`, which mean
    /// something else to the gateway.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let text = checked(text, Self::LONGEST, |c| !c.is_control())?.to_lowercase();
        if text.starts_with("agent:") {
            return Ok(Self(text));
        }
        let key = format!("agent:{}:{text}", Self::DEFAULT_AGENT);
        if key.chars().count() > Self::LONGEST {
            return Err(InvalidId::TooLong(Self::LONGEST));
        }
        Ok(Self(key))
    }

    /// The key as the gateway writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SessionKey {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(&text)
    }
}

impl From<SessionKey> for String {
    fn from(key: SessionKey) -> String {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_key_is_canonical() {
        let key = |text| SessionKey::new(text).unwrap().as_str().to_owned();
        assert_eq!(key("main-wa-15551234567"), "agent:main:main-wa-15551234567");
        assert_eq!(key("agent:Main:X"), "agent:main:x");
        assert_eq!(key("MiXeD"), "agent:main:mixed");
    }

    #[test]
    fn a_message_id_cannot_carry_a_query() {
        assert!(MessageId::new("wamid.HBgNMTU1NTEyMzQ1NjcVAgASGBQzQQ==").is_ok());
        assert_eq!(MessageId::new("a?b"), Err(InvalidId::Character('?')));
        assert_eq!(MessageId::new("  "), Err(InvalidId::Empty));
    }
}
