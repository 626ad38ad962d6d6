//! Speed and size of the release build of the daemon, between the stand-ins, as a table and as JSON.
//!
//! Nothing here fails because of a number: the machine is shared. The table shows each figure beside its target.
//! Latencies end when the send request has been read by the stand-in Kapso, in the process that also is the gateway.

mod daemon;
mod figures;
mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::figures::Figures;

fn main() -> anyhow::Result<()> {
    let program = release_build()?;
    let mut figures = Figures::default();
    figures.add(
        "binary_mib",
        8.0,
        std::fs::metadata(&program)?.len() as f64 / MIB,
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        measure::ready(&program, &mut figures).await?;
        measure::relay(&program, &mut figures, measure::Way::Result).await?;
        measure::relay(&program, &mut figures, measure::Way::Jsonl).await?;
        measure::idle(&program, &mut figures).await
    })?;
    figures.print()?;
    figures.save(&target().join("bench.json"))
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
