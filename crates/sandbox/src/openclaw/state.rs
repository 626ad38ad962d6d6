//! The gateway's memory: sessions, keys, what was asked and what the model was given. The lock never leaves this
//! file, and nothing waits while it is held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::keys::{Keys, Known, Terminal};
use super::release::Release;
use super::run::{ReplyTo, Run};
use super::script::Asked;
use super::session::{Body, Row, Session, Status, Summary, short_id};

/// One time that the model was given a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The session in canonical form.
    pub session: String,
    /// The idempotency key; the gateway's own run id where it resumed by itself.
    pub key: String,
    /// The question; for a resumed run the one that was interrupted.
    pub text: String,
    /// Whether the gateway resumed by itself after a restart.
    pub resumed: bool,
}

/// A command, a directive or a stop word that the gateway obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obeyed {
    /// The session in canonical form.
    pub session: String,
    /// The idempotency key of the text that it stood in.
    pub key: String,
    /// The command with what follows it.
    pub text: String,
}

/// When the end of a session's last run left the gateway, by the monotonic clock: for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Just before the last assistant line was appended to the transcript.
    pub written: Instant,
    /// Just before the second response was handed to the socket.
    pub responded: Instant,
}

/// A request after the connect, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// When it came, by the gateway's clock.
    pub at: Timestamp,
}

/// One life of the gateway process.
#[derive(Debug, Clone)]
pub(super) struct Boot {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) started_at: Timestamp,
    /// Cancelled when the process dies.
    pub(super) life: CancellationToken,
}

/// What became of a request to run.
#[derive(Debug)]
pub(super) enum Admitted {
    /// A new run; start it when told so, else it waits in its lane.
    New { run: Arc<Run>, start: bool },
    /// The key's run goes on.
    Running { accepted_at: Timestamp },
    /// The key's run ended.
    Ended(Arc<Terminal>),
    /// Too many questions wait in the session.
    Full,
    /// The process has died; nobody hears of it.
    Dead,
}

/// What a run wrote: the session it is in, and the rows.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) summary: Summary,
    pub(super) rows: Vec<Row>,
    /// The ids of the entries that a new file begins with, when this is its first row.
    pub(super) head: Option<[String; 3]>,
}

/// A request for a run, checked.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) asked: Asked,
    pub(super) reply_to: ReplyTo,
    pub(super) timeout: Option<Duration>,
}

/// The memory, shared.
#[derive(Debug)]
pub(super) struct Memory {
    release: Release,
    stop: CancellationToken,
    state: Mutex<State>,
    asked: watch::Sender<usize>,
    executed: watch::Sender<usize>,
    open: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    boot: Boot,
    keys: Keys,
    sessions: HashMap<String, Session>,
    asked: Vec<Asked>,
    executions: Vec<Execution>,
    obeyed: Vec<Obeyed>,
    told: HashMap<String, Told>,
    received: Vec<Received>,
}

impl Memory {
    pub(super) fn new(
        release: Release,
        key_lifetime: Duration,
        stop: CancellationToken,
        now: Timestamp,
    ) -> Self {
        let state = State {
            boot: boot(1, &stop, now),
            keys: Keys::new(key_lifetime),
            sessions: HashMap::new(),
            asked: Vec::new(),
            executions: Vec::new(),
            obeyed: Vec::new(),
            told: HashMap::new(),
            received: Vec::new(),
        };
        Self {
            release,
            stop,
            state: Mutex::new(state),
            asked: watch::Sender::new(0),
            executed: watch::Sender::new(0),
            open: watch::Sender::new(0),
        }
    }

    /// The present life of the process.
    pub(super) fn boot(&self) -> Boot {
        self.lock().boot.clone()
    }

