//! `[state]`: what is kept on disk.

use std::path::{Path, PathBuf};

use crate::draft::Draft;
use crate::environment::Environment;
use crate::key::{Key, Preset};
use crate::problem::ConfigError;
use crate::raw::Raw;
use crate::read;
use crate::show::Shown;

pub(crate) static DIR: Key = Key::new(
    "state.dir",
    &["KAPSO_STATE_DIR"],
    Preset::Text("~/.config/kapso-whatsapp"),
    "the journal, the gateway identity, the control socket; one folder for each bridge",
);

pub(crate) static MAX_MIB: Key = Key::new(
    "state.max_mib",
    &["KAPSO_STATE_MAX_MIB"],
    Preset::Text("256"),
    "MiB; above this size the journal drops the words of what is long over",
);

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The folder of the journal, the gateway identity and the control socket.
    pub dir: PathBuf,
    /// The size in MiB above which the journal drops the words of what is long over.
    pub max_mib: u32,
}

impl State {
    /// Reads this section alone, as [`crate::Config::load`] would: asking a running bridge needs no account.
    ///
    /// # Errors
    /// [`ConfigError`] with what is wrong with it, and with names that are not known.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_with(file, &Environment::of_process())
    }

    /// Reads this section with an environment that is given.
    ///
    /// # Errors
    /// As [`State::load`].
    pub fn load_with(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let (raw, problems) = Raw::gather(file, environment);
        let mut draft = Draft::new(&raw, environment, problems);
        let state = Self::check(&mut draft);
        draft.finish(state)
    }

    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let environment = draft.environment();
        let dir = draft.get(&DIR, read::path(environment));
        let max_mib = draft.get(&MAX_MIB, read::whole(16..=65_536));
        Some(Self {
            dir: dir?,
            max_mib: max_mib?,
        })
    }

    /// [`State::max_mib`] in bytes.
    pub fn max_bytes(&self) -> u64 {
        u64::from(self.max_mib) << 20
    }

    /// The bridge's identity at the gateway.
    pub fn device_key(&self) -> PathBuf {
        self.dir.join("device-key.pem")
    }

    /// The key that signs who a session belongs to.
    pub fn identity_key(&self) -> PathBuf {
        self.dir.join("identity-key.pem")
    }

    /// The token that the gateway issued to this device.
    pub fn device_token(&self) -> PathBuf {
        self.dir.join("device-token")
    }

    /// Where the running bridge is asked.
    pub fn control_socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.path(&DIR, &self.dir);
        shown.whole(&MAX_MIB, self.max_mib);
    }
}
