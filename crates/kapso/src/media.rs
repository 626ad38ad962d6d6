//! Files that people sent: fetched from the allowed hosts only, streamed, and never more of them than is allowed.
//!
//! The address that came with the message is tried first; where it is late or gone, `GET /{media_id}` gives a fresh one
//! (kapso.md 2.13). The API key goes to the base URL alone: files need none. An address is a bearer secret, so no error
//! and no log line has more of it than its host.

mod address;
mod download;
mod sniff;

use std::io;
use std::time::Duration;

use model::{HostPattern, Media, MediaKind};
use reqwest::Url;
use serde::Deserialize;
use tokio::io::AsyncWrite;
use tracing::debug;

pub use self::address::Names;
pub use self::download::{Downloads, MOST_REDIRECTS};
pub use self::sniff::{Downloaded, sniffed};
use crate::client::Client;
use crate::error::{Call, Class, Error};

/// Where files may come from, how large they may be and how long they may take.
#[derive(Debug, Clone)]
pub struct Egress {
    /// The hosts, all by HTTPS. Their addresses must be public ones. Kapso's are in kapso.md 2.13.
    pub hosts: Vec<HostPattern>,
    /// Origins on this machine that are allowed as well, in clear text too: those of a stand-in.
    pub local: Vec<Url>,
    /// How names become addresses.
    pub names: Names,
    /// The largest file of each kind.
    pub limits: Limits,
    /// For one file, from dialling to its last byte.
    pub deadline: Duration,
}

impl Egress {
    /// What a client of `base` may fetch: from `hosts`, from the host of `base`, and, where that is this machine, from
    /// its very origin.
    pub fn of(base: &Url, hosts: Vec<HostPattern>, limits: Limits) -> Self {
        let mut egress = Self {
            hosts,
            local: Vec::new(),
            names: Names::System,
            limits,
            deadline: DEADLINE,
        };
        match base.scheme() {
            "http" => egress.local.push(base.clone()),
            _ => egress
                .hosts
                .extend(base.host_str().and_then(|host| HostPattern::new(host).ok())),
        }
        egress
    }
}

/// For one file: a hundred megabytes at two megabytes per second.
const DEADLINE: Duration = Duration::from_secs(60);

/// The largest file of each kind, in bytes; 0 fetches none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pictures.
    pub image: u64,
    /// Films.
    pub video: u64,
    /// Sounds, recorded or not.
    pub audio: u64,
    /// All other files.
    pub document: u64,
    /// Stickers.
    pub sticker: u64,
}

impl Default for Limits {
    /// What WhatsApp lets through (kapso.md 2.5, 2.13), and room for what it may let through one day.
    fn default() -> Self {
        Self {
            image: 16 << 20,
            video: 64 << 20,
            audio: 16 << 20,
            document: 100 << 20,
            sticker: 1 << 20,
        }
    }
}

impl Limits {
    /// That of `kind`.
    pub fn of(&self, kind: MediaKind) -> u64 {
        match kind {
            MediaKind::Image => self.image,
            MediaKind::Video => self.video,
            MediaKind::Audio | MediaKind::Voice => self.audio,
            MediaKind::Document => self.document,
            MediaKind::Sticker => self.sticker,
        }
    }
}

