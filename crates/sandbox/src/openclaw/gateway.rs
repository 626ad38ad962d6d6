//! What every part of the scripted gateway shares, and its life: up, starting, draining, down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Timestamp};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Resume;
use super::clients::{Clients, Out};
use super::connection;
use super::device::Pairing;
use super::faults::Faults;
use super::frame::event;
use super::json::Object;
use super::release::Release;
use super::run::{self, ReplyTo, Run};
use super::script::{Asked, Prompter};
use super::session::Summary;
use super::state::{Admitted, Memory, Wanted, Written};
use super::transcript::Transcripts;

/// The state of the gateway's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Takes connections and requests.
    Up,
    /// Takes connections and turns them away with 1013.
    Starting,
    /// Ends what it has, and takes nothing more.
    Draining,
    /// Not there.
    Down,
}

/// The parts of the gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) release: Release,
    pub(super) token: Option<String>,
    pub(super) remote: bool,
    pub(super) agents: Vec<String>,
    pub(super) clock: Clock,
    pub(super) tick: Duration,
    pub(super) startup: Duration,
    pub(super) address: SocketAddr,
    pub(super) memory: Memory,
    pub(super) clients: Clients,
    pub(super) prompter: Prompter,
    pub(super) faults: Faults,
    pub(super) pairing: Pairing,
    pub(super) transcripts: Option<Transcripts>,
    pub(super) resume: watch::Sender<Resume>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) frozen: watch::Sender<bool>,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Gateway {
    pub(super) fn is_up(&self) -> bool {
        *self.phase.borrow() == Phase::Up
    }

    /// Whether requests are left unanswered.
    pub(super) fn is_deaf(&self) -> bool {
        *self.phase.borrow() == Phase::Draining
    }

    pub(super) fn http_base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a result calls the session's file.
    pub(super) fn session_file(&self, summary: &Summary) -> String {
        match (&self.transcripts, self.release) {
            (_, Release::V2026_9_6) => summary.key.clone(),
            (Some(transcripts), _) => transcripts.file(&summary.id).to_string_lossy().into_owned(),
            (None, _) => format!("/home/user/state/agents/main/sessions/{}.jsonl", summary.id),
        }
    }

    /// Writes rows to the session's file, where there are files; returns when they are written.
    pub(super) async fn record(&self, written: Written) {
        if let Some(transcripts) = &self.transcripts {
            transcripts.record(written).await;
        }
    }

    /// Notes that a session changed.
    pub(super) fn note_session(&self, summary: &Summary) {
        if let Some(transcripts) = &self.transcripts {
            transcripts.note(summary);
        }
    }

    pub(super) fn tell_all(&self, events: Vec<String>) {
        for event in events {
            self.clients.tell(event);
        }
    }
}

/// Takes connections until the end.
pub(super) async fn accept(gateway: Arc<Gateway>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = gateway.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            continue;
        };
        let phase = *gateway.phase.borrow();
        match phase {
            Phase::Up | Phase::Starting => {
                let served = connection::serve(Arc::clone(&gateway), stream);
                gateway.tracker.spawn(served);
            }
            Phase::Draining | Phase::Down => refuse(stream),
        }
    }
}

