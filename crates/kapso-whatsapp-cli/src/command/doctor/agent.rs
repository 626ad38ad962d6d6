//! The gateway: the whole handshake, with the scopes that the bridge needs; and the transcripts, where replies come
//! from them.

use std::time::Duration;

use config::{Config, Relay};
use gateway::{DeviceKey, GatewayUrl, Hello, Options, Timing};

use super::check::Check;

const WHAT: &str = "gateway";

/// For the socket: a person waits for it.
const CONNECT: Duration = Duration::from_secs(5);

/// For the handshake after it.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the bridge asks the gateway to do.
const METHODS: [&str; 3] = ["agent", "agent.wait", "chat.history"];

/// The first release without JSONL transcripts, as year and month.
const FIRST_WITHOUT_JSONL: (u32, u32) = (2026, 8);

/// Connects once.
pub(super) async fn check(config: &Config) -> Vec<Check> {
    let options = match options(config) {
        Ok(options) => options,
        Err(check) => return vec![check],
    };
    match gateway::probe(options).await {
        Ok(hello) => {
            let mut checks = vec![accepted(config, &hello)];
            checks.extend(transcripts(config, &hello));
            checks
        }
        Err(refusal) => {
            let seen = format!("{}: {refusal}", config.gateway.url);
            vec![Check::wrong(WHAT, seen, refusal.remedy()).failed()]
        }
    }
}

fn options(config: &Config) -> Result<Options, Check> {
    let url: GatewayUrl =
        config
            .gateway
            .url
            .as_str()
            .parse()
            .map_err(|invalid: gateway::InvalidUrl| {
                Check::wrong(
                    WHAT,
                    format!("gateway.url {invalid}"),
                    "correct gateway.url",
                )
                .failed()
            })?;
    let device = DeviceKey::load_or_create(&config.state.device_key()).map_err(|error| {
        Check::wrong(
            WHAT,
            error.to_string(),
            "mend the file in state.dir, or its rights",
        )
        .failed()
    })?;
    Ok(Options {
        url,
        token: config.gateway.token.clone(),
        device,
        device_token_file: Some(config.state.device_token()),
        timing: Timing {
            connect: CONNECT,
            handshake: HANDSHAKE,
            ..Timing::default()
        },
    })
}

fn accepted(config: &Config, hello: &Hello) -> Check {
    let missing: Vec<&str> = METHODS
        .into_iter()
        .filter(|method| !hello.offers(method))
        .collect();
    let scopes = if hello.scopes.is_empty() {
        "not named".to_owned()
    } else {
        hello.scopes.join(" ")
    };
    let seen = format!(
        "OpenClaw {}, protocol {}, scopes {scopes}, at {}",
        hello.version, hello.protocol, config.gateway.url
    );
    if missing.is_empty() {
        return Check::ok(WHAT, seen);
    }
    let seen = format!("{seen}; it does not offer {}", missing.join(", "));
    Check::wrong(WHAT, seen, "use a release of OpenClaw that offers them").failed()
}

fn transcripts(config: &Config, hello: &Hello) -> Option<Check> {
    match config.gateway.relay {
        Relay::Auto => None,
        Relay::Jsonl
            if release(&hello.version).is_some_and(|release| release >= FIRST_WITHOUT_JSONL) =>
        {
            let seen = format!("OpenClaw {} keeps no JSONL transcripts", hello.version);
            Some(Check::wrong("transcripts", seen, "set gateway.relay to \"auto\"").failed())
        }
        Relay::Jsonl => {
            let path = config.gateway.sessions_json.display();
            Some(match std::fs::File::open(&config.gateway.sessions_json) {
                Ok(_) => Check::ok("transcripts", path.to_string()),
                Err(error) => Check::wrong(
                    "transcripts",
                    format!("{path}: {error}"),
                    "the gateway writes it with its first session; else correct gateway.sessions_json or its rights",
                ),
            })
        }
    }
}

/// Year and month of a release such as `2026.9.6`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert!(release("2026.10.1") >= Some(FIRST_WITHOUT_JSONL));
        assert!(release("2026.7.35") < Some(FIRST_WITHOUT_JSONL));
        assert_eq!(release("dev"), None);
    }
}
