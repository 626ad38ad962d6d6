//! A turn, from its row to its settlement: what the agent says becomes rows, and what the gateway says of a command.

use gateway::command::CommandReply;
use model::{Outgoing, Reply, Turn};
use store::{Settled, StoreError, TurnId, TurnState};
use tracing::{Instrument, debug, error, info_span, warn};

use super::Chats;
use crate::relay::{self, Checked};
use crate::turn::{Asking, Begun, Heard};

impl Chats {
    /// One turn from its row to its settlement.
    pub(super) async fn converse(&self, begun: Begun) -> Result<(), StoreError> {
        let stored = &begun.stored;
        let span = info_span!("turn", id = %stored.id, session = %stored.turn.session);
        if begun.stored.turn.command {
            return self.command(begun).instrument(span).await;
        }
        self.hear_out(begun).instrument(span).await
    }

    async fn hear_out(&self, begun: Begun) -> Result<(), StoreError> {
        let stored = &begun.stored;
        let (id, turn, said_before) = (stored.id, stored.turn.clone(), stored.said);
        let typing = self.typing.keep(&turn.chat.number, turn.last.clone());
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

    /// A command of the gateway: given once, and never again, because a second time may do something else.
    async fn command(&self, begun: Begun) -> Result<(), StoreError> {
        let (id, state) = (begun.stored.id, begun.stored.state);
        let turn = begun.stored.turn;
        if state == TurnState::Queued {
            let hello = self.turns.gateway.ready().await;
            let boot = hello.boot.to_string();
            self.turns.store.asking(id, &boot, None).await?;
        }
        let reply = if state == TurnState::Queued || begun.unsent {
            self.command_reply(&turn).await
        } else {
            Reply::Failed {
                detail: "interrupted: a command is not given twice".to_owned(),
            }
        };
        let (outcome, parts) = self.outcome(&turn, &checked(reply), 0);
        self.store.settle(id, outcome, &parts).await?;
        self.outbound.wake(turn.chat);
        Ok(())
    }

    async fn command_reply(&self, turn: &Turn) -> Reply {
        let gateway = &self.turns.gateway;
        match gateway.command(&turn.session, &turn.text, &turn.key).await {
            Ok(CommandReply::Text(text)) => Reply::Say(vec![text]),
            Ok(CommandReply::Nothing) => Reply::Silent,
            Err(failure) => Reply::Failed {
                detail: failure.to_string(),
            },
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
