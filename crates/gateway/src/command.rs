//! The gateway's own commands: how a text is kept from being one, and how one is given on purpose.
//!
//! `chat.send` obeys what is written to it, whoever wrote it: commands at the start, directives anywhere, stop words
//! alone (openclaw.md 3.6). [`neutral`] makes a text that no release obeys. `agent` obeys nothing but a leading `/new`
//! or `/reset`. [`Gateway::command`] gives a command by `chat.send`, word for word.

use std::borrow::Cow;

use model::{IdempotencyKey, SessionKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::frames::{self, loose};
use crate::handle::{Gateway, exchange};
use crate::history::texts;
use crate::params;
use crate::requests::{Rejection, Reply, RequestError, Waiter};

/// WORD JOINER. No release takes it for white space, trims it or removes it from a text; nobody sees it.
const MARK: char = '\u{2060}';

/// The code of a [`Rejection`] for a command that was taken and failed.
const FAILED: &str = "COMMAND_FAILED";

/// What the gateway answers to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandReply {
    /// Its words. They may name sessions, models and paths of the gateway's host.
    Text(String),
    /// It took the command and has nothing to say: `/stop`, and on releases up to 2026.7.35 also what our scopes do not
    /// allow.
    Nothing,
}

/// `text`, so that no release reads a command or a directive in it when it is sent by `chat.send`.
///
/// U+2060 goes before every `/` and `!` that begins a word, or would begin one once the gateway has taken off what it
/// does for its reading: `[…]`, `Name:`, and a backslash with an `n`, which it reads as a space. Stop words count only
/// as the whole text, so one more U+2060 at the end makes any text another one, in all languages and with every word
/// that a release may still add. Control characters go, as the gateway would remove them itself, but after our look.
pub fn neutral(text: &str) -> Cow<'_, str> {
    let escapes = text.contains('\\');
    let mut out = String::with_capacity(text.len() + MARK.len_utf8());
    let mut rest = text.chars().filter(|c| !is_removed(*c)).peekable();
    while let Some(c) = rest.next() {
        let scheme = c == '/' && rest.peek() == Some(&'/') && out.ends_with(':');
        if matches!(c, '/' | '!') && !scheme && begins_word(&out, escapes) {
            out.push(MARK);
        }
        out.push(c);
    }
    if !out.trim().is_empty() && !out.ends_with(MARK) {
        out.push(MARK);
    }
    if out == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(out)
    }
}

/// What the gateway removes before it looks (`chat.send`, 2026.5.7 to 2026.9.6).
fn is_removed(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r')
}

/// Whether what follows `before` can come to stand at the beginning of a word.
fn begins_word(before: &str, escapes: bool) -> bool {
    // U+FEFF is white space in JavaScript. Between a backslash and its `n` there may be brackets, which go first.
    before.chars().next_back().is_none_or(|c| {
        c.is_whitespace() || matches!(c, '\u{feff}' | ']' | ':') || (escapes && c == 'n')
    })
}

