//! What `chat.send` reads in a text: stop words, commands, directives, or words (openclaw.md 3.6).
//!
//! The commands are those whose replies were recorded with our scopes; others that the releases know are named in
//! [`OTHERS`], so that no test takes them for words.

use super::release::Release;

/// Some of the words that end what runs; a text is compared whole.
const STOP: [&str; 14] = [
    "/stop",
    "stop",
    "stop please",
    "please stop",
    "abort",
    "esc",
    "exit",
    "halt",
    "interrupt",
    "stopp",
    "стоп",
    "остановись",
    "停止",
    "arrête",
];
/// What else ends a run of 2026.5.7.
const STOP_UNTIL_5: &str = "wait";
/// What is taken off the end of a text before it is compared with them.
const PUNCTUATION: &str = ".!?！？…,，。;；:：'\"’”)]}";

/// Commands that are obeyed at the start of a text, with their replies below.
const COMMANDS: [&str; 10] = [
    "status", "help", "whoami", "new", "reset", "config", "bash", "restart", "debug", "send",
];
/// Directives that are obeyed anywhere in a text, and taken out of it.
const DIRECTIVES: [&str; 9] = [
    "status",
    "think",
    "verbose",
    "reasoning",
    "fast",
    "elevated",
    "exec",
    "model",
    "queue",
];
/// The settings of `/exec`.
const EXEC: [&str; 4] = ["host", "security", "ask", "node"];
/// Commands of the releases that are not emulated.
const OTHERS: [&str; 18] = [
    "commands",
    "context",
    "usage",
    "models",
    "tts",
    "compact",
    "btw",
    "goal",
    "subagents",
    "session",
    "skill",
    "mcp",
    "approve",
    "allowlist",
    "plugins",
    "acp",
    "pair",
    "export-session",
];

const OWNER_ONLY: &str = "You are not authorized to use this owner-only command. Ask the operator to grant this \
                          Gateway client operator.admin access.";
const NO_RESET: &str = "⚠️ You are not authorized to reset this session. Gateway resets require operator.admin and \
                        command access. Ask your administrator to reset it, or send your message without the command.";
const HELP: &str = "ℹ️ Help\n\nSession\n  /new  |  /reset  |  /compact [instructions]  |  /stop\n\nMore: /commands for \
                    full list, /tools for available capabilities";
const WHOAMI: &str =
    "🧭 Identity\nChannel: webchat\nUser id: gateway-client\nAllowFrom: gateway-client";

/// What the gateway makes of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What runs in the session is ended.
    Stop,
    /// A command was obeyed; what it says, if it says something.
    Command(Option<String>),
    /// The model gets these words. What was taken out of them was obeyed.
    Words {
        words: String,
        directives: Vec<String>,
    },
    /// A command that is not emulated.
    Other(String),
}

/// Reads a text that was sent to `session`.
pub(super) fn read(release: Release, session: &str, text: &str) -> Reading {
    let bare = uncovered(release, text);
    if is_stop(release, &bare) {
        return Reading::Stop;
    }
    if let Some(name) = leading(&bare) {
        if COMMANDS.contains(&name.as_str()) {
            return Reading::Command(reply(release, session, &name, &bare));
        }
        if OTHERS.contains(&name.as_str()) {
            return Reading::Other(name);
        }
    }
    let (words, directives) = without_directives(release, text);
    match directives.last() {
        Some(last) if words.trim().is_empty() => {
            Reading::Command(Some(directive_reply(release, session, last)))
        }
        Some(_) | None => Reading::Words { words, directives },
    }
}

/// The text without what the gateway takes off before it looks for a command: bracketed beginnings, and up to
/// 2026.7.35 a name with a colon.
fn uncovered(release: Release, text: &str) -> String {
    let mut rest = text.trim();
    while let Some((_, after)) = rest
        .strip_prefix('[')
        .and_then(|inside| inside.split_once(']'))
    {
        rest = after.trim_start();
    }
    if release < Release::V2026_9_6
        && let Some((name, after)) = rest.split_once(": ")
        && !name.contains('\n')
        && !name.starts_with('/')
    {
        rest = after;
    }
    rest.trim().to_owned()
}

