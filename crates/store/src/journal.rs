//! The one thread that owns the journal's connection, and what it does with the verbs.
//!
//! A verb is a closure over the connection. The thread takes the first that comes and whatever else waits by then; the
//! writes of such a batch share one commit, so durability costs no throughput under load, and a lonely verb waits for
//! nothing but its own commit. Each write stands in a savepoint: one that is refused undoes itself alone. Nobody is
//! answered before the commit; when it fails, everybody is told so.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::error::StoreError;

/// Verbs that wait for the thread; when it is full, further callers wait.
pub(crate) const QUEUE: usize = 1024;

/// Verbs that share a commit, at most: what comes later is in the next one.
const BATCH_MOST: usize = 256;

/// Something for the thread to do.
pub(crate) enum Job {
    /// Look at the journal.
    Read(Work),
    /// Change it.
    Write(Work),
    /// Close it and end the thread; the sender is dropped when that is done.
    Close(oneshot::Sender<()>),
}

/// A verb, to be run on the connection, or told why it cannot be run.
type Work = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;

/// A verb that has run, and whose caller has not been told.
pub(crate) struct Done {
    refused: bool,
    /// Tells the caller what the verb gave, or why it is not on disk.
    answer: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

/// A verb as work, and where its outcome comes out.
pub(crate) fn work<T: Send + 'static>(
    verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> (Work, oneshot::Receiver<Result<T, StoreError>>) {
    let (sender, outcome) = oneshot::channel();
    let work = Box::new(move |connection: Result<&Connection, StoreError>| {
        let result = connection.and_then(verb);
        Done {
            refused: result.is_err(),
            answer: Box::new(move |lost| {
                // A caller that went away has left the outcome on disk.
                let _ = sender.send(match lost {
                    None => result,
                    Some(error) => Err(error),
                });
            }),
        }
    });
    (work, outcome)
}

/// Works until every sender is gone or [`Job::Close`] comes.
pub(crate) fn run(connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = Batch::new(&connection);
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Read(work) => batch.read(work),
                Job::Write(work) => batch.write(work),
                Job::Close(closed) => {
                    batch.end();
                    jobs.close();
                    close(connection);
                    drop(closed);
                    return;
                }
            }
            if batch.has_room() {
                next = jobs.try_recv().ok();
            }
        }
        batch.end();
    }
    close(connection);
}

/// Writes the log back into the file and takes it away.
fn close(connection: Connection) {
    connection.flush_prepared_statement_cache();
    if let Err((_, error)) = connection.close() {
        error!(%error, "the journal was not closed in order; the next start reads its log");
    }
}

/// Verbs that share a commit.
struct Batch<'c> {
    connection: &'c Connection,
    done: Vec<Done>,
    transaction: Transaction,
}

enum Transaction {
    /// Nothing was written yet.
    None,
    Open,
    /// It is gone, and with it all that was done in it.
    Lost(String),
}

impl<'c> Batch<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            done: Vec::new(),
            transaction: Transaction::None,
        }
    }

    fn has_room(&self) -> bool {
        self.done.len() < BATCH_MOST && !matches!(self.transaction, Transaction::Lost(_))
    }

    fn read(&mut self, work: Work) {
        self.done.push(work(Ok(self.connection)));
    }

    fn write(&mut self, work: Work) {
        let done = match self.begin() {
            Ok(()) => {
                let done = work(Ok(self.connection));
                self.keep_or_undo(done.refused);
                done
            }
            Err(error) => {
                self.transaction = Transaction::Lost(error.to_string());
                work(Err(error.into()))
            }
        };
        self.done.push(done);
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        if matches!(self.transaction, Transaction::None) {
            self.run("BEGIN IMMEDIATE")?;
            self.transaction = Transaction::Open;
        }
        self.run("SAVEPOINT verb")
    }

    fn keep_or_undo(&mut self, refused: bool) {
        let kept = if refused {
            self.run("ROLLBACK TO verb")
                .and_then(|()| self.run("RELEASE verb"))
        } else {
            self.run("RELEASE verb")
        };
        // SQLite gives a transaction up by itself when the disk is full or broken.
        if let Err(error) = kept {
            self.transaction = Transaction::Lost(error.to_string());
        } else if self.connection.is_autocommit() {
            self.transaction = Transaction::Lost("the transaction was given up".to_owned());
        }
    }

    fn end(mut self) {
        if matches!(self.transaction, Transaction::Open) {
            durable_step();
            match self.run("COMMIT") {
                Ok(()) => durable_step(),
                Err(error) => self.transaction = Transaction::Lost(error.to_string()),
            }
        }
        let lost = match &self.transaction {
            Transaction::None | Transaction::Open => None,
            Transaction::Lost(why) => {
                if !self.connection.is_autocommit()
                    && let Err(error) = self.run("ROLLBACK")
                {
                    error!(%error, "a lost transaction could not be undone");
                }
                Some(why.clone())
            }
        };
        for Done { answer, .. } in self.done {
            answer(lost.clone().map(StoreError::NotCommitted));
        }
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}

#[cfg(feature = "crash-points")]
use crate::crash::durable_step;

/// Where a test of crashes ends the process (feature `crash-points`).
#[cfg(not(feature = "crash-points"))]
const fn durable_step() {}
