//! The machine under the daemon: its disk, its files, and a second daemon.

mod disk;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::Scenario;
use crate::chaos::world::World;
use crate::poller::Poller;
use crate::process::tail;

pub(super) static ALL: [Scenario; 3] = [
    Scenario::new("disk-full", disk::SHOWS, |world| {
        Box::pin(disk::full(world))
    })
    .on(disk::small),
    Scenario::new(
        "truncated",
        "a journal cut off: no start, and a clear text",
        |world| Box::pin(truncated(world)),
    ),
    Scenario::new(
        "two-instances",
        "a second daemon is refused with the pid of the first",
        |world| Box::pin(two_instances(world)),
    ),
];

/// The longest that a daemon which must not start takes to say so.
const REFUSAL: Duration = Duration::from_secs(15);

/// Lines of its log that are searched for the reason.
const REASON: usize = 10;

/// The code with which a daemon refuses to start.
const REFUSED: i32 = 1;

async fn truncated(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for keep in [|bytes: u64| bytes / 2, |_| 0, |bytes| bytes - 1] {
        world.write_some(8);
        world.answered().await?;
        world.idle().await?;
        world.poller.terminate().await?;
        let journal = world.poller.settings().state().join("state.db");
        let copy = journal.with_extension("copy");
        fs::copy(&journal, &copy)?;
        let bytes = fs::metadata(&journal)?.len();
        OpenOptions::new()
            .write(true)
            .open(&journal)?
            .set_len(keep(bytes))?;
        world.write_some(8);
        world.poller.start()?;
        refused(&mut world.poller, &["state.db"]).await?;
        ensure!(
            fs::metadata(&journal)?.len() == keep(bytes),
            "the damaged journal was written to"
        );
        fs::rename(&copy, &journal)?;
        world.start().await?;
    }
    Ok(())
}

async fn two_instances(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let first = world.poller.pid()?;
    let mut settings = world.poller.settings().clone();
    settings.log = settings.folder.join("second.log");
    let mut second = Poller::new(settings);
    for _ in 0..world.size.pick(2, 10) {
        world.write_some(5);
        second.start()?;
        refused(&mut second, &["locked", &first.to_string()]).await?;
        world.write_some(5);
    }
    ensure!(world.poller.pid()? == first, "the first one went on");
    Ok(())
}

/// Waits until a daemon refuses to start, and says these words.
async fn refused(poller: &mut Poller, words: &[&str]) -> anyhow::Result<()> {
    let status = poller.ended(REFUSAL).await?;
    let said = said(&poller.log())?;
    ensure!(
        status.code() == Some(REFUSED),
        "it ended with {status}: {said}"
    );
    for word in words {
        ensure!(said.contains(word), "it did not say {word:?}: {said}");
    }
    Ok(())
}

fn said(log: &Path) -> anyhow::Result<String> {
    let said = tail(log, REASON)?;
    let last = said.lines().last().map(str::to_owned);
    last.context("it said nothing")
}
