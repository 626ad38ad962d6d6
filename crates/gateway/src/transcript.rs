//! Session transcripts on disk, read as the gateway writes them (OpenClaw up to 2026.7.35; newer releases keep none).
//!
//! [`Transcripts`] knows the folder with `sessions.json`, [`Follow`] gives the entries of one session from a place
//! on, [`TurnView`] says which of them answer a turn. Only what was appended is read, woken by file events. A file
//! that is rewritten, reset, rotated or compacted is noticed, and no entry is given out twice or taken from another
//! session: keys are compared whole, and only files in that folder are opened. The bridge's clock plays no part, for
//! the gateway's may differ.

mod changes;
mod content;
mod entry;
mod folder;
mod follow;
mod index;
mod mark;
mod place;
mod recent;
mod tail;
mod tally;
mod view;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::SessionKey;

use self::changes::Changes;
use self::folder::Folder;
use self::index::Index;
use self::tally::Tally;

pub use self::entry::{Entry, EntryKind, StopReason};
pub use self::follow::Follow;
pub use self::mark::{InvalidMark, Mark};
pub use self::tally::Counters;
pub use self::view::{Said, TurnView};

/// The transcripts of one agent's sessions.
#[derive(Debug, Clone)]
pub struct Transcripts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    index: Index,
    changes: Changes,
    tally: Tally,
}

/// Why a transcript cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// The path that was given for `sessions.json` names no file.
    #[error("{} names no file", .0.display())]
    NoFile(PathBuf),
    /// The operating system's refusal.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// `sessions.json` is not what it should be.
    #[error("cannot make sense of {}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// `sessions.json` names a file that is not a transcript of this agent.
    #[error("the transcript of {session} is refused")]
    Refused {
        /// The session.
        session: SessionKey,
        /// The reason.
        #[source]
        why: RefusedFile,
    },
    /// The program is about to end.
    #[error("stopped while opening a transcript")]
    Stopped,
}

/// Why a file is not read as a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedFile {
    /// Its name is not that of a transcript.
    #[error("the file's name is not that of a transcript")]
    Name,
    /// It lies outside of the folder with `sessions.json`.
    #[error("the file is not in the folder of sessions.json")]
    Outside,
    /// It is a link, a folder or a device.
    #[error("not a regular file")]
    NotAFile,
}

impl Transcripts {
    /// The transcripts beside `sessions_json`, with file events as the wake-up. Neither the file nor its folder need
    /// exist yet.
    ///
    /// # Errors
    /// [`TranscriptError::NoFile`] when the path can be no file.
    pub fn open(sessions_json: PathBuf) -> Result<Self, TranscriptError> {
        Self::new(sessions_json, Changes::watching)
    }

    /// As [`Transcripts::open`], but looking at intervals: for file systems that report no changes.
    ///
    /// # Errors
    /// [`TranscriptError::NoFile`] when the path can be no file.
    pub fn polling(sessions_json: PathBuf, every: Duration) -> Result<Self, TranscriptError> {
        Self::new(sessions_json, |folder| Changes::polling(folder, every))
    }

    fn new(
        sessions_json: PathBuf,
        changes: impl FnOnce(PathBuf) -> Changes,
    ) -> Result<Self, TranscriptError> {
        let Some(folder) = Folder::of(&sessions_json) else {
            return Err(TranscriptError::NoFile(sessions_json));
        };
        let changes = changes(folder.path().to_owned());
        let index = Index::new(folder.index().to_owned());
        let tally = Tally::default();
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                index,
                changes,
                tally,
            }),
        })
    }

    /// Follows exactly `session` from the present end of its transcript, or from nothing if it does not exist yet.
    /// What the gateway writes after this call is seen, whenever [`Follow::next`] is called.
    ///
    /// # Errors
    /// [`TranscriptError`] when `sessions.json` or the transcript is there and cannot be read.
    pub async fn follow(&self, session: &SessionKey) -> Result<Follow, TranscriptError> {
        let (shared, session) = (Arc::clone(&self.shared), session.clone());
        blocking(move || Follow::from_end(shared, session)).await
    }

    /// Follows `session` from `mark`, even if the file was rewritten or reset since.
    ///
    /// # Errors
    /// [`TranscriptError`] when the transcript is there and cannot be read.
    pub async fn resume(
        &self,
        session: &SessionKey,
        mark: &Mark,
    ) -> Result<Follow, TranscriptError> {
        let (shared, session, mark) = (Arc::clone(&self.shared), session.clone(), mark.clone());
        blocking(move || match &mark.place {
            Some(place) => Follow::from_place(shared, session, place),
            None => Ok(Follow::new(shared, session)),
        })
        .await
    }

    /// What reading has cost so far.
    pub fn counters(&self) -> Counters {
        self.shared.tally.counters()
    }

    /// The folder that is watched.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }
}

/// Opening may read a megabyte of `sessions.json` and the end of a transcript: not on the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TranscriptError> + Send + 'static,
) -> Result<T, TranscriptError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_cancelled) => Err(TranscriptError::Stopped),
    }
}
