//! Who may be believed: signatures, and the verification of an address.

use hmac::{Hmac, KeyInit as _, Mac as _};
use kapso::webhook::{Keys, Signatures, Trust, WrongSignature, challenge};
use proptest::prelude::*;
use secrecy::SecretString;
use sha2::Sha256;

use crate::data::BODIES;

const SECRET: &str = "whsec_0123456789";
const APP: &str = "app_9876543210";

fn keys(kapso: Option<&str>, meta: Option<&str>) -> Keys {
    Keys {
        kapso: kapso.map(SecretString::from),
        meta: meta.map(SecretString::from),
    }
}

/// The signature of `body` in lower-case hex.
fn signed(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn verify(
    keys: &Keys,
    kapso: Option<&str>,
    meta: Option<&str>,
    body: &[u8],
) -> Result<Trust, WrongSignature> {
    let signatures = Signatures {
        kapso: kapso.map(str::as_bytes),
        meta: meta.map(str::as_bytes),
    };
    keys.verify(&signatures, body)
}

#[test]
fn a_signature_is_the_one_of_the_standard() {
    // RFC 4231, test case 2.
    let body = b"what do ya want for nothing?";
    let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let found = verify(&keys(Some("Jefe"), None), Some(signature), None, body);
    assert_eq!(found, Ok(Trust::Signed));
}

#[test]
fn i2_kapsos_signature_is_accepted_in_every_spelling() {
    for (name, body) in BODIES {
        let hex = signed(SECRET, body.as_bytes());
        for spelling in [
            hex.clone(),
            hex.to_uppercase(),
            format!("sha256={hex}"),
            format!(" SHA256={} ", hex.to_uppercase()),
            format!("\t{hex}\r\n"),
        ] {
            let found = verify(
                &keys(Some(SECRET), None),
                Some(&spelling),
                None,
                body.as_bytes(),
            );
            assert_eq!(found, Ok(Trust::Signed), "{name}: {spelling:?}");
        }
    }
}

#[test]
fn i11_each_header_is_tried_against_its_own_secret() {
    let body = b"{}";
    let (kapso, meta) = (signed(SECRET, body), signed(APP, body));
    let (kapso, meta) = (Some(kapso.as_str()), Some(meta.as_str()));
    let stale = signed(SECRET, b"other");
    let stale = Some(stale.as_str());
    let both = keys(Some(SECRET), Some(APP));
    assert_eq!(verify(&both, stale, meta, body), Ok(Trust::Signed));
    assert_eq!(verify(&both, kapso, stale, body), Ok(Trust::Signed));
    assert_eq!(verify(&both, None, meta, body), Ok(Trust::Signed));
    let different = Err(WrongSignature::Different);
    assert_eq!(verify(&both, stale, stale, body), different);
    assert_eq!(verify(&both, meta, kapso, body), different, "swapped");
    // One secret for both headers, as the first version of this program had it.
    let one = keys(Some(SECRET), None);
    assert_eq!(verify(&one, None, kapso, body), Ok(Trust::Signed));
    // A Meta app's secret never stands in for Kapso's.
    let app = keys(None, Some(APP));
    assert_eq!(verify(&app, None, meta, body), Ok(Trust::Signed));
    assert_eq!(verify(&app, meta, None, body), Err(WrongSignature::Missing));
}

#[test]
fn with_a_secret_a_body_without_signature_is_refused() {
    let keys = keys(Some(SECRET), None);
    assert_eq!(
        verify(&keys, None, None, b"{}"),
        Err(WrongSignature::Missing)
    );
    for wrong in [
        "",
        "sha256=",
        "0",
        "zz",
        "é",
        &"0".repeat(64),
        &"0".repeat(66),
    ] {
        let found = verify(&keys, Some(wrong), None, b"{}");
        assert_eq!(found, Err(WrongSignature::Different), "{wrong:?}");
    }
    let cut = &signed(SECRET, b"{}")[..62];
    assert!(verify(&keys, Some(cut), None, b"{}").is_err());
}

#[test]
fn without_any_secret_a_body_is_only_a_hint() {
    for keys in [keys(None, None), keys(Some(" "), Some(""))] {
        // The key of a blank secret is known to everybody.
        let empty = signed("", b"{}");
        for signature in [None, Some(empty.as_str())] {
            let found = verify(&keys, signature, signature, b"{}");
            assert_eq!(found, Ok(Trust::Unsigned));
        }
    }
}

#[test]
fn an_error_and_the_keys_tell_no_secret() {
    let keys = keys(Some(SECRET), Some(APP));
    let error = verify(&keys, Some("00"), None, b"{}").unwrap_err();
    let shown = format!("{error} {error:?} {keys:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(APP), "{shown}");
    assert!(!shown.contains(&signed(SECRET, b"{}")), "{shown}");
}

#[test]
fn i10_a_verification_is_answered_with_its_challenge() {
    let token = SecretString::from("tok en+1");
    let token = Some(&token);
    let good = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=tok%20en%2B1";
    assert_eq!(challenge(good, token).as_deref(), Some("1158201444"));
    let script = "hub.verify_token=tok+en%2B1&hub.mode=subscribe&hub.challenge=%3Cscript%3E";
    assert_eq!(challenge(script, token).as_deref(), Some("<script>"));
    let long = "9".repeat(257);
    for (query, token) in [
        (good, None),
        (good, Some(&SecretString::from("tok en+2"))),
        (good, Some(&SecretString::from("tok en"))),
        (
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
            Some(&SecretString::from("")),
        ),
        (
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=+",
            Some(&SecretString::from(" ")),
        ),
        (
            "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=tok+en%2B1",
            token,
        ),
        ("hub.mode=subscribe&hub.verify_token=tok+en%2B1", token),
        ("hub.mode=subscribe&hub.challenge=1", token),
        ("", token),
        (
            &format!("{good}&hub.challenge={long}").replace("hub.challenge=1158201444&", ""),
            token,
        ),
    ] {
        assert_eq!(challenge(query, token), None, "{query}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_header_of_a_stranger_is_taken_for_a_signature(
        kapso in proptest::option::of(header()),
        meta in proptest::option::of(header()),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let signatures = Signatures { kapso: kapso.as_deref(), meta: meta.as_deref() };
        let refused = keys(Some(SECRET), Some(APP)).verify(&signatures, &body);
        let expected = match (&kapso, &meta) {
            (None, None) => WrongSignature::Missing,
            (Some(_), _) | (_, Some(_)) => WrongSignature::Different,
        };
        prop_assert_eq!(refused, Err(expected));
    }

    #[test]
    fn one_flipped_bit_is_noticed(
        body in proptest::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let signature = signed(SECRET, &body);
        let mut forged = body.clone();
        forged[at.index(body.len())] ^= 1 << bit;
        let keys = keys(Some(SECRET), None);
        prop_assert_eq!(verify(&keys, Some(&signature), None, &body), Ok(Trust::Signed));
        let found = verify(&keys, Some(&signature), None, &forged);
        prop_assert_eq!(found, Err(WrongSignature::Different));
    }
}

/// Bytes of any kind, and such as look like a signature.
fn header() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        "(sha256=|SHA256=)?[0-9a-fA-F]{62,66}".prop_map(String::into_bytes),
        "\\PC{0,80}".prop_map(String::into_bytes),
    ]
}
