//! Keeps the journal from growing without end.

use model::Timestamp;

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
        let mut tx = self.begin().await?;
        let mut gone = 0;
        for statement in [
            "DELETE FROM message WHERE seq IN (
                SELECT seq FROM (SELECT seq, state, received_at FROM message ORDER BY seq LIMIT $2) AS oldest
                WHERE received_at < $1 AND state NOT IN ('received', 'in_turn'))",
            "DELETE FROM outgoing WHERE id IN (
                SELECT id FROM (SELECT id, state, updated_at FROM outgoing ORDER BY id LIMIT $2) AS oldest
                WHERE updated_at < $1 AND state IN ('sent', 'failed'))",
            "DELETE FROM turn WHERE id IN (
                SELECT id FROM (SELECT id, settled_at FROM turn ORDER BY id LIMIT $2) AS oldest
                WHERE settled_at < $1
                AND NOT EXISTS (SELECT 1 FROM message WHERE message.turn_id = oldest.id)
                AND NOT EXISTS (SELECT 1 FROM outgoing WHERE outgoing.turn_id = oldest.id))",
        ] {
            let done = sqlx::query(statement).bind(before.as_millis()).bind(AT_A_TIME).execute(&mut *tx).await?;
            gone += done.rows_affected();
        }
        tx.commit().await?;
        Ok(gone)
    }
}
