//! Our daemon as a child process: the built binary, configured by environment alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

use crate::openclaw::TOKEN;
use crate::process::Group;
use crate::release::Relay;

/// The key that the Kapso stand-in accepts.
pub const API_KEY: &str = "end-to-end-key";

/// The business number's id at the stand-in.
pub const NUMBER: &str = "100000000000001";

/// What customers are told when a run fails.
pub const ERROR_MESSAGE: &str = "Sorry, that did not work. Please try again.";

/// The longest it may take to end on SIGTERM: the 10 s it is promised to need, and some for a busy machine.
const DRAIN: Duration = Duration::from_secs(15);

/// How the daemon is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The binary.
    pub program: PathBuf,
    /// Where its journal and its log lie.
    pub folder: PathBuf,
    /// Kapso's address.
    pub kapso: String,
    /// The gateway's address.
    pub gateway: String,
    /// How answers are relayed.
    pub relay: Relay,
    /// The gateway's index of transcripts.
    pub sessions_json: PathBuf,
    /// Who may speak.
    pub customers: Vec<String>,
}

/// The daemon, running or not.
#[derive(Debug)]
pub struct Poller {
    settings: Settings,
    running: Option<Group>,
}

impl Poller {
    /// A daemon with these settings; nothing is started.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            running: None,
        }
    }

    /// Where its output goes.
    pub fn log(&self) -> PathBuf {
        self.settings.folder.join("poller.log")
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let group = Group::start("poller", self.command(), &self.log())?;
        self.running = Some(group);
        Ok(())
    }

    /// An error when it has ended by itself.
    ///
    /// # Errors
    /// With its exit status, or when it was not started.
    pub fn running(&mut self) -> anyhow::Result<()> {
        self.running
            .as_mut()
            .context("the poller is not running")?
            .running()
    }

    /// Kills it, as a crash does.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.take()?.kill().await
    }

    /// Ends it, as a service manager does.
    ///
    /// # Errors
    /// When it was not running, does not end in time, or ends with an error.
    pub async fn terminate(&mut self) -> anyhow::Result<()> {
        self.take()?.terminate(DRAIN).await
    }

    fn take(&mut self) -> anyhow::Result<Group> {
        self.running.take().context("the poller is not running")
    }

    /// The command with an environment of its own: what the caller has set must not change what is tested.
    fn command(&self) -> Command {
        let Settings {
            program,
            folder,
            kapso,
            gateway,
            relay,
            sessions_json,
            customers,
        } = &self.settings;
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(folder)
            .env("HOME", home(folder))
            .env("KAPSO_API_KEY", API_KEY)
            .env("KAPSO_PHONE_NUMBER_ID", NUMBER)
            .env("KAPSO_BASE_URL", kapso)
            .env("KAPSO_STATE_DIR", folder.join("bridge"))
            .env("KAPSO_POLL_INTERVAL", "5")
            .env("KAPSO_ALLOWED_NUMBERS", customers.join(","))
            .env("OPENCLAW_TOKEN", TOKEN)
            .env("GATEWAY_URL", gateway)
            .env("GATEWAY_RELAY", relay.name())
            .env("GATEWAY_ERROR_MESSAGE", ERROR_MESSAGE)
            .env("OPENCLAW_SESSIONS_JSON", sessions_json)
            .env("RUST_LOG", "info");
        command
    }
}

fn home(folder: &Path) -> PathBuf {
    folder.join("home")
}
