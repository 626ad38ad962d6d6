//! `send`: one text to one person. Everything that can be wrong with it is found before anything is sent.

mod attempt;

use std::io::Read;

use clap::Args;
use config::Config;
use kapso::{Client, Deadlines, Options};
use model::{ChatKey, Identity, Outgoing, OutgoingBody};

use crate::Common;
use crate::outcome::{Exit, Outcome};

/// The longest text that WhatsApp takes, in characters (kapso.md 2.2).
const LONGEST: usize = 4096;

/// More bytes than the longest text can have: what is longer is refused without being read to its end.
const STDIN_LIMIT: u64 = 64 * 1024;

/// What to send, to whom.
#[derive(Debug, Args)]
#[command(
    override_usage = "kapso-whatsapp-cli send --to <NUMBER> --text <TEXT>\n       kapso-whatsapp-cli send <NUMBER> <TEXT>"
)]
pub(crate) struct Send {
    /// Who gets it: a phone number with country code, with or without +, or a WhatsApp user id
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// What it says; - reads it from standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// The number and the text, where they are not given by name; after -- the text may begin with a dash
    #[arg(value_name = "NUMBER TEXT")]
    words: Vec<String>,
}

impl Send {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let (to, text) = match self.checked() {
            Ok(checked) => checked,
            Err(wrong) => return Outcome::failed(Exit::Usage, wrong),
        };
        let config = match Config::load(common.config.as_deref()) {
            Ok(config) => config,
            Err(error) => return Outcome::misconfigured(&error),
        };
        let outgoing = Outgoing {
            chat: ChatKey::new(config.kapso.phone_number_id.clone(), &to),
            to,
            body: OutgoingBody::Text { body: text },
            quote: None,
        };
        match client(&config) {
            Ok(client) => attempt::send(&client, &outgoing).await,
            Err(invalid) => Outcome::failed(
                Exit::Usage,
                format!("kapso.base_url or kapso.api_key: {invalid}"),
            ),
        }
    }

    fn checked(self) -> Result<(Identity, String), Wrong> {
        let (to, text) = self.assigned()?;
        let to = Identity::new(&to).map_err(|invalid| Wrong::Recipient(to, invalid))?;
        let text = if text == "-" {
            piped(std::io::stdin().lock())?
        } else {
            text
        };
        Ok((to, sendable(text)?))
    }

    /// The number and the text, by name or by place.
    fn assigned(self) -> Result<(String, String), Wrong> {
        let mut words = self.words.into_iter();
        let to = self.to.or_else(|| words.next()).ok_or(Wrong::NoRecipient)?;
        let text = self.text.or_else(|| words.next()).ok_or(Wrong::NoText)?;
        match words.next() {
            Some(word) => Err(Wrong::TooMuch(word)),
            None => Ok((to, text)),
        }
    }
}

/// Why nothing can be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error("no recipient: send --to +15551234567 --text \"…\"")]
    NoRecipient,
    #[error("the recipient {0:?} {1}")]
    Recipient(String, model::InvalidIdentity),
    #[error("no text: send --to +15551234567 --text \"…\", or - to read it from standard input")]
    NoText,
    #[error("do not know what to do with {0:?}; put the text in quotes")]
    TooMuch(String),
    #[error("the text is blank; WhatsApp does not take it")]
    Blank,
    #[error("the text has {0} characters, WhatsApp takes {LONGEST}; send it in parts")]
    TooLong(usize),
    #[error("no text from standard input: {0}")]
    Piped(String),
}

fn piped(input: impl Read) -> Result<String, Wrong> {
    let mut text = String::new();
    let read = input.take(STDIN_LIMIT).read_to_string(&mut text);
    read.map_err(|error| Wrong::Piped(error.to_string()))?;
    // The line end of `echo` is not part of what was said.
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn sendable(text: String) -> Result<String, Wrong> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err(Wrong::Blank),
        length if length > LONGEST => Err(Wrong::TooLong(length)),
        _ => Ok(text),
    }
}

/// A client for the configured number.
///
/// # Errors
/// What the configuration says and no client can be made of.
pub(super) fn client(config: &Config) -> Result<Client, kapso::InvalidOptions> {
    Client::new(Options {
        base_url: config.kapso.base_url.clone(),
        api_key: config.kapso.api_key.clone(),
        number: config.kapso.phone_number_id.clone(),
        deadlines: Deadlines::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(
        to: Option<&str>,
        text: Option<&str>,
        words: &[&str],
    ) -> Result<(String, String), Wrong> {
        let owned = |text: &str| text.to_owned();
        let words = words.iter().copied().map(owned).collect();
        let send = Send {
            to: to.map(owned),
            text: text.map(owned),
            words,
        };
        send.checked().map(|(to, text)| (to.to_string(), text))
    }

    #[test]
    fn k6_a_number_without_plus_is_a_number() {
        let sent = Ok(("+15551234567".to_owned(), "hello".to_owned()));
        assert_eq!(send(None, None, &["15551234567", "hello"]), sent);
        assert_eq!(send(None, None, &["+1 (555) 123-4567", "hello"]), sent);
        assert_eq!(send(Some("15551234567"), None, &["hello"]), sent);
        assert_eq!(send(None, Some("hello"), &["15551234567"]), sent);
        assert_eq!(send(Some("+15551234567"), Some("hello"), &[]), sent);
    }

    #[test]
    fn k6_what_cannot_be_sent_is_refused_before_anything_is() {
        assert_eq!(send(None, None, &[]), Err(Wrong::NoRecipient));
        assert_eq!(send(None, None, &["15551234567"]), Err(Wrong::NoText));
        assert!(matches!(
            send(None, None, &["hello", "15551234567"]),
            Err(Wrong::Recipient(..))
        ));
        assert_eq!(
            send(None, None, &["15551234567", "hello", "world"]),
            Err(Wrong::TooMuch("world".into()))
        );
        assert_eq!(
            send(Some("15551234567"), Some(" \n"), &[]),
            Err(Wrong::Blank)
        );
    }

    #[test]
    fn k7_a_text_that_is_too_long_is_refused_and_characters_are_counted() {
        let text = |n| sendable("é".repeat(n)).map(|text| text.chars().count());
        assert_eq!(text(4096), Ok(4096));
        assert_eq!(text(4097), Err(Wrong::TooLong(4097)));
    }

    #[test]
    fn a_piped_text_loses_its_line_end_only() {
        assert_eq!(
            piped(" two\nlines \n\n".as_bytes()),
            Ok(" two\nlines ".to_owned())
        );
        assert!(matches!(piped(&[0xff, 0xfe][..]), Err(Wrong::Piped(_))));
        let endless = std::io::repeat(b'x');
        assert!(matches!(
            piped(endless).and_then(sendable),
            Err(Wrong::TooLong(_))
        ));
    }
}
