//! `sandbox`: a conversation through the real bridge, without any account.

use rustix::process::{Pid, Signal, kill_process};
use sandbox::openclaw::{OpenClawStandIn, Options};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Cli, PLENTY, listener};

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
async fn the_page_is_served_where_its_address_says_and_ends_with_an_interrupt() {
    let mut child = Cli::bare().start(&["--json", "sandbox", "--no-browser"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PLENTY, lines.next_line()).await.unwrap();
    let told: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
    let url: hyper::Uri = told["url"].as_str().unwrap().parse().unwrap();
    let address = url.authority().unwrap().as_str();
    let mut page = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n",
        url.path()
    );
    page.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("<title>Sandbox phone</title>"), "{answer}");
    let id = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let ended = timeout(PLENTY, child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended:?}");
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
