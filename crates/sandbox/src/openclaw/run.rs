//! One run: from its place in the session's lane to its second response.
//!
//! A lane is a task that works off one session's runs one after the other; it dies with the gateway's process and
//! leaves nothing behind but what was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::clients::Out;
use super::events;
use super::frame::Reply;
use super::gate::Gate;
use super::gateway::Gateway;
use super::history;
use super::outcome::{self, Ended};
use super::release::Release;
use super::script::{Answer, Asked, Step};
use super::session::{Body, Summary};
use super::state::{Boot, Told, Wanted, Written};

/// What the gateway tells the model when it resumes by itself: the beginning of it in every release.
const RESUMED: &str = "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was \
                       waiting on tool/model work. ";
/// How it goes on in the JSONL era.
const RESUMED_UP_TO_7: &str =
    "Continue from the existing transcript and finish the interrupted response.";
/// How it goes on in 2026.9.6.
const RESUMED_SINCE_9: &str = "The restart did not cancel the user's task. Continue from the existing \
     transcript: check the current state, recover interrupted work, and finish the task without asking the user \
     to repeat it.";

/// Where the second response goes.
#[derive(Debug, Clone)]
pub(super) enum ReplyTo {
    /// A request of a connection.
    Request {
        client: u64,
        id: String,
        twice: bool,
    },
    /// Nobody: the gateway asked.
    Nobody,
}

/// A run that was taken.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) asked: Asked,
    pub(super) boot: u64,
    /// Open once the first response was written.
    pub(super) acknowledged: Gate,
    life: CancellationToken,
    reply_to: ReplyTo,
    timeout: Option<Duration>,
    aborted: CancellationToken,
    seq: AtomicU64,
}

impl Run {
    pub(super) fn new(wanted: Wanted, boot: &Boot) -> Self {
        Self {
            asked: wanted.asked,
            boot: boot.number,
            acknowledged: Gate::shut(),
            life: boot.life.clone(),
            reply_to: wanted.reply_to,
            timeout: wanted.timeout,
            aborted: CancellationToken::new(),
            seq: AtomicU64::new(0),
        }
    }

    /// What the user row says: the question, or the words with which the release resumes it.
    pub(super) fn prompt(&self, release: Release) -> String {
        if !self.asked.resumed {
            return self.asked.text.clone();
        }
        match release {
            Release::V2026_9_6 => format!("{RESUMED}{RESUMED_SINCE_9}"),
            Release::V2026_7_35 => format!("{RESUMED}{RESUMED_UP_TO_7}"),
            Release::V2026_5_7 => {
                let stamp = history::stamp(self.asked.at);
                format!(
                    "[Queued user message that arrived while the previous turn was still active]\n{stamp}{}\n\n\
                     {stamp}{RESUMED}{RESUMED_UP_TO_7}",
                    self.asked.text
                )
            }
        }
    }

    /// Ends the run where it is, as its time limit would.
    pub(super) fn abort(&self) {
        self.aborted.cancel();
    }

    /// The number of the next event of this run.
    pub(super) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Starts the lane of a session with its first run.
pub(super) fn start(gateway: &Arc<Gateway>, run: Arc<Run>) {
    let lane = lane(Arc::clone(gateway), run);
    gateway.tracker.spawn(lane);
}

async fn lane(gateway: Arc<Gateway>, first: Arc<Run>) {
    let life = first.life.clone();
    let mut next = Some(first);
    while let Some(run) = next {
        let Some(following) = life.run_until_cancelled(drive(&gateway, &run)).await else {
            return;
        };
        next = following;
    }
}

/// Takes the run to its end; gives the next run of its session.
async fn drive(gateway: &Arc<Gateway>, run: &Arc<Run>) -> Option<Arc<Run>> {
    let began = gateway.clock.now();
    let written = gateway.memory.begin(run, began)?;
    let summary = written.summary.clone();
    gateway.record(written).await;
    gateway.tell_all(events::started(gateway.release, run, &summary, began));
    let mut work = Work {
        gateway,
        run,
        summary,
        interim: Vec::new(),
        tools: 0,
    };
    let answer = gateway.prompter.answer(&run.asked);
    let limit = run.timeout.unwrap_or(Duration::MAX);
    let performed = timeout(limit, work.perform(answer));
    let ended = match run.aborted.run_until_cancelled(performed).await {
        Some(Ok(ended)) => ended?,
        Some(Err(_)) | None => Ended::TimedOut,
    };
    work.finish(ended, began).await
}

/// A run at work.
struct Work<'a> {
    gateway: &'a Arc<Gateway>,
    run: &'a Arc<Run>,
    summary: Summary,
    interim: Vec<String>,
    tools: usize,
}

