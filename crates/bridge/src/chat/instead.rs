//! What becomes of a message that does not go to the agent: it is recorded, and somebody may be told.

use std::time::Duration;

use getrandom::fill;
use model::{ChatKey, Identity, Inbound, Outgoing, OutgoingBody};
use store::{Instead, MessageState, Pairing, PairingRequest, StoreError, StoredMessage};
use tracing::{error, info, warn};

use super::Chats;
use crate::guard::{Closed, Held, Rule, Strangers};
use crate::lanes::Step;

/// How long a stranger's code can be approved.
const CODE_LIVES: Duration = Duration::from_secs(3600);

/// Codes that may wait for approval on one number. Further strangers get none until one is approved or expires.
const CODES_MOST: u32 = 3;

/// What codes are made of: no letter that looks like a digit. Thirty-two, so that each byte gives one evenly.
const CODE_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Letters of a code: 40 bits, of which three are good at a time, for an hour.
const CODE_LENGTH: usize = 8;

/// How much of a held-back message the admin is shown, in characters.
const EXCERPT: usize = 300;

impl Chats {
    /// Nothing of a stranger's message is read; they are told once a day at most.
    pub(super) async fn refuse(&self, message: &StoredMessage) -> Result<(), StoreError> {
        let inbound = &message.inbound;
        let policy = self.guard.policy(&inbound.number);
        let notice = policy
            .filter(|policy| !policy.deny_message.is_empty())
            .map(|policy| notice(inbound, &policy.deny_message));
        let noticed = self
            .store
            .refuse(message.id, "not_allowed", notice.as_ref())
            .await?;
        info!(wamid = %inbound.id, from = %inbound.from, user = inbound.user.as_ref().map(tracing::field::display),
            noticed, "refused: the sender has no role");
        self.turned_away(inbound, noticed);
        Ok(())
    }

    /// As [`Chats::refuse`], with a code that the operator can approve.
    pub(super) async fn ask_to_pair(&self, message: &StoredMessage) -> Result<(), StoreError> {
        let inbound = &message.inbound;
        let policy = self.guard.policy(&inbound.number);
        let Some(Strangers::Paired { message: words }) = policy.map(|policy| &policy.strangers)
        else {
            return self.refuse(message).await;
        };
        let Some(code) = code() else {
            error!("this host gives no random numbers: a stranger got no code");
            return self.refuse(message).await;
        };
        let notice = notice(inbound, &words.replace("{code}", &code));
        let request = PairingRequest {
            code,
            lives: CODE_LIVES,
            most: CODES_MOST,
        };
        let asked = self
            .store
            .ask_to_pair(message.id, &request, &notice)
            .await?;
        match asked {
            Pairing::Asked => {
                info!(from = %inbound.from, "a stranger has a code: see `kapso-whatsapp-cli pairing list`");
            }
            Pairing::Pending => {}
            Pairing::Full => {
                warn!(from = %inbound.from, "a stranger got no code: as many as may wait for approval do");
            }
        }
        self.turned_away(inbound, asked == Pairing::Asked);
        Ok(())
    }

    fn turned_away(&self, inbound: &Inbound, noticed: bool) {
        self.strangers.announce(inbound);
        if noticed {
            self.outbound.wake(inbound.chat());
        }
    }

    /// A rule keeps a message from the agent.
    pub(super) async fn hold_back(
        &self,
        message: &StoredMessage,
        held: Held<'_>,
    ) -> Result<(), StoreError> {
        let inbound = &message.inbound;
        let reply = held.reply.map(|reply| notice(inbound, reply));
        let admin = match held.rule {
            Rule::Forbidden => None,
            Rule::Escalated | Rule::NeedsApproval => self.word_to_the_admin(message, held.rule),
        };
        let state = match held.rule {
            Rule::NeedsApproval => MessageState::Failed,
            Rule::Forbidden | Rule::Escalated => MessageState::Refused,
        };
        let instead = Instead {
            state,
            reason: held.rule.reason(),
            reply: reply.as_ref(),
            admin: admin.as_ref(),
        };
        self.store.answer_instead(message.id, instead).await?;
        info!(wamid = %inbound.id, reason = held.rule.reason(), "held back by a rule");
        for told in reply.into_iter().chain(admin) {
            self.outbound.wake(told.chat);
        }
        Ok(())
    }

    fn word_to_the_admin(&self, message: &StoredMessage, rule: Rule) -> Option<Outgoing> {
        let admin = self.guard.rules().admin.as_ref()?;
        let inbound = &message.inbound;
        let said: String = inbound
            .content
            .words()
            .unwrap_or_default()
            .chars()
            .take(EXCERPT)
            .collect();
        let then = match rule {
            Rule::NeedsApproval => format!(
                "\nIt waits. To hand it to the agent: kapso-whatsapp-cli dead retry m{}",
                message.id
            ),
            Rule::Forbidden | Rule::Escalated => String::new(),
        };
        let words = format!(
            "{} wrote ({}):\n{said}{then}",
            inbound.from,
            rule.reason().replace('_', " ")
        );
        Some(to(
            ChatKey::new(inbound.number.clone(), admin),
            admin,
            &words,
        ))
    }

    /// While it is closed a message waits; its sender is told once.
    pub(super) async fn wait_until_open(
        &self,
        message: &StoredMessage,
        closed: Closed,
    ) -> Result<Step, StoreError> {
        let inbound = &message.inbound;
        let hours = self.guard.rules().hours.as_ref();
        if let Some(reply) = hours.and_then(|hours| hours.reply.as_deref()) {
            let notice = notice(inbound, reply);
            if self
                .store
                .notice_once(&inbound.chat(), &notice, closed.since)
                .await?
            {
                self.outbound.wake(inbound.chat());
            }
        }
        Ok(Step::After(closed.until.since(self.clock.now())))
    }
}

fn notice(inbound: &Inbound, text: &str) -> Outgoing {
    to(inbound.chat(), &inbound.from, text)
}

fn to(chat: ChatKey, person: &Identity, text: &str) -> Outgoing {
    Outgoing {
        chat,
        to: person.clone(),
        body: OutgoingBody::Text {
            body: text.to_owned(),
        },
        quote: None,
    }
}

/// A new code.
fn code() -> Option<String> {
    let mut bytes = [0; CODE_LENGTH];
    fill(&mut bytes).ok()?;
    let letter = |byte: &u8| char::from(CODE_LETTERS[usize::from(byte % 32)]);
    Some(bytes.iter().map(letter).collect())
}
