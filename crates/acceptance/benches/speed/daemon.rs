//! The daemon as a child, and what the system says of it.

use std::path::Path;

use anyhow::{Context, anyhow};
use tokio::process::{Child, Command};

/// Where the daemon finds everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) state: String,
    pub(crate) kapso: String,
    pub(crate) gateway: String,
    pub(crate) relay: &'static str,
    pub(crate) sessions_json: String,
    pub(crate) customers: String,
}

pub(crate) const API_KEY: &str = "bench-key";
pub(crate) const NUMBER: &str = "100000000000001";
pub(crate) const TOKEN: &str = "bench-token";

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(program: &Path, around: &Surroundings) -> anyhow::Result<Self> {
        let child = Command::new(program)
            .env_clear()
            .env("HOME", &around.state)
            .env("KAPSO_API_KEY", API_KEY)
            .env("KAPSO_PHONE_NUMBER_ID", NUMBER)
            .env("KAPSO_BASE_URL", &around.kapso)
            .env("KAPSO_STATE_DIR", &around.state)
            .env("KAPSO_POLL_INTERVAL", "5")
            .env("KAPSO_ALLOWED_NUMBERS", &around.customers)
            .env("OPENCLAW_TOKEN", TOKEN)
            .env("GATEWAY_URL", &around.gateway)
            .env("GATEWAY_RELAY", around.relay)
            .env("OPENCLAW_SESSIONS_JSON", &around.sessions_json)
            .env("RUST_LOG", "error")
            .kill_on_drop(true)
            .spawn()
            .context("the daemon cannot be started")?;
        Ok(Self(child))
    }

    /// Ends it at once and waits until its lock is free.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.0.kill().await?)
    }

    /// Nanoseconds that all its threads have run. Exact, unlike the ticks of `/proc/PID/stat`.
    pub(crate) fn cpu_nanoseconds(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.id()?))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let ran = text.split(' ').next().context("an empty schedstat")?;
            sum += ran.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.0.id().ok_or_else(|| anyhow!("the daemon has ended"))
    }
}
