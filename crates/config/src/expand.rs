//! `~` and `$VAR` in paths, wherever a path comes from.

use std::path::PathBuf;

use crate::environment::Environment;
use crate::problem::Wrong;

/// The path that `text` means: `~` at its beginning is the home directory, `$NAME` and `${NAME}` are variables.
pub(crate) fn path(text: &str, environment: &Environment) -> Result<PathBuf, Wrong> {
    let mut expanded = String::new();
    let mut rest = text;
    if let Some(after) = text.strip_prefix('~') {
        if !after.is_empty() && !after.starts_with('/') {
            let what = format!("begins with {:?}", text.split('/').next().unwrap_or(text));
            return Err(Wrong::new(
                what,
                "write the home directory of another user in full",
            ));
        }
        expanded.push_str(&variable("HOME", environment)?);
        rest = after;
    }
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = name(after);
        if name.is_empty() {
            expanded.push('$');
        } else {
            expanded.push_str(&variable(name, environment)?);
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(PathBuf::from(expanded))
}

/// The variable's name at the beginning of `text`, and what follows it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, after)) = text
        .strip_prefix('{')
        .and_then(|braced| braced.split_once('}'))
    {
        return (name, after);
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.split_at(end)
}

fn variable(name: &str, environment: &Environment) -> Result<String, Wrong> {
    let unset = || {
        Wrong::new(
            format!("needs ${name}, which is not set"),
            "set it, or write the path in full",
        )
    };
    let value = environment
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(unset)?;
    value.to_str().map(str::to_owned).ok_or_else(|| {
        Wrong::new(
            format!("needs ${name}, which is not UTF-8"),
            "write the path in full",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let environment = [("HOME", "/home/ann"), ("XDG", "/x")].into_iter().collect();
        path(text, &environment)
            .map(|path| path.display().to_string())
            .map_err(|wrong| wrong.what)
    }

    #[test]
    fn k1_home_and_variables_are_expanded() {
        assert_eq!(expand("~/state"), Ok("/home/ann/state".into()));
        assert_eq!(expand("~"), Ok("/home/ann".into()));
        assert_eq!(expand("$XDG/a-${HOME}b/$"), Ok("/x/a-/home/annb/$".into()));
        assert_eq!(expand("/a/~/b"), Ok("/a/~/b".into()));
        assert_eq!(
            expand("$NOWHERE/x"),
            Err("needs $NOWHERE, which is not set".into())
        );
        assert_eq!(expand("~bob/x"), Err("begins with \"~bob\"".into()));
    }
}
