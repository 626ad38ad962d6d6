//! Lines that steer OpenClaw and are not meant for a person: silence tokens, directives, media markers.

/// Said by the agent in place of an answer (OpenClaw's silent-reply token).
const SILENCE: [&str; 2] = ["NO_REPLY", "HEARTBEAT_OK"];

/// Directives that OpenClaw 2026.5.7 and 2026.7.35 leave in the transcript. Other double brackets are text.
const DIRECTIVES: [&str; 3] = ["[[reply_to_current]]", "[[reply_to:", "[[audio_as_voice]]"];

/// What is left of `text` for a person; `None` when nothing is.
///
/// Silence tokens are dropped where they stand alone on the last lines, `[[directives]]` and a leading reasoning
/// block everywhere, `MEDIA:` lines outside code fences.
pub fn strip_control_lines(text: &str) -> Option<String> {
    let text = without_reasoning(text);
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
    let left = lines.join("\n");
    let left = left.trim_start_matches('\n');
    (!left.trim().is_empty()).then(|| left.trim_end().to_owned())
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

fn without_reasoning(text: &str) -> &str {
    let start = text.trim_start();
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        if let Some(rest) = start.strip_prefix(open) {
            // An unclosed block is reasoning to its end: better silent than telling.
            return rest
                .find(close)
                .map_or("", |end| &rest[end + close.len()..]);
        }
    }
    text
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
        assert_eq!(said("Doc\nMEDIA:./pic.png"), "Doc");
        assert_eq!(said("say NO_REPLY to them"), "say NO_REPLY to them");
        assert_eq!(
            said("array x = [[1,2],[3,4]] and [[open"),
            "array x = [[1,2],[3,4]] and [[open"
        );
        assert_eq!(said("```\nMEDIA:x\n```"), "```\nMEDIA:x\n```");
    }
}
