//! The connections that are open, and what is put before them. The lock never leaves this file.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Frames that wait for one connection. A client that lets so many pile up is cut off, as the gateway does when
/// its buffer of 50 MiB is full.
const OUTBOX: usize = 65_536;

/// Events kept for a slow onlooker; one that lags further behind loses the oldest.
const ONLOOKER: usize = 1024;

/// What a connection is told to write.
#[derive(Debug, Clone)]
pub(super) enum Out {
    /// An event head (see `frame::event`); the connection numbers it.
    Event(Arc<str>),
    /// A whole frame.
    Frame(String),
    /// A close frame, after everything before it.
    Close(u16, &'static str),
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Clients {
    open: Mutex<HashMap<u64, Client>>,
    next: AtomicU64,
    connected: watch::Sender<usize>,
    told: broadcast::Sender<Arc<str>>,
}

#[derive(Debug)]
struct Client {
    outbox: mpsc::Sender<Out>,
    cut: CancellationToken,
    accepted: bool,
}

/// A connection's own end.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) id: u64,
    pub(super) outbox: mpsc::Receiver<Out>,
    /// Cancelled: go away without a close frame.
    pub(super) cut: CancellationToken,
}

impl Clients {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::new(HashMap::new()),
            next: AtomicU64::new(0),
            connected: watch::Sender::new(0),
            told: broadcast::Sender::new(ONLOOKER),
        }
    }

    /// Takes a new connection in; `stop` cuts it, too.
    pub(super) fn enter(&self, stop: &CancellationToken) -> Seat {
        let (sender, outbox) = mpsc::channel(OUTBOX);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let cut = stop.child_token();
        let client = Client {
            outbox: sender,
            cut: cut.clone(),
            accepted: false,
        };
        self.lock().insert(id, client);
        Seat { id, outbox, cut }
    }

    /// From now on the connection gets events.
    pub(super) fn accept(&self, id: u64) {
        let mut open = self.lock();
        if let Some(client) = open.get_mut(&id) {
            client.accepted = true;
        }
        self.count(&open);
    }

    /// The connection is over.
    pub(super) fn leave(&self, id: u64) {
        let mut open = self.lock();
        open.remove(&id);
        self.count(&open);
    }

    /// Puts something before one connection, if it is still there.
    pub(super) fn send(&self, id: u64, out: Out) {
        if let Some(client) = self.lock().get(&id) {
            client.put(out);
        }
    }

    /// Puts an event before every accepted connection.
    pub(super) fn tell(&self, event: String) {
        let event: Arc<str> = event.into();
        self.everybody(&Out::Event(Arc::clone(&event)));
        // An error means only that nobody looks on.
        let _ = self.told.send(event);
    }

    /// Every event from now on, whoever is connected: heads (see `frame::event`), not numbered.
    pub(super) fn told(&self) -> broadcast::Receiver<Arc<str>> {
        self.told.subscribe()
    }

    /// Puts something before every accepted connection.
    pub(super) fn everybody(&self, out: &Out) {
        for client in self.lock().values().filter(|client| client.accepted) {
            client.put(out.clone());
        }
    }

    /// Cuts one connection.
    pub(super) fn cut(&self, id: u64) {
        if let Some(client) = self.lock().get(&id) {
            client.cut.cancel();
        }
    }

    /// Cuts every connection, without a close frame.
    pub(super) fn cut_all(&self) {
        for client in self.lock().values() {
            client.cut.cancel();
        }
    }

    /// How many connections are accepted, as it changes.
    pub(super) fn connected(&self) -> watch::Receiver<usize> {
        self.connected.subscribe()
    }

    fn count(&self, open: &HashMap<u64, Client>) {
        let accepted = open.values().filter(|client| client.accepted).count();
        self.connected.send_replace(accepted);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Client>> {
        // Nothing is done under the lock that could leave it half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn put(&self, out: Out) {
        if self.outbox.try_send(out).is_err() {
            self.cut.cancel();
        }
    }
}
