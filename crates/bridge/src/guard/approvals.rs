//! Who was let in by pairing: the ledger's approvals, at hand for every decision.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use model::{ChatKey, Role};

/// The approved senders of every number. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Approvals(Arc<RwLock<HashMap<ChatKey, Role>>>);

impl Approvals {
    /// The approvals that the ledger has.
    pub fn new(approved: impl IntoIterator<Item = (ChatKey, Role)>) -> Self {
        Self(Arc::new(RwLock::new(approved.into_iter().collect())))
    }

    /// The role that the sender was approved for.
    pub fn role(&self, chat: &ChatKey) -> Option<Role> {
        let approved = self.0.read().unwrap_or_else(PoisonError::into_inner);
        approved.get(chat).cloned()
    }

    /// Lets a sender in. To be called once the ledger has it.
    pub fn approve(&self, chat: ChatKey, role: Role) {
        let mut approved = self.0.write().unwrap_or_else(PoisonError::into_inner);
        approved.insert(chat, role);
    }

    /// Shuts a sender out again. To be called once the ledger has it.
    pub fn revoke(&self, chat: &ChatKey) {
        let mut approved = self.0.write().unwrap_or_else(PoisonError::into_inner);
        approved.remove(chat);
    }
}
