//! How a command ended: its exit code, and what it has to say, for people and for programs.

use std::fmt::Display;
use std::process::ExitCode;

use config::ConfigError;
use serde_json::{Value, json};

/// What the exit code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done,
    /// It failed, and repeating it will not help, or may do it twice.
    Failed,
    /// It was used wrongly, or the configuration cannot be used.
    Usage,
    /// WhatsApp refused it for good.
    Refused,
    /// It may succeed in a while.
    Temporary,
    /// The poller is not running.
    NotRunning,
}

impl Exit {
    /// The number of it.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Temporary => 4,
            Self::NotRunning => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code.
    pub(crate) exit: Exit,
    /// For people. What is asked for goes to standard output, a failure to standard error.
    pub(crate) text: Text,
    /// For programs, always on standard output.
    pub(crate) json: Value,
}

/// Where a text goes.
#[derive(Debug)]
pub(crate) enum Text {
    /// What was asked for.
    Answer(String),
    /// Why there is no answer.
    Complaint(String),
    /// Nothing is left to say.
    Nothing,
}

impl Outcome {
    /// What was asked for.
    pub(crate) fn told(exit: Exit, text: impl Into<String>, json: Value) -> Self {
        Self {
            exit,
            text: Text::Answer(text.into()),
            json,
        }
    }

    /// A failure that is told in one text.
    pub(crate) fn failed(exit: Exit, text: impl Display) -> Self {
        let text = text.to_string();
        let json = json!({"ok": false, "error": text});
        Self {
            exit,
            text: Text::Complaint(text),
            json,
        }
    }

    /// A failure with facts that a program may want; `ok` and `error` are added to them.
    pub(crate) fn failed_with(exit: Exit, text: impl Display, mut facts: Value) -> Self {
        let text = text.to_string();
        facts["ok"] = Value::Bool(false);
        facts["error"] = Value::from(text.as_str());
        Self {
            exit,
            text: Text::Complaint(text),
            json: facts,
        }
    }

    /// An end without words: the command has shown everything already.
    pub(crate) fn silent(exit: Exit) -> Self {
        let json = json!({"ok": exit == Exit::Done});
        Self {
            exit,
            text: Text::Nothing,
            json,
        }
    }

    /// A configuration that cannot be used.
    pub(crate) fn misconfigured(error: &ConfigError) -> Self {
        let problems: Vec<Value> = error.problems().iter().map(problem).collect();
        Self::failed_with(Exit::Usage, error, json!({ "problems": problems }))
    }
}

/// A problem of the configuration, for programs.
pub(crate) fn problem(problem: &config::Problem) -> Value {
    json!({
        "key": problem.key,
        "at": problem.origin.as_ref().map(ToString::to_string),
        "what": problem.what,
        "remedy": problem.remedy,
    })
}
