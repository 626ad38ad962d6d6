//! The client: checked options, one connection pool, and the one place where a request is made and its answer read.

mod body;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Clock, NumberId};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Url};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use tracing::debug;

use crate::error::{Call, Error, Refusal, answered_at, retry_after};
use crate::lag::Lag;
use crate::quota::{Meter, Quota, Told};

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kapso's proxy of the Cloud API, version included: `https://api.kapso.ai/meta/whatsapp/v24.0`.
    pub base_url: Url,
    /// The project's API key.
    pub api_key: SecretString,
    /// The business number to read and to send from.
    pub number: NumberId,
    /// How long a request may take.
    pub deadlines: Deadlines,
}

/// How long a request may take, from dialling to the last byte of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until a connection stands, TLS included. Part of the others.
    pub connect: Duration,
    /// Reading the list, marking read, managing webhooks.
    pub read: Duration,
    /// Sending a message: longer, because giving up leaves its outcome unknown.
    pub send: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            send: Duration::from_secs(30),
        }
    }
}

/// Why no client can be made of some [`Options`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// The key cannot be a header.
    #[error("the API key is empty or has a character that no key has, such as a line break")]
    Key,
    /// Not a URL to which a path can be added.
    #[error("the base URL must be http(s)://host/path, without user name, query or fragment")]
    BaseUrl,
    /// The key would travel unencrypted.
    #[error("the base URL must start with https://, because the API key travels to {host}")]
    NotEncrypted {
        /// The host of the URL.
        host: String,
    },
    /// The program has not chosen its TLS implementation.
    #[error("no rustls crypto provider is installed in this process")]
    NoTls,
    /// The HTTP client cannot be built.
    #[error("cannot set up HTTP: {0}")]
    Http(#[source] reqwest::Error),
}

/// How long an idle connection is kept: less than proxies usually do, so that a request seldom meets one that is
/// just being closed.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(50);

/// Speaks to Kapso for one business number. Cheap to clone; clones share their connections and their count of
/// requests.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    /// `{base}/{number}/messages`, the one address of this API.
    pub(crate) messages: Arc<Url>,
    base: Arc<Url>,
    /// Marked sensitive: neither `Debug` nor the HTTP library's logs show it.
    key: HeaderValue,
    number: NumberId,
    deadlines: Deadlines,
    pub(crate) clock: Clock,
    meter: Arc<Mutex<Meter>>,
    lag: Arc<Mutex<Lag>>,
}

impl Client {
    /// Checks the options. Nothing is dialled.
    ///
    /// # Errors
    /// [`InvalidOptions`] says which option is wrong.
    pub fn new(options: Options) -> Result<Self, InvalidOptions> {
        let Options {
            base_url,
            api_key,
            number,
            deadlines,
        } = options;
        let http = http_client(&base_url, deadlines.connect)?;
        Ok(Self {
            http,
            messages: Arc::new(messages_url(base_url.clone(), &number)?),
            base: Arc::new(base_url),
            key: key_header(&api_key)?,
            number,
            deadlines,
            clock: Clock::system(),
            meter: Arc::new(Mutex::new(Meter::new(Instant::now()))),
            lag: Arc::default(),
        })
    }

    /// This client, with another source of "now": it dates items that carry no believable time.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// A client for another number of the same account. It shares this one's connections and its count of requests,
    /// because Kapso's limit is the key's and not the number's (kapso.md 1.5).
    ///
    /// # Errors
    /// [`InvalidOptions`] when no address can be made of the number.
    pub fn for_number(&self, number: NumberId) -> Result<Self, InvalidOptions> {
        Ok(Self {
            messages: Arc::new(messages_url((*self.base).clone(), &number)?),
            number,
            // How far Kapso's clock was behind since the list was last read is to be known for each list by itself.
            lag: Arc::default(),
            ..self.clone()
        })
    }

    /// A client for another address of the same account, with connections of its own. The count of requests is shared.
    pub(crate) fn for_base(&self, base: &Url) -> Result<Self, InvalidOptions> {
        Ok(Self {
            http: http_client(base, self.deadlines.connect)?,
            lag: Arc::default(),
            ..self.clone()
        })
    }

