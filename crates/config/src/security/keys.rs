//! The keys of `[security]`, and the set of keys that any policy is shown under.

use crate::key::{Key, Preset};

/// The keys of one policy: of `[security]`, or of a number.
pub(crate) struct PolicyKeys {
    pub(crate) mode: &'static Key,
    pub(crate) roles: &'static Key,
    pub(crate) deny_message: &'static Key,
    pub(crate) rate_limit: &'static Key,
    pub(crate) rate_window: &'static Key,
    pub(crate) session_isolation: &'static Key,
    pub(crate) default_role: &'static Key,
    pub(crate) over_limit: &'static Key,
    pub(crate) pairing_message: &'static Key,
    pub(crate) gateway_commands: &'static Key,
}

/// Those of `[security]`.
pub(crate) static OF_ALL: PolicyKeys = PolicyKeys {
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
    "one list of numbers or user ids for each role; the variable's numbers, separated by commas, get `default_role` \
     unless the file gives them another",
)
.table();

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

pub(crate) static OVER_LIMIT: Key = Key::new(
    "security.over_limit",
    &["KAPSO_OVER_LIMIT"],
    Preset::Text("wait"),
    "what becomes of messages over the rate: `wait` (handed over when the rate allows) or `drop` \
     (recorded, not handed over)",
);

pub(crate) static STRANGER_HOOK: Key = Key::new(
    "security.stranger_hook",
    &["KAPSO_STRANGER_HOOK"],
    Preset::Nothing,
    "a command line, or an http(s) address, that is told of strangers as JSON",
);

pub(crate) static PAIRING_MESSAGE: Key = Key::new(
    "security.pairing_message",
    &["KAPSO_PAIRING_MESSAGE"],
    Preset::Text("To use this service, show this code to its operator: {code}"),
    "what a stranger is told in `pairing` mode; `{code}` in it becomes the code",
);

pub(crate) static GATEWAY_COMMANDS: Key = Key::new(
    "security.gateway_commands",
    &[],
    Preset::Nothing,
    "the gateway's commands that each role may use: a list, or `true` for `/status` and `/help`",
)
.table();
