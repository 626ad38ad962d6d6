//! Opening the journal: the directory, the lock, the file, its schema.
//!
//! A `state.db` that exists is a whole one: a new journal is made under another name and renamed. So a file that is
//! empty, cut off or of another kind is damage, and is said so; only a missing file means a new beginning.

mod file;
mod schema;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Clock;
use rusqlite::Connection;

use crate::Store;
use crate::journal::Journal;
use crate::lock::{Lock, Refused};

/// Why the journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works with this state directory.
    #[error(
        "{} is locked by another kapso-whatsapp process{}: stop that one first, or give this one a state.dir of its own",
        .path.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The other process, unless it has not written its number yet.
        pid: Option<u32>,
        /// The lock file.
        path: PathBuf,
    },
    /// The file is there, and is no journal that can be read. It is left in its place.
    #[error(
        "{} cannot be read: {detail}. Put a backup of it in its place; or move it away to start from now, \
         knowing that messages which came while the bridge was down will then not be answered",
        .path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The journal was written by a later version of this program.
    #[error(
        "{} was written by a newer version (step {version} of its schema is not known here): install that version again",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The step that is not known.
        version: i64,
    },
    /// The directory or a file in it cannot be made, read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database failed for another reason, such as a full disk.
    #[error("{}: {source}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl From<Refused> for OpenError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Held { pid, path } => Self::Locked { pid, path },
            Refused::Io(path, source) => Self::Io { path, source },
        }
    }
}

impl Store {
    /// Opens the journal in `dir`, or makes both. The directory, when made, is for its owner alone (0700), and so are
    /// the files always (0600). `clock` gives the times that the rows carry.
    ///
    /// # Errors
    /// [`OpenError`], whose text says what to do.
    pub async fn open(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        let (journal, is_new) = Journal::open(dir).await?;
        Ok(Self {
            journal: Arc::new(journal),
            clock,
            is_new,
        })
    }
}

/// A journal that is open, with its lock. The connection is to be closed before the lock is given back.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) lock: Lock,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

impl Opened {
    /// Opens or makes the journal of `dir`. Blocks: the check of a large file takes its time.
    pub(crate) fn new(dir: &Path) -> Result<Self, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(at(dir))?;
        let lock = Lock::take(dir)?;
        let (connection, is_new) = file::File::of(dir).open(dir)?;
        Ok(Self {
            connection,
            lock,
            is_new,
        })
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
