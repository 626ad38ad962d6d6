//! Roles: who is in which, and who must not be in two.

use config::{Config, SecurityMode};
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
fn a_number_in_two_roles_is_an_error_that_names_both() {
    let text = "[security.roles]\nadmin = [\"+541155551234\"]\nmember = [\n  \"US.1\",\n  \"+5491155551234\",\n]\n";
    let shown = problem(text);
    assert!(
        shown.ends_with("config.toml:2); leave the number in one role")
            || shown.contains("; leave the number in one role")
    );
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
