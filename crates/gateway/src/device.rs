//! The bridge's identity at the gateway: an Ed25519 key on disk, approved once by the operator.
//!
//! The gateway knows a device by its public key. A new key is a new device that has to be approved again, so a key
//! that cannot be read is reported and never replaced ([`crate::key_file`]).

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::key_file::{KeyFile, KeyFileError, generate};

/// The key that names this bridge at the gateway. `Debug` shows the public id only.
#[derive(Clone)]
pub struct DeviceKey {
    key: SigningKey,
    id: String,
}

impl DeviceKey {
    /// Reads the key at `path` (PKCS#8 PEM), or makes one there, readable by this user only, when there is no file.
    ///
    /// # Errors
    /// [`KeyFileError`]; an existing file is never changed.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        let file = KeyFile {
            path,
            name: "device key",
            renewal: "which then has to be approved at the gateway",
        };
        file.load_or_create().map(Self::of)
    }

    /// A key that lives in memory only.
    ///
    /// # Errors
    /// [`KeyFileError::Random`] when the system has no randomness.
    pub fn generate() -> Result<Self, KeyFileError> {
        generate().map(Self::of)
    }

    /// The key of a known seed, for tests and stand-ins.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::of(SigningKey::from_bytes(seed))
    }

    fn of(key: SigningKey) -> Self {
        let id = hex::encode(Sha256::digest(key.verifying_key().as_bytes()));
        Self { key, id }
    }

    /// The gateway's name for this device: the SHA-256 of the public key, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as it is sent.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes())
    }

    /// The signature of `payload` as it is sent. The same payload always gives the same signature.
    pub(crate) fn sign(&self, payload: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(payload.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SEED: [u8; 32] = [7; 32];

    #[test]
    fn a_device_is_the_same_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/device-key.pem");
        let made = DeviceKey::load_or_create(&path).unwrap();
        let found = DeviceKey::load_or_create(&path).unwrap();
        assert_eq!(made.id(), found.id());
        assert_eq!(made.sign("x"), found.sign("x"));
    }

    #[test]
    fn g9_damaged_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key.pem");
        fs::write(&path, "not a key").unwrap();
        let error = DeviceKey::load_or_create(&path).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("device-key.pem") && text.contains("approved"),
            "{text}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }

    #[test]
    fn a_printed_key_shows_no_secret() {
        let key = DeviceKey::from_seed(&SEED);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id()));
        assert!(
            !shown.contains(&hex::encode(SEED)) && !shown.contains("SigningKey"),
            "{shown}"
        );
    }
}
