//! The webhook, in the modes that have one: whether what is pushed can be checked, and whether its address is known.

use config::{Config, Mode, Problem};

use super::check::Check;

const WHAT: &str = "webhook";

/// Where the bridge takes pushes, below its public address.
const PATH: &str = "/webhook";

/// Whether a warning of the configuration is told here.
pub(super) fn is_about(warning: &Problem) -> bool {
    warning.key.starts_with("webhook.")
}

/// Looks at its keys and its address. What is registered at Kapso is not looked at.
pub(super) fn check(config: &Config) -> Vec<Check> {
    match config.delivery.mode {
        Mode::Polling => Vec::new(),
        // Funnel gives the address.
        Mode::Tailscale => keys(config),
        Mode::Domain => {
            let mut checks = keys(config);
            checks.push(address(config));
            checks
        }
    }
}

/// The configuration's own warnings, or what the signatures are checked with.
fn keys(config: &Config) -> Vec<Check> {
    let about = config.warnings.iter().filter(|warning| is_about(warning));
    let warnings: Vec<Check> = about
        .map(|warning| Check::of_problem(WHAT, warning))
        .collect();
    if !warnings.is_empty() {
        return warnings;
    }
    let kept = config.numbers.iter().all(|number| number.secret.is_none());
    let key = if kept && config.delivery.registers() {
        "a key that the bridge makes and registers"
    } else {
        "webhook.secret"
    };
    let meta = match config.webhook.app_secret {
        Some(_) => ", Meta's with webhook.app_secret",
        None => "",
    };
    let seen = format!("Kapso's signatures are checked with {key}{meta}");
    vec![Check::ok(WHAT, seen)]
}

fn address(config: &Config) -> Check {
    let listens = &config.webhook.addr;
    match &config.delivery.public_url {
        Some(url) => {
            let url = url.as_str().trim_end_matches('/');
            let url = url.strip_suffix(PATH).unwrap_or(url);
            let seen =
                format!("Kapso has to push to {url}{PATH}, which has to end at {listens} here");
            Check::ok(WHAT, seen)
        }
        None => Check::wrong(
            WHAT,
            format!(
                "listens at {listens}; delivery.public_url is not set, so nothing says where Kapso has to push"
            ),
            format!(
                "set KAPSO_PUBLIC_URL to this host's https address, and let Kapso's webhook push to {PATH} below it"
            ),
        ),
    }
}
