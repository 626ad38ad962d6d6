//! Speech into text, by the providers that do it over HTTP: OpenAI, Groq, Deepgram.
//!
//! A [`Transcriber`] sends one sound to its provider and gives the words. What may pass is tried again within the
//! deadline: a lost connection, too many requests, a server's error; and no sooner than the provider says. The same sound
//! is sent once for as long as its words are remembered. Neither the words nor the key are ever in an error or a log line.

mod memory;
mod provider;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use reqwest::Url;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use rustls::crypto::{CryptoProvider, ring};
use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use crate::memory::Memory;
pub use crate::provider::Provider;

/// What a [`Transcriber`] is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who does it.
    pub provider: Provider,
    /// The key of the account there.
    pub api_key: SecretString,
    /// The model; that of the provider's which is meant for this, unless set.
    pub model: Option<String>,
    /// The language that is spoken, such as `es`; found out, unless set.
    pub language: Option<String>,
    /// Where the provider is; its own address, unless set.
    pub base_url: Option<Url>,
    /// For one sound, with all attempts.
    pub timeout: Duration,
    /// The first wait before another attempt; it doubles.
    pub again_after: Duration,
    /// The largest sound that is sent, in bytes.
    pub max_bytes: u64,
    /// From 0 to 1: a sound that is likelier than this to hold no speech has no words. Models make them up otherwise.
    pub no_speech_threshold: f64,
    /// How long the words of a sound are remembered.
    pub cache_ttl: Duration,
}

/// How often a sound is sent before it is given up.
const ATTEMPTS: u32 = 3;

/// The longest answer that is read, in bytes: hours of speech, with a time for each sentence.
const ANSWER_MOST: usize = 4 << 20;

/// Why no transcriber can be made.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// The program has not chosen its TLS implementation.
    #[error("no rustls crypto provider is installed in this process")]
    NoTls,
    /// The HTTP client cannot be built.
    #[error("cannot set up HTTP: {0}")]
    Http(#[source] reqwest::Error),
}

/// Why a sound has no words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is larger than allowed.
    #[error("the sound is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// Nobody speaks in it.
    #[error("nobody speaks")]
    NoSpeech,
    /// The provider said no.
    #[error("{provider} answered {status}")]
    Refused {
        /// Who.
        provider: Provider,
        /// The HTTP status.
        status: u16,
        /// The wait that it asks for.
        after: Option<Duration>,
    },
    /// No connection, or it ended early.
    #[error("{provider} was not reached: {cause}")]
    Lost {
        /// Who.
        provider: Provider,
        /// The network's account of it.
        cause: String,
    },
    /// It took too long.
    #[error("no answer within {after:?}")]
    Deadline {
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer cannot be understood.
    #[error("{provider} answered what cannot be read")]
    Unreadable {
        /// Who.
        provider: Provider,
    },
}

impl Error {
    /// Whether another attempt may succeed: the provider's reason decides, and what is only lost always may.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Lost { .. } => true,
            Self::TooLarge { .. }
            | Self::NoSpeech
            | Self::Deadline { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    /// The wait that the provider asks for.
    fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { after, .. } => *after,
            Self::Lost { .. }
            | Self::TooLarge { .. }
            | Self::NoSpeech
            | Self::Deadline { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}

/// Turns sounds into words. Cheap to clone; clones share their connections and what they remember.
#[derive(Clone)]
pub struct Transcriber {
    http: reqwest::Client,
    options: Arc<Options>,
    memory: Arc<Mutex<Memory>>,
}

impl fmt::Debug for Transcriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcriber")
            .field("provider", &self.options.provider)
            .finish_non_exhaustive()
    }
}

impl Transcriber {
    /// Nothing is dialled.
    ///
    /// # Errors
    /// [`InvalidOptions`] when HTTP cannot be set up.
    pub fn new(options: Options) -> Result<Self, InvalidOptions> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kapso-whatsapp/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none());
        let clear = options
            .base_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "http");
        let builder = match CryptoProvider::get_default() {
            Some(_) => builder,
            // A stand-in on this machine.
            None if clear => builder.no_proxy().tls_backend_preconfigured(no_tls()?),
            None => return Err(InvalidOptions::NoTls),
        };
        Ok(Self {
            http: builder.build().map_err(InvalidOptions::Http)?,
            memory: Arc::new(Mutex::new(Memory::new(options.cache_ttl))),
            options: Arc::new(options),
        })
    }

    /// The words of a sound of type `mime`.
    ///
    /// # Errors
    /// [`Error`], when all attempts failed or none would help.
    pub async fn words(&self, sound: Vec<u8>, mime: &str) -> Result<String, Error> {
        let limit = self.options.max_bytes;
        if sound.len() as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        let hash = memory::hash(&sound);
        if let Some(words) = self.memory().get(hash, Instant::now()) {
            return Ok(words);
        }
        let after = self.options.timeout;
        let words = match timeout(after, self.insist(&sound, mime)).await {
            Ok(ended) => ended?,
            Err(_elapsed) => return Err(Error::Deadline { after }),
        };
        self.memory().put(hash, &words, Instant::now());
        Ok(words)
    }

    async fn insist(&self, sound: &[u8], mime: &str) -> Result<String, Error> {
        let mut wait = self.options.again_after;
        for _ in 1..ATTEMPTS {
            match self.attempt(sound, mime).await {
                Err(error) if error.may_pass() => {
                    debug!(%error, "a sound is sent again");
                    sleep(error.asked_wait().unwrap_or(wait)).await;
                }
                ended @ (Ok(_) | Err(_)) => return ended,
            }
            wait *= 2;
        }
        self.attempt(sound, mime).await
    }

    async fn attempt(&self, sound: &[u8], mime: &str) -> Result<String, Error> {
        let provider = self.options.provider;
        let lost = |error: reqwest::Error| Error::Lost {
            provider,
            cause: root_cause(error),
        };
        let request = provider.request(&self.http, &self.options, sound, mime);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER);
            let seconds = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
            return Err(Error::Refused {
                provider,
                status: status.as_u16(),
                after: seconds.map(Duration::from_secs),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > ANSWER_MOST {
                return Err(Error::Unreadable { provider });
            }
            body.extend_from_slice(&chunk);
        }
        provider.words(&body, self.options.no_speech_threshold)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The innermost reason, without the address.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A TLS configuration that trusts nobody, for a client that speaks plain HTTP.
fn no_tls() -> Result<rustls::ClientConfig, InvalidOptions> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let Ok(config) = builder.with_safe_default_protocol_versions() else {
        return Err(InvalidOptions::NoTls);
    };
    Ok(config
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}
