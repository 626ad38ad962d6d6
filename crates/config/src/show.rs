//! The effective configuration, with secrets masked: for `config show`, `--check` and comparing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use toml::{Table, Value};

use crate::Config;
use crate::key::{KEYS, Key};
use crate::problem::Origin;

/// What stands for a secret.
const MASK: &str = "***";

/// Effective values by key; a key that is not set is missing.
#[derive(Debug, Default)]
pub(crate) struct Shown(BTreeMap<&'static str, Value>);

impl Shown {
    pub(crate) fn text(&mut self, key: &Key, text: &str) {
        self.value(key, text);
    }

    pub(crate) fn maybe(&mut self, key: &Key, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.value(key, value.to_string());
        }
    }

    pub(crate) fn path(&mut self, key: &Key, path: &Path) {
        self.value(key, path.display().to_string());
    }

    pub(crate) fn secret(&mut self, key: &Key, secret: Option<&SecretString>) {
        if secret.is_some() {
            self.value(key, MASK);
        }
    }

    pub(crate) fn flag(&mut self, key: &Key, flag: bool) {
        self.value(key, flag);
    }

    pub(crate) fn whole(&mut self, key: &Key, number: u32) {
        self.value(key, i64::from(number));
    }

    pub(crate) fn seconds(&mut self, key: &Key, duration: Duration) {
        self.value(key, i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
    }

    pub(crate) fn lists(&mut self, key: &Key, lists: BTreeMap<&str, Vec<String>>) {
        let table: Table = lists
            .into_iter()
            .map(|(name, list)| (name.to_owned(), Value::from(list)))
            .collect();
        if !table.is_empty() {
            self.value(key, table);
        }
    }

    fn value(&mut self, key: &Key, value: impl Into<Value>) {
        self.0.insert(key.path, value.into());
    }
}

impl Config {
    /// The effective configuration as a table of tables, secrets as `***`.
    pub fn effective(&self) -> Table {
        let mut root = Table::new();
        for (path, value) in self.shown().0 {
            match path.rsplit_once('.') {
                None => {
                    root.insert(path.to_owned(), value);
                }
                Some((section, name)) => {
                    let section = root
                        .entry(section)
                        .or_insert_with(|| Value::Table(Table::new()));
                    if let Some(section) = section.as_table_mut() {
                        section.insert(name.to_owned(), value);
                    }
                }
            }
        }
        root
    }

    /// The effective configuration as TOML, secrets as `***`, each value with the place that it comes from.
    pub fn show(&self) -> String {
        let shown = self.shown().0;
        let (tops, rest): (Vec<&Key>, Vec<&Key>) = KEYS
            .iter()
            .copied()
            .partition(|key| key.split().0.is_empty());
        let mut lines = Vec::new();
        let mut section = "";
        let mut lists = Vec::new();
        for key in tops.into_iter().chain(rest) {
            let (in_section, name) = key.split();
            if in_section != section {
                section = in_section;
                lines.append(&mut lists);
                lines.push(format!("\n[{section}]"));
            }
            match shown.get(key.path) {
                None => lines.push(format!("# {name} is not set")),
                Some(Value::Table(table)) => {
                    // TOML ends a section where its sub-section begins.
                    lists.push(format!("\n[{}]", key.path));
                    lists.extend(
                        table
                            .iter()
                            .map(|(name, list)| format!("{} = {list}", quoted_key(name))),
                    );
                }
                Some(value) => lines.push(format!("{name} = {value}  # {}", self.origin(key))),
            }
        }
        lines.append(&mut lists);
        lines.join("\n").trim_start().to_owned() + "\n"
    }

    fn origin(&self, key: &Key) -> &Origin {
        self.origins.get(key.path).unwrap_or(&Origin::Default)
    }

    fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        self.kapso.show(&mut shown);
        self.delivery.show(&mut shown);
        self.webhook.show(&mut shown);
        self.gateway.show(&mut shown);
        self.state.show(&mut shown);
        self.security.show(&mut shown);
        self.control.show(&mut shown);
        self.log.show(&mut shown);
        shown
    }
}

/// A key as TOML wants it: bare where it may be.
fn quoted_key(name: &str) -> String {
    let bare = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}