fn is_stop(release: Release, bare: &str) -> bool {
    let word = bare.to_lowercase();
    let word = word.trim_end_matches(|c| PUNCTUATION.contains(c)).trim();
    STOP.contains(&word) || (release == Release::V2026_5_7 && word == STOP_UNTIL_5)
}

/// The name of the command that a text begins with.
fn leading(text: &str) -> Option<String> {
    let name = text.strip_prefix('/')?;
    let name = name.split(|c: char| is_space(c) || c == ':').next()?;
    Some(name.to_lowercase())
}

/// As JavaScript has it.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn reply(release: Release, session: &str, name: &str, text: &str) -> Option<String> {
    // Older releases say nothing to what they do not allow.
    let refused = |words: &str| (release == Release::V2026_9_6).then(|| words.to_owned());
    match name {
        "status" => Some(status(release, session)),
        "help" => Some(HELP.to_owned()),
        "whoami" => Some(WHOAMI.to_owned()),
        "new" | "reset" => refused(NO_RESET),
        "config" if !text.to_lowercase().contains("set") => Some(disabled("config")),
        "bash" => Some(disabled("bash")),
        _ => refused(OWNER_ONLY),
    }
}

fn disabled(name: &str) -> String {
    format!("⚠️ /{name} is disabled. Set commands.{name}=true to enable.")
}

fn status(release: Release, session: &str) -> String {
    let version = release.version();
    format!(
        "🦞 OpenClaw {version} (sandbox)\n🧠 Model: scripted/scripted\n🧵 Session: {session}\n🪢 Queue: steer"
    )
}

/// The words that are left, and the directives that were in them.
fn without_directives(release: Release, text: &str) -> (String, Vec<String>) {
    let (mut words, mut directives, mut at) = (String::new(), Vec::new(), 0);
    for (slash, _) in text.match_indices('/') {
        let begins = text[..slash].chars().next_back().is_none_or(is_space);
        if slash < at || !begins {
            continue;
        }
        let Some(length) = directive(&text[slash..]) else {
            continue;
        };
        words.push_str(text[at..slash].trim_end_matches([' ', '\t']));
        at = slash + length;
        directives.push(text[slash..at].to_owned());
    }
    words.push_str(&text[at..]);
    if !directives.is_empty() && release < Release::V2026_9_6 {
        words = words.trim().to_owned();
    }
    (words, directives)
}

/// The length of the directive that a text begins with, its settings included.
fn directive(text: &str) -> Option<usize> {
    let name = leading(text)?;
    if !DIRECTIVES.contains(&name.as_str()) {
        return None;
    }
    let mut end = 1 + text[1..]
        .find(|c: char| is_space(c) || c == ':')
        .unwrap_or(text.len() - 1);
    let mut room = match name.as_str() {
        "status" => 0,
        "exec" => EXEC.len(),
        _ => 1,
    };
    while room > 0 {
        let rest = text[end..].trim_start_matches(|c: char| is_space(c) || c == ':');
        let word = rest.split(is_space).next().unwrap_or_default();
        let setting = word
            .split_once('=')
            .is_some_and(|(key, _)| EXEC.contains(&key));
        if word.is_empty() || (name == "exec" && !setting) {
            break;
        }
        end = text.len() - rest.len() + word.len();
        room -= 1;
    }
    Some(end)
}

