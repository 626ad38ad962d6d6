//! The documents that describe the configuration say what the program does.

use std::path::Path;

use config::{KEYS, Key, Preset};

use crate::Setup;

fn document(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(name)).unwrap()
}

/// The example with its unset keys set to what it shows for them.
fn all_set(example: &str) -> String {
    let set = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    example.lines().map(|line| set(line) + "\n").collect()
}

#[test]
fn the_example_equals_the_defaults() {
    let setup = Setup::new();
    let defaults = setup.load().unwrap();
    let example = setup.load_text(&document("config.example.toml")).unwrap();
    assert_eq!(example.effective(), defaults.effective());
}

#[test]
fn the_example_has_every_key_below_a_reason() {
    let example = document("config.example.toml");
    let table: toml::Table = all_set(&example).parse().unwrap();
    for key in KEYS {
        let found = match key.split() {
            ("", name) => table.get(name),
            (section, name) => table.get(section).and_then(|section| section.get(name)),
        };
        assert!(found.is_some(), "{} is not in the example", key.path);
    }
    let lines: Vec<_> = example.lines().collect();
    for pair in lines.windows(2) {
        let is_key = |line: &str| {
            line.trim_start_matches('#')
                .starts_with(|c: char| c.is_ascii_lowercase())
        };
        let reasoned =
            is_key(pair[0]) || pair[0].starts_with("# ") || pair[0] == "[security.roles]";
        assert!(!is_key(pair[1]) || reasoned, "{} has no reason", pair[1]);
    }
}

#[test]
fn what_the_example_shows_for_unset_keys_can_be_used() {
    let setup = Setup::bare();
    let config = setup
        .load_text(&all_set(&document("config.example.toml")))
        .unwrap();
    assert_eq!(config.security.roles.len(), 3);
    assert!(config.gateway.token.is_some() && config.control.metrics_addr.is_some());
}

#[test]
fn the_reference_is_that_of_the_program() {
    let rows: String = KEYS.iter().map(|key| row(key)).collect();
    let reference = document("docs/configuration.md");
    assert!(
        reference.contains(&rows),
        "docs/configuration.md has to hold these rows:\n{rows}"
    );
}

fn row(key: &Key) -> String {
    let code = |text: &str| format!("`{text}`");
    let default = match key.preset {
        Preset::Required => "required".to_owned(),
        Preset::Nothing => "none".to_owned(),
        Preset::Text(text) => code(text),
    };
    let names: Vec<_> = key.env.iter().map(|name| code(name)).collect();
    format!(
        "| {} | {} | {default} | {} |\n",
        code(key.path),
        names.join(", "),
        key.meaning
    )
}

/// A value that this key refuses; none where every text will do.
fn refused(key: &Key) -> Option<String> {
    match key.path {
        "gateway.error_message" | "security.deny_message" => None,
        "gateway.sessions_json" | "state.dir" => Some("$NOWHERE/x".to_owned()),
        "gateway.session_key" => Some("x".repeat(1000)),
        _ => Some("in=va lid\u{1}".to_owned()),
    }
}

#[test]
fn every_variable_of_the_reference_is_read_and_checked() {
    for key in KEYS {
        let Some(value) = refused(key) else { continue };
        for name in key.env {
            let error = Setup::new().set(name, &value).load().unwrap_err();
            let [problem] = error.problems() else {
                panic!("{name}: {error}")
            };
            assert_eq!(problem.key, key.path, "{name}");
        }
    }
}
