//! From the Markdown that models write to the markup that WhatsApp shows.
//!
//! The text is parsed, never matched by patterns: what is not emphasis to a Markdown reader stays as it is, so
//! arithmetic, URLs and code come through unchanged. Bold is `*b*`, italic `_i_`, strike `~s~`; headings are bold
//! lines, links `text (url)`, table rows lines with bars. No word is added, lost or changed.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// `text` in WhatsApp's markup.
pub fn to_whatsapp(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut writer = Writer::new(text);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        writer.event(event, range);
    }
    writer.finish()
}

/// The kinds of emphasis, in the order in which they are opened after a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Bold,
    Italic,
    Strike,
    /// Emphasis to the parser, plain characters to a person: `2*3*4`, or inside a URL.
    Literal {
        delimiter: char,
        width: usize,
    },
}

impl Mark {
    fn text(self) -> String {
        match self {
            Self::Bold => "*".to_owned(),
            Self::Italic => "_".to_owned(),
            Self::Strike => "~".to_owned(),
            Self::Literal { delimiter, width } => delimiter.to_string().repeat(width),
        }
    }
}

struct Writer<'a> {
    source: &'a str,
    urls: Vec<Range<usize>>,
    out: String,
    marks: Vec<Mark>,
    /// One entry for each open list: the indentation of its items.
    lists: Vec<usize>,
    quotes: usize,
    links: Vec<(String, usize)>,
    code: bool,
    cells: usize,
    /// Line breaks owed before the next text.
    owed: usize,
}

