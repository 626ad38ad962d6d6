//! A scripted OpenClaw gateway: protocols 3 and 4 over a real WebSocket, as the recorded frames show.
//!
//! It answers `connect`, `agent` (both responses), `agent.wait`, `chat.history`, `chat.send` (with the commands that it
//! obeys), `health` and `sessions.list` in the words of one of three [`Release`]s, tells the events of every run to every connection, forgets keys after five
//! minutes and at a restart, resumes interrupted runs by itself, and writes the JSONL transcripts of the older
//! releases. What the agent says is a [`Script`]; what goes wrong is switched on from outside. Everything else is
//! refused by name.
//!
//! Questions, executions and requests are kept for the life of the stand-in, for tests to look at.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, SessionKey};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod attachments;
mod builtin;
mod chat;
mod clients;
mod commands;
mod connection;
mod device;
mod events;
mod faults;
mod frame;
mod gate;
mod gateway;
mod handshake;
mod hello;
mod history;
mod json;
mod keys;
mod methods;
mod outcome;
mod params;
mod release;
mod run;
mod script;
mod session;
mod state;
mod transcript;

pub use faults::{ConnectFault, Rejection, RequestFault};
pub use gate::Gate;
pub use release::Release;
pub use script::{Answer, Asked, Script, Word};
pub use state::{Execution, Obeyed, Received, Told};

use clients::{Clients, Out};
use device::Pairing;
use faults::Faults;
use gateway::{Gateway, Phase};
use script::Prompter;
use state::Memory;
use transcript::Transcripts;

/// What the gateway does with interrupted runs after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Resumes them, so long after it is up. A real gateway takes four to six seconds.
    After(Duration),
    /// Leaves them until [`OpenClawStandIn::resume`] says otherwise.
    Never,
}

/// How long the first process seems to have been up, so that a restart shows in the uptime as with a real gateway,
/// whose first process lives longer than a test.
const FIRST_UPTIME: Duration = Duration::from_secs(3600);

/// How the stand-in is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The release that it speaks as.
    pub release: Release,
    /// The shared token; without one everybody is let in.
    pub token: Option<String>,
    /// The agent.
    pub agent: Script,
    /// The names of the configured agents; all behave as `agent` says, and their transcripts lie with `main`'s. A
    /// session of another one is refused.
    pub agents: Vec<String>,
    /// A state directory for `agents/main/sessions/…`; only the releases with JSONL write there.
    pub transcripts: Option<PathBuf>,
    /// How long an ended run's key is remembered.
    pub key_lifetime: Duration,
    /// The interval of `tick` events.
    pub tick: Duration,
    /// How long a restart answers `connect` with "gateway starting".
    pub startup: Duration,
    /// What happens to interrupted runs after a restart.
    pub resume: Resume,
    /// Whether clients count as remote: a token alone gives no scope, a device must be approved.
    pub remote: bool,
    /// The gateway's clock.
    pub clock: Clock,
}

impl Default for Options {
    /// The current release with the built-in agent, the real lifetimes, and no delay at a restart.
    fn default() -> Self {
        Self {
            release: Release::V2026_9_6,
            token: None,
            agent: Script::builtin(),
            agents: vec!["main".to_owned()],
            transcripts: None,
            key_lifetime: Duration::from_secs(300),
            tick: Duration::from_secs(30),
            startup: Duration::ZERO,
            resume: Resume::After(Duration::ZERO),
            remote: false,
            clock: Clock::system(),
        }
    }
}

/// A handle to a running stand-in; clones are the same gateway.
#[derive(Debug, Clone)]
pub struct OpenClawStandIn {
    gateway: Arc<Gateway>,
}

