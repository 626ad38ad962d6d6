//! What is allowed and yet probably not meant.

use crate::Setup;

/// The warnings with these variables, each as it is shown.
fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    let setup = Setup::new().set("KAPSO_ALLOWED_NUMBERS", "+15551234567");
    let setup = variables
        .iter()
        .fold(setup, |setup, (name, value)| setup.set(name, value));
    let config = setup.load().unwrap();
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_webhook_without_a_key_is_warned_of_with_the_way_to_add_one() {
    for mode in ["domain", "tailscale"] {
        let warned = warnings(&[("KAPSO_MODE", mode), ("KAPSO_REGISTER_WEBHOOK", "no")]);
        let [warning] = warned.as_slice() else {
            panic!("{warned:?}")
        };
        for part in [
            "webhook.secret is not set",
            "only a hint",
            "openssl rand -hex 32",
            "secret_key",
        ] {
            assert!(warning.contains(part), "{warning}");
        }
        let keyed = [("KAPSO_MODE", mode), ("KAPSO_WEBHOOK_SECRET", "5ecret")];
        assert_eq!(warnings(&keyed), [""; 0]);
    }
    assert_eq!(warnings(&[]), [""; 0], "polling has no webhook");
}

#[test]
fn a_webhook_that_registers_itself_needs_no_key() {
    let url = ("KAPSO_PUBLIC_URL", "https://wa.example");
    assert_eq!(warnings(&[("KAPSO_MODE", "tailscale")]), [""; 0]);
    assert_eq!(warnings(&[("KAPSO_MODE", "domain"), url]), [""; 0]);
    let unknown = warnings(&[("KAPSO_MODE", "domain")]);
    let off = [
        ("KAPSO_MODE", "domain"),
        url,
        ("KAPSO_REGISTER_WEBHOOK", "0"),
    ];
    for warned in [unknown, warnings(&off)] {
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert!(warned[0].contains("set delivery.public_url"), "{warned:?}");
    }
}

#[test]
fn metas_key_does_not_check_what_kapso_signs() {
    let warned = warnings(&[
        ("KAPSO_MODE", "domain"),
        ("KAPSO_WEBHOOK_APP_SECRET", "5ecret"),
    ]);
    assert_eq!(warned.len(), 1, "{warned:?}");
}

#[test]
fn a_fallback_to_polling_is_warned_of_where_polling_is_all_there_is() {
    let warned = warnings(&[("KAPSO_POLL_FALLBACK", "1")]);
    assert_eq!(
        warned,
        [
            "delivery.poll_fallback has no effect in \"polling\" mode, which reads the list in any case; remove it, or \
             set delivery.mode to a mode that has a webhook"
        ]
    );
    let pushed = [
        ("KAPSO_POLL_FALLBACK", "1"),
        ("KAPSO_MODE", "domain"),
        ("KAPSO_WEBHOOK_SECRET", "5ecret"),
    ];
    assert_eq!(warnings(&pushed), [""; 0]);
}

#[test]
fn a_number_without_a_key_is_warned_of_and_one_with_its_own_is_not() {
    let warned = |lines: &str| {
        let setup = Setup::bare()
            .set("KAPSO_API_KEY", "key")
            .set("KAPSO_MODE", "domain")
            .set("KAPSO_SECURITY_MODE", "open");
        let text = format!("[[numbers]]\nphone_number_id = \"7\"\n{lines}\n");
        let warnings = setup.load_text(&text).unwrap().warnings;
        warnings
            .iter()
            .any(|warning| warning.key == "webhook.secret")
    };
    assert!(warned(""));
    assert!(!warned("webhook_secret = \"5ecret\""));
}

#[test]
fn nobody_at_one_of_several_numbers_is_warned_of() {
    let setup = Setup::new().set("KAPSO_ALLOWED_NUMBERS", "+15551234567");
    let text = "[[numbers]]\nphone_number_id = \"7\"\n[numbers.security.roles]\n";
    let warnings = setup.load_text(text).unwrap().warnings;
    let keys: Vec<_> = warnings
        .iter()
        .map(|warning| warning.key.as_str())
        .collect();
    assert_eq!(keys, ["numbers.security.roles"]);
}

#[test]
fn what_strangers_write_does_not_leave_the_host_in_clear_unnoticed() {
    let warned = |hook: &str| !warnings(&[("KAPSO_STRANGER_HOOK", hook)]).is_empty();
    assert!(warned("http://192.168.1.2/hook"));
    assert!(!warned("https://host/hook") && !warned("http://127.0.0.1/hook") && !warned("ring"));
}

#[test]
fn a_route_to_another_agents_transcripts_is_warned_of() {
    let warned = |relay: &str, agent: &str| {
        let setup = Setup::new()
            .set("GATEWAY_RELAY", relay)
            .set("KAPSO_ALLOWED_NUMBERS", "+15551234567");
        let text = format!("[[routes]]\nrole = \"member\"\nagent = \"{agent}\"\n");
        let warnings = setup.load_text(&text).unwrap().warnings;
        warnings.iter().any(|warning| warning.key == "routes")
    };
    assert!(warned("jsonl", "sales"));
    assert!(!warned("jsonl", "main") && !warned("auto", "sales"));
}
