//! The environment: names, aliases, words for true and false, and secrets in files.

use secrecy::ExposeSecret;

use crate::Setup;

#[test]
fn k3_words_for_true_and_false_are_understood() {
    for (word, meant) in [
        ("1", true),
        ("true", true),
        ("YES", true),
        ("on", true),
        ("0", false),
        ("No", false),
        ("off", false),
    ] {
        let config = Setup::new()
            .set("KAPSO_POLL_FALLBACK", word)
            .load()
            .unwrap();
        assert_eq!(config.delivery.poll_fallback, meant, "{word}");
    }
}

#[test]
fn k3_garbage_is_refused() {
    let refused = |name: &str, value: &str| {
        let error = Setup::new().set(name, value).load().unwrap_err();
        assert_eq!(error.problems().len(), 1);
        error.to_string()
    };
    assert_eq!(
        refused("KAPSO_RATE_LIMIT", "ten"),
        "KAPSO_RATE_LIMIT: security.rate_limit is \"ten\"; write a whole number from 1 to 100000, without quotes or unit"
    );
    assert!(refused("KAPSO_POLL_FALLBACK", "maybe").contains("write 1, true, yes or on"));
    assert!(refused("KAPSO_POLL_INTERVAL", "30s").contains("delivery.poll_interval"));
    assert!(refused("KAPSO_POLL_INTERVAL", "4").contains("from 5"));
    assert!(refused("KAPSO_MODE", "webhook").contains("one of polling, tailscale, domain"));
}

#[test]
fn k2_a_slip_in_a_variables_name_is_told() {
    let error = Setup::new()
        .set("KAPSO_ALLOWED_NUMBER", "+15551234567")
        .load()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "KAPSO_ALLOWED_NUMBER is not a known variable; the nearest one is KAPSO_ALLOWED_NUMBERS"
    );
    let of_others = Setup::new()
        .set("KAPSO_TRANSCRIBE_API_KEY", "x")
        .set("OPENCLAW_TOKENS", "x");
    assert!(of_others.load().is_ok());
}

#[test]
fn the_first_of_two_names_wins_and_an_empty_one_is_not_set() {
    let url = |setup: Setup| setup.load().unwrap().gateway.url.to_string();
    let both = || Setup::new().set("OPENCLAW_GATEWAY_URL", "ws://second:1");
    assert_eq!(url(both()), "ws://second:1/");
    assert_eq!(
        url(both().set("GATEWAY_URL", "ws://first:1")),
        "ws://first:1/"
    );
    assert_eq!(url(both().set("GATEWAY_URL", "")), "ws://second:1/");

    let token = |setup: Setup| {
        setup
            .load()
            .unwrap()
            .gateway
            .token
            .unwrap()
            .expose_secret()
            .to_owned()
    };
    let both = Setup::new()
        .set("GATEWAY_TOKEN", "second")
        .set("OPENCLAW_TOKEN", "first");
    assert_eq!(token(both), "first");
}

#[test]
fn an_empty_message_sends_nothing() {
    let setup = Setup::new()
        .set("GATEWAY_ERROR_MESSAGE", "")
        .set("KAPSO_DENY_MESSAGE", "");
    let config = setup.load().unwrap();
    assert_eq!(
        (
            config.gateway.error_message.as_str(),
            config.security.deny_message.as_str()
        ),
        ("", "")
    );
    let from_file = Setup::new()
        .load_text("[gateway]\nerror_message = \"\"\n")
        .unwrap();
    assert_eq!(from_file.gateway.error_message, "");
}

#[test]
fn a_secret_comes_from_a_file_without_its_line_end() {
    let setup = Setup::bare()
        .set("KAPSO_API_KEY_FILE", "~/secrets/key")
        .set("KAPSO_PHONE_NUMBER_ID_FILE", "$HOME/secrets/number");
    setup.write("secrets/key", "k3y\n");
    setup.write("secrets/number", "1234\r\n");
    let config = setup.load().unwrap();
    assert_eq!(config.kapso.api_key.expose_secret(), "k3y");
    assert_eq!(config.kapso.phone_number_id.as_str(), "1234");
}

