//! One turn at the gateway, from the request to its outcome, across lost connections and restarts.

use std::time::Duration;

use gateway::{AgentReply, AgentRequest, Boot, RequestError, Run, Waited};
use model::{Picture, Reply, RunId, Timestamp, Turn};
use store::{StoreError, StoredTurn, TurnState};
use tracing::{debug, info, warn};

use super::ear::Ear;
use super::state::{self, Situation, Step};
use super::{Begun, Turns, seen};
use crate::relay;

/// What was heard of the turn.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text that already stands in the session's transcript (only with `gateway.relay = "jsonl"`).
    Text(String),
    /// The turn is over.
    Over(Reply),
}

/// A turn in progress.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    turns: &'a Turns,
    stored: StoredTurn,
    phase: Phase,
    ear: Option<Ear>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing was sent, or the gateway surely does not have it.
    Unasked,
    /// The ask is on disk; its request has not gone out.
    Recorded,
    /// The connection on which the answer will come is up.
    Running(Run),
    /// The gateway runs it, but the answer will not come by itself.
    InFlight { run: RunId, waits: u32 },
    /// It was asked once; what became of it is not known.
    Unsure,
    /// It has ended so, but the transcript has not shown it yet.
    Ending(Reply),
}

impl<'a> Asking<'a> {
    /// Takes up a turn, which may have been asked by an earlier process.
    pub(crate) async fn take_up(turns: &'a Turns, begun: Begun) -> Asking<'a> {
        let Begun { stored, unsent } = begun;
        let phase = match stored.state {
            TurnState::Asked if unsent => Phase::Recorded,
            TurnState::Asked => Phase::Unsure,
            TurnState::Queued | TurnState::Answered | TurnState::Silent | TurnState::Failed => {
                Phase::Unasked
            }
        };
        let ear = Ear::open(turns, &stored).await;
        Self {
            turns,
            stored,
            phase,
            ear,
        }
    }

    /// The next thing heard; after [`Heard::Over`] there is nothing more.
    ///
    /// # Errors
    /// [`StoreError`] when the ask cannot be recorded; nothing was sent then.
    pub(crate) async fn next(&mut self) -> Result<Heard, StoreError> {
        loop {
            if let Some(text) = self.ear.as_mut().and_then(Ear::take) {
                return Ok(Heard::Text(text));
            }
            let phase = std::mem::replace(&mut self.phase, Phase::Unsure);
            match phase {
                Phase::Unasked => {
                    self.record().await?;
                    self.phase = self.request().await?;
                }
                Phase::Recorded => self.phase = self.request().await?,
                Phase::Running(run) => {
                    if let Some(text) = self.listen(run).await {
                        return Ok(Heard::Text(text));
                    }
                }
                Phase::InFlight { run, waits } => self.phase = self.wait(run, waits).await,
                Phase::Unsure => self.phase = self.find_out().await,
                Phase::Ending(reply) => return Ok(self.end(reply).await),
            }
        }
    }

    /// Writes the ask down, once there is a gateway to ask.
    async fn record(&mut self) -> Result<(), StoreError> {
        let hello = self.turns.gateway.ready().await;
        let mark = self.ear.as_ref().map(Ear::mark);
        let boot = hello.boot.to_string();
        self.turns
            .store
            .asking(self.stored.id, &boot, mark.as_deref())
            .await?;
        self.stored.state = TurnState::Asked;
        self.stored.attempts += 1;
        self.stored.boot = Some(boot);
        self.stored.asked_at = Some(self.turns.clock.now());
        self.stored.accepted_at.get_or_insert(hello.gateway_now());
        Ok(())
    }

    /// Sends the ask that is on disk.
    async fn request(&mut self) -> Result<Phase, StoreError> {
        let answer = self.turns.gateway.agent(&self.question().await).await;
        if let Ok(AgentReply::Accepted(run)) = &answer
            && let Some(at) = run.accepted_at()
        {
            self.turns.store.accepted(self.stored.id, at).await?;
        }
        Ok(match answer {
            Ok(AgentReply::Accepted(run)) => Phase::Running(run),
            Ok(AgentReply::InFlight(run)) => Phase::InFlight { run, waits: 0 },
            Ok(AgentReply::Finished(result)) => Phase::Ending(relay::reply(&result)),
            Err(error) => self.after(error).await,
        })
    }

    /// The request, the same each time. A picture that is not there any more is left out: the words are.
    async fn question(&self) -> AgentRequest {
        let turn = &self.stored.turn;
        let mut pictures = Vec::new();
        for Picture { file, mime } in &turn.pictures {
            match tokio::fs::read(self.turns.shelf.path(file)).await {
                Ok(bytes) => pictures.push(gateway::Picture {
                    name: file.clone(),
                    mime: mime.clone(),
                    bytes,
                }),
                Err(error) => {
                    warn!(turn = %self.stored.id, file, %error, "a picture is not there any more");
                }
            }
        }
        AgentRequest {
            session: turn.session.clone(),
            key: turn.key.clone(),
            text: turn.text.clone(),
            extra_system_prompt: (!turn.context.is_empty()).then(|| turn.context.clone()),
            timeout: None,
            pictures,
        }
    }

    /// What a failed request means for the turn.
    async fn after(&self, error: RequestError) -> Phase {
        match error {
            RequestError::NotConnected => Phase::Unasked,
            RequestError::Lost | RequestError::Deadline => Phase::Unsure,
            RequestError::Rejected(rejection)
                if rejection.retryable && self.stored.attempts < state::MOST_ASKS =>
            {
                let doubled = self
                    .turns
                    .timing
                    .backoff
                    .saturating_mul(1 << self.stored.attempts.min(8));
                let wait = rejection.retry_after.unwrap_or(doubled);
                debug!(turn = %self.stored.id, code = %rejection.code, "the gateway asks to wait");
                tokio::time::sleep(wait).await;
                Phase::Unasked
            }
            refused @ (RequestError::Rejected(_) | RequestError::TooLarge { .. }) => {
                Phase::Ending(Reply::Failed {
                    detail: refused.to_string(),
                })
            }
        }
    }

    /// Awaits the run's end; with a transcript, its texts as they appear.
    async fn listen(&mut self, mut run: Run) -> Option<String> {
        let limit = self.turns.timing.push.min(self.turns.timing.run_limit);
        let finished = async { tokio::time::timeout(limit, run.finished()).await };
        let finished = match &mut self.ear {
            None => finished.await,
            Some(ear) => tokio::select! {
                biased;
                text = ear.hear() => {
                    self.phase = Phase::Running(run);
                    return Some(text);
                }
                finished = finished => finished,
            },
        };
        self.phase = match finished {
            Ok(Ok(result)) => Phase::Ending(relay::reply(&result)),
            Ok(Err(error)) => {
                info!(turn = %self.stored.id, %error, "lost sight of the run");
                self.after(error).await
            }
            // A run that takes this long is asked after, in case its report was lost.
            Err(_elapsed) => Phase::InFlight {
                run: run.id().clone(),
                waits: 0,
            },
        };
        None
    }

    /// Waits for a run whose result will not be pushed; then the same key fetches it.
    async fn wait(&mut self, run: RunId, waits: u32) -> Phase {
        match self.turns.gateway.wait(&run, self.turns.timing.wait).await {
            Ok(Waited::Running) if self.since_asked() > self.turns.timing.run_limit => {
                self.abort().await
            }
            // The gateway has one word for "not yet" and for "unknown": now and then the session is looked at.
            Ok(Waited::Running) if waits >= WAITS_BEFORE_A_LOOK => Phase::Unsure,
            Ok(Waited::Running) => Phase::InFlight {
                run,
                waits: waits + 1,
            },
            Ok(Waited::Ended) => {
                let phase = self.repeat().await;
                if matches!(phase, Phase::InFlight { .. }) {
                    // The end is known a moment before the result is.
                    tokio::time::sleep(self.turns.timing.look).await;
                }
                phase
            }
            Err(error) => self.after(error).await,
        }
    }

    /// Decides what to do about a turn that may have reached the gateway.
    async fn find_out(&mut self) -> Phase {
        let (mut session, mut quiet_looks) = (None::<state::Session>, 0);
        loop {
            let hello = self.turns.gateway.ready().await;
            let asked_boot = self
                .stored
                .boot
                .as_deref()
                .and_then(|boot| boot.parse::<Boot>().ok());
            let situation = Situation {
                same_boot: !hello.after_restart
                    && asked_boot.is_some_and(|boot| boot.same_as(&hello.boot)),
                since_asked: self.since_asked(),
                uptime: hello.uptime(),
                asks: self.stored.attempts,
                session,
                quiet_looks,
                run_limit: self.turns.timing.run_limit,
            };
            let step = state::next(situation);
            debug!(turn = %self.stored.id, ?step, ?situation, "finding out about a turn");
            match step {
                Step::Repeat => return self.repeat().await,
                Step::Ask => {
                    warn!(turn = %self.stored.id, "the gateway lost the turn, asking again");
                    return Phase::Unasked;
                }
                Step::GiveUp => {
                    let detail = format!("asked {} times without an answer", self.stored.attempts);
                    return Phase::Ending(Reply::Failed { detail });
                }
                Step::Abort => return self.abort().await,
                Step::Take => return Phase::Ending(relay::history_reply(&self.look().await.0)),
                Step::Look => session = self.look().await.1,
                Step::Wait => {
                    if let Some(ear) = &mut self.ear {
                        ear.listen_for(self.turns.timing.look).await;
                    } else {
                        tokio::time::sleep(self.turns.timing.look).await;
                    }
                    session = self.look().await.1;
                }
            }
            let quiet = session.is_some_and(|seen| !seen.answered && seen.active != Some(true));
            quiet_looks = if quiet { quiet_looks + 1 } else { 0 };
        }
    }

    fn since_asked(&self) -> Duration {
        let now = self.turns.clock.now();
        now.since(self.stored.asked_at.unwrap_or(now))
    }

    /// Ends a run that never reports, so that the chat goes on.
    async fn abort(&self) -> Phase {
        let Turn { session, key, .. } = &self.stored.turn;
        warn!(turn = %self.stored.id, %session, "the run has not ended in time, aborting it");
        if let Err(error) = self.turns.gateway.abort(session, key).await {
            warn!(turn = %self.stored.id, %error, "the run could not be aborted");
        }
        let limit = self.turns.timing.run_limit.as_secs();
        Phase::Ending(Reply::Failed {
            detail: format!("no answer within {limit} s"),
        })
    }

    /// Sends the same key again to a gateway that surely remembers it: it joins the run, or gives its result.
    async fn repeat(&self) -> Phase {
        match self.turns.gateway.agent(&self.question().await).await {
            Ok(AgentReply::Finished(result)) => Phase::Ending(relay::reply(&result)),
            Ok(AgentReply::InFlight(run)) => Phase::InFlight { run, waits: 0 },
            // 2026.5.7 says "accepted" for a run that goes on, and pushes nothing more on this request.
            Ok(AgentReply::Accepted(run)) => Phase::InFlight {
                run: run.id().clone(),
                waits: 0,
            },
            Err(error) => self.after(error).await,
        }
    }

    /// What the session shows of the turn; nothing when the gateway cannot say now.
    async fn look(&mut self) -> (Vec<String>, Option<state::Session>) {
        match self
            .turns
            .gateway
            .history(&self.stored.turn.session, HISTORY_ROWS)
            .await
        {
            Ok(history) => {
                let since = self
                    .stored
                    .accepted_at
                    .map(|at: Timestamp| at.earlier(ROW_MARGIN));
                let (texts, session) = seen::in_history(&history, &self.stored.turn, since);
                (texts, Some(session))
            }
            Err(error) => {
                debug!(turn = %self.stored.id, %error, "the session cannot be looked at");
                (Vec::new(), None)
            }
        }
    }

    /// The outcome, after the transcript has shown what it has.
    async fn end(&mut self, reply: Reply) -> Heard {
        let Some(ear) = &mut self.ear else {
            return Heard::Over(reply);
        };
        let expected = matches!(reply, Reply::Say(_)) && ear.heard == 0;
        if expected {
            ear.listen_for(self.turns.timing.transcript).await;
        } else {
            ear.drain();
        }
        if let Some(text) = ear.take() {
            self.phase = Phase::Ending(reply);
            return Heard::Text(text);
        }
        if ear.heard > 0 {
            return Heard::Over(Reply::Silent);
        }
        if expected {
            warn!(turn = %self.stored.id, "the transcript does not show the answer; taking the run's own result");
        }
        Heard::Over(reply)
    }
}

/// How often a run is waited for before its session is looked at instead: ten minutes of waiting.
const WAITS_BEFORE_A_LOOK: u32 = 24;

/// How many rows of a session are looked through for a turn and its answer.
const HISTORY_ROWS: u32 = 40;

/// How much earlier than the gateway's own acceptance a row of the turn may be dated.
const ROW_MARGIN: Duration = Duration::from_secs(2);
