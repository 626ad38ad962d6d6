//! What the phone prints. Texts come from the agent, so nothing in them can steer the terminal.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The names of the colours used, as terminals number them.
#[derive(Clone, Copy)]
enum Colour {
    Dim = 2,
    Green = 32,
    Blue = 34,
    Cyan = 36,
}

pub(super) struct Screen<O> {
    output: O,
    colours: bool,
}

impl<O: AsyncWrite + Unpin> Screen<O> {
    pub(super) fn new(output: O, colours: bool) -> Self {
        Self { output, colours }
    }

    /// The phone's own words.
    pub(super) async fn note(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(Colour::Dim, &format!("· {}", plain(text)));
        self.line(&text).await
    }

    /// A message that a customer wrote.
    pub(super) async fn said(&mut self, name: &str, text: &str) -> io::Result<()> {
        let head = self.paint(Colour::Cyan, &format!("{} ›", plain(name)));
        self.line(&format!("{head} {}", plain(text))).await
    }

    /// How far a customer's message came.
    pub(super) async fn tick(&mut self, name: &str, tick: &str, word: &str) -> io::Result<()> {
        let tick = self.paint(Colour::Blue, tick);
        self.line(&format!("  {tick} {}: {word}", plain(name)))
            .await
    }

    pub(super) async fn typing(&mut self, name: &str) -> io::Result<()> {
        let text = self.paint(Colour::Dim, &format!("  typing to {}…", plain(name)));
        self.line(&text).await
    }

    /// A message to a customer; its further lines are indented.
    pub(super) async fn bubble(&mut self, name: &str, text: &str) -> io::Result<()> {
        let head = self.paint(Colour::Green, &format!("agent → {} ›", plain(name)));
        let text = plain(text).replace('\n', "\n    ");
        self.line(&format!("{head} {text}")).await
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8)
        } else {
            text.to_owned()
        }
    }

    async fn line(&mut self, text: &str) -> io::Result<()> {
        self.output
            .write_all(format!("{text}\n").as_bytes())
            .await?;
        self.output.flush().await
    }
}

fn plain(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\r\u{9b}c\td\n"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\td\n"
        );
    }
}
