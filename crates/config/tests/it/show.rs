//! The effective configuration as it is shown.

use crate::Setup;

#[test]
fn what_is_shown_is_toml_with_masked_secrets_and_places() {
    let setup = Setup::new().set("KAPSO_POLL_INTERVAL", "7");
    let text = "[gateway]\ntoken = \"t0ken\"\n[security.roles]\nadmin = [\"+15551234567\"]\n\"jefe.2\" = [\"US.1\"]\n";
    let config = setup.load_text(text).unwrap();
    let shown = config.show();
    assert!(!shown.contains("t0ken"), "{shown}");
    assert!(
        shown.contains("api_key = \"***\"  # KAPSO_API_KEY\n"),
        "{shown}"
    );
    assert!(
        shown.contains("poll_interval = 7  # KAPSO_POLL_INTERVAL\n"),
        "{shown}"
    );
    assert!(shown.contains("config.toml:2\n"), "{shown}");
    assert!(shown.contains("# public_url is not set\n"), "{shown}");
    assert_eq!(without_empty(shown.parse().unwrap()), config.effective());
}

/// The table without sections in which nothing is set.
fn without_empty(mut table: toml::Table) -> toml::Table {
    let sections = table
        .iter_mut()
        .filter_map(|(_, value)| value.as_table_mut());
    for section in sections {
        *section = without_empty(std::mem::take(section));
    }
    table.retain(|_, value| value.as_table().is_none_or(|keys| !keys.is_empty()));
    table
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let setup = Setup::new()
        .set("KAPSO_ALLOWED_NUMBERS", "+15551234567")
        .set("KAPSO_MODE", "domain");
    let config = setup.load().unwrap();
    let again = Setup::bare().load_text(&config.show()).unwrap();
    assert_eq!(again.effective(), config.effective());
}

#[test]
fn numbers_routes_chats_and_hours_are_shown_so_that_they_can_be_loaded_again() {
    let text = r#"
[gateway]
session_template = "agent:{agent}:{number}:{phone}"
[security]
stranger_hook = "tell --loud"
[security.gateway_commands]
admin = true
[security.roles]
admin = ["+15551234567"]
[rules]
forbidden = ["one", "two words"]
[rules.hours]
zone = "Europe/Madrid"
open = "22:00"
close = "06:30"
days = ["sat"]
[[numbers]]
phone_number_id = "77"
name = "sales"
webhook_secret = "t0p-secret"
[numbers.security]
mode = "open"
roles = { seller = ["US.1"] }
[[numbers]]
phone_number_id = "88"
[numbers.security.roles]
[[routes]]
number = "sales"
agent = "seller"
[[routes]]
sender = "+54 9 11 5555-1234"
role = "admin"
session = "desk"
[chats."*"]
prompt = "Be \"brief\"."
[chats."US.1"]
prompt = ""
"#;
    let config = Setup::new().load_text(text).unwrap();
    let shown = config.show();
    assert!(!shown.contains("t0p-secret"), "{shown}");
    assert!(!format!("{config:?}").contains("t0p-secret"));
    assert!(
        shown.contains("webhook_secret = \"***\"") && shown.contains("[[routes]]"),
        "{shown}"
    );
    assert!(
        shown.contains("# numbers: ") && shown.contains("config.toml:17, "),
        "{shown}"
    );
    assert_eq!(without_empty(shown.parse().unwrap()), config.effective());
    let again = Setup::bare().load_text(&shown).unwrap();
    assert_eq!(again.effective(), config.effective());
    assert_eq!(
        (again.routes, again.chats, again.rules),
        (config.routes, config.chats, config.rules)
    );
}
