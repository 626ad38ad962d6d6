//! `[rules]`: what is not handed to the agent although its sender may write.

pub(crate) mod hours;

use model::Identity;

pub use self::hours::Hours;
use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::{Problem, Wrong};
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static ADMIN: Key = Key::new(
    "rules.admin",
    &["KAPSO_ADMIN_NUMBER"],
    Preset::Nothing,
    "who is told by WhatsApp of what the rules held back",
);

pub(crate) static FORBIDDEN: Key = Key::new(
    "rules.forbidden",
    &[],
    Preset::Nothing,
    "words; a message with one is refused",
);

pub(crate) static FORBIDDEN_REPLY: Key = Key::new(
    "rules.forbidden_reply",
    &[],
    Preset::Nothing,
    "what its sender is told",
);

pub(crate) static ESCALATE: Key = Key::new(
    "rules.escalate",
    &[],
    Preset::Nothing,
    "words; a message with one is for a human: it is not handed over, and `rules.admin` is told",
);

pub(crate) static ESCALATE_REPLY: Key = Key::new(
    "rules.escalate_reply",
    &[],
    Preset::Nothing,
    "what its sender is told",
);

pub(crate) static APPROVE: Key = Key::new(
    "rules.approve",
    &[],
    Preset::Nothing,
    "words; a message with one is set aside until `kapso-whatsapp-cli dead retry`",
);

pub(crate) static APPROVE_REPLY: Key = Key::new(
    "rules.approve_reply",
    &[],
    Preset::Nothing,
    "what its sender is told",
);

/// What is held back. Nothing, unless it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who is told of it by WhatsApp.
    pub admin: Option<Identity>,
    /// Words that are refused.
    pub forbidden: Words,
    /// Words that a human has to answer.
    pub escalate: Words,
    /// Words that the operator has to approve.
    pub approve: Words,
    /// When messages are handed over; none means always.
    pub hours: Option<Hours>,
}

/// Words that hold a message back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// The words or phrases, as written.
    pub words: Vec<String>,
    /// What the sender of such a message is told.
    pub reply: Option<String>,
}

impl Words {
    fn check(draft: &mut Draft<'_>, words: &Key, reply: &Key) -> Self {
        let top = &draft.raw().top;
        Self {
            words: draft.list(top, words, word),
            reply: draft.get(reply, read::text),
        }
    }

    fn show(&self, shown: &mut Shown, words: &Key, reply: &Key) {
        if !self.words.is_empty() {
            shown.list(words, &self.words);
        }
        shown.maybe(reply, self.reply.as_ref());
    }
}

fn word(value: &Value) -> Result<String, Wrong> {
    let word = read::line(value)?;
    if word.is_empty() {
        let what = "has an empty word, which every message contains";
        return Err(Wrong::new(what, "remove it"));
    }
    Ok(word)
}

impl Rules {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Self {
        Self {
            admin: draft.get(&ADMIN, read::identity),
            forbidden: Words::check(draft, &FORBIDDEN, &FORBIDDEN_REPLY),
            escalate: Words::check(draft, &ESCALATE, &ESCALATE_REPLY),
            approve: Words::check(draft, &APPROVE, &APPROVE_REPLY),
            hours: Hours::check(draft),
        }
    }

    pub(crate) fn warning(&self) -> Option<Problem> {
        let unheard = self.admin.is_none() && !self.escalate.words.is_empty();
        unheard.then(|| Problem {
            key: ESCALATE.path.to_owned(),
            origin: None,
            what: "calls a human, and nobody is told".to_owned(),
            remedy: "set rules.admin to who is".to_owned(),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.maybe(&ADMIN, self.admin.as_ref());
        self.forbidden.show(shown, &FORBIDDEN, &FORBIDDEN_REPLY);
        self.escalate.show(shown, &ESCALATE, &ESCALATE_REPLY);
        self.approve.show(shown, &APPROVE, &APPROVE_REPLY);
        if let Some(hours) = &self.hours {
            hours.show(shown);
        }
    }
}
