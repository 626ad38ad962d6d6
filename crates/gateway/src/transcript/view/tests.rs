//! What a turn is given of a transcript: recorded files, and made-up ones for what was not recorded.

use model::{ChatKey, IdempotencyKey, Identity, MessageId, NumberId, SessionKey};
use serde_json::{Value, json};

use super::*;

/// What is recorded of a release.
macro_rules! recorded {
    ($file:literal) => {
        include_str!(concat!("../../../tests/data/jsonl/", $file))
    };
}

const KEY: &str = "4eb06c98-3ae5-4b63-9be5-e95d3f57e50d";

fn turn(key: &str, text: &str) -> TurnView {
    let from = Identity::new("15551234567").unwrap();
    TurnView::of(&Turn {
        chat: ChatKey::new(NumberId::new("1").unwrap(), &from),
        to: from,
        session: SessionKey::new("main-wa-15551234567").unwrap(),
        key: IdempotencyKey::new(key).unwrap(),
        text: text.to_owned(),
        context: String::new(),
        pictures: Vec::new(),
        command: false,
        last: MessageId::new("wamid.1").unwrap(),
    })
}

/// The answers of a turn that asked `text` under a key that the file does not have.
fn answers(text: &str, lines: &str) -> Vec<Said> {
    feed(&mut turn("none", text), lines)
}

fn feed(view: &mut TurnView, lines: &str) -> Vec<Said> {
    lines
        .lines()
        .flat_map(|line| view.feed(&Entry::read(line.as_bytes()).unwrap()))
        .collect()
}

fn texts(said: &[Said]) -> Vec<&str> {
    said.iter().map(|said| said.text.as_str()).collect()
}

fn user(id: &str, parent: &str, text: &str) -> String {
    line(id, parent, &json!({"role": "user", "content": text}))
}

fn says(id: &str, parent: &str, text: &str, stop: &str) -> String {
    let content = json!([{"type": "text", "text": text}]);
    line(
        id,
        parent,
        &json!({"role": "assistant", "content": content, "stopReason": stop}),
    )
}

fn line(id: &str, parent: &str, message: &Value) -> String {
    json!({"type": "message", "id": id, "parentId": parent, "message": message}).to_string()
}

fn other(kind: &str, id: &str, parent: &str) -> String {
    json!({"type": kind, "id": id, "parentId": parent}).to_string()
}

const INTERRUPTED: &str = "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was \
                           waiting on tool/model work. Continue from the existing transcript and finish the \
                           interrupted response.";

#[test]
fn of_a_turn_with_a_tool_only_the_end_is_an_answer() {
    let said = feed(
        &mut turn(KEY, "TOOL1"),
        recorded!("2026.7.35/tool-run.jsonl"),
    );
    assert_eq!(texts(&said), ["Final text after 1 tools."]);
    assert_eq!(said[0].id, "fc333ff9");
    assert!(!said[0].truncated);
}

#[test]
fn r2_questions_in_one_session_are_told_apart() {
    let file = recorded!("2026.5.7/concurrent-same-session.jsonl");
    assert_eq!(
        texts(&answers("first SLEEP4000", file)),
        ["ECHO(first SLEEP4000)"]
    );
    assert_eq!(
        answers("second msg", file),
        [],
        "what follows answers the third"
    );
    assert_eq!(texts(&answers("third msg", file)), ["ECHO()"]);
}

#[test]
fn r2_slow_and_quick_answers_are_not_swapped() {
    let file = [
        user("alice", "root", "From: +1 [role: member]\nslow?"),
        user("bob", "root", "From: +2 [role: member]\nquick?"),
        says("b", "bob", "quick!", "stop"),
        says("a", "alice", "slow!", "stop"),
    ]
    .join("\n");
    assert_eq!(
        texts(&answers("From: +1 [role: member]\nslow?", &file)),
        ["slow!"]
    );
    assert_eq!(
        texts(&answers("From: +2 [role: member]\nquick?", &file)),
        ["quick!"]
    );
}

#[test]
fn r2_words_within_anothers_question_bind_nothing() {
    let file = [
        user("u", "root", "is it ok if I come"),
        says("a", "u", "yes", "stop"),
    ]
    .join("\n");
    assert_eq!(answers("ok", &file), []);
    assert_eq!(answers("", &file), []);
    assert_eq!(texts(&answers("is it ok if I come", &file)), ["yes"]);
}

