//! How each type of value is read, from the file and from the environment alike.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use model::{Identity, NumberId};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::environment::Environment;
use crate::expand;
use crate::nearest;
use crate::problem::Wrong;
use crate::raw::Value;

/// The words for true and false.
const FLAGS: [(&str, bool); 8] = [
    ("1", true),
    ("true", true),
    ("yes", true),
    ("on", true),
    ("0", false),
    ("false", false),
    ("no", false),
    ("off", false),
];

/// Text of any kind.
pub(crate) fn text(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::Word(text) | Value::Text(text) => Ok(text.clone()),
        Value::Integer(_)
        | Value::Flag(_)
        | Value::List(_)
        | Value::Decimal(_)
        | Value::Unfit(_)
        | Value::Secret(_) => Err(Wrong::new(found(value), "write it in quotes")),
    }
}

/// Text on one line, without control characters: it goes into a header, a name or a log line.
pub(crate) fn line(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Wrong::new(
            format!("is {}, which has a control character", quoted(text)),
            "write plain text, on one line",
        ));
    }
    Ok(text.to_owned())
}

/// A person on WhatsApp, in the form to compare.
pub(crate) fn identity(value: &Value) -> Result<Identity, Wrong> {
    let text = text(value)?;
    person(&text)
}

/// As [`identity`], of text alone.
pub(crate) fn person(text: &str) -> Result<Identity, Wrong> {
    Identity::new(text)
        .map(|identity| identity.canonical())
        .map_err(|invalid| {
            let remedy =
                "write numbers with country code, as in +15551234567, or WhatsApp user ids";
            Wrong::new(format!("has {}, which {invalid}", quoted(text)), remedy)
        })
}

/// A business number, by Meta's id of it.
pub(crate) fn number_id(value: &Value) -> Result<NumberId, Wrong> {
    NumberId::new(&text(value)?).map_err(|invalid| {
        let remedy = "copy the phone number id from Kapso: digits, and not the phone number";
        Wrong::new(invalid.to_string(), remedy)
    })
}

/// A secret, which goes into a header: one line without spaces.
pub(crate) fn secret(value: &Value) -> Result<SecretString, Wrong> {
    let Value::Secret(secret) = value else {
        return Err(Wrong::new(found(value), "write it in quotes"));
    };
    let text = secret.expose_secret().trim();
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let what = "contains white space or control characters";
        return Err(Wrong::new(what, "write the bare value, on one line"));
    }
    Ok(text.into())
}

/// True or false.
pub(crate) fn flag(value: &Value) -> Result<bool, Wrong> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        Value::Word(word) => {
            let known = FLAGS
                .iter()
                .find(|(name, _)| word.trim().eq_ignore_ascii_case(name));
            let remedy = "write 1, true, yes or on; or 0, false, no or off";
            known
                .map(|(_, flag)| *flag)
                .ok_or_else(|| Wrong::new(found(value), remedy))
        }
        Value::Text(_)
        | Value::Integer(_)
        | Value::List(_)
        | Value::Decimal(_)
        | Value::Unfit(_)
        | Value::Secret(_) => Err(Wrong::new(
            found(value),
            "write true or false, without quotes",
        )),
    }
}

/// A whole number within `bounds`.
pub(crate) fn whole(bounds: RangeInclusive<u32>) -> impl FnOnce(&Value) -> Result<u32, Wrong> {
    move |value| {
        let number = match value {
            Value::Integer(number) => u32::try_from(*number).ok(),
            Value::Word(word) => word.trim().parse().ok(),
            Value::Text(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Decimal(_)
            | Value::Unfit(_)
            | Value::Secret(_) => None,
        };
        number
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                let (least, most) = (bounds.start(), bounds.end());
                let remedy =
                    format!("write a whole number from {least} to {most}, without quotes or unit");
                Wrong::new(found(value), remedy)
            })
    }
}

/// A number of seconds within `bounds`.
pub(crate) fn seconds(
    bounds: RangeInclusive<u32>,
) -> impl FnOnce(&Value) -> Result<Duration, Wrong> {
    move |value| whole(bounds)(value).map(|seconds| Duration::from_secs(seconds.into()))
}

/// One of a few names.
pub(crate) fn choice<T: Copy>(
    names: &[(&'static str, T)],
) -> impl FnOnce(&Value) -> Result<T, Wrong> {
    move |value| {
        let written = text(value)?;
        let known = names
            .iter()
            .find(|(name, _)| written.trim().eq_ignore_ascii_case(name));
        known.map(|(_, choice)| *choice).ok_or_else(|| {
            Wrong::new(
                format!("is {}, which is not known", quoted(&written)),
                one_of(&written, names.iter().map(|(name, _)| *name)),
            )
        })
    }
}

/// What to write in the place of a name that is none of these.
pub(crate) fn one_of<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let nearest = nearest::of(written, names.iter().copied()).unwrap_or_default();
    match names.as_slice() {
        [only] => format!("write {only}"),
        all => format!(
            "write one of {}; the nearest one is {nearest}",
            all.join(", ")
        ),
    }
}

/// A path, expanded.
pub(crate) fn path(environment: &Environment) -> impl FnOnce(&Value) -> Result<PathBuf, Wrong> {
    move |value| expand::path(text(value)?.trim(), environment)
}

/// An address of one of these schemes, without a user name, a password, a query or a fragment. A slash at its end
/// is dropped, so that paths can be joined to it.
pub(crate) fn url(schemes: &'static [&'static str]) -> impl FnOnce(&Value) -> Result<Url, Wrong> {
    move |value| {
        let example = schemes.first().copied().unwrap_or_default();
        let remedy = || format!("write an address such as {example}://host");
        // The text itself is not shown: what is wrong with it may be a password.
        let mut url = Url::parse(text(value)?.trim())
            .map_err(|error| Wrong::new(format!("is not an address ({error})"), remedy()))?;
        if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
            return Err(Wrong::new(
                format!("is not a {} address", schemes.join(" or ")),
                remedy(),
            ));
        }
        let more = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if more {
            let what = "has a user name, a password, a query or a fragment";
            return Err(Wrong::new(
                what,
                "remove it; secrets have keys of their own",
            ));
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
        }
        Ok(url)
    }
}

/// An address to which the API key is sent: encrypted, unless it stays on this host.
pub(crate) fn key_url(value: &Value) -> Result<Url, Wrong> {
    let url = url(&["https", "http"])(value)?;
    if leaves_host_in_clear(&url) {
        let what = "would send the API key over the network unencrypted";
        return Err(Wrong::new(what, "write an https address"));
    }
    Ok(url)
}

/// Whether what is sent to this address in clear text leaves the host.
pub(crate) fn leaves_host_in_clear(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    matches!(url.scheme(), "http" | "ws") && !loopback
}

/// What was written, for a message.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::Word(text) => format!("is {}", quoted(text)),
        Value::Text(text) => format!("is the text {}", quoted(text)),
        Value::Integer(number) => format!("is the number {number}"),
        Value::Flag(flag) => format!("is {flag}"),
        Value::List(_) => "is a list".to_owned(),
        Value::Decimal(_) => "is a decimal number".to_owned(),
        Value::Unfit(kind) => format!("is {kind}"),
        Value::Secret(_) => "is a secret".to_owned(),
    }
}

/// A written value in a message: in quotes, escaped, and not longer than a line.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let short: String = text.chars().take(LONGEST).collect();
    format!("{:?}", format!("{short}…"))
}
