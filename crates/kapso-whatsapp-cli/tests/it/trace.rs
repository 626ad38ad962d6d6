//! `trace`: what is asked of the poller, and how its answers end.

use serde_json::{Value, json};

use crate::Cli;
use crate::scripted::{Scripted, refusal};

/// 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;

fn life(text: &str) -> Value {
    json!({"message": {
        "id": "wamid.A", "chat": "1/15551234567", "from": "+15551234567", "name": null, "source": "poll",
        "kind": "text", "text": text, "state": "received", "reason": null, "sent_at": START,
        "received_at": START + 1_000, "done_at": null,
    }, "turn": null, "replies": []})
}

#[tokio::test]
async fn a_life_is_told_in_the_time_of_this_host() {
    // Five hours behind UTC; a rule, so that no file of zones is needed.
    let cli = Cli::bare().set("TZ", "XYZ5");
    let poller = Scripted::start(&cli, vec![(200, json!({"lives": [life("hello")]}))]);
    let ended = cli.run(&["trace", "wamid.A"]).await;
    let expected = "\
wamid.A
  +15551234567, text, received
  hello
  2023-11-14
  17:13:21.000  received    from the list, 1.0 s after it was sent
";
    assert_eq!((ended.code, ended.stdout.as_str()), (0, expected));
    assert_eq!(poller.asked(), ["GET /trace?of=wamid.A&limit=20"]);
}

#[tokio::test]
async fn what_is_asked_for_is_encoded_and_json_is_the_pollers_own() {
    let cli = Cli::bare();
    let answer = json!({"lives": [life("hello")], "news": 1});
    let poller = Scripted::start(&cli, vec![(200, answer.clone())]);
    let ended = cli
        .run(&["trace", "+1 555&limit=9", "--limit", "3", "--json"])
        .await;
    assert_eq!((ended.code, ended.json()), (0, answer));
    assert_eq!(
        poller.asked(),
        ["GET /trace?of=%2B1+555%26limit%3D9&limit=3"]
    );
}

#[tokio::test]
async fn nothing_known_of_it_is_a_failure_with_the_pollers_words() {
    let cli = Cli::bare();
    for answers in [
        refusal(404, "nothing is known of wamid.B"),
        vec![(200, json!({"lives": []}))],
    ] {
        let _poller = Scripted::start(&cli, answers);
        let ended = cli.run(&["trace", "wamid.B"]).await;
        assert_eq!(
            (ended.code, ended.stderr.as_str(), ended.stdout.as_str()),
            (1, "nothing is known of wamid.B\n", "")
        );
        let json = cli.run(&["trace", "wamid.B", "--json"]).await;
        assert_eq!(
            (json.code, json.json()),
            (
                1,
                json!({"ok": false, "error": "nothing is known of wamid.B"})
            )
        );
    }
}

#[tokio::test]
async fn each_kind_of_refusal_has_its_exit_code() {
    let cli = Cli::bare();
    assert_eq!(cli.run(&["trace", "wamid.A"]).await.code, 5, "no poller");
    for (status, body, code) in [
        (400, json!({"error": "neither an id nor a number"}), 2),
        (503, json!({"error": "the journal cannot be read"}), 4),
        (500, json!({"error": "broken"}), 1),
        (404, Value::Null, 1),
        (200, json!({"lives": 5}), 1),
    ] {
        let _poller = Scripted::start(&cli, vec![(status, body)]);
        let ended = cli.run(&["trace", "wamid.A"]).await;
        assert_eq!(ended.code, code, "{status}: {ended:?}");
        if status == 404 || status == 200 {
            assert!(
                ended.stderr.contains("no poller of this version"),
                "{ended:?}"
            );
        }
    }
    assert_eq!(cli.run(&["trace", ""]).await.code, 2);
}

#[tokio::test]
async fn no_control_character_from_outside_reaches_the_terminal() {
    let cli = Cli::bare();
    let hostile = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\r\u{7}b";
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    let answer = json!({"lives": [life(hostile)]});
    let _poller = Scripted::start(&cli, vec![(200, answer.clone())]);
    let text = cli.run(&["trace", "wamid.A"]).await;
    assert!(
        text.code == 0
            && text.stdout.contains(r"a\u{1b}[2J\u{9b}31m")
            && !text.stdout.contains(acts),
        "{text:?}"
    );
    let json = cli.run(&["trace", "wamid.A", "--json"]).await;
    assert!(!json.stdout.contains(acts), "{json:?}");
    assert_eq!(json.json(), answer);

    let _poller = Scripted::start(&cli, refusal(404, hostile));
    let refused = cli.run(&["trace", "wamid.A"]).await;
    assert!(
        refused.code == 1 && !refused.stderr.contains(acts),
        "{refused:?}"
    );
}
