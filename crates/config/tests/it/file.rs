//! The file: where it is, what it may say, and what is said of it when it is wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use config::{Config, GatewayType, Mode, Relay, State};

use crate::{Setup, problem, problems};

#[test]
fn two_variables_are_enough() {
    let setup = Setup::new();
    let config = setup.load().unwrap();
    assert_eq!(config.file, None);
    assert_eq!(
        config.kapso.base_url.as_str(),
        "https://api.kapso.ai/meta/whatsapp/v24.0"
    );
    assert_eq!(config.delivery.mode, Mode::Polling);
    assert_eq!(config.delivery.poll_interval, Duration::from_secs(30));
    assert_eq!(config.delivery.max_age, Duration::from_secs(86_400));
    assert_eq!(config.delivery.backlog_after, Duration::from_secs(900));
    assert_eq!(config.webhook.addr.to_string(), ":18790");
    assert!(config.webhook.secret.is_none() && config.webhook.app_secret.is_none());
    assert_eq!(config.gateway.run_limit, Duration::from_secs(7200));
    assert_eq!(config.state.max_bytes(), 268_435_456);
    assert_eq!(config.gateway.kind, GatewayType::OpenClaw);
    assert_eq!(config.gateway.relay, Relay::Auto);
    assert_eq!(config.gateway.session_key.as_str(), "agent:main:main");
    assert_eq!(config.state.dir, setup.home(".config/kapso-whatsapp"));
    assert_eq!(
        config.state.control_socket(),
        setup.home(".config/kapso-whatsapp/control.sock")
    );
    assert_eq!(config.log.filter, "info");
}

#[test]
fn without_them_each_is_named_with_its_remedy() {
    let error = Setup::bare().load().unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["kapso.api_key", "kapso.phone_number_id"]);
    assert!(
        error
            .to_string()
            .contains("kapso.api_key is not set; set KAPSO_API_KEY in the environment")
    );
}

#[test]
fn the_original_programs_file_works_unchanged() {
    let text = r#"
        [kapso]
        api_key = ""
        phone_number_id = ""
        [delivery]
        mode = "tailscale"
        poll_interval = 30
        poll_fallback = true
        [webhook]
        verify_token = ""
        secret = ""
        [gateway]
        url = "ws://127.0.0.1:18789"
        token = ""
        session_key = "main"
        sessions_json = "~/.openclaw/agents/main/sessions/sessions.json"
        [state]
        dir = "~/.config/kapso-whatsapp"
        [security]
        mode = "allowlist"
        [security.roles]
        admin = ["+1234567890"]
        member = ["+0987654321", "+1122334455"]
    "#;
    let config = Setup::new().load_text(text).unwrap();
    assert_eq!(config.delivery.mode, Mode::Tailscale);
    assert_eq!(config.webhook.addr.to_string(), "127.0.0.1:18790");
    assert!(config.gateway.token.is_none() && config.webhook.secret.is_none());
    assert_eq!(config.security.roles.len(), 3);
}

#[test]
fn i15_behind_a_funnel_only_this_host_is_listened_on() {
    let setup = Setup::new().set("KAPSO_MODE", "tailscale");
    let config = setup.load().unwrap();
    assert_eq!(config.webhook.addr.to_string(), "127.0.0.1:18790");
}

#[test]
fn the_usual_file_is_read_and_the_environment_wins() {
    let setup = Setup::new().set("KAPSO_POLL_INTERVAL", "7");
    let usual = setup.write(
        ".config/kapso-whatsapp/config.toml",
        "[delivery]\npoll_interval = 10\npoll_fallback = true\n",
    );
    let config = setup.load().unwrap();
    assert_eq!(config.file, Some(usual));
    assert_eq!(config.delivery.poll_interval, Duration::from_secs(7));
    assert!(config.delivery.poll_fallback);
}

#[test]
fn k1_home_and_variables_are_expanded_in_every_path() {
    let text =
        "[state]\ndir = \"~/state\"\n[gateway]\nsessions_json = \"$DATA/${WHO}/sessions.json\"\n";
    let setup = Setup::new()
        .set("DATA", "/data")
        .set("WHO", "ann")
        .set("KAPSO_CONFIG", "~/mine.toml");
    setup.write("mine.toml", text);
    let config = setup.load().unwrap();
    assert_eq!(config.state.dir, setup.home("state"));
    assert_eq!(
        config.gateway.sessions_json,
        Path::new("/data/ann/sessions.json")
    );

    let by_environment = Setup::new()
        .set("KAPSO_STATE_DIR", "$NOWHERE/state")
        .load()
        .unwrap_err();
    assert!(
        by_environment
            .to_string()
            .contains("needs $NOWHERE, which is not set"),
        "{by_environment}"
    );
}

