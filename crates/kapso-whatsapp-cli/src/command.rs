//! The commands.

mod configuration;
mod dead;
mod doctor;
mod identity;
mod inbox;
mod pairing;
mod sandbox;
mod send;
mod status;
mod trace;
mod webhook;

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
    /// Tell the life of a message, stage by stage, with times and reasons
    Trace(trace::Trace),
    /// Show the messages that came in lately, with their states
    Inbox(inbox::Inbox),
    /// Look at what was set aside, try it again, or drop it
    #[command(subcommand)]
    Dead(dead::Dead),
    /// Look at who asks to be let in, let them in, or out again
    #[command(subcommand)]
    Pairing(pairing::Pairing),
    /// Tell a tool to whom a session belongs: a signed token for five minutes
    Identity(identity::Identity),
    /// Look at the webhooks at Kapso, register the bridge's, test it, or take it away
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Check the whole loop: configuration, state directory, Kapso, gateway
    #[command(visible_alias = "preflight")]
    Doctor,
    /// Look at the configuration
    #[command(subcommand)]
    Config(configuration::Configuration),
    /// Try everything without any account, on a phone in the browser
    Sandbox(sandbox::Sandbox),
}

impl Command {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        match self {
            Self::Send(send) => send.run(common).await,
            Self::Status => status::run(common).await,
            Self::Trace(trace) => trace.run(common).await,
            Self::Inbox(inbox) => inbox.run(common).await,
            Self::Dead(dead) => dead.run(common).await,
            Self::Pairing(pairing) => pairing.run(common).await,
            Self::Identity(identity) => identity.run(common).await,
            Self::Webhook(webhook) => webhook.run(common).await,
            Self::Doctor => doctor::run(common).await,
            Self::Config(configuration) => configuration.run(common),
            // Its future holds two servers, a bridge and a phone.
            Self::Sandbox(sandbox) => Box::pin(sandbox.run(common)).await,
        }
    }
}
