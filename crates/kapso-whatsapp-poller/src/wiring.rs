//! Opens what the bridge stands on: the journal first, because its lock says whether another process runs.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bridge::control::{self, Control, Grants, Listening, People};
use bridge::guard::{Approvals, Guard};
use bridge::identity::Issuer;
use bridge::inbound::webhook::{Door, NumberKeys, READ_DEADLINE};
use bridge::registration;
use bridge::{Health, Nudge, Number, Numbers, Options, Parts};
use config::{Config, ListenAddress, Relay, TranscribeProvider};
use gateway::transcript::Transcripts;
use gateway::{DeviceKey, Gateway, Timing};
use kapso::media::{Downloads, Egress, Limits};
use kapso::webhook::Keys;
use model::Clock;
use store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use transcribe::{Provider, Transcriber};

use crate::reachable::Reachable;

/// Everything, opened.
pub(crate) struct Wired<C> {
    pub(crate) parts: Parts,
    /// Answers on the control socket until the connection ends.
    pub(crate) control: C,
    pub(crate) connection: Connection,
    /// Makes the open port reachable, in the modes that have one.
    pub(crate) reachable: Option<Reachable>,
}

/// The gateway's connection, which outlives the drain: a turn in flight may still be answered.
pub(crate) struct Connection {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Connection {
    /// Keeps the open port reachable for as long.
    pub(crate) fn keep(&self, reachable: Reachable) {
        self.tracker.spawn(reachable.run(self.stop.clone()));
    }

    /// Closes the connection in order.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Opens the journal, the ports, the edges and the control socket.
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
    let listener = webhook_port(config).await?;
    let metrics = metrics_port(config).await?;
    let connection = Connection {
        stop: CancellationToken::new(),
        tracker: TaskTracker::new(),
    };
    let gateway = Gateway::open(
        gateway_options(config)?,
        connection.stop.clone(),
        &connection.tracker,
    );
    let socket = config.state.control_socket();
    let control_socket = control::bind(&socket)
        .with_context(|| format!("no control socket at {}", socket.display()))?;
    let Wanted { numbers, keys } = numbers(config, &store).await?;
    let guard = Arc::new(options.guard(Approvals::load(&store).await?));
    let people = people(config, &guard)?;
    let checks_only = listener.is_some() && !options.poll_fallback;
    let control = Control {
        health: Health::default(),
        numbers,
        gateway,
        store,
        started: clock.now(),
        clock,
        poll_most: options.poll.longest(checks_only),
        listening: listening(listener.as_ref(), &keys)?,
        nudge: Nudge::default(),
        people,
    };
    let reachable = match &listener {
        Some(listener) => Reachable::new(config, listener.local_addr()?, &keys, &control)?,
        None => None,
    };
    let door = listener.map(|listener| door(config, listener, keys, &control));
    let edges = Edges {
        downloads: downloads(config)?,
        transcriber: transcriber(config)?,
        transcripts: transcripts(config)?,
        door,
    };
    let parts = parts(&control, guard, edges);
    if let Some(metrics) = metrics {
        let serving = control::serve_metrics(metrics, control.clone(), connection.stop.clone());
        connection.tracker.spawn(serving);
    }
    let control = control::serve(control_socket, control, connection.stop.clone());
    Ok(Wired {
        parts,
        control,
        connection,
        reachable,
    })
}

fn listening(listener: Option<&TcpListener>, keys: &[NumberKeys]) -> io::Result<Option<Listening>> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    Ok(Some(Listening {
        address: listener.local_addr()?.to_string(),
        signed: keys.iter().all(|number| number.keys.are_set()),
    }))
}

fn door(config: &Config, listener: TcpListener, keys: Vec<NumberKeys>, control: &Control) -> Door {
    Door {
        listener: Arc::new(listener),
        keys,
        verify_token: config.webhook.verify_token.clone(),
        read_deadline: READ_DEADLINE,
        control: control.clone(),
    }
}

/// Who may speak as whom, for the operator's orders and for tokens.
fn people(config: &Config, guard: &Arc<Guard>) -> anyhow::Result<People> {
    let grants = config.numbers.iter().map(|number| {
        let grants = Grants {
            roles: number.security.roles.values().cloned().collect(),
            usual: number.security.default_role.clone(),
        };
        (number.id.clone(), grants)
    });
    let identity = &config.identity;
    let issuer = identity
        .audience
        .as_ref()
        .map(|audience| Issuer::open(&config.state.identity_key(), &identity.issuer, audience));
    Ok(People {
        guard: Arc::clone(guard),
        grants: grants.collect(),
        agent: config.gateway.agent.clone(),
        issuer: issuer.transpose()?,
    })
}

/// What the control socket has no part in.
struct Edges {
    downloads: Downloads,
    transcriber: Option<Transcriber>,
    transcripts: Option<Transcripts>,
    door: Option<Door>,
}

