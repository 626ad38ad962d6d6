//! What a model thought on the way to its answer, as OpenClaw and the models write it.
//!
//! Blocks in tags are cut wherever they stand outside of code; a block that is opened at a line's start and never
//! closed is reasoning to the end, and what stands before a tag that only closes is reasoning from the beginning.
//! OpenClaw's own form, `Reasoning:` or `Thinking` (by release) over lines in italics, is cut at the head of a text.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag as Markdown};

/// The names of the tags, as OpenClaw 2026.9.6 knows them, and `reasoning`.
const NAMES: [&str; 5] = ["think", "thinking", "thought", "reasoning", "antthinking"];

/// Prefixes that some models put before the name.
const SPACES: [&str; 2] = ["antml:", "mm:"];

/// `text` without reasoning.
pub(super) fn without_reasoning(text: &str) -> Cow<'_, str> {
    let text = without_told_reasoning(text);
    if !text.contains('<') {
        return Cow::Borrowed(text);
    }
    let code = code(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut may_close = true;
    while let Some(tag) = next_tag(text, at, &code) {
        out.push_str(&text[at..tag.range.start]);
        at = tag.range.end;
        if tag.closes {
            out.clear();
            continue;
        }
        let close = may_close.then(|| closing(text, at)).flatten();
        may_close = close.is_some();
        if let Some(close) = close {
            at = close;
        } else if tag.starts_line(text) {
            at = text.len();
        } else {
            out.push_str(&text[tag.range]);
        }
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// `<think>` or `</think>`.
#[derive(Debug)]
struct Tag {
    range: Range<usize>,
    closes: bool,
}

impl Tag {
    /// The tag that begins with the `<` at `at`.
    fn at(text: &str, at: usize) -> Option<Self> {
        let inside = text[at..].strip_prefix('<')?;
        let end = inside.find(['<', '>'])?;
        if !inside[end..].starts_with('>') {
            return None;
        }
        let words = inside[..end].trim().to_ascii_lowercase();
        let (closes, words) = match words.strip_prefix('/') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, words.as_str()),
        };
        let words = SPACES
            .iter()
            .find_map(|space| words.strip_prefix(space))
            .unwrap_or(words);
        let name = words.split(|c: char| !c.is_ascii_alphanumeric()).next();
        NAMES.contains(&name?).then_some(Self {
            range: at..at + end + 2,
            closes,
        })
    }

    fn starts_line(&self, text: &str) -> bool {
        let line = text[..self.range.start].rsplit('\n').next();
        line.is_some_and(|before| before.trim().is_empty())
    }
}

fn next_tag(text: &str, from: usize, code: &[Range<usize>]) -> Option<Tag> {
    text[from..]
        .match_indices('<')
        .map(|(at, _)| from + at)
        .filter(|at| !is_in(*at, code))
        .find_map(|at| Tag::at(text, at))
}

/// The end of the tag that closes what was opened before `from`.
fn closing(text: &str, from: usize) -> Option<usize> {
    text[from..]
        .match_indices('<')
        .filter_map(|(at, _)| Tag::at(text, from + at))
        .find(|tag| tag.closes)
        .map(|tag| tag.range.end)
}

/// Where `text` is code: fenced blocks and spans in backticks.
pub(super) fn code(text: &str) -> Vec<Range<usize>> {
    Parser::new(text)
        .into_offset_iter()
        .filter_map(|(event, range)| {
            let code = matches!(
                event,
                Event::Code(_) | Event::Start(Markdown::CodeBlock(CodeBlockKind::Fenced(_)))
            );
            code.then_some(range)
        })
        .collect()
}

/// Whether `at` is within one of the ranges, which are in order.
pub(super) fn is_in(at: usize, ranges: &[Range<usize>]) -> bool {
    let next = ranges.partition_point(|range| range.end <= at);
    ranges.get(next).is_some_and(|range| range.contains(&at))
}

/// `text` without `Reasoning:` and the lines in italics below it.
fn without_told_reasoning(text: &str) -> &str {
    let (first, mut rest) = text.trim_start().split_once('\n').unwrap_or_default();
    let first = first.trim().to_ascii_lowercase();
    if first != "reasoning:" && first.trim_end_matches('.') != "thinking" {
        return text;
    }
    let mut told = false;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = line.trim().trim_start_matches('>').trim();
        let italic = line.len() > 2 && line.starts_with('_') && line.ends_with('_');
        if !italic && !line.is_empty() {
            break;
        }
        told |= italic;
        rest = after;
    }
    if told { rest } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r15_reasoning_is_never_told() {
        for (text, left) in [
            ("<think>secret</think>visible", "visible"),
            ("a <thinking>secret</thinking>b", "a b"),
            ("<THINK mode=\"x\">secret</ think >visible", "visible"),
            ("<thinking>secret</thinking>visible", "visible"),
            ("<reasoning>\nsecret\n</reasoning>\nvisible", "\nvisible"),
            ("<thought>a</thought>b<think>c</think>d", "bd"),
            ("<think>one <think>two</think>visible", "visible"),
            ("visible\n<think>secret", "visible\n"),
            ("secret</think>visible", "visible"),
            ("<think>```\nx</think>visible", "visible"),
            ("Reasoning:\n_secret_\n\n_more_", ""),
            ("Reasoning:\n_secret_\nvisible", "visible"),
            ("Thinking\n\n_secret_\n\nvisible _word_", "visible _word_"),
            ("Thinking...\n> _secret_\nvisible", "visible"),
        ] {
            assert_eq!(without_reasoning(text), left, "{text:?}");
        }
    }

    #[test]
    fn words_about_reasoning_are_told() {
        for text in [
            "Use `<think>` in the prompt.",
            "```xml\n<think>\n```\nis how it begins",
            "a tag such as <think> opens it",
            "1 < 2 and <b>bold</b>",
            "Reasoning:\nbecause it rains",
            "Thinking of you\n_x_",
            "<thinker>x</thinker>",
        ] {
            assert_eq!(without_reasoning(text), text);
        }
    }
}
