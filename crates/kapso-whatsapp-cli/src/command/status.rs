//! `status`: how the running bridge is, on one screen. It asks the control socket in `state.dir`, which every delivery
//! mode has; the webhook's address plays no part.

mod report;
pub(super) mod socket;

use config::State;

use self::socket::Unanswered;
use crate::Common;
use crate::outcome::{Exit, Outcome};

/// Asks the running bridge.
pub(crate) async fn run(common: &Common) -> Outcome {
    let state = match State::load(common.config.as_deref()) {
        Ok(state) => state,
        Err(error) => return Outcome::misconfigured(&error),
    };
    match socket::health(&state.control_socket()).await {
        Ok(json) => {
            let (working, screen) = report::screen(&json);
            let exit = if working { Exit::Done } else { Exit::Failed };
            Outcome::told(exit, screen, json)
        }
        Err(unanswered) => {
            let exit = match unanswered {
                Unanswered::NotRunning { .. } => Exit::NotRunning,
                Unanswered::Silent { .. } => Exit::Temporary,
                Unanswered::Denied { .. } | Unanswered::Garbled { .. } => Exit::Failed,
            };
            Outcome::failed(exit, unanswered)
        }
    }
}
