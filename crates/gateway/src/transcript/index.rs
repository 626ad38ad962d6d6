//! `sessions.json`: which file holds a session's transcript.
//!
//! The file is about a megabyte with hundreds of sessions, and is rewritten many times in a turn. It is read only
//! when its time, length or inode changed, once for all sessions that were asked for, and without building a tree:
//! everything but two fields of those sessions is skipped.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use model::SessionKey;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::TranscriptError;
use super::tally::Tally;

/// How many sessions are looked out for at a time. When one more is asked for, all are forgotten and found again.
const SESSIONS: usize = 1024;

/// What `sessions.json` says of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) session_id: String,
    /// The path as written there.
    pub(super) session_file: Option<String>,
}

/// The sessions that were asked for, by key; none for one that the file does not have.
type Sessions = HashMap<String, Option<Described>>;

/// `sessions.json`, and what was read of it.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    known: Mutex<Known>,
}

/// What the file said when it was read last.
#[derive(Debug, Default)]
struct Known {
    stamp: Option<Stamp>,
    sessions: Sessions,
}

/// By which a change of the file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Index {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            known: Mutex::default(),
        }
    }

    /// What the file says of exactly `session`; none when it says nothing, or does not exist.
    ///
    /// After an error the last good reading counts for the sessions that it had, until the file changes again.
    pub(super) fn describe(
        &self,
        session: &SessionKey,
        tally: &Tally,
    ) -> Result<Option<Described>, TranscriptError> {
        // A panic while it was held left at worst an outdated reading.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = session.as_str();
        let Some(stamp) = self.stamp()? else {
            *known = Known::default();
            return Ok(None);
        };
        if known.stamp == Some(stamp)
            && let Some(described) = known.sessions.get(key)
        {
            return Ok(described.clone());
        }
        if known.sessions.len() >= SESSIONS && !known.sessions.contains_key(key) {
            known.sessions.clear();
        }
        let wanted = known
            .sessions
            .keys()
            .cloned()
            .chain([key.to_owned()])
            .map(|key| (key, None))
            .collect();
        known.stamp = Some(stamp);
        *known = self.read(wanted, tally)?;
        Ok(known.sessions.get(key).cloned().flatten())
    }

    fn stamp(&self) -> Result<Option<Stamp>, TranscriptError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some((&metadata).into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    fn read(&self, wanted: Sessions, tally: &Tally) -> Result<Known, TranscriptError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Known {
                    stamp: None,
                    sessions: wanted,
                });
            }
            Err(source) => return Err(self.unreadable(source)),
        };
        let metadata = file.metadata().map_err(|source| self.unreadable(source))?;
        let mut text = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.read_to_end(&mut text)
            .map_err(|source| self.unreadable(source))?;
        tally.index_read();
        let sessions = pick(&text, wanted).map_err(|source| TranscriptError::Index {
            path: self.path.clone(),
            source,
        })?;
        Ok(Known {
            stamp: Some((&metadata).into()),
            sessions,
        })
    }

    fn unreadable(&self, source: io::Error) -> TranscriptError {
        TranscriptError::Read {
            path: self.path.clone(),
            source,
        }
    }
}

/// Fills in what `text` says of the sessions that are keys of `wanted`.
fn pick(text: &[u8], wanted: Sessions) -> Result<Sessions, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let sessions = Wanted(wanted).deserialize(&mut json)?;
    json.end()?;
    Ok(sessions)
}

struct Wanted(Sessions);

impl<'de> DeserializeSeed<'de> for Wanted {
    type Value = Sessions;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted {
    type Value = Sessions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of sessions by key")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let canonical = key.to_lowercase();
            match self.0.get_mut(&canonical) {
                // The canonical spelling counts before another spelling of the same key.
                Some(described) if described.is_none() || key == canonical => {
                    *described = Described::read(map.next_value::<&RawValue>()?);
                }
                Some(_) | None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self.0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    session_id: String,
    #[serde(default)]
    session_file: Option<String>,
}

impl Described {
    fn read(raw: &RawValue) -> Option<Self> {
        let Entry {
            session_id,
            session_file,
        } = serde_json::from_str(raw.get()).ok()?;
        Some(Self {
            session_id,
            session_file,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn session(key: &str) -> SessionKey {
        SessionKey::new(key).unwrap()
    }

    fn described(text: &str, key: &str) -> Option<String> {
        let wanted = HashMap::from([(session(key).to_string(), None)]);
        let sessions = pick(text.as_bytes(), wanted).unwrap();
        sessions
            .into_values()
            .next()
            .flatten()
            .map(|described| described.session_id)
    }

    #[test]
    fn keys_are_compared_whole_and_in_lower_case() {
        let text = r#"{"agent:main:main-wa-15551":{"sessionId":"other"},"Agent:Main:Main-WA-1555":{"sessionId":"mine"}}"#;
        assert_eq!(described(text, "main-wa-1555").as_deref(), Some("mine"));
        assert_eq!(described(text, "main-wa-155"), None);
        assert_eq!(described(text, "main"), None);
        let both = r#"{"agent:main:x":{"sessionId":"exact"},"agent:main:X":{"sessionId":"odd"}}"#;
        assert_eq!(described(both, "x").as_deref(), Some("exact"));
    }

    #[test]
    fn entries_of_another_shape_are_passed_over() {
        let text = r#"{"agent:main:a":null,"agent:main:b":[1],"agent:main:c":{"sessionId":"c","big":{"x":[1,{}]}}}"#;
        assert_eq!(described(text, "a"), None);
        assert_eq!(described(text, "b"), None);
        assert_eq!(described(text, "c").as_deref(), Some("c"));
    }

    #[test]
    fn the_file_is_read_once_per_change_for_all_sessions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        let (index, tally) = (Index::new(path.clone()), Tally::default());
        let id = |key: &str| {
            index
                .describe(&session(key), &tally)
                .unwrap()
                .map(|found| found.session_id)
        };
        assert_eq!(id("a"), None);
        assert_eq!(tally.counters().index_reads, 0);

        fs::write(
            &path,
            r#"{"agent:main:a":{"sessionId":"1"},"agent:main:b":{"sessionId":"2"}}"#,
        )
        .unwrap();
        assert_eq!(
            (id("a"), id("b")),
            (Some("1".to_owned()), Some("2".to_owned()))
        );
        assert_eq!(
            tally.counters().index_reads,
            2,
            "once per newly wanted session"
        );
        assert_eq!(
            (id("a"), id("b"), id("a")),
            (
                Some("1".to_owned()),
                Some("2".to_owned()),
                Some("1".to_owned())
            )
        );
        assert_eq!(tally.counters().index_reads, 2);

        let next = dir.path().join("sessions.json.tmp");
        fs::write(&next, r#"{"agent:main:a":{"sessionId":"3"}}"#).unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!((id("a"), id("b")), (Some("3".to_owned()), None));
        assert_eq!(tally.counters().index_reads, 3);
    }

    #[test]
    fn a_broken_file_leaves_the_last_good_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        let (index, tally) = (Index::new(path.clone()), Tally::default());
        fs::write(&path, r#"{"agent:main:a":{"sessionId":"1"}}"#).unwrap();
        assert!(index.describe(&session("a"), &tally).unwrap().is_some());
        fs::write(&path, r#"{"agent:main:a":{"sess"#).unwrap();
        assert!(index.describe(&session("a"), &tally).is_err());
        assert!(index.describe(&session("a"), &tally).unwrap().is_some());
        assert!(index.describe(&session("b"), &tally).is_err());
    }
}
