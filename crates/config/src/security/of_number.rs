//! `[numbers.security]`: the policy of one number, where it differs from `[security]`.

use super::keys::{self, PolicyKeys};
use super::{OverLimit, Security, SecurityMode, commands, pairing_message, role_name, roles};
use crate::draft::Draft;
use crate::key::Key;
use crate::raw::Item;
use crate::read;

pub(crate) static MODE: Key =
    keys::MODE.in_place_at("numbers.security.mode", "`security.mode` of this number");

pub(crate) static ROLES: Key = keys::ROLES.in_place_at(
    "numbers.security.roles",
    "the roles of this number, in place of all those of `security.roles`",
);

pub(crate) static DENY_MESSAGE: Key = keys::DENY_MESSAGE.in_place_at(
    "numbers.security.deny_message",
    "`security.deny_message` of this number",
);

pub(crate) static RATE_LIMIT: Key = keys::RATE_LIMIT.in_place_at(
    "numbers.security.rate_limit",
    "`security.rate_limit` of this number",
);

pub(crate) static RATE_WINDOW: Key = keys::RATE_WINDOW.in_place_at(
    "numbers.security.rate_window",
    "`security.rate_window` of this number",
);

pub(crate) static SESSION_ISOLATION: Key = keys::SESSION_ISOLATION.in_place_at(
    "numbers.security.session_isolation",
    "`security.session_isolation` of this number",
);

pub(crate) static DEFAULT_ROLE: Key = keys::DEFAULT_ROLE.in_place_at(
    "numbers.security.default_role",
    "`security.default_role` of this number",
);

pub(crate) static OVER_LIMIT: Key = keys::OVER_LIMIT.in_place_at(
    "numbers.security.over_limit",
    "`security.over_limit` of this number",
);

pub(crate) static PAIRING_MESSAGE: Key = keys::PAIRING_MESSAGE.in_place_at(
    "numbers.security.pairing_message",
    "`security.pairing_message` of this number",
);

pub(crate) static GATEWAY_COMMANDS: Key = keys::GATEWAY_COMMANDS.in_place_at(
    "numbers.security.gateway_commands",
    "the commands of this number's roles, in place of all those of `security.gateway_commands`",
);

/// Those of one number.
pub(crate) static KEYS: PolicyKeys = PolicyKeys {
    mode: &MODE,
    roles: &ROLES,
    deny_message: &DENY_MESSAGE,
    rate_limit: &RATE_LIMIT,
    rate_window: &RATE_WINDOW,
    session_isolation: &SESSION_ISOLATION,
    default_role: &DEFAULT_ROLE,
    over_limit: &OVER_LIMIT,
    pairing_message: &PAIRING_MESSAGE,
    gateway_commands: &GATEWAY_COMMANDS,
};

impl Security {
    /// The policy of one number: what its item says, and otherwise what `[security]` says. A value that does not do
    /// is a problem, and what stands in for it is never used.
    pub(crate) fn of_number(&self, draft: &mut Draft<'_>, item: &Item) -> Self {
        let mode = draft.get_of(item, &MODE, read::choice(&SecurityMode::NAMES));
        let deny_message = draft.get_of(item, &DENY_MESSAGE, read::text);
        let rate_limit = draft.get_of(item, &RATE_LIMIT, read::whole(super::RATE_LIMITS));
        let rate_window = draft.get_of(item, &RATE_WINDOW, read::seconds(super::RATE_WINDOWS));
        let session_isolation = draft.get_of(item, &SESSION_ISOLATION, read::flag);
        let default_role = draft.get_of(item, &DEFAULT_ROLE, role_name);
        let over_limit = draft.get_of(item, &OVER_LIMIT, read::choice(&OverLimit::NAMES));
        let pairing_message = draft.get_of(item, &PAIRING_MESSAGE, pairing_message);
        let roles = roles::listed(draft, &item.scope, &ROLES);
        let commands = commands::listed(draft, &item.scope, &GATEWAY_COMMANDS);
        let inherited = commands.is_none();
        let mut policy = Self {
            mode: mode.unwrap_or(self.mode),
            roles: roles.unwrap_or_else(|| self.roles.clone()),
            deny_message: deny_message.unwrap_or_else(|| self.deny_message.clone()),
            rate_limit: rate_limit.unwrap_or(self.rate_limit),
            rate_window: rate_window.unwrap_or(self.rate_window),
            session_isolation: session_isolation.unwrap_or(self.session_isolation),
            default_role: default_role.unwrap_or_else(|| self.default_role.clone()),
            over_limit: over_limit.unwrap_or(self.over_limit),
            stranger_hook: self.stranger_hook.clone(),
            pairing_message: pairing_message.unwrap_or_else(|| self.pairing_message.clone()),
            gateway_commands: commands.unwrap_or_else(|| self.gateway_commands.clone()),
        };
        if inherited {
            // Of all numbers' commands, those of roles that this number has.
            let mut commands = std::mem::take(&mut policy.gateway_commands);
            commands.retain(|role, _| policy.may_have(role));
            policy.gateway_commands = commands;
        }
        commands::check_roles(draft, &item.scope, &GATEWAY_COMMANDS, &[&policy]);
        policy
    }
}
