//! The one place that writes to standard output and standard error.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::outcome::{Exit, Outcome, Text};

/// Prints what a command has to say; gives the process's exit code.
pub(crate) fn print(outcome: &Outcome, json: bool) -> ExitCode {
    let written = match (json, &outcome.text) {
        (_, Text::Nothing) => Ok(()),
        (true, _) => line(io::stdout().lock(), &format!("{:#}", outcome.json)),
        (false, Text::Answer(text)) => line(io::stdout().lock(), text),
        (false, Text::Complaint(text)) => line(io::stderr().lock(), text),
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
    let _ = line(io::stderr().lock(), text);
}

fn line(mut stream: impl Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{}", text.trim_end())?;
    stream.flush()
}
