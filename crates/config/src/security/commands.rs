//! `[security.gateway_commands]`: the gateway's own commands that a role may use.

use std::collections::BTreeMap;

use model::Role;

use super::{Security, held_role, roles};
use crate::draft::Draft;
use crate::key::Key;
use crate::problem::Wrong;
use crate::raw::{Scope, Value};
use crate::read;

/// What `true` stands for: questions that change nothing. `/new` and `/reset` need rights at the gateway that the
/// bridge does not have (openclaw.md 3.6).
const USUAL: [&str; 2] = ["/status", "/help"];

/// The longest name of a command, its `/` included.
const LONGEST: usize = 64;

/// The commands that the file gives to roles; none where it has no such table.
pub(super) fn listed(
    draft: &mut Draft<'_>,
    scope: &Scope,
    key: &Key,
) -> Option<BTreeMap<Role, Vec<String>>> {
    let mut commands = BTreeMap::new();
    for entry in scope.entries(key)? {
        let path = format!("{}.{}", key.path, entry.name);
        let role = match roles::role(&entry.name) {
            Ok(role) => role,
            Err(wrong) => {
                draft.problem(&path, Some(entry.written.origin.clone()), wrong);
                continue;
            }
        };
        let list = match &entry.written.value {
            Value::Flag(true) => USUAL.map(str::to_owned).to_vec(),
            Value::Flag(false) => continue,
            Value::Word(_)
            | Value::Secret(_)
            | Value::Text(_)
            | Value::Integer(_)
            | Value::List(_)
            | Value::Decimal(_)
            | Value::Unfit(_) => draft.each(&path, &entry.written, command),
        };
        commands.insert(role, list);
    }
    Some(commands)
}

/// Refuses commands for roles that nobody can have.
pub(super) fn check_roles(draft: &mut Draft<'_>, scope: &Scope, key: &Key, policies: &[&Security]) {
    if policies.is_empty() {
        // There is no number that will do, and that is told already.
        return;
    }
    for entry in scope.entries(key).unwrap_or_default() {
        // A name that is no role at all is a problem already.
        let Ok(role) = roles::role(&entry.name) else {
            continue;
        };
        if let Err(wrong) = held_role(role, policies) {
            draft.problem(key.path, Some(entry.written.origin.clone()), wrong);
        }
    }
}

/// One command, in lower case as the gateway reads it.
fn command(value: &Value) -> Result<String, Wrong> {
    let remedy = "write true, or a list such as [\"/status\", \"/help\"]";
    let (Value::Text(text) | Value::Word(text)) = value else {
        return Err(Wrong::new(read::found(value), remedy));
    };
    let text = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_command = text
        .strip_prefix('/')
        .is_some_and(|name| !name.is_empty() && name.chars().all(plain));
    if !is_command || text.len() > LONGEST {
        let what = format!("has {}, which is not a command", read::quoted(text));
        return Err(Wrong::new(what, remedy));
    }
    Ok(text.to_lowercase())
}
