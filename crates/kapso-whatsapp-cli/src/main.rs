//! Everything a person or an agent's skill does with the bridge: one file per command, one printer, exit codes.

mod command;
mod control;
mod local;
mod outcome;
mod printer;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;
use crate::outcome::{Exit, Outcome};

/// Works with the bridge between WhatsApp and an OpenClaw agent.
///
/// Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 refused by WhatsApp for good; 4 temporary, try again;
/// 5 the poller is not running.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::doc_markdown,
    reason = "these lines are shown as help, as they stand"
)]
struct Common {
    /// Configuration file; else KAPSO_CONFIG, else ~/.config/kapso-whatsapp/config.toml if it is there
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // Only an attempt to set it twice fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let outcome = runtime.block_on(args.command.run(&args.common));
            // A read of the terminal cannot be taken back; waiting for it would wait for a key.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Outcome::failed(Exit::Failed, format!("no runtime: {error}")),
    };
    printer::print(&outcome, args.common.json)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Args::command().debug_assert();
    }
}
