//! The content of a transcript's message: plain text, or blocks of which some are text.
//!
//! Only text blocks are kept. Pictures, thinking and tool calls are never copied out of the line. Where a model
//! marks its text as commentary or as final answer (`textSignature`, `phase`), commentary is not for the customer.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a message says.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The text blocks, in order, without those marked as commentary.
    pub(super) texts: Vec<String>,
    /// Whether the message calls a tool, so that it is not the last of its turn.
    pub(super) calls_tool: bool,
}

/// A part of a turn that a model marked as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Commentary,
    FinalAnswer,
}

impl Phase {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "commentary" => Some(Self::Commentary),
            "final_answer" => Some(Self::FinalAnswer),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    text_signature: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Signature<'a> {
    #[serde(borrow)]
    phase: Cow<'a, str>,
}

/// The value of `raw` when it is a string.
pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// Reads a message's `content`; `phase` is the whole message's. Blocks of a shape not known here are passed over.
pub(super) fn read(raw: Option<&RawValue>, phase: Option<Phase>) -> Content {
    let Some(raw) = raw else {
        return Content::default();
    };
    if let Some(text) = text(Some(raw)) {
        let texts = if phase == Some(Phase::Commentary) {
            Vec::new()
        } else {
            vec![text]
        };
        return Content {
            texts,
            calls_tool: false,
        };
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let blocks = blocks
        .iter()
        .filter_map(|block| serde_json::from_str::<Block<'_>>(block.get()).ok());
    let mut calls_tool = false;
    let mut said: Vec<(Option<Phase>, String)> = Vec::new();
    for block in blocks {
        match &*block.kind {
            "text" | "output_text" | "input_text" => {
                let text = text(block.text);
                said.extend(text.map(|text| (block_phase(block.text_signature), text)));
            }
            "toolCall" | "toolUse" | "tool_call" | "tool_use" | "functionCall"
            | "function_call" => calls_tool = true,
            _ => {}
        }
    }
    Content {
        texts: for_the_customer(said, phase),
        calls_tool,
    }
}

/// A block's own mark counts before the message's; final answers count before unmarked text.
fn for_the_customer(said: Vec<(Option<Phase>, String)>, whole: Option<Phase>) -> Vec<String> {
    let marked = said.iter().any(|(phase, _)| phase.is_some());
    let wanted = if marked {
        Some(Phase::FinalAnswer)
    } else {
        None
    };
    if !marked && whole == Some(Phase::Commentary) {
        return Vec::new();
    }
    said.into_iter()
        .filter(|(phase, _)| *phase == wanted)
        .map(|(_, text)| text)
        .collect()
}

/// The signature is a JSON object in a string, or an opaque id of older releases.
fn block_phase(signature: Option<&RawValue>) -> Option<Phase> {
    let signature = text(signature)?;
    let signature: Signature<'_> = serde_json::from_str(&signature).ok()?;
    Phase::named(&signature.phase)
}
