//! Keeps the journal small: what is long over is dropped, and what takes too much room loses its words first. Files of
//! messages go when their time is over.

use std::time::Duration;

use model::Clock;
use store::{Store, StoreError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::media::{MediaFolder, Shelf};

/// How much of what is over is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// How long settled rows are kept. Meta delivers again for up to seven days, and what is forgotten is new when
    /// it comes again.
    pub keep: Duration,
    /// The size in bytes above which the words of what is over are dropped, the oldest first.
    pub max_bytes: u64,
    /// Between two looks.
    pub every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(8 * 24 * 3600),
            max_bytes: 256 << 20,
            every: Duration::from_secs(3600),
        }
    }
}

/// Between two steps of one clean-up: the verbs of the stages go between them.
const BREATH: Duration = Duration::from_millis(20);

impl Retention {
    /// Cleans up now and then, until `stop`.
    pub(crate) async fn run(
        self,
        store: Store,
        files: MediaFolder,
        clock: Clock,
        stop: CancellationToken,
    ) {
        let shelf = Shelf::new(files.dir);
        loop {
            match shelf.clean(files.keep).await {
                Ok(0) => {}
                Ok(files) => debug!(files, "cleaned up the media folder"),
                Err(error) => warn!(%error, "the media folder could not be cleaned up"),
            }
            let cleaned = stop.run_until_cancelled(self.clean(&store, &clock)).await;
            if let Some(Err(error)) = &cleaned {
                warn!(%error, "the journal could not be cleaned up");
            }
            if cleaned.is_none() || stop.run_until_cancelled(sleep(self.every)).await.is_none() {
                return;
            }
        }
    }

    async fn clean(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let mut gone = 0;
        loop {
            let forgotten = store.forget(clock.now().earlier(self.keep)).await?;
            let slimmed = store.slim(self.max_bytes).await?;
            gone += forgotten + slimmed;
            if forgotten + slimmed == 0 {
                break;
            }
            sleep(BREATH).await;
        }
        if gone > 0 {
            debug!(rows = gone, "cleaned up the journal");
        }
        Ok(())
    }
}
