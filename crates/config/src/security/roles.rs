//! `[security.roles]`: who is in which role.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use model::{Identity, Role};

use super::Security;
use crate::draft::Draft;
use crate::key::Key;
use crate::problem::{Origin, Wrong};
use crate::raw::{Scope, Value, Written};
use crate::read;

/// The longest name of a role.
const LONGEST_ROLE: usize = 64;

/// The roles that the file gives; none where it has no such table. A number in two roles is a problem that names both.
pub(super) fn listed(
    draft: &mut Draft<'_>,
    scope: &Scope,
    key: &Key,
) -> Option<BTreeMap<Identity, Role>> {
    let mut members = Members::new();
    for entry in scope.entries(key)? {
        let path = format!("{}.{}", key.path, entry.name);
        match role(&entry.name) {
            Ok(role) => add(draft, &mut members, &path, &role, &entry.written),
            Err(wrong) => draft.problem(&path, Some(entry.written.origin.clone()), wrong),
        }
    }
    let roles = members.into_iter();
    Some(
        roles
            .map(|(identity, (role, _))| (identity, role))
            .collect(),
    )
}

/// Who is in which role, and where that stands.
type Members = BTreeMap<Identity, (Role, Origin)>;

/// Adds those whom the file lists at `path`.
fn add(draft: &mut Draft<'_>, members: &mut Members, path: &str, role: &Role, written: &Written) {
    let Value::List(list) = &written.value else {
        let wrong = Wrong::new("is not a list", "write it as [\"+15551234567\", …]");
        draft.problem(path, Some(written.origin.clone()), wrong);
        return;
    };
    if list.is_empty() {
        let wrong = Wrong::new(
            "lists nobody",
            format!("list a number or a user id, or remove the role {role}"),
        );
        draft.problem(path, Some(written.origin.clone()), wrong);
    }
    for entry in list {
        match read::identity(&entry.value) {
            Err(wrong) => draft.problem(path, Some(entry.origin.clone()), wrong),
            Ok(identity) => {
                if let Err(wrong) = join(members, identity, role, &entry.origin) {
                    draft.problem(path, Some(entry.origin.clone()), wrong);
                }
            }
        }
    }
}

fn join(
    members: &mut Members,
    identity: Identity,
    role: &Role,
    origin: &Origin,
) -> Result<(), Wrong> {
    match members.entry(identity) {
        Entry::Vacant(vacant) => {
            vacant.insert((role.clone(), origin.clone()));
            Ok(())
        }
        Entry::Occupied(known) if known.get().0 != *role => {
            let (other, place) = known.get();
            let what = format!(
                "has {}, which is also in the role {other} ({place})",
                known.key()
            );
            Err(Wrong::new(what, "leave the number in one role"))
        }
        Entry::Occupied(_) => Ok(()),
    }
}

/// The numbers of the environment, separated by commas.
pub(super) fn separated(value: &Value) -> Result<Vec<Identity>, Wrong> {
    let text = read::text(value)?;
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(read::person)
        .collect()
}

/// The members of each role, as the file lists them.
pub(super) fn by_role(roles: &BTreeMap<Identity, Role>) -> BTreeMap<&str, Vec<String>> {
    let mut members: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (identity, role) in roles {
        members
            .entry(&role.0)
            .or_default()
            .push(identity.to_string());
    }
    members
}

/// A role, by its name.
pub(crate) fn role_name(value: &Value) -> Result<Role, Wrong> {
    role(&read::text(value)?)
}

/// The role, if someone may have it under one of these policies.
pub(crate) fn held_role(role: Role, policies: &[&Security]) -> Result<Role, Wrong> {
    if policies.iter().any(|policy| policy.may_have(&role)) {
        return Ok(role);
    }
    let given: BTreeSet<&str> = policies
        .iter()
        .flat_map(|policy| policy.given_roles())
        .map(|role| role.0.as_str())
        .collect();
    let remedy = if given.is_empty() {
        "give it to someone in [security.roles]".to_owned()
    } else {
        read::one_of(&role.0, given)
    };
    let what = format!("names the role {role}, which nobody can have");
    Err(Wrong::new(what, remedy))
}

/// A role's name, which stands in the first line that the agent reads: nothing in it may look like more than a name.
pub(super) fn role(text: &str) -> Result<Role, Wrong> {
    let text = text.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.chars().count() > LONGEST_ROLE || !text.chars().all(plain) {
        return Err(Wrong::new(
            format!("names the role {}", read::quoted(text)),
            format!("use up to {LONGEST_ROLE} letters, digits, - _ or ."),
        ));
    }
    Ok(Role(text.to_owned()))
}