impl<'a> Writer<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            urls: urls(source),
            out: String::with_capacity(source.len()),
            marks: Vec::new(),
            lists: Vec::new(),
            quotes: 0,
            links: Vec::new(),
            code: false,
            cells: 0,
            owed: 0,
        }
    }

    fn event(&mut self, event: Event<'a>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => self.code_text(&text),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => self.text(&code_span(&code)),
            Event::Html(html) => self.text(html.trim_end_matches('\n')),
            Event::InlineHtml(html) => self.text(&html),
            Event::SoftBreak | Event::HardBreak => self.line_break(),
            Event::Rule => {
                self.block(2);
                self.text(self.source[range].trim());
                self.owe(2);
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'a>, range: Range<usize>) {
        match tag {
            Tag::Paragraph => self.block(2),
            Tag::Heading { .. } => {
                self.block(2);
                self.open(Mark::Bold);
            }
            Tag::BlockQuote(_) => {
                self.block(2);
                self.quotes += 1;
            }
            Tag::CodeBlock(_) => self.open_code(range),
            Tag::List(_) => {
                let indent = self.lists.last().map_or(0, |indent| indent + 2);
                self.block(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(indent);
            }
            Tag::Item => self.item(range.start),
            Tag::Emphasis => self.open_mark(Mark::Italic, range, 1),
            Tag::Strong => self.open_mark(Mark::Bold, range, 2),
            Tag::Strikethrough => {
                let width = self.source[range.clone()]
                    .chars()
                    .take_while(|c| *c == '~')
                    .count();
                self.open_mark(Mark::Strike, range, width);
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.settle();
                self.links.push((dest_url.to_string(), self.out.len()));
            }
            Tag::Table(_) => self.block(2),
            Tag::TableHead => {
                self.cells = 0;
                self.open(Mark::Bold);
            }
            Tag::TableRow => {
                self.block(1);
                self.cells = 0;
            }
            Tag::TableCell => {
                if self.cells > 0 {
                    self.text(" | ");
                }
                self.cells += 1;
            }
            Tag::HtmlBlock => self.block(2),
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Table | TagEnd::HtmlBlock => self.owe(2),
            TagEnd::Heading(_) => {
                self.close();
                self.owe(2);
            }
            TagEnd::BlockQuote(_) => {
                self.quotes = self.quotes.saturating_sub(1);
                self.owe(2);
            }
            TagEnd::CodeBlock if !self.code => self.owe(2),
            TagEnd::CodeBlock => {
                self.code = false;
                if !self.out.ends_with('\n') {
                    self.raw_break();
                }
                self.out.push_str("```");
                self.owe(2);
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.owe(if self.lists.is_empty() { 2 } else { 1 });
            }
            TagEnd::Item => self.owe_exactly(1),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close(),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            TagEnd::TableHead => {
                self.close();
                self.owe(1);
            }
            TagEnd::TableRow => self.owe(1),
            TagEnd::TableCell
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    /// The language of a fence is left out: WhatsApp would show it as the first line of the code.
    fn open_code(&mut self, range: Range<usize>) {
        self.block(2);
        let source = self.source[range].trim_end();
        if source.lines().count() == 1 && source.starts_with(['`', '~']) {
            // A fence around nothing is what the agent wrote, not markup.
            self.text(source);
            return;
        }
        self.settle();
        self.out.push_str("```");
        self.raw_break();
        self.code = true;
    }

    /// The marker stands in the source; renumbering would change what the agent said.
    fn item(&mut self, start: usize) {
        self.block(1);
        self.settle();
        let indent = self.lists.last().copied().unwrap_or_default();
        let marker = self.source[start..]
            .split_whitespace()
            .next()
            .unwrap_or("-");
        let marker = if marker.starts_with(['*', '+', '-']) {
            "-"
        } else {
            marker
        };
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(marker);
        self.out.push(' ');
    }

    fn open_mark(&mut self, mark: Mark, range: Range<usize>, width: usize) {
        let before = self.source[..range.start].chars().next_back();
        let after = self.source[range.end..].chars().next();
        let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let in_url = self.urls.iter().any(|url| url.contains(&range.start));
        let delimiter = self.source[range.start..].chars().next().unwrap_or('*');
        if in_url || in_word(before) || in_word(after) {
            self.open(Mark::Literal { delimiter, width });
        } else {
            self.open(mark);
        }
    }

    fn open(&mut self, mark: Mark) {
        self.settle();
        if !self.marks.contains(&mark) || matches!(mark, Mark::Literal { .. }) {
            self.out.push_str(&mark.text());
        }
        self.marks.push(mark);
    }

    fn close(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        if !self.marks.contains(&mark) || matches!(mark, Mark::Literal { .. }) {
            self.out.push_str(&mark.text());
        }
    }

    fn close_link(&mut self) {
        let Some((url, start)) = self.links.pop() else {
            return;
        };
        let shown = &self.out[start..];
        let bare = url.strip_prefix("mailto:").unwrap_or(&url);
        if shown.is_empty() {
            self.out.push_str(bare);
        } else if shown != bare && shown != url {
            self.out.push_str(&format!(" ({bare})"));
        }
    }

    fn text(&mut self, text: &str) {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.line_break();
            }
            self.settle();
            self.out.push_str(line);
        }
    }

    fn code_text(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    self.out.push_str(line);
                    self.raw_break();
                }
                None => self.out.push_str(line),
            }
        }
    }

    /// WhatsApp's emphasis ends at the line: it is closed before a break and opened again after it.
    fn line_break(&mut self) {
        self.settle();
        let open: Vec<Mark> = self
            .marks
            .iter()
            .copied()
            .filter(|m| !matches!(m, Mark::Literal { .. }))
            .collect();
        for mark in open.iter().rev() {
            self.out.push_str(&mark.text());
        }
        self.raw_break();
        let indent = self.lists.last().map_or(0, |indent| indent + 2);
        self.out.push_str(&" ".repeat(indent));
        for mark in &open {
            self.out.push_str(&mark.text());
        }
    }

    fn raw_break(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"> ".repeat(self.quotes));
    }

    fn block(&mut self, breaks: usize) {
        let inside_item =
            self.out.ends_with("- ") || self.out.ends_with(". ") || self.out.ends_with(") ");
        if self.owed > 0 || (!self.out.is_empty() && !inside_item) {
            self.owe(breaks);
        }
    }

    fn owe(&mut self, breaks: usize) {
        self.owed = self.owed.max(breaks);
    }

    fn owe_exactly(&mut self, breaks: usize) {
        self.owed = breaks;
    }

    /// Pays the line breaks that are owed, now that something follows.
    fn settle(&mut self) {
        if self.owed == 0 {
            if self.out.is_empty() {
                self.out.push_str(&"> ".repeat(self.quotes));
            }
            return;
        }
        let breaks = if self.out.is_empty() { 0 } else { self.owed };
        self.owed = 0;
        for n in 1..=breaks {
            self.out.push('\n');
            if n == breaks || self.quotes > 0 {
                self.out.push_str(&"> ".repeat(self.quotes));
            }
        }
        if self.out.is_empty() {
            self.out.push_str(&"> ".repeat(self.quotes));
        }
    }

    fn finish(self) -> String {
        self.out.trim_end().to_owned()
    }
}

