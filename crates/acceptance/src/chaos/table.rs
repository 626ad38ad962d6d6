//! A line for each scenario as it ends, and all of them at the end.

use std::path::PathBuf;
use std::time::Duration;

use super::way::Way;
use crate::report::{line, logs};

/// Failures of one scenario that are shown; the rest is counted.
const SHOWN: usize = 12;

/// What came of one scenario.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Messages that had to be answered.
    pub owed: usize,
    /// Of these, how many were.
    pub answered: usize,
    /// How often the daemon was killed.
    pub kills: u32,
    /// Messages that were pushed again and recognised, where the daemon counts them.
    pub duplicates: Option<u64>,
    /// Sends whose outcome was not known for a while, where the daemon counts them.
    pub unknown: Option<u64>,
    /// Replies that were repeated in the one permitted case.
    pub repeated: usize,
    /// What went wrong.
    pub failures: Vec<String>,
    /// The log of a daemon with which something went wrong.
    pub log: Option<PathBuf>,
}

impl Tally {
    /// Of a world that could not even be built.
    pub fn failed(failure: &anyhow::Error) -> Self {
        Self {
            failures: vec![format!("{failure:#}")],
            ..Self::default()
        }
    }

    /// Adds what came of another world.
    pub fn add(&mut self, other: Self) {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
        };
        self.owed += other.owed;
        self.answered += other.answered;
        self.kills += other.kills;
        self.duplicates = sum(self.duplicates, other.duplicates);
        self.unknown = sum(self.unknown, other.unknown);
        self.repeated += other.repeated;
        self.failures.extend(other.failures);
        self.log = self.log.take().or(other.log);
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Outcome {
    /// What ran.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// How messages came.
    pub way: Way,
    /// What came of it.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Whether everything held.
    pub fn is_well(&self) -> bool {
        self.tally.failures.is_empty()
    }

    fn row(&self) -> String {
        let Tally {
            owed,
            answered,
            kills,
            duplicates,
            unknown,
            repeated,
            failures: _,
            log: _,
        } = &self.tally;
        let count = |count: &Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        format!(
            "{:<18} {:<8} {owed:>8} {answered:>8} {kills:>6} {:>10} {:>8} {repeated:>8} {:>8.1}  {:<7}",
            self.name,
            self.way,
            count(duplicates),
            count(unknown),
            self.took.as_secs_f32(),
            if self.is_well() { "ok" } else { "FAILED" },
        )
    }
}

/// How to repeat the run.
pub fn seed(seed: u64) {
    line(&format!(
        "-- seed {seed}: `--seed {seed}` lets chance begin there again"
    ));
}

/// The heads of the columns.
pub fn head() {
    line(&format!(
        "{:<18} {:<8} {:>8} {:>8} {:>6} {:>10} {:>8} {:>8} {:>8}  {:<7}",
        "scenario",
        "way",
        "messages",
        "answered",
        "kills",
        "duplicates",
        "unknown",
        "repeated",
        "seconds",
        "verdict"
    ));
}

/// One outcome, and why it failed.
pub fn outcome(outcome: &Outcome) {
    line(&outcome.row());
    let failures = &outcome.tally.failures;
    for failure in failures.iter().take(SHOWN) {
        line(&format!("     {failure}"));
    }
    if failures.len() > SHOWN {
        line(&format!("     and {} more", failures.len() - SHOWN));
    }
    if let Some(log) = &outcome.tally.log {
        logs(std::slice::from_ref(log));
    }
}

/// Everything once more, with what each scenario shows, and the sum.
pub fn table(outcomes: &[Outcome], seed: u64, took: Duration) {
    line("");
    head();
    for outcome in outcomes {
        line(&format!("{} {}", outcome.row(), outcome.shows));
    }
    let mut sum = Tally::default();
    for outcome in outcomes {
        sum.add(outcome.tally.clone());
    }
    let failed = outcomes.iter().filter(|it| !it.is_well()).count();
    line(&format!(
        "\n{} runs, {failed} failed; {} messages, {} answered, {} kills, {} replies repeated in the permitted case; \
         seed {seed}, {:.0} s",
        outcomes.len(),
        sum.owed,
        sum.answered,
        sum.kills,
        sum.repeated,
        took.as_secs_f32()
    ));
}