    /// The business number that this client speaks for.
    pub fn number(&self) -> &NumberId {
        &self.number
    }

    /// How long until a request of this kind may go without using up more than its share of the plan's requests per
    /// minute; none when it may go now, or when Kapso has not told the limit yet. Marking read may use 60 % of it,
    /// listing 90 %, sending 98 %, so that the more important always has room (kapso.md 1.5).
    ///
    /// The client never waits by itself. Ask again after the wait: others may have been quicker.
    #[must_use]
    pub fn wait_for(&self, call: Call) -> Option<Duration> {
        self.meter().wait_for(call, Instant::now())
    }

    /// The plan's requests per minute and how many are left; none until an answer of Kapso's has told the limit.
    pub fn quota(&self) -> Option<Quota> {
        self.meter().quota(Instant::now())
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `{base}/{id}`; none for an id that would be another path.
    pub(crate) fn media_url(&self, id: &str) -> Option<Url> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = !id.is_empty() && id.bytes().all(plain) && !id.bytes().all(|b| b == b'.');
        let mut url = (*self.base).clone();
        if !fits {
            return None;
        }
        url.path_segments_mut().ok()?.pop_if_empty().push(id);
        Some(url)
    }

    /// What is known of Kapso's clock.
    pub(crate) fn lag(&self) -> MutexGuard<'_, Lag> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a request and reads its answer, both within the deadline of `call`. `hidden` is what the error of a
    /// refusal must not repeat: the text that was sent.
    pub(crate) async fn exchange(
        &self,
        call: Call,
        request: RequestBuilder,
        hidden: &str,
    ) -> Result<Answer, Error> {
        let deadline = match call {
            Call::List | Call::Mark | Call::Media | Call::Webhook => self.deadlines.read,
            Call::Send => self.deadlines.send,
        };
        let lost = |error: reqwest::Error| Error::of_transport(call, deadline, error);
        let request = request
            .header("X-API-Key", self.key.clone())
            .timeout(deadline);
        self.meter().count(Instant::now());
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        self.meter().learn(Told::read(&headers), Instant::now());
        self.lag().learn(answered_at(&headers), self.clock.now());
        if status.is_success() {
            let body = body::whole(&mut response).await.map_err(lost)?;
            let body = body.ok_or_else(|| Error::Unreadable {
                call,
                what: format!("it is larger than {} bytes", body::MOST),
            })?;
            return Ok(Answer { headers, body });
        }
        let wait = retry_after(&headers, self.clock.now());
        let body = body::start(&mut response).await;
        let key = self.key.to_str().unwrap_or_default();
        let refusal = Refusal::new(call, status.as_u16(), wait, &body, &[key, hidden]);
        debug!(%call, status = status.as_u16(), body = refusal.body(), "refused by Kapso");
        if let Some(wait) = refusal.closes_for() {
            self.meter().close(wait, Instant::now());
        }
        Err(Error::Refused(Box::new(refusal)))
    }
}

/// The answer to a request that was not refused.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

fn key_header(key: &SecretString) -> Result<HeaderValue, InvalidOptions> {
    let text = key.expose_secret();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(InvalidOptions::Key);
    }
    let Ok(mut header) = HeaderValue::from_str(text) else {
        return Err(InvalidOptions::Key);
    };
    header.set_sensitive(true);
    Ok(header)
}

fn messages_url(base: Url, number: &NumberId) -> Result<Url, InvalidOptions> {
    below(base, &[number.as_str(), "messages"])
}

/// The address of `path` below `base`, each part of it encoded.
pub(crate) fn below(mut base: Url, parts: &[&str]) -> Result<Url, InvalidOptions> {
    let bare = base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    match base.path_segments_mut() {
        Ok(mut path) if bare => {
            path.pop_if_empty().extend(parts);
        }
        Ok(_) | Err(()) => return Err(InvalidOptions::BaseUrl),
    }
    Ok(base)
}

