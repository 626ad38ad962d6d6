//! An Ed25519 key in a file of its own: PKCS#8 PEM, mode 0600, made once and never replaced.
//!
//! Whoever knows the old public key would not know a new one, so a key that cannot be read is reported and left as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey, EncodePrivateKey};
use tracing::{info, warn};

/// Where a key is kept, and the words about it.
#[derive(Debug, Clone, Copy)]
pub struct KeyFile<'a> {
    /// The file.
    pub path: &'a Path,
    /// What the key is called: `device key`.
    pub name: &'static str,
    /// What a new key entails, as the end of a sentence: `which then has to be approved at the gateway`.
    pub renewal: &'static str,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file is there, but it is no private key. It is left as it is.
    #[error(
        "{name} {path} is not a readable PKCS#8 key ({source}); restore it from a backup, or move it away to get a \
         new one, {renewal}"
    )]
    Damaged {
        /// What the key is called.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What a new key entails.
        renewal: &'static str,
        /// What is wrong with it.
        source: pkcs8::Error,
    },
    /// The file can be neither read nor written.
    #[error("{name} {path}: {source}")]
    Io {
        /// What the key is called.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("no randomness for a key: {0}")]
    Random(#[from] getrandom::Error),
    /// The new key cannot be written as text.
    #[error("a new {name} cannot be encoded: {source}")]
    Encode {
        /// What the key is called.
        name: &'static str,
        /// What is wrong with it.
        source: pkcs8::Error,
    },
}

/// A key that nobody had before.
///
/// # Errors
/// [`KeyFileError::Random`] when the system has no randomness.
pub(crate) fn generate() -> Result<SigningKey, KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

impl KeyFile<'_> {
    /// Reads the key, or makes one, readable by this user only, when there is no file.
    ///
    /// # Errors
    /// [`KeyFileError`]; an existing file is never changed.
    pub fn load_or_create(self) -> Result<SigningKey, KeyFileError> {
        match fs::read_to_string(self.path) {
            Ok(pem) => self.read(&pem),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let created = generate()?;
                match self.write_new(&created)? {
                    Written::New => {
                        info!(path = %self.path.display(), "made a {}", self.name);
                        Ok(created)
                    }
                    Written::Exists => {
                        let pem = fs::read_to_string(self.path).map_err(|error| self.io(error))?;
                        self.read(&pem)
                    }
                }
            }
            Err(error) => Err(self.io(error)),
        }
    }

    fn read(self, pem: &str) -> Result<SigningKey, KeyFileError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|source| KeyFileError::Damaged {
            name: self.name,
            path: self.path.to_owned(),
            renewal: self.renewal,
            source,
        })?;
        let open_to_others =
            fs::metadata(self.path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
        if open_to_others {
            warn!(path = %self.path.display(), "other users can read the {}; chmod 600 it", self.name);
        }
        Ok(key)
    }

    fn write_new(self, key: &SigningKey) -> Result<Written, KeyFileError> {
        let pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|source| KeyFileError::Encode {
                name: self.name,
                source,
            })?;
        let draft = write_draft(self.path, pem.as_bytes()).map_err(|error| self.io(error))?;
        // A link, not a rename: it fails where another process was faster, instead of replacing its key.
        let linked = fs::hard_link(&draft, self.path);
        fs::remove_file(&draft).map_err(|error| self.io(error))?;
        match linked {
            Ok(()) => Ok(Written::New),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Written::Exists),
            Err(error) => Err(self.io(error)),
        }
    }

    fn io(self, source: io::Error) -> KeyFileError {
        KeyFileError::Io {
            name: self.name,
            path: self.path.to_owned(),
            source,
        }
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

    fn file(path: &Path) -> KeyFile<'_> {
        KeyFile {
            path,
            name: "some key",
            renewal: "which nobody knows yet",
        }
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/some-key.pem");
        let made = file(&path).load_or_create().unwrap();
        let found = file(&path).load_or_create().unwrap();
        assert_eq!(made, found);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "no draft stays behind");
    }

    #[test]
    fn a_damaged_file_is_refused_in_its_own_words_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some-key.pem");
        file(&path).load_or_create().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], "", "not a key"] {
            fs::write(&path, damaged).unwrap();
            let error = file(&path).load_or_create().unwrap_err();
            assert!(matches!(error, KeyFileError::Damaged { .. }), "{error}");
            let text = error.to_string();
            for part in ["some key", "some-key.pem", "which nobody knows yet"] {
                assert!(text.contains(part), "{text}");
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn the_faster_of_two_processes_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some-key.pem");
        let first = file(&path).load_or_create().unwrap();
        let second = SigningKey::from_bytes(&[7; 32]);
        assert!(matches!(
            file(&path).write_new(&second),
            Ok(Written::Exists)
        ));
        assert_eq!(file(&path).load_or_create().unwrap(), first);
    }
}
