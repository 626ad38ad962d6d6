//! What must hold, decided from what the stand-ins recorded.
//!
//! Every message that was delivered with 200, or that is listed, is answered exactly once, to the customer who wrote it
//! and nobody else, in that customer's order; and a gateway that kept its memory was not asked it twice. A reply
//! may be repeated in one case only, which is counted: WhatsApp took it, the answer was lost, and the list did not
//! show it.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::MessageId;
use sandbox::kapso::SentMessage;
use sandbox::openclaw::Execution;

use super::token::{Mark, Token, marks};
use crate::world::customer;

/// A message that a customer wrote.
#[derive(Debug, Clone)]
pub struct Letter {
    /// What it says.
    pub token: Token,
    /// The id that it got.
    pub id: MessageId,
    /// Whether the list shows it.
    pub listed: bool,
}

/// In which order a customer's messages must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    Written,
    /// As the agent was asked them: they did not arrive as they were written.
    Asked,
}

/// What the stand-ins saw.
#[derive(Debug)]
pub struct Record<'a> {
    /// What customers wrote.
    pub letters: &'a [Letter],
    /// The messages that were delivered and answered with 200.
    pub delivered: HashSet<MessageId>,
    /// What went to customers, in order.
    pub sent: Vec<SentMessage>,
    /// What the model was given, in order.
    pub executions: Vec<Execution>,
    /// Where in `executions` each further life of the gateway begins.
    pub lives: &'a [usize],
    /// The order that is demanded.
    pub order: Order,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A message without its whole answer.
    #[error("{0} was not answered")]
    Lost(Token),
    /// A reply that came again without need.
    #[error("the answer to {0} came again")]
    Doubled(Token),
    /// A reply that went to somebody else.
    #[error("the answer to {0} went to {1}")]
    Misdelivered(Token, String),
    /// A reply that came before one that should have been first.
    #[error("{0} was answered after {1}")]
    Disorder(Token, Token),
    /// A reply that answers nothing that was written.
    #[error("{0} got {1:?}, which answers nothing")]
    Baseless(String, String),
    /// A message that one gateway was given more than once.
    #[error("{0} was put to the same gateway {1} times")]
    AskedAgain(Token, usize),
    /// A message that was put to the agent in somebody else's session.
    #[error("{0} was asked in session {1}")]
    StrangeSession(Token, String),
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Messages that had to be answered.
    pub owed: usize,
    /// Of these, how many were.
    pub answered: usize,
    /// Replies that were repeated in the one permitted case.
    pub repeated: usize,
    /// What must not be.
    pub breaches: Vec<Breach>,
}

/// The messages that have no whole answer yet.
pub fn unanswered(record: &Record<'_>) -> Vec<Token> {
    let mut came: HashMap<Token, HashSet<Mark>> = HashMap::new();
    for (mark, _) in all_marks(&record.sent) {
        came.entry(mark.token).or_default().insert(mark);
    }
    let whole = |token: &Token| {
        let parts = came.get(token);
        parts.is_some_and(|parts| {
            parts
                .iter()
                .any(|it| it.whole().all(|part| parts.contains(&part)))
        })
    };
    let owed = record.letters.iter().filter(|it| record.owes(it));
    let owed = owed.map(|letter| letter.token);
    owed.filter(|token| !whole(token)).collect()
}

/// Decides.
pub fn judge(record: &Record<'_>) -> Verdict {
    let owed = record.letters.iter().filter(|it| record.owes(it)).count();
    let lost = unanswered(record);
    let mut verdict = Verdict {
        owed,
        answered: owed - lost.len(),
        ..Verdict::default()
    };
    verdict.breaches.extend(lost.into_iter().map(Breach::Lost));
    replies(record, &mut verdict);
    order(record, &mut verdict);
    asks(record, &mut verdict);
    verdict
}

impl Record<'_> {
    fn owes(&self, letter: &Letter) -> bool {
        letter.listed || self.delivered.contains(&letter.id)
    }
}

/// Every mark that was sent, and in which message.
fn all_marks(sent: &[SentMessage]) -> Vec<(Mark, usize)> {
    let of = |(at, message): (usize, &SentMessage)| {
        let marks = marks(&message.text).into_iter();
        marks.map(|mark| (mark, at)).collect::<Vec<_>>()
    };
    sent.iter().enumerate().flat_map(of).collect()
}

/// Whose each reply is, and how often it came.
fn replies(record: &Record<'_>, verdict: &mut Verdict) {
    let written: HashSet<Token> = record.letters.iter().map(|it| it.token).collect();
    let mut copies: BTreeMap<Mark, Vec<usize>> = BTreeMap::new();
    for (at, message) in record.sent.iter().enumerate() {
        let found = marks(&message.text);
        if found.is_empty() || found.iter().any(|it| !written.contains(&it.token)) {
            let (to, text) = (message.customer.clone(), message.text.clone());
            verdict.breaches.push(Breach::Baseless(to, text));
        }
        for mark in found {
            if customer(mark.token.customer) != message.customer {
                let to = message.customer.clone();
                verdict.breaches.push(Breach::Misdelivered(mark.token, to));
            }
            copies.entry(mark).or_default().push(at);
        }
    }
    for (mark, places) in copies {
        for (n, _) in places.iter().enumerate().skip(1) {
            // The copy before it is why it came again.
            let before = &record.sent[places[n - 1]];
            if before.answer_lost && !before.listed {
                verdict.repeated += 1;
            } else {
                verdict.breaches.push(Breach::Doubled(mark.token));
            }
        }
    }
}

/// The order of each customer's replies.
fn order(record: &Record<'_>, verdict: &mut Verdict) {
    let asked = record.executions.iter().flat_map(|it| marks(&it.text));
    let mut rank: HashMap<Token, usize> = HashMap::new();
    for (place, mark) in asked.enumerate() {
        rank.entry(mark.token).or_insert(place);
    }
    let rank = |mark: &Mark| match record.order {
        Order::Written => (mark.token.number as usize, mark.part),
        Order::Asked => (
            rank.get(&mark.token).copied().unwrap_or_default(),
            mark.part,
        ),
    };
    let mut last: HashMap<u32, Mark> = HashMap::new();
    let mut came = HashSet::new();
    for (mark, _) in all_marks(&record.sent) {
        if !came.insert(mark) {
            continue;
        }
        if let Some(before) = last.insert(mark.token.customer, mark)
            && rank(&mark) < rank(&before)
        {
            verdict
                .breaches
                .push(Breach::Disorder(mark.token, before.token));
        }
    }
}

/// What the agent was asked, and how often in one life of the gateway.
fn asks(record: &Record<'_>, verdict: &mut Verdict) {
    let mut times: BTreeMap<(Token, usize), usize> = BTreeMap::new();
    for (at, execution) in record.executions.iter().enumerate() {
        let life = record.lives.iter().filter(|begin| **begin <= at).count();
        for mark in marks(&execution.text) {
            let own = format!("agent:main:main-wa-{}", &customer(mark.token.customer)[1..]);
            if execution.session != own {
                let session = execution.session.clone();
                verdict
                    .breaches
                    .push(Breach::StrangeSession(mark.token, session));
            }
            *times.entry((mark.token, life)).or_default() += 1;
        }
    }
    let again = times.into_iter().filter(|(_, times)| *times > 1);
    let again = again.map(|((token, _), times)| Breach::AskedAgain(token, times));
    verdict.breaches.extend(again);
}

#[cfg(test)]
mod tests;
