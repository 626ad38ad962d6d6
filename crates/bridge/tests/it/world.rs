//! A bridge between the stand-ins. It runs on a runtime of its own, so that a test can kill it at any await.

mod options;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge::control::{self, Control};
use bridge::guard::{Approvals, Policy};
use bridge::identity::Issuer;
use bridge::inbound::schedule::Pace;
use bridge::inbound::webhook::{Door, NumberKeys};
use bridge::{Health, Nudge, Number, Numbers, Options, Parts};
use gateway::transcript::Transcripts;
use gateway::{DeviceKey, Gateway};
use kapso::webhook::Keys;
use model::{Clock, NumberId, Timestamp};
use sandbox::kapso::{
    KapsoStandIn, SentMessage, Signature, StandInOptions, WebhookTarget, WebhookTiming,
};
use sandbox::openclaw::{self, OpenClawStandIn, Release};
use store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transcribe::Transcriber;

pub(crate) use self::options::{bridge_options, downloads, gateway_timing, kapso_client, people};

pub(crate) const ANN: &str = "+15551234567";
pub(crate) const BOB: &str = "+15559876543";
pub(crate) const STRANGER: &str = "+15550001111";
pub(crate) const NUMBER: &str = "597907523413541";
pub(crate) const SECRET: &str = "webhook-secret";
pub(crate) const VERIFY_TOKEN: &str = "verify-token";
pub(crate) const ERROR_MESSAGE: &str = "Something went wrong. Please try again.";
pub(crate) const DENY_MESSAGE: &str = "Sorry, you are not authorized to use this service.";

/// Who signs identities, and who is to believe them.
pub(crate) const ISSUER: &str = "kapso-whatsapp";
pub(crate) const AUDIENCE: &str = "https://backend.example";

/// The wait between two reads of the list when Kapso refuses it.
pub(crate) const SLOWEST_POLL: Duration = Duration::from_millis(50);

/// Both outside parties, a state directory, and the bridge while it runs.
pub(crate) struct World {
    pub(crate) kapso: KapsoStandIn,
    pub(crate) openclaw: OpenClawStandIn,
    pub(crate) dir: TempDir,
    jsonl: bool,
    /// The open port.
    door: Option<std::net::TcpListener>,
    /// The numbers that the bridge is configured with.
    pub(crate) lines: Vec<Line>,
    options: Options,
    /// Who turns speech into text.
    pub(crate) transcriber: Option<Transcriber>,
    /// Whether identities are signed.
    signs: bool,
    running: Option<Running>,
    stop: CancellationToken,
}

/// A business number as the bridge is configured with it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) number: NumberId,
    /// Where its Kapso is.
    pub(crate) kapso: String,
    /// The key of the signatures on what is pushed for it.
    pub(crate) key: Option<&'static str>,
}

impl Line {
    /// A number whose Kapso nobody is asked.
    pub(crate) fn nowhere() -> Self {
        Self {
            number: NumberId::new(NUMBER).unwrap(),
            kapso: "http://127.0.0.1:9".to_owned(),
            key: None,
        }
    }
}

