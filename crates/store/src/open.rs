//! Opening the journal: the directory, the lock, the file, its schema.
//!
//! A `state.db` that exists is a whole one: a new journal is made under another name and renamed. So a file that is
//! empty, cut off or of another kind is damage, and is said so; only a missing file means a new beginning.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::Clock;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::Store;
use crate::journal;
use crate::lock::{Lock, Refused};

/// The schema, step by step; the file knows how many it has taken (`user_version`).
const MIGRATIONS: [&str; 2] = [
    include_str!("../migrations/0001_journal.sql"),
    include_str!("../migrations/0002_ledger.sql"),
];

/// How long a connection waits for another one's lock, such as the last commit of a process that ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 128;

/// Marks a SQLite file as this program's journal ("KWAJ").
const APPLICATION_ID: i32 = 0x4b57_414a;

/// A journal up to this size is checked at every start; it takes less than a millisecond.
const CHECKED_ALWAYS: u64 = 256 * 1024;

/// A journal up to this size is checked when it was not closed. Above it the check would hold up the start, and
/// SQLite still reports a broken page when it reads it.
const CHECKED_AFTER_CRASH: u64 = 128 * 1024 * 1024;

/// KiB of pages that SQLite keeps in memory.
const CACHE_KIB: u32 = 512;

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
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(at(dir))?;
        let lock = Lock::take(dir)?;
        let file = Journal {
            path: dir.join("state.db"),
            wal: dir.join("state.db-wal"),
            dir: dir.to_owned(),
        };
        let path = file.path.clone();
        let (jobs, queue) = mpsc::channel(journal::QUEUE);
        let (tell, opened) = oneshot::channel();
        // Opening takes milliseconds: the thread that will own the connection does it.
        let thread = thread::Builder::new().name("journal".to_owned());
        let serve = move || match file.open() {
            Ok((connection, is_new)) => {
                let _ = tell.send(Ok(is_new));
                journal::run(connection, queue);
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        };
        thread.spawn(serve).map_err(at(&path))?;
        let ended = |_| at(&path)(io::Error::other("the journal's thread ended"));
        let is_new = opened.await.map_err(ended)??;
        Ok(Self {
            jobs,
            path,
            clock,
            lock: Arc::new(lock),
            is_new,
            slimmed: Arc::default(),
        })
    }
}

/// The files of a journal.
struct Journal {
    path: PathBuf,
    wal: PathBuf,
    dir: PathBuf,
}

impl Journal {
    /// Opens the journal, made where there is none; whether it was.
    fn open(&self) -> Result<(Connection, bool), OpenError> {
        let is_new = !self.path.try_exists().map_err(at(&self.path))?;
        if is_new {
            self.make()?;
            return Ok((self.connect()?, true));
        }
        let check = self.inspect()?;
        let connection = self.connect()?;
        self.verify(&connection, check)?;
        Ok((connection, false))
    }

