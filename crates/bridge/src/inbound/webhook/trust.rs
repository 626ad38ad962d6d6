//! For which business numbers a body may be believed: those whose secret signed it.

use kapso::webhook::{Keys, Scope, Signatures, Trust};
use model::NumberId;

/// The keys of one number's signatures.
#[derive(Debug, Clone)]
pub struct NumberKeys {
    /// The number.
    pub number: NumberId,
    /// What the operator calls it.
    pub name: String,
    /// The secrets; without any, what is pushed is only a hint for this number.
    pub keys: Keys,
}

/// What the signatures on a body show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// It was signed with the secret of these numbers.
    Signed(Believed),
    /// No secret fits, and these numbers have none: it may be meant for them.
    Hint(Vec<NumberId>),
    /// Every number has a secret, and none fits.
    None,
}

/// The numbers for which a body is believed, and the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Believed {
    first: NumberId,
    beside: Vec<NumberId>,
    unproven: Vec<NumberId>,
}

impl Believed {
    /// For what the body is read.
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            number: &self.first,
            beside: &self.beside,
            unproven: &self.unproven,
        }
    }

    /// The numbers whose secret signed it.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &NumberId> {
        std::iter::once(&self.first).chain(&self.beside)
    }
}

/// Tries the signatures of a body against the secrets of every number; each comparison takes constant time, and none is
/// left out when another one fits.
pub(super) fn believe(all: &[NumberKeys], signatures: &Signatures<'_>, body: &[u8]) -> Belief {
    let (mut signed, mut unproven, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for NumberKeys { number, keys, .. } in all {
        let found = match keys.verify(signatures, body) {
            Ok(Trust::Signed) => &mut signed,
            Ok(Trust::Unsigned) => {
                open.push(number.clone());
                &mut unproven
            }
            Err(_wrong) => &mut unproven,
        };
        found.push(number.clone());
    }
    if !signed.is_empty() {
        let first = signed.remove(0);
        return Belief::Signed(Believed {
            first,
            beside: signed,
            unproven,
        });
    }
    match open.as_slice() {
        [] => Belief::None,
        [_, ..] => Belief::Hint(open),
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::*;

    const BODY: &[u8] = b"{}";

    fn id(text: &str) -> NumberId {
        NumberId::new(text).unwrap()
    }

    fn keys(number: &str, kapso: Option<&str>, meta: Option<&str>) -> NumberKeys {
        let secret = |key: Option<&str>| key.map(|key| key.to_owned().into());
        NumberKeys {
            number: id(number),
            name: number.to_owned(),
            keys: Keys {
                kapso: secret(kapso),
                meta: secret(meta),
            },
        }
    }

    fn signed_with(key: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(BODY);
        hex::encode(mac.finalize().into_bytes())
    }

    fn of(all: &[NumberKeys], kapso: Option<&str>, meta: Option<&str>) -> Belief {
        let [kapso, meta] = [kapso, meta].map(|key| key.map(signed_with));
        let signatures = Signatures {
            kapso: kapso.as_deref().map(str::as_bytes),
            meta: meta.as_deref().map(str::as_bytes),
        };
        believe(all, &signatures, BODY)
    }

    fn signed(first: &str, beside: &[&str], unproven: &[&str]) -> Belief {
        let ids = |texts: &[&str]| texts.iter().map(|text| id(text)).collect();
        Belief::Signed(Believed {
            first: id(first),
            beside: ids(beside),
            unproven: ids(unproven),
        })
    }

    #[test]
    fn a_body_is_believed_for_the_numbers_whose_secret_signed_it_alone() {
        let all = [
            keys("1", Some("a"), Some("app")),
            keys("2", Some("b"), Some("app")),
            keys("3", Some("b"), None),
        ];
        assert_eq!(of(&all, Some("a"), None), signed("1", &[], &["2", "3"]));
        assert_eq!(of(&all, Some("b"), None), signed("2", &["3"], &["1"]));
        assert_eq!(of(&all, None, Some("app")), signed("1", &["2"], &["3"]));
        assert_eq!(of(&all, None, Some("b")), signed("3", &[], &["1", "2"]));
        for (kapso, meta) in [(Some("app"), None), (None, Some("a")), (None, None)] {
            assert_eq!(of(&all, kapso, meta), Belief::None, "{kapso:?} {meta:?}");
        }
    }

    #[test]
    fn a_number_without_a_secret_is_hinted_at_and_never_believed() {
        let all = [
            keys("1", Some("a"), None),
            keys("2", None, None),
            keys("3", Some("  "), None),
        ];
        let hint = Belief::Hint(vec![id("2"), id("3")]);
        assert_eq!(of(&all, None, None), hint);
        assert_eq!(of(&all, Some("wrong"), None), hint);
        assert_eq!(of(&all, Some("a"), None), signed("1", &[], &["2", "3"]));
    }
}
