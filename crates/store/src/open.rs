//! Opening the journal: the directory, the lock, the file, its schema.
//!
//! A `state.db` that exists is a whole one: a new journal is made under another name and renamed. So a file that is
//! empty, cut off or of another kind is damage, and is said so; only a missing file means a new beginning.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Clock;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::Store;
use crate::lock::{Lock, Refused};

/// The schema, step by step.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

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
        source: sqlx::Error,
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
        };
        let is_new = !file.path.try_exists().map_err(at(&file.path))?;
        let pool = if is_new {
            file.make(dir).await?;
            file.connect().await?
        } else {
            let check = file.inspect()?;
            let pool = file.connect().await?;
            file.verify(&pool, check).await?;
            pool
        };
        Ok(Self {
            pool,
            clock,
            lock: Arc::new(lock),
            is_new,
        })
    }
}

/// The files of a journal.
struct Journal {
    path: PathBuf,
    wal: PathBuf,
}

impl Journal {
    /// Makes an empty journal. It appears under its name when it is whole and on disk.
    async fn make(&self, dir: &Path) -> Result<(), OpenError> {
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
        let written = async {
            let mut connection = drafting(&draft).connect().await?;
            MIGRATIONS.run(&mut connection).await?;
            let finish =
                format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA journal_mode = WAL");
            sqlx::raw_sql(AssertSqlSafe(finish))
                .execute(&mut connection)
                .await?;
            connection.close().await?;
            Ok::<(), MigrateError>(())
        };
        written.await.map_err(|error| self.migration(error))?;
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

    async fn connect(&self) -> Result<SqlitePool, OpenError> {
        SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(working(&self.path))
            .await
            .map_err(|error| self.failure(error))
    }

    /// Checks the inside where `check` says so, and brings the schema up to date.
    async fn verify(&self, pool: &SqlitePool, check: bool) -> Result<(), OpenError> {
        let mut connection = pool.acquire().await.map_err(|error| self.failure(error))?;
        if check {
            let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
                .fetch_one(&mut *connection)
                .await
                .map_err(|error| self.failure(error))?;
            if verdict != "ok" {
                return Err(self.unreadable(format!("it is damaged ({})", verdict.trim())));
            }
        }
        MIGRATIONS
            .run(&mut *connection)
            .await
            .map_err(|error| self.migration(error))
    }

    fn unreadable(&self, detail: String) -> OpenError {
        OpenError::Unreadable {
            path: self.path.clone(),
            detail,
        }
    }

    fn migration(&self, error: MigrateError) -> OpenError {
        if let MigrateError::VersionMissing(version) = error {
            return OpenError::Newer {
                path: self.path.clone(),
                version,
            };
        }
        if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
            return self.failure(error);
        }
        self.unreadable(format!("its schema is not one of this program's ({error})"))
    }

    fn failure(&self, source: sqlx::Error) -> OpenError {
        let code = source
            .as_database_error()
            .and_then(|error| error.code()?.parse::<i32>().ok());
        // The low byte is the kind of failure: 11 is a damaged file, 26 not a database at all.
        match code.map(|code| code & 0xff) {
            Some(11) => self.unreadable(format!("it is damaged ({source})")),
            Some(26) => self.unreadable("it is not a database".to_owned()),
            Some(_) | None => OpenError::Database {
                path: self.path.clone(),
                source,
            },
        }
    }
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

/// How a journal is worked with: what is committed is on disk.
fn working(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("mmap_size", "0")
}

/// How a draft is written: nobody relies on it yet, so one flush at the end does for all steps.
fn drafting(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .thread_name(|_| "journal".to_owned())
        .disable_statement_logging()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