#[test]
fn k2_an_unknown_value_names_the_nearest() {
    assert_eq!(
        problem("[delivery]\nmode = \"webhok\"\n"),
        "2: delivery.mode is \"webhok\", which is not known; write one of polling, tailscale, domain; the nearest one is domain"
    );
    assert!(problem("[gateway]\nrelay = \"jsonl \\u0000\"\n").contains("the nearest one is jsonl"));
    assert!(problem("log = \"inof\"\n").contains("the nearest one is info"));
}

#[test]
fn k2_an_unknown_key_or_section_names_the_nearest() {
    assert_eq!(
        problem("[delivery]\n\npoll_intervall = 5\n"),
        "3: delivery.poll_intervall is not a known key; the nearest one is delivery.poll_interval"
    );
    assert_eq!(
        problem("[securty.roles]\nadmin = [\"+15551234567\"]\n"),
        "1: securty is not a known section; the nearest one is security"
    );
    assert!(problem("[security.role]\nadmin = []\n").contains("the nearest one is security.roles"));
    assert!(problem("poll_interval = 5\n").contains("the nearest one is delivery.poll_interval"));
}

#[test]
fn k2_all_problems_are_reported_together_with_their_lines() {
    let text = "log = 5\n[delivery]\nmode = \"pull\"\npoll_interval = 4\npoll_fallback = \"yes\"\n[webhook]\naddr = \"18790\"\n\
                [gateway]\nurl = \"http//x\"\nsession_key = \"a\\u0001b\"\n[kapso]\nphone_number_id = 12\ntypo = 1\n";
    let error = Setup::bare()
        .set("KAPSO_API_KEY", "key")
        .load_text(text)
        .unwrap_err();
    let found: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| {
            problem
                .to_string()
                .rsplit_once("config.toml:")
                .unwrap()
                .1
                .to_owned()
        })
        .map(|shown| {
            shown
                .split([' ', ';'])
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "10: gateway.session_key",
            "12: kapso.phone_number_id",
            "13: kapso.typo",
            "1: log",
            "3: delivery.mode",
            "4: delivery.poll_interval",
            "5: delivery.poll_fallback",
            "7: webhook.addr",
            "9: gateway.url",
        ],
        "{found:?}"
    );
}

#[test]
fn k2_roles_zones_and_routes_are_refused_all_at_once_with_line_and_nearest_choice() {
    let text = r#"[security]
mode = "opne"
[security.roles]
admin = []
member = ["+1555"]
[rules.hours]
zone = "Europe/Madird"
open = "09:00"
close = "18:00"
[[numbers]]
phone_number_id = "77"
name = "sales"
[[routes]]
number = "salse"
agent = "sales"
[[routes]]
role = "admin"
"#;
    let expected = [
        ("2: security.mode is ", "the nearest one is open"),
        (
            "4: security.roles.admin lists nobody",
            "or remove the role admin",
        ),
        (
            "5: security.roles.member has \"+1555\", which has 4 digits",
            "or WhatsApp user ids",
        ),
        (
            "7: rules.hours.zone is ",
            "the nearest one is Europe/Madrid",
        ),
        ("14: routes.number is ", "the nearest one is sales"),
        ("16: routes has a route to nothing", "add agent or session"),
    ];
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (problem, (start, end)) in found.iter().zip(expected) {
        let shown = problem.to_string();
        assert!(
            shown.contains(&format!("config.toml:{start}")) && shown.ends_with(end),
            "{shown}"
        );
    }
}

#[test]
fn a_value_of_the_wrong_type_is_told_how_to_be_written() {
    assert!(
        problem("[delivery]\npoll_interval = \"30\"\n")
            .contains("is the text \"30\"; write a whole number from 5")
    );
    assert!(
        problem("[security]\ndefault_role = 99\n").contains("is the number 99; write it in quotes")
    );
    assert!(
        problem("[delivery]\npoll_fallback = 1\n").contains("write true or false, without quotes")
    );
    assert!(problem("[delivery]\npoll_interval = 4\n").contains("from 5 to"));
    assert!(problem("[delivery]\npoll_interval = 99999999999\n").contains("from 5 to"));
    assert!(problem("kapso = 5\n").contains("kapso is a section"));
    assert!(problem("[state]\ndir = [\"a\"]\n").contains("state.dir is a list"));
}

