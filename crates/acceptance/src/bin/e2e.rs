//! `e2e [RELEASE[:RELAY]…]`: the end-to-end scenarios on real OpenClaw gateways, a table, and an exit code.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use acceptance::install::Cache;
use acceptance::release::{Pairing, pairings};
use acceptance::report::{self, Outcome};
use acceptance::scenario::Scenario;
use acceptance::suite::Suite;
use anyhow::{Context, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// Runs the built poller against real OpenClaw gateways, installed from the npm registry.
#[derive(Debug, Parser)]
struct Args {
    /// Releases, such as `2026.9.6` or `2026.7.35:jsonl`; without a relay every one that the release can have
    #[arg(value_name = "RELEASE[:RELAY]")]
    releases: Vec<String>,
    /// Run this scenario alone; may be given several times
    #[arg(long, value_name = "NAME", value_parser = scenario)]
    only: Vec<Scenario>,
    /// The poller's binary; the one beside this program by default
    #[arg(long, value_name = "FILE")]
    poller: Option<PathBuf>,
    /// Install the releases and end
    #[arg(long)]
    install: bool,
}

/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

fn scenario(name: &str) -> Result<Scenario, String> {
    Scenario::named(name).ok_or_else(|| {
        let names: Vec<&str> = Scenario::CALM
            .iter()
            .chain(&Scenario::ROUGH)
            .map(|scenario| scenario.name())
            .collect();
        format!("there are {}", names.join(", "))
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Dropping the run drops every child process with everything that it started.
    tokio::select! {
        passed = Box::pin(run(&args)) => passed.map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(INTERRUPTED)),
        _ = terminate.recv() => Ok(ExitCode::from(INTERRUPTED)),
        _ = hangup.recv() => Ok(ExitCode::from(INTERRUPTED)),
    }
}

/// Whether everything passed.
async fn run(args: &Args) -> anyhow::Result<bool> {
    let start = Instant::now();
    let cache = Cache::from_environment()?;
    let pairings = pairings(&args.releases)?;
    for pairing in &pairings {
        cache.install(&pairing.release, report::progress).await?;
    }
    if args.install {
        return Ok(true);
    }
    let (program, root) = places(args)?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for pairing in pairings {
        outcomes.extend(
            suite(&cache, pairing, &program, &root, &args.only)
                .await?
                .run()
                .await,
        );
    }
    ensure!(!outcomes.is_empty(), "nothing was run");
    report::table(&outcomes, start.elapsed());
    Ok(outcomes.iter().all(|outcome| outcome.failure.is_none()))
}

async fn suite(
    cache: &Cache,
    pairing: Pairing,
    program: &Path,
    root: &Path,
    only: &[Scenario],
) -> anyhow::Result<Suite> {
    let installed = cache.install(&pairing.release, report::progress).await?;
    report::progress(&format!("{pairing}: starting gateways"));
    let folder = root.join(pairing.to_string());
    Ok(Suite {
        pairing,
        installed,
        program: program.to_owned(),
        folder,
        only: only.to_vec(),
    })
}

/// The poller's binary, and the folder for state and logs: `e2e` in the build's target folder.
fn places(args: &Args) -> anyhow::Result<(PathBuf, PathBuf)> {
    let own = env::current_exe().context("the program does not know where it lies")?;
    let profile = own.parent().context("the program lies nowhere")?;
    let program = args
        .poller
        .clone()
        .unwrap_or_else(|| profile.join("kapso-whatsapp-poller"));
    let program = std::path::absolute(program)?;
    ensure!(
        program.exists(),
        "{} is not there: build it first (`cargo build`)",
        program.display()
    );
    let target = profile
        .parent()
        .context("the program lies in no target folder")?;
    Ok((program, target.join("e2e")))
}
