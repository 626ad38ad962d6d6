//! The bridge's identity at the gateway: an Ed25519 key on disk, approved once by the operator.
//!
//! The gateway knows a device by its public key. A new key is a new device that has to be approved again, so a key
//! that cannot be read is reported and never replaced.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

/// The key that names this bridge at the gateway. `Debug` shows the public id only.
#[derive(Clone)]
pub struct DeviceKey {
    key: SigningKey,
    id: String,
}

/// Why there is no device key.
#[derive(Debug, thiserror::Error)]
pub enum DeviceKeyError {
    /// A file is there, but it is no private key. It is left as it is.
    #[error(
        "device key {path} is not a readable PKCS#8 key ({source}); restore it from a backup, or move it away to get \
         a new one, which then has to be approved at the gateway"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pkcs8::Error,
    },
    /// The file can be neither read nor written.
    #[error("device key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("no randomness for a device key: {0}")]
    Random(#[from] getrandom::Error),
    /// The new key cannot be written as text.
    #[error("a new device key cannot be encoded: {0}")]
    Encode(pkcs8::Error),
}

impl DeviceKey {
    /// Reads the key at `path` (PKCS#8 PEM), or makes one there, readable by this user only, when there is no file.
    ///
    /// # Errors
    /// [`DeviceKeyError`]; an existing file is never changed.
    pub fn load_or_create(path: &Path) -> Result<Self, DeviceKeyError> {
        let io = |source| DeviceKeyError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(pem) => Self::read(path, &pem),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let created = Self::generate()?;
                match created.write_new(path)? {
                    Written::New => {
                        info!(device = %created.id, path = %path.display(), "made a device key");
                        Ok(created)
                    }
                    Written::Exists => Self::read(path, &fs::read_to_string(path).map_err(io)?),
                }
            }
            Err(source) => Err(io(source)),
        }
    }

    /// A key that lives in memory only.
    ///
    /// # Errors
    /// [`DeviceKeyError::Random`] when the system has no randomness.
    pub fn generate() -> Result<Self, DeviceKeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a known seed, for tests and stand-ins.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
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

    fn read(path: &Path, pem: &str) -> Result<Self, DeviceKeyError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|source| DeviceKeyError::Damaged {
            path: path.to_owned(),
            source,
        })?;
        let open_to_others =
            fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
        if open_to_others {
            warn!(path = %path.display(), "other users can read the device key; chmod 600 it");
        }
        Ok(Self::from_seed(key.as_bytes()))
    }

    fn write_new(&self, path: &Path) -> Result<Written, DeviceKeyError> {
        let io = |source| DeviceKeyError::Io {
            path: path.to_owned(),
            source,
        };
        let pem = self
            .key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(DeviceKeyError::Encode)?;
        let draft = write_draft(path, pem.as_bytes()).map_err(io)?;
        // A link, not a rename: it fails where another process was faster, instead of replacing its key.
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(io)?;
        match linked {
            Ok(()) => Ok(Written::New),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Written::Exists),
            Err(source) => Err(io(source)),
        }
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

enum Written {
    New,
    Exists,
}

/// Writes `content` beside `path`, complete and on disk, readable by this user only; gives the draft's name.
///
/// The secret's own name never stands for a half-written file.
///
/// # Errors
/// What the system says.
pub(crate) fn write_draft(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [7; 32];

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/device-key.pem");
        let made = DeviceKey::load_or_create(&path).unwrap();
        let found = DeviceKey::load_or_create(&path).unwrap();
        assert_eq!(made.id(), found.id());
        assert_eq!(made.sign("x"), found.sign("x"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "no draft stays behind");
    }

    #[test]
    fn g9_damaged_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key.pem");
        DeviceKey::load_or_create(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], "", "not a key"] {
            fs::write(&path, damaged).unwrap();
            let error = DeviceKey::load_or_create(&path).unwrap_err();
            assert!(matches!(error, DeviceKeyError::Damaged { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains("device-key.pem") && text.contains("approved"),
                "{text}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn the_faster_of_two_processes_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-key.pem");
        let first = DeviceKey::load_or_create(&path).unwrap();
        assert!(matches!(
            DeviceKey::from_seed(&SEED).write_new(&path),
            Ok(Written::Exists)
        ));
        assert_eq!(DeviceKey::load_or_create(&path).unwrap().id(), first.id());
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
