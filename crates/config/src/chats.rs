//! `[chats."…"]`: what the agent is told about a chat.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::Identity;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::{Origin, Wrong};
use crate::read;
use crate::show::{Shown, ShownItems};

/// The section's name.
pub(crate) const SECTION: &str = "chats";

/// The name that stands for every chat without one of its own.
const EVERYONE: &str = "*";

pub(crate) static PROMPT: Key = Key::new(
    "chats.prompt",
    &[],
    Preset::Required,
    "what the agent is told about this chat, as context; an empty one switches that of `\"*\"` off",
)
.may_be_empty();

/// What the agent is told about chats, as context and not as anybody's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chats {
    /// By the canonical identity of the other side; empty means nothing, not even the default.
    pub prompts: BTreeMap<Identity, String>,
    /// What holds for all others.
    pub default: Option<String>,
}

impl Chats {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Self {
        let mut chats = Self::default();
        let mut known: BTreeMap<Identity, &Origin> = BTreeMap::new();
        for item in draft.raw().items(SECTION) {
            let Some(prompt) = draft.get_of(item, &PROMPT, read::text) else {
                continue;
            };
            if item.name == EVERYONE {
                chats.default = Some(prompt).filter(|prompt| !prompt.trim().is_empty());
                continue;
            }
            let wrong = match read::person(&item.name).map(|identity| known.entry(identity)) {
                Ok(Entry::Vacant(vacant)) => {
                    chats.prompts.insert(vacant.key().clone(), prompt);
                    vacant.insert(&item.origin);
                    continue;
                }
                Ok(Entry::Occupied(other)) => Wrong::new(
                    format!(
                        "has {}, which it already has ({})",
                        other.key(),
                        other.get()
                    ),
                    "leave one of the two",
                ),
                Err(Wrong { what, remedy }) => Wrong::new(what, remedy + ", or \"*\" for everyone"),
            };
            draft.problem(SECTION, Some(item.origin.clone()), wrong);
        }
        chats
    }

    pub(crate) fn show(&self, items: &mut ShownItems) {
        let default = self
            .default
            .as_ref()
            .map(|prompt| (EVERYONE.to_owned(), prompt));
        let prompts = self.prompts.iter();
        let named = prompts.map(|(identity, prompt)| (identity.to_string(), prompt));
        for (name, prompt) in default.into_iter().chain(named) {
            let mut shown = Shown::default();
            shown.text(&PROMPT, prompt);
            items.named(SECTION, name, shown);
        }
    }
}
