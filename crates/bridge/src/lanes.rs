//! One owner per chat.
//!
//! Work for a chat is data in the store; a lane is the one task that does it. Waking a chat that has a lane makes
//! that lane look again, so a wake-up is never lost and no chat has two owners. Lanes take turns for a bounded
//! number of permits, in the order in which they asked, so one busy sender cannot keep the others waiting.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use model::{ChatKey, Clock};
use store::StoreError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::health::Health;

/// The wait before a chat is looked at again when the journal refused its work.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What a lane found when it looked at its chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Did something; there may be more.
    Again,
    /// Nothing to do until the chat is woken.
    Idle,
}

/// Work that is done chat by chat: taking messages to the agent, and sending.
pub(crate) trait Stage: Send + Sync + 'static {
    /// Does the next thing for `chat`. Only its owner calls it.
    ///
    /// # Errors
    /// [`StoreError`] when the journal refuses; the rows keep their state, and the lane tries again.
    fn step(&self, chat: &ChatKey) -> impl Future<Output = Result<Step, StoreError>> + Send;
}

/// What all tasks of one bridge share: how it ends, and where it reports.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) tracker: TaskTracker,
    /// Ends intake and new work.
    pub(crate) stop: CancellationToken,
    /// Ends everything wherever it is, when draining took too long.
    pub(crate) halt: CancellationToken,
    pub(crate) health: Health,
    pub(crate) clock: Clock,
}

/// The lanes of one stage. Clones share them.
#[derive(Debug)]
pub(crate) struct Lanes<S> {
    stage: Arc<S>,
    /// The chats that have a lane; `true` when it was woken since it last looked.
    awake: Arc<DashMap<ChatKey, bool>>,
    permits: Arc<Semaphore>,
    life: Life,
}

impl<S> Clone for Lanes<S> {
    fn clone(&self) -> Self {
        Self {
            stage: Arc::clone(&self.stage),
            awake: Arc::clone(&self.awake),
            permits: Arc::clone(&self.permits),
            life: self.life.clone(),
        }
    }
}

impl<S: Stage> Lanes<S> {
    /// Lanes of which at most `at_once` work at a time.
    pub(crate) fn new(stage: S, at_once: usize, life: Life) -> Self {
        Self {
            stage: Arc::new(stage),
            awake: Arc::default(),
            permits: Arc::new(Semaphore::new(at_once)),
            life,
        }
    }

    /// Number of chats that have a lane now.
    pub(crate) fn busy(&self) -> usize {
        self.awake.len()
    }

    /// Makes sure that `chat` is looked at from now on, until there is nothing to do for it.
    pub(crate) fn wake(&self, chat: ChatKey) {
        match self.awake.entry(chat.clone()) {
            Entry::Occupied(mut lane) => {
                lane.insert(true);
            }
            Entry::Vacant(lane) => {
                lane.insert(false);
                let halt = self.life.halt.clone();
                let owner = self.clone().own(chat);
                self.life
                    .tracker
                    .spawn(async move { halt.run_until_cancelled_owned(owner).await });
            }
        }
    }

    async fn own(self, chat: ChatKey) {
        let lane = Lane {
            awake: Arc::clone(&self.awake),
            chat,
        };
        loop {
            let Ok(permit) = self.permits.acquire().await else {
                return;
            };
            let step = self.stage.step(&lane.chat).await;
            drop(permit);
            let step = match step {
                Ok(step) => step,
                Err(failure) => self.after(&lane.chat, &failure).await,
            };
            // Looked at and left in one step, so that a wake-up in between is seen.
            if step == Step::Idle
                && lane
                    .awake
                    .remove_if(&lane.chat, |_, woken| !*woken)
                    .is_some()
            {
                return;
            }
            lane.awake.insert(lane.chat.clone(), false);
        }
    }

    async fn after(&self, chat: &ChatKey, failure: &StoreError) -> Step {
        error!(%chat, %failure, "the journal refused a chat's work; trying again");
        self.life
            .health
            .journal_failed(self.life.clock.now(), failure.to_string());
        match self
            .life
            .stop
            .run_until_cancelled(tokio::time::sleep(AFTER_FAILURE))
            .await
        {
            Some(()) => Step::Again,
            None => Step::Idle,
        }
    }
}

/// A chat's entry, taken back even when its work panics, so that the next wake-up starts it anew.
struct Lane {
    awake: Arc<DashMap<ChatKey, bool>>,
    chat: ChatKey,
}

impl Drop for Lane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.awake.remove(&self.chat);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use model::{Identity, NumberId};
    use tokio::sync::Notify;

    use super::*;

    fn chat(n: u32) -> ChatKey {
        ChatKey::new(
            NumberId::new("1").unwrap(),
            &Identity::new(&format!("+1555123{n:04}")).unwrap(),
        )
    }

    fn life() -> Life {
        Life {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            halt: CancellationToken::new(),
            health: Health::default(),
            clock: Clock::system(),
        }
    }

    async fn finished(life: &Life) {
        life.tracker.close();
        life.tracker.wait().await;
    }

    #[derive(Default)]
    struct Held {
        looks: AtomicU32,
        started: Notify,
        go: Notify,
    }

    impl Stage for Arc<Held> {
        async fn step(&self, _: &ChatKey) -> Result<Step, StoreError> {
            self.looks.fetch_add(1, Ordering::SeqCst);
            self.started.notify_one();
            self.go.notified().await;
            Ok(Step::Idle)
        }
    }

    #[tokio::test]
    async fn a_chat_woken_at_work_is_looked_at_again_by_the_same_owner() {
        let (held, life) = (Arc::new(Held::default()), life());
        let lanes = Lanes::new(Arc::clone(&held), 1, life.clone());
        lanes.wake(chat(1));
        held.started.notified().await;
        lanes.wake(chat(1));
        held.go.notify_one();
        held.started.notified().await;
        held.go.notify_one();
        finished(&life).await;
        assert_eq!((held.looks.load(Ordering::SeqCst), lanes.busy()), (2, 0));
    }

    #[derive(Default)]
    struct Counting {
        now: AtomicU32,
        most: AtomicU32,
        done: AtomicU32,
    }

    impl Stage for Arc<Counting> {
        async fn step(&self, _: &ChatKey) -> Result<Step, StoreError> {
            self.most.fetch_max(
                self.now.fetch_add(1, Ordering::SeqCst) + 1,
                Ordering::SeqCst,
            );
            tokio::task::yield_now().await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            self.done.fetch_add(1, Ordering::SeqCst);
            Ok(Step::Idle)
        }
    }

    #[tokio::test]
    async fn s2_no_more_lanes_work_than_there_are_permits() {
        let (counting, life) = (Arc::new(Counting::default()), life());
        let lanes = Lanes::new(Arc::clone(&counting), 2, life.clone());
        (0..500).for_each(|n| lanes.wake(chat(n)));
        finished(&life).await;
        let seen = (
            counting.most.load(Ordering::SeqCst),
            counting.done.load(Ordering::SeqCst),
            lanes.busy(),
        );
        assert_eq!(seen, (2, 500, 0));
    }
}
