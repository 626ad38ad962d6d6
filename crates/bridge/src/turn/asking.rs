//! One turn at the gateway, from the request to its outcome, across lost connections and restarts.

use std::collections::VecDeque;
use std::time::Duration;

use gateway::transcript::{Entry, Follow, Mark, TurnView};
use gateway::{AgentReply, AgentRequest, Boot, RequestError, Run, Waited};
use model::{Reply, RunId, Timestamp, Turn};
use store::{StoreError, StoredTurn, TurnState};
use tracing::{debug, info, warn};

use super::state::{self, Situation, Step};
use super::{Turns, seen};
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
    /// The connection on which the answer will come is up.
    Running(Run),
    /// The gateway runs it, but the answer will not come by itself.
    InFlight(RunId),
    /// It was asked once; what became of it is not known.
    Unsure,
    /// It has ended so, but the transcript has not shown it yet.
    Ending(Reply),
}

/// The transcript of the turn's session.
#[derive(Debug)]
struct Ear {
    follow: Follow,
    view: TurnView,
    /// Heard, and not yet taken.
    texts: VecDeque<String>,
    /// How many were taken.
    heard: usize,
}

impl<'a> Asking<'a> {
    /// Takes up `stored`, which may have been asked by an earlier process.
    pub(crate) async fn take_up(turns: &'a Turns, stored: StoredTurn) -> Asking<'a> {
        let phase = match stored.state {
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
                Phase::Unasked => self.phase = self.ask().await?,
                Phase::Running(run) => {
                    if let Some(text) = self.listen(run).await {
                        return Ok(Heard::Text(text));
                    }
                }
                Phase::InFlight(run) => self.phase = self.wait(run).await,
                Phase::Unsure => self.phase = self.find_out().await,
                Phase::Ending(reply) => return Ok(self.end(reply).await),
            }
        }
    }

    /// Writes the ask, then sends it.
    async fn ask(&mut self) -> Result<Phase, StoreError> {
        let hello = self.turns.gateway.ready().await;
        let mark = self.ear.as_ref().map(|ear| ear.follow.mark().to_string());
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
        Ok(
            match self.turns.gateway.agent(&request(&self.stored.turn)).await {
                Ok(AgentReply::Accepted(run)) => {
                    if let Some(at) = run.accepted_at() {
                        self.turns.store.accepted(self.stored.id, at).await?;
                    }
                    Phase::Running(run)
                }
                Ok(AgentReply::InFlight(run)) => Phase::InFlight(run),
                Ok(AgentReply::Finished(result)) => Phase::Ending(relay::reply(&result)),
                Err(error) => self.after(error).await,
            },
        )
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
        let finished = match &mut self.ear {
            None => run.finished().await,
            Some(ear) => tokio::select! {
                biased;
                text = ear.hear() => {
                    self.phase = Phase::Running(run);
                    return Some(text);
                }
                finished = run.finished() => finished,
            },
        };
        self.phase = match finished {
            Ok(result) => Phase::Ending(relay::reply(&result)),
            Err(error) => {
                info!(turn = %self.stored.id, %error, "lost sight of the run");
                self.after(error).await
            }
        };
        None
    }

    /// Waits for a run whose result will not be pushed; then the same key fetches it.
    async fn wait(&mut self, run: RunId) -> Phase {
        match self.turns.gateway.wait(&run, self.turns.timing.wait).await {
            Ok(Waited::Running) => Phase::InFlight(run),
            Ok(Waited::Ended) => {
                match self.turns.gateway.agent(&request(&self.stored.turn)).await {
                    Ok(AgentReply::Finished(result)) => Phase::Ending(relay::reply(&result)),
                    Ok(AgentReply::InFlight(run)) => Phase::InFlight(run),
                    Ok(AgentReply::Accepted(run)) => Phase::Running(run),
                    Err(error) => self.after(error).await,
                }
            }
            Err(error) => self.after(error).await,
        }
    }