/// A bridge on a thread of its own, whose end is awaited.
struct Running {
    stop: CancellationToken,
    kill: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl World {
    /// The current release, replies from run results; the bridge runs and has seen the empty list.
    pub(crate) async fn new() -> Self {
        Self::of(Release::V2026_9_6, false).await
    }

    /// A release, and whether replies are read from the session's transcript.
    pub(crate) async fn of(release: Release, jsonl: bool) -> Self {
        let mut world = Self::stopped(release, jsonl).await;
        world.start().await;
        world
    }

    /// A bridge that Kapso pushes to, signed; the list is read at its start and when something hints at it.
    pub(crate) async fn pushed() -> Self {
        Self::pushed_as(WebhookTarget::new).await
    }

    /// As [`World::pushed`], to a target of another kind.
    pub(crate) async fn pushed_as(target: impl Fn(String, String) -> WebhookTarget) -> Self {
        Self::behind_a_door(Some(SECRET), target).await
    }

    /// A bridge without a key: pushes are hints.
    pub(crate) async fn unsigned() -> Self {
        Self::behind_a_door(None, |url, secret: String| WebhookTarget {
            signature: Signature::Unsigned,
            ..WebhookTarget::new(url, secret)
        })
        .await
    }

    async fn behind_a_door(
        key: Option<&'static str>,
        target: impl Fn(String, String) -> WebhookTarget,
    ) -> Self {
        let mut world = Self::stopped_behind_a_door(key, target).await;
        world.start().await;
        world
    }

    /// As [`World::pushed_as`], with any key or none, without starting the bridge.
    pub(crate) async fn stopped_behind_a_door(
        key: Option<&'static str>,
        target: impl Fn(String, String) -> WebhookTarget,
    ) -> Self {
        let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        door.set_nonblocking(true).unwrap();
        let url = format!("http://{}/webhook", door.local_addr().unwrap());
        let webhook = WebhookTarget {
            timing: WebhookTiming {
                retries: [20, 50, 100].map(Duration::from_millis).to_vec(),
                ..WebhookTiming::default()
            },
            ..target(url, SECRET.to_owned())
        };
        let mut world = Self::around(Release::V2026_9_6, false, Some(webhook)).await;
        let never = Duration::from_secs(3600);
        world.options.poll.pace = Pace {
            interval: never,
            active: never,
            active_for: never,
            busy_check: never,
            quiet_check: never,
        };
        world.door = Some(door);
        world.lines[0].key = key;
        world
    }

    /// Another number of the bridge, from its next start on, with a Kapso of its own that pushes to `webhook`.
    pub(crate) async fn add_line(
        &mut self,
        number: &str,
        webhook: Option<WebhookTarget>,
        key: Option<&'static str>,
    ) -> KapsoStandIn {
        let number = NumberId::new(number).unwrap();
        let kapso = kapso(number.clone(), webhook, self.stop.clone()).await;
        let mut options = self.options.numbers[0].clone();
        options.id = number.clone();
        options.sessions.key = format!("main-{number}");
        self.options.numbers.push(options);
        self.lines.push(Line {
            number,
            kapso: kapso.base_url(),
            key,
        });
        kapso
    }

    /// Where pushes go.
    pub(crate) fn door(&self) -> SocketAddr {
        self.door.as_ref().unwrap().local_addr().unwrap()
    }

    /// Lets the test set who may speak, before the bridge starts.
    pub(crate) fn policy(&mut self) -> &mut Policy {
        &mut self.options.numbers[0].policy
    }

    /// Lets the test set how the bridge behaves, before it starts.
    pub(crate) fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Has no identities signed, from the next start on.
    pub(crate) fn sign_nothing(&mut self) {
        self.signs = false;
    }

    /// As [`World::of`], without starting the bridge.
    pub(crate) async fn stopped(release: Release, jsonl: bool) -> Self {
        Self::around(release, jsonl, None).await
    }

    async fn around(release: Release, jsonl: bool, webhook: Option<WebhookTarget>) -> Self {
        let (dir, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let number = NumberId::new(NUMBER).unwrap();
        let kapso = kapso(number.clone(), webhook, stop.clone()).await;
        let line = Line {
            number,
            kapso: kapso.base_url(),
            key: None,
        };
        let mut options = openclaw::Options {
            release,
            ..openclaw::Options::default()
        };
        options.token = Some("token".to_owned());
        options.agents = vec!["main".to_owned(), "desk".to_owned()];
        options.startup = Duration::from_millis(50);
        options.transcripts = release_writes_files(release).then(|| dir.path().join("openclaw"));
        let openclaw = OpenClawStandIn::start(listener().await, options, stop.clone()).unwrap();
        Self {
            kapso,
            openclaw,
            dir,
            jsonl,
            door: None,
            lines: vec![line],
            options: bridge_options(),
            transcriber: None,
            signs: true,
            running: None,
            stop,
        }
    }

    /// Starts the bridge and waits for its first look at the list.
    pub(crate) async fn start(&mut self) {
        let before = self.lists();
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let (done, ended) = oneshot::channel();
        let outside = Outside {
            lines: self.lines.clone(),
            openclaw: self.openclaw.url(),
            state: self.dir.path().join("state"),
            sessions_json: self.jsonl.then(|| self.openclaw.sessions_json().unwrap()),
            door: self
                .door
                .as_ref()
                .map(|listener| listener.try_clone().unwrap()),
            options: self.options.clone(),
            transcriber: self.transcriber.clone(),
            signs: self.signs,
        };
        let (stopped, killed) = (stop.clone(), kill.clone());
        std::thread::spawn(move || {
            let runtime = Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(killed.run_until_cancelled(outside.bridge(stopped)));
            // Tasks end at their next await: what is not on disk by then is gone.
            runtime.shutdown_timeout(Duration::from_secs(5));
            let _ = done.send(());
        });
        self.running = Some(Running { stop, kill, ended });
        self.kapso
            .until(|_| (self.lists() > before).then_some(()))
            .await;
    }

    /// Kills the bridge where it stands; nothing is told or flushed.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill.cancel();
            running.ended.await.unwrap();
        }
    }