impl OpenClawStandIn {
    /// Serves on `listener` until `stop` is cancelled.
    ///
    /// # Errors
    /// When the listener has no address, or the folder for transcripts cannot be made.
    pub fn start(
        listener: TcpListener,
        options: Options,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let tracker = TaskTracker::new();
        let transcripts = match &options.transcripts {
            Some(state) if options.release.keeps_jsonl() => {
                let (transcripts, owner) = Transcripts::open(state, options.release)?;
                tracker.spawn(owner);
                Some(transcripts)
            }
            Some(_) | None => None,
        };
        let now = options.clock.now();
        let gateway = Arc::new(Gateway {
            release: options.release,
            token: options.token,
            remote: options.remote,
            agents: options.agents,
            tick: options.tick,
            startup: options.startup,
            address,
            memory: Memory::new(
                options.release,
                options.key_lifetime,
                stop.clone(),
                now.earlier(FIRST_UPTIME),
            ),
            clients: Clients::new(),
            prompter: Prompter::new(options.agent),
            faults: Faults::default(),
            pairing: Pairing::default(),
            transcripts,
            resume: watch::Sender::new(options.resume),
            phase: watch::Sender::new(Phase::Up),
            frozen: watch::Sender::new(false),
            clock: options.clock,
            tracker,
            stop,
        });
        gateway
            .tracker
            .spawn(gateway::accept(Arc::clone(&gateway), listener));
        gateway.tracker.spawn(gateway::beat(Arc::clone(&gateway)));
        Ok(Self { gateway })
    }

    /// Where clients connect to.
    pub fn url(&self) -> String {
        format!("ws://{}", self.gateway.address)
    }

    /// The release that it speaks as.
    pub fn release(&self) -> Release {
        self.gateway.release
    }

    /// `sessions.json`, where the release keeps one.
    pub fn sessions_json(&self) -> Option<PathBuf> {
        self.gateway.transcripts.as_ref().map(Transcripts::index)
    }

    /// The questions that clients asked, each once, in the order in which they were taken.
    ///
    /// A key that was known is not a question; what the gateway resumes by itself is in
    /// [`OpenClawStandIn::executions`].
    pub fn asked(&self) -> Vec<Asked> {
        self.gateway.memory.all_asked()
    }

    /// Waits until there are `n` questions; gives all of them.
    pub async fn asked_n(&self, n: usize) -> Vec<Asked> {
        at_least(self.gateway.memory.asked_count(), n).await;
        self.asked()
    }

    /// When the end of the last run in `session` (canonical form) left the gateway: for measuring.
    pub fn told(&self, session: &str) -> Option<Told> {
        self.gateway.memory.told(session)
    }

    /// Every time that the model was given a question, by a client or by a restart.
    pub fn executions(&self) -> Vec<Execution> {
        self.gateway.memory.executions()
    }

    /// Waits until the model was given a question `n` times; gives all of them.
    pub async fn executed_n(&self, n: usize) -> Vec<Execution> {
        at_least(self.gateway.memory.executed_count(), n).await;
        self.executions()
    }

    /// What was obeyed of what clients wrote by `chat.send`: commands, directives and stop words, in order.
    pub fn obeyed(&self) -> Vec<Obeyed> {
        self.gateway.memory.obeyed()
    }

    /// Every request after the connect, repetitions and unanswered ones included.
    pub fn received(&self) -> Vec<Received> {
        self.gateway.memory.received()
    }

    /// How many clients are connected and accepted.
    pub fn connected(&self) -> usize {
        *self.gateway.clients.connected().borrow()
    }

    /// Waits until exactly `n` clients are connected and accepted.
    pub async fn connected_n(&self, n: usize) {
        let mut connected = self.gateway.clients.connected();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = connected.wait_for(|count| *count == n).await;
    }

    /// From now on the agent answers with what `answer` says.
    pub fn answer_with(&self, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        self.gateway.prompter.replace(Script::new(answer));
    }

    /// The next question is answered with this instead of by the script; several are used up in their order.
    pub fn answer_next(&self, answer: Answer) {
        self.gateway.prompter.queue(answer);
    }

    /// The next `times` connects go wrong; faults strike in the order in which they were switched on.
    pub fn fail_connect(&self, times: usize, fault: ConnectFault) {
        self.gateway.faults.on_connect(times, fault);
    }

