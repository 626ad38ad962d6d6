//! The device identity of a connect, verified as the gateway does (v3 payload, Ed25519; openclaw.md 2), and the
//! pairing of devices that come from afar (openclaw.md 6).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use model::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::faults::Rejection;

/// How old or young a signature may be.
const SKEW: Duration = Duration::from_secs(120);

/// `device` of a connect.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) id: String,
    public_key: String,
    signature: String,
    signed_at: i64,
    nonce: String,
}

/// What was signed besides the device's own fields.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) client_id: &'a str,
    pub(super) client_mode: &'a str,
    pub(super) role: &'a str,
    pub(super) scopes: &'a [String],
    /// `auth.token ?? auth.deviceToken ?? ""`.
    pub(super) token: &'a str,
    pub(super) platform: &'a str,
    pub(super) family: &'a str,
}

impl Device {
    /// Checks id, nonce, age and signature, in this order.
    pub(super) fn verify(
        &self,
        signed: &Signed<'_>,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let key = self.key()?;
        if hex::encode(Sha256::digest(key.as_bytes())) != self.id {
            return Err(refusal(
                "device identity mismatch",
                "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            ));
        }
        if self.nonce != nonce {
            return Err(refusal(
                "device nonce mismatch",
                "DEVICE_AUTH_NONCE_MISMATCH",
            ));
        }
        let signed_at = Timestamp::from_millis(self.signed_at);
        if now.since(signed_at).max(signed_at.since(now)) > SKEW {
            return Err(refusal(
                "device signature expired",
                "DEVICE_AUTH_SIGNATURE_EXPIRED",
            ));
        }
        let signature = URL_SAFE_NO_PAD
            .decode(&self.signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok());
        let genuine = signature.is_some_and(|signature| {
            let payload = self.payload(signed);
            key.verify_strict(payload.as_bytes(), &signature).is_ok()
        });
        if genuine {
            return Ok(());
        }
        Err(refusal(
            "device signature invalid",
            "DEVICE_AUTH_SIGNATURE_INVALID",
        ))
    }

    /// The v3 payload.
    fn payload(&self, signed: &Signed<'_>) -> String {
        let plain = |text: &str| text.trim().to_ascii_lowercase();
        [
            "v3",
            &self.id,
            signed.client_id,
            signed.client_mode,
            signed.role,
            &signed.scopes.join(","),
            &self.signed_at.to_string(),
            signed.token,
            &self.nonce,
            &plain(signed.platform),
            &plain(signed.family),
        ]
        .join("|")
    }

    fn key(&self) -> Result<VerifyingKey, Rejection> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.public_key).ok();
        bytes
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .ok_or_else(|| {
                refusal(
                    "device public key invalid",
                    "DEVICE_AUTH_PUBLIC_KEY_INVALID",
                )
            })
    }
}

fn refusal(message: &str, code: &str) -> Rejection {
    Rejection::invalid(message).detail(code)
}

/// A device's standing with the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Approved; this is its token.
    Paired { token: String, issued_at: Timestamp },
    /// Asked, and not approved yet.
    Pending { request: String },
}

/// Which devices are approved. The lock never leaves this file.
#[derive(Debug, Default)]
pub(super) struct Pairing(Mutex<HashMap<String, Standing>>);

impl Pairing {
    /// The standing of a device; an unknown one becomes pending, and keeps its request id while it is.
    pub(super) fn standing(&self, device: &str) -> Standing {
        let mut devices = self.lock();
        let pending = || Standing::Pending {
            request: Uuid::new_v4().to_string(),
        };
        devices
            .entry(device.to_owned())
            .or_insert_with(pending)
            .clone()
    }

    /// Approves a pending request; false when there is none of that id.
    pub(super) fn approve(&self, request: &str, now: Timestamp) -> bool {
        let mut devices = self.lock();
        let found = devices.values_mut().find(|standing| {
            matches!(standing, Standing::Pending { request: pending } if pending == request)
        });
        let Some(standing) = found else {
            return false;
        };
        *standing = Standing::Paired {
            token: Uuid::new_v4().simple().to_string(),
            issued_at: now,
        };
        true
    }

    /// The requests that wait for approval.
    pub(super) fn pending(&self) -> Vec<String> {
        let devices = self.lock();
        let requests = devices.values().filter_map(|standing| match standing {
            Standing::Pending { request } => Some(request.clone()),
            Standing::Paired { .. } => None,
        });
        requests.collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Standing>> {
        // Nothing is done under the lock that could leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Device {
        Device {
            id: "65b60673d6ed884bf01c2c222d82ada0740f29ac3355d6a925c81f17f47a27b8".to_owned(),
            public_key: "ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ".to_owned(),
            signature: "cdfI4hs77ylzpH2rhEwiA-uDFEUoTc9MaiK4cVOpg_9LkShUdzL_3voqUNjK2ZqLQMke7-1fWRSI1NLqcDg-BQ"
                .to_owned(),
            signed_at: 1_795_221_030_000,
            nonce: "11111111-2222-4333-8444-555555555555".to_owned(),
        }
    }

    fn verdict(device: &Device, token: &str, now: i64) -> Option<String> {
        let scopes = ["operator.read".to_owned(), "operator.write".to_owned()];
        let signed = Signed {
            client_id: "gateway-client",
            client_mode: "backend",
            role: "operator",
            scopes: &scopes,
            token,
            platform: " Linux ",
            family: "",
        };
        let nonce = "11111111-2222-4333-8444-555555555555";
        let error = device
            .verify(&signed, nonce, Timestamp::from_millis(now))
            .err()?;
        error.details?.get("code")?.as_str().map(str::to_owned)
    }

    #[test]
    fn the_vector_that_a_real_gateway_accepted_is_accepted() {
        let now = 1_795_221_030_500;
        assert_eq!(verdict(&recorded(), "example-shared-token", now), None);
    }

    #[test]
    fn another_token_key_or_time_is_refused_by_name() {
        let now = 1_795_221_030_500;
        let code = verdict(&recorded(), "other", now);
        assert_eq!(code.as_deref(), Some("DEVICE_AUTH_SIGNATURE_INVALID"));
        let code = verdict(&recorded(), "example-shared-token", now + 121_000);
        assert_eq!(code.as_deref(), Some("DEVICE_AUTH_SIGNATURE_EXPIRED"));
        let mut other = recorded();
        other.id = other.id.replace('6', "7");
        let code = verdict(&other, "example-shared-token", now);
        assert_eq!(code.as_deref(), Some("DEVICE_AUTH_DEVICE_ID_MISMATCH"));
    }

    #[test]
    fn a_pending_device_keeps_its_request_until_it_is_approved() {
        let pairing = Pairing::default();
        let Standing::Pending { request } = pairing.standing("d") else {
            panic!("an unknown device is pending");
        };
        assert_eq!(
            pairing.standing("d"),
            Standing::Pending {
                request: request.clone()
            }
        );
        assert!(!pairing.approve("another", Timestamp::from_millis(0)));
        assert!(pairing.approve(&request, Timestamp::from_millis(0)));
        assert!(matches!(pairing.standing("d"), Standing::Paired { .. }));
    }
}
