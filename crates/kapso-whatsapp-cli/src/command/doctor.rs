//! `doctor`: checks the whole loop. Each line says what was looked at, what was seen, and how to mend it.

mod agent;
mod check;
mod folder;
mod webhook;
mod whatsapp;

use config::Config;
use serde_json::{Value, json};

use self::check::Check;
use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::outcome::{Exit, Outcome};

/// Looks at everything.
pub(crate) async fn run(common: &Common) -> Outcome {
    let config = match Config::load(common.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            let problem =
                |problem: &config::Problem| Check::of_problem("configuration", problem).failed();
            let checks = error.problems().iter().map(problem).collect();
            return report(Exit::Usage, checks);
        }
    };
    let mut checks = configuration(&config);
    checks.extend(webhook::check(&config));
    checks.extend(folder::check(&config.state));
    let (whatsapp, agent, poller) = tokio::join!(
        whatsapp::check(&config),
        agent::check(&config),
        poller(&config)
    );
    checks.push(whatsapp);
    checks.extend(agent);
    checks.push(poller);
    let failed = checks.iter().any(Check::is_failed);
    report(if failed { Exit::Failed } else { Exit::Done }, checks)
}

fn report(exit: Exit, checks: Vec<Check>) -> Outcome {
    let text: String = checks.iter().map(|check| format!("{check}\n")).collect();
    let json: Vec<Value> = checks.into_iter().map(Check::into_json).collect();
    Outcome::told(
        exit,
        text,
        json!({"ok": exit == Exit::Done, "checks": json}),
    )
}

fn configuration(config: &Config) -> Vec<Check> {
    let source = match &config.file {
        Some(file) => file.display().to_string(),
        None => "defaults and the environment, no file".to_owned(),
    };
    let mut checks = vec![Check::ok("configuration", source)];
    let warnings = config.warnings.iter();
    checks.extend(
        warnings
            .filter(|warning| !webhook::is_about(warning))
            .map(|warning| Check::of_problem("configuration", warning)),
    );
    checks
}

/// Whether the poller runs. It need not, to be checked.
async fn poller(config: &Config) -> Check {
    match Poller::of(&config.state).health().await {
        Ok(report) => match report["status"].as_str() {
            Some("ok") => Check::ok("poller", format!("running (pid {})", report["pid"])),
            Some(_) | None => Check::wrong(
                "poller",
                format!("running (pid {}), and not everything works", report["pid"]),
                "kapso-whatsapp-cli status says what",
            ),
        },
        Err(Unanswered::NotRunning { .. }) => {
            Check::wrong("poller", "not running", "start kapso-whatsapp-poller")
        }
        Err(
            other @ (Unanswered::Denied { .. }
            | Unanswered::Silent { .. }
            | Unanswered::Garbled { .. }
            | Unanswered::Refused { .. }),
        ) => Check::wrong("poller", other.to_string(), "look at the poller's log").failed(),
    }
}
