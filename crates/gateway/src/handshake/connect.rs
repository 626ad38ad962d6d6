//! The parameters of `connect`: who we are, what we ask for, and the signature that proves it.
//!
//! The bridge asks for the least scopes and signs the challenge with its device key (openclaw.md 2).

use model::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::device::DeviceKey;
use crate::refusal::{NEWEST_PROTOCOL, OLDEST_PROTOCOL};

const CLIENT_ID: &str = "gateway-client";
const CLIENT_MODE: &str = "backend";
const CLIENT_NAME: &str = "kapso-whatsapp";
const ROLE: &str = "operator";
pub(super) const READ: &str = "operator.read";
pub(super) const WRITE: &str = "operator.write";

/// Which text is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// With platform and device family: 2026.3.13 and newer.
    V3,
    /// Without: older releases.
    V2,
}

/// What a connection is opened with.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    /// The key that signs.
    pub(crate) device: &'a DeviceKey,
    /// The shared token, else the stored device token.
    pub(crate) token: Option<SecretString>,
    /// Whether `token` is the stored device token.
    pub(crate) stored: bool,
    /// Which text is signed.
    pub(crate) signed: Signed,
}

/// Parameters of `connect`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connect<'a> {
    min_protocol: u32,
    max_protocol: u32,
    client: Client,
    role: &'static str,
    scopes: [&'static str; 2],
    caps: [&'static str; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<ConnectAuth<'a>>,
    device: Proof<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    id: &'static str,
    display_name: &'static str,
    version: &'static str,
    platform: &'static str,
    mode: &'static str,
}

/// Either token goes here: the gateway accepts a device token as `auth.token`, and releases before 2026.3 know no
/// other place for it.
#[derive(Serialize)]
struct ConnectAuth<'a> {
    token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof<'a> {
    id: &'a str,
    public_key: String,
    signature: String,
    signed_at: i64,
    nonce: &'a str,
}

impl<'a> Connect<'a> {
    /// For a challenge of `nonce` that was given at `signed_at`, by the gateway's clock.
    pub(super) fn new(
        credentials: &'a Credentials<'_>,
        nonce: &'a str,
        signed_at: Timestamp,
    ) -> Self {
        let device = credentials.device;
        let token = credentials.token.as_ref().map(ExposeSecret::expose_secret);
        let client = Client {
            id: CLIENT_ID,
            display_name: CLIENT_NAME,
            version: env!("CARGO_PKG_VERSION"),
            platform: std::env::consts::OS,
            mode: CLIENT_MODE,
        };
        let payload = payload(
            credentials.signed,
            device.id(),
            signed_at,
            token,
            nonce,
            client.platform,
        );
        Self {
            min_protocol: OLDEST_PROTOCOL,
            max_protocol: NEWEST_PROTOCOL,
            client,
            role: ROLE,
            scopes: [READ, WRITE],
            caps: [],
            auth: token.map(|token| ConnectAuth { token }),
            device: Proof {
                id: device.id(),
                public_key: device.public_key(),
                signature: device.sign(&payload),
                signed_at: signed_at.as_millis(),
                nonce,
            },
        }
    }
}

/// The text that is signed. The device family is not sent, so it is empty here.
fn payload(
    signed: Signed,
    device: &str,
    signed_at: Timestamp,
    token: Option<&str>,
    nonce: &str,
    platform: &str,
) -> String {
    let (token, signed_at) = (token.unwrap_or_default(), signed_at.as_millis());
    let common = format!(
        "{device}|{CLIENT_ID}|{CLIENT_MODE}|{ROLE}|{READ},{WRITE}|{signed_at}|{token}|{nonce}"
    );
    match signed {
        Signed::V3 => format!("v3|{common}|{}|", platform.trim().to_ascii_lowercase()),
        Signed::V2 => format!("v2|{common}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vector() -> Value {
        serde_json::from_str(include_str!(
            "../../tests/data/device-auth-test-vector.json"
        ))
        .unwrap()
    }

    #[test]
    fn g7_signature_equals_the_one_a_real_gateway_accepted() {
        let vector = vector();
        let text = |field: &str| vector[field].as_str().unwrap().to_owned();
        let param = |field: &str| vector["params"][field].as_str().unwrap().to_owned();
        let seed: [u8; 32] = hex::decode(text("seedHex")).unwrap().try_into().unwrap();
        let device = DeviceKey::from_seed(&seed);
        assert_eq!(device.id(), text("deviceId"));
        assert_eq!(device.public_key(), text("publicKeyBase64Url"));
        let signed_at = Timestamp::from_millis(vector["params"]["signedAtMs"].as_i64().unwrap());
        let token = param("token");
        let payload = payload(
            Signed::V3,
            device.id(),
            signed_at,
            Some(&token),
            &param("nonce"),
            &param("platform"),
        );
        assert_eq!(payload, text("payload"));
        assert_eq!(device.sign(&payload), text("signatureBase64Url"));
    }

    #[test]
    fn the_old_payload_ends_with_the_nonce() {
        let old = payload(
            Signed::V2,
            "d",
            Timestamp::from_millis(7),
            None,
            "n",
            "linux",
        );
        assert_eq!(
            old,
            "v2|d|gateway-client|backend|operator|operator.read,operator.write|7||n"
        );
    }
}
