//! Speed and size of the release build of the daemon, between the stand-ins, as a table and as JSON.
//!
//! Nothing here fails because of a number: the machine is shared. The table shows each figure beside its target. A
//! message that is lost or doubled on the way is a failure. Latencies end in the process that also is Kapso and the
//! gateway; `docs/performance.md` says for each figure what it takes in.

mod canned;
mod daemon;
mod figures;
mod group;
mod mail;
mod measure;
mod scene;
mod token;

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use crate::figures::Figures;
use crate::group::Group;

fn main() -> anyhow::Result<ExitCode> {
    // Cargo itself passes `--bench`.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let groups = Group::chosen(&words)?;
    // Another build, for comparison or under a profiler.
    let program =
        std::env::var_os("BENCH_DAEMON").map_or_else(release_build, |path| Ok(path.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut figures = Figures::default();
    let mut ended = ExitCode::SUCCESS;
    for group in groups {
        writeln!(stderr(), "{group:?} …")?;
        if let Err(failure) = runtime.block_on(group.measure(&program, &mut figures)) {
            writeln!(stderr(), "{group:?}: {failure:#}")?;
            ended = ExitCode::FAILURE;
        }
    }
    figures.print()?;
    figures.save(&target().join("bench.json"))?;
    Ok(ended)
}

/// Bytes in a MiB.
pub(crate) const MIB: f64 = 1_048_576.0;

/// Builds the daemon as it is released, and says where it is.
fn release_build() -> anyhow::Result<PathBuf> {
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--release",
        "--locked",
        "--package",
        "kapso-whatsapp-poller",
    ]);
    ensure!(
        build.status().context("cargo cannot be started")?.success(),
        "the daemon does not build"
    );
    Ok(target().join("release/kapso-whatsapp-poller"))
}

fn target() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from)
}
