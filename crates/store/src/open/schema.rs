//! The schema, step by step. `user_version` says how many steps a file has taken.
//!
//! Written here because what a migration library adds (steps back, hooks) is not wanted, and none follows the driver's
//! releases closely enough.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// The steps. One that was released is never changed; a change is a new one.
const STEPS: &[&str] = &[
    include_str!("../../migrations/0001_journal.sql"),
    include_str!("../../migrations/0002_ledger.sql"),
    include_str!("../../migrations/0003_people.sql"),
    include_str!("../../migrations/0004_webhook.sql"),
];

/// Why the schema of a file cannot be brought up to date.
pub(super) enum SchemaError {
    /// The file has taken a step that is not known here.
    Newer(i64),
    /// The file has taken none.
    Missing,
    /// SQLite failed.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Takes all steps, in a new file.
pub(super) fn create(connection: &mut Connection) -> Result<(), SchemaError> {
    take(connection, 0)
}

/// Takes the steps that are missing, in a file with a past.
pub(super) fn update(connection: &mut Connection) -> Result<(), SchemaError> {
    let mut taken: i64 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if taken == 0 {
        taken = adopt(connection)?;
    }
    let known = usize::try_from(taken)
        .ok()
        .filter(|taken| *taken <= STEPS.len());
    take(connection, known.ok_or(SchemaError::Newer(taken))?)
}

/// Takes over a file of the first version, whose steps are listed in a table.
fn adopt(connection: &mut Connection) -> Result<i64, SchemaError> {
    let listed = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    let is_listed = connection.query_row(listed, (), |_| Ok(())).optional()?;
    if is_listed.is_none() {
        return Err(SchemaError::Missing);
    }
    let newest = "SELECT MAX(version) FROM _sqlx_migrations";
    match connection.query_row(newest, (), |row| row.get(0))? {
        Some(1) => {}
        Some(version) => return Err(SchemaError::Newer(version)),
        None => return Err(SchemaError::Missing),
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("DROP TABLE _sqlx_migrations; PRAGMA user_version = 1;")?;
    tx.commit()?;
    Ok(1)
}

/// Takes the steps after the first `taken`, each whole or not at all.
fn take(connection: &mut Connection, taken: usize) -> Result<(), SchemaError> {
    for (version, step) in (1..).zip(STEPS).skip(taken) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}
