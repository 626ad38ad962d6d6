//! The keys of the configuration: names, environment names, defaults. Sections declare them beside their checks.

use crate::{
    chats, control, delivery, gateway, identity, kapso, log, media, numbers, routes, rules,
    security, state, transcribe, webhook,
};

/// What a key is worth when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// It has to be set.
    Required,
    /// It is not set.
    Nothing,
    /// This text, read as if it stood in the environment.
    Text(&'static str),
}

/// Where a value may come from, and whether it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// It may be shown.
    Open,
    /// It may be shown, and `X_FILE` and credentials work for it as for a secret.
    Private,
    /// It is never shown.
    Secret,
}

/// One key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its full name in the file, such as `delivery.poll_interval`.
    pub path: &'static str,
    /// Its names in the environment, the strongest first.
    pub env: &'static [&'static str],
    /// Its value when nobody sets it.
    pub preset: Preset,
    /// What it is for, in one line.
    pub meaning: &'static str,
    pub(crate) secrecy: Secrecy,
    pub(crate) empty_counts: bool,
    pub(crate) is_table: bool,
}

impl Key {
    pub(crate) const fn new(
        path: &'static str,
        env: &'static [&'static str],
        preset: Preset,
        meaning: &'static str,
    ) -> Self {
        Self {
            path,
            env,
            preset,
            meaning,
            secrecy: Secrecy::Open,
            empty_counts: false,
            is_table: false,
        }
    }

    /// The key as one whose value is never shown.
    pub(crate) const fn secret(mut self) -> Self {
        self.secrecy = Secrecy::Secret;
        self
    }

    /// The key as one that also comes as `X_FILE` or a credential.
    pub(crate) const fn private(mut self) -> Self {
        self.secrecy = Secrecy::Private;
        self
    }

    /// The key as one for which an empty text is a value. For all others it means "not set".
    pub(crate) const fn may_be_empty(mut self) -> Self {
        self.empty_counts = true;
        self
    }

    /// The key as one that the file writes as a section whose names are the operator's own, such as roles.
    pub(crate) const fn table(mut self) -> Self {
        self.is_table = true;
        self
    }

    /// The key as another one, in `path`, that stands in for it when it is set there.
    pub(crate) const fn in_place_at(&self, path: &'static str, meaning: &'static str) -> Self {
        Self {
            path,
            env: &[],
            preset: Preset::Nothing,
            meaning,
            secrecy: self.secrecy,
            empty_counts: self.empty_counts,
            is_table: self.is_table,
        }
    }

    /// Whether the value is never shown.
    pub fn is_secret(&self) -> bool {
        self.secrecy == Secrecy::Secret
    }

    /// Whether the value may also come as `X_FILE` or a systemd credential.
    pub fn comes_in_files(&self) -> bool {
        self.secrecy != Secrecy::Open
    }

    /// The section, empty for a key outside all sections; and the name in it.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// Whether it belongs to the items of a section that may stand any number of times.
    pub(crate) fn is_of_items(&self) -> bool {
        let (top, _) = self.path.split_once('.').unwrap_or((self.path, ""));
        Items::of(top).is_some()
    }
}

/// How a section that may stand any number of times is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Items {
    /// `[[numbers]]`: one after the other.
    Listed,
    /// `[chats."+15551234567"]`: each with a name of the operator's.
    Named,
}