fn code_span(code: &str) -> String {
    if code.contains('`') {
        format!("```{code}```")
    } else {
        format!("`{code}`")
    }
}

/// Where bare URLs stand; their characters are never markup.
fn urls(source: &str) -> Vec<Range<usize>> {
    source
        .match_indices("://")
        .map(|(at, _)| {
            let scheme = source[..at]
                .rfind(|c: char| !c.is_ascii_alphanumeric())
                .map_or(0, |n| {
                    n + source[n..].chars().next().map_or(1, char::len_utf8)
                });
            let stop = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`');
            scheme..source[at..].find(stop).map_or(source.len(), |end| at + end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn o1_italics_keep_their_words() {
        for (markdown, whatsapp) in [
            ("Take *two* pills", "Take _two_ pills"),
            ("*important*", "_important_"),
            ("***both***", "_*both*_"),
            ("5 * 6 * 7", "5 * 6 * 7"),
            ("2*3*4 = 24", "2*3*4 = 24"),
            ("https://x.y/a*b*c", "https://x.y/a*b*c"),
            ("https://x.y/_a_/b", "https://x.y/_a_/b"),
            ("`rm *.o *.a`", "`rm *.o *.a`"),
            ("snake_case_name and __init__", "snake_case_name and *init*"),
            ("**bold** and ~~gone~~", "*bold* and ~gone~"),
        ] {
            assert_eq!(to_whatsapp(markdown), whatsapp, "{markdown}");
        }
    }

    #[test]
    fn blocks_become_readable_lines() {
        for (markdown, whatsapp) in [
            ("# **Bold** title\ntext", "*Bold title*\n\ntext"),
            ("#### h4", "*h4*"),
            ("[docs](https://d.example/x)", "docs (https://d.example/x)"),
            ("<https://d.example>", "https://d.example"),
            ("> quoted\n> twice", "> quoted\n> twice"),
            ("- a\n- b\n  - c\n\nend", "- a\n- b\n  - c\n\nend"),
            ("3. three\n5. five", "3. three\n5. five"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "*a | b*\n1 | 2"),
            ("line one\nline two", "line one\nline two"),
            ("~~~a", "~~~a"),
            ("**two\nlines**", "*two*\n*lines*"),
            (
                "```rust\n> quoted\n# comment\n  *x*\n```",
                "```\n> quoted\n# comment\n  *x*\n```",
            ),
        ] {
            assert_eq!(to_whatsapp(markdown), whatsapp, "{markdown}");
        }
    }

    fn words(text: &str) -> String {
        text.chars().filter(|c| c.is_alphanumeric()).collect()
    }

    proptest! {
        #[test]
        fn o1_no_word_is_lost_or_changed(text in "([a-z0-9*_#>. \n-]|~~[a-z]~~ |`[a-z*_]`){0,120}") {
            prop_assert_eq!(words(&to_whatsapp(&text)), words(&text));
        }
    }
}
