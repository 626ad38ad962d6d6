//! One release with one relay: the calm world and the rough one, side by side, and every outcome.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep};

use crate::install::Installed;
use crate::release::Pairing;
use crate::report::{self, Outcome};
use crate::scenario::{Claim, RUN_LIMIT, Scenario};
use crate::world::{Blueprint, World};

/// How long nothing may come any more before the claims are checked for good: more than a poll, and than a gateway needs
/// to resume a turn.
const SETTLE: Duration = Duration::from_secs(8);

/// Calm scenarios that wait more than they work; they begin at once and go on beside all others.
const SLOW: [Scenario; 2] = [Scenario::RunGivenUp, Scenario::LongTurn];

/// Calm scenarios of many turns each: one after the other, so that no run waits so long that it is given up.
const MANY: [Scenario; 5] = [
    Scenario::TwoNumbers,
    Scenario::Roles,
    Scenario::ForgedHeader,
    Scenario::CommandWords,
    Scenario::Neutral,
];

/// An error run may put the provider aside for a while (a 401 does), so it comes when all others are over.
const LAST: [Scenario; 1] = [Scenario::ErrorRun];

/// The name of the world of the calm scenarios.
const CALM: &str = "calm";

/// What is run, and with what.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The release and the relay.
    pub pairing: Pairing,
    /// The installed release.
    pub installed: Installed,
    /// Our daemon's binary.
    pub program: PathBuf,
    /// Where state and logs lie.
    pub folder: PathBuf,
    /// The scenarios; others are left out.
    pub only: Vec<Scenario>,
}

/// A scenario that ended, and what it claims.
struct Ended {
    scenario: Scenario,
    took: Duration,
    claims: anyhow::Result<Vec<Claim>>,
}

impl Suite {
    /// Runs it. A failure is an outcome, not an error.
    pub async fn run(&self) -> Vec<Outcome> {
        let (mut outcomes, rough) = join(Box::pin(self.calm()), Box::pin(self.rough())).await;
        outcomes.extend(rough);
        outcomes
    }

    async fn calm(&self) -> Vec<Outcome> {
        let chosen = self.chosen(&Scenario::CALM);
        if chosen.is_empty() {
            return Vec::new();
        }
        let limited = vec![("GATEWAY_RUN_LIMIT", RUN_LIMIT.as_secs().to_string())];
        let world = match self.build(CALM, limited).await {
            Ok(world) => world,
            Err(outcome) => return vec![*outcome],
        };
        let among = |these: &[Scenario]| -> Vec<Scenario> {
            let these = these.iter().filter(|scenario| chosen.contains(scenario));
            these.copied().collect()
        };
        let rest = |scenario: &Scenario| {
            !SLOW.contains(scenario) && !MANY.contains(scenario) && !LAST.contains(scenario)
        };
        let run = |scenario| self.run_calm(&world, scenario);
        let quick = async {
            let mut ended = join_all(chosen.iter().copied().filter(rest).map(run)).await;
            for scenario in among(&MANY) {
                ended.push(run(scenario).await);
            }
            ended
        };
        let slow = join_all(among(&SLOW).into_iter().map(run));
        let (mut ended, slow) = join(quick, slow).await;
        ended.extend(slow);
        ended.extend(join_all(among(&LAST).into_iter().map(run)).await);
        self.close(world, ended, "calm-drain").await
    }

    async fn rough(&self) -> Vec<Outcome> {
        let chosen = self.chosen(&Scenario::ROUGH);
        if chosen.is_empty() {
            return Vec::new();
        }
        let mut world = match self.build("rough", Vec::new()).await {
            Ok(world) => world,
            Err(outcome) => return vec![*outcome],
        };
        let mut ended = Vec::new();
        for scenario in chosen {
            let start = Instant::now();
            let claims = Box::pin(scenario.run_rough(&mut world)).await;
            let failed = claims.is_err();
            ended.push(self.note(Ended {
                scenario,
                took: start.elapsed(),
                claims,
            }));
            if failed {
                // What a failed one left behind would only make the next ones fail too.
                break;
            }
        }
        self.close(world, ended, "rough-drain").await
    }

