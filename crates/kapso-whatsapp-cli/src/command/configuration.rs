//! `config check` and `config show`: whether the configuration can be used, and what it is.

use clap::Subcommand;
use config::Config;
use serde_json::{Value, json};

use crate::Common;
use crate::outcome::{Exit, Outcome, problem};

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Configuration {
    /// Say whether it can be used, and what is wrong with it
    Check,
    /// Print what is in effect, secrets masked, and where each value comes from
    Show,
}

impl Configuration {
    pub(crate) fn run(self, common: &Common) -> Outcome {
        let config = match Config::load(common.config.as_deref()) {
            Ok(config) => config,
            Err(error) => return Outcome::misconfigured(&error),
        };
        match self {
            Self::Check => check(&config),
            Self::Show => show(&config),
        }
    }
}

fn check(config: &Config) -> Outcome {
    let source = match &config.file {
        Some(file) => file.display().to_string(),
        None => "the environment, without a file".to_owned(),
    };
    let warnings = config
        .warnings
        .iter()
        .map(|warning| format!("\nwarning: {warning}"));
    let text = format!("ok ({source}){}", warnings.collect::<String>());
    let warnings: Vec<Value> = config.warnings.iter().map(problem).collect();
    Outcome::told(
        Exit::Done,
        text,
        json!({"ok": true, "file": config.file, "warnings": warnings}),
    )
}

fn show(config: &Config) -> Outcome {
    match serde_json::to_value(config.effective()) {
        Ok(json) => Outcome::told(Exit::Done, config.show(), json),
        Err(error) => Outcome::failed(
            Exit::Failed,
            format!("the configuration is no JSON: {error}"),
        ),
    }
}
