//! What the sections check themselves against: written values in, typed values and problems out.

use crate::environment::Environment;
use crate::key::{Key, Preset};
use crate::problem::{ConfigError, Origin, Problem, Wrong};
use crate::raw::{Item, Raw, Scope, Value, Written};

/// A configuration in the making.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    raw: &'a Raw,
    environment: &'a Environment,
    problems: Vec<Problem>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(raw: &'a Raw, environment: &'a Environment, problems: Vec<Problem>) -> Self {
        Self {
            raw,
            environment,
            problems,
        }
    }

    pub(crate) fn raw(&self) -> &'a Raw {
        self.raw
    }

    pub(crate) fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// The value of `key` as `read` understands it. None when it is not set, which is a problem for a required key
    /// alone, or when it does not do, which is one always.
    pub(crate) fn get<T>(
        &mut self,
        key: &Key,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let raw = self.raw;
        if raw.top.get(key).is_none() && key.preset == Preset::Required {
            self.missing(key);
        }
        self.get_in(&raw.top, key, read)
    }

    /// As [`Draft::get`], in an item of a section that stands many times.
    pub(crate) fn get_of<T>(
        &mut self,
        item: &Item,
        key: &Key,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        if item.scope.get(key).is_none() && key.preset == Preset::Required {
            let remedy = format!("add {} below it", key.split().1);
            self.problem(
                key.path,
                Some(item.origin.clone()),
                Wrong::new("is not set", remedy),
            );
        }
        self.get_in(&item.scope, key, read)
    }

    /// The entries of a list as `read` understands each; a text alone is a list of one. Empty when it is not set.
    pub(crate) fn list<T>(
        &mut self,
        scope: &Scope,
        key: &Key,
        read: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let written = scope.get(key);
        written.map_or_else(Vec::new, |written| self.each(key.path, written, read))
    }

    /// As [`Draft::list`], of a value that stands at `path`.
    pub(crate) fn each<T>(
        &mut self,
        path: &str,
        written: &Written,
        read: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let entries = match &written.value {
            Value::List(entries) => entries.as_slice(),
            Value::Word(_)
            | Value::Secret(_)
            | Value::Text(_)
            | Value::Integer(_)
            | Value::Flag(_)
            | Value::Decimal(_)
            | Value::Unfit(_) => std::slice::from_ref(written),
        };
        let mut list = Vec::new();
        for entry in entries {
            match read(&entry.value) {
                Ok(value) => list.push(value),
                Err(wrong) => self.problem(path, Some(entry.origin.clone()), wrong),
            }
        }
        list
    }

    fn get_in<T>(
        &mut self,
        scope: &Scope,
        key: &Key,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let preset;
        let written = match (scope.get(key), key.preset) {
            (Some(written), _) => written,
            (None, Preset::Text(text)) => {
                preset = Written {
                    value: Value::Word(text.to_owned()),
                    origin: Origin::Default,
                };
                &preset
            }
            (None, Preset::Nothing | Preset::Required) => return None,
        };
        match read(&written.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.problem(key.path, Some(written.origin.clone()), wrong);
                None
            }
        }
    }

    /// Notes what is wrong.
    pub(crate) fn problem(&mut self, key: &str, origin: Option<Origin>, wrong: Wrong) {
        let Wrong { what, remedy } = wrong;
        self.problems.push(Problem {
            key: key.to_owned(),
            origin,
            what,
            remedy,
        });
    }

    /// What was made, if nothing was wrong.
    pub(crate) fn finish<T>(self, made: Option<T>) -> Result<T, ConfigError> {
        match made {
            Some(made) if self.problems.is_empty() => Ok(made),
            Some(_) | None => Err(ConfigError::new(self.problems)),
        }
    }

    /// Notes that a key is not set.
    pub(crate) fn missing(&mut self, key: &Key) {
        // Where it may have been written could not be read: that is the problem.
        if self.raw.may_hide(key) {
            return;
        }
        let remedy = match key.env {
            [] => format!("set {} in the configuration file", key.path),
            [name, ..] => format!(
                "set {name} in the environment, or {} in the configuration file",
                key.path
            ),
        };
        self.problem(key.path, None, Wrong::new("is not set", remedy));
    }
}
