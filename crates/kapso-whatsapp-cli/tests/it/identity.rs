//! `identity`: the token alone for scripts, everything for programs, and the poller's reasons to give none.

use serde_json::{Value, json};

use crate::Cli;
use crate::scripted::{Scripted, refusal};

fn answer() -> Value {
    json!({"token": "aaa.bbb.ccc", "expires_at": 1_700_000_300_000_i64, "claims": {"sub": "+15551234567"}})
}

#[tokio::test]
async fn the_token_stands_alone_on_standard_output() {
    let cli = Cli::bare();
    let poller = Scripted::start(&cli, vec![(200, answer())]);
    let key = "agent:main:whatsapp:direct:+15551234567";
    let ended = cli.run(&["identity", "--session", key]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "aaa.bbb.ccc\n"));
    assert_eq!(ended.stderr, "");

    let json = cli
        .run(&["identity", "--session", " main-wa-15551234567", "--json"])
        .await;
    assert_eq!((json.code, json.json()), (0, answer()));
    assert_eq!(
        poller.asked(),
        [
            "GET /identity?session=agent%3Amain%3Awhatsapp%3Adirect%3A%2B15551234567",
            "GET /identity?session=main-wa-15551234567"
        ]
    );
}

#[tokio::test]
async fn without_certainty_there_is_no_token_and_the_exit_code_says_what_kind_of_failure() {
    let cli = Cli::bare();
    for (status, said, code) in [
        (400, "identity.audience is not set", 2),
        (404, "nobody on WhatsApp has spoken in the session", 1),
        (409, "the session is shared by several people", 1),
        (403, "+15551234567 may not speak any more", 1),
        (503, "the journal cannot be read", 4),
    ] {
        let _poller = Scripted::start(&cli, refusal(status, said));
        let ended = cli.run(&["identity", "--session", "main"]).await;
        assert_eq!((ended.code, ended.stderr), (code, format!("{said}\n")));
        assert_eq!(ended.stdout, "");
    }
    let _poller = Scripted::start(&cli, vec![(200, json!({"claims": {}}))]);
    let ended = cli.run(&["identity", "--session", "main"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_eq!(
        Cli::bare()
            .run(&["identity", "--session", "main"])
            .await
            .code,
        5
    );
}

#[tokio::test]
async fn the_public_key_is_printed_for_a_backend_that_cannot_fetch_it() {
    let cli = Cli::bare();
    let keys = json!({"keys": [{"kty": "OKP", "kid": "k"}]});
    let poller = Scripted::start(&cli, vec![(200, keys.clone())]);
    let ended = cli.run(&["identity", "--jwks"]).await;
    assert_eq!((ended.code, ended.json()), (0, keys));
    assert_eq!(poller.asked(), ["GET /jwks.json"]);
}

#[tokio::test]
async fn a_session_or_the_public_key_has_to_be_asked_for() {
    let cli = Cli::bare();
    let poller = Scripted::start(&cli, vec![(200, answer())]);
    for wrong in [
        &["identity"][..],
        &["identity", "--session", ""],
        &["identity", "--session", "main", "--jwks"],
    ] {
        assert_eq!(cli.run(wrong).await.code, 2, "{wrong:?}");
    }
    assert_eq!(poller.asked(), [""; 0]);
}
