//! The file into [`Raw`]: each known key with its line, each unknown name as a problem.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Item, Raw, Scope, Value, Written};
use crate::key::{Items, Key, find, is_section};
use crate::nearest;
use crate::problem::{Origin, Problem};

impl Raw {
    /// Takes what stands in the file; gives what is wrong with it.
    pub(super) fn read_file(&mut self, path: &Path, text: &str) -> Vec<Problem> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading {
            raw: self,
            item: None,
            path,
            line_ends: text.match_indices('\n').map(|(at, _)| at).collect(),
            problems: Vec::new(),
        };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            // The parser's own display would quote the line, and the line may hold a secret.
            let what = format!("is not TOML here: {}", error.message());
            reading.problem(
                "the file",
                at,
                what,
                "mend the line, or the one before it".to_owned(),
            );
        }
        if reading.problems.is_empty() {
            reading.table("", document.get_ref());
        } else {
            reading.raw.file_failed = true;
        }
        reading.problems
    }
}

struct Reading<'a> {
    raw: &'a mut Raw,
    /// What is read now goes here, inside a section that stands many times.
    item: Option<Scope>,
    path: &'a Path,
    /// Where lines end: counted once, because a file may list very many numbers.
    line_ends: Vec<usize>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, at, value) in in_order(table) {
            let path = match section {
                "" => name.to_owned(),
                section => format!("{section}.{name}"),
            };
            self.entry(&path, at, value);
        }
    }

    fn entry(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let table = value.get_ref().as_table();
        if let Some(key) = find(path) {
            match (key.is_table, table) {
                (true, Some(table)) => self.entries(key, table),
                (true, None) => self.not_a_section(path, at),
                (false, _) => {
                    let value = self.read(value.get_ref());
                    let origin = self.origin(at);
                    self.scope().put(key, value, origin);
                }
            }
        } else if let Some((section, items)) = Items::of(path) {
            match (items, value.get_ref()) {
                (Items::Listed, DeValue::Array(list)) => self.listed(section, at, list),
                (Items::Named, DeValue::Table(table)) => self.named(section, table),
                (items, _) => self.not_items(section, items, at),
            }
        } else if is_section(path) {
            match table {
                Some(table) => self.table(path, table),
                None => self.not_a_section(path, at),
            }
        } else {
            let remedy = format!("the nearest one is {}", nearest::of_path(path));
            let what = if table.is_some() {
                "is not a known section"
            } else {
                "is not a known key"
            };
            self.problem(path, at, what.to_owned(), remedy);
        }
    }

    /// The entries of a key that is a table: names of the operator's own, each with a value.
    fn entries(&mut self, key: &'static Key, table: &DeTable<'_>) {
        let mut entries = Vec::new();
        for (name, at, value) in in_order(table) {
            let written = Written {
                value: self.read(value.get_ref()),
                origin: self.origin(at),
            };
            let name = name.to_owned();
            entries.push(Entry { name, written });
        }
        self.scope().tables.insert(key.path, entries);
    }

    fn listed(&mut self, section: &'static str, at: usize, list: &[Spanned<DeValue<'_>>]) {
        for value in list {
            match value.get_ref().as_table() {
                Some(table) => self.item(section, "", value.span().start, table),
                None => self.not_items(section, Items::Listed, at),
            }
        }
    }

    fn named(&mut self, section: &'static str, table: &DeTable<'_>) {
        for (name, at, value) in in_order(table) {
            match value.get_ref().as_table() {
                Some(table) => self.item(section, name, at, table),
                None => self.not_items(section, Items::Named, at),
            }
        }
    }

    fn item(&mut self, section: &'static str, name: &str, at: usize, table: &DeTable<'_>) {
        let outer = self.item.replace(Scope::default());
        self.table(section, table);
        let scope = std::mem::replace(&mut self.item, outer).unwrap_or_default();
        let item = Item {
            name: name.to_owned(),
            origin: self.origin(at),
            scope,
        };
        self.raw.items.entry(section).or_default().push(item);
    }

    fn scope(&mut self) -> &mut Scope {
        self.item.as_mut().unwrap_or(&mut self.raw.top)
    }

    fn read(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Value::Unfit("a number out of bounds"), Value::Integer),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Float(float) => float
                .as_str()
                .parse()
                .map_or(Value::Unfit("a decimal number"), Value::Decimal),
            DeValue::Datetime(_) => Value::Unfit("a date or a time"),
            DeValue::Table(_) => Value::Unfit("a section"),
            DeValue::Array(list) => {
                let written = |value: &Spanned<DeValue<'_>>| Written {
                    value: self.read(value.get_ref()),
                    origin: self.origin(value.span().start),
                };
                Value::List(list.iter().map(written).collect())
            }
        }
    }

    fn not_items(&mut self, section: &str, items: Items, at: usize) {
        let (what, example) = match items {
            Items::Listed => ("is a list of sections", format!("[[{section}]]")),
            Items::Named => (
                "has named sections",
                format!("[{section}.\"+15551234567\"]"),
            ),
        };
        let remedy = format!("write {example} on a line of its own, and its keys below it");
        self.problem(section, at, what.to_owned(), remedy);
    }

    fn not_a_section(&mut self, path: &str, at: usize) {
        let remedy = format!("write [{path}] on a line of its own, and its keys below it");
        self.problem(path, at, "is a section, not a key".to_owned(), remedy);
    }

    fn problem(&mut self, key: &str, at: usize, what: String, remedy: String) {
        let origin = Some(self.origin(at));
        self.problems.push(Problem {
            key: key.to_owned(),
            origin,
            what,
            remedy,
        });
    }

    fn origin(&self, at: usize) -> Origin {
        let line = 1 + self.line_ends.partition_point(|end| *end < at);
        Origin::File {
            path: self.path.to_owned(),
            line,
        }
    }
}

/// What stands in a table, in the order in which it is written: name, place, value.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> impl Iterator<Item = (&'a str, usize, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
        .into_iter()
        .map(|(name, value)| (name.get_ref().as_ref(), name.span().start, value))
}
