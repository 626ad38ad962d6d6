//! A chat's owner: takes what was received, message by message, through guard, turn and relay.
//!
//! Everything it needs to go on after a crash is in the store; it may be stopped at any await.

use std::time::Duration;

use model::{ChatKey, Clock, Inbound, Outgoing, OutgoingBody, Reply, Timestamp, Turn};
use store::{Settled, Store, StoreError, StoredMessage, Stumbled, TurnId};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::guard::{Admitted, Policy, Rates, Verdict};
use crate::lanes::{Lanes, Stage, Step};
use crate::outbound::Outbound;
use crate::relay::{self, Checked};
use crate::turn::{Asking, Begun, Heard, Turns, Waited};
use crate::typing::Typing;

/// When a message is not fresh any more. Ages count from when it was sent, or released from quarantine.
#[derive(Debug, Clone)]
pub struct Staleness {
    /// Older messages of one sender are handed over together, with their times.
    pub backlog_after: Duration,
    /// Still older ones are recorded and reported instead of answered.
    pub max_age: Duration,
}

impl Default for Staleness {
    fn default() -> Self {
        Self {
            backlog_after: Duration::from_secs(15 * 60),
            max_age: Duration::from_secs(24 * 3600),
        }
    }
}

impl Staleness {
    fn age(&self, message: &StoredMessage, now: Timestamp) -> Duration {
        let sent_at = message.inbound.sent_at;
        now.since(
            message
                .released_at
                .map_or(sent_at, |released| released.max(sent_at)),
        )
    }
}

/// The most messages that one turn hands over; the next ones are the next turn.
const BACKLOG_MOST: u32 = 50;

/// The reason on what broke the bridge.
const STUMBLED: &str = "broke the bridge twice";

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
    pub(crate) staleness: Staleness,
    pub(crate) deny_message: String,
    pub(crate) error_message: String,
    pub(crate) stop: CancellationToken,
}

impl Stage for Chats {
    async fn step(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        if let Some(open) = self.store.open_turn(chat).await? {
            self.converse(Begun::earlier(open)).await?;
            return Ok(Step::Again);
        }
        if self.stop.is_cancelled() {
            return Ok(Step::Idle);
        }
        let Some(next) = self.store.received(chat, 1).await?.into_iter().next() else {
            return Ok(Step::Idle);
        };
        match self.policy.judge(&next.inbound, &next) {
            Verdict::Admitted(admitted) => return self.admit(admitted).await,
            Verdict::Refused => self.refuse(&next).await?,
            Verdict::NoQuestion(reason) => self.store.ignore(next.id, reason).await?,
        }
        Ok(Step::Again)
    }

    async fn stumbled(&self, chat: &ChatKey) -> Result<(), StoreError> {
        match self.store.stumbled(chat, STUMBLED).await? {
            Stumbled::SetAside { .. } => {
                error!(%chat, "set aside what broke the bridge twice: see `dead list`");
            }
            Stumbled::Again | Stumbled::Nothing => {}
        }
        Ok(())
    }
}

impl Chats {
    /// What becomes of a message that may go to the agent: a turn, alone or with what waits behind it.
    async fn admit(&self, first: Admitted<&StoredMessage>) -> Result<Step, StoreError> {
        let message = *first.message();
        let (chat, now) = (message.inbound.chat(), self.clock.now());
        let age = self.staleness.age(message, now);
        if age > self.staleness.max_age {
            warn!(wamid = %message.inbound.id, age_s = age.as_secs(), "too old to be answered: recorded as expired");
            self.store.expire(message.id, "too_old").await?;
            return Ok(Step::Again);
        }
        if let Err(wait) = self.rates.take(&chat, now) {
            debug!(wamid = %message.inbound.id, wait_s = wait.as_secs(), "over the rate, waiting");
            return Ok(Step::After(wait));
        }
        if age <= self.staleness.backlog_after {
            return self.ask(&first, &[], Waited::No).await;
        }
        let waiting = self.store.received(&chat, BACKLOG_MOST).await?;
        let rest: Vec<_> = waiting
            .iter()
            .skip_while(|other| other.id == message.id)
            .map_while(
                |message| match self.policy.judge(&message.inbound, message) {
                    Verdict::Admitted(admitted) => Some(admitted),
                    Verdict::Refused | Verdict::NoQuestion(_) => None,
                },
            )
            .take_while(|admitted| {
                self.staleness.age(admitted.message(), now) <= self.staleness.max_age
            })
            .collect();
        self.ask(&first, &rest, Waited::Long).await
    }

