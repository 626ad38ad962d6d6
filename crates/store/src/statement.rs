//! Statements, prepared once.
//!
//! Parameters are written `$1`, `$2`, … as PostgreSQL has them. To SQLite these are names, numbered as they first
//! appear in the text: so a statement names them in that order, which is checked where checks are on.

use rusqlite::{CachedStatement, Connection, Params};

use crate::error::{Row, StoreError, conflict};

/// `statement`, as it was prepared before or now.
pub(crate) fn prepared<'c>(
    connection: &'c Connection,
    statement: &str,
) -> rusqlite::Result<CachedStatement<'c>> {
    let prepared = connection.prepare_cached(statement)?;
    debug_assert!(
        (1..=prepared.parameter_count())
            .all(|n| prepared.parameter_name(n) == Some(format!("${n}").as_str())),
        "parameters out of order: {statement}"
    );
    Ok(prepared)
}

/// Runs `statement`; how many rows it changed.
pub(crate) fn execute(
    connection: &Connection,
    statement: &str,
    parameters: impl Params,
) -> rusqlite::Result<usize> {
    prepared(connection, statement)?.execute(parameters)
}

/// Runs an update of one row that names its old states.
pub(crate) fn change(
    connection: &Connection,
    (row, id, verb): (Row, i64, &'static str),
    update: &str,
    parameters: impl Params,
) -> Result<(), StoreError> {
    match execute(connection, update, parameters)? {
        0 => Err(conflict(connection, row, id, verb)),
        _ => Ok(()),
    }
}
