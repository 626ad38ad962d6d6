//! Lives as stories: one line a step with its time, the time since the step before, and the reason.
//!
//! Messages that were handed over together are one story, since one turn and one answer came of them.

use std::time::Duration;

use super::life::{Life, Message};
use super::steps::{self, Step};
use crate::local::Zone;
use crate::screen::{excerpt, field, one_line, took};

/// The columns of a step before its note: the time, and what happened.
const NOTE: usize = 28;

/// The stories of these lives, in their order.
pub(super) fn tell(lives: &[Life], zone: &Zone) -> String {
    let stories = lives.chunk_by(together).map(|lives| story(lives, zone));
    stories.collect::<Vec<_>>().join("\n")
}

fn together(one: &Life, other: &Life) -> bool {
    let turn = |life: &Life| life.turn.as_ref().map(|turn| turn.id);
    turn(one).is_some() && turn(one) == turn(other)
}

fn story(lives: &[Life], zone: &Zone) -> String {
    let messages: Vec<&Message> = lives
        .iter()
        .filter_map(|life| life.message.as_ref())
        .collect();
    let mut lines: Vec<String> = messages.iter().map(|message| heading(message)).collect();
    if messages.is_empty() {
        lines.push("not an answer to a message".to_owned());
    }
    lines.extend(listed(&steps::of(lives, zone), zone));
    lines.join("\n") + "\n"
}

fn heading(message: &Message) -> String {
    let from = one_line(message.from.as_deref().unwrap_or("somebody"));
    let name = message
        .name
        .as_deref()
        .map(one_line)
        .filter(|name| !name.is_empty());
    let who = name.map_or(from.clone(), |name| format!("{from} ({name})"));
    let kind = one_line(message.kind.as_deref().unwrap_or("message"));
    let state = message.state.replace('_', " ");
    let head = format!(
        "{}\n{}",
        one_line(&message.id),
        field("", 2, &format!("{who}, {kind}, {state}"))
    );
    match message.text.as_deref().map(|text| excerpt(text, 4)) {
        Some(text) if !text.is_empty() => format!("{head}\n  {text}"),
        Some(_) | None => head,
    }
}

