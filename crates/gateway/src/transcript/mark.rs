//! A place in a session's transcript that outlives the process.

use std::fmt;
use std::str::FromStr;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::Name;

/// How far a session's transcript has been read. Small; kept as text ([`fmt::Display`] and [`FromStr`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// None: the session did not exist, all that comes is new.
    pub(super) place: Option<Place>,
}

/// The end of a line in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The session's id at the gateway when the mark was taken.
    pub(super) session: String,
    /// The file's name in the sessions folder.
    pub(super) file: String,
    /// Bytes up to the end of the line.
    pub(super) offset: u64,
    /// A digest of the bytes just before it, by which a rewritten file is noticed.
    pub(super) check: String,
    /// The last entry that was read, by which the place is found again in a rewritten file.
    pub(super) last: Option<Last>,
}

/// The last entry before a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) id: String,
    pub(super) at: Option<Timestamp>,
}

impl From<&Name> for Last {
    fn from(name: &Name) -> Self {
        Self {
            id: name.id.clone(),
            at: name.at,
        }
    }
}

/// A text that is no mark.
#[derive(Debug, thiserror::Error)]
#[error("not a place in a transcript")]
pub struct InvalidMark(#[from] serde_json::Error);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_unwritable| fmt::Error)?;
        f.write_str(&text)
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        Ok(serde_json::from_str(text)?)
    }
}
