//! Whom the operator let in with a pairing code: in memory for the guard, on disk in the journal.
//!
//! The journal decides; this is what it says, as of the start and of every order since. A look-up never waits for the disk.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{ChatKey, Role};
use store::{Approval, Store, StoreError};

/// The approved chats and their roles. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Approvals(Arc<RwLock<HashMap<ChatKey, Role>>>);

impl Approvals {
    /// What the journal has.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read: starting without the approvals would turn people away.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        Ok(store.approvals().await?.into_iter().collect())
    }

    /// The role that the operator gave this chat's person, if they were let in.
    pub fn role(&self, chat: &ChatKey) -> Option<Role> {
        self.read().get(chat).cloned()
    }

    /// Lets a person in from now on. The approval is in the journal already.
    pub fn approve(&self, chat: &ChatKey, role: Role) {
        self.write().insert(chat.clone(), role);
    }

    /// Lets a person in no longer; whether they were. The approval is gone from the journal already.
    pub fn revoke(&self, chat: &ChatKey) -> bool {
        self.write().remove(chat).is_some()
    }

    // No holder can leave the map half changed, so what a panicking one left is as good as before.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<ChatKey, Role>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ChatKey, Role>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromIterator<Approval> for Approvals {
    fn from_iter<A: IntoIterator<Item = Approval>>(approvals: A) -> Self {
        let roles = approvals.into_iter();
        let roles = roles.map(|approval| (approval.chat, approval.role));
        Self(Arc::new(RwLock::new(roles.collect())))
    }
}

#[cfg(test)]
mod tests {
    use model::{Identity, NumberId, Timestamp};

    use super::*;

    fn chat(number: &str, peer: &str) -> ChatKey {
        ChatKey::new(
            NumberId::new(number).unwrap(),
            &Identity::new(peer).unwrap(),
        )
    }

    #[test]
    fn an_order_counts_at_once_for_every_holder_and_for_its_chat_alone() {
        let (ann, elsewhere) = (chat("1", "+15551234567"), chat("2", "+15551234567"));
        let member = Role("member".into());
        let before = Approval {
            chat: chat("1", "US.13491208655302741918"),
            role: member.clone(),
            at: Timestamp::from_seconds(1),
        };
        let approvals: Approvals = [before.clone()].into_iter().collect();
        let guard = approvals.clone();
        assert_eq!(guard.role(&before.chat), Some(member.clone()));
        assert_eq!(guard.role(&ann), None);
        approvals.approve(&ann, member.clone());
        assert_eq!(guard.role(&ann), Some(member));
        assert_eq!(guard.role(&elsewhere), None);
        assert!(approvals.revoke(&ann));
        assert!(!approvals.revoke(&ann));
        assert_eq!(guard.role(&ann), None);
    }
}
