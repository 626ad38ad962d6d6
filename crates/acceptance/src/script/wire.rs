//! `OpenAI`'s chat completions on the wire, streamed as server-sent events or whole.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

/// One answer of the model: words, a call of a tool, or both.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    text: String,
    call: Option<Call>,
}

#[derive(Debug, Clone)]
struct Call {
    id: usize,
    tool: String,
    arguments: &'static str,
}

impl Answer {
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            call: None,
        }
    }

    pub(super) fn call(text: &str, id: usize, tool: &str, arguments: &'static str) -> Self {
        let call = Call {
            id,
            tool: tool.to_owned(),
            arguments,
        };
        Self {
            text: text.to_owned(),
            call: Some(call),
        }
    }

    fn tool_calls(&self) -> Option<Value> {
        let Call {
            id,
            tool,
            arguments,
        } = self.call.as_ref()?;
        let function = json!({ "name": tool, "arguments": arguments });
        Some(
            json!([{ "index": 0, "id": format!("call_{id}"), "type": "function", "function": function }]),
        )
    }

    fn finish_reason(&self) -> &'static str {
        if self.call.is_some() {
            "tool_calls"
        } else {
            "stop"
        }
    }
}

/// Answers `request` after `pause`. A stream begins at once and pauses in the middle, as a thinking model's does.
pub(super) fn say(request: &Value, answer: Answer, pause: Duration) -> Response {
    let whole = request.get("stream").and_then(Value::as_bool) != Some(true);
    let rest = async move {
        sleep(pause).await;
        if whole {
            completion(&answer)
        } else {
            rest(&answer)
        }
    };
    let (kind, begin) = if whole {
        ("application/json", String::new())
    } else {
        ("text/event-stream", begin())
    };
    let parts = stream::once(async { begin }).chain(stream::once(rest));
    let bytes = parts.map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    ([(CONTENT_TYPE, kind)], Body::from_stream(bytes)).into_response()
}

fn begin() -> String {
    event(&json!({ "role": "assistant", "content": "" }), &Value::Null)
}

fn rest(answer: &Answer) -> String {
    let mut out = event(&json!({ "content": answer.text }), &Value::Null);
    if let Some(calls) = answer.tool_calls() {
        out += &event(&json!({ "tool_calls": calls }), &Value::Null);
    }
    out += &event(&json!({}), &json!(answer.finish_reason()));
    let mut usage = frame("chat.completion.chunk");
    usage["choices"] = json!([]);
    usage["usage"] = tokens();
    out + &format!("data: {usage}\n\ndata: [DONE]\n\n")
}

fn event(delta: &Value, finish_reason: &Value) -> String {
    let mut chunk = frame("chat.completion.chunk");
    chunk["choices"] = json!([{ "index": 0, "delta": delta, "finish_reason": finish_reason }]);
    format!("data: {chunk}\n\n")
}

fn completion(answer: &Answer) -> String {
    let mut message = json!({ "role": "assistant", "content": answer.text });
    if let Some(calls) = answer.tool_calls() {
        message["tool_calls"] = calls;
    }
    let mut whole = frame("chat.completion");
    whole["choices"] =
        json!([{ "index": 0, "message": message, "finish_reason": answer.finish_reason() }]);
    whole["usage"] = tokens();
    whole.to_string()
}

fn frame(object: &str) -> Value {
    json!({ "id": "chatcmpl-scripted", "object": object, "created": 0, "model": "scripted" })
}

fn tokens() -> Value {
    json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_a_whole_answer_say_the_same() {
        let answer = Answer::call("Let me look", 1, "session_status", "{}");
        let stream = begin() + &rest(&answer);
        let mut events: Vec<&str> = stream.split_terminator("\n\n").collect();
        assert_eq!(events.pop(), Some("data: [DONE]"));
        let events: Vec<Value> = events
            .iter()
            .map(|event| serde_json::from_str(&event["data: ".len()..]).unwrap())
            .collect();
        let whole: Value = serde_json::from_str(&completion(&answer)).unwrap();
        let text: String = events
            .iter()
            .filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str())
            .collect();
        assert_eq!(
            Some(text.as_str()),
            whole
                .pointer("/choices/0/message/content")
                .and_then(Value::as_str)
        );
        let call = events
            .iter()
            .find_map(|event| event.pointer("/choices/0/delta/tool_calls"));
        assert_eq!(call, whole.pointer("/choices/0/message/tool_calls"));
        assert_eq!(
            whole.pointer("/choices/0/finish_reason"),
            Some(&json!("tool_calls"))
        );
        assert_eq!(
            events
                .last()
                .and_then(|event| event.pointer("/usage/total_tokens")),
            Some(&json!(18))
        );
    }
}
