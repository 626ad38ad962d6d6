//! The device token: what the gateway gives an approved device, and what replaces the shared token where none is
//! configured.
//!
//! The file says for which gateway and which device the token is, and is used for no other: a token goes only to the
//! host that issued it.

use std::io;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::key_file::write_draft;
use crate::url::GatewayUrl;

/// The file of the device token.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    gateway: String,
    device: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    gateway: String,
    device: String,
    token: String,
}

impl TokenFile {
    /// The file at `path`, for `device` at `gateway`.
    pub(crate) fn new(path: PathBuf, gateway: &GatewayUrl, device: &str) -> Self {
        Self {
            path,
            gateway: gateway.to_string(),
            device: device.to_owned(),
        }
    }

    /// The stored token, if there is one for this gateway and this device.
    ///
    /// # Errors
    /// What the system says; a file that is no such record is an error of kind `InvalidData`.
    pub(crate) fn read(&self) -> io::Result<Option<SecretString>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored: Stored = serde_json::from_str(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        let ours = stored.gateway == self.gateway && stored.device == self.device;
        Ok((ours && !stored.token.is_empty()).then(|| SecretString::from(stored.token)))
    }

    /// Writes `token`, replacing what was there, readable by this user only.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write(&self, token: &SecretString) -> io::Result<()> {
        let stored = Stored {
            gateway: self.gateway.clone(),
            device: self.device.clone(),
            token: token.expose_secret().to_owned(),
        };
        let draft = write_draft(&self.path, &serde_json::to_vec(&stored)?)?;
        std::fs::rename(draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_for_its_gateway_and_device_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device-token.json");
        let file = |url: &str, device: &str| {
            TokenFile::new(path.clone(), &GatewayUrl::new(url).unwrap(), device)
        };
        let ours = file("ws://127.0.0.1:18789", "d1");
        assert!(ours.read().unwrap().is_none());
        ours.write(&SecretString::from("issued")).unwrap();
        assert_eq!(ours.read().unwrap().unwrap().expose_secret(), "issued");
        assert!(file("ws://192.0.2.2:18789", "d1").read().unwrap().is_none());
        assert!(file("ws://127.0.0.1:18789", "d2").read().unwrap().is_none());
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
