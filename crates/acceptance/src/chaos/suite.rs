//! All scenarios in all ways, so many worlds at a time.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::blueprint::{Blueprint, Ground, Size};
use super::crash;
use super::scenario::{Act, Play, Scenario};
use super::table::{self, Outcome, Tally};
use super::way::Way;
use super::world::World;

/// The longest that one scenario may take, in one way.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What is run, and how.
#[derive(Debug)]
pub struct Suite {
    /// The daemon's binary.
    pub program: PathBuf,
    /// Where state and logs lie.
    pub folder: PathBuf,
    /// How much is done.
    pub size: Size,
    /// What chance begins with.
    pub seed: u64,
    /// The daemon's log level.
    pub log: String,
    /// Worlds at a time.
    pub worlds: usize,
}

impl Suite {
    /// Runs these, and prints each as it ends. In their own order.
    pub async fn run(&self, chosen: Vec<(&'static Scenario, Way)>) -> Vec<Outcome> {
        let worlds = Semaphore::new(self.worlds);
        let mut running: FuturesUnordered<_> = chosen
            .into_iter()
            .enumerate()
            .map(|(place, (scenario, way))| {
                let one = self.one(scenario, way, &worlds);
                async move { (place, one.await) }
            })
            .collect();
        table::head();
        let mut outcomes = Vec::new();
        while let Some((place, outcome)) = running.next().await {
            table::outcome(&outcome);
            outcomes.push((place, outcome));
        }
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    async fn one(&self, scenario: &'static Scenario, way: Way, worlds: &Semaphore) -> Outcome {
        let folder = self.folder.join(scenario.name).join(way.name());
        let blueprint = Blueprint {
            program: self.program.clone(),
            folder,
            way,
            size: self.size,
            seed: self.seed,
            log: self.log.clone(),
        };
        let (tally, took) = match scenario.play {
            Play::AtEveryStep => {
                let begun = Instant::now();
                let tally = Box::pin(crash::every_step(&blueprint, worlds)).await;
                (tally, begun.elapsed())
            }
            Play::InOneWorld { ground, act } => {
                // The semaphore is never closed.
                let _permit = worlds.acquire().await;
                let begun = Instant::now();
                let tally = Box::pin(in_one_world(&blueprint, &ground(), act)).await;
                (tally, begun.elapsed())
            }
        };
        Outcome {
            name: scenario.name,
            shows: scenario.shows,
            way,
            tally,
            took,
        }
    }
}

/// Does the harm, waits until nothing can come any more, and judges.
async fn in_one_world(blueprint: &Blueprint, ground: &Ground, act: Act) -> Tally {
    let mut world = match World::build(blueprint, ground).await {
        Ok(world) => world,
        Err(failure) => return Tally::failed(&failure),
    };
    let went = timeout(LIMIT, async {
        act(&mut world).await?;
        world.settle().await
    });
    let went = match went.await {
        Ok(went) => went,
        Err(elapsed) => Err(anyhow::Error::new(elapsed).context("it took too long")),
    };
    world.tally(went).await
}
