//! Our daemon as a child process: the built binary, configured by environment alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
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
    /// A program that becomes the daemon, with its arguments up to the daemon's; mostly nothing.
    pub wrapper: Vec<OsString>,
    /// Where its journal lies.
    pub folder: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
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
    /// Further variables; they win over those that follow from the rest.
    pub variables: Vec<(&'static str, String)>,
}

impl Settings {
    /// The folder of its journal.
    pub fn state(&self) -> PathBuf {
        self.folder.join("bridge")
    }
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
        self.settings.log.clone()
    }

    /// The number of its process.
    ///
    /// # Errors
    /// When it was not started.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let running = self.running.as_ref();
        Ok(running.context("the poller is not running")?.pid())
    }

    /// How it is set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    /// Starts it with further variables, for this once.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn start_with(&mut self, variables: &[(&str, String)]) -> anyhow::Result<()> {
        let mut command = self.command();
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        self.running = Some(Group::start("poller", command, &self.log())?);
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

    /// Forgets one that has ended by itself.
    pub fn let_go(&mut self) {
        self.running = None;
    }

    /// Waits until it ends by itself, and says how.
    ///
    /// # Errors
    /// When it was not running, or goes on.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let running = self.running.as_mut();
        let status = running
            .context("the poller is not running")?
            .ended(within)
            .await?;
        self.running = None;
        Ok(status)
    }

    fn take(&mut self) -> anyhow::Result<Group> {
        self.running.take().context("the poller is not running")
    }

    /// The command with an environment of its own: what the caller has set must not change what is tested.
    fn command(&self) -> Command {
        let Settings {
            program,
            wrapper,
            folder,
            log: _,
            kapso,
            gateway,
            relay,
            sessions_json,
            customers,
            variables,
        } = &self.settings;
        let own = [program.clone().into_os_string()];
        let mut words = wrapper.iter().chain(&own);
        let mut command = Command::new(words.next().unwrap_or(&own[0]));
        command
            .args(words)
            .env_clear()
            .current_dir(folder)
            .env("HOME", home(folder))
            .env("KAPSO_API_KEY", API_KEY)
            .env("KAPSO_PHONE_NUMBER_ID", NUMBER)
            .env("KAPSO_BASE_URL", kapso)
            .env("KAPSO_STATE_DIR", self.settings.state())
            .env("KAPSO_POLL_INTERVAL", "5")
            .env("KAPSO_ALLOWED_NUMBERS", customers.join(","))
            .env("OPENCLAW_TOKEN", TOKEN)
            .env("GATEWAY_URL", gateway)
            .env("GATEWAY_RELAY", relay.name())
            .env("GATEWAY_ERROR_MESSAGE", ERROR_MESSAGE)
            .env("OPENCLAW_SESSIONS_JSON", sessions_json)
            .env("RUST_LOG", "info")
            .envs(variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn home(folder: &Path) -> PathBuf {
    folder.join("home")
}
