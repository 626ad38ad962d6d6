//! `[delivery]`: how messages arrive.

use std::time::Duration;

use url::Url;

use crate::draft::Draft;
use crate::key::{Key, Preset};
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
}

impl Delivery {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let mode = draft.get(&MODE, read::choice(&Mode::NAMES));
        let poll_interval = draft.get(&POLL_INTERVAL, read::seconds(5..=86_400));
        let poll_fallback = draft.get(&POLL_FALLBACK, read::flag);
        let public_url = draft.get(&PUBLIC_URL, read::url(&["https", "http"]));
        Some(Self {
            mode: mode?,
            poll_interval: poll_interval?,
            poll_fallback: poll_fallback?,
            public_url,
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&MODE, self.mode.name());
        shown.seconds(&POLL_INTERVAL, self.poll_interval);
        shown.flag(&POLL_FALLBACK, self.poll_fallback);
        shown.maybe(&PUBLIC_URL, self.public_url.as_ref());
    }
}
