//! Cutting a long text into as few WhatsApp messages as possible, at the best place.
//!
//! Lengths are Unicode scalar values (kapso.md 2.2). A cut falls after a paragraph, else a line, a sentence, a
//! word, else between two grapheme clusters; a code fence that has to be cut is closed and opened again. The
//! pieces joined are the text, but for those added fence lines and white space at the cuts.

use unicode_segmentation::UnicodeSegmentation;

/// The most characters that WhatsApp takes in one text (kapso.md 2.2).
pub const CHUNK_LIMIT: usize = 4096;

const FENCE: &str = "```";
const CLOSE: &str = "\n```";
const REOPEN: &str = "```\n";

/// Cuts `text` into pieces of at most `limit` characters; a blank text has none.
pub fn split(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_end();
    let mut reopened = false;
    while !rest.trim().is_empty() {
        let lead = if reopened { REOPEN } else { "" };
        if rest.chars().count() + lead.len() <= limit {
            pieces.push(format!("{lead}{rest}"));
            break;
        }
        // Room is kept for closing a fence, whether or not one turns out to be open at the cut.
        let room = limit.saturating_sub(lead.len() + CLOSE.len()).max(1);
        let cut = best_cut(rest, room);
        let (head, tail) = rest.split_at(cut);
        let open = open_fence(head, reopened);
        let close = if open { CLOSE } else { "" };
        let head = if open {
            head.trim_end_matches('\n')
        } else {
            head.trim_end()
        };
        if !head.trim().is_empty() {
            pieces.push(format!("{lead}{head}{close}"));
        }
        rest = if open {
            tail
        } else {
            tail.trim_start_matches('\n')
        };
        reopened = open;
    }
    pieces
}

/// Whether a code fence is open at the end of `head`.
fn open_fence(head: &str, open_before: bool) -> bool {
    let marks = head
        .lines()
        .filter(|line| line.trim_start().starts_with(FENCE))
        .count();
    open_before ^ (marks % 2 == 1)
}

/// The byte at which to cut, after at most `room` characters; never zero.
fn best_cut(text: &str, room: usize) -> usize {
    let end = text
        .char_indices()
        .nth(room)
        .map_or(text.len(), |(at, _)| at);
    let window = &text[..end];
    let half = text.char_indices().nth(room / 2).map_or(0, |(at, _)| at);
    let kinds: [fn(&str) -> Option<usize>; 4] =
        [after_paragraph, after_line, after_sentence, after_word];
    // A good cut in the second half first: small pieces cost messages.
    for floor in [half, 0] {
        for kind in kinds {
            if let Some(cut) = kind(window).filter(|cut| *cut > floor) {
                return cut;
            }
        }
    }
    last_grapheme(text, end)
}

fn after_paragraph(window: &str) -> Option<usize> {
    window.rfind("\n\n").map(|at| at + 2)
}

fn after_line(window: &str) -> Option<usize> {
    window.rfind('\n').map(|at| at + 1)
}

fn after_sentence(window: &str) -> Option<usize> {
    let spaced = [". ", "! ", "? ", "… "]
        .iter()
        .filter_map(|end| window.rfind(end).map(|at| at + end.len()));
    let wide = ['。', '！', '？']
        .iter()
        .filter_map(|end| window.rfind(*end).map(|at| at + end.len_utf8()));
    spaced.chain(wide).max()
}

fn after_word(window: &str) -> Option<usize> {
    window.rfind(' ').map(|at| at + 1)
}

/// The end of the last whole grapheme cluster before `end`; `end` itself where one cluster fills the window.
fn last_grapheme(text: &str, end: usize) -> usize {
    let next = text
        .grapheme_indices(true)
        .map(|(at, _)| at)
        .take_while(|at| *at <= end)
        .last();
    next.filter(|at| *at > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn o2_characters_count_and_joined_pieces_equal_the_whole() {
        let text = "日本語".repeat(1400);
        let pieces = split(&text, CHUNK_LIMIT);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces.concat(), text);
        assert!(
            pieces
                .iter()
                .all(|piece| piece.chars().count() <= CHUNK_LIMIT)
        );
    }

    #[test]
    fn an_emoji_family_is_not_torn_apart() {
        let family = "👨‍👩‍👧‍👦";
        for piece in split(&family.repeat(40), 50) {
            assert!(
                piece.graphemes(true).all(|grapheme| grapheme == family),
                "{piece}"
            );
        }
    }

    #[test]
    fn a_fence_is_closed_and_opened_again_with_its_indentation() {
        let code: String = (0..300).map(|n| format!("    line {n} = {n};\n")).collect();
        let pieces = split(&format!("Look:\n```\n{code}```\ndone"), CHUNK_LIMIT);
        assert!(pieces.len() > 1);
        for piece in &pieces {
            assert_eq!(piece.matches(FENCE).count() % 2, 0, "{piece}");
            assert!(piece.chars().count() <= CHUNK_LIMIT);
        }
        let lines = |text: &str| {
            text.lines()
                .filter(|l| l.starts_with("    "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&pieces.join("\n")), lines(&code));
    }

    #[test]
    fn a_paragraph_is_kept_whole_where_it_fits() {
        let (first, second) = ("a".repeat(60), "b".repeat(60));
        assert_eq!(split(&format!("{first}\n\n{second}"), 100), [first, second]);
        assert!(split(" \n ", 100).is_empty());
        assert_eq!(
            split("One. Two and more.", 12),
            ["One.", "Two and", "more."]
        );
    }

    proptest! {
        #[test]
        fn no_word_is_lost(text in "[a-zé日. \n]{0,400}", limit in 20usize..90) {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            let pieces = split(&text, limit);
            prop_assert_eq!(words(&pieces.concat()), words(&text));
            for piece in &pieces {
                prop_assert!(piece.chars().count() <= limit);
                prop_assert!(!piece.trim().is_empty());
            }
        }
    }
}
