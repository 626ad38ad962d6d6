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
        Some(written) if is_key(written) || is_header(written) => written.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    example.lines().map(|line| set(line) + "\n").collect()
}

fn is_key(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_header(line: &str) -> bool {
    line.starts_with('[')
}

/// Whether a table has the key with this path, itself or in one of its items.
fn has(value: &toml::Value, path: &str) -> bool {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    match value {
        toml::Value::Array(items) => items.iter().any(|item| has(item, path)),
        toml::Value::Table(table) => table
            .get(name)
            .is_some_and(|inner| rest.is_empty() || has(inner, rest)),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => false,
    }
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
    // The names of chats are the operator's, so their keys are one level further down.
    let chats = table["chats"].as_table().unwrap().values().cloned();
    let chats = toml::Value::Array(chats.collect());
    for key in KEYS {
        let found = match key.path.strip_prefix("chats.") {
            Some(name) => has(&chats, name),
            None => has(&toml::Value::Table(table.clone()), key.path),
        };
        assert!(found, "{} is not in the example", key.path);
    }
    let mut reasoned = false;
    for line in example.lines() {
        let bare = line.trim_start_matches('#');
        if line.starts_with("# ") {
            reasoned = true;
        } else if is_key(bare) {
            assert!(reasoned, "{line} has no reason");
        } else if !is_header(bare) {
            reasoned = false;
        }
    }
}

#[test]
fn what_the_example_shows_for_unset_keys_can_be_used() {
    let setup = Setup::bare();
    setup.write(".config/kapso-whatsapp/support-secret", "s3cret\n");
    let config = setup
        .load_text(&all_set(&document("config.example.toml")))
        .unwrap();
    assert_eq!(config.security.roles.len(), 3);
    assert!(config.gateway.token.is_some() && config.control.metrics_addr.is_some());
    assert_eq!((config.numbers.len(), config.routes.len()), (3, 2));
    assert!(config.rules.hours.is_some() && config.chats.default.is_some());
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
    let names = match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    format!(
        "| {} | {names} | {default} | {} |\n",
        code(key.path),
        key.meaning
    )
}

/// A value that this key refuses; none where every text will do.
fn refused(key: &Key) -> Option<String> {
    match key.path {
        "gateway.error_message" | "security.deny_message" => None,
        "gateway.sessions_json" | "state.dir" | "media.dir" => Some("$NOWHERE/x".to_owned()),
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