/// The end of a `chat.send`, told as a `chat` event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChatEnd {
    Said(String),
    Silent,
    Failed(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireChat {
    #[serde(deserialize_with = "loose")]
    run_id: String,
    #[serde(deserialize_with = "loose")]
    state: String,
    #[serde(deserialize_with = "loose")]
    message: WireMessage,
    #[serde(deserialize_with = "loose")]
    error_message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMessage {
    #[serde(rename = "content", deserialize_with = "texts")]
    texts: Vec<String>,
}

/// Reads a `chat` event: the run and its end; none while it goes on.
pub(crate) fn ended(payload: &RawValue) -> Option<(String, ChatEnd)> {
    let wire: WireChat = frames::read(payload.get()).ok()?;
    let said = wire.message.texts.concat();
    let end = match wire.state.as_str() {
        "final" if said.trim().is_empty() => ChatEnd::Silent,
        "final" => ChatEnd::Said(said),
        "aborted" => ChatEnd::Silent,
        "error" => ChatEnd::Failed(wire.error_message),
        _ => return None,
    };
    Some((wire.run_id, end))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireStart {
    #[serde(deserialize_with = "loose")]
    status: String,
}

/// Whether an answer to `chat.send` says that an end will be told. A stop word is answered without a status, and an
/// old key with the status of its end.
pub(crate) fn goes_on(reply: &Reply) -> Result<bool, RequestError> {
    let payload = reply.accepted("chat.send")?;
    let start: WireStart = frames::read(payload.get()).unwrap_or_default();
    Ok(matches!(start.status.as_str(), "started" | "in_flight"))
}

impl Gateway {
    /// Gives one command, such as `/status`, in `session`, word for word, and waits for its end, up to
    /// [`Timing::command`](crate::Timing::command).
    ///
    /// The gateway obeys it with our scopes, whoever asked: only for words that were chosen by the operator. What is no
    /// command of the release becomes a question to the agent, and its answer the reply. While the session works on
    /// something else, the reply may be lost; it is [`CommandReply::Nothing`] then, as for a `key` that was used before.
    /// Two calls at once need different keys.
    ///
    /// # Errors
    /// [`RequestError`]; a command that fails in the gateway is [`RequestError::Rejected`].
    pub async fn command(
        &self,
        session: &SessionKey,
        command: &str,
        key: &IdempotencyKey,
    ) -> Result<CommandReply, RequestError> {
        let link = self.link()?;
        let params = params::ChatSend::new(session, command, key);
        let ((first, answer), (end, told)) = (oneshot::channel(), oneshot::channel());
        let waiter = Waiter::Chat {
            first,
            run: key.as_str().to_owned(),
            end,
        };
        let ask = link.ask("chat.send", &params, waiter)?;
        let exchanged = async {
            let reply = exchange(&link, ask, answer, self.command_deadline).await?;
            if !goes_on(&reply)? {
                return Ok(CommandReply::Nothing);
            }
            match told.await.map_err(|_gone| RequestError::Lost)? {
                ChatEnd::Said(text) => Ok(CommandReply::Text(text)),
                ChatEnd::Silent => Ok(CommandReply::Nothing),
                ChatEnd::Failed(message) => Err(RequestError::Rejected(Rejection {
                    code: FAILED.to_owned(),
                    message,
                    ..Rejection::default()
                })),
            }
        };
        timeout(self.command_deadline, exchanged)
            .await
            .unwrap_or(Err(RequestError::Deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown, with the marks made visible.
    fn shown(text: &str) -> String {
        neutral(text).replace(MARK, "·")
    }

    #[test]
    fn a_slash_or_a_bang_that_begins_a_word_is_marked() {
        for (text, expected) in [
            ("/status", "·/status·"),
            ("  /NEW x", "  ·/NEW x·"),
            ("hello /status there", "hello ·/status there·"),
            (
                "line one\n/exec security=full",
                "line one\n·/exec security=full·",
            ),
            ("a\u{a0}/think", "a\u{a0}·/think·"),
            ("a\u{feff}/think", "a\u{feff}·/think·"),
            ("> /status", "> ·/status·"),
            ("!ls", "·!ls·"),
            ("so\n!ls", "so\n·!ls·"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn what_the_gateway_takes_off_does_not_uncover_a_command() {
        for (text, expected) in [
            ("[WhatsApp +1555]/new", "[WhatsApp +1555]·/new·"),
            ("Ann:/status", "Ann:·/status·"),
            ("Ann: !ls", "Ann: ·!ls·"),
            ("a\\n/status", "a\\n·/status·"),
            ("\\[x] n/status", "\\[x] n·/status·"),
            ("\u{1}/status", "·/status·"),
            ("st\u{1}op", "stop·"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn slashes_within_words_stay_as_they_are() {
        for text in [
            "see http://x.y/status ok",
            "and/or maybe",
            "n/a",
            "1/2",
            "what?!",
            "-/status",
            "(/x)",
        ] {
            assert_eq!(shown(text), format!("{text}·"));
        }
    }

    #[test]
    fn no_text_is_a_stop_word() {
        for text in [
            "stop",
            "Stop.",
            "please stop",
            "остановись",
            "停止",
            "Ann: stop",
            "[x] esc",
            "stop\nfoo:",
        ] {
            assert_eq!(shown(text), format!("{text}·"));
        }
    }

    #[test]
    fn a_neutral_text_is_not_changed_again() {
        for text in ["/status", "stop", "a /b !c", "\\n/x", "", " \n"] {
            let once = neutral(text).into_owned();
            assert!(
                matches!(neutral(&once), Cow::Borrowed(again) if again == once),
                "{text:?}"
            );
        }
    }

    fn end(event: &str) -> Option<(String, ChatEnd)> {
        ended(&serde_json::from_str::<Box<RawValue>>(event).unwrap())
    }

    #[test]
    fn only_an_end_is_one() {
        let said = |text: &str| Some(("k".to_owned(), ChatEnd::Said(text.to_owned())));
        let message = r#""message":{"role":"assistant","content":[{"type":"text","text":"hi"}]}"#;
        assert_eq!(
            end(&format!(r#"{{"runId":"k","state":"delta",{message}}}"#)),
            None
        );
        assert_eq!(
            end(r#"{"runId":"k","state":"status","phase":"starting_model"}"#),
            None
        );
        assert_eq!(
            end(&format!(r#"{{"runId":"k","state":"final",{message}}}"#)),
            said("hi")
        );
        assert_eq!(
            end(r#"{"runId":"k","state":"final","message":{"content":"plain"}}"#),
            said("plain")
        );
        let silent = Some(("k".to_owned(), ChatEnd::Silent));
        assert_eq!(end(r#"{"runId":"k","state":"final"}"#), silent);
        // What an older gateway says as the assistant when a run fails is no answer.
        assert_eq!(
            end(&format!(
                r#"{{"runId":"k","state":"error","errorMessage":"no",{message}}}"#
            )),
            Some(("k".to_owned(), ChatEnd::Failed("no".to_owned())))
        );
    }
}
