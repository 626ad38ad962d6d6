//! What a world is to be like.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::kapso::WebhookTarget;
use sandbox::openclaw;

use super::judge::Order;
use super::way::Way;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Everything once, within two minutes.
    Quick,
    /// As much as shows something.
    Full,
}

impl Size {
    /// What there is to do, of two.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }

    /// The longest until every message is answered, when the harm is done.
    pub(super) fn patience(self) -> Duration {
        Duration::from_secs(self.pick(90, 300))
    }
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Our daemon's binary.
    pub program: PathBuf,
    /// Where state and logs lie; emptied first.
    pub folder: PathBuf,
    /// How messages come.
    pub way: Way,
    /// How much is done.
    pub size: Size,
    /// What chance begins with.
    pub seed: u64,
    /// The daemon's log level.
    pub log: String,
}

/// What a scenario needs otherwise than most.
#[derive(Debug, Clone)]
pub struct Ground {
    /// How many customers there are.
    pub customers: u32,
    /// The order in which they must be answered.
    pub order: Order,
    /// The webhook, where there is one: address and secret are set.
    pub webhook: fn(&mut WebhookTarget),
    /// The gateway.
    pub gateway: fn(&mut openclaw::Options),
    /// Further configuration of the daemon.
    pub variables: &'static [(&'static str, &'static str)],
    /// A program that becomes the daemon, for a folder of state.
    pub wrapper: fn(&Path) -> Vec<OsString>,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            customers: 8,
            order: Order::Written,
            webhook: |_| {},
            gateway: |_| {},
            variables: &[],
            wrapper: |_| Vec::new(),
        }
    }
}
