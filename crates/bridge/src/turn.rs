//! Stage 4: one question to the agent, asked once.
//!
//! What is durable comes first: the ask is written before the request, with the gateway process that is asked. After
//! a lost connection, a restarted gateway or a restart of the bridge, [`state`] decides from what can be seen
//! whether to repeat, to wait, or to take the answer that already stands in the session.

mod asking;
mod ear;
mod envelope;
mod seen;
mod session;
mod state;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gateway::transcript::Transcripts;
use gateway::{Gateway, Status};
use model::{Clock, IdempotencyKey, Identity, Inbound, InvalidId, NumberId, Turn};
use store::{Store, StoreError, StoredMessage, StoredTurn, TurnState};
use uuid::Uuid;

pub(crate) use self::asking::{Asking, Heard};
use self::envelope::Piece;
pub use self::session::{Route, Routes, Sessions, Target};
use crate::guard::Admitted;
use crate::media::{Files, Shelf};

/// What the operator tells the agent about chats (`[chats]`).
#[derive(Debug, Clone, Default)]
pub struct Prompts {
    /// By canonical identity; an empty text switches the default off.
    pub chats: BTreeMap<Identity, String>,
    /// About every other chat.
    pub default: Option<String>,
}

impl Prompts {
    /// What is said about the chat with whoever wrote `inbound`.
    fn of(&self, inbound: &Inbound) -> Option<&str> {
        let user = inbound.user.clone().map(Identity::User);
        let names = [inbound.person().canonical(), inbound.from.canonical()];
        let own = names
            .iter()
            .chain(&user)
            .find_map(|name| self.chats.get(name));
        own.or(self.default.as_ref())
            .map(|prompt| prompt.trim())
            .filter(|prompt| !prompt.is_empty())
    }
}

/// Intervals of the turn stage.
#[derive(Debug, Clone)]
pub struct TurnTiming {
    /// Between two looks at a session that is being resumed.
    pub look: Duration,
    /// How long a run's result is awaited on its connection before it is asked after.
    pub push: Duration,
    /// How long one `agent.wait` may take.
    pub wait: Duration,
    /// The first wait after a refusal that may pass; it doubles with each ask.
    pub backoff: Duration,
    /// How long after a run's end its lines are awaited in the transcript.
    pub transcript: Duration,
    /// A run that has not ended after this long is aborted and given up.
    pub run_limit: Duration,
}

impl Default for TurnTiming {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(1),
            push: Duration::from_secs(300),
            wait: Duration::from_secs(25),
            backoff: Duration::from_secs(2),
            transcript: Duration::from_secs(5),
            run_limit: Duration::from_secs(2 * 3600),
        }
    }
}

/// A turn that is on disk.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) stored: StoredTurn,
    /// The ask is written down as well, and its request has not gone out.
    pub(crate) unsent: bool,
}

impl Begun {
    /// A turn of an earlier process, or one that an error left open.
    pub(crate) fn earlier(stored: StoredTurn) -> Self {
        Self {
            stored,
            unsent: false,
        }
    }
}

/// Whether messages waited so long that the agent has to know their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// They are fresh.
    No,
    /// They are a backlog.
    Long,
}

/// Asks turns.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    pub(crate) gateway: Gateway,
    pub(crate) store: Store,
    /// Present where replies are read from session transcripts (`gateway.relay = "jsonl"`).
    pub(crate) transcripts: Option<Transcripts>,
    pub(crate) clock: Clock,
    /// By business number.
    pub(crate) sessions: HashMap<NumberId, Sessions>,
    pub(crate) routes: Routes,
    pub(crate) prompts: Prompts,
    /// Where the pictures of turns lie.
    pub(crate) shelf: Shelf,
    pub(crate) timing: TurnTiming,
}

impl Turns {
    /// The turn that hands over admitted messages of one sender, in order, with what is given of their files.
    ///
    /// # Errors
    /// [`InvalidId`] when the configured session key cannot be a key.
    pub(crate) fn of(
        &self,
        first: &Admitted<&StoredMessage>,
        rest: &[Admitted<&StoredMessage>],
        waited: Waited,
        files: Files,
    ) -> Result<Turn, InvalidId> {
        let last = rest.last().unwrap_or(first).message();
        let sender = &first.message().inbound;
        let all = std::iter::once(first).chain(rest);
        let pieces = all.map(|admitted| Piece {
            inbound: &admitted.message().inbound,
            given: files.of(admitted.message().id),
        });
        let text = match waited {
            Waited::No => envelope::text(first.role(), pieces),
            Waited::Long => envelope::backlog(first.role(), pieces),
        };
        let context = envelope::provenance(first.role(), sender, waited, self.prompts.of(sender));
        Ok(Turn {
            text,
            context,
            pictures: files.pictures,
            ..self.empty(first, last)?
        })
    }

    /// The turn that hands a command of the gateway over, as it is to be read by the gateway.
    ///
    /// # Errors
    /// As [`Turns::of`].
    pub(crate) fn command(
        &self,
        of: &Admitted<&StoredMessage>,
        text: String,
    ) -> Result<Turn, InvalidId> {
        Ok(Turn {
            text,
            command: true,
            ..self.empty(of, of.message())?
        })
    }

    /// A turn of whoever wrote `first`, without words.
    fn empty(
        &self,
        first: &Admitted<&StoredMessage>,
        last: &StoredMessage,
    ) -> Result<Turn, InvalidId> {
        let sender = &first.message().inbound;
        let route = self.routes.of(sender, first.role());
        let sessions = self.sessions.get(&sender.number).ok_or(InvalidId::Empty)?;
        Ok(Turn {
            chat: sender.chat(),
            to: last.inbound.from.clone(),
            session: sessions.of(sender, route)?,
            key: IdempotencyKey::new(&Uuid::new_v4().to_string())?,
            text: String::new(),
            context: String::new(),
            pictures: Vec::new(),
            command: false,
            last: last.inbound.id.clone(),
        })
    }

    /// Writes a turn down, and in the same commit that it is asked, where the gateway can be asked at once.
    ///
    /// # Errors
    /// As [`Store::begin_turn`].
    pub(crate) async fn begin(&self, turn: Turn, messages: &[i64]) -> Result<Begun, StoreError> {
        let hello = match &*self.gateway.status().borrow() {
            // With a transcript, the mark in it is read before the ask.
            Status::Connected(hello) if self.transcripts.is_none() => Some(Arc::clone(hello)),
            Status::Connected(_)
            | Status::Connecting { .. }
            | Status::Refused { .. }
            | Status::Closed => None,
        };
        let boot = hello.as_ref().map(|hello| hello.boot.to_string());
        let id = match &boot {
            Some(boot) => {
                self.store
                    .begin_and_ask(&turn, messages, boot, None)
                    .await?
            }
            None => self.store.begin_turn(&turn, messages).await?,
        };
        let now = self.clock.now();
        let asked = hello.is_some();
        let stored = StoredTurn {
            id,
            turn,
            state: if asked {
                TurnState::Asked
            } else {
                TurnState::Queued
            },
            boot,
            asked_at: asked.then_some(now),
            accepted_at: hello.as_ref().map(|hello| hello.gateway_now()),
            transcript_mark: None,
            attempts: u32::from(asked),
            said: 0,
            created_at: now,
        };
        Ok(Begun {
            stored,
            unsent: asked,
        })
    }
}
