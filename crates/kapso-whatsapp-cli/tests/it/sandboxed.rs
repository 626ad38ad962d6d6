//! `sandbox`: a conversation through the real bridge, without any account.

use sandbox::openclaw::{OpenClawStandIn, Options};
use tokio_util::sync::CancellationToken;

use crate::{Cli, listener};

#[tokio::test]
async fn a_piped_conversation_is_answered_and_the_sandbox_ends() {
    let ended = Cli::bare()
        .set("OPENCLAW_TOKEN", "for another gateway")
        .run_with(
            &["sandbox", "--terminal"],
            "hello\n/as +15557654321 Bob\nme too\n",
        )
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("agent → Ann › You said: hello"),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains("agent → Bob › You said: me too"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn the_phone_talks_to_the_gateway_that_is_named() {
    let options = Options {
        token: Some("t0ken".to_owned()),
        ..Options::default()
    };
    let agent =
        OpenClawStandIn::start(listener().await, options, CancellationToken::new()).unwrap();
    let (cli, url) = (Cli::bare(), agent.url());

    let ended = cli
        .run_with(
            &[
                "sandbox",
                "--terminal",
                "--gateway",
                &url,
                "--token",
                "t0ken",
            ],
            "hello\n",
        )
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let asked = agent.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].session.as_str(),
        "agent:main:sandbox-wa-15551234567"
    );

    let refused = cli
        .run(&["sandbox", "--gateway", &url, "--token", "wrong"])
        .await;
    assert!(
        refused.code == 1 && refused.stderr.contains("set gateway.token"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn wrong_use_is_told() {
    let ended = Cli::bare().run(&["sandbox", "--as", "ann"]).await;
    assert!(
        ended.code == 2 && ended.stderr.contains("--as"),
        "{ended:?}"
    );
    let ended = Cli::bare().run(&["sandbox", "--gateway", "ftp://x"]).await;
    assert!(
        ended.code == 2 && ended.stderr.contains("ws://"),
        "{ended:?}"
    );
    let misconfigured = Cli::bare().set("KAPSO_CONFIG", "/does/not/exist.toml");
    let ended = misconfigured
        .run(&["sandbox", "--gateway", "ws://127.0.0.1:1"])
        .await;
    assert!(
        ended.code == 2 && ended.stderr.contains("cannot be read"),
        "{ended:?}"
    );
}
