//! `[control]`: how the running bridge is watched from outside.

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::show::Shown;
use crate::webhook::{ListenAddress, listen_address};

pub(crate) static METRICS_ADDR: Key = Key::new(
    "control.metrics_addr",
    &["KAPSO_METRICS_ADDR"],
    Preset::Nothing,
    "a TCP port for `/metrics`, which the control socket has in any case",
);

/// How the running bridge is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Where `/metrics` is served besides the control socket.
    pub metrics_addr: Option<ListenAddress>,
}

impl Control {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        Some(Self {
            metrics_addr: draft.get(&METRICS_ADDR, listen_address),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.maybe(&METRICS_ADDR, self.metrics_addr.as_ref());
    }
}
