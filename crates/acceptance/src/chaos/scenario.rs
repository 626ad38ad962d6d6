//! What is done to the bridge, one kind of harm each. What must hold afterwards is the same for all: see
//! [`judge`](super::judge).

mod agent;
mod arrivals;
mod clocks;
mod gateway;
mod kapso;
mod machine;
mod poller;
mod pushes;

use futures_util::future::LocalBoxFuture;

use super::blueprint::Ground;
use super::way::Way;
use super::world::World;

/// Does the harm to a world whose daemon was not started, and leaves the daemon running.
pub type Act = for<'a> fn(&'a mut World) -> LocalBoxFuture<'a, anyhow::Result<()>>;

/// How a scenario goes.
#[derive(Clone, Copy)]
pub enum Play {
    /// In a world of its own.
    InOneWorld {
        /// What is special about the world.
        ground: fn() -> Ground,
        /// The harm.
        act: Act,
    },
    /// In a world for each durable step of the daemon.
    AtEveryStep,
}

/// One kind of harm.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    /// The ways in which it can be done.
    pub ways: &'static [Way],
    /// How it goes.
    pub play: Play,
}

impl Scenario {
    /// One in an ordinary world, in every way.
    const fn new(name: &'static str, shows: &'static str, act: Act) -> Self {
        Self {
            name,
            shows,
            ways: &Way::ALL,
            play: Play::InOneWorld {
                ground: Ground::default,
                act,
            },
        }
    }

    /// In a special world.
    const fn on(self, ground: fn() -> Ground) -> Self {
        let play = match self.play {
            Play::InOneWorld { act, .. } => Play::InOneWorld { ground, act },
            Play::AtEveryStep => self.play,
        };
        Self { play, ..self }
    }

    /// In these ways alone.
    const fn only(self, ways: &'static [Way]) -> Self {
        Self { ways, ..self }
    }
}

/// Every scenario, those that take long first.
pub fn all() -> Vec<&'static Scenario> {
    let all = [
        poller::ALL.as_slice(),
        &gateway::ALL,
        &agent::ALL,
        &kapso::ALL,
        &arrivals::ALL,
        &pushes::ALL,
        &machine::ALL,
        &clocks::ALL,
    ];
    all.into_iter().flatten().collect()
}
