//! `log`: what is logged.

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::nearest;
use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static LOG: Key = Key::new(
    "log",
    &["RUST_LOG"],
    Preset::Text("info"),
    "`error`, `warn`, `info`, `debug` or `trace`, also by part: `info,gateway=debug`",
);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Levels, in the syntax of `RUST_LOG`.
    pub filter: String,
}

impl Log {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        Some(Self {
            filter: draft.get(&LOG, filter)?,
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&LOG, &self.filter);
    }
}

/// A filter whose levels are levels. A part without a level, as in `RUST_LOG=hyper`, may be any name that does not
/// look like a misspelt level.
fn filter(value: &Value) -> Result<String, Wrong> {
    let text = read::text(value)?;
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if part.contains(['[', '{']) {
            return Err(Wrong::new(
                format!("has {}, a filter by span", read::quoted(part)),
                "filter by level and by part of the program, as in info,gateway=debug".to_owned(),
            ));
        }
        let (level, any_name_will_do) = match part.rsplit_once('=') {
            Some((_, level)) => (level.trim(), false),
            None => (part, true),
        };
        if is_level(level) || (any_name_will_do && nearest::slip_of(level, LEVELS).is_none()) {
            continue;
        }
        let nearest = nearest::of(level, LEVELS).unwrap_or_default();
        return Err(Wrong::new(
            format!("has {}, which is not a level", read::quoted(level)),
            format!(
                "write one of {}; the nearest one is {nearest}",
                LEVELS.join(", ")
            ),
        ));
    }
    Ok(text)
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level))
        || matches!(text.as_bytes(), [b'0'..=b'5'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_a_misspelt_level_is_refused() {
        let check = |text: &str| filter(&Value::Word(text.to_owned()));
        for good in [
            "info",
            "INFO",
            "info,gateway=debug",
            "hyper",
            "3",
            "a::b=off",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "inof",
            "debgu",
            "gateway=verbose",
            "info,kapso=",
            "bridge[turn]=trace",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
