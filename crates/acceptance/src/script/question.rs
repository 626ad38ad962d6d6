//! Finds the customer's last words in what the gateway sends to its model.
//!
//! Our daemon opens a turn with `From: <number> … [role: <role>]`. Gateways put their own text before it (2026.5.7: the
//! time of day), after it (2026.9.6: a line about its runtime) and, when they resume an interrupted turn, their notice:
//! 2026.7.35 makes one prompt of both, others two messages.

use serde_json::Value;

/// How every release begins the words with which it resumes an interrupted turn.
const RESUMED: &str = "[System] Your previous turn was interrupted";

/// How the line begins that 2026.9.6 puts below the words of a new session.
const RUNTIME: &str = "Runtime: agent=";

/// What a customer asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The sender, as in the first line.
    pub from: String,
    /// Their words, without the first line and without what the gateway added.
    pub words: String,
    /// The gateway itself goes on with it after a restart.
    pub resumed: bool,
    /// Results of tools since it was asked.
    pub tool_results: usize,
}

impl Question {
    /// The last question among a request's messages.
    pub fn read(messages: &Value) -> Option<Self> {
        let (mut resumed, mut tool_results) = (false, 0);
        for message in messages.as_array()?.iter().rev() {
            match role(message) {
                Some("tool") => tool_results += 1,
                Some("user") => {
                    let text = text(message);
                    resumed |= text.contains(RESUMED);
                    if let Some((from, words)) = customer(&text) {
                        return Some(Self {
                            from,
                            words,
                            resumed,
                            tool_results,
                        });
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// What the gateway tells the model about itself and the conversation.
pub(super) fn instructions(messages: &Value) -> String {
    let told = |message: &&Value| matches!(role(message), Some("system" | "developer"));
    let told = messages.as_array().into_iter().flatten().filter(told);
    told.map(text).collect::<Vec<_>>().join("\n")
}

/// What stands in a person's place since the model spoke last. 2026.9.6 adds messages of its own to a person's.
pub(super) fn prompt(messages: &Value) -> String {
    let messages = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    let spoke = messages
        .iter()
        .rposition(|message| role(message) == Some("assistant"));
    let since = &messages[spoke.map_or(0, |at| at + 1)..];
    let asked = since.iter().filter(|message| role(message) == Some("user"));
    asked.map(text).collect::<Vec<_>>().join("\n")
}

fn role(message: &Value) -> Option<&str> {
    message.get("role")?.as_str()
}

/// A message's text: as such, or the text parts of a list.
fn text(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The sender and the words under the last header of `text`.
fn customer(text: &str) -> Option<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let (at, from) = lines
        .iter()
        .enumerate()
        .rev()
        .find_map(|(at, line)| Some((at, sender(line)?)))?;
    let gateways = |line: &str| line.contains(RESUMED) || line.starts_with(RUNTIME);
    let below = lines[at + 1..].iter().take_while(|line| !gateways(line));
    let words = below.copied().collect::<Vec<_>>().join("\n");
    Some((from.to_owned(), words.trim().to_owned()))
}

/// The number in a line like `From: +15551234567 (Ann) [role: member]`, whatever stands before it.
fn sender(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("From: ")?;
    let from = rest.split_whitespace().next()?;
    (from.starts_with('+') && rest.trim_end().ends_with(']') && rest.contains("[role: "))
        .then_some(from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEADER: &str = "From: +15551234567 (Ann) [role: member]";
    const NOTICE: &str = "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was waiting.";

    fn question(words: &str, resumed: bool, tool_results: usize) -> Option<Question> {
        Some(Question {
            from: "+15551234567".to_owned(),
            words: words.to_owned(),
            resumed,
            tool_results,
        })
    }

    #[test]
    fn the_words_stand_below_the_first_line() {
        let messages = json!([
            { "role": "system", "content": "From: nobody" },
            { "role": "user", "content": format!("[Sat 2026-11-21 08:00 UTC] {HEADER}\none\ntwo\n\n{RUNTIME}main | os=x") },
        ]);
        assert_eq!(Question::read(&messages), question("one\ntwo", false, 0));
    }

    #[test]
    fn a_continuation_is_told_apart_in_one_prompt_and_in_two() {
        let one = json!([{ "role": "user", "content": format!(
            "[Queued user message that arrived while the previous turn was still active]\n{HEADER}\nwait\n\n{NOTICE}"
        ) }]);
        assert_eq!(Question::read(&one), question("wait", true, 0));
        let two = json!([
            { "role": "user", "content": [{ "type": "text", "text": format!("{HEADER}\nwait") }] },
            { "role": "user", "content": [{ "type": "text", "text": NOTICE }] },
        ]);
        assert_eq!(Question::read(&two), question("wait", true, 0));
    }

    #[test]
    fn results_of_tools_are_counted_since_the_question() {
        let messages = json!([
            { "role": "user", "content": format!("{HEADER}\nearlier") },
            { "role": "tool", "content": "x" },
            { "role": "user", "content": format!("{HEADER}\nnow") },
            { "role": "assistant", "content": "let me look", "tool_calls": [] },
            { "role": "tool", "content": "x" },
        ]);
        assert_eq!(Question::read(&messages), question("now", false, 1));
    }

    #[test]
    fn what_the_gateway_says_is_told_apart_from_what_people_say() {
        let messages = json!([
            { "role": "system", "content": "be kind" },
            { "role": "user", "content": "earlier" },
            { "role": "assistant", "content": "yes" },
            { "role": "user", "content": [{ "type": "text", "text": "now" }] },
            { "role": "user", "content": "the gateway's own" },
        ]);
        assert_eq!(instructions(&messages), "be kind");
        assert_eq!(prompt(&messages), "now\nthe gateway's own");
        assert_eq!(prompt(&Value::Null), "");
    }

    #[test]
    fn without_a_customer_there_is_no_question() {
        assert_eq!(
            Question::read(&json!([{ "role": "user", "content": "Write a title" }])),
            None
        );
        assert_eq!(Question::read(&Value::Null), None);
    }
}