    /// Takes a run, unless its key is known.
    pub(super) fn admit(&self, wanted: Wanted) -> Admitted {
        let mut state = self.lock();
        if state.boot.life.is_cancelled() {
            return Admitted::Dead;
        }
        let now = wanted.asked.at;
        match state.keys.look(&wanted.asked.key, now) {
            Known::Running { accepted_at, .. } => return Admitted::Running { accepted_at },
            Known::Ended(terminal) => return Admitted::Ended(terminal),
            Known::Nothing => {}
        }
        let asked = wanted.asked.clone();
        let run = Arc::new(Run::new(wanted, &state.boot));
        let Some(start) = state.queue(&run) else {
            return Admitted::Full;
        };
        if !asked.resumed {
            state.asked.push(asked);
        }
        self.open.send_modify(|open| *open += 1);
        self.asked.send_replace(state.asked.len());
        Admitted::New { run, start }
    }

    /// The run begins: it is written down that it was asked, and the model is given it.
    pub(super) fn begin(&self, run: &Run, now: Timestamp) -> Option<Written> {
        let mut state = self.lock();
        let session = state.of(run)?;
        let head = session
            .is_blank()
            .then(|| [short_id(), short_id(), short_id()]);
        if let Some([.., last]) = &head {
            session.root_at(last);
        }
        let row = session.begin(run, self.release, now);
        let written = Written {
            summary: session.summary().clone(),
            rows: vec![row],
            head,
        };
        state.executions.push(Execution {
            session: run.asked.session.clone(),
            key: run.asked.key.clone(),
            text: run.asked.text.clone(),
            resumed: run.asked.resumed,
        });
        self.executed.send_replace(state.executions.len());
        Some(written)
    }

    /// The run writes rows; none when its process is dead.
    pub(super) fn write(&self, run: &Run, bodies: Vec<Body>, now: Timestamp) -> Option<Written> {
        let mut state = self.lock();
        let release = self.release;
        let session = state.of(run)?;
        let rows = bodies
            .into_iter()
            .map(|body| session.add(run, body, release, now))
            .collect();
        Some(Written {
            summary: session.summary().clone(),
            rows,
            head: None,
        })
    }

    /// The run ended: its key knows how, and the next run of the session becomes active.
    pub(super) fn end(
        &self,
        run: &Run,
        terminal: &Arc<Terminal>,
        status: Status,
        now: Timestamp,
    ) -> Option<(Summary, Option<Arc<Run>>)> {
        let mut state = self.lock();
        let session = state.of(run)?;
        session.end(status, now);
        let next = session.next();
        let summary = session.summary().clone();
        state.keys.end(&run.asked.key, terminal, now);
        Some((summary, next))
    }

    /// The run's last response is on its way: a gateway that drains waits for it no longer.
    pub(super) fn settle(&self, run: &Run) {
        let state = self.lock();
        if run.boot == state.boot.number {
            self.open.send_modify(|open| *open = open.saturating_sub(1));
        }
    }

    /// Notes a command that is obeyed.
    pub(super) fn obey(&self, obeyed: Obeyed) {
        self.lock().obeyed.push(obeyed);
    }

    /// The commands that were obeyed, in order.
    pub(super) fn obeyed(&self) -> Vec<Obeyed> {
        self.lock().obeyed.clone()
    }

    /// Notes a key whose command was over as soon as it came.
    pub(super) fn done(&self, key: &str, terminal: &Arc<Terminal>, now: Timestamp) {
        let mut state = self.lock();
        state.keys.accept(key, now);
        state.keys.end(key, terminal, now);
    }

    /// What is known of a run.
    pub(super) fn look(&self, run: &str, now: Timestamp) -> Known {
        self.lock().keys.look(run, now)
    }

    /// Shows a session to `see`.
    pub(super) fn see<T>(&self, key: &str, see: impl FnOnce(&Session) -> T) -> Option<T> {
        self.lock().sessions.get(key).map(see)
    }

    /// All sessions, the one that was last active first.
    pub(super) fn sessions(&self) -> Vec<Summary> {
        let state = self.lock();
        let mut all: Vec<Summary> = state
            .sessions
            .values()
            .map(|session| session.summary().clone())
            .collect();
        all.sort_by(|a, b| {
            b.updated_at
                .cmp(&a.updated_at)
                .then_with(|| a.key.cmp(&b.key))
        });
        all
    }

