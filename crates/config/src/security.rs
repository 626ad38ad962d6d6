//! `[security]`: who may write, as whom, and how often.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use model::{Identity, Role};

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::{Origin, Problem, Wrong};
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static MODE: Key = Key::new(
    "security.mode",
    &["KAPSO_SECURITY_MODE"],
    Preset::Text("allowlist"),
    "`allowlist` (only numbers with a role may write), `open` (everyone), `pairing` (strangers ask with a code)",
);

pub(crate) static ROLES: Key = Key::new(
    "security.roles",
    &["KAPSO_ALLOWED_NUMBERS"],
    Preset::Nothing,
    "one list of numbers or user ids for each role; the variable's numbers, separated by commas, get `default_role` unless \
     the file gives them another",
);

pub(crate) static DENY_MESSAGE: Key = Key::new(
    "security.deny_message",
    &["KAPSO_DENY_MESSAGE"],
    Preset::Text("Sorry, you are not authorized to use this service."),
    "what a stranger is told, once a day at most; empty sends nothing",
)
.may_be_empty();

pub(crate) static RATE_LIMIT: Key = Key::new(
    "security.rate_limit",
    &["KAPSO_RATE_LIMIT"],
    Preset::Text("10"),
    "messages of one sender that are handed over in each `rate_window`",
);

pub(crate) static RATE_WINDOW: Key = Key::new(
    "security.rate_window",
    &["KAPSO_RATE_WINDOW"],
    Preset::Text("60"),
    "seconds",
);

pub(crate) static SESSION_ISOLATION: Key = Key::new(
    "security.session_isolation",
    &["KAPSO_SESSION_ISOLATION"],
    Preset::Text("true"),
    "whether each sender has a session of their own; without it everyone shares `gateway.session_key`",
);

pub(crate) static DEFAULT_ROLE: Key = Key::new(
    "security.default_role",
    &["KAPSO_DEFAULT_ROLE"],
    Preset::Text("member"),
    "the role of numbers from the environment, and of strangers in `open` mode",
);

/// The longest name of a role.
const LONGEST_ROLE: usize = 64;

/// Who may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// What becomes of strangers.
    pub mode: SecurityMode,
    /// The role of each known sender, by canonical identity.
    pub roles: BTreeMap<Identity, Role>,
    /// What a stranger is told; empty sends nothing.
    pub deny_message: String,
    /// Messages of one sender that are handed over in each `rate_window`.
    pub rate_limit: u32,
    /// The time in which `rate_limit` messages are handed over.
    pub rate_window: Duration,
    /// Whether each sender has a session of their own.
    pub session_isolation: bool,
    /// The role of senders who have no other.
    pub default_role: Role,
}

/// What becomes of strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityMode {
    /// They are refused.
    Allowlist,
    /// They may write, in the default role.
    Open,
    /// They are refused and get a code that the operator can approve.
    Pairing,
}

impl SecurityMode {
    const NAMES: [(&'static str, Self); 3] = [
        ("allowlist", Self::Allowlist),
        ("open", Self::Open),
        ("pairing", Self::Pairing),
    ];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Pairing => "pairing",
        }
    }
}

impl Security {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let mode = draft.get(&MODE, read::choice(&SecurityMode::NAMES));
        let deny_message = draft.get(&DENY_MESSAGE, read::text);
        let rate_limit = draft.get(&RATE_LIMIT, read::whole(1..=100_000));
        let rate_window = draft.get(&RATE_WINDOW, read::seconds(1..=86_400));
        let session_isolation = draft.get(&SESSION_ISOLATION, read::flag);
        let default_role = draft.get(&DEFAULT_ROLE, |value| role(&read::text(value)?));
        let mut roles = listed_roles(draft);
        let others = draft.get(&ROLES, identities).unwrap_or_default();
        let default_role = default_role?;
        for identity in others {
            roles
                .entry(identity)
                .or_insert_with(|| default_role.clone());
        }
        Some(Self {
            mode: mode?,
            roles,
            deny_message: deny_message?,
            rate_limit: rate_limit?,
            rate_window: rate_window?,
            session_isolation: session_isolation?,
            default_role,
        })
    }

    pub(crate) fn warning(&self) -> Option<Problem> {
        let nobody = self.mode == SecurityMode::Allowlist && self.roles.is_empty();
        nobody.then(|| Problem {
            key: ROLES.path.to_owned(),
            origin: None,
            what: "names nobody, so nobody may write".to_owned(),
            remedy: "set KAPSO_ALLOWED_NUMBERS, or give numbers a role in [security.roles]"
                .to_owned(),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&MODE, self.mode.name());
        shown.text(&DENY_MESSAGE, &self.deny_message);
        shown.whole(&RATE_LIMIT, self.rate_limit);
        shown.seconds(&RATE_WINDOW, self.rate_window);
        shown.flag(&SESSION_ISOLATION, self.session_isolation);
        shown.text(&DEFAULT_ROLE, &self.default_role.0);
        let mut numbers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (identity, role) in &self.roles {
            numbers
                .entry(&role.0)
                .or_default()
                .push(identity.to_string());
        }
        shown.lists(&ROLES, numbers);
    }
}

/// The roles that the file gives. A number in two roles is a problem that names both.
fn listed_roles(draft: &mut Draft<'_>) -> BTreeMap<Identity, Role> {
    let mut roles: BTreeMap<Identity, (Role, Origin)> = BTreeMap::new();
    for listed in &draft.raw().listed {
        let (path, origin) = (
            format!("{}.{}", ROLES.path, listed.role),
            listed.number.origin.clone(),
        );
        let read = role(&listed.role)
            .and_then(|role| Ok((role, identity(&read::text(&listed.number.value)?)?)));
        let (role, identity) = match read {
            Ok(read) => read,
            Err(wrong) => {
                draft.problem(&path, Some(origin), wrong);
                continue;
            }
        };
        match roles.entry(identity) {
            Entry::Vacant(vacant) => {
                vacant.insert((role, origin));
            }
            Entry::Occupied(known) if known.get().0 != role => {
                let (other, place) = known.get();
                let what = format!(
                    "has {}, which is also in the role {other} ({place})",
                    known.key()
                );
                let wrong = Wrong::new(what, "leave the number in one role");
                draft.problem(&path, Some(origin), wrong);
            }
            Entry::Occupied(_) => {}
        }
    }
    roles
        .into_iter()
        .map(|(identity, (role, _))| (identity, role))
        .collect()
}

/// The numbers of the environment, separated by commas.
fn identities(value: &Value) -> Result<Vec<Identity>, Wrong> {
    let text = read::text(value)?;
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(identity)
        .collect()
}

fn identity(text: &str) -> Result<Identity, Wrong> {
    Identity::new(text)
        .map(|identity| identity.canonical())
        .map_err(|invalid| {
            let remedy =
                "write numbers with country code, as in +15551234567, or WhatsApp user ids";
            Wrong::new(
                format!("has {}, which {invalid}", read::quoted(text)),
                remedy,
            )
        })
}

/// A role's name, which stands in the first line that the agent reads: nothing in it may look like more than a name.
fn role(text: &str) -> Result<Role, Wrong> {
    let text = text.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.chars().count() > LONGEST_ROLE || !text.chars().all(plain) {
        return Err(Wrong::new(
            format!("names the role {}", read::quoted(text)),
            format!("use up to {LONGEST_ROLE} letters, digits, - _ or ."),
        ));
    }
    Ok(Role(text.to_owned()))
}
