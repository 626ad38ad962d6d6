//! Looks at the webhooks again and again, and tells what it found.

use std::future::pending;
use std::time::Duration;

use kapso::platform::Platform;
use kapso::{Class, Url};
use model::Clock;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Done, Registered, Registrant, Unregistered, register, webhook_url};
use crate::health::Health;

/// How often the webhooks are looked at.
#[derive(Debug, Clone)]
pub struct RegistrationTiming {
    /// While they are as they should be, or only the operator can mend it.
    pub every: Duration,
    /// After the first look that failed; doubled after each further one, up to `every`.
    pub retry: Duration,
}

impl Default for RegistrationTiming {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(300),
            retry: Duration::from_secs(5),
        }
    }
}

/// Keeps the webhooks of all numbers registered.
#[derive(Debug)]
pub struct Keeper {
    /// Kapso's platform API.
    pub platform: Platform,
    /// Whose webhooks.
    pub registrants: Vec<Registrant>,
    /// Where the bridge is reached from outside, as soon as that is known.
    pub address: watch::Receiver<Option<Url>>,
    /// Where it reports.
    pub health: Health,
    /// The wall clock.
    pub clock: Clock,
    /// How often it looks.
    pub timing: RegistrationTiming,
}

impl Keeper {
    /// Registers as soon as the address is known, again when it changes, and looks again and again, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        for of in &self.registrants {
            self.health.registers(&of.number);
        }
        stop.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&mut self) {
        let mut retry = self.timing.retry;
        loop {
            let address = self.address.borrow_and_update().clone();
            let wait = match address {
                None => None,
                Some(address) => match self.look(&webhook_url(&address)).await {
                    Next::Later => {
                        retry = self.timing.retry;
                        Some(self.timing.every)
                    }
                    Next::Soon(asked) => {
                        let wait = asked.unwrap_or(retry).max(retry).min(self.timing.every);
                        retry = (retry * 2).min(self.timing.every);
                        Some(wait)
                    }
                },
            };
            self.wait(wait).await;
        }
    }

    /// Waits for another address, or for `most`. Where nobody tells the address any more, it stays as it is.
    async fn wait(&mut self, most: Option<Duration>) {
        let time = async {
            match most {
                Some(most) => sleep(most).await,
                None => pending().await,
            }
        };
        let changed = async {
            if self.address.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = time => {}
            () = changed => {}
        }
    }

    /// One look at all numbers.
    async fn look(&self, url: &Url) -> Next {
        let mut next = Next::Later;
        for of in &self.registrants {
            match register(&self.platform, of, url).await {
                Ok(registered) => self.note(of, url, &registered),
                Err(failure) => next = next.sooner(self.complain(of, &failure)),
            }
        }
        next
    }

    fn note(&self, of: &Registrant, url: &Url, registered: &Registered) {
        let Registered { id, done, twins } = registered;
        let (name, now) = (&of.name, self.clock.now());
        match done {
            Done::Kept => {}
            Done::Made => {
                info!(number = %name, %url, webhook = %id, "registered the webhook at Kapso");
            }
            Done::Changed => {
                info!(number = %name, %url, webhook = %id, "brought the webhook at Kapso up to date");
            }
            Done::SwitchedOn => error!(
                number = %name, %url, webhook = %id,
                "the webhook was switched off at Kapso, as it does when most pushes fail; switched it on again. What \
                 was not pushed is read from the list"
            ),
        }
        let first = self.health.registered(
            &of.number,
            (now, url.as_str(), id),
            *done == Done::SwitchedOn,
        );
        if first && !twins.is_empty() {
            warn!(
                number = %name, %url, ?twins,
                "further webhooks push to the same address: every message comes more than once, and is answered once. \
                 Remove them with kapso-whatsapp-cli webhook remove --id"
            );
        }
    }

    /// Says what is wrong, once for as long as it stays the same; when to look again.
    fn complain(&self, of: &Registrant, failure: &Unregistered) -> Next {
        let told = failure.to_string();
        let is_new = self
            .health
            .not_registered(&of.number, self.clock.now(), &told);
        let (next, advice) = match failure {
            Unregistered::NoKey => (Next::Later, "set webhook.secret"),
            Unregistered::Kapso(error) => match error.class() {
                Class::Operator => (
                    Next::Later,
                    "the key or the number needs attention: kapso-whatsapp-cli doctor",
                ),
                Class::Permanent | Class::WindowClosed => (
                    Next::Later,
                    "Kapso will not take this webhook: its address has to be public https",
                ),
                Class::RetryAfter(wait) => (Next::Soon(Some(wait)), "trying again"),
                Class::Retryable | Class::Unknown => (Next::Soon(None), "trying again"),
            },
        };
        if is_new {
            error!(number = %of.name, failure = %told, "the webhook is not registered at Kapso: {advice}");
        }
        next
    }
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// At the usual time.
    Later,
    /// Earlier; after this wait, where Kapso named one.
    Soon(Option<Duration>),
}

impl Next {
    fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Soon(one), Self::Soon(two)) => Self::Soon(one.max(two)),
            (Self::Soon(wait), Self::Later) | (Self::Later, Self::Soon(wait)) => Self::Soon(wait),
            (Self::Later, Self::Later) => Self::Later,
        }
    }
}
