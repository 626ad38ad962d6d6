//! The effective configuration, with secrets masked: for `config show`, `--check` and comparing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use toml::{Table, Value};

use crate::key::{KEYS, Key};
use crate::problem::Origin;
use crate::{Config, kapso, numbers, routes, security};

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

    pub(crate) fn fraction(&mut self, key: &Key, number: f64) {
        self.value(key, number);
    }

    pub(crate) fn seconds(&mut self, key: &Key, duration: Duration) {
        self.value(key, i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
    }

    pub(crate) fn lists(&mut self, key: &Key, lists: BTreeMap<&str, Vec<String>>) {
        let table: Table = lists
            .into_iter()
            .map(|(name, list)| (name.to_owned(), Value::from(list)))
            .collect();
        // In an item an empty table says more than none: it stands in for that of all.
        if !table.is_empty() || key.is_of_items() {
            self.value(key, table);
        }
    }

    pub(crate) fn list(&mut self, key: &Key, list: &[impl ToString]) {
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        self.value(key, texts);
    }

    fn value(&mut self, key: &Key, value: impl Into<Value>) {
        self.0.insert(key.path, value.into());
    }

    /// The values as tables in tables, without the first `depth` parts of their names.
    fn tables(self, depth: usize) -> Table {
        let mut root = Table::new();
        for (path, value) in self.0 {
            let mut sections: Vec<&str> = path.split('.').skip(depth).collect();
            let name = sections.pop().unwrap_or(path);
            let inner = sections.into_iter().try_fold(&mut root, |table, section| {
                let inner = table.entry(section);
                inner
                    .or_insert_with(|| Value::Table(Table::new()))
                    .as_table_mut()
            });
            if let Some(inner) = inner {
                inner.insert(name.to_owned(), value);
            }
        }
        root
    }
}

/// What is in effect in the sections that stand many times.
#[derive(Debug, Default)]
pub(crate) struct ShownItems(Table);

impl ShownItems {
    /// One more item of `section`.
    pub(crate) fn listed(&mut self, section: &str, shown: Shown) {
        let items = self.0.entry(section);
        let items = items.or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = items {
            items.push(Value::Table(shown.tables(1)));
        }
    }

    /// The item of `section` with this name.
    pub(crate) fn named(&mut self, section: &str, name: String, shown: Shown) {
        let items = self.0.entry(section);
        let items = items.or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(items) = items {
            items.insert(name, Value::Table(shown.tables(1)));
        }
    }
}

impl Config {
    /// The effective configuration as a table of tables, secrets as `***`.
    pub fn effective(&self) -> Table {
        let mut root = self.shown().tables(0);
        root.extend(self.shown_items().0);
        root
    }

    /// The effective configuration as TOML, secrets as `***`, each value with the place that it comes from.
    pub fn show(&self) -> String {
        let shown = self.shown().0;
        let once = KEYS.iter().copied().filter(|key| !key.is_of_items());
        let (tops, rest): (Vec<&Key>, Vec<&Key>) = once.partition(|key| key.split().0.is_empty());
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
        for (section, items) in self.shown_items().0 {
            let origins = self
                .item_origins
                .get(section.as_str())
                .into_iter()
                .flatten();
            let places: Vec<String> = origins.map(ToString::to_string).collect();
            lines.push(format!("\n# {section}: {}", places.join(", ")));
            let table = Table::from_iter([(section, items)]).to_string();
            lines.push(table.trim_end().to_owned());
        }
        lines.join("\n").trim_start().to_owned() + "\n"
    }

    fn origin(&self, key: &Key) -> &Origin {
        self.origins.get(key.path).unwrap_or(&Origin::Default)
    }

    fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        self.kapso.show(&mut shown, self.has_single());
        self.delivery.show(&mut shown);
        self.webhook.show(&mut shown);
        self.gateway.show(&mut shown);
        self.state.show(&mut shown);
        self.media.show(&mut shown);
        if let Some(transcribe) = &self.transcribe {
            transcribe.show(&mut shown);
        }
        self.security.show(&mut shown, &security::OF_ALL);
        let hook = self.security.stranger_hook.as_ref();
        shown.maybe(&security::STRANGER_HOOK, hook);
        self.identity.show(&mut shown);
        self.rules.show(&mut shown);
        self.control.show(&mut shown);
        self.log.show(&mut shown);
        shown
    }

    fn shown_items(&self) -> ShownItems {
        let mut items = ShownItems::default();
        // The number of `[kapso]` is shown there.
        for number in self.numbers.iter().skip(usize::from(self.has_single())) {
            let mut shown = Shown::default();
            number.show(&mut shown);
            items.listed(numbers::SECTION, shown);
        }
        for route in &self.routes {
            let mut shown = Shown::default();
            route.show(&mut shown);
            items.listed(routes::SECTION, shown);
        }
        self.chats.show(&mut items);
        items
    }

    /// Whether `[kapso]` has a number.
    fn has_single(&self) -> bool {
        self.origins.contains_key(kapso::PHONE_NUMBER_ID.path)
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