    /// The next `times` requests of `method` go wrong.
    pub fn fail_request(&self, method: &str, times: usize, fault: RequestFault) {
        self.gateway.faults.on_request(method, times, fault);
    }

    /// Switches all faults off that have not struck.
    pub fn clear_faults(&self) {
        self.gateway.faults.clear();
    }

    /// Sends every connection a frame as it stands: no JSON, an unknown type, another gateway's answer.
    pub fn send_raw(&self, text: &str) {
        self.gateway.clients.everybody(&Out::Frame(text.to_owned()));
    }

    /// Sends every connection a `tick` now.
    pub fn tick(&self) {
        let tick = json::Object::new().with("ts", self.gateway.clock.now());
        self.gateway.clients.tell(frame::event("tick", tick));
    }

    /// Drops every socket without a close frame; the gateway lives on, and so do its runs.
    pub fn drop_connections(&self) {
        self.gateway.clients.cut_all();
    }

    /// Half-open connections: while `on`, bytes are accepted and nothing is answered, not even a ping. When it is
    /// switched off, the connections go on as if nothing had been.
    pub fn half_open(&self, on: bool) {
        self.gateway.frozen.send_replace(on);
    }

    /// SIGKILL: sockets gone without a close frame, runs interrupted, keys forgotten. Connections are reset until
    /// [`OpenClawStandIn::restart`].
    pub fn kill(&self) {
        gateway::kill(&self.gateway);
    }

    /// SIGTERM, as the release takes it: 2026.9.6 ends its runs first, older releases interrupt them; then a
    /// `shutdown` event and close 1012. [`OpenClawStandIn::down`] says when it is over.
    pub fn terminate(&self) {
        gateway::terminate(&self.gateway);
    }

    /// Every event that is told from now on, as JSON without the sequence number. A receiver that lags far behind
    /// misses the oldest.
    pub fn events(&self) -> Events {
        Events(self.gateway.clients.told())
    }

    /// Whether the gateway takes connections.
    pub fn is_up(&self) -> bool {
        *self.gateway.phase.borrow() == Phase::Up
    }

    /// Waits until the gateway takes connections.
    pub async fn up(&self) {
        let mut phase = self.gateway.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = phase.wait_for(|phase| *phase == Phase::Up).await;
    }

    /// Waits until the gateway's process is gone.
    pub async fn down(&self) {
        let mut phase = self.gateway.phase.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = phase.wait_for(|phase| *phase == Phase::Down).await;
    }

    /// A new process: new boot id, no keys, uptime from zero; a process that still lives is killed first.
    pub fn restart(&self) {
        if *self.gateway.phase.borrow() != Phase::Down {
            gateway::kill(&self.gateway);
        }
        gateway::restart(&self.gateway);
    }

    /// Changes what happens to interrupted runs, also for a restart that already was.
    pub fn resume(&self, resume: Resume) {
        self.gateway.resume.send_replace(resume);
    }

    /// The devices that wait for approval, by request id (remote clients only).
    pub fn pending_devices(&self) -> Vec<String> {
        self.gateway.pairing.pending()
    }

    /// Approves a device, as `openclaw devices approve <request>` does; false when no such request waits.
    pub fn approve(&self, request: &str) -> bool {
        self.gateway
            .pairing
            .approve(request, self.gateway.clock.now())
    }

    /// The texts of a session's visible rows, as `role: text`; none when there is no such session.
    pub fn transcript(&self, session: &str) -> Option<Vec<String>> {
        let key = SessionKey::new(session).ok()?;
        let memory = &self.gateway.memory;
        memory.see(key.as_str(), |session| {
            session.visible().map(session::Row::line).collect()
        })
    }
}

/// The events of a gateway, as they are told.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Arc<str>>);

impl Events {
    /// The next event; none when the gateway is gone. What was missed is skipped.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match self.0.recv().await {
                Ok(head) => return Some(frame::numbered(&head, None)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

async fn at_least(mut count: watch::Receiver<usize>, n: usize) {
    // The sender lives in the gateway, which the caller holds.
    let _ = count.wait_for(|count| *count >= n).await;
}
