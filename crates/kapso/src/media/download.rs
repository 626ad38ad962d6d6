//! One file over HTTP: each address is checked before it is asked, that of each redirect too.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::address::{NotPublic, PublicOnly};
use super::sniff::{Downloaded, HEAD};
use super::{Egress, MediaError};
use crate::client::{InvalidOptions, POOL_IDLE, no_tls};
use crate::error::{innermost, root_cause};

/// How often a file's address may lead to another one. Kapso's leads on once.
pub const MOST_REDIRECTS: usize = 3;

/// Fetches files. Cheap to clone; clones share their connections.
///
/// No proxy of the environment is used: it would resolve names where nobody checks the addresses.
#[derive(Debug, Clone)]
pub struct Downloads {
    http: reqwest::Client,
    egress: Arc<Egress>,
}

impl Downloads {
    /// Nothing is dialled.
    ///
    /// # Errors
    /// [`InvalidOptions`] when HTTP cannot be set up.
    pub fn new(egress: Egress) -> Result<Self, InvalidOptions> {
        let local = egress.local.iter().filter_map(Url::host_str);
        let resolver = PublicOnly {
            names: egress.names.clone(),
            local: local.map(str::to_owned).collect(),
        };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kapso-whatsapp/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .pool_idle_timeout(POOL_IDLE)
            .dns_resolver(Arc::new(resolver));
        let builder = match CryptoProvider::get_default() {
            Some(_) => builder,
            // A stand-in on this machine is all that can be asked.
            None if !egress.local.is_empty() => builder.tls_backend_preconfigured(no_tls()?),
            None => return Err(InvalidOptions::NoTls),
        };
        Ok(Self {
            http: builder.build().map_err(InvalidOptions::Http)?,
            egress: Arc::new(egress),
        })
    }

    /// What it keeps to.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Writes what is at `url` to `into`, if it is not larger than `limit`.
    pub(super) async fn fetch<W: AsyncWrite + Unpin>(
        &self,
        url: Url,
        limit: u64,
        mime: Option<&str>,
        into: &mut W,
    ) -> Result<Downloaded, MediaError> {
        let after = self.egress.deadline;
        let fetching = async {
            let (response, host) = self.follow(url).await?;
            receive(response, host, limit, mime, into).await
        };
        match timeout(after, fetching).await {
            Ok(ended) => ended,
            Err(_elapsed) => Err(MediaError::Deadline { after }),
        }
    }

    /// The answer with the file, from the last of a few addresses.
    async fn follow(&self, mut url: Url) -> Result<(Response, String), MediaError> {
        for _ in 0..=MOST_REDIRECTS {
            let host = self.allowed(&url)?;
            let asked = self.http.get(url.clone()).send().await;
            let response = asked.map_err(|error| not_reached(&host, error))?;
            let status = response.status();
            if status.is_success() {
                return Ok((response, host));
            }
            let next = response
                .headers()
                .get(LOCATION)
                .filter(|_| status.is_redirection());
            let next = next.and_then(|to| url.join(to.to_str().ok()?).ok());
            let status = status.as_u16();
            url = next.ok_or(MediaError::Refused { host, status })?;
        }
        Err(MediaError::TooManyRedirects)
    }

    /// The host of an address from which files may come.
    fn allowed(&self, url: &Url) -> Result<String, MediaError> {
        let host = url.host_str().unwrap_or_default();
        let bare = url.username().is_empty() && url.password().is_none();
        let named = || {
            self.egress
                .hosts
                .iter()
                .any(|pattern| pattern.matches(host))
        };
        let listed = url.scheme() == "https" && url.port().is_none() && named();
        let here = || {
            self.egress
                .local
                .iter()
                .any(|local| local.origin() == url.origin())
        };
        if bare && (listed || here()) {
            return Ok(host.to_owned());
        }
        Err(MediaError::Forbidden {
            host: url.origin().ascii_serialization(),
        })
    }
}

/// Writes the body down; its first bytes tell what it is.
async fn receive<W: AsyncWrite + Unpin>(
    mut response: Response,
    host: String,
    limit: u64,
    mime: Option<&str>,
    into: &mut W,
) -> Result<Downloaded, MediaError> {
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(MediaError::TooLarge { limit });
    }
    let header = response.headers().get(CONTENT_TYPE);
    let header = header
        .and_then(|mime| mime.to_str().ok())
        .map(str::to_owned);
    let (mut bytes, mut head) = (0, Vec::new());
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                let cause = root_cause(error);
                return Err(MediaError::Lost { host, cause });
            }
        };
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(MediaError::TooLarge { limit });
        }
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
        into.write_all(&chunk)
            .await
            .map_err(MediaError::NotWritten)?;
    }
    into.flush().await.map_err(MediaError::NotWritten)?;
    if bytes == 0 {
        return Err(MediaError::Empty);
    }
    Ok(Downloaded::new(bytes, mime.or(header.as_deref()), &head))
}

fn not_reached(host: &str, error: reqwest::Error) -> MediaError {
    let host = host.to_owned();
    if innermost(&error).is::<NotPublic>() {
        return MediaError::Private { host };
    }
    let cause = root_cause(error);
    MediaError::NotReached { host, cause }
}
