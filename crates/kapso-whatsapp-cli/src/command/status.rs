//! `status`: how the running bridge is, on one screen.

mod reach;
mod report;

use crate::Common;
use crate::control::Poller;
use crate::outcome::{Exit, Outcome};

/// Asks the running bridge.
pub(crate) async fn run(common: &Common) -> Outcome {
    let poller = match Poller::configured(common) {
        Ok(poller) => poller,
        Err(misconfigured) => return misconfigured,
    };
    match poller.health().await {
        Ok(json) => {
            let (working, screen) = report::screen(&json);
            let exit = if working { Exit::Done } else { Exit::Failed };
            Outcome::told(exit, screen, json)
        }
        Err(unanswered) => unanswered.into(),
    }
}
