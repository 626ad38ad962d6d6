//! The journal's file: made whole or not at all, and looked at before SQLite may write to it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema::{self, SchemaError};
use super::{OpenError, at};

/// Marks a SQLite file as this program's journal ("KWAJ").
const APPLICATION_ID: i32 = 0x4b57_414a;

/// A journal up to this size is checked at every start; it takes less than a millisecond.
const CHECKED_ALWAYS: u64 = 256 * 1024;

/// A journal up to this size is checked when it was not closed. Above it the check would hold up the start, and
/// SQLite still reports a broken page when it reads it.
const CHECKED_AFTER_CRASH: u64 = 128 * 1024 * 1024;

/// How many statements are kept prepared: all that the verbs have.
const STATEMENTS: usize = 128;

/// KiB of pages that the journal's thread keeps in memory. The ids of messages are random, so each new one touches
/// another page: with less, a batch writes and reads its own pages over and over.
const CACHE_KIB: u32 = 2048;

/// After how many pages the write-ahead log is copied into the file (8 MiB). Fewer copy a page more often than needed;
/// more make the commit that copies a long one.
const LOG_PAGES: u32 = 2000;

/// The files of a journal.
pub(super) struct File {
    path: PathBuf,
    wal: PathBuf,
}

impl File {
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            path: dir.join("state.db"),
            wal: dir.join("state.db-wal"),
        }
    }

    /// Opens the journal, or makes it; whether it was made.
    pub(super) fn open(&self, dir: &Path) -> Result<(Connection, bool), OpenError> {
        let is_new = !self.path.try_exists().map_err(at(&self.path))?;
        if is_new {
            self.make(dir)?;
            return Ok((self.connect()?, true));
        }
        let check = self.inspect()?;
        let mut connection = self.connect()?;
        self.verify(&mut connection, check)?;
        Ok((connection, false))
    }

    /// Makes an empty journal. It appears under its name when it is whole and on disk.
    fn make(&self, dir: &Path) -> Result<(), OpenError> {
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
        write_draft(&draft).map_err(|error| self.schema(error))?;
        file.sync_all().map_err(at(&draft))?;
        fs::rename(&draft, &self.path).map_err(at(&self.path))?;
        fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(at(dir))
    }

    /// Looks at the file from outside, before SQLite may write to it; whether its inside is to be checked.
    fn inspect(&self) -> Result<bool, OpenError> {
        let file = fs::File::open(&self.path).map_err(at(&self.path))?;
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

    /// A connection as the journal is worked with: what is committed is on disk.
    fn connect(&self) -> Result<Connection, OpenError> {
        let connect = || {
            let connection = existing(&self.path)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -{CACHE_KIB};
                 PRAGMA wal_autocheckpoint = {LOG_PAGES};
                 PRAGMA mmap_size = 0;"
            ))?;
            Ok(connection)
        };
        connect().map_err(|error| self.failure(error))
    }

    /// Checks the inside where `check` says so, and brings the schema up to date.
    fn verify(&self, connection: &mut Connection, check: bool) -> Result<(), OpenError> {
        if check {
            let verdict: String = connection
                .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
                .map_err(|error| self.failure(error))?;
            if verdict != "ok" {
                return Err(self.unreadable(format!("it is damaged ({})", verdict.trim())));
            }
        }
        schema::update(connection).map_err(|error| self.schema(error))
    }

    fn unreadable(&self, detail: String) -> OpenError {
        OpenError::Unreadable {
            path: self.path.clone(),
            detail,
        }
    }

    fn schema(&self, error: SchemaError) -> OpenError {
        match error {
            SchemaError::Newer(version) => OpenError::Newer {
                path: self.path.clone(),
                version,
            },
            SchemaError::Missing => {
                self.unreadable("its schema is not one of this program's".to_owned())
            }
            SchemaError::Database(error) => self.failure(error),
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

/// Fills a draft. Nobody relies on it yet, so one flush at the end does for all steps.
fn write_draft(draft: &Path) -> Result<(), SchemaError> {
    let mut connection = existing(draft)?;
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    schema::create(&mut connection)?;
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA journal_mode = WAL;"
    ))?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// A connection to a file that is there. One thread at a time uses it.
fn existing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
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
    fn read(file: &fs::File) -> Option<Self> {
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
