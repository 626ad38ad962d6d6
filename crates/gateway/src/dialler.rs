//! One attempt to connect: which token is shown, which signature, and what is kept of the answer.

use tracing::{info, warn};

use crate::handle::{Options, Timing};
use crate::handshake::{self, Accepted, Credentials, Signed};
use crate::refusal::Refusal;
use crate::token::TokenFile;
use crate::url::GatewayUrl;

/// Dials.
#[derive(Debug)]
pub(crate) struct Dialler {
    options: Options,
    tokens: Option<TokenFile>,
    signed: Signed,
}

impl Dialler {
    pub(crate) fn new(options: Options) -> Self {
        // The first provider of the process stays; ours is the only one that is built in.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = |path| TokenFile::new(path, &options.url, options.device.id());
        let tokens = options.device_token_file.clone().map(file);
        Self {
            options,
            tokens,
            signed: Signed::V3,
        }
    }

    pub(crate) fn url(&self) -> &GatewayUrl {
        &self.options.url
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.options.timing
    }

    /// Tries once; twice for a gateway that knows the other signature only.
    ///
    /// # Errors
    /// The [`Refusal`] that says why not.
    pub(crate) async fn dial(&mut self, after_restart: bool) -> Result<Accepted, Refusal> {
        let refusal = match self.attempt(self.signed, after_restart).await {
            Err(refusal) if refusal.doubts_signature() => refusal,
            Err(refusal) => return Err(refusal),
            Ok(accepted) => return Ok(accepted),
        };
        let other = match self.signed {
            Signed::V3 => Signed::V2,
            Signed::V2 => Signed::V3,
        };
        let accepted = self
            .attempt(other, after_restart)
            .await
            .map_err(|_second: Refusal| refusal)?;
        self.signed = other;
        Ok(accepted)
    }

    async fn attempt(&self, signed: Signed, after_restart: bool) -> Result<Accepted, Refusal> {
        let shared = self.options.token.clone();
        let stored = if shared.is_some() {
            None
        } else {
            self.stored_token()
        };
        let credentials = Credentials {
            device: &self.options.device,
            stored: stored.is_some(),
            token: shared.or(stored),
            signed,
        };
        let mut accepted = handshake::open(
            &self.options.url,
            &credentials,
            &self.options.timing,
            after_restart,
        )
        .await?;
        if let (Some(tokens), Some(token)) = (&self.tokens, accepted.device_token.take()) {
            match tokens.write(&token) {
                Ok(()) => info!("kept the device token that the gateway issued"),
                Err(error) => warn!(%error, "the device token cannot be kept"),
            }
        }
        Ok(accepted)
    }

    fn stored_token(&self) -> Option<secrecy::SecretString> {
        self.tokens.as_ref()?.read().unwrap_or_else(|error| {
            warn!(%error, "the device token cannot be read");
            None
        })
    }
}
