//! The shape of parameters: every release refuses what it does not know, in the same words (recorded in `24`).

use serde_json::{Map, Value};

use super::faults::Rejection;
use super::release::Release;

/// The kinds of `inputProvenance`.
const PROVENANCES: [&str; 3] = ["external_user", "inter_session", "internal_system"];
/// The fields of `inputProvenance`.
const PROVENANCE: [&str; 5] = [
    "kind",
    "originSessionId",
    "sourceSessionKey",
    "sourceChannel",
    "sourceTool",
];
/// The most rows of `chat.history` that may be asked for.
const MOST_ROWS: u64 = 1_000;

/// Checks the parameters of `agent`.
pub(super) fn agent(release: Release, params: &Value) -> Result<(), Rejection> {
    let check = Check::new("agent", params)?;
    check.closed("root", check.params, |name| {
        release.knows_agent_parameter(name)
    })?;
    check.required(&["message", "idempotencyKey"])?;
    for name in [
        "sessionKey",
        "extraSystemPrompt",
        "channel",
        "label",
        "agentId",
    ] {
        check.kind(name, Value::is_string, "string")?;
    }
    check.kind("timeout", Value::is_u64, "integer")?;
    check.kind("attachments", Value::is_array, "array")?;
    check.kind("deliver", Value::is_boolean, "boolean")?;
    check.kind("inputProvenance", Value::is_object, "object")?;
    if let Some(Value::Object(provenance)) = check.params.get("inputProvenance") {
        check.closed("/inputProvenance", provenance, |name| {
            PROVENANCE.contains(&name)
        })?;
        let kind = provenance.get("kind").and_then(Value::as_str);
        if !kind.is_some_and(|kind| PROVENANCES.contains(&kind)) {
            return Err(check
                .refusal("at /inputProvenance/kind: must be equal to one of the allowed values"));
        }
    }
    Ok(())
}

/// Checks the parameters of `chat.send`.
pub(super) fn chat_send(release: Release, params: &Value) -> Result<(), Rejection> {
    let check = Check::new("chat.send", params)?;
    check.closed("root", check.params, |name| {
        release.knows_chat_parameter(name)
    })?;
    check.required(&["sessionKey", "message", "idempotencyKey"])?;
    check.kind("timeoutMs", Value::is_u64, "integer")?;
    check.kind("deliver", Value::is_boolean, "boolean")
}

/// Checks the parameters of `agent.wait`.
pub(super) fn wait(params: &Value) -> Result<(), Rejection> {
    let check = Check::new("agent.wait", params)?;
    check.closed("root", check.params, |name| {
        matches!(name, "runId" | "timeoutMs")
    })?;
    check.required(&["runId"])?;
    check.kind("timeoutMs", Value::is_u64, "integer")
}

/// Checks the parameters of `chat.history`.
pub(super) fn history(release: Release, params: &Value) -> Result<(), Rejection> {
    let check = Check::new("chat.history", params)?;
    check.closed("root", check.params, |name| {
        release.knows_history_parameter(name)
    })?;
    check.required(&["sessionKey"])?;
    check.kind("limit", Value::is_u64, "integer")?;
    match check.params.get("limit").and_then(Value::as_u64) {
        Some(0) => Err(check.refusal("at /limit: must be >= 1")),
        Some(limit) if limit > MOST_ROWS => {
            Err(check.refusal(&format!("at /limit: must be <= {MOST_ROWS}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a text starts with `/new` or `/reset`, the only words that `agent` takes for commands
/// (openclaw.md 3.6).
pub(super) fn is_reset(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case("/new") || first.eq_ignore_ascii_case("/reset")
}

struct Check<'a> {
    method: &'static str,
    params: &'a Map<String, Value>,
}

impl<'a> Check<'a> {
    fn new(method: &'static str, params: &'a Value) -> Result<Self, Rejection> {
        match params.as_object() {
            Some(params) => Ok(Self { method, params }),
            None => Err(Rejection::invalid(format!(
                "invalid {method} params: at root: must be object"
            ))),
        }
    }

    fn refusal(&self, what: &str) -> Rejection {
        Rejection::invalid(format!("invalid {} params: {what}", self.method))
    }

    fn closed(
        &self,
        place: &str,
        object: &Map<String, Value>,
        knows: impl Fn(&str) -> bool,
    ) -> Result<(), Rejection> {
        match object.keys().find(|name| !knows(name)) {
            Some(name) => Err(self.refusal(&format!("at {place}: unexpected property '{name}'"))),
            None => Ok(()),
        }
    }

    /// These must be there, as text that is not empty.
    fn required(&self, names: &[&str]) -> Result<(), Rejection> {
        for name in names {
            match self.params.get(*name) {
                None => {
                    return Err(self.refusal(&format!("must have required property '{name}'")));
                }
                Some(Value::String(text)) if text.is_empty() => {
                    return Err(self.refusal(&format!(
                        "at /{name}: must not have fewer than 1 characters"
                    )));
                }
                Some(Value::String(_)) => {}
                Some(_) => return Err(self.refusal(&format!("at /{name}: must be string"))),
            }
        }
        Ok(())
    }

    fn kind(&self, name: &str, is: fn(&Value) -> bool, kind: &str) -> Result<(), Rejection> {
        match self.params.get(name) {
            Some(value) if !is(value) => Err(self.refusal(&format!("at /{name}: must be {kind}"))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(release: Release, params: &Value) -> Option<String> {
        agent(release, params)
            .err()
            .map(|rejection| rejection.message)
    }

    #[test]
    fn what_a_release_does_not_know_is_refused_as_recorded() {
        let good = json!({"sessionKey": "a", "message": "x", "idempotencyKey": "i",
            "inputProvenance": {"kind": "external_user", "sourceChannel": "whatsapp"},
            "extraSystemPrompt": "p", "timeout": 3});
        for release in Release::ALL {
            assert_eq!(refused(release, &good), None, "{release:?}");
        }
        let newer = json!({"message": "x", "idempotencyKey": "i", "disableMessageTool": true});
        assert_eq!(refused(Release::V2026_7_35, &newer), None);
        assert_eq!(
            refused(Release::V2026_5_7, &newer).as_deref(),
            Some("invalid agent params: at root: unexpected property 'disableMessageTool'")
        );
        assert_eq!(
            refused(Release::V2026_9_6, &json!({"message": "x"})).as_deref(),
            Some("invalid agent params: must have required property 'idempotencyKey'")
        );
    }

    #[test]
    fn only_leading_new_and_reset_are_commands() {
        assert!(is_reset("/new"));
        assert!(is_reset("  /RESET please"));
        for text in ["/status", "/newer", "please /new", "From: +1\n/new", "stop"] {
            assert!(!is_reset(text), "{text}");
        }
    }
}
