//! Who may speak as whom, as the operator's orders and the tokens need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{NumberId, Role};

use crate::guard::Guard;
use crate::identity::Issuer;

/// Everything about people that the control socket answers from.
#[derive(Debug, Clone)]
pub struct People {
    /// The guard of this process, which says who a person is at this moment, and is told of approvals.
    pub guard: Arc<Guard>,
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
