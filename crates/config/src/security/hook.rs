//! `security.stranger_hook`: who is told of strangers.

use std::fmt;

use url::Url;

use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;

/// Who is told of strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// A command line, for a shell to run.
    Command(String),
    /// An address, http or https, to post to.
    Url(Url),
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => f.write_str(line),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// An address if it looks like one, else a command line.
pub(super) fn hook(value: &Value) -> Result<Hook, Wrong> {
    let text = read::line(value)?;
    let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| {
        // A command may have an address among its arguments.
        scheme.chars().all(|c| c.is_ascii_alphanumeric())
    }) else {
        return Ok(Hook::Command(text));
    };
    let remedy = "write a command line, or an address such as https://host/path";
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Hook::Url(url)),
        Ok(_) => Err(Wrong::new(
            format!("is an address of the kind {}", read::quoted(scheme)),
            remedy,
        )),
        // The text itself is not shown: what is wrong with it may be a password.
        Err(error) => Err(Wrong::new(format!("is not an address ({error})"), remedy)),
    }
}