/// Resets a connection. The socket keeps listening, because a freed port could be taken by somebody else; to a
/// client a reset is as good as a refusal.
fn refuse(stream: TcpStream) {
    // A stream that cannot be reset is closed instead.
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// The heartbeat that every connection hears.
pub(super) async fn beat(gateway: Arc<Gateway>) {
    let mut beats = interval(gateway.tick);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats.reset();
    loop {
        tokio::select! {
            () = gateway.stop.cancelled() => return,
            _ = beats.tick() => {}
        }
        let tick = Object::new().with("ts", gateway.clock.now());
        gateway.clients.tell(event("tick", tick));
    }
}

/// SIGKILL: nothing is said, nothing is finished.
pub(super) fn kill(gateway: &Gateway) {
    gateway.phase.send_replace(Phase::Down);
    gateway.memory.die();
    gateway.clients.cut_all();
}

/// SIGTERM: the runs end first where the release drains, else they are interrupted; then everybody is told.
pub(super) fn terminate(gateway: &Arc<Gateway>) {
    if !gateway.release.drains() {
        gateway.phase.send_replace(Phase::Down);
        gateway.memory.die();
        say_goodbye(gateway);
        return;
    }
    gateway.phase.send_replace(Phase::Draining);
    let gateway = Arc::clone(gateway);
    gateway.tracker.clone().spawn(async move {
        let life = gateway.memory.boot().life;
        let mut open = gateway.memory.open_count();
        // What `wait_for` gives locks the count, so it must be gone before the count is changed.
        let drained = life
            .run_until_cancelled(open.wait_for(|open| *open == 0))
            .await
            .map(drop);
        if drained.is_some() {
            gateway.memory.die();
            gateway.phase.send_replace(Phase::Down);
            say_goodbye(&gateway);
        }
    });
}

fn say_goodbye(gateway: &Gateway) {
    let reason = Object::new().with("reason", "gateway stopping");
    let reason = reason.when(gateway.release < Release::V2026_9_6, |o| {
        o.with("restartExpectedMs", Value::Null)
    });
    gateway.clients.tell(event("shutdown", reason));
    gateway
        .clients
        .everybody(&Out::Close(1012, "service restart"));
}

/// A new process: it starts, takes connections, and resumes what was interrupted.
pub(super) fn restart(gateway: &Arc<Gateway>) {
    gateway.memory.live(gateway.clock.now());
    gateway.phase.send_replace(if gateway.startup.is_zero() {
        Phase::Up
    } else {
        Phase::Starting
    });
    let resuming = Arc::clone(gateway);
    let life = gateway.memory.boot().life;
    gateway.tracker.spawn(async move {
        life.run_until_cancelled(rise(&resuming)).await;
    });
}

async fn rise(gateway: &Arc<Gateway>) {
    if !gateway.startup.is_zero() {
        sleep(gateway.startup).await;
        gateway.phase.send_replace(Phase::Up);
    }
    let mut resume = gateway.resume.subscribe();
    // The sender lives as long as the gateway.
    let _ = resume
        .wait_for(|resume| !matches!(resume, Resume::Never))
        .await;
    let after = match *resume.borrow() {
        Resume::After(time) => time,
        Resume::Never => return,
    };
    sleep(after).await;
    for (session, text) in gateway.memory.interrupted() {
        let run = take_up(gateway, session, text);
        // 2026.9.6 resumes one session after the other (openclaw.md 5).
        if let (Some(run), Release::V2026_9_6) = (run, gateway.release) {
            ended(gateway, &run).await;
        }
    }
}

/// Asks the interrupted question again, under a run id of the gateway's own.
fn take_up(gateway: &Arc<Gateway>, session: String, text: String) -> Option<Arc<Run>> {
    let asked = Asked {
        session,
        key: Uuid::new_v4().to_string(),
        text,
        params: Value::Null,
        at: gateway.clock.now(),
        resumed: true,
    };
    let wanted = Wanted {
        asked,
        reply_to: ReplyTo::Nobody,
        timeout: None,
    };
    match gateway.memory.admit(wanted) {
        Admitted::New { run, start } => {
            run.acknowledged.open();
            if start {
                run::start(gateway, Arc::clone(&run));
            }
            Some(run)
        }
        Admitted::Running { .. } | Admitted::Ended(_) | Admitted::Full | Admitted::Dead => None,
    }
}

async fn ended(gateway: &Gateway, run: &Run) {
    use super::keys::Known;
    let now: Timestamp = gateway.clock.now();
    if let Known::Running { mut ended, .. } = gateway.memory.look(&run.asked.key, now) {
        // A process that dies forgets its runs, and this one with it.
        let _ = ended.wait_for(Option::is_some).await;
    }
}
