//! Keeps the journal from growing without end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Timestamp;
use rusqlite::{Connection, params};

use crate::Store;
use crate::error::StoreError;

/// How many of the oldest rows of a kind one call looks at, so that no call keeps the verbs waiting.
const AT_A_TIME: i64 = 500;

impl Store {
    /// Forgets what was over before `before`, and returns how many rows went. What waits is never forgotten,
    /// however old it is. Call it again until it returns 0.
    ///
    /// An item that is forgotten is new when it comes again: `before` has to lie behind everything that Kapso may
    /// still list or push (seven days; case P5).
    ///
    /// Durable afterwards: that the rows are gone. Repeated: the next oldest.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(move |tx| {
            let mut gone = 0;
            for statement in [
                "DELETE FROM message WHERE seq IN (
                    SELECT seq FROM (SELECT seq, state, received_at FROM message ORDER BY seq LIMIT ?2) AS oldest
                    WHERE received_at < ?1 AND state NOT IN ('received', 'in_turn'))",
                "DELETE FROM outgoing WHERE id IN (
                    SELECT id FROM (SELECT id, state, updated_at FROM outgoing ORDER BY id LIMIT ?2) AS oldest
                    WHERE updated_at < ?1 AND state IN ('sent', 'failed', 'dropped'))",
                "DELETE FROM turn WHERE id IN (
                    SELECT id FROM (SELECT id, settled_at FROM turn ORDER BY id LIMIT ?2) AS oldest
                    WHERE settled_at < ?1
                    AND NOT EXISTS (SELECT 1 FROM message WHERE message.turn_id = oldest.id)
                    AND NOT EXISTS (SELECT 1 FROM outgoing WHERE outgoing.turn_id = oldest.id))",
                "DELETE FROM receipt WHERE (number, wamid) IN (
                    SELECT number, wamid FROM receipt WHERE noted_at < ?1 LIMIT ?2)",
            ] {
                let mut delete = tx.prepare_cached(statement)?;
                gone += delete.execute(params![before.as_millis(), AT_A_TIME])?;
            }
            Ok(u64::try_from(gone).unwrap_or(u64::MAX))
        })
        .await
    }

    /// Drops the words of what is over, the oldest first, while the journal takes more than `max_bytes`; returns how
    /// many rows lost theirs. Keys, states and times stay, so nothing becomes new by it; what waits, and what was set
    /// aside, keeps its words. Call it again until it returns 0.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn slim(&self, max_bytes: u64) -> Result<u64, StoreError> {
        let slimmed = Arc::clone(&self.slimmed);
        self.write(move |tx| {
            if used_bytes(tx)? <= max_bytes {
                return Ok(0);
            }
            let mut touched = 0;
            for ((oldest, blank), upto) in SLIMMING.into_iter().zip(slimmed.iter()) {
                let from = upto.load(Ordering::Relaxed);
                let last: Option<i64> = tx
                    .prepare_cached(oldest)?
                    .query_row(params![from, AT_A_TIME], |row| row.get(0))?;
                if let Some(last) = last {
                    touched += tx.prepare_cached(blank)?.execute(params![from, last])?;
                    upto.store(last, Ordering::Relaxed);
                }
            }
            Ok(u64::try_from(touched).unwrap_or(u64::MAX))
        })
        .await
    }
}

/// For each table: the last of the next rows, and the statement that takes the words of those that are over.
const SLIMMING: [(&str, &str); 3] = [
    (
        "SELECT MAX(seq) FROM (SELECT seq FROM message WHERE seq > ?1 ORDER BY seq LIMIT ?2) AS next",
        "UPDATE message SET body = NULL WHERE seq > ?1 AND seq <= ?2 AND body IS NOT NULL
         AND state IN ('answered', 'refused', 'ignored', 'dropped')",
    ),
    (
        "SELECT MAX(id) FROM (SELECT id FROM turn WHERE id > ?1 ORDER BY id LIMIT ?2) AS next",
        "UPDATE turn SET body = '' WHERE id > ?1 AND id <= ?2 AND body <> '' AND state IN ('answered', 'silent', 'failed')",
    ),
    (
        "SELECT MAX(id) FROM (SELECT id FROM outgoing WHERE id > ?1 ORDER BY id LIMIT ?2) AS next",
        "UPDATE outgoing SET body = '' WHERE id > ?1 AND id <= ?2 AND body <> '' AND state IN ('sent', 'dropped')",
    ),
];

/// Bytes of the pages that are in use.
fn used_bytes(connection: &Connection) -> Result<u64, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok(u64::try_from(pages * number("page_size")?).unwrap_or_default())
}
