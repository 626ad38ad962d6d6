//! What belongs to the host and not into a chat: stack traces, paths of its files, keys.
//!
//! A net for accidents (a tool's error that the agent repeats, a file name that it mentions), not a wall: an agent that
//! is talked into spelling a key out will. So it is narrow, and ordinary answers, code and links pass unchanged: keys
//! are known by the form in which they are issued or by the word before them, paths by the folders of a host's users
//! and of the gateway, traces by the form of their frames. A trace inside a code fence stays unless it names the host.

mod key;
mod path;
#[cfg(test)]
mod tests;
mod trace;

/// Stands for what was cut out of a sentence.
const REMOVED: &str = "[removed]";

/// A kind of thing that was held back from the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leak {
    /// Where a program failed: the frames, and the error above them.
    StackTrace,
    /// A file of the host's.
    HostPath,
    /// A string in the form of a key, a token or a password.
    Key,
}

impl Leak {
    /// Every kind, for a report.
    pub const ALL: [Self; 3] = [Self::StackTrace, Self::HostPath, Self::Key];

    /// The kind's name, as in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::StackTrace => "stack_trace",
            Self::HostPath => "host_path",
            Self::Key => "key",
        }
    }
}

/// What is left of `text`, and what was cut out of it, in order; the text is empty when nothing but marks is left.
pub(super) fn without_leaks(text: &str) -> (String, Vec<Leak>) {
    let (text, traces) = trace::without_traces(text);
    let mut leaks = vec![Leak::StackTrace; traces];
    let text = without_strings(&text, &mut leaks);
    if leaks.is_empty() || text.replace(REMOVED, "").contains(char::is_alphanumeric) {
        (text, leaks)
    } else {
        (String::new(), leaks)
    }
}

/// `text` with a mark for each path and each key.
fn without_strings(text: &str, leaks: &mut Vec<Leak>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut link_end = 0;
    let mut before = ' ';
    while let Some(c) = text[at..].chars().next() {
        if starts_string(before) {
            link_end = link_end.max(at + link(&text[at..]));
            let found = found_at(text, at, at < link_end);
            if let Some((length, leak)) = found {
                out.push_str(REMOVED);
                leaks.push(leak);
                at += length;
                before = ']';
                continue;
            }
        }
        out.push(c);
        at += c.len_utf8();
        before = c;
    }
    out
}

/// What begins at `at`. In a link only what is surely a key counts: its path is not the host's, and a token in it may
/// be the customer's own.
fn found_at(text: &str, at: usize, in_link: bool) -> Option<(usize, Leak)> {
    let rest = &text[at..];
    let key = key::issued(rest).or_else(|| if in_link { None } else { key::told(text, at) });
    if let Some(length) = key {
        return Some((length, Leak::Key));
    }
    if in_link {
        return None;
    }
    path::host_path(rest).map(|length| (length, Leak::HostPath))
}

/// Whether a path or a key can begin after this character.
fn starts_string(before: char) -> bool {
    !before.is_alphanumeric()
        && !matches!(before, '_' | '-' | '.' | '/' | '\\' | '@' | '~' | '%' | '$')
}

/// Whether a path of the host's stands in the line.
fn has_host_path(line: &str) -> bool {
    let mut leaks = Vec::new();
    without_strings(line, &mut leaks);
    leaks.contains(&Leak::HostPath)
}

/// The length of the link at the head of `text`, or 0. `file:` is none.
fn link(text: &str) -> usize {
    let scheme = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '+')
        .unwrap_or(text.len());
    let Some(rest) = text[scheme..].strip_prefix("://") else {
        return 0;
    };
    if text[..scheme].eq_ignore_ascii_case("file") {
        return 0;
    }
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`' | ')' | ']'))
        .unwrap_or(rest.len());
    text.len() - rest.len() + end
}
