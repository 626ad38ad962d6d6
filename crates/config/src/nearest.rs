//! The name that was probably meant.

use std::collections::BTreeSet;

use crate::key::KEYS;

/// Two names at most this many edits apart are taken for one name and a slip.
const SLIP: usize = 2;

/// The candidate that is the fewest edits away from `written`; the first of several.
pub(crate) fn of<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    let edits = |name: &&str| strsim::damerau_levenshtein(&written, &name.to_lowercase());
    candidates.into_iter().min_by_key(edits)
}

/// The candidate that `written` is probably a slip of.
pub(crate) fn slip_of<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    of(written, candidates).filter(|name| strsim::damerau_levenshtein(written, name) <= SLIP)
}

/// The full name of the key or section that `path` was probably meant to be.
///
/// A name that exists in another section is that one: `kapso.token` is `gateway.token`, unless one of its own section
/// is a slip away. Otherwise the nearest of its own section, or the nearest section.
pub(crate) fn of_path(path: &str) -> String {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings: BTreeSet<&str> = KEYS
        .iter()
        .filter_map(|key| child(key.path, section))
        .collect();
    let slip = slip_of(name, siblings.iter().copied());
    if let (None, Some(elsewhere)) = (slip, elsewhere(section, name)) {
        return elsewhere.to_owned();
    }
    let sibling = slip.or_else(|| of(name, siblings)).unwrap_or_default();
    if section.is_empty() {
        sibling.to_owned()
    } else {
        format!("{section}.{sibling}")
    }
}

/// The key of this name in another section: below `section` if there is one, else the first of all.
fn elsewhere(section: &str, name: &str) -> Option<&'static str> {
    let mut known = KEYS.iter().filter(|key| key.split().1 == name);
    let below = known.clone().find(|key| child(key.path, section).is_some());
    below.or_else(|| known.next()).map(|key| key.path)
}

/// The name directly below `section` on the way to `path`.
fn child(path: &'static str, section: &str) -> Option<&'static str> {
    let rest = match section {
        "" => path,
        section => path.strip_prefix(section)?.strip_prefix('.')?,
    };
    rest.split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_the_nearest_name_is_found() {
        assert_eq!(of_path("securty"), "security");
        assert_eq!(of_path("delivery.poll_intervall"), "delivery.poll_interval");
        assert_eq!(of_path("poll_interval"), "delivery.poll_interval");
        assert_eq!(of_path("kapso.token"), "gateway.token");
        assert_eq!(of_path("number"), "numbers");
        assert_eq!(of_path("numbers.mode"), "numbers.security.mode");
        assert_eq!(
            of_path("numbers.security.rate_lim"),
            "numbers.security.rate_limit"
        );
        assert_eq!(
            of("webhok", ["polling", "tailscale", "domain"]),
            Some("domain")
        );
        assert_eq!(
            slip_of("KAPSO_ALLOWED_NUMBER", ["KAPSO_ALLOWED_NUMBERS"]),
            Some("KAPSO_ALLOWED_NUMBERS")
        );
        assert_eq!(slip_of("KAPSO_TRANSCRIBE_API_KEY", ["KAPSO_API_KEY"]), None);
    }
}
