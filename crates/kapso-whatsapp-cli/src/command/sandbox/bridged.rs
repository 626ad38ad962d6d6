//! The real bridge, with a journal that goes with it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bridge::guard::{Approvals, OverLimit, Policy, Rules, Strangers};
use bridge::inbound::poll::PollTiming;
use bridge::{
    Depths, Health, MediaFolder, Nudge, NumberOptions, Options, Parts, Prompts, Retention, Routes,
    SendTiming, Sessions, Staleness, Store, StoreError, TurnTiming,
};
use gateway::Gateway;
use kapso::media::{Downloads, Egress, Limits};
use kapso::{Client, Deadlines, Url};
use model::{Clock, NumberId, Role};
use sandbox::kapso::KapsoStandIn;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the list is read: so often that it seems pushed.
const POLL: Duration = Duration::from_millis(200);

/// Between two messages to one person. The stand-in keeps their order without a pause.
const GAP: Duration = Duration::from_millis(50);

/// How long a stop waits for what is in flight.
const DRAIN: Duration = Duration::from_secs(2);

/// A bridge that runs.
#[derive(Debug)]
pub(super) struct Bridged {
    ended: JoinHandle<Result<Depths, StoreError>>,
    stop: CancellationToken,
    store: Store,
    folder: TempDir,
}

impl Bridged {
    /// Starts a bridge between the two, open to everyone.
    ///
    /// # Errors
    /// When the journal or the client cannot be made.
    pub(super) async fn start(
        kapso: &KapsoStandIn,
        api_key: &str,
        number: NumberId,
        gateway: Gateway,
    ) -> anyhow::Result<Self> {
        let folder =
            TempDir::with_prefix("kapso-whatsapp-sandbox-").context("no folder for the journal")?;
        let clock = Clock::system();
        let store = Store::open(folder.path(), clock.clone()).await?;
        let base_url: Url = kapso.base_url().parse()?;
        let egress = Egress::of(&base_url, Vec::new(), Limits::default());
        let client = Client::new(kapso::Options {
            base_url,
            api_key: api_key.into(),
            number: number.clone(),
            deadlines: Deadlines::default(),
        })?;
        let options = options(number, folder.path());
        let parts = Parts {
            guard: Arc::new(options.guard(Approvals::default())),
            numbers: client.into(),
            gateway,
            store: store.clone(),
            downloads: Downloads::new(egress)?,
            transcriber: None,
            transcripts: None,
            clock,
            health: Health::default(),
            nudge: Nudge::default(),
            door: None,
        };
        let stop = CancellationToken::new();
        let ended = tokio::spawn(bridge::run(options, parts, stop.clone()));
        Ok(Self {
            ended,
            stop,
            store,
            folder,
        })
    }

    /// Stops it in order, and removes its journal.
    ///
    /// # Errors
    /// What ended it before.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended.await.context("the bridge")??;
        self.store.close().await;
        self.folder.close().context("the journal's folder")
    }
}

fn options(number: NumberId, folder: &Path) -> Options {
    Options {
        numbers: vec![NumberOptions {
            id: number,
            policy: Policy {
                strangers: Strangers::Admitted(Role("member".to_owned())),
                roles: HashMap::new(),
                rate_limit: 1000,
                window: Duration::from_secs(60),
                over_limit: OverLimit::Wait,
                deny_message: String::new(),
                commands: BTreeMap::new(),
            },
            // Not the poller's: a real agent keeps what is tried out apart.
            sessions: Sessions {
                key: "sandbox".to_owned(),
                isolation: true,
                template: None,
                agent: "main".to_owned(),
            },
        }],
        rules: Rules::default(),
        routes: Routes::default(),
        prompts: Prompts::default(),
        stranger_hook: None,
        error_message: "Sorry, something went wrong. Please try again later.".to_owned(),
        poll: PollTiming::every(POLL),
        poll_fallback: false,
        staleness: Staleness::default(),
        retention: Retention::default(),
        media: MediaFolder::new(folder.join("media")),
        turn: TurnTiming::default(),
        send: SendTiming {
            gap: GAP,
            ..SendTiming::default()
        },
        typing: Duration::from_secs(20),
        drain: DRAIN,
    }
}
