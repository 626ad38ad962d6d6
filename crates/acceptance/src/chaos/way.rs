//! The ways in which messages reach the daemon.

use std::fmt;

use clap::ValueEnum;

/// How the daemon gets its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Way {
    /// Kapso pushes them; the list is read to make up for what was not pushed.
    Webhook,
    /// The list is polled.
    Poll,
    /// Both at once.
    Both,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Poll, Self::Both];

    /// The ways in which Kapso pushes.
    pub const PUSHED: [Self; 2] = [Self::Webhook, Self::Both];

    /// Whether Kapso pushes.
    pub fn is_pushed(self) -> bool {
        match self {
            Self::Webhook | Self::Both => true,
            Self::Poll => false,
        }
    }

    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Both => "both",
        }
    }

    /// The daemon's configuration for it, pushed to at `port`.
    pub fn variables(self, port: u16) -> Vec<(&'static str, String)> {
        let mode = |name: &str| ("KAPSO_MODE", name.to_owned());
        let address = ("KAPSO_WEBHOOK_ADDR", format!("127.0.0.1:{port}"));
        match self {
            Self::Poll => vec![mode("polling")],
            Self::Webhook => vec![mode("domain"), address],
            Self::Both => vec![
                mode("domain"),
                address,
                ("KAPSO_POLL_FALLBACK", "true".to_owned()),
            ],
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
