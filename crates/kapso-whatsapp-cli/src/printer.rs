//! The one place that writes to standard output and standard error. Nothing that acts on a terminal leaves it.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use serde_json::Value;

use crate::outcome::{Exit, Outcome, Text};
use crate::screen::{harmless, harmless_json};

/// Prints what a command has to say; gives the process's exit code.
pub(crate) fn print(outcome: &Outcome, json: bool) -> ExitCode {
    let written = match (json, &outcome.text) {
        (_, Text::Nothing) => Ok(()),
        (true, _) => line(
            io::stdout().lock(),
            &harmless_json(&format!("{:#}", outcome.json)),
        ),
        (false, Text::Answer(text)) => line(io::stdout().lock(), &harmless(text)),
        (false, Text::Complaint(text)) => line(io::stderr().lock(), &harmless(text)),
    };
    match written {
        Ok(()) => outcome.exit.into(),
        // `… | head` has read enough: that is its business.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => outcome.exit.into(),
        Err(_) => Exit::Failed.into(),
    }
}

/// Says something on standard error while a command still runs.
pub(crate) fn remark(text: &str) {
    // Nobody is left to tell when even standard error is closed.
    let _ = line(io::stderr().lock(), &harmless(text));
}

/// Answers with a line on standard output while a command still runs.
///
/// # Errors
/// [`io::Error`] when nobody reads it: the command may end.
pub(crate) fn row(text: &str) -> io::Result<()> {
    line(io::stdout().lock(), &harmless(text))
}

/// The same for a program: one JSON text on one line.
///
/// # Errors
/// As [`row`].
pub(crate) fn json_row(json: &Value) -> io::Result<()> {
    line(io::stdout().lock(), &harmless_json(&json.to_string()))
}

fn line(mut stream: impl Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{}", text.trim_end())?;
    stream.flush()
}
