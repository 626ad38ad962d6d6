//! `kill -9` at every durable step: the daemon aborts at the n-th, for every n until a run ends without a crash.
//!
//! The daemon is built with the feature `crash-points`: an odd step is just before a commit, an even one just after it,
//! before anybody was told. Each step has a world of its own.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::blueprint::{Blueprint, Ground};
use super::table::Tally;
use super::world::World;

/// Steps that are tried at once; a run without a crash ends the search after the wave that it is in.
const WAVE: u32 = 12;

/// More steps than a run of so few messages can have: then the daemon never ends without a crash.
const MOST: u32 = 1_000;

/// The longest that a daemon which crashes at once, or never, is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run ended.
struct Run {
    tally: Tally,
    crashed: bool,
}

/// Kills at every step.
pub async fn every_step(blueprint: &Blueprint, worlds: &Semaphore) -> Tally {
    let mut sum = Tally::default();
    let mut first = 1;
    while first < MOST {
        let wave = (first..first + WAVE).map(|step| one_step(blueprint, step, worlds));
        let mut ended = false;
        for run in join_all(wave).await {
            ended |= !run.crashed;
            sum.add(run.tally);
        }
        if ended {
            return sum;
        }
        first += WAVE;
    }
    sum.failures
        .push(format!("it still crashes at step {first}"));
    sum
}

async fn one_step(blueprint: &Blueprint, step: u32, worlds: &Semaphore) -> Run {
    // The semaphore is never closed.
    let _permit = worlds.acquire().await;
    let blueprint = Blueprint {
        folder: blueprint.folder.join(step.to_string()),
        ..blueprint.clone()
    };
    let ground = Ground {
        customers: 2,
        ..Ground::default()
    };
    let mut world = match Box::pin(World::build(&blueprint, &ground)).await {
        Ok(world) => world,
        Err(failure) => return failed(step, &failure),
    };
    let crashed = match Box::pin(crash(&mut world, step)).await {
        Ok(crashed) => crashed,
        Err(failure) => return failed(step, &failure),
    };
    let settled = world.settle().await;
    let mut tally = world.tally(settled).await;
    for failure in &mut tally.failures {
        failure.insert_str(0, &format!("step {step}: "));
    }
    Run { tally, crashed }
}

fn failed(step: u32, failure: &anyhow::Error) -> Run {
    let failure = anyhow::anyhow!("step {step}: {failure:#}");
    // Where nothing works at all, the search ends.
    Run {
        tally: Tally::failed(&failure),
        crashed: false,
    }
}

/// Lets it crash, and starts it again; whether it did crash.
async fn crash(world: &mut World, step: u32) -> anyhow::Result<bool> {
    // A journal of its own begins with the present: it must be there before the first message.
    world.start().await?;
    world.poller.terminate().await?;
    let pushed = world.way.is_pushed();
    if !pushed {
        write(world);
    }
    let crashing = [("KAPSO_CRASH_AT", step.to_string())];
    let before = world.lists();
    world.poller.start_with(&crashing)?;
    if pushed {
        let read =
            |world: &mut World| Ok(world.poller.running().is_err() || world.lists() > before);
        world
            .until(PATIENCE, "the poller reads the list", read)
            .await?;
        write(world);
    }
    let over = |world: &mut World| Ok(world.poller.running().is_err() || !world.owes());
    world
        .until(PATIENCE, "the poller crashes or answers", over)
        .await?;
    let mut crashed = world.poller.running().is_err();
    if !crashed && let Err(left) = world.idle().await {
        crashed = world.poller.running().is_err();
        ensure!(crashed, left);
    }
    crashed = crashed || world.poller.terminate().await.is_err();
    if crashed {
        world.kills += 1;
        world.poller.let_go();
    }
    world.start().await.context("after the crash")?;
    Ok(crashed)
}

/// One answer of several texts, and one of another customer, are the least that has every kind of step.
fn write(world: &mut World) {
    for _ in 0..world.size.pick(1, 4) {
        world.write(0);
    }
    world.write(1);
}
