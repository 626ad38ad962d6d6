//! How pushes find their way to the open port: the tunnel, and the webhook at Kapso of each number.

use model::Timestamp;
use serde::Serialize;

use super::Control;
use crate::health::{Seen, Tunnel, TunnelState};

/// The webhook of one number at Kapso, as the bridge registers it.
#[derive(Debug, Serialize)]
pub struct RegistrationReport {
    /// Meta's id of the number.
    pub number: String,
    /// What the operator calls it.
    pub name: String,
    /// Whether it is registered and switched on.
    pub ok: bool,
    /// Where Kapso pushes.
    pub url: Option<String>,
    /// Kapso's id of it.
    pub webhook: Option<String>,
    /// Seconds since it was seen to be as it should be.
    pub last_success_s: Option<u64>,
    /// How often Kapso had switched it off and the bridge switched it on again, since this process began.
    pub switched_on: u64,
    /// What is wrong.
    pub error: Option<String>,
}

/// The tunnel, where the bridge has one of its own.
#[derive(Debug, Serialize)]
pub struct TunnelReport {
    /// Whether it stands.
    pub ok: bool,
    /// `starting`, `up` or `down`.
    pub state: &'static str,
    /// Seconds since that is so.
    pub since_s: u64,
    /// Where it leads from.
    pub url: Option<String>,
    /// How often it was started since this process began.
    pub starts: u64,
    /// Why it does not stand.
    pub error: Option<String>,
    /// What the operator does about it.
    pub remedy: Option<String>,
}

impl TunnelReport {
    pub(super) fn of(tunnel: &Tunnel, now: Timestamp) -> Self {
        Self {
            ok: tunnel.state == TunnelState::Up,
            state: tunnel.state.name(),
            since_s: now.since(tunnel.since).as_secs(),
            url: tunnel.url.clone(),
            starts: tunnel.starts,
            error: tunnel.error.clone(),
            remedy: tunnel.remedy.clone(),
        }
    }
}

impl Control {
    /// The webhooks that the bridge registers, in the order of the configuration.
    pub(super) fn registrations(&self, now: Timestamp, seen: &Seen) -> Vec<RegistrationReport> {
        let numbers = self.numbers.iter();
        let registered = numbers.filter_map(|number| {
            let of = seen.registrations.get(number.id())?;
            Some(RegistrationReport {
                number: number.id().to_string(),
                name: number.name.clone(),
                ok: of.error.is_none() && of.registered_at.is_some(),
                url: of.url.clone(),
                webhook: of.webhook.clone(),
                last_success_s: of.registered_at.map(|at| now.since(at).as_secs()),
                switched_on: of.switched_on,
                error: of.error.clone(),
            })
        });
        registered.collect()
    }
}
