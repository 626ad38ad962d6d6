//! How pushes find their way: the lines of the webhooks at Kapso and of the tunnel.

use serde::Deserialize;

use crate::screen::{age, count};

/// The webhook of one number at Kapso.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Registration {
    name: String,
    ok: bool,
    url: Option<String>,
    last_success_s: Option<u64>,
    /// How often it was switched off at Kapso and on again from here.
    switched_on: u64,
    error: Option<String>,
}

/// The way in that the bridge keeps open itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tunnel {
    ok: bool,
    state: String,
    since_s: u64,
    url: Option<String>,
    error: Option<String>,
    pub(super) remedy: Option<String>,
}

impl Registration {
    pub(super) fn line(&self) -> String {
        let seen = match (&self.url, self.last_success_s) {
            (Some(url), Some(seconds)) => format!(" at {url}, seen {} ago", age(seconds)),
            _ => String::new(),
        };
        let again = match self.switched_on {
            0 => String::new(),
            times => format!(", switched on again {}", count(times, "time")),
        };
        let verdict = match (self.ok, self.error.as_deref()) {
            (true, _) => "registered",
            (false, Some(error)) => error,
            (false, None) => "not registered yet",
        };
        format!("{}: {verdict}{seen}{again}", self.name)
    }
}

impl Tunnel {
    pub(super) fn line(&self) -> String {
        let url = self.url.as_ref().map(|url| format!(" at {url}"));
        let since = age(self.since_s);
        match &self.error {
            Some(error) if !self.ok => format!("{error}, for {since}"),
            Some(_) | None => format!("{}{}, for {since}", self.state, url.unwrap_or_default()),
        }
    }
}
