//! The configuration as written: file and environment, key by key, each value with its place. Nothing is derived here.

mod file;
mod overlay;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub(crate) use self::overlay::content;
use crate::environment::Environment;
use crate::expand;
use crate::key::{KEYS, Key};
use crate::problem::{Origin, Problem, Wrong};

/// Where the file is looked for when nobody names one.
const USUAL_FILE: &str = "~/.config/kapso-whatsapp/config.toml";

/// The variable that names the file.
pub(crate) const FILE_VARIABLE: &str = "KAPSO_CONFIG";

/// A value as written.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Text without a type, from the environment or as a default: read as what the key needs.
    Word(String),
    /// The text of a secret, from anywhere.
    Secret(SecretString),
    /// Text, from the file.
    Text(String),
    /// A whole number, from the file.
    Integer(i64),
    /// A number with a fraction, from the file.
    Decimal(f64),
    /// True or false, from the file.
    Flag(bool),
    /// A list, from the file: each entry with its own place.
    List(Vec<Written>),
    /// Something from the file that no key takes: what it is.
    Unfit(&'static str),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// A value under a name of the operator's own, in a key that is a table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) written: Written,
}

/// What is written by key: of everything that stands once, or of one item of a section that stands many times.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    values: BTreeMap<&'static str, Written>,
    tables: BTreeMap<&'static str, Vec<Entry>>,
}

impl Scope {
    /// What is written for `key`. An empty text means nothing, unless the key says otherwise.
    pub(crate) fn get(&self, key: &Key) -> Option<&Written> {
        self.values.get(key.path)
    }

    /// The entries of a key that is a table, in their order; none where the table itself is not written.
    pub(crate) fn entries(&self, key: &Key) -> Option<&[Entry]> {
        self.tables.get(key.path).map(Vec::as_slice)
    }

    /// Takes a value; for a secret its text is wrapped at once, and anything else is kept as its kind alone.
    fn put(&mut self, key: &'static Key, value: Value, origin: Origin) {
        let text = match &value {
            Value::Word(text) | Value::Text(text) => Some(text.as_str()),
            Value::Secret(_)
            | Value::Integer(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Decimal(_)
            | Value::Unfit(_) => None,
        };
        if !key.empty_counts && text.is_some_and(|text| text.trim().is_empty()) {
            return;
        }
        let value = match (key.is_secret(), value) {
            (true, Value::Word(text) | Value::Text(text)) => Value::Secret(text.into()),
            (true, Value::Integer(_) | Value::Decimal(_)) => Value::Unfit("a number"),
            (true, Value::Flag(_)) => Value::Unfit("true or false"),
            (true, Value::List(_)) => Value::Unfit("a list"),
            (_, value) => value,
        };
        self.values.insert(key.path, Written { value, origin });
    }

    fn holds_secret(&self) -> bool {
        KEYS.iter()
            .any(|key| key.is_secret() && self.get(key).is_some())
    }
}

/// One item of a section that stands many times.
#[derive(Debug)]
pub(crate) struct Item {
    /// The name that the operator gave it, where the section's items have names.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) origin: Origin,
    /// What it says.
    pub(crate) scope: Scope,
}

/// Everything that is written.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// What stands once.
    pub(crate) top: Scope,
    items: BTreeMap<&'static str, Vec<Item>>,
    /// Whether there is a file and it could not be read.
    file_failed: bool,
    /// Keys for which the environment has something that could not be read.
    failed: BTreeSet<&'static str>,
    /// The file, where other users can read it and a secret stands in it.
    exposed: Option<PathBuf>,
}

impl Raw {
    /// Reads the file and lays the environment over it. What cannot be read is a problem.
    pub(crate) fn gather(named: Option<&Path>, environment: &Environment) -> (Self, Vec<Problem>) {
        let (mut raw, mut problems) = (Self::default(), Vec::new());
        match locate(named, environment).and_then(|path| path.map(open).transpose()) {
            Ok(None) => {}
            Ok(Some((path, text))) => {
                problems.extend(raw.read_file(&path, &text));
                let others =
                    fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
                let secret = raw.top.holds_secret()
                    || raw
                        .items
                        .values()
                        .flatten()
                        .any(|item| item.scope.holds_secret());
                raw.exposed = (others && secret).then(|| path.clone());
                raw.file = Some(path);
            }
            Err(problem) => {
                raw.file_failed = true;
                problems.push(problem);
            }
        }
        problems.extend(raw.overlay(environment));
        (raw, problems)
    }

    /// The items of a section that may stand any number of times, in their order.
    pub(crate) fn items(&self, section: &str) -> &[Item] {
        self.items.get(section).map_or(&[], Vec::as_slice)
    }

    /// Whether `key` may be written somewhere that could not be read.
    pub(crate) fn may_hide(&self, key: &Key) -> bool {
        self.file_failed || self.failed.contains(key.path)
    }

    /// Where each key that stands once is written.
    pub(crate) fn origins(&self) -> BTreeMap<&'static str, Origin> {
        self.top
            .values
            .iter()
            .map(|(path, written)| (*path, written.origin.clone()))
            .collect()
    }

    /// Where each item of the sections that stand many times begins.
    pub(crate) fn item_origins(&self) -> BTreeMap<&'static str, Vec<Origin>> {
        let origins = |items: &Vec<Item>| items.iter().map(|item| item.origin.clone()).collect();
        let sections = self.items.iter();
        sections
            .map(|(section, items)| (*section, origins(items)))
            .collect()
    }

    /// A warning, if others on this host can read a secret in the file.
    pub(crate) fn exposed_secrets(&self) -> Option<Problem> {
        let file = self.exposed.as_ref()?.display();
        Some(Problem {
            key: file.to_string(),
            origin: None,
            what: "holds a secret and can be read by other users".to_owned(),
            remedy: format!("chmod 600 {file}, or keep secrets in the environment"),
        })
    }
}

/// The file to read: the one that is named, else the usual one if it is there.
fn locate(named: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, Problem> {
    let expanded = |text: &str, key: &str| {
        expand::path(text, environment).map_err(|wrong| unreadable(key, wrong))
    };
    if let Some(named) = named {
        return match named.to_str() {
            Some(text) => expanded(text, "--config").map(Some),
            None => Ok(Some(named.to_owned())),
        };
    }
    if let Some(named) = environment
        .get(FILE_VARIABLE)
        .filter(|path| !path.is_empty())
    {
        return match named.to_str() {
            Some(text) => expanded(text, FILE_VARIABLE).map(Some),
            None => Ok(Some(PathBuf::from(named))),
        };
    }
    // Without a home directory there is no usual file.
    Ok(expand::path(USUAL_FILE, environment)
        .ok()
        .filter(|usual| usual.exists()))
}

fn open(path: PathBuf) -> Result<(PathBuf, String), Problem> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            let wrong = Wrong::new(
                what,
                "correct --config or KAPSO_CONFIG, or make the file readable",
            );
            Err(unreadable(&path.display().to_string(), wrong))
        }
    }
}

fn unreadable(key: &str, wrong: Wrong) -> Problem {
    Problem {
        key: key.to_owned(),
        origin: None,
        what: wrong.what,
        remedy: wrong.remedy,
    }
}
