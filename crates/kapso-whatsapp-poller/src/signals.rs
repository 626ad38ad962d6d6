//! SIGTERM and SIGINT as a token: the first one begins the drain, a second one ends the process at once.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The exit code of a process that was told twice to stop.
const TOLD_TWICE: i32 = 130;

/// A token that is cancelled by the first signal.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                #[expect(
                    clippy::exit,
                    reason = "told twice: everything that matters is on disk already"
                )]
                std::process::exit(TOLD_TWICE);
            }
            info!("stopping: finishing what is in flight");
            token.cancel();
        }
    });
    Ok(stop)
}
