//! The daemon as a child, and what the system says of it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Where the daemon finds everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) state: String,
    pub(crate) kapso: String,
    pub(crate) gateway: String,
    pub(crate) relay: &'static str,
    pub(crate) sessions_json: String,
    /// Where webhooks are taken; without it the list is polled.
    pub(crate) webhook: Option<SocketAddr>,
}

pub(crate) const API_KEY: &str = "bench-key";
pub(crate) const NUMBER: &str = "100000000000001";
pub(crate) const TOKEN: &str = "bench-token";
pub(crate) const WEBHOOK_SECRET: &str = "bench-webhook-secret";

/// How long a daemon may take until it listens.
const UP: Duration = Duration::from_secs(20);

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(program: &Path, around: &Surroundings) -> anyhow::Result<Self> {
        let child = command(program, around)
            .spawn()
            .context("the daemon cannot be started")?;
        Ok(Self(child))
    }

    /// Lets it read the list once, and waits for its end.
    pub(crate) async fn read_once(program: &Path, around: &Surroundings) -> anyhow::Result<()> {
        let status = command(program, around).arg("--once").status().await?;
        ensure!(
            status.success(),
            "the daemon's first reading ended with {status}"
        );
        Ok(())
    }

    /// Waits until it takes connections at `address`.
    pub(crate) async fn listens(&self, address: SocketAddr) -> anyhow::Result<()> {
        let tried = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let listens = timeout(UP, tried).await;
        listens.with_context(|| format!("the daemon does not listen on {address}"))
    }

    /// Ends it at once and waits until its lock is free.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.0.kill().await?)
    }

    /// Nanoseconds that all its threads have run.
    pub(crate) fn cpu_nanoseconds(&self) -> anyhow::Result<u64> {
        cpu_nanoseconds(&self.id()?.to_string())
    }

    /// Resident memory now, in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        self.status_kib("VmRSS:")
    }

    /// The most resident memory that it ever had, in KiB.
    pub(crate) fn most_resident_kib(&self) -> anyhow::Result<f64> {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .with_context(|| format!("no {field}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.0.id().ok_or_else(|| anyhow!("the daemon has ended"))
    }
}

/// Nanoseconds that all living threads of the bench itself have run: what it takes from the daemon.
pub(crate) fn own_cpu_nanoseconds() -> anyhow::Result<u64> {
    cpu_nanoseconds("self")
}

/// Exact, unlike the ticks of `/proc/PID/stat`.
fn cpu_nanoseconds(process: &str) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = text.split(' ').next().context("an empty schedstat")?;
        sum += ran.parse::<u64>()?;
    }
    Ok(sum)
}

fn command(program: &Path, around: &Surroundings) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", &around.state)
        .env("KAPSO_API_KEY", API_KEY)
        .env("KAPSO_PHONE_NUMBER_ID", NUMBER)
        .env("KAPSO_BASE_URL", &around.kapso)
        .env("KAPSO_STATE_DIR", &around.state)
        .env("KAPSO_POLL_INTERVAL", "5")
        .env("KAPSO_SECURITY_MODE", "open")
        .env("KAPSO_RATE_LIMIT", "100000")
        .env("OPENCLAW_TOKEN", TOKEN)
        .env("GATEWAY_URL", &around.gateway)
        .env("GATEWAY_RELAY", around.relay)
        .env("OPENCLAW_SESSIONS_JSON", &around.sessions_json)
        .env("RUST_LOG", "error");
    if let Some(address) = around.webhook {
        command
            .env("KAPSO_MODE", "domain")
            .env("KAPSO_WEBHOOK_ADDR", address.to_string())
            .env("KAPSO_WEBHOOK_SECRET", WEBHOOK_SECRET);
    }
    command.kill_on_drop(true);
    command
}
