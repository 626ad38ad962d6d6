//! The log: lines on standard error, filtered by level and part of the program.

use std::io::IsTerminal;

use config::Config;
use tracing::warn;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log, and says in it what the configuration probably does not mean.
pub(crate) fn start(config: &Config) {
    let filter = config
        .log
        .filter
        .parse()
        .unwrap_or_else(|_invalid| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    for warning in &config.warnings {
        warn!("{warning}");
    }
}
