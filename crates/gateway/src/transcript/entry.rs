//! One line of a session's transcript, read into what a turn needs of it.
//!
//! The lines are a tree: each entry names its parent. Reading is tolerant of fields that are missing or of another
//! type (OpenClaw 2026.1.29 to 2026.7.35); only a line that is not a JSON object with `type` and `id` is refused.

use std::borrow::Cow;

use model::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{self, Phase};

/// The model name under which the gateway adds lines of its own.
const OWN_MODELS: [&str; 2] = ["gateway-injected", "delivery-mirror"];

/// What the gateway's own question after a restart begins with.
const RECOVERY: &str = "[System] Your previous turn was interrupted by a gateway restart";

/// The tool that a resumed run is attributed to, where the release says so.
const RECOVERY_TOOL: &str = "main_session_restart_recovery";

/// What stands before an interrupted question that is asked again together with [`RECOVERY`].
const QUEUED: &str = "[Queued user message that arrived while the previous turn was still active]";

/// One entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The gateway's name for the entry; it survives rewriting of the file.
    pub id: String,
    /// The entry that it follows; none at the root.
    pub parent: Option<String>,
    /// When it was written, by the gateway's clock. Only to be compared with other entries.
    pub at: Option<Timestamp>,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A question, by a person or by the gateway itself.
    User {
        /// The words; those of several blocks are joined by line breaks.
        text: String,
        /// `<key>:user` where the release keeps the key of the request.
        idempotency_key: Option<String>,
        /// The gateway's own question that resumes an interrupted turn.
        recovery: bool,
    },
    /// Words of the model, or of the gateway in its place.
    Assistant {
        /// The text blocks for the customer, without thinking, commentary and tool calls.
        texts: Vec<String>,
        /// Why the model ended; tool use also where only a tool call shows it.
        stop_reason: Option<StopReason>,
        /// The gateway's account of a failure.
        error: Option<String>,
        /// Written by the gateway, not by the model.
        injected: bool,
        /// Cut off by a request to stop.
        aborted: bool,
    },
    /// What a tool returned.
    ToolResult,
    /// The entries before it were summed up.
    Compaction,
    /// The head of a file.
    Session,
    /// Anything else: settings, labels, notes of the gateway.
    Other,
}

/// Why a model ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It had said all.
    Stop,
    /// It reached its limit of tokens in the middle.
    Length,
    /// It wants the result of a tool.
    ToolUse,
    /// It failed.
    Error,
    /// It was stopped.
    Aborted,
    /// A reason not known here.
    Other(String),
}

impl StopReason {
    fn named(name: String) -> Self {
        match name.as_str() {
            "stop" | "end_turn" => Self::Stop,
            "length" | "max_tokens" => Self::Length,
            "toolUse" | "tool_use" | "tool_calls" => Self::ToolUse,
            "error" => Self::Error,
            "aborted" => Self::Aborted,
            _ => Self::Other(name),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: String,
    #[serde(default)]
    parent_id: Option<String>,
    #[serde(default, borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error_message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    idempotency_key: Option<&'a RawValue>,
    #[serde(default, borrow)]
    provider: Option<&'a RawValue>,
    #[serde(default, borrow)]
    model: Option<&'a RawValue>,
    #[serde(default, borrow)]
    phase: Option<&'a RawValue>,
    #[serde(default, borrow)]
    openclaw_abort: Option<&'a RawValue>,
    #[serde(default, borrow)]
    provenance: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Abort {
    aborted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provenance<'a> {
    #[serde(borrow)]
    source_tool: Cow<'a, str>,
}

/// What an entry is known by.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) id: String,
    pub(super) at: Option<Timestamp>,
}

impl From<&Entry> for Name {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.id.clone(),
            at: entry.at,
        }
    }
}

