//! `doctor`: the whole loop in order, and each part of it out of order.

use std::os::unix::fs::PermissionsExt;

use sandbox::openclaw::{ConnectFault, OpenClawStandIn, Options};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{ANN, Cli, Ended, kapso, listener};

const TOKEN: &str = "the-token";

async fn agent() -> OpenClawStandIn {
    let options = Options {
        token: Some(TOKEN.to_owned()),
        ..Options::default()
    };
    OpenClawStandIn::start(listener().await, options, CancellationToken::new()).unwrap()
}

/// Everything in order, but for what a test changes.
async fn cli(agent: &OpenClawStandIn) -> Cli {
    Cli::at(&kapso().await)
        .set("GATEWAY_URL", &agent.url())
        .set("OPENCLAW_TOKEN", TOKEN)
        .set("KAPSO_ALLOWED_NUMBERS", ANN)
}

/// The one check that failed.
fn failed(ended: &Ended) -> Value {
    let json = ended.json();
    let checks = json["checks"].as_array().unwrap();
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check["verdict"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "{ended:?}");
    failed[0].clone()
}

#[tokio::test]
async fn k8_everything_in_order_is_told_line_by_line() {
    let agent = agent().await;
    let cli = cli(&agent).await;
    for name in ["doctor", "preflight"] {
        let ended = cli.run(&[name]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let seen = [
            "ok       kapso",
            "ok       gateway        OpenClaw 2026.9.6, protocol 4, scopes ",
            "operator.write",
            "ok       state",
        ];
        assert!(
            seen.iter().all(|seen| ended.stdout.contains(seen)),
            "{ended:?}"
        );
        assert!(
            ended.stdout.contains("warning  poller         not running"),
            "{ended:?}"
        );
        assert!(!ended.stdout.contains(TOKEN), "{ended:?}");
    }
    let mode = |name: &str| {
        std::fs::metadata(cli.state_dir().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("device-key.pem"), mode(".")), (0o600, 0o700));
}

#[tokio::test]
async fn k8_a_gateway_that_refuses_is_told_with_its_remedy() {
    for (fault, remedy) in [
        (ConnectFault::NotPaired, "openclaw devices approve "),
        (ConnectFault::TokenMismatch, "set gateway.token"),
        (
            ConnectFault::ProtocolMismatch,
            "use an OpenClaw release that speaks protocol",
        ),
        (ConnectFault::EmptyScopes, "operator.write"),
    ] {
        let agent = agent().await;
        let cli = cli(&agent).await;
        agent.fail_connect(5, fault.clone());
        let ended = cli.run(&["doctor", "--json"]).await;
        assert_eq!(ended.code, 1);
        let check = failed(&ended);
        assert_eq!(check["check"], "gateway");
        assert!(
            check["remedy"].as_str().unwrap().contains(remedy),
            "{fault:?}: {check}"
        );
    }
}

#[tokio::test]
async fn k8_an_empty_list_of_senders_is_told() {
    let agent = agent().await;
    let ended = cli(&agent)
        .await
        .set("KAPSO_ALLOWED_NUMBERS", "")
        .run(&["doctor"])
        .await;
    assert!(
        ended.code == 0 && ended.stdout.contains("names nobody, so nobody may write"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_told() {
    let agent = agent().await;
    let ended = cli(&agent)
        .await
        .set("KAPSO_API_KEY", "another")
        .run(&["doctor", "--json"])
        .await;
    assert_eq!((ended.code, &failed(&ended)["check"]), (1, &"kapso".into()));
}

#[tokio::test]
async fn transcripts_of_a_release_without_them_are_told() {
    let agent = agent().await;
    let ended = cli(&agent)
        .await
        .set("GATEWAY_RELAY", "jsonl")
        .run(&["doctor", "--json"])
        .await;
    assert_eq!(
        (ended.code, &failed(&ended)["check"]),
        (1, &"transcripts".into())
    );
}

#[tokio::test]
async fn a_webhook_without_key_or_address_is_told_with_the_way_to_add_them() {
    let agent = agent().await;
    let cli = cli(&agent).await.set("KAPSO_MODE", "domain");
    let ended = cli.run(&["doctor"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    for seen in [
        "warning  webhook        webhook.secret is not set",
        "openssl rand -hex 32",
        "warning  webhook        listens at :18790; delivery.public_url is not set",
        "KAPSO_PUBLIC_URL",
    ] {
        assert_eq!(ended.stdout.matches(seen).count(), 1, "{seen}: {ended:?}");
    }

    let cli = cli
        .set("KAPSO_WEBHOOK_SECRET", "hidden")
        .set("KAPSO_WEBHOOK_APP_SECRET", "hidden")
        .set("KAPSO_PUBLIC_URL", "https://wa.example/");
    let ended = cli.run(&["doctor"]).await;
    for seen in [
        "ok       webhook        Kapso's signatures are checked with webhook.secret, Meta's with webhook.app_secret",
        "ok       webhook        Kapso has to push to https://wa.example/webhook, which has to end at :18790 here",
    ] {
        assert!(ended.stdout.contains(seen), "{seen}: {ended:?}");
    }
    assert!(
        ended.code == 0 && !ended.stdout.contains("hidden"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_state_directory_that_others_can_read_or_nobody_can_write_is_told() {
    let agent = agent().await;
    let cli = cli(&agent).await;
    std::fs::create_dir_all(cli.state_dir()).unwrap();
    std::fs::set_permissions(cli.state_dir(), PermissionsExt::from_mode(0o755)).unwrap();
    let ended = cli.run(&["doctor"]).await;
    assert!(
        ended.code == 0 && ended.stdout.contains("→ chmod 700 "),
        "{ended:?}"
    );

    let cli = cli.set("KAPSO_STATE_DIR", "/proc/nothing/here");
    let ended = cli.run(&["doctor"]).await;
    assert!(
        ended.code == 1 && ended.stdout.contains("failed   state"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_told_first() {
    let cli = Cli::bare();
    cli.write_config("[delivery]\nmode = \"webhok\"\n");
    let ended = cli.run(&["doctor", "--json"]).await;
    assert_eq!(ended.code, 2);
    let checks = ended.json()["checks"].as_array().unwrap().len();
    assert_eq!(checks, 3, "the mode, the key and the number: {ended:?}");
}
