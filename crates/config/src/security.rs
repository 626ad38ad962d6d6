//! `[security]`: who may write, as whom, and how often.

mod commands;
mod hook;
mod keys;
pub(crate) mod of_number;
mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use model::{Identity, Role};

pub use self::hook::Hook;
pub(crate) use self::keys::*;
pub(crate) use self::roles::{held_role, role_name};
use crate::draft::Draft;
use crate::key::Key;
use crate::problem::{Problem, Wrong};
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

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
    /// What becomes of messages over the rate.
    pub over_limit: OverLimit,
    /// Who is told of strangers.
    pub stranger_hook: Option<Hook>,
    /// What a stranger is told in pairing mode; has `{code}` in it.
    pub pairing_message: String,
    /// The gateway's commands that a role may use, each with its `/` and in lower case. A role that is missing may use
    /// none.
    pub gateway_commands: BTreeMap<Role, Vec<String>>,
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

/// What becomes of messages over the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverLimit {
    /// They are handed over when the rate allows.
    Wait,
    /// They are recorded as dropped.
    Drop,
}

impl OverLimit {
    const NAMES: [(&'static str, Self); 2] = [("wait", Self::Wait), ("drop", Self::Drop)];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
        }
    }
}

/// Messages in each window.
const RATE_LIMITS: RangeInclusive<u32> = 1..=100_000;

/// Seconds of a window.
const RATE_WINDOWS: RangeInclusive<u32> = 1..=86_400;

/// What stands in the pairing message for the code.
const CODE: &str = "{code}";

impl Security {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let top = &draft.raw().top;
        let mode = draft.get(&MODE, read::choice(&SecurityMode::NAMES));
        let deny_message = draft.get(&DENY_MESSAGE, read::text);
        let rate_limit = draft.get(&RATE_LIMIT, read::whole(RATE_LIMITS));
        let rate_window = draft.get(&RATE_WINDOW, read::seconds(RATE_WINDOWS));
        let session_isolation = draft.get(&SESSION_ISOLATION, read::flag);
        let default_role = draft.get(&DEFAULT_ROLE, role_name);
        let over_limit = draft.get(&OVER_LIMIT, read::choice(&OverLimit::NAMES));
        let stranger_hook = draft.get(&STRANGER_HOOK, hook::hook);
        let pairing_message = draft.get(&PAIRING_MESSAGE, pairing_message);
        let mut roles = roles::listed(draft, top, &ROLES).unwrap_or_default();
        let others = draft.get(&ROLES, roles::separated).unwrap_or_default();
        let gateway_commands = commands::listed(draft, top, &GATEWAY_COMMANDS);
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
            over_limit: over_limit?,
            stranger_hook,
            pairing_message: pairing_message?,
            gateway_commands: gateway_commands.unwrap_or_default(),
        })
    }

    /// What stands in for a policy that was refused, so that the rest can be checked: it gives no reason for a problem.
    pub(crate) fn stand_in() -> Self {
        Self {
            mode: SecurityMode::Pairing,
            roles: BTreeMap::new(),
            deny_message: String::new(),
            rate_limit: 0,
            rate_window: Duration::ZERO,
            session_isolation: false,
            default_role: Role(String::new()),
            over_limit: OverLimit::Wait,
            stranger_hook: None,
            pairing_message: CODE.to_owned(),
            gateway_commands: BTreeMap::new(),
        }
    }

    /// The roles that the configuration gives to someone.
    pub(crate) fn given_roles(&self) -> BTreeSet<&Role> {
        let mut given: BTreeSet<&Role> = self.roles.values().collect();
        match self.mode {
            SecurityMode::Allowlist => {}
            SecurityMode::Open | SecurityMode::Pairing => {
                given.insert(&self.default_role);
            }
        }
        given
    }

    /// Whether somebody may be in `role`. In pairing mode the operator may approve people in any.
    pub(crate) fn may_have(&self, role: &Role) -> bool {
        self.mode == SecurityMode::Pairing || self.given_roles().contains(role)
    }

    /// What is allowed and yet probably not meant, of the policy that `roles` belongs to.
    pub(crate) fn warning(&self, roles: &Key) -> Option<Problem> {
        let nobody = self.mode == SecurityMode::Allowlist && self.roles.is_empty();
        nobody.then(|| Problem {
            key: roles.path.to_owned(),
            origin: None,
            what: "names nobody, so nobody may write".to_owned(),
            remedy: format!(
                "set KAPSO_ALLOWED_NUMBERS, or give numbers a role in [{}]",
                roles.path
            ),
        })
    }

    /// Refuses commands for roles that nobody can have, in the `[security]` that these policies come from.
    pub(crate) fn check_commands(draft: &mut Draft<'_>, policies: &[&Self]) {
        let top = &draft.raw().top;
        commands::check_roles(draft, top, &GATEWAY_COMMANDS, policies);
    }

    /// As [`Security::warning`], of the hook: what strangers write is theirs.
    pub(crate) fn hook_warning(&self) -> Option<Problem> {
        let Some(Hook::Url(url)) = &self.stranger_hook else {
            return None;
        };
        read::leaves_host_in_clear(url).then(|| Problem {
            key: STRANGER_HOOK.path.to_owned(),
            origin: None,
            what: "sends what strangers write over the network unencrypted".to_owned(),
            remedy: "write an https address".to_owned(),
        })
    }

    /// Shows the policy under these keys.
    pub(crate) fn show(&self, shown: &mut Shown, keys: &PolicyKeys) {
        shown.text(keys.mode, self.mode.name());
        shown.text(keys.deny_message, &self.deny_message);
        shown.whole(keys.rate_limit, self.rate_limit);
        shown.seconds(keys.rate_window, self.rate_window);
        shown.flag(keys.session_isolation, self.session_isolation);
        shown.text(keys.default_role, &self.default_role.0);
        shown.text(keys.over_limit, self.over_limit.name());
        shown.text(keys.pairing_message, &self.pairing_message);
        shown.lists(keys.roles, roles::by_role(&self.roles));
        let commands = self.gateway_commands.iter();
        let commands = commands.map(|(role, list)| (role.0.as_str(), list.clone()));
        shown.lists(keys.gateway_commands, commands.collect());
    }
}

/// The answer to a stranger in pairing mode, in which the code has its place.
fn pairing_message(value: &Value) -> Result<String, Wrong> {
    let text = read::text(value)?;
    if text.contains(CODE) {
        return Ok(text);
    }
    Err(Wrong::new(
        format!("is {}, without {CODE}", read::quoted(&text)),
        format!("write {CODE} where the code belongs"),
    ))
}
