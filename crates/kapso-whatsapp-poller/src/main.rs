//! The daemon: arguments, configuration, wiring, signals, drain. The journey itself is in the `bridge` crate.

mod log;
mod options;
mod reachable;
mod signals;
mod wiring;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bridge::Options;
use clap::Parser;
use config::Config;
use tracing::{error, info};

use crate::wiring::Wired;

/// Gives an OpenClaw agent an official WhatsApp number.
///
/// With KAPSO_API_KEY and KAPSO_PHONE_NUMBER_ID set it runs; everything else has a default.
#[derive(Debug, Parser)]
#[command(version)]
#[expect(
    clippy::doc_markdown,
    reason = "these lines are shown as help, as they stand"
)]
struct Args {
    /// Configuration file; else KAPSO_CONFIG, else ~/.config/kapso-whatsapp/config.toml if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, print the effective one with secrets masked, and exit
    #[arg(long)]
    check: bool,
    /// Read the message list once, answer what is new, and exit
    #[arg(long)]
    once: bool,
}

/// The exit code for a configuration that cannot be used.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(problems) => return misconfigured(&problems),
    };
    let options = options::options(&config);
    if args.check {
        return shown(&config);
    }
    log::start(&config);
    // One thread: the work is waiting, and a hand-over between threads costs more than it gains.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(&config, options, args.once)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!("{failure:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config, options: Options, once: bool) -> anyhow::Result<()> {
    // Only an attempt to set it twice fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = signals::stop_signal()?;
    let Wired {
        parts,
        control,
        connection,
        reachable,
    } = wiring::wire(config, &options).await?;
    let control = tokio::spawn(control);
    info!(version = env!("CARGO_PKG_VERSION"), number = %config.kapso.phone_number_id, "running");
    let store = parts.store.clone();
    // A single pass reads the list alone: nothing has to reach it.
    if !once && let Some(reachable) = reachable {
        connection.keep(reachable);
    }
    let left = if once {
        bridge::run_once(options, parts, stop).await?
    } else {
        bridge::run(options, parts, stop).await?
    };
    connection.end().await;
    control
        .await
        .context("the control socket's task")?
        .context("the control socket")?;
    store.close().await;
    info!(messages = ?left.messages, turns = ?left.turns, outgoing = ?left.outgoing, "stopped");
    Ok(())
}

fn shown(config: &Config) -> ExitCode {
    match std::io::stdout().write_all(config.show().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_closed) => ExitCode::FAILURE,
    }
}

fn misconfigured(problem: &impl Display) -> ExitCode {
    // Nobody is left to tell when even standard error is closed.
    let _ = writeln!(std::io::stderr(), "{problem}");
    ExitCode::from(MISCONFIGURED)
}
