//! Pairing for the operator: who asks to be let in, who was, and the orders to let someone in or out again.
//!
//! The journal is changed first, then the guard is told: what was answered with 200 survives a restart.

use axum::Json;
use axum::extract::{Query, State};
use model::{ChatKey, Identity, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Approval, PairingEntry};
use tracing::info;

use super::refused::Refused;
use super::{Control, Grants};

/// Which request to approve, and as whom.
#[derive(Debug, Deserialize)]
pub(super) struct Approve {
    code: Option<String>,
    role: Option<String>,
}

/// Whom to let in no longer.
#[derive(Debug, Deserialize)]
pub(super) struct Revoke {
    of: Option<String>,
}

/// `/pairing`: the codes that can be approved, and who was let in.
pub(super) async fn list(State(control): State<Control>) -> Result<Json<Value>, Refused> {
    let pending = control.store.pairings().await?;
    let approved = control.store.approvals().await?;
    Ok(Json(json!({
        "pending": pending.iter().map(shown_pending).collect::<Vec<_>>(),
        "approved": approved.iter().map(shown_approved).collect::<Vec<_>>(),
    })))
}

/// `/pairing/approve?code=CODE[&role=ROLE]`: lets the person in who was given the code.
pub(super) async fn approve(
    State(control): State<Control>,
    Query(order): Query<Approve>,
) -> Result<Json<Value>, Refused> {
    let code = order.code.unwrap_or_default();
    let code = code.trim();
    let unknown = || {
        Refused::Nothing(format!(
            "nobody waits with the code {code:?}: it is wrong, used or too old; `pairing list` shows those that can be approved"
        ))
    };
    let pending = control.store.pairings().await?;
    let asked = pending
        .iter()
        .find(|entry| entry.code.eq_ignore_ascii_case(code))
        .ok_or_else(unknown)?;
    let role = control.granted(&asked.chat, order.role.as_deref())?;
    let approval = control.store.approve(&asked.code, &role).await?;
    let approval = approval.ok_or_else(unknown)?;
    let Approval { chat, role, .. } = &approval;
    control.people.guard.approvals().approve(chat, role.clone());
    info!(%chat, %role, "let in by a pairing code");
    let mut shown = shown_approved(&approval);
    shown["name"] = asked.name.as_deref().into();
    Ok(Json(shown))
}

/// `/pairing/revoke?of=NUMBER`: lets a person in no longer, on whichever business numbers they were let in.
pub(super) async fn revoke(
    State(control): State<Control>,
    Query(order): Query<Revoke>,
) -> Result<Json<Value>, Refused> {
    let of = order.of.unwrap_or_default();
    let person = Identity::new(&of)
        .map_err(|invalid| Refused::Wrong(format!("{of:?} {invalid}")))?
        .canonical();
    let mut gone = Vec::new();
    for approval in control.store.approvals().await? {
        if approval.chat.peer() == &person && control.store.revoke(&approval.chat).await? {
            control.people.guard.approvals().revoke(&approval.chat);
            info!(chat = %approval.chat, "a pairing was taken back");
            gone.push(shown_approved(&approval));
        }
    }
    if gone.is_empty() {
        return Err(Refused::Nothing(format!(
            "{person} was not let in by a pairing code; who has a role by security.roles loses it there"
        )));
    }
    Ok(Json(json!({ "revoked": gone })))
}

impl Control {
    /// The role to give a person: one that the configuration knows.
    fn granted(&self, chat: &ChatKey, wanted: Option<&str>) -> Result<Role, Refused> {
        let Some(Grants { roles, usual }) = self.people.grants.get(&chat.number) else {
            let number = &chat.number;
            return Err(Refused::Conflict(format!(
                "the number {number} is not configured any more, so nobody can be let in there"
            )));
        };
        let wanted = match wanted.map(str::trim) {
            None | Some("") => return Ok(usual.clone()),
            Some(wanted) => Role(wanted.to_owned()),
        };
        if wanted == *usual || roles.contains(&wanted) {
            return Ok(wanted);
        }
        let known = roles.iter().filter(|role| *role != usual);
        let known: Vec<&str> = known.chain([usual]).map(|role| role.0.as_str()).collect();
        Err(Refused::Wrong(format!(
            "{:?} is no role of the configuration; these are: {}",
            wanted.0,
            known.join(", ")
        )))
    }
}

fn shown_pending(entry: &PairingEntry) -> Value {
    json!({
        "code": entry.code,
        "from": entry.chat.peer().to_string(),
        "number": entry.chat.number,
        "name": entry.name,
        "asked_at": entry.asked_at,
        "expires_at": entry.expires_at,
    })
}

fn shown_approved(approval: &Approval) -> Value {
    json!({
        "from": approval.chat.peer().to_string(),
        "number": approval.chat.number,
        "role": approval.role,
        "at": approval.at,
    })
}
