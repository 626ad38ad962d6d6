//! Tailscale Funnel: the way in for pushes without a domain, started, watched and ended by the bridge.
//!
//! `tailscale status --json` says whether Funnel may be used and under which name; `tailscale funnel PORT` then runs
//! in the foreground for as long as the bridge does. When it ends it is started again, with growing waits. What is
//! written to standard error is never taken for an answer. Everything can be cancelled, and nothing is left running.
//! Messages do not wait for a tunnel: the list has them.

mod funnel;
mod status;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use kapso::Url;
use model::Clock;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::health::{Health, Tunnel, TunnelState};

/// How patient the supervisor is.
#[derive(Debug, Clone)]
pub struct TunnelTiming {
    /// How long `tailscale status` may take.
    pub status: Duration,
    /// How long Funnel may take until it stands; the first certificate of a host takes a while.
    pub stand: Duration,
    /// Between the first failure and the next start; doubled after each further one.
    pub retry: Duration,
    /// The longest of these waits.
    pub longest: Duration,
    /// How long it has to have stood for the waits to begin anew.
    pub steady: Duration,
    /// How long Funnel may take to end.
    pub leave: Duration,
}

impl Default for TunnelTiming {
    fn default() -> Self {
        Self {
            status: Duration::from_secs(10),
            stand: Duration::from_secs(90),
            retry: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            steady: Duration::from_secs(60),
            leave: Duration::from_secs(3),
        }
    }
}

/// Why there is no tunnel. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such program.
    #[error("tailscale is not installed, or not on PATH")]
    NotInstalled,
    /// The program cannot be run.
    #[error("tailscale cannot be run: {0}")]
    Io(#[from] std::io::Error),
    /// Its daemon does not answer.
    #[error("tailscale's daemon does not answer: {0}")]
    NoDaemon(String),
    /// This host is not in a tailnet.
    #[error("tailscale is not logged in (its state is {0})")]
    NotLoggedIn(String),
    /// It is in one, and switched off.
    #[error("tailscale is not connected (its state is {0})")]
    NotConnected(String),
    /// The tailnet gives no certificates.
    #[error("HTTPS is not enabled in this tailnet")]
    NoHttps,
    /// The tailnet does not let this host use Funnel.
    #[error("Funnel is not enabled for this host")]
    NoFunnel,
    /// The host has no name in the tailnet.
    #[error("this host has no name in the tailnet: MagicDNS is not enabled")]
    NoName,
    /// What the program says is no status.
    #[error("`tailscale status --json` cannot be understood: {0}")]
    Unreadable(String),
    /// It took too long.
    #[error("`tailscale {what}` took longer than {after:?}: {said}")]
    Slow {
        /// What was run.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
        /// Its last words.
        said: String,
    },
    /// This user may not change what Tailscale serves.
    #[error("tailscale does not let this user serve: {0}")]
    Denied(String),
    /// Funnel ended by itself.
    #[error("Funnel ended: {0}")]
    Ended(String),
}

impl Trouble {
    /// What the operator does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotInstalled => {
                "install Tailscale (https://tailscale.com/download), or use another delivery.mode"
            }
            Self::Io(_) => "see that this user may run the tailscale program",
            Self::NoDaemon(_) => "start it: sudo systemctl enable --now tailscaled",
            Self::NotLoggedIn(_) => "log in: sudo tailscale up",
            Self::NotConnected(_) => "connect: sudo tailscale up",
            Self::NoHttps => "enable HTTPS certificates: https://tailscale.com/s/https",
            Self::NoFunnel => {
                "enable Funnel for this host: https://tailscale.com/s/no-funnel, or run `tailscale funnel 18790` once \
                 and follow its link"
            }
            Self::NoName => "enable MagicDNS: https://login.tailscale.com/admin/dns",
            Self::Unreadable(_) => "update Tailscale: 1.52 or later is needed",
            Self::Slow { .. } => {
                "see what `tailscale status` says; a link in the words above has to be followed once"
            }
            Self::Denied(_) => "let it: sudo tailscale set --operator=$USER",
            Self::Ended(_) => {
                "see `tailscale funnel status`: something else may serve port 443, or Tailscale is older than 1.52"
            }
        }
    }
}

/// The tunnel, before it runs.
#[derive(Debug)]
pub struct Tailscale {
    /// The program: `tailscale`.
    pub program: PathBuf,
    /// What Funnel hands over to: a port of this host, or an address of it.
    pub target: String,
    /// Where it reports.
    pub health: Health,
    /// The wall clock.
    pub clock: Clock,
    /// How patient it is.
    pub timing: TunnelTiming,
}

impl Tailscale {
    /// Keeps the tunnel up until `stop`, and tells `address` where it leads from whenever it stands. It stays told when
    /// the tunnel falls: it will be the same.
    pub async fn run(self, address: watch::Sender<Option<Url>>, stop: CancellationToken) {
        let mut wait = self.timing.retry;
        let mut starts = 0;
        let mut last = String::new();
        while !stop.is_cancelled() {
            starts += 1;
            self.tell(TunnelState::Starting, starts, None, None);
            let mut stood = None;
            let ended = self.once(&stop, |url| {
                stood = Some(Instant::now());
                info!(%url, "Tailscale Funnel stands");
                self.tell(TunnelState::Up, starts, Some(url), None);
                address.send_replace(Some(url.clone()));
            });
            let Err(trouble) = ended.await else { return };
            if stood.is_some_and(|since| since.elapsed() >= self.timing.steady) {
                wait = self.timing.retry;
            }
            if stood.is_some() || last != trouble.to_string() {
                last = trouble.to_string();
                error!(
                    trouble = %last, remedy = trouble.remedy(),
                    "no Tailscale Funnel; trying again, and messages are read from the list"
                );
            }
            self.tell(TunnelState::Down, starts, None, Some(&trouble));
            stop.run_until_cancelled(sleep(wait)).await;
            wait = (wait * 2).min(self.timing.longest);
        }
    }

    /// One life of the tunnel; `Ok` is that `stop` ended it.
    async fn once(&self, stop: &CancellationToken, up: impl FnOnce(&Url)) -> Result<(), Trouble> {
        let looked = stop.run_until_cancelled(self.look()).await;
        let Some(url) = looked else { return Ok(()) };
        let url = url?;
        self.funnel(stop, || up(&url)).await
    }

    /// Where the host is reached through Funnel, if it may use it.
    async fn look(&self) -> Result<Url, Trouble> {
        let mut command = self.command();
        command.args(["status", "--json", "--peers=false"]);
        status::look(command, self.timing.status).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn tell(&self, state: TunnelState, starts: u64, url: Option<&Url>, trouble: Option<&Trouble>) {
        self.health.tunnel(Tunnel {
            state,
            since: self.clock.now(),
            starts,
            url: url.map(Url::to_string),
            error: trouble.map(ToString::to_string),
            remedy: trouble.map(|trouble| trouble.remedy().to_owned()),
        });
    }
}

/// Why a program did not start.
fn not_started(error: std::io::Error) -> Trouble {
    if error.kind() == std::io::ErrorKind::NotFound {
        Trouble::NotInstalled
    } else {
        Trouble::Io(error)
    }
}
