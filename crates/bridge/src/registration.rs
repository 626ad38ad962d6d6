//! The webhook registers itself (kapso.md 5), and stays switched on (kapso.md 4.6).
//!
//! For each number: the webhooks at Kapso are listed and matched by address; the one that is there is brought up to what the
//! bridge needs, or one is made. That is looked at again every five minutes, because Kapso pauses a webhook whose pushes failed
//! and leaves it so. Nothing is ever taken away, and a webhook at another address is left alone. Messages do not wait for any of
//! this: the list has them.

use std::future::pending;
use std::time::Duration;

use kapso::platform::{EVENTS, KIND, Platform, Wanted, Webhook};
use kapso::{Class, Error, Url};
use model::{Clock, NumberId};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::health::Health;

/// Where pushes are taken, below the public address.
const PATH: &str = "/webhook";

/// Bytes of a key that the bridge makes.
const KEY_BYTES: usize = 32;

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

/// A number whose webhook is registered.
#[derive(Debug, Clone)]
pub struct Registrant {
    /// Meta's id of it.
    pub number: NumberId,
    /// What the operator calls it.
    pub name: String,
    /// The key of its signatures; none leaves the one that Kapso has.
    pub secret: Option<SecretString>,
}

/// What was done for one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The webhook was as it should be.
    Kept,
    /// There was none at this address.
    Made,
    /// Something of it was changed.
    Changed,
    /// It was switched off, and was switched on.
    SwitchedOn,
}

/// A webhook that is as it should be.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Kapso's id of it.
    pub id: String,
    /// What was done for that.
    pub done: Done,
    /// Other webhooks of the number at the same address: each message comes once more by each of them.
    pub twins: Vec<String>,
}

/// Why a webhook is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unregistered {
    /// Kapso did not answer, or refused.
    #[error(transparent)]
    Kapso(#[from] Error),
    /// A new webhook needs a key, and none is known.
    #[error("no webhook is registered at this address, and without its key none can be made")]
    NoKey,
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

/// Where Kapso has to push, when the bridge is reached at `public`.
pub fn webhook_url(public: &Url) -> Url {
    let mut url = public.clone();
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix(PATH).unwrap_or(path);
    let path = format!("{path}{PATH}");
    url.set_path(&path);
    url
}

/// A new key for a webhook's signatures, in hexadecimal.
///
/// # Errors
/// When the system has no random numbers.
pub fn fresh_key() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes).into())
}

/// Brings the webhook of a number at `url` up to what the bridge needs, or makes it.
///
/// # Errors
/// [`Unregistered`]; it may be repeated.
pub async fn register(
    platform: &Platform,
    of: &Registrant,
    url: &Url,
) -> Result<Registered, Unregistered> {
    let url = url.as_str();
    let mut ours = at(platform.webhooks(&of.number).await?, url);
    let secret = of.secret.as_ref();
    // An active one first: it is the one that pushes.
    ours.sort_by_key(|webhook| !webhook.active);
    let mut ours = ours.into_iter();
    let Some(found) = ours.next() else {
        let wanted = Wanted {
            url,
            events: EVENTS.map(str::to_owned).to_vec(),
            secret: Some(secret.ok_or(Unregistered::NoKey)?),
        };
        let made = platform.create(&of.number, &wanted).await?;
        return Ok(Registered {
            id: made.id,
            done: Done::Made,
            twins: Vec::new(),
        });
    };
    let done = if !found.active {
        Done::SwitchedOn
    } else if !found.serves() || !has_key(&found, secret) {
        Done::Changed
    } else {
        Done::Kept
    };
    if done != Done::Kept {
        let wanted = Wanted {
            url,
            events: found.events_with_ours(),
            secret,
        };
        platform.update(&of.number, &found.id, &wanted).await?;
    }
    Ok(Registered {
        id: found.id,
        done,
        twins: ours.map(|twin| twin.id).collect(),
    })
}

/// The webhooks at `url` that push Kapso's own bodies. One that hands Meta's on is somebody's choice, and has no events.
pub fn at(webhooks: Vec<Webhook>, url: &str) -> Vec<Webhook> {
    let ours = |webhook: &Webhook| webhook.kind == KIND && same(&webhook.url, url);
    webhooks.into_iter().filter(ours).collect()
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Whether Kapso signs with `secret`, as far as it tells.
fn has_key(webhook: &Webhook, secret: Option<&SecretString>) -> bool {
    match (secret, &webhook.secret) {
        (None, _) => true,
        (Some(wanted), Some(has)) => wanted.expose_secret() == has.expose_secret(),
        (Some(_), None) => false,
    }
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
                pending().await
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
            Done::Made => info!(number = %name, %url, webhook = %id, "registered the webhook at Kapso"),
            Done::Changed => info!(number = %name, %url, webhook = %id, "brought the webhook at Kapso up to date"),
            Done::SwitchedOn => error!(
                number = %name, %url, webhook = %id,
                "the webhook was switched off at Kapso, as it does when most pushes fail; switched it on again. What was not \
                 pushed is read from the list"
            ),
        }
        let first = self.health.registered(&of.number, (now, url.as_str(), id), *done == Done::SwitchedOn);
        if first && !twins.is_empty() {
            warn!(
                number = %name, %url, ?twins,
                "further webhooks push to the same address: every message comes more than once, and is answered once. Remove \
                 them with kapso-whatsapp-cli webhook remove --id"
            );
        }
    }

    /// Says what is wrong, once for as long as it stays the same; when to look again.
    fn complain(&self, of: &Registrant, failure: &Unregistered) -> Next {
        let told = failure.to_string();
        let is_new = self.health.not_registered(&of.number, self.clock.now(), &told);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_is_below_the_public_address_however_it_is_written() {
        for (public, webhook) in [
            ("https://wa.example", "https://wa.example/webhook"),
            ("https://wa.example/", "https://wa.example/webhook"),
            ("https://wa.example/a/", "https://wa.example/a/webhook"),
            ("https://wa.example/webhook/", "https://wa.example/webhook"),
        ] {
            assert_eq!(webhook_url(&public.parse().unwrap()).as_str(), webhook);
        }
    }

    #[test]
    fn a_key_is_long_and_its_own() {
        let [one, other] = [fresh_key().unwrap(), fresh_key().unwrap()];
        assert_eq!(one.expose_secret().len(), 64);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
