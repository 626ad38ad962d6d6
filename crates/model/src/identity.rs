//! Who a person on WhatsApp is: a phone number or a business-scoped user id, compared whole.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::NumberId;

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// Nothing that could name a person.
    #[error("is empty")]
    Empty,
    /// Neither a number nor a user id.
    #[error(
        "is neither a phone number with country code (+15551234567) nor a WhatsApp user id (US.1349…)"
    )]
    Unknown,
    /// A number with fewer or more digits than any country uses.
    #[error("has {0} digits; a phone number with country code has 7 to 15")]
    Digits(usize),
}

/// A phone number with country code, digits only, in the form in which it was received.
///
/// Two forms of one number differ as values; [`Phone::canonical`] is what to compare (kapso.md 7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Reads a number as people and providers write it: `+`, a leading `00`, spaces, dashes, dots and
    /// parentheses are understood. Letters are not: a text with letters is no phone number.
    ///
    /// # Errors
    /// [`InvalidIdentity`] when the text is no number with country code.
    pub fn new(text: &str) -> Result<Self, InvalidIdentity> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidIdentity::Empty);
        }
        let body = text
            .strip_prefix('+')
            .or_else(|| text.strip_prefix("00"))
            .unwrap_or(text);
        let separator = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')');
        if body.chars().any(|c| !c.is_ascii_digit() && !separator(c)) {
            return Err(InvalidIdentity::Unknown);
        }
        let digits: String = body.chars().filter(char::is_ascii_digit).collect();
        match digits.len() {
            0 => Err(InvalidIdentity::Empty),
            7..=15 => Ok(Self(digits)),
            other => Err(InvalidIdentity::Digits(other)),
        }
    }

    /// The digits, country code first, without `+`.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The one form that all spellings of this number share.
    ///
    /// WhatsApp adds or drops a digit in three countries: Argentina's mobile 9 after 54, Mexico's 1 after 52, and
    /// the ninth digit of Brazilian mobiles after 55 and the area code (kapso.md 7).
    #[must_use]
    pub fn canonical(&self) -> Self {
        let d = self.0.as_str();
        let without = |at: usize| Self(format!("{}{}", &d[..at], &d[at + 1..]));
        match (d.len(), &d[..2]) {
            (13, "54") if d[2..].starts_with('9') => without(2),
            (13, "52") if d[2..].starts_with('1') => without(2),
            (13, "55") if d[4..].starts_with('9') => without(4),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl TryFrom<String> for Phone {
    type Error = InvalidIdentity;
    fn try_from(text: String) -> Result<Self, InvalidIdentity> {
        Self::new(&text)
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> String {
        phone.to_string()
    }
}

/// A business-scoped user id such as `US.13491208655302741918` (kapso.md 6.1). Case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// Reads `CC.id` or `CC.ENT.id`: two capital letters, and up to 128 letters and digits.
    ///
    /// # Errors
    /// [`InvalidIdentity`] when the text has another shape.
    pub fn new(text: &str) -> Result<Self, InvalidIdentity> {
        let text = text.trim();
        let Some((country, rest)) = text.split_once('.') else {
            return Err(if text.is_empty() {
                InvalidIdentity::Empty
            } else {
                InvalidIdentity::Unknown
            });
        };
        let id = rest.strip_prefix("ENT.").unwrap_or(rest);
        let country_ok = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let id_ok = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if country_ok && id_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIdentity::Unknown)
        }
    }

    /// The id as WhatsApp writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidIdentity;
    fn try_from(text: String) -> Result<Self, InvalidIdentity> {
        Self::new(&text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}

/// A person on WhatsApp, in the form in which the provider named them. Answers go to this form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Known by phone number.
    Phone(Phone),
    /// Known by user id alone: the person uses a username and hides the number.
    User(UserId),
}

impl Identity {
    /// Reads either form, as in an allowlist entry.
    ///
    /// # Errors
    /// [`InvalidIdentity`] when the text is neither.
    pub fn new(text: &str) -> Result<Self, InvalidIdentity> {
        if let Ok(user) = UserId::new(text) {
            return Ok(Self::User(user));
        }
        Phone::new(text).map(Self::Phone)
    }

    /// The form to compare and to key by.
    #[must_use]
    pub fn canonical(&self) -> Self {
        match self {
            Self::Phone(phone) => Self::Phone(phone.canonical()),
            Self::User(user) => Self::User(user.clone()),
        }
    }

    /// What follows `-wa-` in this person's session: the canonical digits, or the user id with `_` before each
    /// capital letter, because the gateway lower-cases keys and user ids differ by case (openclaw.md 3.3).
    pub fn session_suffix(&self) -> String {
        match self {
            Self::Phone(phone) => phone.canonical().0,
            Self::User(user) => user.0.chars().fold(String::new(), |mut suffix, c| {
                if c.is_ascii_uppercase() {
                    suffix.push('_');
                }
                suffix.push(c.to_ascii_lowercase());
                suffix
            }),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            Self::User(user) => user.fmt(f),
        }
    }
}

/// One conversation: a business number and the canonical identity of the other side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatKey {
    /// The business number that the person wrote to.
    pub number: NumberId,
    peer: Identity,
}

impl ChatKey {
    /// The chat of `peer` with `number`; any spelling of the peer gives the same chat.
    pub fn new(number: NumberId, peer: &Identity) -> Self {
        Self {
            number,
            peer: peer.canonical(),
        }
    }

    /// The other side, in canonical form: for comparing, not for sending to.
    pub fn peer(&self) -> &Identity {
        &self.peer
    }
}

impl fmt::Display for ChatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Phone::new(text).unwrap().canonical().digits().to_owned()
    }

    #[test]
    fn one_number_in_several_spellings_is_one_number() {
        assert_eq!(canonical("+54 9 11 5555-1234"), canonical("541155551234"));
        assert_eq!(canonical("5218112345678"), canonical("+52 81 1234 5678"));
        assert_eq!(canonical("5511987654321"), canonical("551187654321"));
        assert_eq!(canonical("+1 (555) 123-4567"), canonical("0015551234567"));
    }

    #[test]
    fn a_text_with_letters_is_never_a_number() {
        for text in [
            "US.13491208655302741918",
            "MX.ab12c3",
            "+",
            "",
            "call me 5551234",
            "１２３４５６７８",
        ] {
            assert!(Phone::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn user_ids_are_compared_whole() {
        assert!(UserId::new("MX.ab12c3").is_ok());
        assert!(UserId::new("US.ENT.1181").is_ok());
        let suffix = |text| Identity::new(text).unwrap().session_suffix();
        assert_ne!(UserId::new("MX.ab12c3"), UserId::new("MX.AB12C3"));
        assert_ne!(suffix("MX.ab12c3"), suffix("MX.AB12C3"));
        for text in ["", "us.123", "US.", "US.a/b", "USA.1", "US.ENT."] {
            assert!(UserId::new(text).is_err(), "{text}");
        }
    }
}
