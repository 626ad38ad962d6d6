//! Which lines of a transcript answer one turn.
//!
//! Pure: entries are fed one by one, in the order of the file. The view is bound to the turn's own question, found
//! by the request's key or, where the release keeps none (`agent` up to 2026.7.35), by its very words. What descends
//! from that question belongs to the turn; another question ends the descent, so that nobody is given another's
//! answer. After a restart the gateway asks a question of its own to resume a turn, which continues the descent.

use std::collections::HashSet;

use model::Turn;

use super::entry::{Entry, EntryKind, StopReason};

/// Sentences that the gateway puts in the place of a missing answer (2026.5.7 to 2026.7.35).
const EXCUSES: [&str; 4] = [
    "The agent run failed before producing a reply.",
    "[assistant turn failed before producing content]",
    "⚠️ Agent failed before reply",
    "⚠️ Agent couldn't generate a response",
];

/// An answer of the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The entry's name, by which the answer is known for good.
    pub id: String,
    /// The words, those of several blocks joined by line breaks; never blank.
    pub text: String,
    /// Whether the model reached its limit before the end.
    pub truncated: bool,
}

/// The entries of one turn.
#[derive(Debug)]
pub struct TurnView {
    key: String,
    asked: String,
    /// The names of the entries that belong to the turn.
    own: HashSet<String>,
    /// The last question in the file is the turn's.
    open: bool,
    answered: bool,
}

impl TurnView {
    /// The view of `turn`; it is to be fed with what the transcript shows from before the turn was asked.
    pub fn of(turn: &Turn) -> Self {
        Self {
            key: format!("{}:user", turn.key),
            asked: unified(&turn.text).trim().to_owned(),
            own: HashSet::new(),
            open: false,
            answered: false,
        }
    }

    /// Takes in the next entry. Gives the answers of the turn that it holds: none for most entries, and none for an
    /// entry that was fed before.
    pub fn feed(&mut self, entry: &Entry) -> Vec<Said> {
        if self.own.contains(&entry.id) {
            return Vec::new();
        }
        let descends = entry
            .parent
            .as_ref()
            .is_some_and(|parent| self.own.contains(parent));
        let own = match &entry.kind {
            EntryKind::User {
                text,
                idempotency_key,
                recovery,
            } => {
                self.open = self.is_own(text, idempotency_key.as_deref(), *recovery);
                self.open
            }
            EntryKind::Assistant { .. }
            | EntryKind::ToolResult
            | EntryKind::Compaction
            | EntryKind::Session
            | EntryKind::Other => descends,
        };
        if !own {
            return Vec::new();
        }
        self.own.insert(entry.id.clone());
        let said = said(entry);
        self.answered |= said.is_some();
        said.into_iter().collect()
    }

    /// A question that was asked twice (because the gateway lost it) is the turn's until an answer is there; after
    /// that, the same words are a new question.
    fn is_own(&self, text: &str, key: Option<&str>, recovery: bool) -> bool {
        if self.answered {
            return false;
        }
        match key {
            Some(key) if key == self.key => true,
            Some(key) if key.ends_with(":user") => false,
            Some(_) | None => recovery && self.open || has_passage(&unified(text), &self.asked),
        }
    }
}

/// The answer that a message of the model holds, if it is meant as one.
fn said(entry: &Entry) -> Option<Said> {
    let EntryKind::Assistant {
        texts,
        stop_reason,
        error,
        injected,
        aborted,
    } = &entry.kind
    else {
        return None;
    };
    let truncated = match stop_reason {
        None | Some(StopReason::Stop) => false,
        Some(StopReason::Length) => true,
        Some(
            StopReason::ToolUse | StopReason::Error | StopReason::Aborted | StopReason::Other(_),
        ) => return None,
    };
    let blocks: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.trim().is_empty())
        .collect();
    let text = blocks.join("\n").trim().to_owned();
    let excuse = EXCUSES.iter().any(|excuse| text.starts_with(excuse));
    if text.is_empty() || excuse || error.is_some() || *injected || *aborted {
        return None;
    }
    Some(Said {
        id: entry.id.clone(),
        text,
        truncated,
    })
}

fn unified(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Whether `passage` stands in `text` as whole lines. The first may follow a bracketed prefix, such as the time that
/// 2026.5.7 puts before a question.
fn has_passage(text: &str, passage: &str) -> bool {
    if passage.is_empty() {
        return false;
    }
    text.match_indices(passage).any(|(at, _)| {
        let before = &text[..at];
        let after = text[at + passage.len()..].trim_start_matches([' ', '\t']);
        let begins = before.is_empty() || before.ends_with('\n') || before.ends_with("] ");
        begins && (after.is_empty() || after.starts_with('\n'))
    })
}

#[cfg(test)]
mod tests;
