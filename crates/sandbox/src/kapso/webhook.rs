//! Webhook deliveries as Kapso and Meta make them: signed, in order within a conversation, retried, then given up.
//!
//! Notices wait in one bounded queue; the dispatcher turns each into a parcel of its own, or collects them when
//! buffering is on. Parcels of messages received and sent go out one after the other per conversation, unless one
//! is stuck for too long; other events have no order (kapso.md 4.6).

mod courier;
mod envelope;
mod parcel;
mod target;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use model::MessageId;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fault::{DeliveryFault, Faults};
use super::ledger::Ledger;
use courier::Courier;
use parcel::Parcel;

pub use target::{Buffering, Envelope, Signature, WebhookTarget, WebhookTiming};

/// Notices that wait for the dispatcher; when it is full the newest is lost, as a delivery can be.
const QUEUE_CAPACITY: usize = 16_384;
/// Parcels under way at once; the queue waits while there are more.
const PARCELS_AT_ONCE: usize = 1024;
/// The lane of Meta's batches, which hold messages of several conversations.
const ALL_CONVERSATIONS: usize = usize::MAX;

/// One event of one conversation.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) event: &'static str,
    /// The conversation's place in the ledger.
    pub(super) conversation: usize,
    pub(super) conversation_id: String,
    pub(super) message: MessageId,
    pub(super) body: Value,
}

impl Notice {
    fn is_received(&self) -> bool {
        self.event == "whatsapp.message.received"
    }

    fn is_ordered(&self) -> bool {
        self.is_received() || self.event == "whatsapp.message.sent"
    }
}

/// The way into the queue.
#[derive(Debug, Clone)]
pub(super) struct Announcer {
    queue: mpsc::Sender<Open>,
    open: watch::Sender<usize>,
}

impl Announcer {
    pub(super) fn announce(&self, notice: Notice) {
        let open = Open::new(notice, &self.open);
        if let Err(mpsc::error::TrySendError::Full(Open { notice, .. })) = self.queue.try_send(open)
        {
            tracing::warn!(event = notice.event, message = %notice.message, "webhook notice lost: the queue is full");
        }
    }

    /// How many notices have neither been handed over nor given up.
    pub(super) fn open(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }
}

/// A notice that is counted until it is handed over or given up.
#[derive(Debug)]
struct Open {
    notice: Notice,
    counted: Counted,
}

/// One in a count, for as long as it is kept.
#[derive(Debug)]
struct Counted(watch::Sender<usize>);

impl Open {
    fn new(notice: Notice, count: &watch::Sender<usize>) -> Self {
        count.send_modify(|open| *open += 1);
        Self {
            notice,
            counted: Counted(count.clone()),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// The queue's other end, before the dispatcher runs.
pub(super) struct Dispatcher {
    target: WebhookTarget,
    address: courier::Address,
    queue: mpsc::Receiver<Open>,
}

impl Dispatcher {
    /// Checks the target and resolves its host.
    pub(super) async fn new(target: WebhookTarget) -> io::Result<(Announcer, Self)> {
        let address = courier::Address::resolve(&target.url).await?;
        let (sender, queue) = mpsc::channel(QUEUE_CAPACITY);
        let dispatcher = Self {
            target,
            address,
            queue,
        };
        let announcer = Announcer {
            queue: sender,
            open: watch::Sender::new(0),
        };
        Ok((announcer, dispatcher))
    }

    pub(super) async fn run(
        self,
        ledger: Arc<Ledger>,
        faults: Arc<Faults>,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) {
        let Self {
            target,
            address,
            mut queue,
        } = self;
        let mut round = Round {
            courier: Arc::new(Courier {
                target,
                address,
                faults,
                ledger,
            }),
            stop: stop.clone(),
            tracker,
            under_way: Arc::new(Semaphore::new(PARCELS_AT_ONCE)),
            last: HashMap::new(),
            batches: HashMap::new(),
            sequence: 0,
        };
        loop {
            let due = round.next_due();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => round.send_due().await,
                notice = queue.recv() => match notice {
                    Some(notice) => round.take(notice).await,
                    None => return,
                },
            }
        }
    }
}

struct Round {
    courier: Arc<Courier>,
    stop: CancellationToken,
    tracker: TaskTracker,
    under_way: Arc<Semaphore>,
    /// Per conversation: resolves when its last ordered parcel is done with.
    last: HashMap<usize, oneshot::Receiver<()>>,
    batches: HashMap<usize, Batch>,
    sequence: u64,
}

struct Batch {
    due: Instant,
    first_sequence: u64,
    notices: Vec<Open>,
}

impl Round {
    fn next_due(&self) -> Option<Instant> {
        self.batches.values().map(|batch| batch.due).min()
    }

    async fn send_due(&mut self) {
        let now = Instant::now();
        let due = |batch: &Batch| batch.due <= now;
        let ready: Vec<usize> = self
            .batches
            .iter()
            .filter(|(_, batch)| due(batch))
            .map(|(conversation, _)| *conversation)
            .collect();
        for conversation in ready {
            self.send_batch(conversation).await;
        }
    }

    async fn take(&mut self, open: Open) {
        let notice = &open.notice;
        if !self.courier.wants(notice.event) {
            return;
        }
        self.sequence += 1;
        let Some(buffering) = self.courier.buffering().filter(|_| notice.is_received()) else {
            let conversation = notice.is_ordered().then_some(notice.conversation);
            let parcel = self.courier.single(open.notice);
            let counted = vec![open.counted];
            return self.dispatch(conversation, parcel, counted).await;
        };
        let conversation = match self.courier.target.envelope {
            Envelope::KapsoV2 | Envelope::KapsoV1 => notice.conversation,
            Envelope::Meta => ALL_CONVERSATIONS,
        };
        let batch = self.batches.entry(conversation).or_insert_with(|| Batch {
            due: Instant::now() + buffering.window,
            first_sequence: self.sequence,
            notices: Vec::new(),
        });
        batch.notices.push(open);
        if batch.notices.len() >= buffering.size {
            self.send_batch(conversation).await;
        }
    }

    async fn send_batch(&mut self, conversation: usize) {
        let batch = self.batches.remove(&conversation);
        if let (Some(batch), Some(buffering)) = (batch, self.courier.buffering()) {
            let (notices, counted) = batch
                .notices
                .into_iter()
                .map(|open| (open.notice, open.counted))
                .unzip();
            let parcel = self
                .courier
                .batch(notices, buffering.window, batch.first_sequence);
            self.dispatch(Some(conversation), parcel, counted).await;
        }
    }

    /// Sends a parcel on its way; after the last one of `conversation` where one is named.
    async fn dispatch(
        &mut self,
        conversation: Option<usize>,
        parcel: Parcel,
        counted: Vec<Counted>,
    ) {
        let Ok(permit) = Arc::clone(&self.under_way).acquire_owned().await else {
            return;
        };
        let (done, finished) = oneshot::channel();
        let before = conversation.and_then(|conversation| self.last.insert(conversation, finished));
        let courier = Arc::clone(&self.courier);
        let stop = self.stop.clone();
        let trouble = courier.trouble(&parcel);
        // Who is overtaken holds nobody up.
        let done = (!matches!(trouble, DeliveryFault::Overtaken(_))).then_some(done);
        self.tracker.spawn(async move {
            let errand = async {
                if let Some(before) = before {
                    // Ended or overtaken, it is this parcel's turn.
                    let _ = timeout(courier.overtake(), before).await;
                }
                courier.deliver(parcel, trouble).await;
            };
            stop.run_until_cancelled(errand).await;
            drop((done, permit, counted));
        });
    }
}
