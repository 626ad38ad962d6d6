//! Strings that open something: keys in the form in which they are issued, and what is told after a word like "key".

/// How keys begin that are known by their form; the fewest characters after that; whether `-` and `_` may be among
/// them.
const ISSUED: [(&str, usize, bool); 24] = [
    ("sk-", 20, true),
    ("sk_live_", 16, false),
    ("rk_live_", 16, false),
    ("whsec_", 20, true),
    ("ghp_", 30, false),
    ("gho_", 30, false),
    ("ghu_", 30, false),
    ("ghs_", 30, false),
    ("ghr_", 30, false),
    ("github_pat_", 22, true),
    ("glpat-", 20, true),
    ("xoxa-", 10, true),
    ("xoxb-", 10, true),
    ("xoxe-", 10, true),
    ("xoxo-", 10, true),
    ("xoxp-", 10, true),
    ("xoxr-", 10, true),
    ("xoxs-", 10, true),
    ("xapp-", 10, true),
    ("AIza", 35, true),
    ("npm_", 36, false),
    ("hf_", 30, false),
    // Meta's access tokens.
    ("EAA", 60, false),
    ("ya29.", 20, true),
];

/// Amazon's key ids: these four letters and sixteen capitals and digits.
const AMAZON: [&str; 2] = ["AKIA", "ASIA"];

/// Words after which a long hexadecimal number is a secret.
const LABELS: [&str; 10] = [
    "token", "tokens", "key", "keys", "apikey", "secret", "secrets", "password", "passwd", "bearer",
];

/// Ends of the names of settings that hold secrets.
const SETTINGS: [&str; 5] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD"];

/// How many words before a number are looked at for one of [`LABELS`].
const LABEL_WORDS: usize = 5;

/// How many characters before a value are looked at.
const LABEL_REACH: usize = 80;

/// The fewest digits of a hexadecimal secret: 128 bits.
const HEX_LENGTH: usize = 32;

/// The fewest characters of the value of a setting or of a bearer token.
const VALUE_LENGTH: usize = 16;

/// The length of the key at the head of `text` that is known by its form alone.
pub(super) fn issued(text: &str) -> Option<usize> {
    private_key(text)
        .or_else(|| by_prefix(text))
        .or_else(|| amazon(text))
}

/// The length of the secret at `at` that is known by its place: after a word, or as the value of a setting; or of a
/// signed token, which in a link would be the customer's.
pub(super) fn told(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if let Some(length) = signed_token(rest) {
        return Some(length);
    }
    let length = run(rest, |c| c.is_ascii_alphanumeric() || "+/=_-.".contains(c));
    let value = rest[..length].trim_end_matches('.');
    if value.len() < VALUE_LENGTH || !has_digit_and_letter(value) {
        return None;
    }
    let before = reach_back(&text[..at]);
    let hex = value.len() >= HEX_LENGTH && value.bytes().all(|b| b.is_ascii_hexdigit());
    let secret = (hex && is_labelled(before)) || is_setting(before) || is_bearer(before);
    secret.then_some(value.len())
}

/// A block from `-----BEGIN … PRIVATE KEY-----` to its end, or to the end of the text.
fn private_key(text: &str) -> Option<usize> {
    let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    if label.contains('\n') || !label.contains("PRIVATE KEY") {
        return None;
    }
    let end = format!("-----END {label}-----");
    let rest_at = text.len() - rest.len();
    Some(
        rest.find(&end)
            .map_or(text.len(), |at| rest_at + at + end.len()),
    )
}

fn by_prefix(text: &str) -> Option<usize> {
    ISSUED.iter().find_map(|(prefix, least, dashes)| {
        let body = text.strip_prefix(prefix)?;
        let length = run(body, |c| {
            c.is_ascii_alphanumeric() || (*dashes && matches!(c, '-' | '_'))
        });
        // Examples in a manual are words: real ones have digits.
        (length >= *least && has_digit_and_letter(&body[..length])).then(|| prefix.len() + length)
    })
}

fn amazon(text: &str) -> Option<usize> {
    let body = AMAZON.iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let length = run(body, |c| c.is_ascii_alphanumeric());
    let capitals = body[..length]
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (length == 16 && capitals).then_some(20)
}

/// A JSON web token: three parts, the first two of which are JSON in base64.
fn signed_token(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let length = run(text, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
    });
    let token = text[..length].trim_end_matches('.');
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        return None;
    };
    let whole = head.len() >= 10 && claims.starts_with("eyJ") && signature.len() >= 10;
    whole.then_some(token.len())
}

fn is_labelled(before: &str) -> bool {
    let lower = before.to_ascii_lowercase();
    lower
        .rsplit(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(LABEL_WORDS)
        .any(|word| LABELS.contains(&word))
}

/// Whether what comes is the value of `SOME_API_KEY=` or `SOME_API_KEY: `.
fn is_setting(before: &str) -> bool {
    let before = before.trim_end_matches(['"', '\'', ' ']);
    let Some(name) = before.strip_suffix(['=', ':']) else {
        return false;
    };
    let name = name.trim_end_matches(['"', '\'', ' ']);
    let start = name
        .rfind(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_')
        .map_or(0, |at| {
            at + name[at..].chars().next().map_or(1, char::len_utf8)
        });
    let name = &name[start..];
    name.contains('_') && SETTINGS.iter().any(|end| name.ends_with(end))
}

fn is_bearer(before: &str) -> bool {
    before
        .trim_end()
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("bearer"))
}

/// The end of `text`, no longer than what is looked at.
fn reach_back(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .nth(LABEL_REACH)
        .map_or(0, |(at, _)| at);
    &text[start..]
}

fn has_digit_and_letter(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// How many bytes of `text` are of that kind, from its head.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}
