//! The stand-ins and the state directory of one measurement.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use model::NumberId;
use sandbox::kapso::{KapsoStandIn, StandInOptions};
use sandbox::openclaw::{OpenClawStandIn, Options, Release};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::daemon::{API_KEY, Daemon, NUMBER, Surroundings, TOKEN};

/// How replies reach the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The run's own result (`gateway.relay = "auto"`).
    Result,
    /// The session's transcript (`"jsonl"`).
    Jsonl,
}

/// Everything around one daemon; gone when dropped.
pub(crate) struct Scene {
    pub(crate) kapso: KapsoStandIn,
    pub(crate) openclaw: OpenClawStandIn,
    pub(crate) around: Surroundings,
    stop: CancellationToken,
    folder: PathBuf,
}

impl Scene {
    /// A daemon here reads the list, and replies come this `way`.
    pub(crate) async fn new(name: &str, way: Way) -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("kapso-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let stop = CancellationToken::new();
        let options = StandInOptions::new(API_KEY.to_owned(), NumberId::new(NUMBER)?);
        let kapso = KapsoStandIn::start(listener().await?, options, stop.clone()).await?;
        let options = Options {
            release: match way {
                Way::Jsonl => Release::V2026_7_35,
                Way::Result => Release::V2026_9_6,
            },
            token: Some(TOKEN.to_owned()),
            transcripts: (way == Way::Jsonl).then(|| folder.join("openclaw")),
            ..Options::default()
        };
        let openclaw = OpenClawStandIn::start(listener().await?, options, stop.clone())?;
        let sessions_json = openclaw.sessions_json();
        let sessions_json = sessions_json.map(|path| path.display().to_string());
        let around = Surroundings {
            state: folder.join("state").display().to_string(),
            kapso: kapso.base_url(),
            gateway: openclaw.url(),
            relay: match way {
                Way::Jsonl => "jsonl",
                Way::Result => "auto",
            },
            sessions_json: sessions_json.unwrap_or_default(),
            webhook: None,
        };
        Ok(Self {
            kapso,
            openclaw,
            around,
            stop,
            folder,
        })
    }

    /// A daemon here takes webhooks at the address given.
    pub(crate) async fn with_webhook(name: &str) -> anyhow::Result<(Self, SocketAddr)> {
        let mut scene = Self::new(name, Way::Result).await?;
        // A port that nobody listens on any more.
        let address = listener().await?.local_addr()?;
        scene.around.webhook = Some(address);
        Ok((scene, address))
    }

    /// Starts the daemon and waits until it is at the gateway and has read the list once, or listens.
    pub(crate) async fn daemon(&self, program: &Path) -> anyhow::Result<Daemon> {
        let daemon = Daemon::start(program, &self.around)?;
        match self.around.webhook {
            Some(address) => daemon.listens(address).await?,
            None => {
                self.kapso
                    .until(|kapso| (!kapso.requests().is_empty()).then_some(()))
                    .await;
            }
        }
        self.openclaw.connected_n(1).await;
        Ok(daemon)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
        // A folder that stays in the temporary directory does not spoil a measurement.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A listener on a free port of this host.
pub(crate) async fn listener() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}
