//! Stack traces, as JavaScript, Python, Rust and Java print them: the frames, the error above them, what follows below.

use super::super::reasoning::{code, is_in};
use super::has_host_path;

/// How many lines an error's message may have above the first frame.
const MESSAGE_LINES: usize = 4;

/// `text` without stack traces, and how many there were. Inside a code fence one is kept unless it names the host.
pub(super) fn without_traces(text: &str) -> (String, usize) {
    if !text.lines().any(|line| is_frame(line) || is_head(line)) {
        return (text.to_owned(), 0);
    }
    let code = code(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut kept: Vec<&str> = Vec::with_capacity(lines.len());
    let (mut n, mut at, mut traces) = (0, 0, 0);
    while n < lines.len() {
        let (lead, length) = trace_at(&lines[n..], &kept);
        let trace = &lines[n..n + length];
        let remove = length > 0 && (!is_in(at, &code) || names_host(trace));
        let step = length.max(1);
        if remove {
            kept.truncate(kept.len() - lead);
            traces += 1;
        } else {
            kept.extend(&lines[n..n + step]);
        }
        at += lines[n..n + step]
            .iter()
            .map(|line| line.len() + 1)
            .sum::<usize>();
        n += step;
    }
    if traces == 0 {
        return (text.to_owned(), 0);
    }
    (without_empty_fences(&kept), traces)
}

/// The trace at the head of `lines`: how many lines of `kept` lead into it, and how many lines it has; none where the
/// second is 0.
fn trace_at(lines: &[&str], kept: &[&str]) -> (usize, usize) {
    let first = lines[0].trim();
    if first.starts_with("Traceback (most recent call last)") {
        (0, python(lines))
    } else if is_panic(first) || first == "stack backtrace:" {
        (0, rust(lines))
    } else if is_frame(first) {
        (lead(kept), frames(lines))
    } else {
        (0, 0)
    }
}

/// The indented lines below `Traceback`, and the error after them; and so on for a chain of them.
fn python(lines: &[&str]) -> usize {
    let mut n = 1;
    while n < lines.len() && (lines[n].starts_with([' ', '\t'])) {
        n += 1;
    }
    if lines.get(n).is_some_and(|line| is_error(line)) {
        n += 1;
    }
    n
}

/// The message below `panicked at`, the note, and the frames of a backtrace.
fn rust(lines: &[&str]) -> usize {
    let mut n = 1;
    if is_panic(lines[0].trim()) && lines.get(n).is_some_and(|line| !line.trim().is_empty()) {
        n += 1;
    }
    let mut backtrace = lines[0].trim() == "stack backtrace:";
    while let Some(line) = lines.get(n) {
        let line = line.trim();
        backtrace |= line == "stack backtrace:";
        let number = line.split(':').next().unwrap_or_default();
        let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let note = line.starts_with("note: ")
            && (line.contains("RUST_BACKTRACE") || line.contains("details"));
        if !(note || line == "stack backtrace:" || is_frame(line) || (numbered && backtrace)) {
            break;
        }
        n += 1;
    }
    n
}

/// Frames of JavaScript and Java, with what is printed between and after them.
fn frames(lines: &[&str]) -> usize {
    let mut n = 0;
    while let Some(line) = lines.get(n) {
        let trimmed = line.trim();
        let more = trimmed.starts_with("... ") && trimmed.ends_with(" more");
        let cause = trimmed.starts_with("Caused by: ") || trimmed.starts_with("[cause]: ");
        if !(is_frame(trimmed) || more || cause) {
            break;
        }
        n += 1;
        if is_frame(trimmed) && trimmed.ends_with('{') {
            // The error's fields, up to the closing brace.
            let fields = lines[n..].iter().position(|line| line.trim() == "}");
            n += fields.map_or(0, |end| end + 1);
        }
    }
    n
}

/// How many of the last lines are the error whose frames follow.
fn lead(kept: &[&str]) -> usize {
    kept.iter()
        .rev()
        .take(MESSAGE_LINES)
        .take_while(|line| !line.trim().is_empty() && !line.trim_start().starts_with("```"))
        .position(|line| is_error(line))
        .map_or(0, |above| above + 1)
}

fn names_host(trace: &[&str]) -> bool {
    trace
        .iter()
        .any(|line| line.contains("node_modules/openclaw/") || has_host_path(line))
}

fn is_head(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("Traceback (most recent call last)")
        || is_panic(line)
        || line == "stack backtrace:"
}

fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains("panicked at ")
}

/// Whether the line tells an error by its class: `TypeError: …`, `java.io.IOException`, `Uncaught Error: …`.
fn is_error(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || matches!(c, ':' | '[' | ']' | '(' | ')'))
        .any(|word| {
            let word = word.rsplit(['.', '$']).next().unwrap_or(word);
            [
                "Error",
                "Exception",
                "KeyboardInterrupt",
                "SystemExit",
                "StopIteration",
            ]
            .iter()
            .any(|end| word.ends_with(end))
        })
}

/// Whether the line is a frame: `at f (file.js:1:2)`, `at a.b.C.d(C.java:3)`, `File "x.py", line 4, in f`.
fn is_frame(line: &str) -> bool {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("File \"") {
        return is_python_place(rest);
    }
    let Some(place) = line.strip_prefix("at ") else {
        return false;
    };
    let place = place.trim_end_matches(['{', ' ']);
    let (waits, place) = match place.strip_prefix("async ") {
        Some(rest) => (true, rest),
        None => (false, place),
    };
    match place
        .strip_suffix(')')
        .and_then(|place| place.rsplit_once('('))
    {
        Some((_, inside)) => {
            is_script_place(inside)
                || is_java_place(inside)
                || (waits && inside.starts_with("index "))
        }
        None => is_script_place(place) && !place.contains(' '),
    }
}

/// `x.py", line 4, in f`, and nothing more: a sentence about a line goes on.
fn is_python_place(text: &str) -> bool {
    text.split_once("\", line ").is_some_and(|(_, rest)| {
        let number = rest.split(", in ").next().unwrap_or(rest);
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// `/app/x.js:10:5`, `node:internal/timers:1:2`, `src/main.rs:4:5`.
fn is_script_place(text: &str) -> bool {
    let file = text.contains(['/', '\\']) || text.starts_with("node:") || text.contains(".js:");
    (file && line_numbers(text) >= 2) || text == "<anonymous>"
}

fn is_java_place(text: &str) -> bool {
    let source = [".java:", ".kt:", ".scala:", ".groovy:"]
        .iter()
        .any(|kind| text.contains(kind));
    (source && line_numbers(text) >= 1) || ["Native Method", "Unknown Source"].contains(&text)
}

/// How many numbers end the text, each after a colon: 2 in `file.js:10:5`.
fn line_numbers(text: &str) -> usize {
    text.rsplit(':')
        .take_while(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        .count()
}

/// The lines, without fences in which nothing is left.
fn without_empty_fences(lines: &[&str]) -> String {
    let mut out: Vec<&str> = Vec::with_capacity(lines.len());
    let mut open = false;
    for line in lines {
        let fence = line.trim_start().starts_with("```");
        let empty = fence
            && open
            && out
                .last()
                .is_some_and(|last| last.trim_start().starts_with("```"));
        if empty {
            out.pop();
        } else {
            out.push(line);
        }
        open ^= fence;
    }
    out.join("\n")
}
