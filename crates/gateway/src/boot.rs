//! Which process of the gateway one talks to: the gateway forgets keys and runs when it restarts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use model::Timestamp;

/// How far two readings of one start instant may lie apart: the handshake's own duration and small steps of the
/// gateway's clock. A real restart takes longer than this (6 to 10 s until it answers).
const TOLERANCE: Duration = Duration::from_secs(5);

/// A process of the gateway. Its text form goes into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The gateway's own name for it (OpenClaw 2026.8.1 and newer).
    Id(String),
    /// When it began, by the gateway's clock.
    Began(Timestamp),
}

/// A text that is no [`Boot`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is neither id:<name> nor began:<milliseconds>")]
pub struct InvalidBoot;

impl Boot {
    /// The process that calls itself `id`.
    pub fn named(id: &str) -> Self {
        Self(Kind::Id(id.to_owned()))
    }

    /// The process that began at `at`, by the gateway's clock.
    pub fn began(at: Timestamp) -> Self {
        Self(Kind::Began(at))
    }

    /// Whether both are one process. A name and an instant never are: the release changed in between.
    pub fn same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Id(one), Kind::Id(two)) => one == two,
            (Kind::Began(one), Kind::Began(two)) => {
                one.since(*two).max(two.since(*one)) <= TOLERANCE
            }
            (Kind::Id(_), Kind::Began(_)) | (Kind::Began(_), Kind::Id(_)) => false,
        }
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Id(id) => write!(f, "id:{id}"),
            Kind::Began(at) => write!(f, "began:{}", at.as_millis()),
        }
    }
}

impl FromStr for Boot {
    type Err = InvalidBoot;

    fn from_str(text: &str) -> Result<Self, InvalidBoot> {
        if let Some(id) = text.strip_prefix("id:").filter(|id| !id.is_empty()) {
            return Ok(Self::named(id));
        }
        let millis = text
            .strip_prefix("began:")
            .and_then(|millis| millis.parse().ok());
        millis
            .map(|millis| Self::began(Timestamp::from_millis(millis)))
            .ok_or(InvalidBoot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_recognised_through_clock_jitter_and_storage() {
        let began = |millis| Boot::began(Timestamp::from_millis(millis));
        let first = began(1_795_220_935_609);
        assert!(first.same_as(&began(1_795_220_935_609 + 4_000)));
        assert!(first.same_as(&began(1_795_220_935_609 - 4_000)));
        assert!(!first.same_as(&began(1_795_220_935_609 + 6_000)));
        assert!(!first.same_as(&Boot::named("x")));
        assert!(!Boot::named("x").same_as(&Boot::named("y")));
        for boot in [first, Boot::named("f8350719-d96f-46ea-8e64-45ccf08599ef")] {
            assert_eq!(boot.to_string().parse::<Boot>(), Ok(boot));
        }
        for text in ["", "id:", "began:", "began:x", "x"] {
            assert_eq!(text.parse::<Boot>(), Err(InvalidBoot), "{text}");
        }
    }
}