/// Why a file was not fetched. Its text has at most the host of an address.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The message has neither an address nor an id.
    #[error("the message says nowhere where the file is")]
    Nowhere,
    /// The id would be another path at Kapso.
    #[error("the id of the file is none of WhatsApp's")]
    InvalidId,
    /// Kapso did not say where the file is.
    #[error("{0}")]
    NotTold(#[from] Error),
    /// The address is not one from which files may come.
    #[error("files may not come from {host}")]
    Forbidden {
        /// Its host, with its scheme and port where these are what is wrong.
        host: String,
    },
    /// The name leads into a private network.
    #[error("{host} has no public address")]
    Private {
        /// The name.
        host: String,
    },
    /// It was sent on and on.
    #[error("more than {MOST_REDIRECTS} redirects")]
    TooManyRedirects,
    /// The host said no, or that the file is gone.
    #[error("{host} answered {status}")]
    Refused {
        /// Who.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// No connection came about.
    #[error("cannot reach {host}: {cause}")]
    NotReached {
        /// Who.
        host: String,
        /// The network's account of it.
        cause: String,
    },
    /// The connection ended before the file did.
    #[error("the connection to {host} was lost: {cause}")]
    Lost {
        /// Who.
        host: String,
        /// The network's account of it.
        cause: String,
    },
    /// It took too long.
    #[error("not there within {after:?}")]
    Deadline {
        /// How long it was waited for.
        after: Duration,
    },
    /// It is larger than allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It could not be written down.
    #[error("cannot write the file: {0}")]
    NotWritten(#[source] io::Error),
}

impl MediaError {
    /// Whether the same request may succeed in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotTold(error) => match error.class() {
                Class::Retryable | Class::RetryAfter(_) | Class::Unknown => true,
                Class::WindowClosed | Class::Permanent | Class::Operator => false,
            },
            Self::NotReached { .. } | Self::Lost { .. } => true,
            // Kapso may not have the file itself yet (kapso.md 2.13).
            Self::Refused { status, .. } => matches!(status, 404 | 408 | 425 | 429 | 500..),
            Self::Nowhere
            | Self::InvalidId
            | Self::Forbidden { .. }
            | Self::Private { .. }
            | Self::TooManyRedirects
            | Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::Empty
            | Self::NotWritten(_) => false,
        }
    }

    /// Whether another address of the same file may do: nothing of it was written.
    fn is_of_address(&self) -> bool {
        match self {
            Self::Forbidden { .. }
            | Self::Private { .. }
            | Self::TooManyRedirects
            | Self::Refused { .. }
            | Self::NotReached { .. } => true,
            Self::Nowhere
            | Self::InvalidId
            | Self::NotTold(_)
            | Self::Lost { .. }
            | Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::Empty
            | Self::NotWritten(_) => false,
        }
    }
}

/// What `GET /{media_id}` says. `url` is Meta's and wants Meta's token, so it is of no use here.
#[derive(Debug, Deserialize)]
struct Told {
    download_url: Option<String>,
}

impl Client {
    /// Writes the file `media` to `into`, as `from` allows. After an error the beginning of it may have been written.
    ///
    /// The client never repeats a request by itself, but asks for another address where the first one does not do.
    ///
    /// # Errors
    /// [`MediaError`]; [`MediaError::may_pass`] says whether to try again.
    pub async fn media<W: AsyncWrite + Unpin>(
        &self,
        media: &Media,
        from: &Downloads,
        into: &mut W,
    ) -> Result<Downloaded, MediaError> {
        let limit = from.egress().limits.of(media.kind);
        if limit == 0 {
            return Err(MediaError::TooLarge { limit });
        }
        let mime = media.mime.as_deref();
        let first = media.url.as_deref().and_then(|url| Url::parse(url).ok());
        if let Some(url) = first {
            match from.fetch(url, limit, mime, into).await {
                Err(error) if error.is_of_address() && media.id.is_some() => {
                    debug!(%error, "the address of a file does not do, asking for another one");
                }
                ended @ (Ok(_) | Err(_)) => return ended,
            }
        }
        let id = media.id.as_deref().ok_or(MediaError::Nowhere)?;
        let url = self.address_of(id).await?;
        from.fetch(url, limit, mime, into).await
    }

    /// Where Kapso serves the file `id` now, for four minutes (kapso.md 2.13).
    async fn address_of(&self, id: &str) -> Result<Url, MediaError> {
        let url = self.media_url(id).ok_or(MediaError::InvalidId)?;
        let request = self
            .http
            .get(url)
            .query(&[("phone_number_id", self.number().as_str())]);
        let answer = self.exchange(Call::Media, request, "").await?;
        let unreadable = |what: &str| Error::Unreadable {
            call: Call::Media,
            what: what.to_owned(),
        };
        let Ok(told) = serde_json::from_slice::<Told>(&answer.body) else {
            return Err(unreadable("it is not the JSON of a file").into());
        };
        let url = told.download_url.and_then(|url| Url::parse(&url).ok());
        Ok(url.ok_or_else(|| unreadable("it has no download_url"))?)
    }
}