#[test]
fn the_keys_of_both_signatures_come_from_files_each_as_its_own() {
    let setup = Setup::new()
        .set("KAPSO_WEBHOOK_SECRET_FILE", "~/kapso")
        .set("KAPSO_WEBHOOK_APP_SECRET_FILE", "~/meta");
    setup.write("kapso", "of-kapso\n");
    setup.write("meta", "of-meta\n");
    let webhook = setup.load().unwrap().webhook;
    assert_eq!(webhook.secret.unwrap().expose_secret(), "of-kapso");
    assert_eq!(webhook.app_secret.unwrap().expose_secret(), "of-meta");
}

#[test]
fn a_secret_comes_as_a_systemd_credential_and_the_variable_wins() {
    let setup = Setup::bare().set("CREDENTIALS_DIRECTORY", "/nowhere");
    assert!(setup.load().is_err());

    let setup = Setup::bare()
        .set("OPENCLAW_TOKEN", "variable")
        .set("KAPSO_WEBHOOK_SECRET", "");
    let folder = setup.home("credentials").display().to_string();
    for (name, text) in [
        ("KAPSO_API_KEY", "a"),
        ("kapso_phone_number_id", "1"),
        ("OPENCLAW_TOKEN", "b"),
    ] {
        setup.write(&format!("credentials/{name}"), text);
    }
    let config = setup.set("CREDENTIALS_DIRECTORY", &folder).load().unwrap();
    assert_eq!(config.kapso.api_key.expose_secret(), "a");
    assert_eq!(config.gateway.token.unwrap().expose_secret(), "variable");
    assert!(config.webhook.secret.is_none());
}

#[test]
fn a_secrets_file_that_is_missing_or_empty_is_one_problem() {
    let setup = Setup::bare()
        .set("KAPSO_PHONE_NUMBER_ID", "1")
        .set("KAPSO_API_KEY_FILE", "~/key");
    let error = setup.load().unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(
        error.to_string().starts_with("KAPSO_API_KEY_FILE names "),
        "{error}"
    );
    setup.write("key", "\n");
    assert!(
        setup
            .load()
            .unwrap_err()
            .to_string()
            .contains("which is empty")
    );
}

#[test]
fn a_secret_cannot_bring_a_header_along() {
    let error = Setup::bare()
        .set("KAPSO_PHONE_NUMBER_ID", "1")
        .set("KAPSO_API_KEY", "k3y\r\nX-Other: 1")
        .load()
        .unwrap_err();
    assert!(
        error.to_string().contains("contains white space"),
        "{error}"
    );
    assert!(!error.to_string().contains("k3y"), "{error}");
}

#[test]
fn nothing_that_is_printed_for_debugging_shows_a_secret() {
    let setup = Setup::new()
        .set("OPENCLAW_TOKEN", "t0p-secret")
        .set("KAPSO_WEBHOOK_APP_SECRET", "t0p-secret")
        .set("KAPSO_WEBHOOK_SECRET", "t0p-secret");
    let config = setup
        .load_text("[webhook]\nverify_token = \"t0p-secret\"\n")
        .unwrap();
    let webhook = &config.webhook;
    assert!(webhook.verify_token.is_some() && webhook.app_secret.is_some());
    assert!(!format!("{config:?}{:?}", setup.environment()).contains("t0p-secret"));
}

#[test]
fn identity_tokens_are_for_a_named_backend_or_there_are_none() {
    let identity = Setup::new().load().unwrap().identity;
    assert_eq!(
        (identity.audience, identity.issuer.as_str()),
        (None, "kapso-whatsapp")
    );
    let setup = Setup::new()
        .set("KAPSO_IDENTITY_AUDIENCE", " https://backend.example ")
        .set("KAPSO_IDENTITY_ISSUER", "bakery");
    let identity = setup.load().unwrap().identity;
    assert_eq!(
        identity.audience.as_deref(),
        Some("https://backend.example")
    );
    assert_eq!(identity.issuer, "bakery");
}
