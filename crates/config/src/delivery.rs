//! `[delivery]`: how messages arrive.

use std::time::Duration;

use url::Url;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::Problem;
use crate::read;
use crate::show::Shown;

pub(crate) static MODE: Key = Key::new(
    "delivery.mode",
    &["KAPSO_MODE"],
    Preset::Text("polling"),
    "`polling`; `tailscale` (webhook through Tailscale Funnel); `domain` (webhook behind your own domain)",
);

pub(crate) static POLL_INTERVAL: Key = Key::new(
    "delivery.poll_interval",
    &["KAPSO_POLL_INTERVAL"],
    Preset::Text("30"),
    "seconds between two reads of the message list, at least 5",
);

pub(crate) static POLL_FALLBACK: Key = Key::new(
    "delivery.poll_fallback",
    &["KAPSO_POLL_FALLBACK"],
    Preset::Text("false"),
    "whether the list is read at that interval in the webhook modes too",
);

pub(crate) static PUBLIC_URL: Key = Key::new(
    "delivery.public_url",
    &["KAPSO_PUBLIC_URL"],
    Preset::Nothing,
    "the bridge's address as Kapso reaches it, in `domain` mode",
);

pub(crate) static REGISTER_WEBHOOK: Key = Key::new(
    "delivery.register_webhook",
    &["KAPSO_REGISTER_WEBHOOK"],
    Preset::Text("true"),
    "whether the bridge registers its webhook at Kapso itself, where its public address is known",
);

pub(crate) static MAX_AGE: Key = Key::new(
    "delivery.max_age",
    &["KAPSO_MAX_AGE"],
    Preset::Text("86400"),
    "seconds; a message that waited longer is recorded as expired and not answered",
);

pub(crate) static BACKLOG_AFTER: Key = Key::new(
    "delivery.backlog_after",
    &["KAPSO_BACKLOG_AFTER"],
    Preset::Text("900"),
    "seconds; messages of one sender that waited longer are handed over as one turn, with their times",
);

/// Thirty days: nobody still waits for an answer to what is older.
const LONGEST_AGE: u32 = 2_592_000;

/// How messages arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// By which door.
    pub mode: Mode,
    /// From the start of one read of the list to the next.
    pub poll_interval: Duration,
    /// Whether the list is read at `poll_interval` in the webhook modes too.
    pub poll_fallback: bool,
    /// The bridge's address as Kapso reaches it.
    pub public_url: Option<Url>,
    /// Whether the webhook is registered at Kapso, where its address is known; see [`Delivery::registers`].
    pub register_webhook: bool,
    /// How long a message may have waited and still be answered. A day is the default, because WhatsApp takes no text
    /// for someone who wrote longer ago (kapso.md 2.9).
    pub max_age: Duration,
    /// How long a message has waited when it is handed over together with the others that its sender has waiting.
    pub backlog_after: Duration,
}

/// By which door messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The list is read again and again; nothing has to reach this host.
    Polling,
    /// Kapso pushes, through Tailscale Funnel.
    Tailscale,
    /// Kapso pushes, to a domain of the operator's own.
    Domain,
}

impl Mode {
    const NAMES: [(&'static str, Self); 3] = [
        ("polling", Self::Polling),
        ("tailscale", Self::Tailscale),
        ("domain", Self::Domain),
    ];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Tailscale => "tailscale",
            Self::Domain => "domain",
        }
    }

    /// Whether messages are pushed to this host.
    pub fn has_webhook(self) -> bool {
        match self {
            Self::Polling => false,
            Self::Tailscale | Self::Domain => true,
        }
    }
}

impl Delivery {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let mode = draft.get(&MODE, read::choice(&Mode::NAMES));
        let poll_interval = draft.get(&POLL_INTERVAL, read::seconds(5..=86_400));
        let poll_fallback = draft.get(&POLL_FALLBACK, read::flag);
        let public_url = draft.get(&PUBLIC_URL, read::url(&["https", "http"]));
        let register_webhook = draft.get(&REGISTER_WEBHOOK, read::flag);
        let max_age = draft.get(&MAX_AGE, read::seconds(60..=LONGEST_AGE));
        let backlog_after = draft.get(&BACKLOG_AFTER, read::seconds(1..=LONGEST_AGE));
        Some(Self {
            mode: mode?,
            poll_interval: poll_interval?,
            poll_fallback: poll_fallback?,
            public_url,
            register_webhook: register_webhook?,
            max_age: max_age?,
            backlog_after: backlog_after?,
        })
    }

    /// Whether the bridge registers its webhook at Kapso itself. Funnel tells the address, a domain's has to be set.
    pub fn registers(&self) -> bool {
        self.register_webhook
            && match self.mode {
                Mode::Polling => false,
                Mode::Tailscale => true,
                Mode::Domain => self.public_url.is_some(),
            }
    }

    pub(crate) fn warning(&self) -> Option<Problem> {
        let idle = self.poll_fallback && self.mode == Mode::Polling;
        idle.then(|| Problem {
            key: POLL_FALLBACK.path.to_owned(),
            origin: None,
            what: "has no effect in \"polling\" mode, which reads the list in any case".to_owned(),
            remedy: "remove it, or set delivery.mode to a mode that has a webhook".to_owned(),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&MODE, self.mode.name());
        shown.seconds(&POLL_INTERVAL, self.poll_interval);
        shown.flag(&POLL_FALLBACK, self.poll_fallback);
        shown.maybe(&PUBLIC_URL, self.public_url.as_ref());
        shown.flag(&REGISTER_WEBHOOK, self.register_webhook);
        shown.seconds(&MAX_AGE, self.max_age);
        shown.seconds(&BACKLOG_AFTER, self.backlog_after);
    }
}
