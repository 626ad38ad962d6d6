//! `dead`: the list of what was set aside, and the orders to try it again or to drop it.

use serde_json::{Value, json};

use crate::Cli;
use crate::scripted::{Scripted, refusal};

fn answer() -> Value {
    json!({"dead": [
        {"id": "o34", "kind": "reply", "chat": "597907523413541/15551234567", "wamid": "wamid.OUT", "attempts": 3,
         "reason": "131026 Message undeliverable", "at": 1_700_000_000_000_i64, "text": "first line\nsecond line"},
        {"id": "m12", "kind": "message", "chat": "597907523413541/15557654321", "wamid": null, "attempts": 1,
         "reason": null, "at": null, "text": null},
    ]})
}

#[tokio::test]
async fn what_was_set_aside_is_listed_with_its_reason() {
    let cli = Cli::bare().set("TZ", "UTC");
    let poller = Scripted::start(&cli, vec![(200, answer())]);
    let ended = cli.run(&["dead", "list"]).await;
    let expected = "\
o34      reply to 15551234567, 2023-11-14 22:13:20, 3 attempts
         131026 Message undeliverable
         wamid.OUT
         “first line\\nsecond line”
m12      message from 15557654321, 1 attempt
";
    assert_eq!((ended.code, ended.stdout.as_str()), (0, expected));

    let json = cli.run(&["dead", "list", "--limit", "5", "--json"]).await;
    assert_eq!((json.code, json.json()), (0, answer()));
    assert_eq!(poller.asked(), ["GET /dead?limit=50", "GET /dead?limit=5"]);
}

#[tokio::test]
async fn an_empty_list_says_so() {
    let cli = Cli::bare();
    let _poller = Scripted::start(&cli, vec![(200, json!({"dead": []}))]);
    let ended = cli.run(&["dead", "list"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "nothing is set aside\n")
    );
}

#[tokio::test]
async fn one_is_tried_again_or_dropped() {
    let cli = Cli::bare();
    for (order, id, state) in [("retry", "m12", "received"), ("drop", "o34", "dropped")] {
        let answer = json!({"id": id, "state": state});
        let poller = Scripted::start(&cli, vec![(200, answer.clone())]);
        let ended = cli.run(&["dead", order, id]).await;
        assert_eq!(
            (ended.code, ended.stdout),
            (0, format!("{id} is {state} now\n"))
        );
        let json = cli.run(&["dead", order, id, "--json"]).await;
        assert_eq!((json.code, json.json()), (0, answer));
        let asked = format!("POST /dead/{id}/{order}");
        assert_eq!(poller.asked(), [asked.clone(), asked]);
    }
}

#[tokio::test]
async fn one_that_is_not_there_or_not_dead_is_a_failure_with_the_pollers_words() {
    let cli = Cli::bare();
    for (status, said, code) in [
        (404, "there is no message m12", 1),
        (409, "m12 is answered", 1),
        (400, "m12 is no id", 2),
    ] {
        let _poller = Scripted::start(&cli, refusal(status, said));
        let ended = cli.run(&["dead", "retry", "m12"]).await;
        assert_eq!((ended.code, ended.stderr), (code, format!("{said}\n")));
        let json = cli.run(&["dead", "retry", "m12", "--json"]).await;
        assert_eq!(json.json(), json!({"ok": false, "error": said}));
    }
}

#[tokio::test]
async fn a_wrong_id_is_told_before_anything_is_asked() {
    let cli = Cli::bare();
    let poller = Scripted::start(&cli, vec![(200, json!({"id": "m1", "state": "received"}))]);
    for wrong in ["12", "m", "x12", "m1/../o2", "wamid.A", ""] {
        let ended = cli.run(&["dead", "drop", wrong]).await;
        assert_eq!(ended.code, 2, "{wrong:?}: {ended:?}");
    }
    assert_eq!(poller.asked(), [""; 0]);
}

#[tokio::test]
async fn without_a_poller_the_exit_code_says_so() {
    for args in [&["dead", "list"][..], &["dead", "drop", "m1"]] {
        assert_eq!(Cli::bare().run(args).await.code, 5);
    }
}