#[test]
fn a_key_decides_before_the_words_do() {
    let file = recorded!("2026.7.35/tool-run.jsonl");
    assert_eq!(
        texts(&feed(&mut turn(KEY, "words that were changed"), file)),
        ["Final text after 1 tools."]
    );
    let same_words = file.replace(KEY, "00000000-0000-0000-0000-000000000000");
    assert_eq!(
        feed(&mut turn(KEY, "TOOL1"), &same_words),
        [],
        "another's key"
    );
}

#[test]
fn r5_all_answers_of_a_turn_are_given_in_order() {
    let file = [
        user("u", "root", "question"),
        says("a1", "u", "first part", "stop"),
        other("custom", "x", "a1"),
        says("a2", "x", "second part", "stop"),
        says("a3", "a2", "third part", "stop"),
    ]
    .join("\n");
    assert_eq!(
        texts(&answers("question", &file)),
        ["first part", "second part", "third part"]
    );
}

#[test]
fn r5_the_blocks_of_a_message_are_one_answer() {
    let content = json!([{"type": "text", "text": "one"}, {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": " "}, {"type": "text", "text": "two"}]);
    let message = json!({"role": "assistant", "content": content, "stopReason": "stop"});
    let file = [user("u", "root", "question"), line("a", "u", &message)].join("\n");
    assert_eq!(texts(&answers("question", &file)), ["one\ntwo"]);
}

#[test]
fn r8_length_is_marked_and_plain_text_is_read() {
    let plain = line(
        "b",
        "a",
        &json!({"role": "assistant", "content": "plain", "stopReason": "stop"}),
    );
    let file = [
        user("u", "root", "question"),
        says("a", "u", "cut sho", "length"),
        plain,
    ]
    .join("\n");
    let said = answers("question", &file);
    assert_eq!(texts(&said), ["cut sho", "plain"]);
    assert_eq!((said[0].truncated, said[1].truncated), (true, false));
}

#[test]
fn r8_errors_and_stopped_answers_are_not_given() {
    let mut failed = turn("f8f7e88b-4ddb-490e-87d2-3837ece8751d", "HTTP400");
    assert_eq!(
        feed(&mut failed, recorded!("2026.7.35/error-run.jsonl")),
        []
    );
    assert!(failed.own.contains("83edaba9"), "the failure is the turn's");
    let asked = "CHUNK900 SAY{this is a slow streaming answer that will be aborted half way through by the client}SAY";
    let mut stopped = turn("none", asked);
    assert_eq!(
        feed(&mut stopped, recorded!("2026.5.7/aborted-run.jsonl")),
        []
    );
    assert!(
        stopped.own.contains("0413cfb8"),
        "what was cut off is the turn's"
    );
    for excuse in EXCUSES {
        let file = [
            user("u", "root", "question"),
            says("a", "u", excuse, "stop"),
        ]
        .join("\n");
        assert_eq!(answers("question", &file), [], "{excuse}");
    }
}

#[test]
fn what_the_gateway_adds_is_not_an_answer() {
    let mut media = turn("03fbda80-410a-43fe-b4d1-1fbc9953b804", "whatever");
    let said = feed(&mut media, recorded!("2026.7.35/media-reply.jsonl"));
    assert_eq!(
        texts(&said),
        ["Here is a pic\nMEDIA:./pic.png"],
        "once, without the gateway's copy"
    );
    let mut compact = turn("1a53fbb3-7c77-4794-b00e-11159c9c3c03", "/compact");
    assert_eq!(
        feed(&mut compact, recorded!("2026.7.35/compacted.jsonl")),
        []
    );
    assert!(compact.own.contains("76b52ccc-ac61-4a80-9027-07f7763a3f6d"));
}

#[test]
fn the_time_before_a_question_is_no_part_of_it() {
    let said = answers("look at this", recorded!("2026.5.7/image-attachment.jsonl"));
    assert_eq!(texts(&said), ["ECHO(look at this <image_url>)"]);
    assert_eq!(
        answers("look at this", recorded!("2026.5.7/pdf-attachment.jsonl")).len(),
        1
    );
}

#[test]
fn a_turn_goes_on_after_a_compaction() {
    let file = [
        user("u", "root", "question"),
        says("i", "u", "let me look", "toolUse"),
        line("t", "i", &json!({"role": "toolResult", "content": []})),
        other("compaction", "c", "t"),
        says("a", "c", "answer", "stop"),
    ]
    .join("\n");
    assert_eq!(texts(&answers("question", &file)), ["answer"]);
}

#[test]
fn another_question_in_between_ends_the_descent() {
    let file = [
        user("u", "root", "question"),
        says("i", "u", "let me look", "toolUse"),
        user("owner", "i", "what is on my calendar?"),
        says("a", "owner", "private calendar", "stop"),
    ]
    .join("\n");
    assert_eq!(answers("question", &file), []);
}

#[test]
fn r10_an_entry_is_taken_once_even_if_lines_shift() {
    let file = [
        user("u", "root", "question"),
        says("a", "u", "answer", "stop"),
    ]
    .join("\n");
    let mut view = turn("none", "question");
    assert_eq!(feed(&mut view, &file).len(), 1);
    assert_eq!(
        feed(&mut view, &format!("{}\n{file}", other("session", "s", ""))),
        []
    );
}

#[test]
fn a_turn_that_was_asked_twice_is_answered_once() {
    let file = recorded!("2026.7.35/idempotency-resend-after-restart.jsonl");
    let mut view = turn(
        "idem-1981f7b5-7f27-4376-99f3-a75cf9b26b8f",
        "idem SLEEP3000 test",
    );
    assert_eq!(texts(&feed(&mut view, file)), ["ECHO(idem SLEEP3000 test)"]);
    let file = recorded!("2026.5.7/idempotency-resend-after-restart.jsonl");
    assert_eq!(answers("idem SLEEP3000 test", file).len(), 1);
}

#[test]
fn a_question_that_was_lost_and_asked_again_is_answered() {
    let file = [
        user("u1", "root", "question"),
        says("e", "u1", "", "error"),
        user("u2", "root", "question"),
        says("a", "u2", "answer", "stop"),
    ]
    .join("\n");
    assert_eq!(texts(&answers("question", &file)), ["answer"]);
}

#[test]
fn a_turn_that_the_gateway_resumes_is_answered() {
    let beside = [
        user("u", "root", "question"),
        user("r", "root", INTERRUPTED),
        says("a", "r", "late", "stop"),
    ];
    assert_eq!(
        texts(&answers("question", &beside.join("\n"))),
        ["late"],
        "beside the question"
    );
    let below = [
        user("u", "root", "question"),
        user("r", "u", INTERRUPTED),
        says("a", "r", "late", "stop"),
    ];
    assert_eq!(
        texts(&answers("question", &below.join("\n"))),
        ["late"],
        "or below it"
    );
    let queued = "[Queued user message that arrived while the previous turn was still active]";
    let merged = format!(
        "{queued}\n[Sat 2026-11-21 01:28 UTC] question\n\n[Sat 2026-11-21 01:28 UTC] {INTERRUPTED}"
    );
    let alone = [user("r", "root", &merged), says("a", "r", "late", "stop")];
    assert_eq!(
        texts(&answers("question", &alone.join("\n"))),
        ["late"],
        "or both in one"
    );
}

#[test]
fn recorded_interrupted_turns_are_answered() {
    let releases = [
        recorded!("2026.7.35/interrupted-run.jsonl"),
        recorded!("2026.5.7/interrupted-run.jsonl"),
    ];
    for file in releases {
        let seed = "From: +15551234567 (Ana) [role: member]\nhello  there \nline two ";
        assert_eq!(
            texts(&answers(seed, file)),
            ["ECHO(om: +15551234567 (Ana) [role: member]\nhello  there \nline two)"]
        );
        let interrupted = "From: +15551234567 (Ana) [role: member]\nSLEEP please";
        assert_eq!(
            texts(&answers(interrupted, file)),
            ["ECHO(the existing transcript and finish the interrupted response.)"]
        );
    }
}

#[test]
fn a_resumption_of_anothers_turn_is_left_alone() {
    let alone = [
        user("r", "root", INTERRUPTED),
        says("a", "r", "for another", "stop"),
    ];
    assert_eq!(answers("question", &alone.join("\n")), []);
    let after = [
        user("u", "root", "question"),
        user("v", "u", "another"),
        user("r", "v", INTERRUPTED),
        says("a", "r", "x", "stop"),
    ];
    assert_eq!(answers("question", &after.join("\n")), []);
    let answered = [
        user("u", "root", "question"),
        says("a", "u", "answer", "stop"),
        user("r", "a", INTERRUPTED),
        says("b", "r", "again", "stop"),
    ];
    assert_eq!(
        texts(&answers("question", &answered.join("\n"))),
        ["answer"],
        "a turn is answered once"
    );
}
