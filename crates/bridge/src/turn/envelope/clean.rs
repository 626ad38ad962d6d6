//! What is seen stays, what is not seen goes: a sender's characters without those that hide, reorder or smuggle text.
//!
//! Removed are controls, direction marks, zero-width and tag characters, and everything else that Unicode calls
//! ignorable. What a script or an emoji needs stays: joiners inside words of joining scripts, and between the parts of
//! an emoji.

use icu_properties::props::{DefaultIgnorableCodePoint, Emoji, ExtendedPictographic};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use unicode_segmentation::UnicodeSegmentation;

const IGNORABLE: CodePointSetDataBorrowed<'static> =
    CodePointSetData::new::<DefaultIgnorableCodePoint>();
const EMOJI: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<Emoji>();
const PICTURE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<ExtendedPictographic>();

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

/// Stands at the end of a name that was cut.
const ELLIPSIS: char = '…';

/// `text` without hidden characters; every kind of line break becomes `\n`.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '\n';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        let kept = match c {
            '\r' if next == Some('\n') => None,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
            _ if is_hidden(c) => is_needed(c, before, next).then_some(c),
            _ => Some(c),
        };
        if let Some(kept) = kept {
            out.push(kept);
            before = kept;
        }
    }
    out
}

/// One line of at most `limit` characters for a name: no brackets that could close or open one of ours.
pub(super) fn label(text: &str, limit: usize) -> String {
    let visible = visible(text);
    let mut line = String::with_capacity(visible.len());
    for word in visible.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().map(|c| match c {
            '(' => '（',
            ')' => '）',
            '[' => '［',
            ']' => '］',
            other => other,
        }));
    }
    let (kept, cut) = head(&line, limit);
    if cut == 0 {
        return line;
    }
    let mut kept = kept.trim_end().to_owned();
    kept.push(ELLIPSIS);
    kept
}

/// The beginning of `text`, of at most `limit` characters and whole graphemes, and how many characters follow it.
pub(super) fn head(text: &str, limit: usize) -> (&str, usize) {
    let Some((end, _)) = text.char_indices().nth(limit) else {
        return (text, 0);
    };
    let whole = text
        .grapheme_indices(true)
        .map(|(at, _)| at)
        .take_while(|at| *at <= end)
        .last()
        .filter(|at| *at > 0)
        // One grapheme longer than the limit: nothing that anybody reads.
        .unwrap_or(end);
    // A joiner that parts what was cut parts nothing.
    let kept = text[..whole].trim_end_matches([JOINER, NON_JOINER]);
    (kept, text[kept.len()..].chars().count())
}

/// Whether `c` is not seen, or changes how its neighbours are seen.
pub(super) fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\t' && c != '\n')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || IGNORABLE.contains(c)
}

/// Whether a hidden character is part of what is seen: within an emoji, or between letters that it joins or parts.
fn is_needed(c: char, before: char, next: Option<char>) -> bool {
    match c {
        '\u{fe0e}' | '\u{fe0f}' => EMOJI.contains(before),
        JOINER => {
            let part = PICTURE.contains(before)
                || matches!(before, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
            joins(before) || (part && next.is_some_and(|next| PICTURE.contains(next)))
        }
        NON_JOINER => joins(before) && next.is_some_and(joins),
        _ => false,
    }
}

/// Whether `c` is of a script in which joiners change letters: the Arabic family, the scripts of India and its
/// neighbours, Mongolian, Adlam.
fn joins(c: char) -> bool {
    let letter = c.is_alphabetic()
        && matches!(c, '\u{600}'..='\u{8ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
            | '\u{1800}'..='\u{18af}' | '\u{1e900}'..='\u{1e95f}');
    // Where a sign of its own silences a vowel, the joiner follows that sign.
    let letter_or_sign = !c.is_numeric()
        && matches!(c, '\u{900}'..='\u{963}' | '\u{966}'..='\u{109f}' | '\u{1780}'..='\u{17d3}'
            | '\u{a8e0}'..='\u{a8ff}' | '\u{11000}'..='\u{11fff}');
    letter || letter_or_sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scripts_and_emoji_need_survives() {
        for text in [
            "👨‍👩‍👧‍👦 family",
            "👩🏽‍⚕️ 🏳️‍🌈 ❤️‍🔥 🐦‍⬛ 1️⃣ ☎️ ☎︎ 👍🏿",
            "می‌خواهم خانه‌ای",
            "السلام عليكم، كيف الحال؟",
            "ه‍ ",
            "שלום עולם, מה שלומך?",
            "क्‍ष र्‍य क्‌ष नमस्ते",
            "ශ්‍රී ලංකා",
            "ന്‍ മലയാളം",
            "日本語 한국어 ไทย",
            "naïve café Ægir ß",
            "a\tb\nc",
            "🇦🇷🇧🇷",
        ] {
            assert_eq!(visible(text), text, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_seen_is_removed() {
        for (text, seen) in [
            ("a\u{200b}b\u{200d}c\u{200c}d\u{2060}e\u{feff}f", "abcdef"),
            (
                "\u{202e}abc\u{202c}\u{2066}d\u{2069}\u{200e}\u{200f}\u{61c}",
                "abcd",
            ),
            ("x\u{e0041}\u{e0042}\u{e007f}y\u{e0100}\u{fe0f}", "xy"),
            ("\u{0}\u{7}\u{1b}[31mred\u{9b}", "[31mred"),
            (
                "s\u{ad}oft\u{34f}\u{180e}\u{2063}\u{3164}\u{115f}\u{ffa0}\u{fff9}",
                "soft",
            ),
            (
                "one\u{2028}two\u{2029}three\r\nfour\rfive\u{85}six\u{b}seven",
                "one\ntwo\nthree\nfour\nfive\nsix\nseven",
            ),
            ("👨\u{200d}\u{200d}👩", "👨\u{200d}👩"),
            ("م\u{200d}\u{200d}\u{200d}\u{200c}م", "م\u{200d}م"),
        ] {
            assert_eq!(visible(text), seen, "{text:?}");
        }
    }

    #[test]
    fn a_label_is_one_short_line() {
        assert_eq!(label(" a\n\u{2028} b\t(c) [d] ", 64), "a b （c） ［d］");
        assert_eq!(label(&"é".repeat(65), 64), format!("{}…", "é".repeat(64)));
        assert_eq!(label("می‌خواهم", 3), "می…");
        assert_eq!(label("12345👨‍👩‍👧‍👦", 8), "12345…");
        assert_eq!(
            label(&format!("a{}", "\u{301}".repeat(500)), 64)
                .chars()
                .count(),
            65
        );
    }
}
