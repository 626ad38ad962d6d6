//! Who may speak as whom, as the operator's orders and the tokens need it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use model::{ChatKey, NumberId, Role};

use crate::guard::Approvals;
use crate::identity::Issuer;

/// Everything about people that the control socket answers from.
#[derive(Debug, Clone)]
pub struct People {
    /// The role that the guard gives a person at this moment.
    pub role: RoleOf,
    /// Whom the operator let in; the guard reads the same.
    pub approvals: Approvals,
    /// The roles that the operator may give, for each business number that is served.
    pub grants: BTreeMap<NumberId, Grants>,
    /// The agent of session keys that name none (`gateway.agent`).
    pub agent: String,
    /// Signs who a session belongs to; nobody does without `identity.audience`.
    pub issuer: Option<Issuer>,
}

/// The roles of a business number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Those that the configuration knows; the usual one is one of them, named here or not.
    pub roles: BTreeSet<Role>,
    /// The one of an approval that names none (`security.default_role`).
    pub usual: Role,
}

/// Asks the guard for a person's role.
#[derive(Clone)]
pub struct RoleOf(Arc<Guard>);

/// Who may speak, and as whom.
type Guard = dyn Fn(&ChatKey) -> Option<Role> + Send + Sync;

impl RoleOf {
    /// Asks `guard`, which gives none for whoever may not speak.
    pub fn new(guard: impl Fn(&ChatKey) -> Option<Role> + Send + Sync + 'static) -> Self {
        Self(Arc::new(guard))
    }

    /// As whom this chat's person may speak now.
    pub fn of(&self, chat: &ChatKey) -> Option<Role> {
        (self.0)(chat)
    }
}

impl fmt::Debug for RoleOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoleOf")
    }
}
