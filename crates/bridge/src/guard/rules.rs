//! What an admitted sender may not simply ask: words that are held back, and hours in which nobody answers.
//!
//! Off unless the operator sets them. They are for order, not for safety: who writes around a word gets around it.

use model::{Identity, Inbound, Timestamp};
use unicode_segmentation::UnicodeSegmentation as _;

use super::hours::{Closed, Hours};

/// The operator's rules about what is said and when.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Who is told, by WhatsApp, of what was held back for a person.
    pub admin: Option<Identity>,
    /// Not handed to the agent.
    pub forbidden: Words,
    /// Not handed to the agent; the admin is told.
    pub escalate: Words,
    /// Set aside until the operator releases it.
    pub approve: Words,
    /// When it is open.
    pub hours: Option<Hours>,
}

/// Words that hold a message back.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Each as the words of it, in lower case.
    phrases: Vec<Vec<String>>,
    reply: Option<String>,
}

/// Why a message is not handed to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'r> {
    /// By which rule.
    pub rule: Rule,
    /// What the sender is told.
    pub reply: Option<&'r str>,
}

/// A rule that holds messages back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It has a forbidden word.
    Forbidden,
    /// It asks for a person.
    Escalated,
    /// It needs the operator's approval.
    NeedsApproval,
}

impl Rule {
    /// The rule's name, as in the ledger.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden_words",
            Self::Escalated => "escalated",
            Self::NeedsApproval => "needs_approval",
        }
    }
}

impl Words {
    /// Words and phrases, compared word by word and without regard to case.
    pub fn new(words: &[String], reply: Option<String>) -> Self {
        let phrases = words.iter().map(|phrase| split(phrase));
        Self {
            phrases: phrases.filter(|phrase| !phrase.is_empty()).collect(),
            reply,
        }
    }

    fn are_in(&self, said: &[String]) -> bool {
        self.phrases
            .iter()
            .any(|phrase| said.windows(phrase.len()).any(|window| window == phrase))
    }
}

impl Rules {
    /// Whether it is closed at `now`.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        self.hours.as_ref()?.closed(now)
    }

    /// Which rule holds `inbound` back. `released` is what the operator let go: nothing holds it again.
    pub fn holds(&self, inbound: &Inbound, released: bool) -> Option<Held<'_>> {
        let rules = [
            (Rule::Forbidden, &self.forbidden),
            (Rule::Escalated, &self.escalate),
            (Rule::NeedsApproval, &self.approve),
        ];
        if released || rules.iter().all(|(_, words)| words.phrases.is_empty()) {
            return None;
        }
        let said = split(inbound.content.words()?);
        let (rule, words) = rules.into_iter().find(|(_, words)| words.are_in(&said))?;
        Some(Held {
            rule,
            reply: words.reply.as_deref(),
        })
    }
}

/// The words of a text, in lower case. Characters that nobody sees do not part them.
fn split(text: &str) -> Vec<String> {
    let seen: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
        .collect();
    seen.unicode_words().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{from, text};
    use super::*;

    fn rules() -> Rules {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Words::new(&words, None)
        };
        Rules {
            forbidden: words(&["rm -rf", "sudo"]),
            escalate: words(&["human", "客服"]),
            approve: words(&["Refund"]),
            ..Rules::default()
        }
    }

    fn rule(said: &str) -> Option<Rule> {
        let inbound = from("+15551234567", text(said));
        rules().holds(&inbound, false).map(|held| held.rule)
    }

    #[test]
    fn whole_words_count_in_any_case_and_script() {
        assert_eq!(rule("please SUDO it"), Some(Rule::Forbidden));
        assert_eq!(rule("a pseudonym"), None);
        assert_eq!(rule("run rm -rf / now"), Some(Rule::Forbidden));
        assert_eq!(rule("the arm of rf"), None);
        assert_eq!(rule("我要客服"), Some(Rule::Escalated));
        assert_eq!(rule("a re\u{200b}fund?"), Some(Rule::NeedsApproval));
    }

    #[test]
    fn the_first_rule_wins_and_what_was_released_goes() {
        assert_eq!(rule("a human with sudo"), Some(Rule::Forbidden));
        let inbound = from("+15551234567", text("refund"));
        assert_eq!(rules().holds(&inbound, true), None);
    }
}
