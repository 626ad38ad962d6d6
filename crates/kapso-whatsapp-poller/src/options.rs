//! From the checked configuration to the plain options of the library crates.

use std::time::Duration;

use bridge::guard::Policy;
use bridge::inbound::poll::PollTiming;
use bridge::{Options, Retention, SendTiming, Sessions, Staleness, TurnTiming};
use config::{Config, Mode, SecurityMode};

/// WhatsApp shows typing for 25 s (kapso.md 2.8).
const TYPING: Duration = Duration::from_secs(20);

/// Less than the ten seconds after which a service manager loses patience.
const DRAIN: Duration = Duration::from_secs(8);

/// A configuration that is valid, and asks for what this version does not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsupported {
    /// Delivery through a tunnel that the bridge starts itself.
    #[error(
        "delivery.mode = {0:?} is not available in this version; set it to \"polling\", or to \"domain\" \
         with a tunnel of your own"
    )]
    Delivery(&'static str),
    /// Approval of strangers.
    #[error(
        "security.mode = {0:?} is not available in this version; use \"allowlist\" or \"open\""
    )]
    Security(&'static str),
}

/// The journey's options.
///
/// # Errors
/// [`Unsupported`] for what the configuration may say and this version cannot do.
pub(crate) fn options(config: &Config) -> Result<Options, Unsupported> {
    match config.delivery.mode {
        Mode::Polling | Mode::Domain => {}
        mode @ Mode::Tailscale => return Err(Unsupported::Delivery(mode.name())),
    }
    Ok(Options {
        policy: policy(config)?,
        deny_message: config.security.deny_message.clone(),
        error_message: config.gateway.error_message.clone(),
        sessions: Sessions {
            key: config.gateway.session_key.as_str().to_owned(),
            isolation: config.security.session_isolation,
        },
        poll: PollTiming::every(config.delivery.poll_interval),
        poll_fallback: config.delivery.poll_fallback,
        staleness: Staleness {
            backlog_after: config.delivery.backlog_after,
            max_age: config.delivery.max_age,
        },
        retention: Retention {
            max_bytes: config.state.max_bytes(),
            ..Retention::default()
        },
        turn: TurnTiming {
            run_limit: config.gateway.run_limit,
            ..TurnTiming::default()
        },
        send: SendTiming::default(),
        typing: TYPING,
        drain: DRAIN,
    })
}

fn policy(config: &Config) -> Result<Policy, Unsupported> {
    let security = &config.security;
    let strangers = match security.mode {
        SecurityMode::Allowlist => None,
        SecurityMode::Open => Some(security.default_role.clone()),
        mode @ SecurityMode::Pairing => return Err(Unsupported::Security(mode.name())),
    };
    Ok(Policy {
        strangers,
        roles: security.roles.clone(),
        rate_limit: security.rate_limit,
        window: security.rate_window,
    })
}
