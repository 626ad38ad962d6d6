//! The journey of a message: inbound · dedup · guard · turn · relay · outbound.
//!
//! A message comes in by one door, waits on disk, passes the guard, becomes a turn at the gateway, and its replies
//! leave by another door. Every step may be killed and repeated. The stages know the store and their own edge, not
//! each other; their order is in [`run`].

mod chat;
pub mod control;
pub mod guard;
mod health;
mod hook;
pub mod identity;
pub mod inbound;
mod lanes;
mod media;
mod nudge;
mod numbers;
mod outbound;
pub mod registration;
pub mod relay;
mod retention;
pub mod tunnel;
mod turn;
mod typing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use gateway::transcript::Transcripts;
use kapso::media::Downloads;
use model::{Clock, NumberId};
pub use store::{Depths, OpenError, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use transcribe::Transcriber;

use crate::chat::Chats;
pub use crate::chat::Staleness;
use crate::guard::{Approvals, Guard, Policy, Rules};
pub use crate::health::{Health, List, Pushes, Registration, Seen, Tunnel, TunnelState, Waiting};
use crate::hook::Announcer;
pub use crate::hook::Hook;
use crate::inbound::poll::PollTiming;
use crate::inbound::webhook::Door;
use crate::inbound::{Inbound, Wake};
use crate::lanes::{Lanes, Life};
pub use crate::media::MediaFolder;
use crate::media::{Fetcher, Shelf};
pub use crate::nudge::Nudge;
pub use crate::numbers::{Number, Numbers};
use crate::outbound::Outbound;
pub use crate::outbound::SendTiming;
pub use crate::retention::Retention;
use crate::turn::Turns;
pub use crate::turn::{Prompts, Route, Routes, Sessions, Target, TurnTiming};
use crate::typing::Typing;

/// Chats whose turns are worked on at once. Others wait in the order in which they came; their messages are rows.
const TURNS_AT_ONCE: usize = 256;

/// Chats that are sent to at once. Others wait in the order in which they came; their replies are rows.
const SENDS_AT_ONCE: usize = 32;

/// How the bridge behaves, checked and free of the configuration file's shape.
#[derive(Debug, Clone)]
pub struct Options {
    /// The business numbers that are answered for.
    pub numbers: Vec<NumberOptions>,
    /// What is held back, and when it is closed.
    pub rules: Rules,
    /// Whose messages go to another agent or session.
    pub routes: Routes,
    /// What the operator tells the agent about chats.
    pub prompts: Prompts,
    /// What is run when a stranger writes.
    pub stranger_hook: Option<Hook>,
    /// What a sender is told when the agent fails; empty says nothing.
    pub error_message: String,
    /// Intervals of reading the list.
    pub poll: PollTiming,
    /// Whether the list is read at its interval although messages are pushed.
    pub poll_fallback: bool,
    /// When a message is not fresh any more.
    pub staleness: Staleness,
    /// How much of what is over is kept.
    pub retention: Retention,
    /// Where the files of messages are kept.
    pub media: MediaFolder,
    /// Intervals of asking.
    pub turn: TurnTiming,
    /// Intervals of sending.
    pub send: SendTiming,
    /// Between two "typing…" of one turn.
    pub typing: Duration,
    /// How long a stop waits for turns and sends in flight.
    pub drain: Duration,
}

/// How the bridge behaves on one business number.
#[derive(Debug, Clone)]
pub struct NumberOptions {
    /// Meta's id of the number.
    pub id: NumberId,
    /// Who may speak on it.
    pub policy: Policy,
    /// Which conversations are used at the gateway.
    pub sessions: Sessions,
}

impl Options {
    /// The guard of all numbers, with whom the operator has let in.
    pub fn guard(&self, approvals: Approvals) -> Guard {
        let numbers = self.numbers.iter();
        let policies = numbers.map(|number| (number.id.clone(), number.policy.clone()));
        Guard::new(policies, approvals, self.rules.clone())
    }
}

/// What the bridge stands on: its edges, its journal, its clock.
#[derive(Debug, Clone)]
pub struct Parts {
    /// WhatsApp: the business numbers that are answered for.
    pub numbers: Numbers,
    /// The agent.
    pub gateway: Gateway,
    /// What must survive a restart.
    pub store: Store,
    /// What fetches the files of messages.
    pub downloads: Downloads,
    /// What turns voice messages into text, where somebody does.
    pub transcriber: Option<Transcriber>,
    /// Session transcripts, where replies are read from them.
    pub transcripts: Option<Transcripts>,
    /// Who may speak, as whom and how often.
    pub guard: Arc<Guard>,
    /// The wall clock.
    pub clock: Clock,
    /// Where the stages report.
    pub health: Health,
    /// Tells the stages what was put back to work from outside.
    pub nudge: Nudge,
    /// The port that messages are pushed to, in the modes that have one.
    pub door: Option<Door>,
}

/// Runs the bridge until `stop`, then drains it. Says what stays queued.
///
/// # Errors
/// [`StoreError`] when the journal cannot be read at start or at the end; nothing is lost.
pub async fn run(
    options: Options,
    parts: Parts,
    stop: CancellationToken,
) -> Result<Depths, StoreError> {
    let journey = Journey::new(options, parts, stop);
    journey.take_up().await?;
    journey.keep_small();
    let wake = journey.wake();
    let intake = journey.inbound(&wake);
    tokio::join!(
        intake.run(journey.life.stop.clone(), &wake),
        journey.listen_to_the_operator(),
    );
    journey.drain().await
}

/// Reads the list of each number once, answers what they brought, and ends when nothing is left to do or at `stop`.
///
/// # Errors
/// [`OnceError`] when a list or the journal cannot be read. What the other lists brought is answered before.
pub async fn run_once(
    options: Options,
    parts: Parts,
    stop: CancellationToken,
) -> Result<Depths, OnceError> {
    let journey = Journey::new(options, parts, stop);
    journey.take_up().await?;
    let wake = journey.wake();
    let read = journey.inbound(&wake).read_once().await;
    let failed = (!read.failures.is_empty()).then(|| OnceError::Poll(read.failures.join("; ")));
    match failed {
        Some(failed) if read.lists == 0 => return Err(failed),
        Some(_) | None => {}
    }
    read.fresh.into_iter().for_each(|chat| (wake.message)(chat));
    journey.life.tracker.close();
    journey
        .life
        .stop
        .run_until_cancelled(journey.life.tracker.wait())
        .await;
    let left = journey.drain().await?;
    failed.map_or(Ok(left), Err)
}

/// Why a single pass failed.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// A list could not be read; the text says why.
    #[error("{0}")]
    Poll(String),
    /// The journal could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The stages, wired: what inbound brings wakes the chats, what the chats say wakes outbound.
struct Journey {
    options: Options,
    parts: Parts,
    chats: Lanes<Chats>,
    outbound: Lanes<Outbound>,
    life: Life,
}

impl Journey {
    fn new(options: Options, parts: Parts, stop: CancellationToken) -> Self {
        let life = Life {
            tracker: TaskTracker::new(),
            halt: CancellationToken::new(),
            stop,
            health: parts.health.clone(),
            clock: parts.clock.clone(),
        };
        let outbound = Lanes::new(outbound(&options, &parts), SENDS_AT_ONCE, life.clone());
        let chats = Lanes::new(
            chats(&options, &parts, &outbound, &life),
            TURNS_AT_ONCE,
            life.clone(),
        );
        Self {
            options,
            parts,
            chats,
            outbound,
            life,
        }
    }

    /// Inbound and dedup: the list and the webhook, over the ledger.
    fn inbound(&self, wake: &Wake) -> Inbound {
        let Options {
            poll,
            poll_fallback,
            ..
        } = &self.options;
        Inbound::new(&self.parts, poll, *poll_fallback, wake.clone())
    }

    /// Who has work when something came in.
    fn wake(&self) -> Wake {
        let (chats, outbound) = (self.chats.clone(), self.outbound.clone());
        Wake {
            message: Arc::new(move |chat| chats.wake(chat)),
            receipt: Arc::new(move |chat| outbound.wake(chat)),
        }
    }

    /// Takes up again what the operator put back to work, until the bridge stops.
    async fn listen_to_the_operator(&self) {
        let Self { parts, life, .. } = self;
        while life
            .stop
            .run_until_cancelled(parts.nudge.rung())
            .await
            .is_some()
        {
            if let Err(failure) = self.take_up().await {
                life.health
                    .journal_failed(life.clock.now(), failure.to_string());
                error!(%failure, "cannot look for what was put back to work; restart the bridge");
            }
        }
    }

    /// Starts the clean-up of the journal.
    fn keep_small(&self) {
        let (store, clock) = (self.parts.store.clone(), self.parts.clock.clone());
        let retention = self.options.retention.clone();
        let files = self.options.media.clone();
        let cleaning = retention.run(store, files, clock, self.life.stop.clone());
        self.life.tracker.spawn(cleaning);
    }

    /// What an earlier process left: replies first, then turns and messages. What is for a number that is not configured
    /// stays as it is, and is reported.
    async fn take_up(&self) -> Result<(), StoreError> {
        let Parts { numbers, store, .. } = &self.parts;
        let mut unconfigured: BTreeMap<NumberId, Waiting> = BTreeMap::new();
        for chat in store.chats_with_outgoing().await? {
            if numbers.of(&chat.number).is_none() {
                let waiting = unconfigured.entry(chat.number.clone()).or_default();
                waiting.sends += 1;
            }
            // Also then: it notes on the row why it waits.
            self.outbound.wake(chat);
        }
        for chat in store.chats_with_work().await? {
            if numbers.of(&chat.number).is_some() {
                self.chats.wake(chat);
            } else {
                unconfigured.entry(chat.number).or_default().chats += 1;
            }
        }
        for (number, Waiting { chats, sends }) in &unconfigured {
            warn!(%number, chats, sends, "the journal has work for a number that is not configured: it waits");
        }
        self.life.health.unconfigured(unconfigured);
        Ok(())
    }

    /// Lets what is in flight finish, up to the limit; the rest is in the store.
    async fn drain(self) -> Result<Depths, StoreError> {
        let Life {
            tracker,
            stop,
            halt,
            ..
        } = self.life;
        stop.cancel();
        tracker.close();
        if tokio::time::timeout(self.options.drain, tracker.wait())
            .await
            .is_err()
        {
            info!(
                turns = self.chats.busy(),
                sends = self.outbound.busy(),
                "leaving the rest for the next start"
            );
            halt.cancel();
            tracker.wait().await;
        }
        self.parts.store.depths().await
    }
}

/// Guard, turn and relay, for one chat at a time.
fn chats(options: &Options, parts: &Parts, outbound: &Lanes<Outbound>, life: &Life) -> Chats {
    let Parts {
        numbers,
        gateway,
        store,
        downloads,
        transcriber,
        transcripts,
        guard,
        clock,
        ..
    } = parts.clone();
    let sessions = options.numbers.iter();
    let sessions = sessions.map(|number| (number.id.clone(), number.sessions.clone()));
    Chats {
        guard,
        strangers: Announcer::start(
            options.stranger_hook.clone(),
            clock.clone(),
            // Not the journey's own: nothing waits for a hook, and a single pass ends without it.
            &TaskTracker::new(),
            life.stop.clone(),
        ),
        fetcher: Fetcher::new(numbers.clone(), downloads, transcriber, &options.media),
        turns: Turns {
            gateway,
            store: store.clone(),
            transcripts,
            clock: clock.clone(),
            sessions: sessions.collect(),
            routes: options.routes.clone(),
            prompts: options.prompts.clone(),
            shelf: Shelf::new(options.media.dir.clone()),
            timing: options.turn.clone(),
        },
        outbound: outbound.clone(),
        typing: Typing {
            numbers,
            tracker: life.tracker.clone(),
            every: options.typing,
        },
        store,
        clock,
        staleness: options.staleness.clone(),
        error_message: options.error_message.clone(),
        stop: life.stop.clone(),
    }
}

/// Sending, in lanes of its own: a reply that waits for WhatsApp does not hold the next turn up.
fn outbound(options: &Options, parts: &Parts) -> Outbound {
    Outbound {
        numbers: parts.numbers.clone(),
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        timing: options.send.clone(),
    }
}
