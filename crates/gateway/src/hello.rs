//! What the gateway says about itself when it accepts a connection.

use std::time::Duration;

use model::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::Instant;

use crate::boot::Boot;
use crate::frames::{loose, loose_list};
use crate::params::Known;

/// An accepted connection, with the scopes that the bridge needs.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The protocol agreed on: 3 or 4.
    pub protocol: u32,
    /// OpenClaw's release, such as `2026.9.6`.
    pub version: String,
    /// The gateway's name for this connection, as in its log.
    pub connection: String,
    /// The process that answered.
    pub boot: Boot,
    /// Whether the connection before this one ended with the gateway's own notice that it restarts. A gateway can
    /// restart inside its process, so this counts beside [`Hello::boot`].
    pub after_restart: bool,
    /// The granted scopes; empty where the release does not say (2026.1).
    pub scopes: Vec<String>,
    /// Between two signs of life of the gateway.
    pub tick: Duration,
    /// The largest frame that the gateway accepts, in bytes.
    pub max_payload: usize,
    /// Limits for attachments, where the release names them (2026.8.1 and newer).
    pub attachments: Option<Attachments>,
    /// The methods that the gateway offers to this connection.
    pub methods: Vec<String>,
    pub(crate) known: Known,
    /// The gateway's clock when it was read, and when that was.
    clock: (Timestamp, Instant),
    /// The gateway's uptime when it was read, and when that was.
    uptime: (Duration, Instant),
}

/// Limits for attachments, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachments {
    /// The largest attachment of any kind.
    pub max_bytes: u64,
    /// The largest picture.
    pub max_image_bytes: u64,
}

impl Hello {
    /// The present instant by the gateway's clock, which dates runs and history rows.
    pub fn gateway_now(&self) -> Timestamp {
        let (at, read) = self.clock;
        at.later(read.elapsed())
    }

    /// How long the gateway's process has been up.
    pub fn uptime(&self) -> Duration {
        let (uptime, read) = self.uptime;
        uptime + read.elapsed()
    }

    /// Whether questions may have pictures with them.
    pub fn takes_pictures(&self) -> bool {
        self.known.pictures
    }

    /// Whether the gateway offers `method`; a release that lists nothing offers everything.
    pub fn offers(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|offered| offered == method)
    }
}

/// The largest frame of a gateway that does not say (2026.1.29 and 2026.9.6 alike: 25 MiB).
const MAX_PAYLOAD: usize = 26_214_400;
/// The interval of a gateway that does not say.
const TICK: Duration = Duration::from_secs(30);

/// The payload of the answer to `connect`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HelloOk {
    #[serde(rename = "type", deserialize_with = "loose")]
    kind: String,
    #[serde(deserialize_with = "loose")]
    protocol: u32,
    #[serde(deserialize_with = "loose")]
    server: Server,
    #[serde(deserialize_with = "loose")]
    features: Features,
    #[serde(deserialize_with = "loose")]
    snapshot: Snapshot,
    #[serde(deserialize_with = "loose")]
    auth: Auth,
    #[serde(deserialize_with = "loose")]
    policy: Policy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Server {
    #[serde(deserialize_with = "loose")]
    version: String,
    #[serde(deserialize_with = "loose")]
    conn_id: String,
    #[serde(deserialize_with = "loose")]
    boot_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Features {
    #[serde(deserialize_with = "loose_list")]
    methods: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Snapshot {
    #[serde(deserialize_with = "loose")]
    uptime_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Auth {
    #[serde(deserialize_with = "loose")]
    scopes: Option<Vec<String>>,
    #[serde(deserialize_with = "loose")]
    device_token: Option<SecretString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policy {
    #[serde(deserialize_with = "loose")]
    max_payload: Option<usize>,
    #[serde(deserialize_with = "loose")]
    tick_interval_ms: Option<u64>,
    #[serde(deserialize_with = "loose")]
    attachments: Option<Attachments>,
}

/// The gateway's clock as the challenge showed it, and when it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Challenged {
    pub(crate) ts: Timestamp,
    pub(crate) at: Instant,
}

impl HelloOk {
    /// Whether this is a hello at all.
    pub(crate) fn is_hello(&self) -> bool {
        self.kind == "hello-ok"
    }

    /// The protocol that the gateway chose.
    pub(crate) fn protocol(&self) -> u32 {
        self.protocol
    }

    /// The granted scopes; none where the release does not say.
    pub(crate) fn scopes(&self) -> Option<&[String]> {
        self.auth.scopes.as_deref()
    }

    /// The token that was issued to this device, if any.
    pub(crate) fn take_device_token(&mut self) -> Option<SecretString> {
        self.auth.device_token.take()
    }

    /// The hello as the rest of the program sees it.
    pub(crate) fn accepted(self, challenged: Challenged, after_restart: bool) -> Hello {
        let now = Instant::now();
        let clock = challenged.ts.later(now - challenged.at);
        let uptime = self.snapshot.uptime_ms.map(Duration::from_millis);
        let boot = match (self.server.boot_id, uptime) {
            (Some(id), _) => Boot::named(&id),
            (None, Some(uptime)) => Boot::began(clock.earlier(uptime)),
            // Nothing tells processes apart, so each connection counts as one of its own.
            (None, None) => Boot::named(&self.server.conn_id),
        };
        Hello {
            protocol: self.protocol,
            known: Known::by(&self.server.version),
            version: self.server.version,
            connection: self.server.conn_id,
            boot,
            after_restart,
            scopes: self.auth.scopes.unwrap_or_default(),
            tick: self
                .policy
                .tick_interval_ms
                .filter(|tick| *tick > 0)
                .map_or(TICK, Duration::from_millis),
            max_payload: self
                .policy
                .max_payload
                .filter(|most| *most > 0)
                .unwrap_or(MAX_PAYLOAD),
            attachments: self.policy.attachments,
            methods: self.features.methods,
            clock: (challenged.ts, challenged.at),
            uptime: (uptime.unwrap_or_default(), now),
        }
    }
}