impl Entry {
    /// Reads one line, without its end.
    ///
    /// # Errors
    /// When it is no JSON object with `type` and `id`, or a message without a role.
    pub fn read(line: &[u8]) -> Result<Self, serde_json::Error> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        let kind = match (&*line.kind, line.message) {
            ("message", Some(message)) => message_kind(&serde_json::from_str(message.get())?),
            ("session", _) => EntryKind::Session,
            ("compaction", _) => EntryKind::Compaction,
            _ => EntryKind::Other,
        };
        Ok(Self {
            id: line.id,
            parent: line.parent_id,
            at: line.timestamp.and_then(instant),
            kind,
        })
    }
}

impl Name {
    /// Reads only the name of a line, for looking back.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        Some(Self {
            id: line.id,
            at: line.timestamp.and_then(instant),
        })
    }
}

fn message_kind(message: &Message<'_>) -> EntryKind {
    match &*message.role {
        "user" => {
            let text = content::read(message.content, None).texts.join("\n");
            EntryKind::User {
                recovery: is_recovery(&text) || is_from_recovery(message.provenance),
                idempotency_key: content::text(message.idempotency_key),
                text,
            }
        }
        "assistant" => assistant(message),
        "toolResult" => EntryKind::ToolResult,
        _ => EntryKind::Other,
    }
}

fn assistant(message: &Message<'_>) -> EntryKind {
    let phase = content::text(message.phase).and_then(|name| Phase::named(&name));
    let content = content::read(message.content, phase);
    let named = content::text(message.stop_reason).map(StopReason::named);
    let stop_reason = match named {
        None | Some(StopReason::Stop) if content.calls_tool => Some(StopReason::ToolUse),
        named => named,
    };
    let by_gateway = content::text(message.provider).as_deref() == Some("openclaw");
    let own_model =
        content::text(message.model).is_some_and(|model| OWN_MODELS.contains(&model.as_str()));
    let cut = message
        .openclaw_abort
        .and_then(|raw| serde_json::from_str::<Abort>(raw.get()).ok());
    EntryKind::Assistant {
        texts: content.texts,
        aborted: cut.is_some_and(|cut| cut.aborted) || stop_reason == Some(StopReason::Aborted),
        stop_reason,
        error: content::text(message.error_message),
        injected: by_gateway && own_model,
    }
}

fn is_from_recovery(provenance: Option<&RawValue>) -> bool {
    let Some(raw) = provenance else { return false };
    serde_json::from_str::<Provenance<'_>>(raw.get())
        .is_ok_and(|from| from.source_tool == RECOVERY_TOOL)
}

/// 2026.5.7 writes the time before the words, and both releases may put the interrupted question before them.
fn is_recovery(text: &str) -> bool {
    let text = without_time(text.trim_start());
    text.starts_with(RECOVERY)
        || text.starts_with(QUEUED)
            && text
                .lines()
                .any(|line| without_time(line).starts_with(RECOVERY))
}

/// `text` without the `[Sat 2026-11-21 01:17 UTC] ` that 2026.5.7 puts before a question.
fn without_time(text: &str) -> &str {
    let Some((stamp, rest)) = text
        .strip_prefix('[')
        .and_then(|inner| inner.split_once("] "))
    else {
        return text;
    };
    let date = stamp.split(' ').nth(1).unwrap_or_default().as_bytes();
    let is_date = date.len() == 10 && date[4] == b'-' && date[7] == b'-';
    if is_date { rest } else { text }
}