    /// Decides what to do about a turn that may have reached the gateway.
    async fn find_out(&mut self) -> Phase {
        let mut session = None;
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
                since_asked: self
                    .turns
                    .clock
                    .now()
                    .since(self.stored.asked_at.unwrap_or(self.turns.clock.now())),
                uptime: hello.uptime(),
                asks: self.stored.attempts,
                session,
            };
            let step = state::next(situation);
            debug!(turn = %self.stored.id, ?step, ?situation, "finding out about a turn");
            match step {
                Step::Ask => return self.repeat(situation.same_boot).await,
                Step::GiveUp => {
                    let detail = format!("asked {} times without an answer", self.stored.attempts);
                    return Phase::Ending(Reply::Failed { detail });
                }
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
        }
    }

    async fn repeat(&mut self, same_boot: bool) -> Phase {
        if !same_boot {
            warn!(turn = %self.stored.id, "the gateway lost the turn, asking again");
            return Phase::Unasked;
        }
        match self.turns.gateway.agent(&request(&self.stored.turn)).await {
            Ok(AgentReply::Finished(result)) => Phase::Ending(relay::reply(&result)),
            Ok(AgentReply::InFlight(run)) => Phase::InFlight(run),
            // 2026.5.7 says "accepted" for a run that goes on, and pushes nothing more on this request.
            Ok(AgentReply::Accepted(run)) => Phase::InFlight(run.id().clone()),
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

/// How many rows of a session are looked through for a turn and its answer.
const HISTORY_ROWS: u32 = 40;

/// How much earlier than the gateway's own acceptance a row of the turn may be dated.
const ROW_MARGIN: Duration = Duration::from_secs(2);

fn request(turn: &Turn) -> AgentRequest {
    AgentRequest {
        session: turn.session.clone(),
        key: turn.key.clone(),
        text: turn.text.clone(),
        extra_system_prompt: (!turn.context.is_empty()).then(|| turn.context.clone()),
        timeout: None,
    }
}

impl Ear {
    async fn open(turns: &Turns, stored: &StoredTurn) -> Option<Self> {
        let transcripts = turns.transcripts.as_ref()?;
        let session = &stored.turn.session;
        let mark = stored
            .transcript_mark
            .as_deref()
            .and_then(|mark| mark.parse::<Mark>().ok());
        let follow = match &mark {
            Some(mark) => transcripts.resume(session, mark).await,
            None => transcripts.follow(session).await,
        };
        match follow {
            Ok(follow) => Some(Self {
                follow,
                view: TurnView::of(&stored.turn),
                texts: VecDeque::new(),
                heard: 0,
            }),
            Err(error) => {
                warn!(%session, %error, "no transcript to read; taking the run's own result");
                None
            }
        }
    }

    /// The next text that has been heard and not been taken.
    fn take(&mut self) -> Option<String> {
        let text = self.texts.pop_front()?;
        self.heard += 1;
        Some(text)
    }

    /// Waits for the next text of the turn.
    async fn hear(&mut self) -> String {
        loop {
            if let Some(text) = self.take() {
                return text;
            }
            match self.follow.next().await {
                Ok(entry) => self.note(&entry),
                Err(error) => {
                    warn!(%error, "the transcript cannot be read any more");
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Waits for a text, but not longer than `limit`.
    async fn listen_for(&mut self, limit: Duration) {
        if let Ok(text) = tokio::time::timeout(limit, self.hear()).await {
            self.heard -= 1;
            self.texts.push_front(text);
        }
    }

    /// Reads what is there now.
    fn drain(&mut self) {
        match self.follow.drain() {
            Ok(entries) => entries.iter().for_each(|entry| self.note(entry)),
            Err(error) => debug!(%error, "the transcript cannot be read now"),
        }
    }

    fn note(&mut self, entry: &Entry) {
        let texts = self.view.feed(entry);
        self.texts
            .extend(texts.iter().filter_map(relay::transcript_text));
    }
}
