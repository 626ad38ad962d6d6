//! Roles: who is in which, and who must not be in two.

use config::{Config, Hook, OverLimit, SecurityMode};
use model::{Identity, Role};

use crate::{Setup, problem};

fn role(config: &Config, number: &str) -> Option<String> {
    let identity = Identity::new(number).unwrap().canonical();
    config
        .security
        .roles
        .get(&identity)
        .map(|Role(name)| name.clone())
}

#[test]
fn the_files_role_wins_over_the_environments() {
    let setup = Setup::new()
        .set("KAPSO_ALLOWED_NUMBERS", "+15551234567, 54 9 11 5555-1234,,")
        .set("KAPSO_DEFAULT_ROLE", "guest");
    let config = setup
        .load_text("[security.roles]\nadmin = [\"+15551234567\"]\n")
        .unwrap();
    assert_eq!(config.security.mode, SecurityMode::Allowlist);
    assert_eq!(role(&config, "15551234567").as_deref(), Some("admin"));
    assert_eq!(role(&config, "541155551234").as_deref(), Some("guest"));
    assert_eq!(role(&config, "+15550000000"), None);
}

#[test]
fn c11_a_number_in_two_roles_is_an_error_that_names_both() {
    let text = "[security.roles]\nadmin = [\"+541155551234\"]\nmember = [\n  \"US.1\",\n  \"+5491155551234\",\n]\n";
    let shown = problem(text);
    assert_eq!(shown, "2); leave the number in one role");
    let whole = crate::problems(text)[0].to_string();
    assert!(
        whole.contains("config.toml:5: security.roles.member has +541155551234"),
        "{whole}"
    );
    assert!(
        whole.contains("also in the role admin (") && whole.contains("config.toml:2)"),
        "{whole}"
    );
    let same = "[security.roles]\nadmin = [\"+541155551234\", \"+5491155551234\"]\n";
    assert_eq!(
        Setup::new().load_text(same).unwrap().security.roles.len(),
        1
    );
}

#[test]
fn numbers_and_roles_are_checked() {
    assert!(
        problem("[security.roles]\nadmin = [\"ann\"]\n")
            .contains("security.roles.admin has \"ann\", which is neither")
    );
    assert_eq!(
        problem("[security.roles]\nadmin = []\n"),
        "2: security.roles.admin lists nobody; list a number or a user id, or remove the role admin"
    );
    assert!(problem("[security.roles]\nadmin = [15551234567]\n").contains("write it in quotes"));
    assert!(problem("[security.roles]\nadmin = \"+15551234567\"\n").contains("is not a list"));
    assert!(
        problem("[security.roles]\n\"a] [role: b\" = [\"+15551234567\"]\n")
            .contains("names the role")
    );
    assert!(
        problem("[security]\nroles = [\"+15551234567\"]\n").contains("security.roles is a section")
    );
    let error = Setup::new()
        .set("KAPSO_ALLOWED_NUMBERS", "+15551234567;+15551234568")
        .load()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("KAPSO_ALLOWED_NUMBERS: security.roles has"),
        "{error}"
    );
}

#[test]
fn a_list_that_admits_nobody_is_warned_of() {
    let warned = |setup: Setup| {
        setup
            .load()
            .unwrap()
            .warnings
            .iter()
            .any(|warning| warning.key == "security.roles")
    };
    assert!(warned(Setup::new()));
    assert!(!warned(
        Setup::new().set("KAPSO_ALLOWED_NUMBERS", "+15551234567")
    ));
    assert!(!warned(Setup::new().set("KAPSO_SECURITY_MODE", "open")));
}

#[test]
fn k2_an_unknown_mode_or_excess_names_the_nearest() {
    assert_eq!(
        problem("[security]\nmode = \"alowlist\"\n"),
        "2: security.mode is \"alowlist\", which is not known; write one of allowlist, open, pairing; the \
         nearest one is allowlist"
    );
    assert!(problem("[security]\nover_limit = \"dorp\"\n").contains("the nearest one is drop"));
}

