//! The protocol's frames as JSON: strict in what is sent, tolerant in what is read.
//!
//! A frame is read in two steps. [`Frame::read`] looks at the envelope and leaves payloads as raw text, so that the
//! many events and the tens of kilobytes of diagnostics in a result are skipped, not built. Then the one who waits
//! for a payload reads the few fields that it needs; a field of an unexpected type counts as absent.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A request as sent.
#[derive(Serialize)]
struct Request<'a, P> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    method: &'a str,
    params: &'a P,
}

/// The text of a request frame.
///
/// # Errors
/// Only when `params` cannot be JSON.
pub(crate) fn request(
    id: &str,
    method: &str,
    params: &impl Serialize,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Request {
        kind: "req",
        id,
        method,
        params,
    })
}

/// A frame from the gateway.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// An answer to one of our requests.
    Response {
        /// The request's id.
        id: Cow<'a, str>,
        /// What it says.
        answer: Answer<'a>,
    },
    /// Something that the gateway tells everyone.
    Event {
        /// Its name.
        name: Cow<'a, str>,
        /// Its body, unread.
        payload: Option<&'a RawValue>,
    },
    /// JSON, but of no kind that this program knows.
    Unknown,
}

/// The body of an answer, unread.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) ok: bool,
    pub(crate) payload: Option<&'a RawValue>,
    pub(crate) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    // Only `true` is acceptance; a frame without it is a refusal.
    #[serde(default, deserialize_with = "loose")]
    ok: bool,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl<'a> Frame<'a> {
    /// Reads the envelope of `text`.
    ///
    /// # Errors
    /// When it is not a JSON object with a `type`.
    pub(crate) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        let Envelope {
            kind,
            id,
            ok,
            event,
            payload,
            error,
        } = serde_json::from_str(text)?;
        Ok(match (kind.as_ref(), id, event) {
            ("res", Some(id), _) => Self::Response {
                id,
                answer: Answer { ok, payload, error },
            },
            ("event", _, Some(name)) => Self::Event { name, payload },
            _ => Self::Unknown,
        })
    }
}

/// The error object of an answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WireError {
    #[serde(deserialize_with = "loose")]
    pub(crate) code: String,
    #[serde(deserialize_with = "loose")]
    pub(crate) message: String,
    #[serde(deserialize_with = "loose")]
    pub(crate) details: Details,
    #[serde(deserialize_with = "loose")]
    pub(crate) retryable: bool,
    #[serde(deserialize_with = "loose")]
    pub(crate) retry_after_ms: Option<u64>,
}

/// What an error says for programs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Details {
    #[serde(deserialize_with = "loose")]
    pub(crate) code: Option<String>,
    #[serde(deserialize_with = "loose")]
    pub(crate) reason: Option<String>,
    #[serde(deserialize_with = "loose")]
    pub(crate) request_id: Option<String>,
    #[serde(deserialize_with = "loose")]
    pub(crate) expected_protocol: Option<u32>,
}

impl WireError {
    /// Reads the error of an answer; absent or unreadable gives an empty one.
    pub(crate) fn of(error: Option<&RawValue>) -> Self {
        error
            .and_then(|raw| read(raw.get()).ok())
            .unwrap_or_default()
    }

    /// How long the gateway asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

/// Reads JSON from the gateway, also where a text was cut in the middle of a character.
///
/// JavaScript counts in UTF-16 and writes half a surrogate pair as a lone `\ud83d`, which is no character; it is read
/// as U+FFFD.
///
/// # Errors
/// When `json` does not have the shape of `T`.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(json).or_else(|error| match without_lone_surrogates(json) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    })
}

/// A field that counts as absent when it has another type than expected.
pub(crate) fn loose<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(read(raw.get()).unwrap_or_default())
}

/// A list, without those of its items that have another shape than expected.
pub(crate) fn loose_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    Ok(items
        .into_iter()
        .filter_map(|item| read(item.get()).ok())
        .collect())
}

fn without_lone_surrogates(json: &str) -> Option<String> {
    let mut repaired = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let here = at + found;
        at = match (escaped(json, here), escaped(json, here + 6)) {
            (None, _) => here + 2,
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => here + 12,
            (Some(0xD800..=0xDFFF), _) => {
                repaired.push_str(&json[kept..here]);
                repaired.push_str("\\ufffd");
                kept = here + 6;
                kept
            }
            (Some(_), _) => here + 6,
        };
    }
    (kept > 0).then(|| repaired + &json[kept..])
}

/// The code unit of the `\uXXXX` at `at`, if there is one.
fn escaped(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_is_acceptance() {
        for text in [
            r#"{"type":"res","id":"1"}"#,
            r#"{"type":"res","id":"1","ok":false}"#,
            r#"{"type":"res","id":"1","ok":"true"}"#,
        ] {
            let Frame::Response { answer, .. } = Frame::read(text).unwrap() else {
                panic!("{text}")
            };
            assert!(!answer.ok, "{text}");
        }
    }

    #[test]
    fn what_is_no_frame_is_told_apart_from_what_is_unknown() {
        assert!(Frame::read("hello").is_err());
        assert!(Frame::read("[]").is_err());
        assert!(Frame::read(r#"{"id":"1"}"#).is_err());
        for text in [
            r#"{"type":"push"}"#,
            r#"{"type":"res"}"#,
            r#"{"type":"event"}"#,
        ] {
            assert!(matches!(Frame::read(text), Ok(Frame::Unknown)), "{text}");
        }
    }

    #[test]
    fn half_a_character_does_not_cost_the_text() {
        let read = |json| read::<String>(json).unwrap();
        assert_eq!(read(r#""cut \ud83d""#), "cut \u{fffd}");
        assert_eq!(read(r#""\udc00 tail \ud83d\ude00""#), "\u{fffd} tail 😀");
        assert_eq!(read(r#""\ud83dé""#), "\u{fffd}é");
        assert_eq!(read(r#""\\ud83d \ud83d""#), "\\ud83d \u{fffd}");
    }

    #[test]
    fn a_field_of_another_type_is_absent() {
        let error: WireError =
            read(r#"{"code":7,"message":"no","details":[],"retryAfterMs":-1}"#).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("", "no"));
        assert_eq!(error.retry_after(), None);
    }
}
