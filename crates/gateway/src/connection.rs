//! The task that owns the connection: dial, serve, wait, dial again.
//!
//! The phase holds what belongs to it: a socket and its requests exist only while one is served, so nothing of a dead
//! connection can leak into the next one. [`Refusal::retry`] decides when the next attempt is made.

mod backoff;
mod serving;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use self::serving::{Serving, Step};
use crate::counters::Tally;
use crate::dialler::Dialler;
use crate::handle::{Link, Status};
use crate::handshake::Accepted;
use crate::refusal::{Refusal, Retry};

/// The owner of the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    dialler: Dialler,
    stop: CancellationToken,
    status: watch::Sender<Status>,
    link: watch::Sender<Option<Arc<Link>>>,
    tally: Arc<Tally>,
    /// What the operator was told last, so that it is not repeated with every attempt.
    told: Option<Refusal>,
    /// The gateway said that it restarts, and has not been back since.
    restarting: bool,
}

enum Phase {
    Dialling { attempt: u32 },
    Serving(Box<Serving>),
    Waiting { attempt: u32, wait: Duration },
    Closed,
}

impl Connection {
    pub(crate) fn new(
        dialler: Dialler,
        stop: CancellationToken,
        status: watch::Sender<Status>,
        link: watch::Sender<Option<Arc<Link>>>,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            dialler,
            stop,
            status,
            link,
            tally,
            told: None,
            restarting: false,
        }
    }

    /// Keeps a connection open until the stop token is cancelled.
    pub(crate) async fn run(mut self) {
        let mut phase = Phase::Dialling { attempt: 0 };
        loop {
            phase = match phase {
                Phase::Dialling { attempt } => self.dial(attempt).await,
                Phase::Serving(serving) => self.serve(serving).await,
                Phase::Waiting { attempt, wait } => self.wait(attempt, wait).await,
                Phase::Closed => break,
            };
        }
        self.link.send_replace(None);
        self.status.send_replace(Status::Closed);
        debug!("the connection to the gateway is closed");
    }

    async fn dial(&mut self, attempt: u32) -> Phase {
        let dialled = tokio::select! {
            () = self.stop.cancelled() => return Phase::Closed,
            dialled = self.dialler.dial(self.restarting) => dialled,
        };
        match dialled {
            Ok(accepted) => self.accept(accepted),
            Err(refusal) => self.refuse(refusal, attempt),
        }
    }

    fn accept(&mut self, accepted: Accepted) -> Phase {
        let hello = Arc::new(accepted.hello);
        info!(
            url = %self.dialler.url(),
            version = %hello.version,
            protocol = hello.protocol,
            scopes = %hello.scopes.join(","),
            connection = %hello.connection,
            "connected to the gateway"
        );
        (self.told, self.restarting) = (None, false);
        self.tally.connected();
        let (link, asks) = Link::new(Arc::clone(&hello));
        let serving = Serving::new(accepted.socket, asks, &hello, self.dialler.timing());
        self.link.send_replace(Some(Arc::new(link)));
        self.status.send_replace(Status::Connected(hello));
        Phase::Serving(Box::new(serving))
    }

    async fn serve(&mut self, mut serving: Box<Serving>) -> Phase {
        let refusal = loop {
            match serving.step(&self.stop, &self.tally).await {
                Step::Goes => {}
                // Results may still come on the old connection; new requests would get no answer.
                Step::Leaving(refusal) => self.withdraw(&refusal),
                Step::Over(refusal) => break Some(refusal),
                Step::Stopped => break None,
            }
        };
        self.link.send_replace(None);
        serving.end(refusal.as_ref()).await;
        match refusal {
            Some(refusal) => {
                self.restarting |= refusal.is_restart();
                self.refuse(refusal, 0)
            }
            None => Phase::Closed,
        }
    }

    fn withdraw(&mut self, refusal: &Refusal) {
        self.restarting = true;
        self.link.send_replace(None);
        self.status.send_replace(Status::Connecting {
            attempt: 0,
            last: Some(refusal.clone()),
        });
    }

    fn refuse(&mut self, refusal: Refusal, attempt: u32) -> Phase {
        self.tell(&refusal);
        let timing = self.dialler.timing();
        let soon = backoff::delay(attempt, timing.backoff_first, timing.backoff_cap);
        let (wait, refused) = match refusal.retry() {
            Retry::Soon => (soon, false),
            Retry::After(wait) => (wait, false),
            Retry::Slowly => (timing.refused, true),
        };
        let attempt = attempt.saturating_add(1);
        debug!(attempt, ?wait, %refusal, "waiting to dial again");
        self.status.send_replace(if refused {
            Status::Refused {
                refusal,
                next_try: wait,
            }
        } else {
            Status::Connecting {
                attempt,
                last: Some(refusal),
            }
        });
        Phase::Waiting { attempt, wait }
    }

    /// Logs a refusal, once for each change of its kind.
    fn tell(&mut self, refusal: &Refusal) {
        let known = self
            .told
            .as_ref()
            .is_some_and(|told| told.code == refusal.code && told.reason == refusal.reason);
        if known {
            return;
        }
        let (url, remedy) = (self.dialler.url(), refusal.remedy());
        match refusal.retry() {
            Retry::Slowly => error!(%url, %refusal, remedy, "the gateway cannot be used"),
            Retry::Soon | Retry::After(_) => {
                warn!(%url, %refusal, remedy, "no connection to the gateway");
            }
        }
        self.told = Some(refusal.clone());
    }

    async fn wait(&mut self, attempt: u32, wait: Duration) -> Phase {
        tokio::select! {
            () = self.stop.cancelled() => Phase::Closed,
            () = tokio::time::sleep(wait) => Phase::Dialling { attempt },
        }
    }
}
