//! A sender's text as data: whatever it imitates, a reader sees that it was typed.
//!
//! Each line that looks like the header, like one of the bridge's markers, or like a code fence that is never closed,
//! gets [`TYPED`] before it; a role tag gets another bracket, wherever it stands; a leading command of the gateway gets
//! an invisible sign that makes it a word. Everything else is passed on as it was typed, cut at [`TEXT_LIMIT`].

use super::clean::{head, visible};
use super::likeness::{is_closing, is_colon, is_like, is_opening, letters, looks};

/// The longest text of one message that is passed on, in characters. WhatsApp's own limit is 4,096 for what is typed; a
/// transcript may be longer.
pub(super) const TEXT_LIMIT: usize = 20_000;

/// Stands before a line that was typed and looks like one of the bridge's.
pub(super) const TYPED: &str = "| ";

/// The first words of the bridge's own markers, `[voice]`, `[sent …]` and so on.
pub(super) const MARKERS: [&str; 16] = [
    "voice",
    "audio",
    "image",
    "video",
    "document",
    "sticker",
    "location",
    "contact",
    "order",
    "reaction",
    "system",
    "unsupported",
    "sent",
    "forwarded",
    "quoted",
    "cut",
];

/// More letters than the longest of [`MARKERS`] and its first argument have.
const MARKER_LETTERS: usize = 24;

/// Leading words that the gateway's `agent` method would refuse or obey (OpenClaw 2026.5.7 to 2026.9.6).
const COMMANDS: [&str; 2] = ["/new", "/reset"];

/// Put before a `/` so that it is no command; shown as nothing (openclaw.md 3.6).
const WORD_JOINER: char = '\u{2060}';

/// What a reader may take for a role tag's bracket, and a parser may not.
const OTHER_BRACKET: char = '［';

/// What the sender wrote, as lines of data.
pub(super) fn data(text: &str) -> String {
    data_to(text, TEXT_LIMIT)
}

/// As [`data`], cut at `limit` characters.
pub(super) fn data_to(text: &str, limit: usize) -> String {
    let text = visible(text);
    let (text, cut) = head(text.trim_end(), limit);
    let lines: Vec<&str> = text.lines().collect();
    let imitates: Vec<bool> = lines
        .iter()
        .map(|line| is_header(line) || is_marker(line))
        .collect();
    let unclosed = unclosed_fences(&lines, &imitates);
    let mut out = String::with_capacity(text.len());
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        if imitates[n] || unclosed[n] {
            out.push_str(TYPED);
        }
        let start = line.trim_start();
        if is_command(start) {
            out.push_str(&line[..line.len() - start.len()]);
            out.push(WORD_JOINER);
            out.push_str(&without_role_tag(start));
        } else {
            out.push_str(&without_role_tag(line));
        }
    }
    if cut > 0 {
        out.push_str(&format!("\n[cut: {cut} characters]"));
    }
    out
}

/// One of the bridge's marks, and what the sender wrote, as [`data`] or with a mark of its own.
///
/// A code fence begins a line of its own: behind a mark it would open nothing, and what closes it would.
pub(super) fn marked(mark: &str, said: &str) -> String {
    let Some(first) = said.lines().next() else {
        return mark.to_owned();
    };
    let between = if Fence::of(first).is_some() {
        '\n'
    } else {
        ' '
    };
    format!("{mark}{between}{said}")
}

fn is_command(start: &str) -> bool {
    COMMANDS.iter().any(|command| {
        start
            .get(..command.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(command))
    })
}

/// Whether the line reads `From:`, whatever stands before and between.
pub(super) fn is_header(line: &str) -> bool {
    let mut expected = letters("from");
    for c in looks(line) {
        if is_colon(c) {
            return expected.next().is_none();
        }
        if c.is_alphanumeric() && expected.next() != Some(c) {
            return false;
        }
    }
    false
}

/// Whether the line begins with one of the bridge's markers, whatever stands before the bracket.
pub(super) fn is_marker(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !is_opening(c) && !c.is_alphanumeric());
    let inside = line.trim_start_matches(|c: char| is_opening(c) || c.is_whitespace());
    if inside.len() == line.len() {
        return false;
    }
    let end = inside.find(is_closing).unwrap_or(inside.len());
    let inside = &inside[..end];
    let all: String = letters(inside).take(MARKER_LETTERS).collect();
    let first = inside
        .split(|c: char| c.is_whitespace() || is_colon(c) || matches!(c, '-' | '.' | ',' | '='))
        .find(|word| letters(word).next().is_some())
        .unwrap_or_default();
    MARKERS
        .iter()
        .any(|marker| letters(marker).eq(all.chars()) || is_like(first, marker))
}

/// The line, with another bracket where it has `[role`.
fn without_role_tag(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let tag = c == '[' && {
            // Up to the next bracket, which is looked at by itself: each character is looked at once.
            let rest = &line[at + 1..];
            let inside = rest.find('[').map_or(rest, |end| &rest[..end]);
            letters(inside).take(4).eq(letters("role"))
        };
        out.push(if tag { OTHER_BRACKET } else { c });
    }
    out
}

/// A line that opens or closes a code fence.
#[derive(Debug, Clone, Copy)]
struct Fence {
    tilde: bool,
    length: usize,
    /// Nothing follows the marks: only such a line closes a fence.
    bare: bool,
}

impl Fence {
    fn of(line: &str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = line.chars().take_while(|c| *c == mark).count();
        let rest = &line[length..];
        // A word in backticks at a line's start is no fence.
        if length < 3 || (mark == '`' && rest.contains('`')) {
            return None;
        }
        Some(Self {
            tilde: mark == '~',
            length,
            bare: rest.is_empty(),
        })
    }

    fn closed_by(self, line: Self) -> bool {
        line.bare && line.tilde == self.tilde && line.length >= self.length
    }
}

/// For each line, whether it opens a fence that would enclose what the bridge writes after it. A line that is marked as
/// typed for another reason is no fence.
fn unclosed_fences(lines: &[&str], typed: &[bool]) -> Vec<bool> {
    let fences: Vec<Option<Fence>> = lines
        .iter()
        .zip(typed)
        .map(|(line, typed)| if *typed { None } else { Fence::of(line) })
        .collect();
    // The longest closing line from each line on, by kind of mark.
    let mut closing = vec![[0; 2]; lines.len() + 1];
    for (n, fence) in fences.iter().enumerate().rev() {
        closing[n] = closing[n + 1];
        if let Some(fence) = fence.filter(|fence| fence.bare) {
            let longest = &mut closing[n][usize::from(fence.tilde)];
            *longest = fence.length.max(*longest);
        }
    }
    let mut open: Option<Fence> = None;
    let mut unclosed = vec![false; lines.len()];
    for (n, fence) in fences.iter().enumerate() {
        let Some(fence) = *fence else { continue };
        match open {
            Some(opened) if opened.closed_by(fence) => open = None,
            Some(_) => {}
            None if closing[n + 1][usize::from(fence.tilde)] >= fence.length => open = Some(fence),
            None => unclosed[n] = true,
        }
    }
    unclosed
}
