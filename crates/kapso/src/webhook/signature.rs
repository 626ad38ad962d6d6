//! Whether a body is Kapso's: HMAC-SHA256 over its raw bytes (kapso.md 4.3).

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// The length of a signature, in bytes.
const LENGTH: usize = 32;

/// What some programs put before the hex digits.
const PREFIX: &str = "sha256=";

/// The secrets under which bodies are signed. A blank one counts as none.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The webhook's own secret at Kapso, for `X-Webhook-Signature`.
    pub kapso: Option<SecretString>,
    /// The secret of one's own Meta app, for `X-Hub-Signature-256`. Without it that header is tried against `kapso`.
    pub meta: Option<SecretString>,
}

/// The signatures that came with a body, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signatures<'a> {
    /// The header `X-Webhook-Signature`.
    pub kapso: Option<&'a [u8]>,
    /// The header `X-Hub-Signature-256`.
    pub meta: Option<&'a [u8]>,
}

/// How far a body may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is from somebody who knows the secret.
    Signed,
    /// No secret is configured: anybody may have sent it. It is a hint to read the list, and nothing more.
    Unsigned,
}

/// Why a body is not believed. What the signature should have been is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongSignature {
    /// A secret is configured, and there is no signature that it could be tried on.
    #[error("there is no signature")]
    Missing,
    /// None of the signatures fits.
    #[error("the signature does not fit: is the secret the one of this webhook?")]
    Different,
}

impl Keys {
    /// Whether there is a secret, so that bodies can be believed.
    pub fn are_set(&self) -> bool {
        self.kapso.as_ref().filter(is_set).is_some() || self.meta.as_ref().filter(is_set).is_some()
    }

    /// Tries each signature that came against the secret for it; one that fits is enough. Compares in constant time.
    ///
    /// # Errors
    /// [`WrongSignature`] when a secret is configured and no signature fits.
    pub fn verify(
        &self,
        signatures: &Signatures<'_>,
        body: &[u8],
    ) -> Result<Trust, WrongSignature> {
        let kapso = self.kapso.as_ref().filter(is_set);
        let meta = self.meta.as_ref().filter(is_set);
        if kapso.is_none() && meta.is_none() {
            return Ok(Trust::Unsigned);
        }
        let pairs = [(signatures.kapso, kapso), (signatures.meta, meta.or(kapso))];
        let mut found = Err(WrongSignature::Missing);
        for (signature, key) in pairs {
            let (Some(signature), Some(key)) = (signature, key) else {
                continue;
            };
            if fits(key, signature, body) {
                return Ok(Trust::Signed);
            }
            found = Err(WrongSignature::Different);
        }
        found
    }
}

fn is_set(key: &&SecretString) -> bool {
    !key.expose_secret().trim().is_empty()
}

fn fits(key: &SecretString, signature: &[u8], body: &[u8]) -> bool {
    let Some(signature) = decoded(signature) else {
        return false;
    };
    let mut mac = keyed(key.expose_secret());
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

/// The bytes of a signature: hex in either case, with or without the prefix, white space around it.
fn decoded(text: &[u8]) -> Option<[u8; LENGTH]> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let digits = match text.split_at_checked(PREFIX.len()) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case(PREFIX) => digits.trim_start(),
        Some(_) | None => text,
    };
    let mut bytes = [0; LENGTH];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// HMAC-SHA256 with `key`.
pub(super) fn keyed(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
}
