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

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The folder of the journal, the gateway identity and the control socket.
    pub dir: PathBuf,
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
        Some(Self {
            dir: draft.get(&DIR, read::path(environment))?,
        })
    }

    /// The bridge's identity at the gateway.
    pub fn device_key(&self) -> PathBuf {
        self.dir.join("device-key.pem")
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
    }
}