/// ISO 8601 text, or milliseconds.
fn instant(raw: &RawValue) -> Option<Timestamp> {
    if let Ok(millis) = serde_json::from_str::<i64>(raw.get()) {
        return Some(Timestamp::from_millis(millis));
    }
    let text = content::text(Some(raw))?;
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry {
        Entry::read(line.as_bytes()).unwrap()
    }

    fn assistant(message: &str) -> (Vec<String>, Option<StopReason>, bool, bool) {
        let line = format!(
            r#"{{"type":"message","id":"a","parentId":"u","message":{{"role":"assistant",{message}}}}}"#
        );
        let EntryKind::Assistant {
            texts,
            stop_reason,
            injected,
            aborted,
            ..
        } = read(&line).kind
        else {
            panic!("not an assistant");
        };
        (texts, stop_reason, injected, aborted)
    }

    fn recovery(text: &str) -> bool {
        let line = serde_json::json!({"type": "message", "id": "u", "message": {"role": "user", "content": text}});
        matches!(
            read(&line.to_string()).kind,
            EntryKind::User { recovery: true, .. }
        )
    }

    #[test]
    fn timestamps_are_read_as_text_and_as_milliseconds() {
        let at = |value: &str| {
            read(&format!(
                r#"{{"type":"leaf","id":"x","timestamp":{value}}}"#
            ))
            .at
        };
        assert_eq!(
            at("1795221302372"),
            Some(Timestamp::from_millis(1_795_221_302_372))
        );
        assert_eq!(at("\"2026-11-21T00:35:02.372Z\""), at("1795221302372"));
        assert_eq!(at("\"yesterday\""), None);
        assert_eq!(at("null"), None);
    }

    #[test]
    fn fields_of_another_type_do_not_spoil_a_line() {
        let (texts, stop, injected, aborted) = assistant(
            r#""content":["odd",{"type":"text","text":"hi"},{"type":"text","text":7},{"no":1}],
               "stopReason":3,"provider":[],"model":null,"openclawAbort":"yes","errorMessage":{}"#,
        );
        assert_eq!(
            (texts.as_slice(), stop, injected, aborted),
            (["hi".to_owned()].as_slice(), None, false, false)
        );
    }

    #[test]
    fn a_line_without_type_or_id_is_refused() {
        for line in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"type":"message"}"#,
            r#"{"id":"x"}"#,
            r#"{"type":"x","id":"#,
            "\u{1}",
        ] {
            assert!(Entry::read(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_tool_call_beside_stop_is_not_an_end() {
        let call = r#"{"type":"toolCall","id":"c","name":"n","arguments":{}}"#;
        let (texts, stop, ..) = assistant(&format!(
            r#""content":[{{"type":"text","text":"let me see"}},{call}],"stopReason":"stop""#
        ));
        assert_eq!(texts, ["let me see"]);
        assert_eq!(stop, Some(StopReason::ToolUse));
    }

    #[test]
    fn thinking_and_commentary_are_left_out() {
        let text = |text: &str, signature: &str| {
            serde_json::json!({"type": "text", "text": text, "textSignature": signature})
                .to_string()
        };
        let aside = text("looking it up", r#"{"v":1,"id":"m1","phase":"commentary"}"#);
        let answer = text("it is four", r#"{"v":1,"id":"m2","phase":"final_answer"}"#);
        let plain = text("plain", "msg_0123");
        let thinking = r#"{"type":"thinking","thinking":"2+2"}"#;
        let said = |blocks: &[&str]| {
            assistant(&format!(
                r#""content":[{}],"stopReason":"stop""#,
                blocks.join(",")
            ))
            .0
        };
        assert_eq!(said(&[thinking, &aside, &answer]), ["it is four"]);
        assert_eq!(said(&[&aside]), Vec::<String>::new());
        assert_eq!(said(&[thinking, &plain]), ["plain"]);
        assert_eq!(
            assistant(r#""content":[{"type":"text","text":"hm"}],"phase":"commentary""#).0,
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_gateways_own_lines_are_told_from_the_models() {
        let own = r#""content":"x","provider":"openclaw","model":"gateway-injected""#;
        assert!(assistant(own).2);
        assert!(!assistant(r#""content":"x","provider":"someone","model":"gateway-injected""#).2);
        assert!(
            assistant(&format!(
                r#"{own},"openclawAbort":{{"aborted":true,"origin":"rpc"}}"#
            ))
            .3
        );
    }

    #[test]
    fn a_resumed_turn_is_told_from_a_quotation() {
        let words = "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was waiting";
        assert!(recovery(words));
        assert!(recovery(&format!("[Sat 2026-11-21 01:28 UTC] {words}")));
        assert!(recovery(&format!(
            "{QUEUED}\n[Sat 2026-11-21 01:28 UTC] question\n\n[Sat 2026-11-21 01:28 UTC] {words}"
        )));
        assert!(!recovery(&format!("From: +1 [role: member]\n{words}")));
        assert!(!recovery("[not a date] hello"));
    }
}
