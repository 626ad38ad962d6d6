//! What is configured of one business number: who has which role, what becomes of the rest, and how often one may write.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use model::{Content, Identity, Inbound, Role};

/// Who may speak on a number, and as whom.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What becomes of senders without a role (`security.mode`).
    pub strangers: Strangers,
    /// The role of each known sender, by canonical identity.
    pub roles: HashMap<Identity, Role>,
    /// Messages of one sender that are handed over per `window`.
    pub rate_limit: u32,
    /// The time in which `rate_limit` messages are handed over.
    pub window: Duration,
    /// What becomes of a message that is over the limit.
    pub over_limit: OverLimit,
    /// What a refused sender is told, once a day at most; empty says nothing.
    pub deny_message: String,
    /// Commands of the gateway that a role may use, in lower case, each with its `/`.
    pub commands: BTreeMap<Role, Vec<String>>,
}

/// What becomes of senders without a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strangers {
    /// They are refused.
    Refused,
    /// They speak in this role.
    Admitted(Role),
    /// They are refused, and given a code that the operator can approve.
    Paired {
        /// What they are told, with `{code}` where the code stands.
        message: String,
    },
}

/// What becomes of a message that is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverLimit {
    /// It waits in the ledger for its turn.
    Wait,
    /// It is recorded as dropped.
    Drop,
}

impl Policy {
    /// The command of the gateway that `inbound` is, if a sender with `role` may use it: the command, and what follows it.
    pub fn command<'i>(&self, role: &Role, inbound: &'i Inbound) -> Option<(String, &'i str)> {
        let allowed = self.commands.get(role)?;
        let Content::Text { body } = &inbound.content else {
            return None;
        };
        let body = body.trim();
        let (word, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
        let word = word.to_lowercase();
        allowed.contains(&word).then(|| (word, rest.trim()))
    }
}
