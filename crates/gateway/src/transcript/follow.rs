//! A session's transcript, followed across resets, rotations and rewriting.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::SessionKey;
use tokio::task::coop;
use tracing::debug;

use super::changes::Waiter;
use super::entry::Entry;
use super::folder::{self, Opened};
use super::mark::{Last, Mark, Place};
use super::place::Position;
use super::recent::Recent;
use super::tail::{self, Line, Tail};
use super::{RefusedFile, Shared, TranscriptError};

/// The entries of one session from a certain place on, in the order of the file.
pub struct Follow {
    shared: Arc<Shared>,
    session: SessionKey,
    waiter: Waiter,
    /// None: the session does not exist yet.
    tail: Option<Tail>,
    /// The session's id at the gateway.
    session_id: String,
    recent: Recent,
    /// Read, and not yet taken. Filled only when empty, and with no more than one chunk of the file.
    queue: VecDeque<Line>,
    /// After the last entry that was taken, while there are others in the queue.
    taken: Position,
    last: Option<Last>,
}

impl Follow {
    /// From the present end.
    pub(super) fn from_end(
        shared: Arc<Shared>,
        session: SessionKey,
    ) -> Result<Self, TranscriptError> {
        let mut follow = Self::new(shared, session);
        let Some(name) = follow.file_name()? else {
            return Ok(follow);
        };
        let path = follow.transcript(&name)?;
        let tail = Tail::at_end(name, path.clone(), &mut follow.recent, &follow.shared.tally);
        follow.tail = Some(tail.map_err(|source| TranscriptError::Read { path, source })?);
        follow.last = follow.recent.newest().map(Last::from);
        Ok(follow)
    }

    /// From `place`, in the file that it is in or in what became of that file.
    pub(super) fn from_place(
        shared: Arc<Shared>,
        session: SessionKey,
        place: &Place,
    ) -> Result<Self, TranscriptError> {
        let mut follow = Self::new(shared, session);
        let path = follow.transcript(&place.file)?;
        let mut tail = Tail::at_start(place.file.clone(), path.clone());
        let found = follow
            .find(&path, place)
            .map_err(|source| TranscriptError::Read { path, source })?;
        match found {
            Some((opened, position)) => tail.continue_at(opened, position),
            None => {
                follow.recent.extend(place.last.as_ref());
                follow.recent.replay();
            }
        }
        follow.last = place.last.clone();
        follow.session_id.clone_from(&place.session);
        follow.tail = Some(tail);
        Ok(follow)
    }

    /// From nothing: all that the session will have is new.
    pub(super) fn new(shared: Arc<Shared>, session: SessionKey) -> Self {
        Self {
            waiter: shared.changes.waiter(),
            shared,
            session,
            tail: None,
            session_id: String::new(),
            recent: Recent::default(),
            queue: VecDeque::new(),
            taken: Position::START,
            last: None,
        }
    }

    /// The place after the last entry that was given out.
    pub fn mark(&self) -> Mark {
        let place = self.tail.as_ref().map(|tail| {
            let position = if self.queue.is_empty() {
                tail.position()
            } else {
                &self.taken
            };
            Place {
                session: self.session_id.clone(),
                file: tail.name().to_owned(),
                offset: position.offset,
                check: position.check(),
                last: self.last.clone(),
            }
        });
        Mark { place }
    }

    /// The next entry, as soon as it is there. May be cancelled at any time without losing an entry.
    ///
    /// # Errors
    /// [`TranscriptError`] when the transcript is there and cannot be read. It will hardly mend itself.
    pub async fn next(&mut self) -> Result<Entry, TranscriptError> {
        loop {
            self.waiter.arm();
            if let Some(entry) = self.take() {
                return Ok(entry);
            }
            if self.step()? {
                // A rewritten file of many megabytes must not hold up the others.
                coop::consume_budget().await;
            } else {
                self.shared.changes.wait(&mut self.waiter).await;
            }
        }
    }

