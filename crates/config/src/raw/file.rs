//! The file into [`Raw`]: each known key with its line, each unknown name as a problem.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Listed, Raw, Value, Written};
use crate::key::{Secrecy, find, is_section};
use crate::nearest;
use crate::problem::{Origin, Problem};
use crate::security;

impl Raw {
    /// Takes what stands in the file; gives what is wrong with it.
    pub(super) fn read_file(&mut self, path: &Path, text: &str) -> Vec<Problem> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading {
            raw: self,
            path,
            text,
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
    path: &'a Path,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let path = match section {
                "" => name.get_ref().to_string(),
                section => format!("{section}.{}", name.get_ref()),
            };
            self.entry(&path, name.span().start, value);
        }
    }

    fn entry(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let table = value.get_ref().as_table();
        if path == security::ROLES.path {
            match table {
                Some(roles) => self.roles(roles),
                None => self.not_a_section(path, at),
            }
        } else if let Some(key) = find(path) {
            let value = read(value.get_ref());
            // `kapso.api_key = 5` and the like: what a secret is must not be shown, whatever its type.
            let value = match (key.secrecy, value) {
                (Secrecy::Secret, Value::Flag(_)) => Value::Unfit("true or false"),
                (_, value) => value,
            };
            let origin = self.origin(at);
            self.raw.put(key, value, origin);
        } else if is_section(path) {
            match table {
                Some(table) => self.table(path, table),
                None => self.not_a_section(path, at),
            }
        } else {
            let nearest = nearest::of_path(path);
            let remedy = format!("the nearest one is {nearest}");
            let what = if table.is_some() {
                "is not a known section"
            } else {
                "is not a known key"
            };
            self.problem(path, at, what.to_owned(), remedy);
        }
    }

    fn roles(&mut self, roles: &DeTable<'_>) {
        let mut entries: Vec<_> = roles.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (role, numbers) in entries {
            let path = format!("{}.{}", security::ROLES.path, role.get_ref());
            let Some(numbers) = numbers.get_ref().as_array() else {
                let remedy = "write it as [\"+15551234567\", …]".to_owned();
                self.problem(&path, role.span().start, "is not a list".to_owned(), remedy);
                continue;
            };
            for number in numbers {
                let origin = self.origin(number.span().start);
                let number = Written {
                    value: read(number.get_ref()),
                    origin,
                };
                self.raw.listed.push(Listed {
                    role: role.get_ref().to_string(),
                    number,
                });
            }
        }
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
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::File {
            path: self.path.to_owned(),
            line,
        }
    }
}

fn read(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Unfit("a number out of bounds"), Value::Integer),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Float(_) => Value::Unfit("a decimal number"),
        DeValue::Datetime(_) => Value::Unfit("a date"),
        DeValue::Array(_) => Value::Unfit("a list"),
        DeValue::Table(_) => Value::Unfit("a section"),
    }
}
