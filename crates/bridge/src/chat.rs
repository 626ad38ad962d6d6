//! A chat's owner: takes what was received, message by message, through guard, turn and relay.
//!
//! The order is: may this person speak, is the message fresh, is it open, is it too much, is it held back, is it a command of
//! the gateway; then it is a turn. Everything it needs to go on after a crash is in the store; it may be stopped at any await.

mod conversation;
mod instead;

use std::sync::Arc;
use std::time::Duration;

use gateway::command::neutral;
use model::{ChatKey, Clock, InvalidId, Timestamp, Turn};
use store::{Store, StoreError, StoredMessage, Stumbled};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::guard::{Admitted, Guard, Over, Verdict};
use crate::hook::Announcer;
use crate::lanes::{Lanes, Stage, Step};
use crate::media::{Fetcher, Files};
use crate::outbound::Outbound;
use crate::turn::{Begun, Turns, Waited};
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
    pub(crate) guard: Arc<Guard>,
    pub(crate) strangers: Announcer,
    pub(crate) fetcher: Fetcher,
    pub(crate) turns: Turns,
    pub(crate) outbound: Lanes<Outbound>,
    pub(crate) typing: Typing,
    pub(crate) clock: Clock,
    pub(crate) staleness: Staleness,
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
        if self.guard.policy(&chat.number).is_none() {
            warn!(%chat, "waits: its number is not configured any more");
            return Ok(Step::Idle);
        }
        match self.guard.judge(&next.inbound, &next) {
            Verdict::Admitted(admitted) => return self.admit(admitted).await,
            Verdict::Refused => self.refuse(&next).await?,
            Verdict::Unpaired => self.ask_to_pair(&next).await?,
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
        if let Some(closed) = self.guard.rules().closed(now) {
            return self.wait_until_open(message, closed).await;
        }
        match self.guard.pace(&chat, now) {
            Ok(()) => {}
            Err(Over::Wait(wait)) => {
                debug!(wamid = %message.inbound.id, wait_s = wait.as_secs(), "over the rate, waiting");
                return Ok(Step::After(wait));
            }
            Err(Over::Drop) => {
                info!(wamid = %message.inbound.id, "over the rate, dropped");
                self.store.refuse(message.id, "over_limit", None).await?;
                return Ok(Step::Again);
            }
        }
        let released = message.released_at.is_some();
        if let Some(held) = self.guard.rules().holds(&message.inbound, released) {
            self.hold_back(message, held).await?;
            return Ok(Step::Again);
        }
        if let Some(command) = self.command_of(&first) {
            return self
                .ask(self.turns.command(&first, command), vec![message.id])
                .await;
        }
        if age <= self.staleness.backlog_after {
            let files = self.files_of(&[message]).await?;
            let turn = self.turns.of(&first, &[], Waited::No, files);
            return self.ask(turn, vec![message.id]).await;
        }
        let waiting = self.store.received(&chat, BACKLOG_MOST).await?;
        let rest: Vec<_> = waiting
            .iter()
            .skip_while(|other| other.id == message.id)
            .map_while(|message| self.joins(message, now))
            .collect();
        let all = std::iter::once(&first).chain(&rest);
        let all: Vec<&StoredMessage> = all.map(|admitted| *admitted.message()).collect();
        let files = self.files_of(&all).await?;
        let turn = self.turns.of(&first, &rest, Waited::Long, files);
        self.ask(turn, all.iter().map(|message| message.id).collect())
            .await
    }

    /// The files of admitted messages; what is missing is recorded.
    async fn files_of(&self, messages: &[&StoredMessage]) -> Result<Files, StoreError> {
        let files = self.fetcher.fetch(messages, &self.turns.gateway).await;
        for (message, why) in &files.missing {
            let reason = format!("media_not_fetched: {why}");
            self.store.remark(*message, &reason).await?;
        }
        Ok(files)
    }

    /// Whether a message that waits behind another may be handed over with it: nothing else is to be done about it.
    fn joins<'m>(
        &self,
        message: &'m StoredMessage,
        now: Timestamp,
    ) -> Option<Admitted<&'m StoredMessage>> {
        let Verdict::Admitted(admitted) = self.guard.judge(&message.inbound, message) else {
            return None;
        };
        let fresh = self.staleness.age(message, now) <= self.staleness.max_age;
        let held = self
            .guard
            .rules()
            .holds(&message.inbound, message.released_at.is_some());
        let plain = held.is_none() && self.command_of(&admitted).is_none();
        (fresh && plain).then_some(admitted)
    }

    /// The command of the gateway that the message is, if its sender may use it. What follows the command is data.
    fn command_of(&self, admitted: &Admitted<&StoredMessage>) -> Option<String> {
        let inbound = &admitted.message().inbound;
        let policy = self.guard.policy(&inbound.number)?;
        let (command, rest) = policy.command(admitted.role(), inbound)?;
        Some(format!("{command} {}", neutral(rest)).trim_end().to_owned())
    }

    /// Writes a turn down and sees it through.
    async fn ask(&self, turn: Result<Turn, InvalidId>, ids: Vec<i64>) -> Result<Step, StoreError> {
        let turn = match turn {
            Ok(turn) => turn,
            Err(invalid) => {
                error!(%invalid, "the configured session makes no key for this sender");
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
}