    /// Writes a turn down and sees it through.
    async fn ask(
        &self,
        first: &Admitted<&StoredMessage>,
        rest: &[Admitted<&StoredMessage>],
        waited: Waited,
    ) -> Result<Step, StoreError> {
        let all = std::iter::once(first).chain(rest);
        let ids: Vec<i64> = all.map(|admitted| admitted.message().id).collect();
        let turn = match self.turns.of(first, rest, waited) {
            Ok(turn) => turn,
            Err(invalid) => {
                error!(%invalid, "gateway.session_key makes no session for this sender");
                for id in ids {
                    self.store.fail(id, "no_session").await?;
                }
                return Ok(Step::Again);
            }
        };
        let begun = self.turns.begin(turn, &ids).await?;
        self.converse(begun).await?;
        Ok(Step::Again)
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
    async fn converse(&self, begun: Begun) -> Result<(), StoreError> {
        let stored = &begun.stored;
        let span = info_span!("turn", id = %stored.id, session = %stored.turn.session);
        self.hear_out(begun).instrument(span).await
    }

    async fn hear_out(&self, begun: Begun) -> Result<(), StoreError> {
        let stored = &begun.stored;
        let (id, turn, said_before) = (stored.id, stored.turn.clone(), stored.said);
        let typing = self.typing.keep(turn.last.clone());
        let mut asking = Asking::take_up(&self.turns, begun).await;
        let mut said = 0;
        // A text of which nothing could be told: the turn has failed, unless another one is.
        let mut withheld = None;
        let reply = loop {
            match asking.next().await? {
                Heard::Text(text) => {
                    let checked = checked(Reply::Say(vec![text]));
                    let parts = relay::parts(&turn, &checked, "");
                    if matches!(checked.reply(), Reply::Failed { .. }) {
                        withheld = Some(checked);
                    }
                    said += self.say(id, &turn, said, &parts).await?;
                }
                Heard::Over(reply) => break checked(reply),
            }
        };
        drop(typing);
        let reply = match (reply.reply(), withheld) {
            (Reply::Silent, Some(withheld)) => withheld,
            (Reply::Silent | Reply::Say(_) | Reply::Failed { .. }, _) => reply,
        };
        let (outcome, mut parts) = self.outcome(&turn, &reply, said.max(said_before));
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
    fn outcome(&self, turn: &Turn, checked: &Checked, said: u32) -> (Settled, Vec<Outgoing>) {
        let parts = || relay::parts(turn, checked, &self.error_message);
        match (checked.reply(), said) {
            (Reply::Say(_), _) => (Settled::Answered, parts()),
            (Reply::Silent, 0) => (Settled::Silent, Vec::new()),
            (Reply::Silent, _) => (Settled::Answered, Vec::new()),
            (Reply::Failed { detail }, 0) => {
                error!(detail, "the run failed");
                let reason = detail.clone();
                (Settled::Failed { reason }, parts())
            }
            (Reply::Failed { detail }, _) => {
                warn!(detail, "the run failed after it had answered");
                (Settled::Answered, Vec::new())
            }
        }
    }
}

/// The reply without the host's internals; each kind that was cut out is logged, never its text.
fn checked(reply: Reply) -> Checked {
    let checked = Checked::new(reply);
    for leak in checked.removed() {
        warn!(kind = leak.name(), "held back from the customer");
    }
    checked
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
