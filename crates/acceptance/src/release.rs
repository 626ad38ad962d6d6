//! Which OpenClaw release is run, and how the daemon relays its answers.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, ensure};

/// The releases that run when none is named: the newest, and the last one with JSONL transcripts.
pub const DEFAULT: [&str; 2] = ["2026.9.6", "2026.7.35"];

/// A release of the npm package `openclaw`, such as `2026.9.6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    name: String,
    year: u16,
    month: u16,
    patch: u16,
    beta: bool,
}

impl Release {
    /// Whether its transcripts are JSONL files. The first SQLite code came with the betas of 2026.7.2; 2026.7.33 and later
    /// of that month are a maintenance line of 2026.7.1.
    pub fn writes_jsonl(&self) -> bool {
        match (self.year, self.month) {
            (2026, 7) => !self.beta && (self.patch < 2 || self.patch >= 33),
            month => month < (2026, 7),
        }
    }

    /// Whether it resumes by itself a turn that was cut off by SIGTERM: 2026.7.35 and newer do, 2026.5.7 only after a crash.
    pub fn resumes_after_sigterm(&self) -> bool {
        (self.year, self.month) >= (2026, 7)
    }

    /// Whether its configuration has agents by name (`agents.entries`), and not in a list.
    pub fn keys_agents(&self) -> bool {
        (self.year, self.month) >= (2026, 8)
    }

    /// Whether its dependencies need `linkedom` held back, because a newer one cannot be had from the registry.
    pub fn holds_linkedom_back(&self) -> bool {
        (self.year, self.month) <= (2026, 5)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Release {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let (numbers, suffix) = name.split_once('-').unwrap_or((name, ""));
        let parts: Vec<u16> = numbers
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("`{name}` is no OpenClaw release like 2026.9.6"))?;
        let [year, month, patch] = parts[..] else {
            anyhow::bail!("`{name}` is no OpenClaw release like 2026.9.6");
        };
        ensure!(year >= 2026, "`{name}` is older than the gateway protocol");
        let beta = suffix.starts_with("beta");
        Ok(Self {
            name: name.to_owned(),
            year,
            month,
            patch,
            beta,
        })
    }
}

/// How the daemon gets at an answer: the values of `gateway.relay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// The run's own result, then history.
    Auto,
    /// The session's JSONL.
    Jsonl,
}

impl Relay {
    /// The configuration's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jsonl => "jsonl",
        }
    }
}

/// One release with one relay: what a line of the table is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// The gateway's release.
    pub release: Release,
    /// The daemon's relay.
    pub relay: Relay,
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.release, self.relay.name())
    }
}

/// The pairings that arguments name: `RELEASE` (every relay that it can have) or `RELEASE:RELAY`.
///
/// # Errors
/// When an argument is neither, or asks for `jsonl` of a release without such files.
pub fn pairings(arguments: &[String]) -> anyhow::Result<Vec<Pairing>> {
    let mut named = Vec::new();
    if arguments.is_empty() {
        named.extend(DEFAULT);
    }
    named.extend(arguments.iter().map(String::as_str));
    let mut pairings = Vec::new();
    for argument in named {
        let (release, relay) = argument.split_once(':').unwrap_or((argument, ""));
        let release: Release = release.parse()?;
        let relays = match relay {
            "" if release.writes_jsonl() => vec![Relay::Auto, Relay::Jsonl],
            "" | "auto" => vec![Relay::Auto],
            "jsonl" if release.writes_jsonl() => vec![Relay::Jsonl],
            "jsonl" => anyhow::bail!("{release} writes no JSONL"),
            other => anyhow::bail!("`{other}` is no relay; there are `auto` and `jsonl`"),
        };
        pairings.extend(relays.into_iter().map(|relay| Pairing {
            release: release.clone(),
            relay,
        }));
    }
    Ok(pairings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Ok(pairings(&arguments)?
            .iter()
            .map(ToString::to_string)
            .collect())
    }

    #[test]
    fn the_newest_and_the_last_jsonl_release_run_by_default() {
        assert_eq!(
            read(&[]).unwrap(),
            ["2026.9.6-auto", "2026.7.35-auto", "2026.7.35-jsonl"]
        );
    }

    #[test]
    fn a_relay_can_be_named() {
        assert_eq!(
            read(&["2026.5.7:auto", "2026.7.35:jsonl"]).unwrap(),
            ["2026.5.7-auto", "2026.7.35-jsonl"]
        );
    }

    #[test]
    fn jsonl_ends_with_the_betas_of_2026_7_2() {
        let jsonl = |name: &str| name.parse::<Release>().unwrap().writes_jsonl();
        assert!(
            jsonl("2026.5.7") && jsonl("2026.6.35") && jsonl("2026.7.1-2") && jsonl("2026.7.35")
        );
        assert!(
            !jsonl("2026.7.2-beta.1")
                && !jsonl("2026.8.1")
                && !jsonl("2026.9.6")
                && !jsonl("2027.1.1")
        );
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        assert!(read(&["2026.9.6:jsonl"]).is_err());
        assert!(read(&["2026.9.6:files"]).is_err());
        assert!(read(&["latest"]).is_err());
        assert!(read(&["2026.9"]).is_err());
    }
}
