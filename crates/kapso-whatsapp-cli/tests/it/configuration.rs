//! `config check` and `config show`.

use crate::{Cli, KEY, kapso};

#[tokio::test]
async fn k2_and_k4_are_exit_code_2_with_every_problem() {
    let cli = Cli::bare();
    cli.write_config("[delivery]\npoll_intervall = 5\n");
    let ended = cli.run(&["config", "check"]).await;
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("config.toml:2: delivery.poll_intervall is not a known key; the nearest one is delivery.poll_interval"));
    assert_eq!(ended.stderr.lines().count(), 3, "{ended:?}");

    let json = cli.run(&["config", "check", "--json"]).await;
    assert_eq!(
        (json.code, json.json()["problems"].as_array().unwrap().len()),
        (2, 3)
    );

    let missing = cli
        .run(&["--config", "/does/not/exist.toml", "config", "show"])
        .await;
    assert!(
        missing.code == 2
            && missing
                .stderr
                .contains("/does/not/exist.toml cannot be read"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn what_is_in_effect_is_shown_without_secrets() {
    let kapso = kapso().await;
    let cli = Cli::at(&kapso).set("OPENCLAW_TOKEN", "t0ken");
    let checked = cli.run(&["config", "check"]).await;
    assert!(
        checked.code == 0
            && checked
                .stdout
                .starts_with("ok (the environment, without a file)"),
        "{checked:?}"
    );
    let shown = cli.run(&["config", "show"]).await;
    assert!(
        shown.stdout.contains("api_key = \"***\"  # KAPSO_API_KEY"),
        "{shown:?}"
    );
    let json = cli.run(&["config", "show", "--json"]).await;
    assert_eq!(json.json()["kapso"]["base_url"], kapso.base_url());
    for ended in [checked, shown, json] {
        assert!(
            !ended.stdout.contains(KEY) && !ended.stdout.contains("t0ken"),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn k9_what_programs_read_is_alone_on_standard_output() {
    let kapso = kapso().await;
    let cli = Cli::at(&kapso)
        .set("RUST_LOG", "debug")
        .set("GATEWAY_URL", "ws://127.0.0.1:9");
    cli.write_config(&format!("[kapso]\napi_key = \"{KEY}\"\n"));
    for args in [
        ["config", "show", "--json"].as_slice(),
        &["config", "check", "--json"],
        &["status", "--json"],
        &["doctor", "--json"],
    ] {
        let ended = cli.run(args).await;
        assert!(
            serde_json::from_str::<serde_json::Value>(&ended.stdout).is_ok(),
            "{args:?} {ended:?}"
        );
    }
}