/// What the journey stands on is what the control socket reads from.
fn parts(control: &Control, guard: Arc<Guard>, edges: Edges) -> Parts {
    Parts {
        numbers: control.numbers.clone(),
        guard,
        gateway: control.gateway.clone(),
        store: control.store.clone(),
        downloads: edges.downloads,
        transcriber: edges.transcriber,
        transcripts: edges.transcripts,
        clock: control.clock.clone(),
        health: control.health.clone(),
        nudge: control.nudge.clone(),
        door: edges.door,
    }
}

/// What fetches the files of messages.
fn downloads(config: &Config) -> anyhow::Result<Downloads> {
    let most = config.media.max_bytes;
    let limits = Limits {
        image: most.image.into(),
        video: most.video.into(),
        audio: most.audio.into(),
        document: most.document.into(),
        sticker: most.sticker.into(),
    };
    let egress = Egress::of(&config.kapso.base_url, config.media.hosts.clone(), limits);
    Ok(Downloads::new(egress)?)
}

/// What turns voice messages into text, where somebody does.
fn transcriber(config: &Config) -> anyhow::Result<Option<Transcriber>> {
    let Some(wanted) = &config.transcribe else {
        return Ok(None);
    };
    let options = transcribe::Options {
        provider: match wanted.provider {
            TranscribeProvider::OpenAi => Provider::OpenAi,
            TranscribeProvider::Groq => Provider::Groq,
            TranscribeProvider::Deepgram => Provider::Deepgram,
        },
        api_key: wanted.api_key.clone(),
        model: wanted.model.clone(),
        language: wanted.language.clone(),
        base_url: None,
        timeout: wanted.timeout,
        again_after: Duration::from_secs(1),
        max_bytes: wanted.max_audio_size.into(),
        no_speech_threshold: wanted.no_speech_threshold,
        cache_ttl: wanted.cache_ttl,
    };
    Ok(Some(Transcriber::new(options)?))
}

/// The port that messages are pushed to, in the modes that have one.
async fn webhook_port(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    if !config.delivery.mode.has_webhook() {
        return Ok(None);
    }
    let addr = config.webhook.addr;
    let listener = listen(addr).await.with_context(|| {
        format!("webhook.addr = \"{addr}\" cannot be listened on: stop what has the port, or set another one")
    })?;
    info!(%addr, "taking webhooks at /webhook");
    Ok(Some(listener))
}

/// The port of `/metrics`, where one is wanted.
async fn metrics_port(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(addr) = config.control.metrics_addr else {
        return Ok(None);
    };
    let listener = listen(addr).await.with_context(|| {
        format!("control.metrics_addr = \"{addr}\" cannot be listened on: stop what has the port, or set another one")
    })?;
    Ok(Some(listener))
}

/// Every interface means both families, where the host has both.
async fn listen(addr: ListenAddress) -> io::Result<TcpListener> {
    match addr.ip {
        Some(ip) => TcpListener::bind((ip, addr.port)).await,
        None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, addr.port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, addr.port)).await
            }
            bound => bound,
        },
    }
}

/// The business numbers of the configuration.
struct Wanted {
    numbers: Numbers,
    /// The secrets under which each one's pushes are signed.
    keys: Vec<NumberKeys>,
}

/// The clients and the keys of every number that is configured. All clients share the account's limit of requests.
async fn numbers(config: &Config, store: &Store) -> anyhow::Result<Wanted> {
    let kapso = kapso::Client::new(kapso::Options {
        base_url: config.kapso.base_url.clone(),
        api_key: config.kapso.api_key.clone(),
        number: config.kapso.phone_number_id.clone(),
        deadlines: kapso::Deadlines::default(),
    })?;
    let mut numbers = Vec::new();
    for number in &config.numbers {
        numbers.push(Number {
            name: number.name.clone(),
            kapso: kapso.for_number(number.id.clone())?,
        });
    }
    let mut known = Vec::new();
    for number in &config.numbers {
        known.push(keys(config, number, store).await?);
    }
    let mut numbers = numbers.into_iter();
    let first = numbers.next().unwrap_or_else(|| Number::new(kapso));
    Ok(Wanted {
        numbers: Numbers::new(first, numbers.collect()),
        keys: known,
    })
}

/// A number's keys. Where the bridge registers the webhook and nobody gave it a key, the journal has one that it made.
async fn keys(
    config: &Config,
    number: &config::Number,
    store: &Store,
) -> anyhow::Result<NumberKeys> {
    let kapso = match &number.secret {
        None if config.delivery.registers() => {
            let fresh =
                registration::fresh_key().context("no random numbers for webhook.secret")?;
            Some(store.webhook_secret(&number.id, fresh).await?)
        }
        given => given.clone(),
    };
    Ok(NumberKeys {
        number: number.id.clone(),
        name: number.name.clone(),
        keys: Keys {
            kapso,
            meta: config.webhook.app_secret.clone(),
        },
    })
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
