//! `chaos [--quick]`: hurts the built daemon between the stand-ins, a table, and an exit code.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use acceptance::chaos::blueprint::Size;
use acceptance::chaos::scenario::{self, Scenario};
use acceptance::chaos::suite::Suite;
use acceptance::chaos::table;
use acceptance::chaos::way::Way;
use acceptance::report;
use anyhow::{Context, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// Kills and misleads the built poller, and shows that no message is lost and none answered twice.
#[derive(Debug, Parser)]
struct Args {
    /// Everything once, within two minutes
    #[arg(long)]
    quick: bool,
    /// Run this scenario alone; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Run this way alone; may be given several times
    #[arg(long, value_name = "WAY")]
    way: Vec<Way>,
    /// What chance begins with; chosen by chance itself by default
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Worlds at a time; 32 in a quick run, which mostly waits, and 8 otherwise
    #[arg(long, value_name = "NUMBER")]
    worlds: Option<usize>,
    /// The poller's log level
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
    /// The poller's binary, built with the feature crash-points; the one beside this program by default
    #[arg(long, value_name = "FILE")]
    poller: Option<PathBuf>,
}

/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    // Dropping the run drops every child process.
    tokio::select! {
        passed = Box::pin(run(&args)) => passed.map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        _ = tokio::signal::ctrl_c() => Ok(interrupted("SIGINT")),
        _ = terminate.recv() => Ok(interrupted("SIGTERM")),
    }
}

fn interrupted(signal: &str) -> ExitCode {
    report::progress(&format!("{signal}: nothing was shown"));
    ExitCode::from(INTERRUPTED)
}

/// Whether everything held.
async fn run(args: &Args) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let (program, folder) = places(args)?;
    // Small enough to be typed again.
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    let size = if args.quick { Size::Quick } else { Size::Full };
    let suite = Suite {
        program,
        folder,
        size,
        seed,
        log: args.log.clone(),
        worlds: args.worlds.unwrap_or(size.pick(32, 8)),
    };
    table::seed(seed);
    let outcomes = suite.run(chosen(args)?).await;
    table::table(&outcomes, seed, begun.elapsed());
    Ok(outcomes.iter().all(table::Outcome::is_well))
}

fn chosen(args: &Args) -> anyhow::Result<Vec<(&'static Scenario, Way)>> {
    let all = scenario::all();
    for name in &args.only {
        let names: Vec<&str> = all.iter().map(|it| it.name).collect();
        ensure!(
            names.contains(&name.as_str()),
            "there are {}",
            names.join(", ")
        );
    }
    let mut chosen = Vec::new();
    for scenario in all {
        let named = args.only.is_empty() || args.only.iter().any(|name| name == scenario.name);
        let ways = scenario
            .ways
            .iter()
            .filter(|way| args.way.is_empty() || args.way.contains(way));
        chosen.extend(ways.filter(|_| named).map(|way| (scenario, *way)));
    }
    ensure!(!chosen.is_empty(), "nothing was chosen");
    Ok(chosen)
}

/// The poller's binary, and the folder for state and logs: `chaos` in the build's target folder.
fn places(args: &Args) -> anyhow::Result<(PathBuf, PathBuf)> {
    let own = env::current_exe().context("the program does not know where it lies")?;
    let profile = own.parent().context("the program lies nowhere")?;
    let program = args.poller.clone();
    let program = program.unwrap_or_else(|| profile.join("kapso-whatsapp-poller"));
    let program = std::path::absolute(program)?;
    ensure!(
        program.exists(),
        "{} is not there: build it first (`just chaos` does)",
        program.display()
    );
    let target = profile
        .parent()
        .context("the program lies in no target folder")?;
    Ok((program, target.join("chaos")))
}
