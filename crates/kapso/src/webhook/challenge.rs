//! Meta's verification of an address: a GET with a token, answered with the challenge in it (kapso.md 4.3).

use hmac::Mac as _;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use super::signature::keyed;

/// The longest challenge that is given back, in bytes; Meta's are ten digits.
const LONGEST: usize = 256;

/// The answer to a verification request: its challenge, as it came. None when it must be refused: the token is wrong
/// or none is configured, or it is no such request. To be served as `text/plain`: the words are a stranger's.
///
/// `query` is the part of the address after the question mark.
pub fn challenge(query: &str, token: Option<&SecretString>) -> Option<String> {
    let token = token.map(SecretString::expose_secret)?;
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let challenge = parameter("hub.challenge")?;
    let asked = parameter("hub.mode")? == "subscribe" && challenge.len() <= LONGEST;
    let known = !token.trim().is_empty() && is_same(token, &parameter("hub.verify_token")?);
    (asked && known).then_some(challenge)
}

/// Compares by hashes under a shared key, so that the time tells nothing about where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    let mut mac = keyed("verify_token");
    mac.update(one.as_bytes());
    let mut given = keyed("verify_token");
    given.update(other.as_bytes());
    mac.verify(&given.finalize().into_bytes()).is_ok()
}
