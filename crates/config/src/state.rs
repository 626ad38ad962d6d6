//! `[state]`: what is kept on disk.

use std::path::PathBuf;

use crate::draft::Draft;
use crate::key::{Key, Preset};
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
