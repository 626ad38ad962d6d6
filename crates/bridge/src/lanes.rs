//! One owner per chat.
//!
//! Work for a chat is data in the store; a lane is the one task that does it. Waking a chat that has a lane makes
//! that lane look again, so a wake-up is never lost and no chat has two owners. Lanes take turns for a bounded
//! number of permits, in the order in which they asked, so one busy sender cannot keep the others waiting; a lane
//! that only waits has none. A step that panics ends neither its lane nor the bridge.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use futures_util::FutureExt as _;
use model::{ChatKey, Clock};
use store::StoreError;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::health::Health;

/// The wait before a chat is looked at again when the journal refused its work.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A wait that a stop lets pass: the pause between two parts of one answer.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// What a lane found when it looked at its chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Did something; there may be more.
    Again,
    /// Nothing to do until this much time has passed, or the chat is woken. Waiting takes no permit.
    After(Duration),
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

    /// Notes that a step for `chat` panicked, so that what breaks it is set aside and not tried for ever.
    ///
    /// # Errors
    /// [`StoreError`] when the journal refuses.
    fn stumbled(&self, chat: &ChatKey) -> impl Future<Output = Result<(), StoreError>> + Send;
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
    /// The chats that have a lane.
    awake: Arc<DashMap<ChatKey, Call>>,
    permits: Arc<Semaphore>,
    life: Life,
}

/// How a lane is told that its chat has work.
#[derive(Debug, Default)]
struct Call {
    /// It was woken since it last looked.
    woken: bool,
    /// Ends a wait.
    bell: Arc<Notify>,
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
                lane.get_mut().woken = true;
                lane.get().bell.notify_one();
            }
            Entry::Vacant(lane) => {
                let bell = Arc::clone(&lane.insert(Call::default()).bell);
                let halt = self.life.halt.clone();
                let owner = self.clone().own(chat, bell);
                self.life
                    .tracker
                    .spawn(async move { halt.run_until_cancelled_owned(owner).await });
            }
        }
    }

    async fn own(self, chat: ChatKey, bell: Arc<Notify>) {
        loop {
            let Ok(permit) = self.permits.acquire().await else {
                return;
            };
            // On the heap while it is worked on: a step is tens of kilobytes, and thousands of lanes may wait here.
            let step = Box::pin(self.guarded(&chat)).await;
            drop(permit);
            let step = match step {
                Ok(step) => step,
                Err(failure) => self.after(&chat, &failure),
            };
            if let Step::After(wait) = step
                && !self.waited(wait, &bell).await
            {
                self.awake.remove(&chat);
                return;
            }
            // Looked at and left in one step, so that a wake-up in between is seen.
            if step == Step::Idle && self.awake.remove_if(&chat, |_, call| !call.woken).is_some() {
                return;
            }
            if let Some(mut call) = self.awake.get_mut(&chat) {
                call.woken = false;
            }
        }
    }

    /// Waits, or until the chat is woken; `false` when the bridge stops and the wait is not worth holding it up.
    async fn waited(&self, wait: Duration, bell: &Notify) -> bool {
        let rung = async { drop(tokio::time::timeout(wait, bell.notified()).await) };
        if wait <= SHORT_WAIT {
            rung.await;
            return true;
        }
        self.life.stop.run_until_cancelled(rung).await.is_some()
    }

    /// One step, of which a panic is an outcome like any other.
    async fn guarded(&self, chat: &ChatKey) -> Result<Step, StoreError> {
        let step = AssertUnwindSafe(self.stage.step(chat)).catch_unwind().await;
        if let Ok(step) = step {
            return step;
        }
        error!(%chat, "a step broke; what broke it is set aside when it does so again");
        self.stage.stumbled(chat).await?;
        Ok(Step::Again)
    }

    fn after(&self, chat: &ChatKey, failure: &StoreError) -> Step {
        error!(%chat, %failure, "the journal refused a chat's work; trying again");
        self.life
            .health
            .journal_failed(self.life.clock.now(), failure.to_string());
        Step::After(AFTER_FAILURE)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use model::{Identity, NumberId};

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

        async fn stumbled(&self, _: &ChatKey) -> Result<(), StoreError> {
            Ok(())
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

        async fn stumbled(&self, _: &ChatKey) -> Result<(), StoreError> {
            Ok(())
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

    /// Waits for longer than any test, until it is woken; breaks at its first look.
    #[derive(Default)]
    struct Waiting {
        looks: AtomicU32,
        stumbles: AtomicU32,
        looked: Notify,
    }

    impl Stage for Arc<Waiting> {
        async fn step(&self, _: &ChatKey) -> Result<Step, StoreError> {
            let look = self.looks.fetch_add(1, Ordering::SeqCst);
            self.looked.notify_one();
            assert!(look > 0, "the first look breaks");
            Ok(if look == 1 {
                Step::After(Duration::from_secs(3600))
            } else {
                Step::Idle
            })
        }

        async fn stumbled(&self, _: &ChatKey) -> Result<(), StoreError> {
            self.stumbles.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_lane_that_waits_has_no_permit_and_a_wake_up_ends_its_wait() {
        let (waiting, life) = (Arc::new(Waiting::default()), life());
        let lanes = Lanes::new(Arc::clone(&waiting), 1, life.clone());
        lanes.wake(chat(1));
        waiting.looked.notified().await;
        waiting.looked.notified().await;
        assert_eq!(waiting.stumbles.load(Ordering::SeqCst), 1);
        assert!(lanes.permits.acquire().await.is_ok());
        lanes.wake(chat(1));
        finished(&life).await;
        assert_eq!((waiting.looks.load(Ordering::SeqCst), lanes.busy()), (3, 0));
    }

    #[tokio::test]
    async fn a_stop_ends_a_wait() {
        let (waiting, life) = (Arc::new(Waiting::default()), life());
        let lanes = Lanes::new(Arc::clone(&waiting), 1, life.clone());
        lanes.wake(chat(1));
        waiting.looked.notified().await;
        waiting.looked.notified().await;
        life.stop.cancel();
        finished(&life).await;
        assert_eq!((waiting.looks.load(Ordering::SeqCst), lanes.busy()), (2, 0));
    }

    /// Keeps much in its future, as a turn does.
    struct Large;

    impl Stage for Large {
        async fn step(&self, _: &ChatKey) -> Result<Step, StoreError> {
            let kept = [0_u8; 16 << 10];
            tokio::task::yield_now().await;
            std::hint::black_box(kept);
            Ok(Step::Idle)
        }

        async fn stumbled(&self, _: &ChatKey) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn a_lane_that_waits_for_its_permit_takes_little_memory() {
        let lane = Lanes::new(Large, 1, life()).own(chat(1), Arc::default());
        let size = size_of_val(&lane);
        assert!(size < 1024, "{size} bytes");
    }
}
