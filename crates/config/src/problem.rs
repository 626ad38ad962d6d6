//! What is wrong with a configuration, where, and how to mend it.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// In this variable of the environment.
    Environment(String),
    /// In the file that this variable of the environment names.
    SecretFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// In a systemd credential.
    Credential(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::SecretFile { variable, path } => write!(f, "{variable} ({})", path.display()),
            Self::Credential(path) => write!(f, "credential {}", path.display()),
        }
    }
}

/// One thing to mend. No text of it shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key or variable that it is about, as written.
    pub key: String,
    /// Where it stands; none when it stands nowhere.
    pub origin: Option<Origin>,
    /// What is wrong, continuing the key's name: `is not set`.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            None | Some(Origin::Default) => {}
            // The variable is the key: naming it twice helps nobody.
            Some(Origin::Environment(variable)) if *variable == self.key => {}
            Some(origin) => write!(f, "{origin}: ")?,
        }
        write!(f, "{} {}; {}", self.key, self.what, self.remedy)
    }
}

/// A configuration that cannot be used: everything that is wrong with it, one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems, in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Why a value does not do, before it is known where it stands.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Wrong {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}