    async fn run_calm(&self, world: &World, scenario: Scenario) -> Ended {
        let start = Instant::now();
        let claims = Box::pin(scenario.run_calm(world)).await;
        self.note(Ended {
            scenario,
            took: start.elapsed(),
            claims,
        })
    }

    /// Checks all claims for good, ends the daemon as a service manager does, and reports.
    async fn close(
        &self,
        mut world: World,
        ended: Vec<Ended>,
        drain: &'static str,
    ) -> Vec<Outcome> {
        sleep(SETTLE).await;
        let mut outcomes: Vec<Outcome> = ended
            .into_iter()
            .map(|ended| self.judge(&world, ended))
            .collect();
        let start = Instant::now();
        let stopped = world.poller.terminate().await;
        outcomes.push(self.say(Outcome {
            pairing: self.pairing.clone(),
            name: drain,
            shows: "SIGTERM ends the poller in time and without an error",
            failure: stopped.err(),
            took: start.elapsed(),
        }));
        if outcomes.iter().any(|outcome| outcome.failure.is_some()) {
            report::logs(&world.logs());
        }
        outcomes
    }

    /// The outcome, with the claims looked at once more.
    fn judge(&self, world: &World, ended: Ended) -> Outcome {
        let said = ended.claims.is_err();
        let checked = ended
            .claims
            .and_then(|claims| claims.iter().try_for_each(|claim| claim.check(world)));
        let outcome = self.outcome(ended.scenario, checked.err(), ended.took);
        // A failure that only showed now has not been printed.
        if said || outcome.failure.is_none() {
            outcome
        } else {
            self.say(outcome)
        }
    }

    fn note(&self, ended: Ended) -> Ended {
        let Ended {
            scenario,
            took,
            claims,
        } = ended;
        let (claims, failure) = match claims {
            Ok(claims) => (Ok(claims), None),
            Err(failure) => {
                let told = anyhow::anyhow!("{failure:#}");
                (Err(failure), Some(told))
            }
        };
        report::outcome(&self.outcome(scenario, failure, took));
        Ended {
            scenario,
            took,
            claims,
        }
    }

    async fn build(
        &self,
        kind: &'static str,
        variables: Vec<(&'static str, String)>,
    ) -> Result<World, Box<Outcome>> {
        let start = Instant::now();
        let folder = self.folder.join(kind);
        let blueprint = Blueprint {
            installed: self.installed.clone(),
            program: self.program.clone(),
            pairing: self.pairing.clone(),
            folder: folder.clone(),
            variables,
            routed: kind == CALM && Scenario::CALM.contains(&Scenario::TwoNumbers),
        };
        Box::pin(World::build(&blueprint)).await.map_err(|failure| {
            let outcome = self.say(Outcome {
                pairing: self.pairing.clone(),
                name: kind,
                shows: "gateway and poller start",
                failure: Some(failure),
                took: start.elapsed(),
            });
            report::logs(&logs(&folder));
            Box::new(outcome)
        })
    }

    fn chosen(&self, all: &[Scenario]) -> Vec<Scenario> {
        let chosen = |scenario: &&Scenario| self.only.is_empty() || self.only.contains(scenario);
        all.iter().filter(chosen).copied().collect()
    }

    fn outcome(
        &self,
        scenario: Scenario,
        failure: Option<anyhow::Error>,
        took: Duration,
    ) -> Outcome {
        Outcome {
            pairing: self.pairing.clone(),
            name: scenario.name(),
            shows: scenario.shows(),
            failure,
            took,
        }
    }

    fn say(&self, outcome: Outcome) -> Outcome {
        report::outcome(&outcome);
        outcome
    }
}

/// The logs of a world that was not completed.
fn logs(folder: &Path) -> Vec<PathBuf> {
    ["poller.log", "gateway.log"]
        .iter()
        .map(|name| folder.join(name))
        .filter(|log| log.exists())
        .collect()
}