    /// Makes an empty journal. It appears under its name when it is whole and on disk.
    fn make(&self) -> Result<(), OpenError> {
        let dir = &self.dir;
        let draft = dir.join("state.db.new");
        // Leftovers: a draft of a start that was cut short, and the log of a journal that was moved away.
        for stale in [&draft, &dir.join("state.db.new-wal"), &self.wal] {
            match fs::remove_file(stale) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(stale)(error)),
                Ok(()) | Err(_) => {}
            }
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(at(&draft))?;
        let written = || {
            let connection = Connection::open(&draft)?;
            // Nobody relies on a draft yet, so one flush at the end does for all steps.
            connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")?;
            migrate(&connection, 0)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.execute_batch("PRAGMA journal_mode = WAL")?;
            connection.close().map_err(|(_, error)| error)
        };
        written().map_err(|error| self.failure(error))?;
        file.sync_all().map_err(at(&draft))?;
        fs::rename(&draft, &self.path).map_err(at(&self.path))?;
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(at(dir))
    }

    /// Looks at the file from outside, before SQLite may write to it; whether its inside is to be checked.
    fn inspect(&self) -> Result<bool, OpenError> {
        let file = File::open(&self.path).map_err(at(&self.path))?;
        let about = file.metadata().map_err(at(&self.path))?;
        // SQLite takes its log away when the journal is closed.
        let crashed = fs::metadata(&self.wal).is_ok_and(|wal| wal.len() > 0);
        if about.len() == 0 {
            return Err(self.unreadable("it is empty".to_owned()));
        }
        let Some(header) = Header::read(&file) else {
            return Err(self.unreadable("it is not a database".to_owned()));
        };
        if header.application != APPLICATION_ID {
            let detail = "it is a database, but not this program's journal";
            return Err(self.unreadable(detail.to_owned()));
        }
        // With a log beside it, a shorter file may be whole.
        if !crashed && about.len() < header.bytes {
            let detail = format!("it is cut off at {} of {} bytes", about.len(), header.bytes);
            return Err(self.unreadable(detail));
        }
        if about.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.path, Permissions::from_mode(0o600))
                .map_err(at(&self.path))?;
        }
        Ok(about.len() <= CHECKED_ALWAYS || crashed && about.len() <= CHECKED_AFTER_CRASH)
    }

    /// A connection for which what is committed is on disk.
    fn connect(&self) -> Result<Connection, OpenError> {
        let connect = || {
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -{CACHE_KIB}; PRAGMA mmap_size = 0"
            ))?;
            Ok(connection)
        };
        connect().map_err(|error| self.failure(error))
    }

    /// Checks the inside where `check` says so, and brings the schema up to date.
    fn verify(&self, connection: &Connection, check: bool) -> Result<(), OpenError> {
        let fail = |error| self.failure(error);
        if check {
            let verdict: String = connection
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
                .map_err(fail)?;
            if verdict != "ok" {
                return Err(self.unreadable(format!("it is damaged ({})", verdict.trim())));
            }
        }
        let version = taken(connection).map_err(fail)?;
        match usize::try_from(version) {
            Ok(taken) if (1..=MIGRATIONS.len()).contains(&taken) => {
                migrate(connection, taken).map_err(fail)
            }
            Ok(0) => Err(self.unreadable("its schema is not one of this program's".to_owned())),
            Ok(_) | Err(_) => Err(OpenError::Newer {
                path: self.path.clone(),
                version,
            }),
        }
    }

    fn unreadable(&self, detail: String) -> OpenError {
        OpenError::Unreadable {
            path: self.path.clone(),
            detail,
        }
    }

    fn failure(&self, source: rusqlite::Error) -> OpenError {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => {
                self.unreadable(format!("it is damaged ({source})"))
            }
            Some(ErrorCode::NotADatabase) => self.unreadable("it is not a database".to_owned()),
            Some(_) | None => OpenError::Database {
                path: self.path.clone(),
                source,
            },
        }
    }
}

/// How many steps of the schema the file has taken.
fn taken(connection: &Connection) -> rusqlite::Result<i64> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Before 0.1.0 the first step was noted in a table of its own.
    if version == 0 && connection.table_exists(None, "_sqlx_migrations")? {
        let (steps, last) = connection.query_row(
            "SELECT COUNT(*), MAX(version) FROM _sqlx_migrations",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?;
        if steps == 1 && last == 1 {
            connection.execute_batch("DROP TABLE _sqlx_migrations; PRAGMA user_version = 1")?;
            return Ok(1);
        }
        return Ok(last.max(steps));
    }
    Ok(version)
}

/// Takes the steps after the first `taken`, each as a whole.
fn migrate(connection: &Connection, taken: usize) -> rusqlite::Result<()> {
    for (step, schema) in (1..).zip(MIGRATIONS).skip(taken) {
        connection.execute_batch(&format!(
            "BEGIN; {schema}; PRAGMA user_version = {step}; COMMIT"
        ))?;
    }
    Ok(())
}

/// What the first bytes of a SQLite file say ("Database File Format", section 1.3).
struct Header {
    /// Whose file it is.
    application: i32,
    /// How long the file was when its header was written.
    bytes: u64,
}

impl Header {
    /// The header of a SQLite file; none where there is none.
    fn read(file: &File) -> Option<Self> {
        let mut bytes = [0; 100];
        file.read_exact_at(&mut bytes, 0).ok()?;
        if !bytes.starts_with(b"SQLite format 3\0") {
            return None;
        }
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        // 1 stands for 65536, which does not fit into the two bytes.
        let page = match u16::from_be_bytes([bytes[16], bytes[17]]) {
            1 => 65_536,
            size => u64::from(size),
        };
        Some(Self {
            application: number(68).cast_signed(),
            bytes: page * u64::from(number(28)),
        })
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