impl Items {
    /// The sections that have items.
    pub(crate) const SECTIONS: [(&'static str, Self); 3] = [
        (numbers::SECTION, Self::Listed),
        (routes::SECTION, Self::Listed),
        (chats::SECTION, Self::Named),
    ];

    /// The section of this name, and how its items are written, if it has any.
    pub(crate) fn of(section: &str) -> Option<(&'static str, Self)> {
        let mut sections = Self::SECTIONS.into_iter();
        sections.find(|(name, _)| *name == section)
    }
}

/// Every key, in the order of the reference.
pub static KEYS: &[&Key] = &[
    &kapso::API_KEY,
    &kapso::PHONE_NUMBER_ID,
    &kapso::BASE_URL,
    &kapso::PLATFORM_URL,
    &delivery::MODE,
    &delivery::POLL_INTERVAL,
    &delivery::POLL_FALLBACK,
    &delivery::PUBLIC_URL,
    &delivery::REGISTER_WEBHOOK,
    &delivery::MAX_AGE,
    &delivery::BACKLOG_AFTER,
    &webhook::ADDR,
    &webhook::VERIFY_TOKEN,
    &webhook::SECRET,
    &webhook::APP_SECRET,
    &gateway::TYPE,
    &gateway::URL,
    &gateway::TOKEN,
    &gateway::SESSION_KEY,
    &gateway::SESSIONS_JSON,
    &gateway::RELAY,
    &gateway::ERROR_MESSAGE,
    &gateway::RUN_LIMIT,
    &gateway::SESSION_TEMPLATE,
    &gateway::AGENT,
    &state::DIR,
    &state::MAX_MIB,
    &media::DIR,
    &media::KEEP,
    &media::HOSTS,
    &media::IMAGE,
    &media::VIDEO,
    &media::AUDIO,
    &media::DOCUMENT,
    &media::STICKER,
    &transcribe::PROVIDER,
    &transcribe::API_KEY,
    &transcribe::MODEL,
    &transcribe::LANGUAGE,
    &transcribe::MAX_AUDIO_SIZE,
    &transcribe::TIMEOUT,
    &transcribe::NO_SPEECH_THRESHOLD,
    &transcribe::CACHE_TTL,
    &security::MODE,
    &security::ROLES,
    &security::DENY_MESSAGE,
    &security::RATE_LIMIT,
    &security::RATE_WINDOW,
    &security::SESSION_ISOLATION,
    &security::DEFAULT_ROLE,
    &security::OVER_LIMIT,
    &security::STRANGER_HOOK,
    &security::PAIRING_MESSAGE,
    &security::GATEWAY_COMMANDS,
    &identity::AUDIENCE,
    &identity::ISSUER,
    &rules::ADMIN,
    &rules::FORBIDDEN,
    &rules::FORBIDDEN_REPLY,
    &rules::ESCALATE,
    &rules::ESCALATE_REPLY,
    &rules::APPROVE,
    &rules::APPROVE_REPLY,
    &rules::hours::ZONE,
    &rules::hours::DAYS,
    &rules::hours::OPEN,
    &rules::hours::CLOSE,
    &rules::hours::REPLY,
    &control::METRICS_ADDR,
    &log::LOG,
    &numbers::PHONE_NUMBER_ID,
    &numbers::NAME,
    &numbers::WEBHOOK_SECRET,
    &numbers::WEBHOOK_SECRET_FILE,
    &security::of_number::MODE,
    &security::of_number::ROLES,
    &security::of_number::DENY_MESSAGE,
    &security::of_number::RATE_LIMIT,
    &security::of_number::RATE_WINDOW,
    &security::of_number::SESSION_ISOLATION,
    &security::of_number::DEFAULT_ROLE,
    &security::of_number::OVER_LIMIT,
    &security::of_number::PAIRING_MESSAGE,
    &security::of_number::GATEWAY_COMMANDS,
    &routes::NUMBER,
    &routes::SENDER,
    &routes::ROLE,
    &routes::AGENT,
    &routes::SESSION,
    &chats::PROMPT,
];

/// The key with this full name.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().copied().find(|key| key.path == path)
}

/// Whether keys lie below this name.
pub(crate) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_used_twice() {
        let paths: BTreeSet<_> = KEYS.iter().map(|key| key.path).collect();
        let names: BTreeSet<_> = KEYS.iter().flat_map(|key| key.env).collect();
        assert_eq!(paths.len(), KEYS.len());
        assert_eq!(
            names.len(),
            KEYS.iter().map(|key| key.env.len()).sum::<usize>()
        );
    }

    #[test]
    fn sections_are_whole_names() {
        assert!(is_section("security") && !is_section("secur") && !is_section("log"));
        assert_eq!(find("log").map(Key::split), Some(("", "log")));
    }
}