    /// The process dies: keys are forgotten, runs are interrupted.
    pub(super) fn die(&self) {
        let mut state = self.lock();
        state.boot.life.cancel();
        // A run of the dead process must not write after this, even before there is a new one.
        state.boot.number += 1;
        state.keys.forget();
        for session in state.sessions.values_mut() {
            session.interrupt();
        }
        self.open.send_replace(0);
    }

    /// A new process lives.
    pub(super) fn live(&self, now: Timestamp) {
        let mut state = self.lock();
        state.boot = boot(state.boot.number + 1, &self.stop, now);
    }

    /// The questions that were interrupted and wait to be resumed, by session.
    pub(super) fn interrupted(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let texts = state.sessions.iter().filter_map(|(key, session)| {
            let interrupted = session.interrupted()?;
            Some((key.clone(), interrupted.text.clone()))
        });
        let mut texts: Vec<(String, String)> = texts.collect();
        texts.sort();
        texts
    }

    /// Notes a request as it came.
    pub(super) fn receive(&self, received: Received) {
        self.lock().received.push(received);
    }

    /// Every request, in the order in which they came.
    pub(super) fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// Every question, in the order in which they were taken.
    pub(super) fn all_asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Notes when the end of the run in `session` left.
    pub(super) fn tell(&self, session: &str, told: Told) {
        self.lock().told.insert(session.to_owned(), told);
    }

    /// When the end of the last run in `session` left.
    pub(super) fn told(&self, session: &str) -> Option<Told> {
        self.lock().told.get(session).copied()
    }

    /// Every time that the model was given a question.
    pub(super) fn executions(&self) -> Vec<Execution> {
        self.lock().executions.clone()
    }

    /// The number of questions, as it grows.
    pub(super) fn asked_count(&self) -> watch::Receiver<usize> {
        self.asked.subscribe()
    }

    /// The number of executions, as it grows.
    pub(super) fn executed_count(&self) -> watch::Receiver<usize> {
        self.executed.subscribe()
    }

    /// The number of runs that were taken and have not ended.
    pub(super) fn open_count(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The session of a run, unless the run's process is dead.
    fn of(&mut self, run: &Run) -> Option<&mut Session> {
        if run.boot != self.boot.number {
            return None;
        }
        self.sessions.get_mut(&run.asked.session)
    }

    /// Puts a run into its session's lane, and its key into the table; none when the lane is full.
    fn queue(&mut self, run: &Arc<Run>) -> Option<bool> {
        let asked = &run.asked;
        let session = self
            .sessions
            .entry(asked.session.clone())
            .or_insert_with(|| Session::new(asked.session.clone(), asked.at));
        if !session.has_room() {
            return None;
        }
        self.keys.accept(&asked.key, asked.at);
        Some(session.queue(run))
    }
}

fn boot(number: u64, stop: &CancellationToken, now: Timestamp) -> Boot {
    Boot {
        number,
        id: Uuid::new_v4().to_string(),
        started_at: now,
        life: stop.child_token(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(key: &str) -> Wanted {
        Wanted {
            asked: Asked {
                session: "agent:main:main".to_owned(),
                key: key.to_owned(),
                text: "hello".to_owned(),
                params: Value::Null,
                at: Timestamp::from_seconds(1_000),
                resumed: false,
            },
            reply_to: ReplyTo::Nobody,
            timeout: None,
        }
    }

    #[test]
    fn a_dead_process_takes_nothing_that_would_stand_in_the_way_of_the_next_one() {
        let now = Timestamp::from_seconds(1_000);
        let (stop, life) = (CancellationToken::new(), Duration::from_secs(300));
        let memory = Memory::new(Release::V2026_9_6, life, stop, now);
        memory.die();
        assert!(matches!(memory.admit(wanted("late")), Admitted::Dead));
        memory.live(now);
        let admitted = memory.admit(wanted("early"));
        assert!(matches!(admitted, Admitted::New { start: true, .. }));
        assert_eq!(memory.all_asked().len(), 1);
    }
}
