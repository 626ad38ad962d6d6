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
    let mut read: toml::Table = shown.parse().unwrap();
    read.retain(|_, section| section.as_table().is_none_or(|keys| !keys.is_empty()));
    assert_eq!(read, config.effective());
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
