//! The commands.

mod configuration;
mod doctor;
mod sandbox;
mod send;
mod status;

use clap::Subcommand;

use crate::Common;
use crate::outcome::Outcome;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send a text to someone on WhatsApp
    Send(send::Send),
    /// Show how the running bridge is
    Status,
    /// Check the whole loop: configuration, state directory, Kapso, gateway
    #[command(visible_alias = "preflight")]
    Doctor,
    /// Look at the configuration
    #[command(subcommand)]
    Config(configuration::Configuration),
    /// Try everything in the terminal without any account
    Sandbox(sandbox::Sandbox),
}

impl Command {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        match self {
            Self::Send(send) => send.run(common).await,
            Self::Status => status::run(common).await,
            Self::Doctor => doctor::run(common).await,
            Self::Config(configuration) => configuration.run(common),
            // Its future holds two servers, a bridge and a phone.
            Self::Sandbox(sandbox) => Box::pin(sandbox.run(common)).await,
        }
    }
}