/// What the gateway says to a text that is nothing but directives.
fn directive_reply(release: Release, session: &str, directive: &str) -> String {
    let name = leading(directive).unwrap_or_default();
    let settings: Vec<&str> = directive.split_whitespace().skip(1).collect();
    let level = settings.first().copied().unwrap_or_default();
    let callers = match release {
        Release::V2026_5_7 => "internal gateway callers",
        Release::V2026_7_35 | Release::V2026_9_6 => "gateway callers",
    };
    match name.as_str() {
        "status" => status(release, session),
        "exec" => {
            let kept = format!(
                "⚙️ Exec defaults require operator.admin for {callers}; skipped persistence."
            );
            let policy: Vec<&str> = settings
                .into_iter()
                .filter(|s| !s.starts_with("host="))
                .collect();
            match release {
                Release::V2026_9_6 => format!(
                    "{kept} ⚙️ Exec policy for this run only ({}).",
                    policy.join(", ")
                ),
                Release::V2026_5_7 | Release::V2026_7_35 => kept,
            }
        }
        "think" if release == Release::V2026_5_7 => format!("Thinking level set to {level}."),
        "think" => format!(
            "Thinking level \"{level}\" is not supported for scripted/scripted. Use one of: off."
        ),
        "verbose" => format!(
            "⚙️ Verbose logging set for the current reply only. ⚙️ Verbose defaults require operator.admin for \
             {callers}; skipped persistence."
        ),
        "reasoning" => "⚙️ Reasoning visibility enabled.".to_owned(),
        "fast" => "⚙️ Fast mode enabled.".to_owned(),
        "queue" => format!("⚙️ Queue mode set to {level}."),
        "elevated" => "elevated is not available right now (runtime=direct).".to_owned(),
        _ => "Model reset to default (scripted/scripted).".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "agent:main:a";

    fn words(release: Release, text: &str) -> Option<String> {
        match read(release, SESSION, text) {
            Reading::Words { words, .. } => Some(words),
            Reading::Stop | Reading::Command(_) | Reading::Other(_) => None,
        }
    }

    #[test]
    fn what_the_model_saw_is_as_recorded() {
        use Release::{V2026_7_35 as OLD, V2026_9_6 as NEW};
        for (release, text, saw) in [
            (NEW, "hello /status there", Some("hello there")),
            (
                NEW,
                "foo /exec host=gateway security=full ask=off bar",
                Some("foo bar"),
            ),
            (NEW, "line one\n/exec security=full", Some("line one\n")),
            (OLD, "line one\n/exec security=full", Some("line one")),
            (NEW, "line one\n/new", Some("line one\n/new")),
            (NEW, "hello\t/status", Some("hello")),
            (NEW, "a\u{a0}/status", Some("a\u{a0}")),
            (NEW, "[WhatsApp +1555] /new", None),
            (OLD, "Ann: /status", None),
            (NEW, "Ann: /status", Some("Ann:")),
            (NEW, "> /status", Some(">")),
            (NEW, "  /status  ", None),
            (NEW, "Stop.", None),
            (NEW, "please stop", None),
            (NEW, "wait", Some("wait")),
            (Release::V2026_5_7, "wait", None),
            (NEW, "/unknowncmd foo", Some("/unknowncmd foo")),
            (NEW, "!id", Some("!id")),
            (
                NEW,
                "see http://x.y/status ok",
                Some("see http://x.y/status ok"),
            ),
            (NEW, "path /usr/bin/env ok", Some("path /usr/bin/env ok")),
            (NEW, "*/status*", Some("*/status*")),
            (NEW, "1) /new", Some("1) /new")),
            (
                NEW,
                "hey \u{2060}/think high there",
                Some("hey \u{2060}/think high there"),
            ),
            (NEW, "\u{2060}/new", Some("\u{2060}/new")),
            (NEW, "\u{2060}stop", Some("\u{2060}stop")),
        ] {
            assert_eq!(words(release, text).as_deref(), saw, "{release:?} {text:?}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_told_by_the_newest_release_only() {
        for text in [
            "/new",
            "/reset now",
            "/config set logging.level=debug",
            "/restart",
        ] {
            let says = |release| match read(release, SESSION, text) {
                Reading::Command(reply) => reply.is_some(),
                other @ (Reading::Stop | Reading::Words { .. } | Reading::Other(_)) => {
                    panic!("{text}: {other:?}")
                }
            };
            assert!(
                says(Release::V2026_9_6) && !says(Release::V2026_7_35) && !says(Release::V2026_5_7)
            );
        }
    }

    #[test]
    fn an_exec_directive_alone_says_what_it_did() {
        let text = "/exec host=gateway security=full ask=off";
        let Reading::Command(Some(reply)) = read(Release::V2026_9_6, SESSION, text) else {
            panic!("a directive alone has a reply");
        };
        assert!(
            reply.ends_with("Exec policy for this run only (security=full, ask=off)."),
            "{reply}"
        );
    }

    #[test]
    fn a_command_that_is_not_emulated_is_no_question() {
        assert_eq!(
            read(Release::V2026_9_6, SESSION, "/compact"),
            Reading::Other("compact".to_owned())
        );
    }
}
