//! The configuration from outside: files, environments, and the documents that describe them.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod chats;
mod documents;
mod environment;
mod file;
mod gateway;
mod media;
mod numbers;
mod routes;
mod rules;
mod security;
mod show;
mod warnings;

use std::path::PathBuf;

use config::{Config, ConfigError, Environment, Problem};
use tempfile::TempDir;

/// A home directory, a file in it, and an environment.
struct Setup {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Setup {
    /// A home directory, and the two variables that are required.
    fn new() -> Self {
        Self::bare()
            .set("KAPSO_API_KEY", "key")
            .set("KAPSO_PHONE_NUMBER_ID", "1234")
    }

    /// A home directory and nothing else.
    fn bare() -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = vec![("HOME".to_owned(), home.path().display().to_string())];
        Self { home, variables }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file into the home directory.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_with(None, &self.environment())
    }

    /// Loads with this text as the file.
    fn load_text(&self, text: &str) -> Result<Config, ConfigError> {
        let path = self.write("config.toml", text);
        Config::load_with(Some(&path), &self.environment())
    }

    fn environment(&self) -> Environment {
        self.variables.iter().cloned().collect()
    }

    fn home(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }
}

/// The problems with this text as the file.
fn problems(text: &str) -> Vec<Problem> {
    Setup::new()
        .load_text(text)
        .unwrap_err()
        .problems()
        .to_vec()
}

/// The one problem with this text as the file, from its line on.
fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let shown = problems[0].to_string();
    shown.rsplit_once("config.toml:").unwrap().1.to_owned()
}