    /// Asks the bridge to stop and waits until it has.
    pub(crate) async fn terminate(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
            running.ended.await.unwrap();
        }
    }

    /// The texts that reached `customer`, once there are `n` of them.
    pub(crate) async fn answers(&self, customer: &str, n: usize) -> Vec<String> {
        texts(&self.kapso.sent_to(customer, n).await)
    }

    /// Waits until the bridge has read the list once more from now on.
    pub(crate) async fn listed(&self) {
        let before = self.lists();
        self.kapso
            .until(|_| (self.lists() > before + 1).then_some(()))
            .await;
    }

    /// Opens the journal; the bridge must not be running.
    pub(crate) async fn journal(&self) -> Store {
        Store::open(&self.dir.path().join("state"), Clock::system())
            .await
            .unwrap()
    }

    pub(crate) fn lists(&self) -> usize {
        self.kapso
            .requests()
            .iter()
            .filter(|request| request.method == "GET")
            .count()
    }

    /// How many send requests reached the stand-in.
    pub(crate) fn sends(&self) -> usize {
        self.kapso
            .requests()
            .iter()
            .filter(|request| request.body["type"] == "text")
            .count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.kill.cancel();
        }
        self.stop.cancel();
    }
}

/// Where the bridge finds everything.
struct Outside {
    lines: Vec<Line>,
    openclaw: String,
    state: PathBuf,
    sessions_json: Option<PathBuf>,
    door: Option<std::net::TcpListener>,
    options: Options,
    transcriber: Option<Transcriber>,
    signs: bool,
}

impl Outside {
    async fn bridge(self, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let store = Store::open(&self.state, Clock::system()).await.unwrap();
        let gateway = gateway::Options {
            url: self.openclaw.parse().unwrap(),
            token: Some("token".to_owned().into()),
            device: DeviceKey::load_or_create(&self.state.join("device-key.pem")).unwrap(),
            device_token_file: None,
            timing: gateway_timing(),
        };
        let connection = CancellationToken::new();
        let gateway = Gateway::open(gateway, connection.clone(), &tracker);
        let (clock, health, nudge) = (Clock::system(), Health::default(), Nudge::default());
        let mut clients = self
            .lines
            .iter()
            .map(|line| Number::new(kapso_client(line)));
        let numbers = Numbers::new(clients.next().unwrap(), clients.collect());
        let approvals = Approvals::load(&store).await.unwrap();
        let guard = Arc::new(self.options.guard(approvals));
        let key = self.state.join("identity-key.pem");
        let issuer = self
            .signs
            .then(|| Issuer::open(&key, ISSUER, AUDIENCE).unwrap());
        let control = Control {
            health: health.clone(),
            numbers: numbers.clone(),
            gateway: gateway.clone(),
            store: store.clone(),
            clock: clock.clone(),
            poll_most: Duration::from_secs(3600),
            started: clock.now(),
            listening: None,
            nudge: nudge.clone(),
            people: people(&self.options, &guard, issuer),
        };
        let socket = control::bind(&self.state.join("control.sock")).unwrap();
        tokio::spawn(control::serve(socket, control.clone(), connection.clone()));
        let mut options = self.options;
        options.media.dir = self.state.join("media");
        let parts = Parts {
            guard,
            numbers,
            gateway,
            store,
            downloads: downloads(&self.lines[0]),
            transcriber: self.transcriber,
            transcripts: self
                .sessions_json
                .map(|path| Transcripts::open(path).unwrap()),
            clock,
            health,
            nudge,
            door: self.door.map(|port| door(port, &self.lines, control)),
        };
        bridge::run(options, parts, stop).await.unwrap();
        connection.cancel();
    }
}

fn door(port: std::net::TcpListener, lines: &[Line], control: Control) -> Door {
    Door {
        listener: Arc::new(TcpListener::from_std(port).unwrap()),
        keys: lines.iter().map(Line::keys).collect(),
        verify_token: Some(VERIFY_TOKEN.to_owned().into()),
        read_deadline: Duration::from_secs(2),
        control,
    }
}

pub(crate) fn texts(sent: &[SentMessage]) -> Vec<String> {
    sent.iter().map(|message| message.text.clone()).collect()
}

/// A time that surely lies after everything that happened before this call.
pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn release_writes_files(release: Release) -> bool {
    matches!(release, Release::V2026_7_35 | Release::V2026_5_7)
}

impl Line {
    fn keys(&self) -> NumberKeys {
        NumberKeys {
            number: self.number.clone(),
            name: self.number.to_string(),
            keys: Keys {
                kapso: self.key.map(|key| key.to_owned().into()),
                meta: None,
            },
        }
    }
}

async fn kapso(
    number: NumberId,
    webhook: Option<WebhookTarget>,
    stop: CancellationToken,
) -> KapsoStandIn {
    let options = StandInOptions {
        webhook,
        // A test tells itself what became of a message.
        delivered_after: None,
        ..StandInOptions::new("key".to_owned(), number)
    };
    KapsoStandIn::start(listener().await, options, stop)
        .await
        .unwrap()
}