#[test]
fn a_number_out_of_its_range_is_told_the_range() {
    for (section, key, least, most) in [
        ("delivery", "max_age", 60, 2_592_000),
        ("delivery", "backlog_after", 1, 2_592_000),
        ("gateway", "run_limit", 60, 86_400),
        ("state", "max_mib", 16, 65_536),
    ] {
        let written = |value: u32| format!("[{section}]\n{key} = {value}\n");
        for good in [least, most] {
            assert!(
                Setup::new().load_text(&written(good)).is_ok(),
                "{key} = {good}"
            );
        }
        for bad in [least - 1, most + 1] {
            let shown = problem(&written(bad));
            assert!(
                shown.contains(&format!("{section}.{key} is the number {bad}; write a whole number from {least} to {most}")),
                "{shown}"
            );
        }
    }
}

#[test]
fn k4_a_named_and_missing_file_is_an_error() {
    let error = Setup::new()
        .set("KAPSO_CONFIG", "/does/not/exist.toml")
        .load()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/does/not/exist.toml cannot be read: "),
        "{error}"
    );

    let setup = Setup::bare();
    let error =
        Config::load_with(Some(&setup.home("none.toml")), &setup.environment()).unwrap_err();
    assert_eq!(
        error.problems().len(),
        1,
        "what the file would have set is not missed as well: {error}"
    );
}

#[test]
fn a_file_that_is_not_toml_is_an_error_with_its_line_and_without_its_text() {
    let setup = Setup::bare();
    let error = setup
        .load_text("[kapso]\napi_key = \"very-secret\n")
        .unwrap_err();
    assert!(error.to_string().contains("config.toml:2: "), "{error}");
    assert!(!error.to_string().contains("very-secret"), "{error}");
    assert!(setup.load_text("[kapso]\n[kapso]\n").is_err());
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_warned_of() {
    let setup = Setup::new().set("KAPSO_ALLOWED_NUMBERS", "+15551234567");
    let of_number = "[[numbers]]\nphone_number_id = \"7\"\nwebhook_secret = \"t0ken\"\n";
    for text in ["[gateway]\ntoken = \"t0ken\"\n", of_number] {
        let path = setup.write("config.toml", text);
        only_the_owner_may_read(&setup, &path);
    }
}

fn only_the_owner_may_read(setup: &Setup, path: &Path) {
    let warnings = |mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        Config::load_with(Some(path), &setup.environment())
            .unwrap()
            .warnings
    };
    assert_eq!(warnings(0o600), []);
    assert!(
        warnings(0o644)[0]
            .to_string()
            .contains("can be read by other users; chmod 600")
    );
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let shown = problem("[gateway]\nurl = \"ws://ann:hidden@host:1\"\n");
    assert!(
        shown.contains("gateway.url has a user name") && !shown.contains("hidden"),
        "{shown}"
    );
    assert!(problem("[gateway]\nurl = \"ftp://host\"\n").contains("is not a ws or wss"));
    let setup = Setup::new().set("KAPSO_BASE_URL", "http://127.0.0.1:1/meta/whatsapp/v24.0/");
    let config = setup.load().unwrap();
    assert_eq!(
        config.kapso.base_url.as_str(),
        "http://127.0.0.1:1/meta/whatsapp/v24.0"
    );
}

#[test]
fn the_api_key_never_crosses_the_network_in_clear_and_the_token_not_unnoticed() {
    let error = Setup::new()
        .set("KAPSO_BASE_URL", "http://kapso.example/v24.0")
        .load()
        .unwrap_err();
    assert!(
        error.to_string().contains("write an https address"),
        "{error}"
    );

    let warned = |url: &str| {
        let setup = Setup::new()
            .set("KAPSO_ALLOWED_NUMBERS", "+15551234567")
            .set("GATEWAY_URL", url);
        !setup.load().unwrap().warnings.is_empty()
    };
    assert!(warned("ws://192.168.1.2:18789"));
    assert!(
        !warned("wss://gateway.example")
            && !warned("ws://[::1]:18789")
            && !warned("ws://localhost:1")
    );
}

#[test]
fn where_the_state_lies_is_known_without_the_account() {
    let setup = Setup::bare().set("KAPSO_CONFIG", "~/mine.toml");
    setup.write(
        "mine.toml",
        "[state]\ndir = \"~/state\"\n[delivery]\nmode = \"nonsense\"\n",
    );
    let state = State::load_with(None, &setup.environment()).unwrap();
    assert_eq!(state.control_socket(), setup.home("state/control.sock"));

    setup.write("mine.toml", "[staet]\ndir = \"~/state\"\n");
    assert!(
        State::load_with(None, &setup.environment()).is_err(),
        "another folder would be looked into"
    );
}
