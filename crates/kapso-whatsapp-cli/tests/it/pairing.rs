//! `pairing`: who asks to be let in, and the orders of the operator.

use serde_json::{Value, json};

use crate::scripted::{Scripted, refusal};
use crate::{ANN, Cli, NUMBER};

fn answer() -> Value {
    json!({
        "pending": [{"code": "K7QP2M4X", "from": "+15557654321", "number": NUMBER, "name": "Bob\u{202e}",
            "asked_at": 1_700_000_000_000_i64, "expires_at": 1_700_003_600_000_i64}],
        "approved": [{"from": ANN, "number": NUMBER, "role": "member", "at": 1_700_000_000_000_i64}],
    })
}

#[tokio::test]
async fn codes_that_wait_and_people_who_were_let_in_are_listed() {
    let cli = Cli::bare().set("TZ", "UTC");
    let poller = Scripted::start(&cli, vec![(200, answer())]);
    let ended = cli.run(&["pairing", "list"]).await;
    let expected = "\
K7QP2M4X    +15557654321 (“Bob\\u{202e}”) at 597907523413541, until 2023-11-14
            23:13:20
let in      +15551234567 at 597907523413541, member, since 2023-11-14 22:13:20
";
    assert_eq!((ended.code, ended.stdout.as_str()), (0, expected));
    let json = cli.run(&["pairing", "list", "--json"]).await;
    assert_eq!((json.code, json.json()), (0, answer()));
    assert_eq!(poller.asked(), ["GET /pairing"; 2]);
}

#[tokio::test]
async fn an_empty_list_says_so() {
    let cli = Cli::bare();
    let _poller = Scripted::start(&cli, vec![(200, json!({"pending": [], "approved": []}))]);
    let ended = cli.run(&["pairing", "list"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "nobody asks to be let in, and nobody was\n")
    );
}

#[tokio::test]
async fn a_code_lets_someone_in_with_a_role_or_the_usual_one() {
    let cli = Cli::bare();
    let answer = json!({"from": ANN, "number": NUMBER, "role": "member", "at": 1, "name": "Ann"});
    let poller = Scripted::start(&cli, vec![(200, answer)]);
    let ended = cli.run(&["pairing", "approve", "K7QP2M4X"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "+15551234567 (“Ann”) may write now, as member\n")
    );
    cli.run(&["pairing", "approve", "k7&q=1", "--role", "board member"])
        .await;
    assert_eq!(
        poller.asked(),
        [
            "POST /pairing/approve?code=K7QP2M4X",
            "POST /pairing/approve?code=k7%26q%3D1&role=board+member"
        ]
    );
}

#[tokio::test]
async fn a_person_is_let_out_again_by_number_or_user_id() {
    let cli = Cli::bare();
    let answer = json!({"revoked": [{"from": ANN, "number": NUMBER, "role": "member", "at": 1}]});
    let poller = Scripted::start(&cli, vec![(200, answer)]);
    let ended = cli.run(&["pairing", "revoke", "+1 (555) 123-4567"]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "+15551234567 is not let in any more\n")
    );
    cli.run(&["pairing", "revoke", "US.13491208655302741918"])
        .await;
    assert_eq!(
        poller.asked(),
        [
            "POST /pairing/revoke?of=%2B15551234567",
            "POST /pairing/revoke?of=US.13491208655302741918"
        ]
    );
}

#[tokio::test]
async fn refusals_come_in_the_pollers_words_and_wrong_use_is_told_before_anything_is_asked() {
    let cli = Cli::bare();
    for (status, said, code) in [
        (404, "nobody waits with the code \"X\"", 1),
        (
            400,
            "\"vip\" is no role of the configuration; these are: admin, member",
            2,
        ),
    ] {
        let _poller = Scripted::start(&cli, refusal(status, said));
        let ended = cli.run(&["pairing", "approve", "X", "--role", "vip"]).await;
        assert_eq!((ended.code, ended.stderr), (code, format!("{said}\n")));
    }
    let poller = Scripted::start(&cli, vec![(200, answer())]);
    for wrong in [
        &["pairing", "revoke", "ann"][..],
        &["pairing", "approve"],
        &["pairing", "approve", ""],
    ] {
        assert_eq!(cli.run(wrong).await.code, 2, "{wrong:?}");
    }
    assert_eq!(poller.asked(), [""; 0]);
    assert_eq!(Cli::bare().run(&["pairing", "list"]).await.code, 5);
}
