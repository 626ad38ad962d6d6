//! A disk that is full for a while: the folder of state is a small memory file system that only the daemon sees.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::chaos::blueprint::Ground;
use crate::chaos::world::World;

pub(super) const SHOWS: &str =
    "a full disk (tmpfs of 16 MiB): 503, nothing lost, and on when there is room";

/// Mounts a memory file system over the folder `$1`, in a mount name space that ends with the process, and becomes `$2`.
const MOUNT: &str =
    r#"mkdir -p "$1" && mount -t tmpfs -o size=16m,mode=0700 tmpfs "$1" && shift && exec "$@""#;

/// The longest until a full disk is noticed.
const NOTICED: Duration = Duration::from_secs(120);

/// A small disk of its own.
pub(super) fn small() -> Ground {
    Ground {
        wrapper: |state| {
            let words = [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                MOUNT,
                "sh",
            ];
            let mut words: Vec<OsString> = words.map(OsString::from).to_vec();
            words.push(state.into());
            words
        },
        ..Ground::default()
    }
}

pub(super) async fn full(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(1, 4) {
        world.write_some(8);
        world.while_away(200).await;
        let ballast = fill(&world.state()?)?;
        let refused = refusals(world)?;
        world
            .until(
                NOTICED,
                "the daemon notices that the disk is full",
                |world| {
                    world.poller.running()?;
                    // The journal has room that it took earlier, which must be used up first.
                    world.write_some(3);
                    Ok(refusals(world)? > refused)
                },
            )
            .await?;
        world.write_some(8);
        world.while_away(1_000).await;
        fs::remove_file(&ballast).context("the ballast cannot be removed")?;
        world.answered().await?;
    }
    // The disk goes with its process: a fresh start would find another one.
    world.stays_up();
    Ok(())
}

/// How often the daemon showed that it could not write: to Kapso where it is pushed to, else in its log.
fn refusals(world: &World) -> anyhow::Result<usize> {
    if world.way.is_pushed() {
        let deliveries = world.kapso.deliveries();
        return Ok(deliveries
            .iter()
            .filter(|it| it.status == Some(503))
            .count());
    }
    let log = fs::read_to_string(world.poller.log())?;
    Ok(log.lines().filter(|it| it.contains("full")).count())
}

/// Takes all the room that is left.
fn fill(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("ballast");
    let mut ballast = File::create(&path).with_context(|| format!("no {}", path.display()))?;
    let mut written = 0;
    for size in [64 * 1024, 4096, 512, 1] {
        let block = vec![0; size];
        while let Ok(bytes) = ballast.write(&block) {
            written += bytes;
            ensure!(written < 64 * 1024 * 1024, "this is no small disk");
        }
    }
    Ok(path)
}
