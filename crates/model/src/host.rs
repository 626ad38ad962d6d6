//! Names of hosts, and which of them a pattern means.

use std::fmt;
use std::str::FromStr;

/// A host, or several: a first label `*` stands for one or more labels, any other `*` for exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(String);

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no name of a host, with two labels or more of which each may be *, but not the last two"
)]
pub struct InvalidPattern;

/// The labels at the end of a pattern that have to be written out: `*.com` would be half the world.
const WRITTEN_OUT: usize = 2;

impl HostPattern {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`InvalidPattern`] for what is no name, and for an address of digits: those are never allowed.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim().to_ascii_lowercase();
        let labels: Vec<&str> = text.split('.').collect();
        let is_label = |label: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            label == "*" || (!label.is_empty() && label.bytes().all(plain))
        };
        let written = labels.iter().rev().take(WRITTEN_OUT).all(|l| *l != "*");
        let digits = labels
            .last()
            .is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        let fits = labels.len() >= WRITTEN_OUT && labels.iter().all(|label| is_label(label));
        if fits && written && !digits {
            Ok(Self(text))
        } else {
            Err(InvalidPattern)
        }
    }

    /// Whether it means `host`, which is in lower case, as in a parsed URL.
    pub fn matches(&self, host: &str) -> bool {
        let mut wanted: Vec<&str> = self.0.split('.').collect();
        let mut labels: Vec<&str> = host.split('.').collect();
        if wanted[0] == "*" && labels.len() > wanted.len() {
            labels.drain(..labels.len() - wanted.len());
        }
        if wanted.len() != labels.len() {
            return false;
        }
        let mut pairs = wanted.drain(..).zip(labels);
        pairs.all(|(wanted, label)| !label.is_empty() && (wanted == "*" || wanted == label))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_a_pattern_means_its_own_hosts_and_no_look_alikes() {
        let [kapso, r2] = ["*.kapso.ai", "kapso-ai-prod.*.r2.cloudflarestorage.com"]
            .map(|host| HostPattern::new(host).unwrap());
        for host in ["api.kapso.ai", "app.kapso.ai", "a.b.kapso.ai"] {
            assert!(kapso.matches(host), "{host}");
        }
        for host in [
            "kapso.ai",
            "evilkapso.ai",
            "kapso.ai.evil.com",
            ".kapso.ai",
            "",
        ] {
            assert!(!kapso.matches(host), "{host}");
        }
        assert!(r2.matches("kapso-ai-prod.0a1b.r2.cloudflarestorage.com"));
        for host in [
            "kapso-ai-prod.r2.cloudflarestorage.com",
            "kapso-ai-prod.a.b.r2.cloudflarestorage.com",
            "evil.0a1b.r2.cloudflarestorage.com",
            "x.kapso-ai-prod.0a1b.r2.cloudflarestorage.com",
        ] {
            assert!(!r2.matches(host), "{host}");
        }
    }

    #[test]
    fn half_the_world_and_bare_addresses_are_no_patterns() {
        for text in [
            "",
            "*",
            "*.com",
            "a.*",
            "10.0.0.1",
            "a..b",
            "https://a.b",
            "a.b:1",
            "[::1]",
        ] {
            assert_eq!(HostPattern::new(text), Err(InvalidPattern), "{text}");
        }
    }
}
