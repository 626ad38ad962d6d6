//! How the scripted model answers: decided by how the customer's words begin.

use std::time::Duration;

use super::question::Question;
use super::wire::Answer;

/// What the model refuses a request with; customers must never see it.
pub const REFUSAL: &str = "the scripted model refuses this (detail-for-operators-only)";

/// How the texts begin that the model says on the way to a tool.
pub const INTERIM: &str = "Let me look";

/// Tools without side effects, by release; the first one that is offered is called.
const HARMLESS: [&str; 5] = [
    "session_status",
    "sessions_list",
    "agents_list",
    "tool_search",
    "read",
];

/// Calls of tools before the final text.
const TOOL_STEPS: usize = 2;

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `wait SECONDS: …`: echo, that much later; at once when the same question comes again.
    Wait(Duration),
    /// `tools: …`: says something and calls a tool, twice, then echoes.
    Tools,
    /// `refuse: …`: HTTP 400.
    Refuse,
    /// `silent: …`: says the token that stands for no answer.
    Silent,
    /// Anything else.
    Echo,
}

impl Rule {
    /// The rule that `words` ask for.
    pub fn of(words: &str) -> Self {
        let Some((verb, _)) = words.split_once(':') else {
            return Self::Echo;
        };
        match verb.split_whitespace().collect::<Vec<_>>()[..] {
            ["wait", seconds] => seconds.parse().map_or(Self::Echo, |seconds| {
                Self::Wait(Duration::from_secs(seconds))
            }),
            ["tools"] => Self::Tools,
            ["refuse"] => Self::Refuse,
            ["silent"] => Self::Silent,
            _ => Self::Echo,
        }
    }
}

/// The next step of a turn with tools: an interim text with a call, at last the echo.
pub(super) fn step(question: &Question, tools: &[String]) -> Answer {
    let done = question.tool_results;
    match HARMLESS
        .iter()
        .find(|name| tools.iter().any(|tool| tool == *name))
    {
        Some(tool) if done < TOOL_STEPS => {
            let id = done + 1;
            Answer::call(&format!("{INTERIM} ({id})."), id, tool, arguments(tool))
        }
        Some(_) => Answer::text(&super::echo(question)),
        None => Answer::text(&format!("No harmless tool among {tools:?}")),
    }
}

fn arguments(tool: &str) -> &'static str {
    match tool {
        "tool_search" => r#"{"query":"status"}"#,
        "read" => r#"{"path":"nothing-here.txt"}"#,
        _ => "{}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_its_own_first_words() {
        assert_eq!(Rule::of("wait 45: q1"), Rule::Wait(Duration::from_secs(45)));
        assert_eq!(Rule::of("tools: q1"), Rule::Tools);
        assert_eq!(Rule::of("refuse: q1"), Rule::Refuse);
        assert_eq!(Rule::of("silent: q1"), Rule::Silent);
        for plain in ["stop", "/status", "wait long: q1", "please wait 5: q1", ""] {
            assert_eq!(Rule::of(plain), Rule::Echo, "{plain}");
        }
    }
}