fn http_client(base: &Url, connect: Duration) -> Result<reqwest::Client, InvalidOptions> {
    let host = base.host_str().ok_or(InvalidOptions::BaseUrl)?;
    let builder = reqwest::Client::builder()
        .user_agent(concat!("kapso-whatsapp/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(connect)
        .pool_idle_timeout(POOL_IDLE);
    let builder = match base.scheme() {
        "https" if CryptoProvider::get_default().is_none() => return Err(InvalidOptions::NoTls),
        "https" => builder.https_only(true),
        // A proxy from the environment would carry the key of a local stand-in off this machine.
        "http" if is_loopback(host) => builder.no_proxy().tls_backend_preconfigured(no_tls()?),
        "http" => {
            let host = host.to_owned();
            return Err(InvalidOptions::NotEncrypted { host });
        }
        _ => return Err(InvalidOptions::BaseUrl),
    };
    builder.build().map_err(InvalidOptions::Http)
}

/// A TLS configuration that trusts nobody, for a client that speaks plain HTTP: the HTTP library wants one, and its
/// own would read the system's certificates.
pub(crate) fn no_tls() -> Result<rustls::ClientConfig, InvalidOptions> {
    let provider = Arc::new(ring::default_provider());
    let Ok(config) =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    else {
        return Err(InvalidOptions::NoTls);
    };
    Ok(config
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(base_url: &str, key: &str) -> Options {
        Options {
            base_url: base_url.parse().unwrap(),
            api_key: key.into(),
            number: NumberId::new("597907523413541").unwrap(),
            deadlines: Deadlines::default(),
        }
    }

    fn client(base_url: &str, key: &str) -> Result<Client, InvalidOptions> {
        Client::new(options(base_url, key))
    }

    #[test]
    fn the_address_is_below_the_base_with_or_without_a_slash() {
        for base in ["http://127.0.0.1:9/v24.0", "http://127.0.0.1:9/v24.0/"] {
            let client = client(base, "k").unwrap();
            assert_eq!(
                client.messages.as_str(),
                "http://127.0.0.1:9/v24.0/597907523413541/messages"
            );
        }
    }

    #[test]
    fn clients_of_several_numbers_have_their_own_address_and_one_count_of_requests() {
        let one = client("http://127.0.0.1:9/v24.0", "k").unwrap();
        let other = one.for_number(NumberId::new("222").unwrap()).unwrap();
        assert_eq!(
            other.messages.as_str(),
            "http://127.0.0.1:9/v24.0/222/messages"
        );
        assert_eq!(other.number().as_str(), "222");
        assert_eq!(one.number().as_str(), "597907523413541");
        one.meter().close(Duration::from_secs(60), Instant::now());
        assert!(other.wait_for(Call::Send).is_some());
    }

    #[test]
    fn the_key_travels_encrypted_or_not_at_all() {
        for base in [
            "http://api.kapso.ai/v24.0",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
        ] {
            let refused = client(base, "k");
            assert!(
                matches!(refused, Err(InvalidOptions::NotEncrypted { .. })),
                "{base}"
            );
        }
        for base in [
            "http://localhost:1/",
            "http://[::1]:1/",
            "http://127.9.9.9/",
        ] {
            assert!(client(base, "k").is_ok(), "{base}");
        }
    }

    #[test]
    fn a_url_with_more_than_a_path_is_refused() {
        for base in [
            "http://user@localhost/",
            "http://localhost/?a=b",
            "http://localhost/#x",
            "ftp://localhost/",
            "mailto:a@example.com",
        ] {
            let refused = client(base, "k");
            assert!(matches!(refused, Err(InvalidOptions::BaseUrl)), "{base}");
        }
    }

    #[test]
    fn a_key_that_would_break_the_header_is_refused_and_a_good_one_is_not_shown() {
        for key in ["", "a b", "a\r\nX-Other: 1", "ключ"] {
            let refused = client("http://localhost/", key);
            assert!(matches!(refused, Err(InvalidOptions::Key)), "{key:?}");
        }
        let client = client("http://localhost/", "very-secret").unwrap();
        assert!(!format!("{client:?}").contains("very-secret"));
    }
}