/// The steps as lines, with the day above the first one of each.
fn listed(steps: &[Step], zone: &Zone) -> Vec<String> {
    let (mut lines, mut before): (Vec<String>, Option<i64>) = (Vec::new(), None);
    for step in steps {
        if before.is_none_or(|before| zone.day(before) != zone.day(step.at)) {
            lines.push(format!("  {}", zone.day(step.at)));
        }
        let since = before.and_then(|before| u64::try_from(step.at.saturating_sub(before)).ok());
        let since = since.map(|millis| format!("(+{})", took(Duration::from_millis(millis))));
        let note = [Some(step.note.clone()), since].into_iter().flatten();
        let note: Vec<String> = note.filter(|part| !part.is_empty()).collect();
        let head = format!("  {}  {}", zone.exact(step.at), step.what);
        lines.push(field(&format!("{head} "), NOTE, &note.join(" ")));
        if let Some(id) = &step.id {
            lines.push(format!("{:16}{}", "", one_line(id)));
        }
        before = Some(step.at);
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    /// 2023-11-14 22:13:20 UTC.
    const START: i64 = 1_700_000_000_000;

    fn told(lives: Value) -> String {
        tell(&Vec::<Life>::deserialize(lives).unwrap(), &Zone::utc())
    }

    fn life(message: &Value, turn: &Value, replies: &[Value]) -> Value {
        json!({"message": message, "turn": turn, "replies": replies})
    }

    fn message(id: &str, state: &str) -> Value {
        json!({
            "id": id, "chat": "597907523413541/15551234567", "from": "+15551234567", "name": "Ann",
            "source": "webhook", "kind": "text", "text": "hello", "state": state, "reason": null,
            "sent_at": START, "received_at": START + 1_200, "done_at": null,
        })
    }

    fn turn() -> Value {
        json!({
            "id": 17, "state": "answered", "reason": null, "attempts": 1, "created_at": START + 1_201,
            "asked_at": START + 1_201, "accepted_at": START + 1_380, "settled_at": START + 6_600,
        })
    }

    fn reply(id: i64, state: &str) -> Value {
        json!({
            "id": id, "part": id - 5, "kind": "reply", "state": state, "reason": null, "attempts": 1, "repeats": 0,
            "text": "hi", "wamid": format!("wamid.OUT{id}"), "created_at": START + 6_600,
            "sent_at": START + 6_600 + id, "updated_at": START + 6_600 + id, "delivery": "delivered",
            "delivery_at": START + 8_000,
        })
    }

    #[test]
    fn an_answered_message_is_told_step_by_step() {
        let replies = [reply(5, "sent"), reply(6, "sent")];
        let life = life(&message("wamid.A", "answered"), &turn(), &replies);
        let expected = "\
wamid.A
  +15551234567 (Ann), text, answered
  hello
  2023-11-14
  22:13:21.200  received    by webhook, 1.2 s after it was sent
  22:13:21.201  asked       turn 17, attempt 1 (+1 ms)
  22:13:21.380  accepted    by the gateway (+179 ms)
  22:13:26.600  answered    2 parts (+5.2 s)
  22:13:26.605  sent 1/2    delivered 22:13:28 (+5 ms)
                wamid.OUT5
  22:13:26.606  sent 2/2    delivered 22:13:28 (+1 ms)
                wamid.OUT6
";
        assert_eq!(told(json!([life])), expected);
    }

    #[test]
    fn messages_of_one_turn_are_one_story_with_one_answer() {
        let replies = [reply(5, "sent")];
        let life = |id| life(&message(id, "answered"), &turn(), &replies);
        let text = told(json!([life("wamid.A"), life("wamid.B")]));
        assert_eq!(text.matches("received").count(), 2, "{text}");
        assert_eq!(text.matches("asked").count(), 1, "{text}");
        assert_eq!(text.matches("wamid.OUT5").count(), 1, "{text}");
        assert!(
            text.contains("answered    1 part (") && text.contains("sent        delivered"),
            "{text}"
        );
    }

    #[test]
    fn a_message_that_was_not_answered_is_told_with_its_reason() {
        let mut refused = message("wamid.A", "refused");
        refused["reason"] = "not in the list of senders".into();
        refused["source"] = "poll".into();
        let text = told(json!([life(&refused, &Value::Null, &[])]));
        assert!(
            text.contains("received    from the list, 1.2 s after"),
            "{text}"
        );
        assert!(
            text.contains("22:13:21.200  refused     not in the list of senders (+0 ms)"),
            "{text}"
        );

        let waiting = message("wamid.A", "in_turn");
        let waiting = told(json!([life(&waiting, &Value::Null, &[])]));
        assert!(
            waiting.contains("text, in turn") && waiting.ends_with("after it was sent\n"),
            "{waiting}"
        );

        let mut dropped = message("wamid.A", "dropped");
        dropped["done_at"] = (START + 86_400_000).into();
        let mut failed = turn();
        failed["state"] = "failed".into();
        failed["reason"] = "the run was lost".into();
        let text = told(json!([life(&dropped, &failed, &[])]));
        assert!(
            text.contains("failed      the run was lost (+5.2 s)"),
            "{text}"
        );
        assert!(
            text.contains("\n  2023-11-15\n  22:13:20.000  dropped     (+23 h 59 min)"),
            "{text}"
        );
    }

    #[test]
    fn a_reply_that_did_not_arrive_or_may_have_arrived_twice_says_so() {
        let mut failed = reply(5, "failed");
        failed["reason"] = "131047 Re-engagement message".into();
        failed["delivery"] = "failed".into();
        let mut repeated = reply(6, "sent");
        repeated["attempts"] = 3.into();
        repeated["repeats"] = 1.into();
        let text = told(json!([life(
            &Value::Null,
            &Value::Null,
            &[failed, repeated]
        )]));
        assert!(text.starts_with("not an answer to a message\n"), "{text}");
        assert!(
            text.contains("failed 1/2  failed 22:13:28, 131047 Re-engagement message"),
            "{text}"
        );
        assert!(
            text.contains("attempt 3, sent again: it may have arrived twice,"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn a_gateway_with_another_clock_does_not_turn_the_story_around() {
        for accepted in [START - 3_600_000, START + 3_600_000] {
            let mut turn = turn();
            turn["accepted_at"] = accepted.into();
            let message = message("wamid.A", "answered");
            let text = told(json!([life(&message, &turn, &[])]));
            let place = |word| text.find(word).unwrap();
            assert!(
                place("  asked") < place("  accepted") && place("  accepted") < place("  answered"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_a_sender_wrote_stays_in_its_line() {
        let mut hostile = message("wamid.A\u{1b}[2J", "received");
        hostile["name"] = "Ann\n  22:13:21.200  refused".into();
        hostile["text"] = format!("\u{9b}31m\r\n{}", "long ".repeat(1000)).into();
        let text = told(json!([life(&hostile, &Value::Null, &[])]));
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(
            !text.contains(|c: char| c != '\n' && c.is_control()),
            "{text:?}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}
