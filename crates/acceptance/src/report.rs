//! The one place that prints: a line per scenario as it ends, the logs of a failure, a table at the end.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::tail;
use crate::release::Pairing;

/// Lines of each log that a failure shows.
const TAIL: usize = 40;

/// Characters of a logged line that are shown; gateways log whole requests.
const WIDTH: usize = 300;

/// How a scenario, or the setting up of its world, went.
#[derive(Debug)]
pub struct Outcome {
    /// What ran.
    pub pairing: Pairing,
    /// Its short name.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// What was seen instead, when it failed.
    pub failure: Option<anyhow::Error>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    fn verdict(&self) -> &'static str {
        if self.failure.is_some() { "FAIL" } else { "ok" }
    }
}

/// Says what is going on.
pub fn progress(text: &str) {
    line(&format!("-- {text}"));
}

/// One line for an outcome, and why it failed.
pub fn outcome(outcome: &Outcome) {
    let Outcome {
        pairing,
        name,
        shows,
        failure,
        took,
    } = outcome;
    let verdict = outcome.verdict();
    line(&format!(
        "{verdict:<4} {:<16} {name:<18} {:>6.1} s  {shows}",
        pairing.to_string(),
        took.as_secs_f32()
    ));
    if let Some(failure) = failure {
        line(&format!("     {failure:#}"));
    }
}

/// The ends of these logs.
pub fn logs(logs: &[PathBuf]) {
    for log in logs {
        line(&format!("     ... the end of {}:", log.display()));
        match tail(log, TAIL) {
            Ok(text) => text
                .lines()
                .for_each(|text| line(&format!("     | {text:.WIDTH$}"))),
            Err(failure) => line(&format!("     {failure:#}")),
        }
    }
}

/// Everything once more: a row per scenario, a column per pairing.
pub fn table(outcomes: &[Outcome], took: Duration) {
    let mut pairings: Vec<String> = Vec::new();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for outcome in outcomes {
        let pairing = outcome.pairing.to_string();
        if !pairings.contains(&pairing) {
            pairings.push(pairing);
        }
        if !rows.iter().any(|(name, _)| *name == outcome.name) {
            rows.push((outcome.name, outcome.shows));
        }
    }
    line("");
    let head: String = pairings
        .iter()
        .map(|pairing| format!("{pairing:>17}"))
        .collect();
    line(&format!("{:<62}{head}", ""));
    for (name, shows) in rows {
        let cell = |pairing: &String| {
            let find = |outcome: &&Outcome| {
                outcome.name == name && outcome.pairing.to_string() == *pairing
            };
            let text = outcomes.iter().find(find).map_or(String::new(), |outcome| {
                format!(
                    "{} {:>5.1} s",
                    outcome.verdict(),
                    outcome.took.as_secs_f32()
                )
            });
            format!("{text:>17}")
        };
        let cells: String = pairings.iter().map(cell).collect();
        line(&format!("{shows:<62}{cells}"));
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    line(&format!(
        "\n{} scenarios, {failed} failed, {:.0} s",
        outcomes.len(),
        took.as_secs_f32()
    ));
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}