    /// All entries that are there now.
    ///
    /// # Errors
    /// [`TranscriptError`] when there is none, and the transcript cannot be read.
    pub fn drain(&mut self) -> Result<Vec<Entry>, TranscriptError> {
        let mut entries = Vec::new();
        loop {
            entries.extend(std::iter::from_fn(|| self.take()));
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(entries),
                Err(error) if entries.is_empty() => return Err(error),
                // It will be told again by the next call.
                Err(_) => return Ok(entries),
            }
        }
    }

    fn take(&mut self) -> Option<Entry> {
        let Line { entry, end } = self.queue.pop_front()?;
        self.last = Some(Last {
            id: entry.id.clone(),
            at: entry.at,
        });
        self.taken = end;
        Some(entry)
    }

    /// Reads on, when the queue is empty. Whether it is worth while to go on at once.
    fn step(&mut self) -> Result<bool, TranscriptError> {
        if let Some(tail) = &mut self.tail {
            self.taken = tail.position().clone();
            let read = tail.read(&mut self.recent, &mut self.queue, &self.shared.tally);
            let moved = read.and_then(|read| Ok(read || tail.reopen()?));
            if moved.map_err(|source| TranscriptError::Read {
                path: tail.path().to_owned(),
                source,
            })? {
                return Ok(true);
            }
        }
        self.move_on()
    }

    /// Goes over to the file that the session has now, if it is another.
    fn move_on(&mut self) -> Result<bool, TranscriptError> {
        let name = match self.file_name() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(false),
            Err(refused @ TranscriptError::Refused { .. }) => return Err(refused),
            // The file that is being followed stays valid, and the next change of the index is another chance.
            Err(
                error @ (TranscriptError::Index { .. }
                | TranscriptError::Read { .. }
                | TranscriptError::NoFile(_)
                | TranscriptError::Stopped),
            ) => {
                debug!(session = %self.session, %error, "cannot see whether the session has another file");
                return Ok(false);
            }
        };
        if self.tail.as_ref().is_some_and(|tail| tail.name() == name) {
            return Ok(false);
        }
        let path = self.transcript(&name)?;
        debug!(session = %self.session, file = %name, "following the session's file");
        self.recent.replay();
        let mut tail = Tail::at_start(name, path);
        let opened = tail.reopen();
        opened.map_err(|source| TranscriptError::Read {
            path: tail.path().to_owned(),
            source,
        })?;
        self.tail = Some(tail);
        Ok(true)
    }

    /// The name of the file that the session has now.
    fn file_name(&mut self) -> Result<Option<String>, TranscriptError> {
        let Some(described) = self
            .shared
            .index
            .describe(&self.session, &self.shared.tally)?
        else {
            return Ok(None);
        };
        let file = described.session_file.as_deref();
        let name = self
            .shared
            .folder
            .name(&described.session_id, file)
            .map_err(|why| self.refused(why))?;
        self.session_id = described.session_id;
        Ok(Some(name))
    }

    fn transcript(&self, name: &str) -> Result<std::path::PathBuf, TranscriptError> {
        self.shared
            .folder
            .transcript(name)
            .map_err(|why| self.refused(why))
    }

    fn refused(&self, why: RefusedFile) -> TranscriptError {
        TranscriptError::Refused {
            session: self.session.clone(),
            why,
        }
    }

    /// The file that has `place` in it: the one of that name, or what a reset left of it.
    fn find(&mut self, path: &Path, place: &Place) -> io::Result<Option<(Opened, Position)>> {
        let archived = self.shared.folder.archived(&place.file).unwrap_or_default();
        for path in std::iter::once(path.to_owned()).chain(archived) {
            let Some(opened) = folder::open(&path)? else {
                continue;
            };
            let position = Position::at(&opened.file, place.offset)?;
            if let Some(position) = position.filter(|position| position.check() == place.check) {
                tail::look_back(
                    &opened.file,
                    place.offset,
                    &mut self.recent,
                    &self.shared.tally,
                )?;
                return Ok(Some((opened, position)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.tail.as_ref().map(Tail::name);
        f.debug_struct("Follow")
            .field("session", &self.session)
            .field("file", &file)
            .finish_non_exhaustive()
    }
}
