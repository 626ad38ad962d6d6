//! Signed identity: a token that says who a session belongs to, which a backend checks by itself.
//!
//! A token is a JWT (RFC 7519) with an Ed25519 signature (`EdDSA`, RFC 8037), for one audience and five minutes. The public
//! key is a JWKS (RFC 7517) that anyone may read; its name is its thumbprint (RFC 7638), so a new key has another name.
//! Whom a token names is decided by the caller, never here.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gateway::key_file::{KeyFile, KeyFileError};
use model::{ChatKey, Role, SessionKey, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How long a token is worth anything.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// Signs tokens. Clones share the key; `Debug` shows its name only.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    key: SigningKey,
    /// The key's name.
    kid: String,
    /// Who signs (`identity.issuer`).
    issuer: String,
    /// Who is to believe it (`identity.audience`).
    audience: String,
}

/// Who speaks in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The person, and the business number that they write to.
    pub chat: ChatKey,
    /// As whom they may speak at this moment.
    pub role: Role,
    /// The session that is theirs alone.
    pub session: SessionKey,
}

/// What a token says. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who signs.
    pub iss: String,
    /// Who is to believe it.
    pub aud: String,
    /// The person: `+` and the digits of their number in the form for comparing, or their user id.
    pub sub: String,
    /// As whom they may speak.
    pub role: String,
    /// The business number that they write to, by Meta's id of it.
    pub number: String,
    /// Their session, as the gateway writes it.
    pub session: String,
    /// When it was signed.
    pub iat: i64,
    /// From when on it counts.
    pub nbf: i64,
    /// From when on it does not.
    pub exp: i64,
    /// The token's own name, unlike any other's.
    pub jti: String,
}

/// A signed token and what it says. Whoever has it speaks for the person until it expires.
#[derive(Clone)]
pub struct Token {
    /// The token as it is sent.
    pub compact: String,
    /// What it says.
    pub claims: Claims,
}

impl Issuer {
    /// Signs with the key at `path`, made there when there is none, in the name of `issuer` and for `audience`.
    ///
    /// # Errors
    /// [`KeyFileError`]; an existing file is never changed.
    pub fn open(path: &Path, issuer: &str, audience: &str) -> Result<Self, KeyFileError> {
        let file = KeyFile {
            path,
            name: "identity key",
            renewal: "which backends then find in the JWKS",
        };
        let key = file.load_or_create()?;
        Ok(Self(Arc::new(Inner {
            kid: thumbprint(&public(&key)),
            key,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        })))
    }

    /// The token that says who speaks, signed at `now`.
    pub fn sign(&self, speaker: &Speaker, now: Timestamp) -> Token {
        let this = &*self.0;
        let seconds = |at: Timestamp| at.as_millis().div_euclid(1000);
        let claims = Claims {
            iss: this.issuer.clone(),
            aud: this.audience.clone(),
            sub: speaker.chat.peer().to_string(),
            role: speaker.role.to_string(),
            number: speaker.chat.number.to_string(),
            session: speaker.session.to_string(),
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(now.later(LIFETIME)),
            jti: Uuid::new_v4().to_string(),
        };
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": this.kid });
        let payload = json!(claims);
        let signed = format!("{}.{}", part(&header), part(&payload));
        let signature = this.key.sign(signed.as_bytes()).to_bytes();
        Token {
            compact: format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
            claims,
        }
    }

    /// The public key, as backends read it.
    pub fn jwks(&self) -> Value {
        let Inner { key, kid, .. } = &*self.0;
        let key = json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": public(key),
            "use": "sig",
            "alg": "EdDSA",
            "kid": kid,
        });
        json!({ "keys": [key] })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("jti", &self.claims.jti)
            .finish_non_exhaustive()
    }
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn public(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())
}

/// The name of a public key (RFC 7638): its required members in the order of the alphabet, hashed.
fn thumbprint(public: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use model::{Identity, NumberId};

    use super::*;

    #[test]
    fn a_key_is_named_as_rfc_8037_names_its_example() {
        assert_eq!(
            thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity-key.pem");
        let open = || Issuer::open(&path, "bridge", "https://backend.example").unwrap();
        assert_eq!(open().jwks(), open().jwks());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "damaged").unwrap();
        let error = Issuer::open(&path, "bridge", "https://backend.example").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("identity-key.pem") && text.contains("JWKS"),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "damaged");
    }

    #[test]
    fn a_token_or_an_issuer_in_a_log_is_worth_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity-key.pem");
        let issuer = Issuer::open(&path, "bridge", "https://backend.example").unwrap();
        let speaker = Speaker {
            chat: ChatKey::new(
                NumberId::new("1").unwrap(),
                &Identity::new("+15551234567").unwrap(),
            ),
            role: Role("member".into()),
            session: SessionKey::new("main-wa-15551234567").unwrap(),
        };
        let token = issuer.sign(&speaker, Timestamp::from_seconds(1));
        let shown = format!("{token:?} {issuer:?}");
        assert!(shown.contains(&token.claims.jti), "{shown}");
        let secrets = token.compact.split('.').map(str::to_owned);
        let seed = hex::encode(issuer.0.key.to_bytes());
        for secret in secrets.chain([seed]) {
            assert!(!shown.contains(&secret), "{shown}");
        }
    }
}
