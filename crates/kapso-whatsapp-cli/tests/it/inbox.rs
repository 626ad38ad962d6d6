//! `inbox`: what came in lately, and what comes.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::scripted::Scripted;
use crate::{Cli, PLENTY, ended};

/// 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;

fn message(seq: i64, text: &str) -> Value {
    json!({"seq": seq, "id": format!("wamid.{seq}"), "from": "+15551234567", "name": "Ann", "kind": "text",
           "text": text, "state": "answered", "reason": null, "received_at": START + seq * 1000})
}

fn inbox(messages: &[Value]) -> (u16, Value) {
    (200, json!({ "messages": messages }))
}

#[tokio::test]
async fn the_newest_messages_are_listed_below_their_days() {
    let cli = Cli::bare().set("TZ", "UTC");
    let mut failed = message(86_400, "caption");
    failed["kind"] = "image".into();
    failed["name"] = Value::Null;
    failed["state"] = "failed".into();
    failed["reason"] = "the run was lost".into();
    let answer = inbox(&[
        message(1, "hello\nthere"),
        message(2, &"word ".repeat(40)),
        failed,
    ]);
    let poller = Scripted::start(&cli, vec![answer.clone()]);
    let listed = cli.run(&["inbox"]).await;
    let expected = "\
2023-11-14
22:13:21  answered  +15551234567 (Ann): hello\\nthere
22:13:22  answered  +15551234567 (Ann): word word word word word word word …
2023-11-15
22:13:20  failed    +15551234567: [image] caption
                    the run was lost
";
    assert_eq!((listed.code, listed.stdout.as_str()), (0, expected));

    let json = cli.run(&["inbox", "--limit", "3", "--json"]).await;
    assert_eq!((json.code, json.json()), (0, answer.1));
    assert_eq!(
        poller.asked(),
        ["GET /inbox?limit=20", "GET /inbox?limit=3"]
    );
    assert_eq!(cli.run(&["inbox", "--limit", "0"]).await.code, 2);
}

#[tokio::test]
async fn an_empty_inbox_says_so_and_without_a_poller_the_exit_code_does() {
    let cli = Cli::bare();
    assert_eq!(cli.run(&["inbox"]).await.code, 5);
    assert_eq!(cli.run(&["inbox", "--follow"]).await.code, 5);
    let _poller = Scripted::start(&cli, vec![inbox(&[])]);
    let listed = cli.run(&["inbox"]).await;
    assert_eq!(
        (listed.code, listed.stdout.as_str()),
        (0, "no message has come in yet\n")
    );
}

#[tokio::test]
async fn new_messages_are_shown_as_they_come_until_an_interrupt() {
    let cli = Cli::bare().set("TZ", "UTC");
    let answers = vec![
        inbox(&[message(7, "old")]),
        inbox(&[message(8, "new"), message(9, "newer")]),
        inbox(&[]),
    ];
    let poller = Scripted::start(&cli, answers);
    let mut child = cli.start(&["inbox", "--follow", "--limit", "1", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for text in ["old", "new", "newer"] {
        let line = timeout(PLENTY, lines.next_line()).await.unwrap().unwrap();
        let json: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(json["text"], text);
    }
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let ended = ended(child).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let asked = poller.asked();
    assert_eq!(
        asked[..2],
        ["GET /inbox?limit=1", "GET /inbox?limit=1000&after=7"]
    );
    assert!(
        asked[2..]
            .iter()
            .all(|asked| asked == "GET /inbox?limit=1000&after=9"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_poller_that_goes_away_is_waited_for_and_told_once() {
    let cli = Cli::bare().set("TZ", "UTC");
    let poller = Scripted::start(&cli, vec![inbox(&[message(7, "old")])]);
    let mut child = cli.start(&["inbox", "--follow"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut remarks = BufReader::new(child.stderr.take().unwrap()).lines();
    for shown in ["2023-11-14", "22:13:27  answered  +15551234567 (Ann): old"] {
        let line = timeout(PLENTY, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(line.as_deref(), Some(shown));
    }
    drop(poller);
    let remark = timeout(PLENTY, remarks.next_line()).await.unwrap().unwrap();
    assert!(
        remark.as_deref().unwrap().ends_with("; waiting for it"),
        "{remark:?}"
    );

    let _again = Scripted::start(&cli, vec![inbox(&[message(8, "new")])]);
    let line = timeout(PLENTY, lines.next_line()).await.unwrap().unwrap();
    assert_eq!(
        line.as_deref(),
        Some("22:13:28  answered  +15551234567 (Ann): new")
    );
    // Nobody reads on; the next message that is shown ends it.
    drop(lines);
    let ended = ended(child).await;
    assert_eq!(ended.code, 0);
    assert_eq!(remarks.next_line().await.unwrap(), None);
}
