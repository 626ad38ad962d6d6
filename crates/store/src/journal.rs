//! The one thread that works with the journal's connection: verbs in the order in which they came, one commit for all
//! that wait at the same time, and no answer before that commit.
//!
//! A verb arrives as a closure over the connection. A lonely verb pays for one commit and never waits for company; what
//! gathers while a commit runs shares the next one. A verb that is refused undoes its own work alone. Where the commit
//! fails, every verb of the batch fails, and nothing of it was written.

#[cfg(feature = "crash-points")]
mod crash;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::open::{OpenError, Opened};

/// How many verbs may wait for the thread. When it is full, callers wait for a place: a slow disk slows intake down
/// instead of filling memory.
const QUEUE: usize = 1024;

/// The most verbs that share a commit. What waits beyond it shares the next one.
const BATCH: usize = 256;

/// KiB of pages that a report keeps in memory, while it runs.
const REPORT_CACHE_KIB: u32 = 512;

/// Why nothing of a batch was written; all its verbs share it.
type Lost = Arc<rusqlite::Error>;

/// Hands a verb's result to its caller, once it is known whether it was written.
type Answer = Box<dyn FnOnce(Result<(), Lost>) + Send>;

/// A verb, with its caller's end of the answer. It is called with an error where there is no transaction for it.
type Work = Box<dyn FnOnce(Result<&Connection, Lost>) -> Ran + Send>;

/// What a verb does to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Read,
    /// It changes rows. What can refuse it does so before its first change, so there is nothing to undo for it alone;
    /// a failure of the database takes the whole batch back.
    Write,
    /// It changes rows, and may be refused halfway: it gets a savepoint. That costs a copy of each page it touches.
    Guarded,
}

/// A verb that was carried out and waits for its commit.
struct Ran {
    /// Whether it failed, so that what it did must be undone.
    refused: bool,
    /// The failure of the database behind it, if it was one.
    failure: Option<Lost>,
    answer: Answer,
}

enum Job {
    Verb(Access, Work),
    Close(oneshot::Sender<()>),
}

/// The journal's thread. Dropping the last handle closes the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Dropped before the thread is waited for: that is what ends it.
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
    _thread: Thread,
}

/// Joined when it is dropped, so that the lock is free afterwards.
#[derive(Debug)]
struct Thread(Option<JoinHandle<()>>);

impl Drop for Thread {
    fn drop(&mut self) {
        if self.0.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal's thread ended in a panic");
        }
    }
}

impl Journal {
    /// Opens the journal of `dir` on a thread of its own; whether it was made.
    pub(crate) async fn open(dir: &Path) -> Result<(Self, bool), OpenError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (tell, opened) = oneshot::channel();
        let place = dir.to_owned();
        let failed = |source| OpenError::Io {
            path: dir.to_owned(),
            source,
        };
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serve(&place, tell, queue))
            .map_err(failed)?;
        let journal = Self {
            jobs,
            path: dir.join("state.db"),
            _thread: Thread(Some(thread)),
        };
        match opened.await {
            Ok(opened) => Ok((journal, opened?)),
            Err(gone) => Err(failed(io::Error::other(gone))),
        }
    }

    /// Carries `verb` out on the journal's thread, and returns when what it did is on disk. Dropping the future before
    /// the verb has a place in the queue leaves it undone; afterwards it is done in any case.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        access: Access,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, told) = work(verb);
        let sent = self.jobs.send(Job::Verb(access, work)).await;
        sent.map_err(|_gone| StoreError::Closed)?;
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs `report` on a connection of its own, which only reads: however long it takes, it holds no verb up. It sees
    /// what was committed when it began.
    pub(crate) async fn report<T: Send + 'static>(
        &self,
        report: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.jobs.is_closed() {
            return Err(StoreError::Closed);
        }
        let path = self.path.clone();
        let read = move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            // Little memory, and one view for all its statements.
            connection.execute_batch(&format!("PRAGMA cache_size = -{REPORT_CACHE_KIB}; BEGIN"))?;
            report(&connection)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Where the journal and its log are.
    pub(crate) fn files(&self) -> [PathBuf; 2] {
        [self.path.clone(), self.path.with_extension("db-wal")]
    }

    /// Closes the file and gives the lock back. Verbs that wait behind it fail.
    pub(crate) async fn close(&self) {
        let (tell, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(tell)).await.is_ok() {
            // The thread drops its end when it is done, whether it says so or not.
            let _ = closed.await;
        }
    }
}

/// What the thread gets of a verb, and where its caller hears of it.
fn work<T: Send + 'static>(
    verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> (Work, oneshot::Receiver<Result<T, StoreError>>) {
    let (tell, told) = oneshot::channel();
    let work = move |connection: Result<&Connection, Lost>| {
        let result = connection.map_err(StoreError::Database).and_then(verb);
        Ran {
            refused: result.is_err(),
            failure: result.as_ref().err().and_then(StoreError::failure),
            answer: Box::new(move |written| {
                // Nobody listens any more where the caller dropped its future.
                drop(tell.send(written.map_err(StoreError::Database).and(result)));
            }),
        }
    };
    (Box::new(work), told)
}

