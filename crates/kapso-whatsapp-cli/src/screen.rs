//! Text on a screen of 80 columns: wrapped, cut and escaped, so that nothing that came from outside can move the
//! cursor, colour the screen or turn a line around; and lengths of time in words.

use std::borrow::Cow;
use std::time::Duration;

use textwrap::{Options, wrap};

/// The width that every report fits in.
const COLUMNS: usize = 80;

/// `text` as a part of one line: what could act on a terminal is escaped, line ends too.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if acts(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The beginning of `text` as a part of one line, cut at a word where it would be wider than what is left of the line
/// after `taken` columns.
pub(crate) fn excerpt(text: &str, taken: usize) -> String {
    const CUT: &str = " …";
    let (line, columns) = (one_line(text), COLUMNS.saturating_sub(taken));
    if textwrap::core::display_width(&line) <= columns {
        return line;
    }
    let short = wrap(&line, columns.saturating_sub(2)).into_iter().next();
    short.map_or_else(String::new, |short| short.into_owned() + CUT)
}

/// `text` behind `name`, which takes `column` columns; further lines begin below the text.
pub(crate) fn field(name: &str, column: usize, text: &str) -> String {
    let (first, rest) = (format!("{name:<column$}"), " ".repeat(column));
    let options = Options::new(COLUMNS)
        .initial_indent(&first)
        .subsequent_indent(&rest);
    wrap(&one_line(text), options).join("\n")
}

/// `text` as it may be printed, if it was not made safe before. Line ends stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.escape_default().to_string())
}

/// The same for a JSON text: JSON allows some of these characters within its strings, and a terminal obeys them.
pub(crate) fn harmless_json(json: &str) -> Cow<'_, str> {
    // All of them lie in the basic plane, which four digits name.
    escaped(json, |c| format!("\\u{:04x}", u32::from(c)))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    let unsafe_here = |c: char| c != '\n' && acts(c);
    if !text.contains(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if unsafe_here(c) {
            out += &escape(c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal does something at this character besides showing it: controls of both sets, the characters that
/// end a line, and those that turn the direction of the text around.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A time in its two largest units.
pub(crate) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// A time that may be short.
pub(crate) fn took(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => age(time.as_secs()),
    }
}

/// `1 part`, `2 parts`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Bytes in the largest unit that leaves a whole.
pub(crate) fn size(bytes: u64) -> String {
    let (kib, mib) = (bytes >> 10, bytes >> 20);
    match (mib, kib) {
        (0, 0) => format!("{bytes} B"),
        (0, kib) => format!("{kib} KiB"),
        (mib, _) => format!("{mib} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}31m\rc\u{7f}\u{202e}d\ne";

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_letters_of_every_script_stay() {
        assert_eq!(
            one_line(HOSTILE),
            r"a\u{1b}[2Jb\u{9b}31m\rc\u{7f}\u{202e}d\ne"
        );
        assert_eq!(
            harmless(HOSTILE),
            "a\\u{1b}[2Jb\\u{9b}31m\\rc\\u{7f}\\u{202e}d\ne"
        );
        for shown in ["¿Qué tal? 👩‍👩‍👧 שלום مرحبا 你好", "", "plain"] {
            assert_eq!(one_line(shown), shown);
            assert!(matches!(harmless(shown), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({ "text": HOSTILE, "n": [1] });
        let pretty = format!("{value:#}");
        let shown = harmless_json(&pretty);
        assert!(!shown.contains(|c| c != '\n' && acts(c)), "{shown:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn a_long_text_is_cut_at_a_word_and_a_wide_one_earlier() {
        let long = "word ".repeat(30);
        let cut = excerpt(&long, 20);
        assert!(cut.ends_with("word …") && cut.len() <= 62, "{cut:?}");
        assert_eq!(excerpt(" short\n", 70), "short");
        assert!(excerpt(&"宽".repeat(50), 20).chars().count() <= 31);
        assert_eq!(excerpt("xyz", 200), "x …", "no room is no panic");
    }

    #[test]
    fn a_field_goes_on_below_its_text() {
        let wrapped = field("name", 8, &"abcdefghi ".repeat(9));
        let lines: Vec<_> = wrapped.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("name    abcdefghi ") && lines[0].len() <= 80);
        assert!(lines[1].starts_with("        abcdefghi"));
    }

    #[test]
    fn times_and_sizes_have_their_largest_units() {
        let millis = |millis| took(Duration::from_millis(millis));
        assert_eq!(
            [millis(0), millis(999), millis(5240), millis(61_000)],
            ["0 ms", "999 ms", "5.2 s", "1 min 1 s"]
        );
        assert_eq!([age(11_525), age(90_000)], ["3 h 12 min", "1 d 1 h"]);
        assert_eq!(
            [size(17), size(2048), size(3 << 20)],
            ["17 B", "2 KiB", "3 MiB"]
        );
        assert_eq!([count(1, "part"), count(0, "part")], ["1 part", "0 parts"]);
    }
}
