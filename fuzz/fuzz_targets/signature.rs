//! Signatures of pushed bodies, and the verification of an address.
//!
//! The first line of an input says which keys are configured (a `k` for Kapso's, an `m` for Meta's), the second is
//! `X-Webhook-Signature`, the third `X-Hub-Signature-256`, the rest is the body. `KAPSO` and `META` in a header stand
//! for the right signature under that key, which no fuzzer could guess.

#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use kapso::webhook::{Keys, Signatures, Trust, challenge};
use kapso_whatsapp_fuzz::first_line;
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use sha2::Sha256;

const KAPSO: &str = "kapso's key";
const META: &str = "meta's key";

fuzz_target!(|input: &[u8]| {
    let Some((configured, rest)) = first_line(input) else {
        return;
    };
    let Some((first, rest)) = first_line(rest) else {
        return;
    };
    let Some((second, body)) = first_line(rest) else {
        return;
    };
    let (has_kapso, has_meta) = (configured.contains(&b'k'), configured.contains(&b'm'));
    let keys = Keys {
        kapso: has_kapso.then(|| SecretString::from(KAPSO)),
        meta: has_meta.then(|| SecretString::from(META)),
    };
    let (first, second) = (filled_in(first, body), filled_in(second, body));
    let verified = keys.verify(
        &Signatures {
            kapso: (!first.is_empty()).then_some(&first[..]),
            meta: (!second.is_empty()).then_some(&second[..]),
        },
        body,
    );
    let key_of_second = if has_meta { META } else { KAPSO };
    let right = has_kapso && shows(&first, KAPSO, body)
        || (has_kapso || has_meta) && shows(&second, key_of_second, body);
    match verified {
        Ok(Trust::Unsigned) => assert!(!has_kapso && !has_meta),
        Ok(Trust::Signed) => assert!(right, "believed without a signature"),
        Err(_) => assert!(has_kapso || has_meta),
    }
    if let Ok(query) = std::str::from_utf8(body) {
        let token = SecretString::from("token");
        let given = challenge(query, Some(&token));
        assert!(given.is_none_or(|given| given.len() <= 256 && query.contains("token")));
        assert_eq!(challenge(query, None), None);
    }
});

fn signature(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length will do");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Puts the right signatures in the place of their names.
fn filled_in(header: &[u8], body: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(header) {
        Ok(text) => text
            .replace("KAPSO", &signature(KAPSO, body))
            .replace("META", &signature(META, body))
            .into_bytes(),
        Err(_) => header.to_vec(),
    }
}

/// Whether the right signature stands in the header, however it is written.
fn shows(header: &[u8], key: &str, body: &[u8]) -> bool {
    let header = String::from_utf8_lossy(header).to_ascii_lowercase();
    header.contains(&signature(key, body))
}
