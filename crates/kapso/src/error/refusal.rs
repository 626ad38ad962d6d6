//! A refusal: its HTTP status and one of three kinds of body (kapso.md 1.3).

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Call, Class, code, without_word};

/// How much of a refusal's body is kept, in bytes.
const KEPT: usize = 500;

/// The shortest text that is looked for in the server's words. A shorter one would be found by chance, inside words.
const SHORTEST_HIDDEN: usize = 4;

/// How much of a text, in bytes, gives it away when a server repeats only its beginning.
const BEGINNING: usize = 16;

/// The wait that Kapso's limit per minute needs when it does not name one (kapso.md 1.5).
const MINUTE: Duration = Duration::from_secs(60);

/// An error code: WhatsApp counts, Kapso names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// WhatsApp's number.
    Number(i64),
    /// Kapso's word, such as `insufficient_credits`.
    Name(String),
}

impl Code {
    /// WhatsApp's number, if it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }

    fn read(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => text.trim(),
            Value::Number(number) => return number.as_i64().map(Self::Number),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        match text.parse() {
            Ok(number) => Some(Self::Number(number)),
            Err(_) if text.is_empty() => None,
            Err(_) => Some(Self::Name(cut(text, 64).to_owned())),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A request that Kapso or WhatsApp refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    call: Call,
    status: u16,
    code: Option<Code>,
    message: Option<String>,
    wait: Option<Duration>,
    body: String,
}

impl Refusal {
    /// Reads a refusal. Wherever the server repeats one of `hidden`, an ellipsis stands instead.
    pub(crate) fn new(
        call: Call,
        status: u16,
        wait: Option<Duration>,
        body: &[u8],
        hidden: &[&str],
    ) -> Self {
        let (code, message) = match serde_json::from_slice(body) {
            Ok(Value::Object(top)) => read(&top),
            Ok(_) | Err(_) => (None, None),
        };
        let body = hide(&String::from_utf8_lossy(body), hidden);
        Self {
            call,
            status,
            code,
            message: message.map(|text| cut(&hide(&text, hidden), KEPT).to_owned()),
            wait,
            body: cut(body.trim(), KEPT).to_owned(),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The error code, if the body has one.
    pub fn code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    /// What the server says about it, if the body is of a known kind.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The first 500 bytes of the body, of whatever kind. For `debug` logs.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// How long Kapso takes nothing more under this key, whatever it is: its own limit per minute, not one of
    /// WhatsApp's, which have codes.
    pub(crate) fn closes_for(&self) -> Option<Duration> {
        let of_kapso = self.status == 429 && self.code().and_then(Code::number).is_none();
        of_kapso.then(|| self.wait.unwrap_or(MINUTE))
    }

    /// The wait before repetition number `repeat`, counted from 1, where it is not the caller's own choice.
    pub(super) fn wait_before(&self, repeat: u32) -> Option<Duration> {
        let Class::RetryAfter(wait) = self.class() else {
            return None;
        };
        match self.code().and_then(Code::number) {
            Some(code::PAIR_LIMIT) => Some(wait.max(code::pair_wait(repeat))),
            Some(_) | None => Some(wait),
        }
    }

    /// What the caller may do now: by the code, else by the status.
    pub(super) fn class(&self) -> Class {
        let by_code = match &self.code {
            Some(Code::Number(number)) => code::numbered(*number).map(|row| row.class),
            Some(Code::Name(name)) => code::named(name),
            None => None,
        };
        let class = by_code.unwrap_or_else(|| by_status(self.call, self.status));
        match (class, self.wait) {
            (Class::Retryable | Class::RetryAfter(_), Some(wait)) => Class::RetryAfter(wait),
            (class, _) => class,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: refused with HTTP {}", self.call, self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", code {code}")?;
            if let Some(row) = code.number().and_then(code::numbered) {
                write!(f, " ({})", row.meaning)?;
            }
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// The class by status, for a body without a code that is known (kapso.md 1.4).
fn by_status(call: Call, status: u16) -> Class {
    match status {
        // Another send to this person is under way; nothing was sent.
        409 | 425 => Class::Retryable,
        429 => Class::RetryAfter(MINUTE),
        // A redirect says that the base URL is not Kapso's API.
        300..=399 | 401..=404 => Class::Operator,
        408 | 500..=599 => without_word(call),
        _ => Class::Permanent,
    }
}

/// Code and message of a JSON body: WhatsApp's `{"error":{…}}` or Kapso's `{"error":"…","code":"…","message":"…"}`.
fn read(top: &Map<String, Value>) -> (Option<Code>, Option<String>) {
    let text = |object: &Map<String, Value>, key: &str| match object.get(key) {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|it| !it.is_empty()),
        Some(_) | None => None,
    };
    let mut says: Vec<String> = Vec::new();
    let mut code = top.get("code").and_then(Code::read);
    if let Some(Value::Object(graph)) = top.get("error") {
        code = graph.get("code").and_then(Code::read).or(code);
        says.extend(text(graph, "message"));
        if let Some(Value::Object(data)) = graph.get("error_data") {
            says.extend(text(data, "details"));
        }
    }
    says.extend(text(top, "error"));
    says.extend(text(top, "message"));
    says.extend(text(top, "detail"));
    says.dedup();
    let message = (!says.is_empty()).then(|| says.join("; "));
    (code, message)
}

/// Takes each of `hidden` out of the server's words, in plain or in JSON's spelling. From where a longer text begins
/// but is not repeated whole, nothing is kept.
fn hide(words: &str, hidden: &[&str]) -> String {
    let mut words = words.to_owned();
    for secret in hidden.iter().filter(|it| it.len() >= SHORTEST_HIDDEN) {
        let json = Value::from(*secret).to_string();
        for spelling in [*secret, json.trim_matches('"')] {
            words = words.replace(spelling, "…");
            let beginning = cut(spelling, BEGINNING);
            if let Some(at) = words
                .find(beginning)
                .filter(|_| beginning.len() < spelling.len())
            {
                words.truncate(at);
                words.push('…');
            }
        }
    }
    words
}

/// At most the first `most` bytes of `text`, whole characters.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "kp_live_0123456789";
    const WORDS: &str = "Your \"secret\" appointment is tomorrow";

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::new(Call::Send, status, None, body.as_bytes(), &[KEY, WORDS])
    }

    #[test]
    fn the_three_kinds_of_body_are_understood() {
        let graph = refusal(
            400,
            r##"{"error":{"message":"(#131056) Pair rate limit hit","type":"OAuthException","code":131056,
                "error_subcode":0,"error_data":{"messaging_product":"whatsapp","details":"Wait."},"fbtrace_id":"A"}}"##,
        );
        assert_eq!(graph.code(), Some(&Code::Number(131_056)));
        assert_eq!(
            graph.message(),
            Some("(#131056) Pair rate limit hit; Wait.")
        );
        let flat = refusal(
            402,
            r#"{"error":"No credits","code":"insufficient_credits"}"#,
        );
        assert_eq!(
            flat.code(),
            Some(&Code::Name("insufficient_credits".to_owned()))
        );
        assert_eq!(
            flat.to_string(),
            "send: refused with HTTP 402, code insufficient_credits: No credits"
        );
        let html = refusal(502, "\n<html>Bad gateway</html>\n");
        assert_eq!((html.code(), html.message()), (None, None));
        assert_eq!(html.body(), "<html>Bad gateway</html>");
        assert_eq!(html.to_string(), "send: refused with HTTP 502");
    }

    #[test]
    fn a_code_written_as_text_is_a_number_all_the_same() {
        let refusal = refusal(422, r#"{"error":"closed","code":"131047"}"#);
        assert_eq!(refusal.class(), Class::WindowClosed);
        assert_eq!(
            refusal.to_string(),
            "send: refused with HTTP 422, code 131047 (window of 24 hours closed): closed"
        );
    }

    #[test]
    fn a_body_is_cut_at_a_whole_character() {
        let long = "é".repeat(400);
        assert_eq!(refusal(500, &long).body().len(), 500);
        let odd = format!("a{long}");
        assert_eq!(refusal(500, &odd).body().len(), 499);
    }

    #[test]
    fn neither_the_key_nor_the_message_is_repeated() {
        let json = serde_json::json!({"error": format!("bad key {KEY}"), "message": format!("got: {WORDS}")});
        for body in [
            json.to_string(),
            format!("{KEY} may not send {WORDS}"),
            r#"{"error":{"message":"too long: Your \"secret\" appointm"}}"#.to_owned(),
        ] {
            let refusal = refusal(400, &body);
            let shown = format!("{refusal} {refusal:?} {}", refusal.body());
            assert!(!shown.contains(KEY), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains('…'), "{shown}");
        }
    }

    #[test]
    fn a_wait_named_by_the_server_wins_where_waiting_helps() {
        let class = |status, body: &str| {
            let wait = Some(Duration::from_secs(7));
            Refusal::new(Call::Send, status, wait, body.as_bytes(), &[]).class()
        };
        let seven = Class::RetryAfter(Duration::from_secs(7));
        assert_eq!(class(429, ""), seven);
        assert_eq!(class(409, ""), seven);
        assert_eq!(class(400, r#"{"error":{"code":131056}}"#), seven);
        assert_eq!(class(401, ""), Class::Operator);
        assert_eq!(
            class(422, r#"{"error":{"code":131047}}"#),
            Class::WindowClosed
        );
        assert_eq!(class(503, ""), Class::Unknown);
    }
}
