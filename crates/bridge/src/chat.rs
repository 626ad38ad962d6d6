//! A chat's owner: takes what was received, message by message, through guard, turn and relay.
//!
//! Everything it needs to go on after a crash is in the store; it may be stopped at any await.

use model::{ChatKey, Clock, Inbound, Outgoing, OutgoingBody, Reply, Timestamp, Turn};
use store::{Settled, Store, StoreError, StoredMessage, StoredTurn, TurnId, TurnState};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::guard::{Admitted, Policy, Rates, Verdict};
use crate::lanes::{Lanes, Stage, Step};
use crate::outbound::Outbound;
use crate::relay;
use crate::turn::{Asking, Heard, Turns};
use crate::typing::Typing;

/// What a chat's owner works with.
#[derive(Debug)]
pub(crate) struct Chats {
    pub(crate) store: Store,
    pub(crate) policy: Policy,
    pub(crate) rates: Rates,
    pub(crate) turns: Turns,
    pub(crate) outbound: Lanes<Outbound>,
    pub(crate) typing: Typing,
    pub(crate) clock: Clock,
    pub(crate) deny_message: String,
    pub(crate) error_message: String,
    pub(crate) stop: CancellationToken,
}

impl Stage for Chats {
    async fn step(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        if let Some(open) = self.store.open_turn(chat).await? {
            self.converse(open).await?;
            return Ok(Step::Again);
        }
        if self.stop.is_cancelled() {
            return Ok(Step::Idle);
        }
        let Some(next) = self.store.received(chat, 1).await?.into_iter().next() else {
            return Ok(Step::Idle);
        };
        match self.policy.judge(&next.inbound, &next.inbound) {
            Verdict::Admitted(admitted) => self.admit(&next, &admitted).await?,
            Verdict::Refused => self.refuse(&next).await?,
            Verdict::NoQuestion(reason) => self.store.ignore(next.id, reason).await?,
        }
        Ok(Step::Again)
    }
}

impl Chats {
    async fn admit(
        &self,
        message: &StoredMessage,
        admitted: &Admitted<&Inbound>,
    ) -> Result<(), StoreError> {
        while let Err(wait) = self.rates.take(&message.inbound.chat(), self.clock.now()) {
            debug!(wamid = %message.inbound.id, wait_s = wait.as_secs(), "over the rate, waiting");
            if self
                .stop
                .run_until_cancelled(tokio::time::sleep(wait))
                .await
                .is_none()
            {
                return Ok(());
            }
        }
        let turn = match self.turns.of(admitted) {
            Ok(turn) => turn,
            Err(invalid) => {
                error!(wamid = %message.inbound.id, %invalid, "gateway.session_key makes no session for this sender");
                return self.store.fail(message.id, "no_session").await;
            }
        };
        let id = self.store.begin_turn(&turn, &[message.id]).await?;
        self.converse(queued(id, turn, self.clock.now())).await
    }

    async fn refuse(&self, message: &StoredMessage) -> Result<(), StoreError> {
        let inbound = &message.inbound;
        let notice = (!self.deny_message.is_empty()).then(|| notice(inbound, &self.deny_message));
        let noticed = self
            .store
            .refuse(message.id, "not_allowed", notice.as_ref())
            .await?;
        info!(wamid = %inbound.id, from = %inbound.from, noticed, "refused: the sender has no role");
        if noticed {
            self.outbound.wake(inbound.chat());
        }
        Ok(())
    }

    /// One turn from its row to its settlement.
    async fn converse(&self, stored: StoredTurn) -> Result<(), StoreError> {
        let span = info_span!("turn", id = %stored.id, session = %stored.turn.session);
        self.hear_out(stored).instrument(span).await
    }

    async fn hear_out(&self, stored: StoredTurn) -> Result<(), StoreError> {
        let (id, turn, said_before) = (stored.id, stored.turn.clone(), stored.said);
        let typing = self.typing.keep(turn.last.clone());
        let mut asking = Asking::take_up(&self.turns, stored).await;
        let mut said = 0;
        let reply = loop {
            match asking.next().await? {
                Heard::Text(text) => {
                    let parts = relay::parts(&turn, &Reply::Say(vec![text]), "");
                    said += self.say(id, &turn, said, &parts).await?;
                }
                Heard::Over(reply) => break reply,
            }
        };
        drop(typing);
        let (outcome, mut parts) = self.outcome(&turn, reply, said.max(said_before));
        if said_before > 0 && !parts.is_empty() {
            // An earlier process queued the beginning of this answer: the rows sort out what is new.
            self.say(id, &turn, said, &parts).await?;
            parts.clear();
        }
        self.store.settle(id, outcome, &parts).await?;
        debug!(parts = parts.len(), "settled");
        self.outbound.wake(turn.chat);
        Ok(())
    }

    /// Queues parts that are known before the turn is over; how many places they take.
    async fn say(
        &self,
        id: TurnId,
        turn: &Turn,
        from: u32,
        parts: &[Outgoing],
    ) -> Result<u32, StoreError> {
        self.store.say(id, from, parts).await?;
        self.outbound.wake(turn.chat.clone());
        Ok(u32::try_from(parts.len()).unwrap_or(u32::MAX))
    }

    /// How the turn ends, and what of it is still to be sent; `said` parts were queued while it went on.
    fn outcome(&self, turn: &Turn, reply: Reply, said: u32) -> (Settled, Vec<Outgoing>) {
        match (reply, said) {
            (reply @ Reply::Say(_), _) => (Settled::Answered, relay::parts(turn, &reply, "")),
            (Reply::Silent, 0) => (Settled::Silent, Vec::new()),
            (Reply::Silent, _) => (Settled::Answered, Vec::new()),
            (Reply::Failed { detail }, 0) => {
                error!(detail, "the run failed");
                let parts = relay::parts(
                    turn,
                    &Reply::Failed {
                        detail: detail.clone(),
                    },
                    &self.error_message,
                );
                (Settled::Failed { reason: detail }, parts)
            }
            (Reply::Failed { detail }, _) => {
                warn!(detail, "the run failed after it had answered");
                (Settled::Answered, Vec::new())
            }
        }
    }
}

fn queued(id: TurnId, turn: Turn, created_at: Timestamp) -> StoredTurn {
    StoredTurn {
        id,
        turn,
        state: TurnState::Queued,
        boot: None,
        asked_at: None,
        accepted_at: None,
        transcript_mark: None,
        attempts: 0,
        said: 0,
        created_at,
    }
}

fn notice(inbound: &Inbound, text: &str) -> Outgoing {
    Outgoing {
        chat: inbound.chat(),
        to: inbound.from.clone(),
        body: OutgoingBody::Text {
            body: text.to_owned(),
        },
        quote: None,
    }
}
