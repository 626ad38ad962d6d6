//! `webhook`: the webhooks at Kapso, seen and changed from the command line.

use model::NumberId;
use sandbox::kapso::{KapsoStandIn, SendFault, StandInOptions};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::scripted::Scripted;
use crate::{Cli, KEY, NUMBER};

async fn kapso() -> KapsoStandIn {
    let options = StandInOptions::new(KEY, NumberId::new(NUMBER).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    KapsoStandIn::start(listener, options, CancellationToken::new())
        .await
        .unwrap()
}

fn cli(kapso: &KapsoStandIn) -> Cli {
    Cli::bare()
        .set("KAPSO_API_KEY", KEY)
        .set("KAPSO_PHONE_NUMBER_ID", NUMBER)
        .set("KAPSO_BASE_URL", &kapso.base_url())
        .set("KAPSO_PLATFORM_URL", &kapso.platform_url())
        .set("KAPSO_MODE", "domain")
        .set("KAPSO_PUBLIC_URL", "https://wa.example")
}

#[tokio::test]
async fn a_webhook_is_registered_once_tested_switched_on_and_removed() {
    let kapso = kapso().await;
    let cli = cli(&kapso).set("KAPSO_WEBHOOK_SECRET", "the-signing-key");
    let made = cli.run(&["webhook", "register", "--json"]).await;
    assert_eq!(
        (made.code, &made.json()["webhooks"][0]["done"]),
        (0, &json!("made"))
    );
    let again = cli.run(&["webhook", "register"]).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again
            .stdout
            .contains("is registered at https://wa.example/webhook"),
        "{again:?}"
    );
    assert_eq!(kapso.webhooks().len(), 1);
    assert_eq!(kapso.webhooks()[0]["secret_key"], "the-signing-key");

    let listed = cli.run(&["webhook", "list", "--json"]).await;
    assert_eq!(
        (listed.code, &listed.json()["webhooks"][0]["active"]),
        (0, &json!(true))
    );
    assert!(!listed.stdout.contains("the-signing-key"), "{listed:?}");
    let tested = cli.run(&["webhook", "test"]).await;
    assert_eq!(tested.code, 0, "{tested:?}");

    let id = kapso.webhooks()[0]["id"].as_str().unwrap().to_owned();
    kapso.set_webhook(&id, "active", json!(false));
    let tested = cli.run(&["webhook", "test"]).await;
    assert_eq!(tested.code, 1, "{tested:?}");
    let on = cli.run(&["webhook", "register"]).await;
    assert!(on.stdout.contains("switched on again"), "{on:?}");
    assert_eq!(kapso.webhooks()[0]["active"], true);

    let removed = cli.run(&["webhook", "remove"]).await;
    assert_eq!(
        (removed.code, kapso.webhooks().len()),
        (0, 0),
        "{removed:?}"
    );
    let nothing = cli.run(&["webhook", "remove", "--id", &id]).await;
    assert_eq!(nothing.code, 1, "{nothing:?}");
    let empty = cli.run(&["webhook", "list"]).await;
    assert_eq!(empty.stdout, format!("{NUMBER}: no webhook\n"));
}

#[tokio::test]
async fn what_is_missing_has_its_exit_code_and_its_words() {
    let kapso = kapso().await;
    let register = ["webhook", "register"];
    let ended = cli(&kapso).set("KAPSO_PUBLIC_URL", "").run(&register).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("KAPSO_PUBLIC_URL"), "{ended:?}");
    // The key is the poller's, and it does not run.
    let ended = cli(&kapso).run(&register).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    let ended = cli(&kapso)
        .set("KAPSO_REGISTER_WEBHOOK", "0")
        .run(&register)
        .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("openssl rand -hex 32"), "{ended:?}");
    let ended = cli(&kapso)
        .set("KAPSO_API_KEY", "wrong")
        .run(&["webhook", "list"])
        .await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let ended = cli(&kapso)
        .run(&["webhook", "list", "--number", "nobody"])
        .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    kapso
        .faults()
        .next_webhook_requests(1, SendFault::ServerError);
    let ended = cli(&kapso).run(&["webhook", "list"]).await;
    assert_eq!(ended.code, 4, "{ended:?}");
}

#[tokio::test]
async fn in_tailscale_mode_the_running_poller_knows_the_address() {
    let kapso = kapso().await;
    let cli = cli(&kapso)
        .set("KAPSO_MODE", "tailscale")
        .set("KAPSO_WEBHOOK_SECRET", "the-signing-key");
    let ended = cli.run(&["webhook", "register"]).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    let report =
        json!({"webhook": {"tunnel": {"ok": true, "url": "https://box.tail1234.ts.net/"}}});
    let _poller = Scripted::start(&cli, vec![(200, report)]);
    let ended = cli.run(&["webhook", "register"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let url = &kapso.webhooks()[0]["url"];
    assert_eq!(url, "https://box.tail1234.ts.net/webhook");
}
