//! Kapso: one cheap read shows that it is there, takes the key, and knows the number.

use config::Config;
use kapso::{Class, Error, Health};

use super::check::Check;
use crate::command::send::client;

const WHAT: &str = "kapso";

/// Reads one item of the message list.
pub(super) async fn check(config: &Config) -> Check {
    let client = match client(config) {
        Ok(client) => client,
        Err(invalid) => {
            return Check::wrong(
                WHAT,
                invalid.to_string(),
                "correct kapso.base_url or kapso.api_key",
            )
            .failed();
        }
    };
    match client.check().await {
        Ok(health) => Check::ok(WHAT, seen(config, &health)),
        Err(error) => Check::wrong(WHAT, error.to_string(), remedy(&error)).failed(),
    }
}

fn seen(config: &Config, health: &Health) -> String {
    let (number, took) = (&config.kapso.phone_number_id, health.took.as_millis());
    let limit = match (health.rate_remaining, health.rate_limit) {
        (Some(left), Some(limit)) => format!(", {left} of {limit} requests left this minute"),
        (_, Some(limit)) => format!(", {limit} requests a minute"),
        (_, None) => String::new(),
    };
    format!("number {number}, list read in {took} ms{limit}")
}

fn remedy(error: &Error) -> &'static str {
    match error.class() {
        Class::Operator => {
            "compare KAPSO_API_KEY and KAPSO_PHONE_NUMBER_ID with Kapso's project settings"
        }
        Class::Permanent | Class::WindowClosed => {
            "compare KAPSO_PHONE_NUMBER_ID and kapso.base_url with Kapso's project settings"
        }
        Class::Retryable | Class::RetryAfter(_) | Class::Unknown => {
            "check this host's network and kapso.base_url, or try again later"
        }
    }
}
