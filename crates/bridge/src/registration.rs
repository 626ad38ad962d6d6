//! The webhook registers itself (kapso.md 5), and stays switched on (kapso.md 4.6).
//!
//! For each number: the webhooks at Kapso are listed and matched by address; the one that is there is brought up to
//! what the bridge needs, or one is made. That is looked at again every five minutes, because Kapso pauses a webhook
//! whose pushes failed and leaves it so. Nothing is ever taken away, and a webhook at another address is left alone.
//! Messages do not wait for any of this: the list has them.

mod keeper;

use kapso::platform::{EVENTS, KIND, Platform, Wanted, Webhook};
use kapso::{Error, Url};
use model::NumberId;
use secrecy::{ExposeSecret as _, SecretString};

pub use self::keeper::{Keeper, RegistrationTiming};

/// Where pushes are taken, below the public address.
const PATH: &str = "/webhook";

/// Bytes of a key that the bridge makes.
const KEY_BYTES: usize = 32;

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

/// The webhooks at `url` that push Kapso's own bodies. One that hands Meta's on is somebody's choice, and has no
/// events.
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