/// The thread's life: opens, serves, closes.
fn serve(dir: &Path, tell: oneshot::Sender<Result<bool, OpenError>>, queue: mpsc::Receiver<Job>) {
    let opened = match Opened::new(dir) {
        Ok(opened) => opened,
        Err(error) => {
            drop(tell.send(Err(error)));
            return;
        }
    };
    if tell.send(Ok(opened.is_new)).is_err() {
        return;
    }
    let closed = Writer::new(&opened.connection).serve(queue);
    if let Err((_, error)) = opened.connection.close() {
        tracing::warn!(%error, "the journal was not closed in order; the next start reads its log");
    }
    drop(opened.lock);
    drop(closed);
}

/// Carries verbs out, batch by batch.
struct Writer<'c> {
    connection: &'c Connection,
    #[cfg(feature = "crash-points")]
    crash: crash::Countdown,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            #[cfg(feature = "crash-points")]
            crash: crash::Countdown::from_environment(),
        }
    }

    /// Serves until the journal is to be closed or nobody is left who could ask; who waits for the closing, if anyone.
    fn serve(mut self, mut queue: mpsc::Receiver<Job>) -> Option<oneshot::Sender<()>> {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
            let mut verbs = Vec::with_capacity(jobs.len());
            let mut close = None;
            for job in jobs.drain(..) {
                match job {
                    Job::Verb(..) if close.is_some() => {}
                    Job::Verb(access, work) => verbs.push((access, work)),
                    Job::Close(tell) => close = Some(tell),
                }
            }
            self.batch(verbs);
            if close.is_some() {
                return close;
            }
        }
        None
    }

    /// Carries out what waits. Reads before the first write are answered at once, all others after the commit.
    fn batch(&mut self, verbs: Vec<(Access, Work)>) {
        let mut verbs = verbs.into_iter().peekable();
        while let Some((_, read)) = verbs.next_if(|(access, _)| *access == Access::Read) {
            (read(Ok(self.connection)).answer)(Ok(()));
        }
        if verbs.peek().is_none() {
            return;
        }
        let mut answers = Vec::with_capacity(verbs.len());
        let written = self.transact(&mut verbs, &mut answers);
        for answer in answers {
            answer(written.clone());
        }
        // Those behind the one that lost the transaction.
        if let Err(lost) = written {
            for (_, work) in verbs {
                (work(Err(Arc::clone(&lost))).answer)(Ok(()));
            }
        }
    }

    /// One transaction for all of `verbs`, as far as they come. When it fails, nothing of it was written.
    fn transact(
        &mut self,
        verbs: &mut impl Iterator<Item = (Access, Work)>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Lost> {
        self.execute("BEGIN IMMEDIATE")?;
        let written = verbs
            .try_for_each(|(access, work)| self.one(access, work, answers))
            .and_then(|()| self.commit());
        if written.is_err() && !self.connection.is_autocommit() {
            // What cannot even be rolled back now is left behind by the next BEGIN, which then fails.
            if let Err(error) = self.execute("ROLLBACK") {
                tracing::error!(%error, "the journal could not roll back");
            }
        }
        written
    }

    fn one(&self, access: Access, work: Work, answers: &mut Vec<Answer>) -> Result<(), Lost> {
        let guarded = access == Access::Guarded;
        if guarded {
            self.execute("SAVEPOINT verb")?;
        }
        let ran = work(Ok(self.connection));
        answers.push(ran.answer);
        // A full disk may have made SQLite take the transaction back by itself.
        let is_whole = !self.connection.is_autocommit();
        match ran.failure {
            Some(failure) if access == Access::Write || !is_whole => return Err(failure),
            Some(_) | None if is_whole => {}
            Some(_) | None => return Err(rolled_back()),
        }
        if guarded && ran.refused {
            self.execute("ROLLBACK TO verb")?;
        }
        if guarded {
            self.execute("RELEASE verb")?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Lost> {
        #[cfg(feature = "crash-points")]
        self.crash.step();
        self.execute("COMMIT")?;
        #[cfg(feature = "crash-points")]
        self.crash.step();
        Ok(())
    }

    fn execute(&self, statement: &str) -> Result<(), Lost> {
        let run = || self.connection.prepare_cached(statement)?.execute(());
        run().map(|_| ()).map_err(Arc::new)
    }
}

fn rolled_back() -> Lost {
    let code = rusqlite::ffi::Error {
        code: ErrorCode::OperationAborted,
        extended_code: rusqlite::ffi::SQLITE_ABORT_ROLLBACK,
    };
    let detail = "the transaction was rolled back".to_owned();
    Arc::new(rusqlite::Error::SqliteFailure(code, Some(detail)))
}
