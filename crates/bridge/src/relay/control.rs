//! Lines that steer OpenClaw and are not meant for a person: silence tokens, directives, media markers.

use super::reasoning::without_reasoning;

/// Said by the agent in place of an answer (OpenClaw's silent-reply token).
const SILENCE: [&str; 2] = ["NO_REPLY", HEARTBEAT];

/// What an agent that was woken by the clock says when there is nothing to tell; may have words after it.
const HEARTBEAT: &str = "HEARTBEAT_OK";

/// Directives that OpenClaw 2026.5.7 and 2026.7.35 leave in the transcript. Other double brackets are text.
const DIRECTIVES: [&str; 3] = ["[[reply_to_current]]", "[[reply_to:", "[[audio_as_voice]]"];

/// What is left of `text` for a person; `None` when nothing is.
///
/// Silence tokens are dropped where they stand alone on the first or last lines, or end the text; a heartbeat's
/// acknowledgement also where it begins it. `[[directives]]` and reasoning go everywhere, `MEDIA:` lines outside code
/// fences.
pub fn strip_control_lines(text: &str) -> Option<String> {
    let text = without_reasoning(text);
    let text = without_envelope(&text);
    let mut fenced = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            lines.push(line.to_owned());
        } else if !line.trim_start().starts_with("MEDIA:") {
            lines.push(without_directives(line));
        }
    }
    while lines
        .last()
        .is_some_and(|line| line.trim().is_empty() || is_silence(line))
    {
        lines.pop();
    }
    let first = lines
        .iter()
        .position(|line| !line.trim().is_empty() && !is_silence(line))
        .unwrap_or(lines.len());
    let left = lines.split_off(first).join("\n");
    let left = without_tokens_at_the_edges(&left);
    (!left.trim().is_empty()).then(|| left.trim_end().to_owned())
}

/// Nothing, where the text is silence in OpenClaw's JSON form, `{"action":"NO_REPLY"}`.
fn without_envelope(text: &str) -> &str {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if bare == format!("{{\"action\":\"{}\"}}", SILENCE[0]) {
        ""
    } else {
        text
    }
}

/// `Done. NO_REPLY` and `HEARTBEAT_OK All is well.` without the token.
fn without_tokens_at_the_edges(text: &str) -> &str {
    let mut left = text.trim_end();
    for token in SILENCE {
        let before = left.strip_suffix(token).map(str::trim_end);
        // A sentence about the token ends in it too; only one that was over before is cut.
        if let Some(before) = before.filter(|before| before.ends_with(['.', '!', '?', '…', '。']))
        {
            left = before;
        }
    }
    let after = left.trim_start().strip_prefix(HEARTBEAT);
    match after.filter(|rest| rest.starts_with(|c: char| c.is_whitespace() || ".:,-".contains(c))) {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_whitespace() || ".:,-".contains(c)),
        None => left,
    }
}

fn is_silence(line: &str) -> bool {
    let bare = line.trim().trim_matches(['*', '_', '`']);
    SILENCE.contains(&bare)
}

fn without_directives(line: &str) -> String {
    let mut left = line.to_owned();
    for directive in DIRECTIVES {
        while let Some(start) = left.find(directive) {
            let Some(length) = left[start..].find("]]") else {
                break;
            };
            left.replace_range(start..start + length + 2, "");
            if left[..start].ends_with(' ') && left[start..].starts_with(' ') {
                left.remove(start);
            }
        }
    }
    if left.len() == line.len() {
        left
    } else {
        left.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r15_control_lines_never_reach_a_person() {
        for silent in [
            "NO_REPLY",
            " NO_REPLY\n",
            "HEARTBEAT_OK",
            "",
            "  \n",
            "[[reply_to_current]]",
            "<think>hm",
            "**NO_REPLY**",
            "HEARTBEAT_OK\n\nNO_REPLY",
            "{\"action\": \"NO_REPLY\"}",
            "Reasoning:\n_hm_",
        ] {
            assert_eq!(strip_control_lines(silent), None, "{silent:?}");
        }
        let said = |text| strip_control_lines(text).unwrap();
        assert_eq!(said("Hello there\n\nNO_REPLY"), "Hello there");
        assert_eq!(
            said("[[reply_to_current]] Hi **bold** [[audio_as_voice]] ok"),
            "Hi **bold** ok"
        );
        assert_eq!(said("<think>secret</think>visible"), "visible");
        assert_eq!(said("NO_REPLY\nHello"), "Hello");
        assert_eq!(said("Done. NO_REPLY"), "Done.");
        assert_eq!(said("HEARTBEAT_OK All is well."), "All is well.");
        assert_eq!(said("The token is NO_REPLY"), "The token is NO_REPLY");
        assert_eq!(said("  - a\n  - b"), "  - a\n  - b");
        assert_eq!(said("Doc\nMEDIA:./pic.png"), "Doc");
        assert_eq!(said("say NO_REPLY to them"), "say NO_REPLY to them");
        assert_eq!(
            said("array x = [[1,2],[3,4]] and [[open"),
            "array x = [[1,2],[3,4]] and [[open"
        );
        assert_eq!(said("```\nMEDIA:x\n```"), "```\nMEDIA:x\n```");
    }
}
