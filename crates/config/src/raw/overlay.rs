//! The environment over [`Raw`]: variables, the files that `X_FILE` names, and systemd credentials.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{FILE_VARIABLE, Raw, Value};
use crate::environment::Environment;
use crate::expand;
use crate::key::{KEYS, Key};
use crate::nearest;
use crate::problem::{Origin, Problem, Wrong};

/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The prefix of variables that are surely meant for this program.
const OURS: &str = "KAPSO_";

impl Raw {
    /// Lays the environment over what the file says; gives what is wrong with it.
    pub(super) fn overlay(&mut self, environment: &Environment) -> Vec<Problem> {
        let mut problems = slips(environment);
        for key in KEYS {
            match written(key, environment) {
                Ok(None) => {}
                Ok(Some((text, origin))) => self.top.put(key, Value::Word(text), origin),
                Err(problem) => {
                    self.failed.insert(key.path);
                    problems.push(problem);
                }
            }
        }
        problems
    }
}

/// What the environment says of `key`: a variable, else a file that one names, else a credential.
fn written(key: &Key, environment: &Environment) -> Result<Option<(String, Origin)>, Problem> {
    for variable in key.env {
        let set = environment
            .get(variable)
            .filter(|value| key.empty_counts || !value.is_empty());
        if let Some(value) = set {
            let origin = Origin::Environment((*variable).to_owned());
            let not_text = || Wrong::new("is not UTF-8", "set it to plain text");
            let text = value
                .to_str()
                .ok_or_else(|| problem(variable, not_text()))?;
            return Ok(Some((text.to_owned(), origin)));
        }
    }
    if !key.comes_in_files() {
        return Ok(None);
    }
    for variable in key.env {
        let variable = format!("{variable}_FILE");
        let Some(path) = environment.get(&variable).filter(|path| !path.is_empty()) else {
            continue;
        };
        let path = match path.to_str() {
            Some(text) => {
                expand::path(text, environment).map_err(|wrong| problem(&variable, wrong))?
            }
            None => PathBuf::from(path),
        };
        let text = content(&path).map_err(|wrong| problem(&variable, wrong))?;
        return Ok(Some((text, Origin::SecretFile { variable, path })));
    }
    credential(key, environment)
}

fn credential(key: &Key, environment: &Environment) -> Result<Option<(String, Origin)>, Problem> {
    let Some(folder) = environment
        .get(CREDENTIALS)
        .filter(|folder| !folder.is_empty())
    else {
        return Ok(None);
    };
    let names = key
        .env
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_lowercase()]);
    let Some(path) = names
        .map(|name| Path::new(folder).join(name))
        .find(|path| path.exists())
    else {
        return Ok(None);
    };
    let text = content(&path).map_err(|wrong| problem(key.path, wrong))?;
    Ok(Some((text, Origin::Credential(path))))
}

/// The text in the file of a secret, without the line end that editors and `echo` leave.
pub(crate) fn content(path: &Path) -> Result<String, Wrong> {
    let text = fs::read_to_string(path).map_err(|error| {
        Wrong::new(
            format!("names {}, which cannot be read: {error}", path.display()),
            "correct the path or its rights",
        )
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Wrong::new(
            format!("names {}, which is empty", path.display()),
            "write the value into it",
        ));
    }
    Ok(text.to_owned())
}

/// Variables of ours that are one slip away from a known name. Others are left alone: they may be another program's.
fn slips(environment: &Environment) -> Vec<Problem> {
    let mut known: BTreeSet<String> = KEYS.iter().flat_map(|key| names(key)).collect();
    known.insert(FILE_VARIABLE.to_owned());
    let unknown = environment
        .names()
        .filter(|name| name.starts_with(OURS) && !known.contains(*name));
    let slip = |name: &str| {
        let meant = nearest::slip_of(name, known.iter().map(String::as_str))?;
        Some(problem(
            name,
            Wrong::new(
                "is not a known variable",
                format!("the nearest one is {meant}"),
            ),
        ))
    };
    unknown.filter_map(slip).collect()
}

fn names(key: &Key) -> impl Iterator<Item = String> {
    let in_files = key.comes_in_files();
    key.env.iter().flat_map(move |name| {
        let file = in_files.then(|| format!("{name}_FILE"));
        std::iter::once((*name).to_owned()).chain(file)
    })
}

fn problem(key: &str, wrong: Wrong) -> Problem {
    Problem {
        key: key.to_owned(),
        origin: None,
        what: wrong.what,
        remedy: wrong.remedy,
    }
}
