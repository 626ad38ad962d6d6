//! A real OpenClaw gateway as a child process, on a state folder of its own, with the scripted model as its provider.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::install::{Installed, path_with};
use crate::process::Group;
use crate::release::Release;

/// The longest a gateway may take to get ready: 6 to 10 s when the machine is its own, more when it is shared.
const READY: Duration = Duration::from_secs(180);

/// The pause between two looks at whether it is ready.
const LOOK: Duration = Duration::from_millis(250);

/// The longest a gateway may take to end on SIGTERM; newer releases let runs finish first.
const DRAIN: Duration = Duration::from_secs(60);

/// Its configuration, in its folder.
const CONFIGURATION: &str = "openclaw.json";

/// What a client must present.
pub const TOKEN: &str = "end-to-end-token";

/// A gateway, running or not.
#[derive(Debug)]
pub struct Gateway {
    installed: Installed,
    folder: PathBuf,
    port: u16,
    running: Option<Group>,
}

impl Gateway {
    /// Writes the configuration of a gateway below `folder`, and chooses its port. Without `agents` it has the one that
    /// every gateway has. Nothing is started.
    ///
    /// # Errors
    /// When the folder cannot be written, or no port can be had.
    pub fn new(
        installed: Installed,
        folder: &Path,
        model: &str,
        release: &Release,
        agents: &[&str],
    ) -> anyhow::Result<Self> {
        for part in ["home", "state", "workspace"] {
            let part = folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("{} cannot be made", part.display()))?;
        }
        let mut configuration = configuration(folder, model);
        if let (false, Some(section)) = (agents.is_empty(), configuration["agents"].as_object_mut())
        {
            let (key, roster) = roster(release, agents);
            section.insert(key.to_owned(), roster);
        }
        fs::write(folder.join(CONFIGURATION), configuration.to_string())?;
        Ok(Self {
            installed,
            folder: folder.to_owned(),
            port: free_port()?,
            running: None,
        })
    }

    /// The loopback port that it listens on, the same after every start.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The index of its session transcripts, in releases that have one.
    pub fn sessions_json(&self) -> PathBuf {
        self.folder.join("state/agents/main/sessions/sessions.json")
    }

    /// Its configuration as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn configuration(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join(CONFIGURATION))?)
    }

    /// Where its output goes.
    pub fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.installed.node);
        command
            .arg(&self.installed.program)
            .args([
                "gateway",
                "run",
                "--port",
                &self.port.to_string(),
                "--token",
                TOKEN,
            ])
            .current_dir(&self.folder)
            .env("PATH", path_with(self.installed.node.parent())?)
            .env("HOME", self.folder.join("home"))
            .env("OPENCLAW_STATE_DIR", self.folder.join("state"))
            .env("OPENCLAW_CONFIG_PATH", self.folder.join(CONFIGURATION))
            .env("OPENCLAW_DISABLE_BONJOUR", "1")
            .env("OPENCLAW_NO_AUTO_UPDATE", "1")
            .env("NO_COLOR", "1");
        let group = self
            .running
            .insert(Group::start("gateway", command, &self.log())?);
        let deadline = Instant::now() + READY;
        while !is_ready(self.port).await {
            group.running()?;
            if Instant::now() > deadline {
                bail!("the gateway was not ready within {READY:?}");
            }
            sleep(LOOK).await;
        }
        Ok(())
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
    /// When it was not running, or does not end in time.
    pub async fn terminate(&mut self) -> anyhow::Result<()> {
        self.take()?.terminate(DRAIN).await
    }

    fn take(&mut self) -> anyhow::Result<Group> {
        self.running.take().context("the gateway is not running")
    }
}

fn configuration(folder: &Path, model: &str) -> Value {
    let scripted = json!({
        "id": "scripted",
        "name": "scripted",
        "reasoning": false,
        "input": ["text", "image"],
        "cost": { "input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0 },
        "contextWindow": 120_000,
        "maxTokens": 8192,
    });
    json!({
        "gateway": { "mode": "local", "bind": "loopback", "auth": { "mode": "token", "token": TOKEN } },
        "agents": { "defaults": {
            "model": { "primary": "scripted/scripted" },
            "workspace": folder.join("workspace"),
            "skipBootstrap": true,
        } },
        "logging": { "file": folder.join("openclaw.log") },
        "models": { "mode": "merge", "providers": { "scripted": {
            "baseUrl": model,
            "apiKey": "x",
            "api": "openai-completions",
            "models": [scripted],
        } } },
    })
}

/// The agents, first the one that a key without an agent means, as the release wants them written.
fn roster(release: &Release, agents: &[&str]) -> (&'static str, Value) {
    if release.keys_agents() {
        let entries = agents.iter().map(|&agent| (agent.to_owned(), json!({})));
        return ("entries", Value::Object(entries.collect()));
    }
    let list = agents.iter().enumerate();
    let list = list.map(|(n, agent)| json!({ "id": agent, "default": n == 0 }));
    ("list", list.collect())
}

/// A port that was free a moment ago; the gateway cannot be told to choose one itself.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Whether `GET /readyz` is answered with 200; there is no other sign that all releases from 2026.5.7 on share.
async fn is_ready(port: u16) -> bool {
    let probe = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status)
    };
    matches!(timeout(Duration::from_secs(5), probe).await, Ok(Ok(status)) if status == *b"HTTP/1.1 200")
}
