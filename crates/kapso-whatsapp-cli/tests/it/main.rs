//! The built program from outside, between the stand-ins: what it prints, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod configuration;
mod dead;
mod doctor;
mod identity;
mod inbox;
mod pairing;
mod sandboxed;
mod scripted;
mod send;
mod status;
mod trace;
mod webhook;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use model::NumberId;
use sandbox::kapso::{KapsoStandIn, StandInOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const ANN: &str = "+15551234567";
const KEY: &str = "the-key";
const NUMBER: &str = "597907523413541";

/// More than any run takes; a run that takes it hangs.
const PLENTY: Duration = Duration::from_secs(60);

/// A home directory, and the environment in which the program runs.
struct Cli {
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl Cli {
    /// With a home directory, and nothing else in the environment.
    fn bare() -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = vec![("HOME".to_owned(), home.path().display().to_string())];
        Self { home, variables }
    }

    /// With an account at this stand-in.
    fn at(kapso: &KapsoStandIn) -> Self {
        let account = Self::bare()
            .set("KAPSO_API_KEY", KEY)
            .set("KAPSO_PHONE_NUMBER_ID", NUMBER);
        account.set("KAPSO_BASE_URL", &kapso.base_url())
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn state_dir(&self) -> PathBuf {
        self.home.path().join(".config/kapso-whatsapp")
    }

    /// Writes the usual configuration file.
    fn write_config(&self, text: &str) {
        std::fs::create_dir_all(self.state_dir()).unwrap();
        std::fs::write(self.state_dir().join("config.toml"), text).unwrap();
    }

    async fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "").await
    }

    /// Runs the program with `input` piped into it.
    async fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read closes its end; that is no failure of the test.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        ended(child).await
    }

    /// Starts the program, all its ends piped.
    fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_kapso-whatsapp-cli"))
            .args(args)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

/// Waits for the program's end.
async fn ended(child: Child) -> Ended {
    let output = timeout(PLENTY, child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn kapso() -> KapsoStandIn {
    let options = StandInOptions::new(KEY, NumberId::new(NUMBER).unwrap());
    KapsoStandIn::start(listener().await, options, CancellationToken::new())
        .await
        .unwrap()
}
