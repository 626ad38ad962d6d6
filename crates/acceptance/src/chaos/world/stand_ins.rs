//! Both outside parties of a world.

use std::net::{Ipv4Addr, TcpListener as Port};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use model::NumberId;
use sandbox::kapso::{KapsoStandIn, StandInOptions, WebhookTarget, WebhookTiming};
use sandbox::openclaw::{self, OpenClawStandIn, Resume, Script};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::SECRET;
use crate::chaos::blueprint::Ground;
use crate::chaos::token;
use crate::chaos::wall::Wall;
use crate::chaos::way::Way;
use crate::openclaw::TOKEN;
use crate::poller::{API_KEY, NUMBER};

/// Kapso waits 10, 40 and 90 s before it tries a delivery again. Here it is quick, so that a run is short, and tries so
/// often that a delivery is lost only where a scenario says so: what only the list has may be late.
const RETRY: Duration = Duration::from_millis(250);

/// How often.
const RETRIES: usize = 100;

/// Kapso lets others of the conversation overtake after 30 s, which a machine under so much load may need.
const OVERTAKE: Duration = Duration::from_secs(600);

/// Ports for webhooks are taken from here upwards, below those that the system gives to outgoing connections.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// The customers' side, which pushes to `port` where the way says so.
pub(super) async fn kapso(
    way: Way,
    port: u16,
    ground: &Ground,
    wall: &Wall,
    stop: CancellationToken,
) -> anyhow::Result<KapsoStandIn> {
    let number = NumberId::new(NUMBER).context("the number's id is not one")?;
    let webhook = way.is_pushed().then(|| {
        let mut target = WebhookTarget::new(format!("http://127.0.0.1:{port}/webhook"), SECRET);
        target.timing = WebhookTiming {
            retries: vec![RETRY; RETRIES],
            overtake: OVERTAKE,
            ..WebhookTiming::default()
        };
        (ground.webhook)(&mut target);
        target
    });
    let options = StandInOptions {
        clock: wall.clock(),
        webhook,
        ..StandInOptions::new(API_KEY.to_owned(), number)
    };
    let started = KapsoStandIn::start(listener().await?, options, stop).await;
    started.context("the Kapso stand-in cannot be started")
}

/// The agent's side.
pub(super) async fn gateway(
    ground: &Ground,
    stop: CancellationToken,
) -> anyhow::Result<OpenClawStandIn> {
    let mut options = openclaw::Options {
        token: Some(TOKEN.to_owned()),
        agent: Script::new(token::answer),
        // A gateway needs a while to start, and longer until it resumes what was cut off.
        startup: Duration::from_millis(200),
        resume: Resume::After(Duration::from_millis(500)),
        ..openclaw::Options::default()
    };
    (ground.gateway)(&mut options);
    let started = OpenClawStandIn::start(listener().await?, options, stop);
    started.context("the gateway's stand-in cannot be started")
}

async fn listener() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

/// A port that nobody listens on, and that no other world gets.
pub(super) fn free_port() -> anyhow::Result<u16> {
    for _ in 0..10_000 {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        if Port::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