#[test]
fn messages_over_the_rate_wait_unless_they_are_to_be_dropped() {
    assert_eq!(
        Setup::new().load().unwrap().security.over_limit,
        OverLimit::Wait
    );
    let setup = Setup::new().set("KAPSO_OVER_LIMIT", "drop");
    assert_eq!(setup.load().unwrap().security.over_limit, OverLimit::Drop);
}

#[test]
fn a_hook_is_a_command_line_or_an_address() {
    let hook = |text: &str| {
        let config = Setup::new().set("KAPSO_STRANGER_HOOK", text).load();
        config.map(|config| config.security.stranger_hook.unwrap())
    };
    let command = "curl -d @- https://host/x";
    assert_eq!(hook(command).unwrap(), Hook::Command(command.to_owned()));
    let Hook::Url(url) = hook("https://host/x?key=1").unwrap() else {
        panic!("taken for a command")
    };
    assert_eq!(url.as_str(), "https://host/x?key=1");
    for bad in ["ftp://host/x", "https://", "ring\n--bell"] {
        let error = hook(bad).unwrap_err().to_string();
        assert!(error.contains("security.stranger_hook is"), "{error}");
    }
}

#[test]
fn the_message_of_pairing_has_a_place_for_the_code() {
    let shown = problem("[security]\nmode = \"pairing\"\npairing_message = \"Ask Ann.\"\n");
    assert_eq!(
        shown,
        "3: security.pairing_message is \"Ask Ann.\", without {code}; write {code} where the code belongs"
    );
    let setup = Setup::new().set("KAPSO_SECURITY_MODE", "pairing");
    assert!(
        setup
            .load()
            .unwrap()
            .security
            .pairing_message
            .contains("{code}")
    );
}

#[test]
fn commands_are_given_to_roles_as_a_list_or_all_the_usual_ones() {
    let text = "[security.roles]\na = [\"US.1\"]\nb = [\"US.2\"]\nc = [\"US.3\"]\n\
                [security.gateway_commands]\na = true\nb = [\"/Compact\"]\nc = false\n";
    let commands = Setup::new()
        .load_text(text)
        .unwrap()
        .security
        .gateway_commands;
    let of = |role: &str| commands.get(&Role(role.to_owned())).cloned();
    assert_eq!(of("a").unwrap(), ["/status", "/help"]);
    assert_eq!(of("b").unwrap(), ["/compact"]);
    assert_eq!(of("c"), None, "nobody has commands unless they are given");

    let wrong = |list: &str| {
        let roles = "[security.roles]\na = [\"US.1\"]\n[security.gateway_commands]\n";
        problem(&format!("{roles}a = {list}\n"))
    };
    assert_eq!(
        wrong("[\"/status\", \"status\"]"),
        "4: security.gateway_commands.a has \"status\", which is not a command; write true, or a list such as \
         [\"/status\", \"/help\"]"
    );
    for bad in ["[\"/\"]", "[\"/status now\"]", "[5]", "[true]"] {
        assert!(
            wrong(bad).starts_with("4: security.gateway_commands.a "),
            "{bad}"
        );
    }
}

#[test]
fn commands_for_a_role_that_nobody_can_have_are_refused() {
    let with = |mode: &str| {
        format!(
            "[security]\nmode = \"{mode}\"\n[security.roles]\nadmin = [\"US.1\"]\n\
             [security.gateway_commands]\nadmn = true\n"
        )
    };
    assert_eq!(
        problem(&with("allowlist")),
        "6: security.gateway_commands names the role admn, which nobody can have; write admin"
    );
    assert!(
        problem(&with("open")).ends_with("write one of admin, member; the nearest one is admin")
    );
    let paired = Setup::new().load_text(&with("pairing"));
    assert!(
        paired.is_ok(),
        "the operator may approve someone in any role"
    );
}
