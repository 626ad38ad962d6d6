//! Stage 4: one question to the agent, asked once.
//!
//! What is durable comes first: the ask is written before the request, with the gateway process that is asked. After
//! a lost connection, a restarted gateway or a restart of the bridge, [`state`] decides from what can be seen
//! whether to repeat, to wait, or to take the answer that already stands in the session.

mod asking;
mod ear;
mod envelope;
mod seen;
mod state;

use std::time::Duration;

use gateway::Gateway;
use gateway::transcript::Transcripts;
use model::{Clock, IdempotencyKey, Inbound, SessionKey, Turn};
use store::Store;
use uuid::Uuid;

pub(crate) use self::asking::{Asking, Heard};
use crate::guard::Admitted;

/// Which conversation at the gateway a sender speaks in.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The session of the operator (`gateway.session_key`), and the stem of everyone else's.
    pub key: String,
    /// Whether each sender has a session of their own (`security.session_isolation`).
    pub isolation: bool,
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
}

impl Default for TurnTiming {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(1),
            push: Duration::from_secs(300),
            wait: Duration::from_secs(25),
            backoff: Duration::from_secs(2),
            transcript: Duration::from_secs(5),
        }
    }
}

/// Asks turns.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    pub(crate) gateway: Gateway,
    pub(crate) store: Store,
    /// Present where replies are read from session transcripts (`gateway.relay = "jsonl"`).
    pub(crate) transcripts: Option<Transcripts>,
    pub(crate) clock: Clock,
    pub(crate) sessions: Sessions,
    pub(crate) timing: TurnTiming,
}

impl Turns {
    /// The turn that hands over one admitted message.
    ///
    /// # Errors
    /// [`model::InvalidId`] when the configured session key cannot be a key.
    pub(crate) fn of(&self, admitted: &Admitted<&Inbound>) -> Result<Turn, model::InvalidId> {
        let inbound = *admitted.message();
        Ok(Turn {
            chat: inbound.chat(),
            to: inbound.from.clone(),
            session: self.session(inbound)?,
            key: IdempotencyKey::new(&Uuid::new_v4().to_string())?,
            text: envelope::text(admitted.role(), [inbound]),
            context: envelope::provenance(admitted.role(), inbound),
            last: inbound.id.clone(),
        })
    }

    fn session(&self, inbound: &Inbound) -> Result<SessionKey, model::InvalidId> {
        if !self.sessions.isolation {
            return SessionKey::new(&self.sessions.key);
        }
        SessionKey::new(&format!(
            "{}-wa-{}",
            self.sessions.key,
            inbound.from.session_suffix()
        ))
    }
}
