//! Files of the host's: in a user's folder, in root's, or in the gateway's.

/// The folders of OpenClaw's state, under the names that it has had.
const STATE: [&str; 3] = [".openclaw", ".clawdbot", ".moltbot"];

/// First folders of a Unix host; below them a folder named after the gateway is the gateway's.
const SYSTEM: [&str; 14] = [
    "app", "data", "etc", "home", "mnt", "opt", "private", "root", "run", "srv", "tmp", "usr",
    "var", "Users",
];

/// Users of examples: a path of theirs is on nobody's host.
const EXAMPLES: [&str; 7] = [
    "user", "username", "you", "me", "name", "example", "youruser",
];

/// The length of the host's path at the head of `text`.
pub(super) fn host_path(text: &str) -> Option<usize> {
    let scheme = ["file:///", "file://"]
        .iter()
        .find(|scheme| text.starts_with(**scheme))
        .map_or(0, |scheme| {
            // The last slash of `file:///home` is the path's, that of `file:///C:` is not.
            let drive = text.as_bytes().get(scheme.len() + 1) == Some(&b':');
            if drive { scheme.len() } else { "file://".len() }
        });
    let path = &text[scheme..];
    let length = windows(path).or_else(|| unix(path))?;
    Some(scheme + length)
}

/// Where a path ends at the latest: at a space, or at what encloses or follows it in a sentence.
fn end_of_word(text: &str) -> usize {
    const AROUND: [char; 14] = [
        '"', '\'', '`', '<', '>', '|', '*', '?', ',', ';', '(', ')', '[', ']',
    ];
    text.find(|c: char| c.is_whitespace() || AROUND.contains(&c))
        .unwrap_or(text.len())
}

fn unix(text: &str) -> Option<usize> {
    if !text.starts_with(['/', '~', '$', '.']) {
        return None;
    }
    let end = end_of_word(text);
    let path = text[..end].trim_end_matches(['.', ':', '!', '…', '。', '/']);
    let parts: Vec<&str> = path.split('/').collect();
    let home = match parts[..] {
        ["", "home" | "Users", user, _, ..] => is_user(user),
        ["", "root", _, ..] => true,
        _ => false,
    };
    (home || is_state(&parts)).then_some(path.len())
}

/// Whether one of the parts of a path is the gateway's folder.
fn is_state(parts: &[&str]) -> bool {
    let named = parts.iter().any(|part| STATE.contains(part));
    let below = parts.first() == Some(&"")
        && parts.get(1).is_some_and(|first| SYSTEM.contains(first))
        && parts
            .iter()
            .skip(2)
            .any(|part| part.starts_with("openclaw"));
    parts.len() > 1 && (named || below)
}

fn is_user(name: &str) -> bool {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
    let lower = name.to_ascii_lowercase();
    plain && !EXAMPLES.contains(&lower.as_str()) && !lower.starts_with("your")
}

/// `C:\Users\Ann\…`, with either slash, or doubled as in JSON.
fn windows(text: &str) -> Option<usize> {
    let drive = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = text.get(1..)?.strip_prefix(':').filter(|_| drive)?;
    let below = separated(rest)?;
    let below = below
        .get(..5)
        .filter(|folder| folder.eq_ignore_ascii_case("Users"))
        .and_then(|_| separated(&below[5..]))?;
    // A user's name may have a space in it; what follows is taken up to the first.
    let user = below.split(['\\', '/', '\n', '"', '\'']).next()?;
    let file = separated(&below[user.len()..])?;
    if !is_user(user) {
        return None;
    }
    let end = end_of_word(file);
    let tail = file[..end].trim_end_matches(['.', ':', '!', '…', '。']);
    Some(text.len() - file.len() + tail.len())
}

/// What follows the separator at the head of `text`.
fn separated(text: &str) -> Option<&str> {
    text.strip_prefix("\\\\")
        .or_else(|| text.strip_prefix(['\\', '/']))
}