impl Work<'_> {
    /// Goes through the steps of the answer.
    async fn perform(&mut self, answer: Answer) -> Option<Ended> {
        for step in answer.steps {
            match step {
                Step::Wait(time) => sleep(time).await,
                Step::Hold(gate) => gate.pass().await,
                Step::Tool { say, name, result } => self.tool(say, name, result).await?,
            }
        }
        Some(Ended::Model(answer.end))
    }

    async fn tool(&mut self, say: String, tool: String, result: String) -> Option<()> {
        let call = format!("call_{}", Uuid::new_v4().simple());
        let now = self.gateway.clock.now();
        self.gateway.tell_all(events::tool(
            self.gateway.release,
            self.run,
            &self.summary,
            &call,
            &tool,
            now,
        ));
        if !say.is_empty() {
            self.interim.push(say.clone());
        }
        self.tools += 1;
        let bodies = vec![
            Body::Call {
                say,
                call: call.clone(),
                tool: tool.clone(),
            },
            Body::Result {
                call,
                tool,
                text: result,
            },
        ];
        let written = self.write(bodies)?;
        self.gateway.record(written).await;
        Some(())
    }

    fn write(&self, bodies: Vec<Body>) -> Option<Written> {
        let now = self.gateway.clock.now();
        self.gateway.memory.write(self.run, bodies, now)
    }

    /// Writes the last row, tells everybody, answers the request: in this order, as the gateway does.
    async fn finish(self, ended: Ended, began: model::Timestamp) -> Option<Arc<Run>> {
        let gateway = self.gateway;
        let now = gateway.clock.now();
        let outcome = outcome::of(&outcome::Facts {
            release: gateway.release,
            run: self.run,
            summary: &self.summary,
            session_file: &gateway.session_file(&self.summary),
            began,
            now,
            interim: &self.interim,
            tools: self.tools,
            ended: &ended,
        });
        let begun = Instant::now();
        if let Some(body) = outcome.row.clone() {
            let written = self.write(vec![body])?;
            gateway.record(written).await;
        }
        gateway.tell_all(events::ended(
            gateway.release,
            self.run,
            &self.summary,
            &outcome,
            now,
        ));
        let terminal = Arc::clone(&outcome.terminal);
        let (summary, next) = gateway
            .memory
            .end(self.run, &terminal, outcome.status, now)?;
        gateway.note_session(&summary);
        let told = Told {
            written: begun,
            responded: Instant::now(),
        };
        gateway.memory.tell(&self.run.asked.session, told);
        respond(gateway, self.run, &terminal.reply);
        gateway.memory.settle(self.run);
        next
    }
}

/// Sends the second response, after the first one.
fn respond(gateway: &Arc<Gateway>, run: &Arc<Run>, reply: &Reply) {
    let ReplyTo::Request { client, id, twice } = &run.reply_to else {
        return;
    };
    let frame = reply.frame(id);
    let (client, times) = (*client, if *twice { 2 } else { 1 });
    if run.acknowledged.is_open() {
        for _ in 0..times {
            gateway.clients.send(client, Out::Frame(frame.clone()));
        }
        return;
    }
    let (late, run) = (Arc::clone(gateway), Arc::clone(run));
    gateway.tracker.spawn(async move {
        let passed = run.life.run_until_cancelled(run.acknowledged.pass()).await;
        if passed.is_some() {
            for _ in 0..times {
                late.clients.send(client, Out::Frame(frame.clone()));
            }
        }
    });
}
