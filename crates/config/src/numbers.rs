//! `[[numbers]]`: the business numbers of this process, each with its name, its webhook secret and its policy.

use model::NumberId;
use secrecy::SecretString;

use crate::draft::Draft;
use crate::expand;
use crate::kapso;
use crate::key::{Key, Preset};
use crate::problem::{Origin, Problem, Wrong};
use crate::raw::{self, Item, Value};
use crate::read;
use crate::security::{self, Security};
use crate::show::Shown;

/// The section's name.
pub(crate) const SECTION: &str = "numbers";

pub(crate) static PHONE_NUMBER_ID: Key = Key::new(
    "numbers.phone_number_id",
    &[],
    Preset::Required,
    "one more business number, by Meta's id of it",
);

pub(crate) static NAME: Key = Key::new(
    "numbers.name",
    &[],
    Preset::Nothing,
    "what routes call this number; else its id",
);

pub(crate) static WEBHOOK_SECRET: Key = Key::new(
    "numbers.webhook_secret",
    &[],
    Preset::Nothing,
    "the key of Kapso's signatures on what this number's webhook pushes; else `webhook.secret`",
)
.secret();

pub(crate) static WEBHOOK_SECRET_FILE: Key = Key::new(
    "numbers.webhook_secret_file",
    &[],
    Preset::Nothing,
    "a file with that key, in its place",
);

/// The longest name of a number.
const LONGEST_NAME: usize = 64;

/// One business number.
#[derive(Debug, Clone)]
pub struct Number {
    /// Meta's id of it.
    pub id: NumberId,
    /// What the operator calls it; its id, where it has no name.
    pub name: String,
    /// The key of `X-Webhook-Signature` on what its webhook pushes (kapso.md 4.3); none where nothing can be checked.
    pub secret: Option<SecretString>,
    /// Who may write to it.
    pub security: Security,
}

/// One of `[[numbers]]`, before the sections are known from which it takes what it does not say.
#[derive(Debug)]
pub(crate) struct Listed<'a> {
    pub(crate) id: NumberId,
    name: String,
    secret: Option<SecretString>,
    item: &'a Item,
}

/// What `[[numbers]]` says. A number or a name that stands twice is a problem.
pub(crate) fn listed<'a>(draft: &mut Draft<'a>) -> Vec<Listed<'a>> {
    let mut listed: Vec<Listed<'a>> = Vec::new();
    let single = single(draft);
    for item in draft.raw().items(SECTION) {
        let id = draft.get_of(item, &PHONE_NUMBER_ID, read::number_id);
        let name = draft.get_of(item, &NAME, name);
        let secret = secret(draft, item);
        let Some(id) = id else { continue };
        let name = name.unwrap_or_else(|| id.to_string());
        let number = Listed {
            id,
            name,
            secret,
            item,
        };
        if let Err((key, wrong)) = number.is_new(single.as_ref(), &listed) {
            draft.problem(key.path, Some(number.origin(key)), wrong);
        }
        listed.push(number);
    }
    listed
}

/// The number of `[kapso]`, if it has one that does.
fn single(draft: &Draft<'_>) -> Option<(NumberId, Origin)> {
    let written = draft.raw().top.get(&kapso::PHONE_NUMBER_ID)?;
    let id = read::number_id(&written.value).ok()?;
    Some((id, written.origin.clone()))
}

/// A name that can stand in a route and in a log line.
fn name(value: &Value) -> Result<String, Wrong> {
    let name = read::line(value)?;
    if name.chars().count() > LONGEST_NAME {
        let what = format!("is longer than {LONGEST_NAME} characters");
        return Err(Wrong::new(what, "write a short name such as sales"));
    }
    Ok(name)
}

/// The number's own key, as it is or from the file that is named for it.
fn secret(draft: &mut Draft<'_>, item: &Item) -> Option<SecretString> {
    let environment = draft.environment();
    let written = draft.get_of(item, &WEBHOOK_SECRET, read::secret);
    let in_file = draft.get_of(item, &WEBHOOK_SECRET_FILE, |value| {
        if item.scope.get(&WEBHOOK_SECRET).is_some() {
            let what = "stands beside webhook_secret";
            return Err(Wrong::new(what, "remove one of the two"));
        }
        let path = expand::path(read::text(value)?.trim(), environment)?;
        read::secret(&Value::Secret(raw::content(&path)?.into()))
    });
    written.or(in_file)
}

impl Listed<'_> {
    /// Whether no other number has its id or its name. Names and ids are one kind: routes take either.
    fn is_new(
        &self,
        single: Option<&(NumberId, Origin)>,
        before: &[Self],
    ) -> Result<(), (&'static Key, Wrong)> {
        let single = single.map(|(id, origin)| (id, id.as_str(), origin.clone()));
        let before = before.iter().map(|number| {
            let name = number.name.as_str();
            (&number.id, name, number.item.origin.clone())
        });
        for (id, name, place) in single.into_iter().chain(before) {
            if *id == self.id {
                let what = format!("is {id}, which is already a number ({place})");
                return Err((&PHONE_NUMBER_ID, Wrong::new(what, "leave one of them")));
            }
            if name == self.name || id.as_str() == self.name || name == self.id.as_str() {
                let own = read::quoted(&self.name);
                let what = format!("is {own}, and another number has that name or id ({place})");
                return Err((
                    &NAME,
                    Wrong::new(what, "give each number a name of its own"),
                ));
            }
        }
        Ok(())
    }

    fn origin(&self, key: &Key) -> Origin {
        let written = self.item.scope.get(key);
        written.map_or_else(
            || self.item.origin.clone(),
            |written| written.origin.clone(),
        )
    }
}

/// Every number: that of `[kapso]` first, if it is one, then the listed ones. `secret` and `security` are for those
/// that have none of their own.
pub(crate) fn check(
    draft: &mut Draft<'_>,
    listed: Vec<Listed<'_>>,
    secret: Option<&SecretString>,
    security: &Security,
) -> Vec<Number> {
    let single = single(draft).map(|(id, _)| Number {
        name: id.to_string(),
        id,
        secret: secret.cloned(),
        security: security.clone(),
    });
    let others = listed.into_iter().map(|number| Number {
        id: number.id,
        name: number.name,
        secret: number.secret.or_else(|| secret.cloned()),
        security: security.of_number(draft, number.item),
    });
    single.into_iter().chain(others).collect()
}

impl Number {
    /// `all` is the policy of the numbers that have none of their own.
    pub(crate) fn warning(&self, all: &Security) -> Option<Problem> {
        let keys = if self.security == *all {
            &security::OF_ALL
        } else {
            &security::of_number::KEYS
        };
        self.security.warning(keys.roles)
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&PHONE_NUMBER_ID, self.id.as_str());
        shown.text(&NAME, &self.name);
        shown.secret(&WEBHOOK_SECRET, self.secret.as_ref());
        self.security.show(shown, &security::of_number::KEYS);
    }
}
