//! Opens what the bridge stands on: the journal first, because its lock says whether another process runs.

use std::future::Future;
use std::io;

use anyhow::Context;
use bridge::control::{self, Control};
use bridge::{Health, Options, Parts};
use config::{Config, Relay};
use gateway::transcript::Transcripts;
use gateway::{DeviceKey, Gateway, Timing};
use model::Clock;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Everything, opened.
pub(crate) struct Wired<C> {
    pub(crate) parts: Parts,
    /// Answers on the control socket until the connection ends.
    pub(crate) control: C,
    pub(crate) connection: Connection,
}

/// The gateway's connection, which outlives the drain: a turn in flight may still be answered.
pub(crate) struct Connection {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Connection {
    /// Closes the connection in order.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Opens the journal, the edges and the control socket.
///
/// # Errors
/// What the operator has to mend, with the reason.
pub(crate) async fn wire(
    config: &Config,
    options: &Options,
) -> anyhow::Result<Wired<impl Future<Output = io::Result<()>> + use<>>> {
    let clock = Clock::system();
    let store = Store::open(&config.state.dir, clock.clone()).await?;
    if store.is_new() {
        info!(dir = %config.state.dir.display(), "a new journal: messages count from now on");
    }
    let connection = Connection {
        stop: CancellationToken::new(),
        tracker: TaskTracker::new(),
    };
    let gateway = Gateway::open(
        gateway_options(config)?,
        connection.stop.clone(),
        &connection.tracker,
    );
    let health = Health::default();
    let socket = config.state.control_socket();
    let listener = control::bind(&socket)
        .with_context(|| format!("no control socket at {}", socket.display()))?;
    let watched = Control {
        health: health.clone(),
        gateway: gateway.clone(),
        store: store.clone(),
        clock: clock.clone(),
        poll_interval: options.poll.interval,
        started: clock.now(),
    };
    let parts = Parts {
        kapso: kapso_client(config)?,
        gateway,
        store,
        transcripts: transcripts(config)?,
        clock,
        health,
    };
    let control = control::serve(listener, watched, connection.stop.clone());
    Ok(Wired {
        parts,
        control,
        connection,
    })
}

fn kapso_client(config: &Config) -> anyhow::Result<kapso::Client> {
    let client = kapso::Client::new(kapso::Options {
        base_url: config.kapso.base_url.clone(),
        api_key: config.kapso.api_key.clone(),
        number: config.kapso.phone_number_id.clone(),
        deadlines: kapso::Deadlines::default(),
    })?;
    Ok(client)
}

fn gateway_options(config: &Config) -> anyhow::Result<gateway::Options> {
    Ok(gateway::Options {
        url: config.gateway.url.as_str().parse()?,
        token: config.gateway.token.clone(),
        device: DeviceKey::load_or_create(&config.state.device_key())?,
        device_token_file: Some(config.state.device_token()),
        timing: Timing::default(),
    })
}

fn transcripts(config: &Config) -> anyhow::Result<Option<Transcripts>> {
    match config.gateway.relay {
        Relay::Auto => Ok(None),
        Relay::Jsonl => {
            let path = &config.gateway.sessions_json;
            if !path.exists() {
                warn!(path = %path.display(), "gateway.sessions_json is not there yet; waiting for the gateway to write it");
            }
            Ok(Some(Transcripts::open(path.clone())?))
        }
    }
}
