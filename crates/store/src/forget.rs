//! Keeps the journal from growing without end: what is long over goes, by age and by size.

use std::time::Duration;

use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::statement::{execute, prepared};
use crate::{Store, senders};

/// How many rows of a kind one step looks at, so that no call keeps the verbs waiting.
const AT_A_TIME: i64 = 500;

/// So many steps a call takes in search of words to drop.
const STEPS: u32 = 8;

/// What has been over for this long goes when the journal is too large, keys and all. It lies behind everything that
/// Kapso may still list or push (seven days; case P5).
const LONG_OVER: Duration = Duration::from_secs(8 * 24 * 3600);

/// What goes, kind by kind.
const OLDEST: [&str; 3] = [
    "DELETE FROM message WHERE seq IN (
        SELECT seq FROM (SELECT seq, state, received_at, done_at FROM message ORDER BY seq LIMIT $1) AS oldest
        WHERE COALESCE(done_at, received_at) < $2 AND received_at < $2 AND state NOT IN ('received', 'in_turn'))",
    "DELETE FROM outgoing WHERE id IN (
        SELECT id FROM (SELECT id, state, updated_at FROM outgoing ORDER BY id LIMIT $1) AS oldest
        WHERE updated_at < $2 AND state IN ('sent', 'failed', 'dropped'))",
    "DELETE FROM turn WHERE id IN (
        SELECT id FROM (SELECT id, settled_at FROM turn ORDER BY id LIMIT $1) AS oldest
        WHERE settled_at < $2
        AND NOT EXISTS (SELECT 1 FROM message WHERE message.turn_id = oldest.id)
        AND NOT EXISTS (SELECT 1 FROM outgoing WHERE outgoing.turn_id = oldest.id))",
];

/// A kind of row whose words can be dropped.
pub(crate) struct Wordy {
    kind: &'static str,
    /// The last row of the next step, counted from a row on.
    step: &'static str,
    /// Drops the words of what is over, from a row on and up to another. What is over is what does not wait: naming its
    /// states would make SQLite go through the index of the states instead.
    pub(crate) blank: &'static str,
}

/// The kinds of row that have words.
pub(crate) const WORDY: [Wordy; 3] = [
    Wordy {
        kind: "message",
        step: "SELECT MAX(seq) FROM (SELECT seq FROM message WHERE seq > $1 ORDER BY seq LIMIT $2) AS next",
        blank: "UPDATE message SET body = NULL WHERE seq > $1 AND seq <= $2
                AND body IS NOT NULL AND state NOT IN ('received', 'in_turn')",
    },
    Wordy {
        kind: "turn",
        step: "SELECT MAX(id) FROM (SELECT id FROM turn WHERE id > $1 ORDER BY id LIMIT $2) AS next",
        blank: "UPDATE turn SET body = '' WHERE id > $1 AND id <= $2
                AND octet_length(body) > 0 AND state NOT IN ('queued', 'asked')",
    },
    Wordy {
        kind: "outgoing",
        step: "SELECT MAX(id) FROM (SELECT id FROM outgoing WHERE id > $1 ORDER BY id LIMIT $2) AS next",
        blank: "UPDATE outgoing SET body = '' WHERE id > $1 AND id <= $2
                AND octet_length(body) > 0 AND state NOT IN ('queued', 'sending', 'unknown')",
    },
];

impl Store {
    /// Forgets what was over before `before`, and returns how many rows went. What waits is never forgotten,
    /// however old it is. Call it again until it returns 0.
    ///
    /// An item that is forgotten is new when it comes again: `before` has to lie behind everything that Kapso may
    /// still list or push (seven days; case P5).
    ///
    /// Who spoke in which session is known for 30 days at least.
    ///
    /// Durable afterwards: that the rows are gone, and what WhatsApp told before then of messages that no row became.
    /// Repeated: the next oldest.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let now = self.now();
        self.write(move |connection| forget(connection, before, now))
            .await
    }

    /// Makes the journal smaller while its rows take more than `max_bytes`: the words of what is over go first, the
    /// oldest before the others, and then the rows that were over more than eight days ago. Returns how many rows were
    /// touched. Call it again until it returns 0.
    ///
    /// What waits is never touched, nor is the key of a message of the last seven days: it would be taken for new
    /// when it comes again (case P5). So the journal may stay larger than `max_bytes`. The file keeps its size; its
    /// free pages are used again.
    ///
    /// Durable afterwards: that the words and rows are gone. Repeated: the next oldest.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn slim(&self, max_bytes: u64) -> Result<u64, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            if used(connection)? <= max_bytes {
                return Ok(0);
            }
            let mut blanked = 0;
            for wordy in &WORDY {
                blanked += wordy.blank_next(connection)?;
            }
            if blanked > 0 {
                return Ok(blanked);
            }
            forget(connection, now.earlier(LONG_OVER), now)
        })
        .await
    }
}

fn forget(connection: &Connection, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    let mut gone = 0;
    for statement in OLDEST {
        gone += execute(
            connection,
            statement,
            params![AT_A_TIME, before.as_millis()],
        )?;
    }
    gone += senders::forget(connection, before, now, AT_A_TIME)?;
    let receipts = "DELETE FROM receipt WHERE noted_at < $1";
    execute(connection, receipts, [before.as_millis()])?;
    Ok(gone as u64)
}

/// Bytes of the pages that hold something.
fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.query_row(name, (), |row| row.get::<_, u64>(0));
    let pages = pragma("PRAGMA page_count")?.saturating_sub(pragma("PRAGMA freelist_count")?);
    Ok(pages * pragma("PRAGMA page_size")?)
}

impl Wordy {
    /// Drops the words of the next rows that have some; how many rows that were. Behind the last row it begins again at
    /// the first: some that waited then may be over now.
    fn blank_next(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let mut from = self.begun(connection)?;
        let mut blanked = 0;
        for _ in 0..STEPS {
            let to: Option<i64> = prepared(connection, self.step)?
                .query_row(params![from, AT_A_TIME], |row| row.get(0))?;
            let Some(to) = to else {
                from = 0;
                break;
            };
            blanked = execute(connection, self.blank, params![from, to])?;
            from = to;
            if blanked > 0 {
                break;
            }
        }
        execute(
            connection,
            "INSERT INTO slimmed (kind, row_to) VALUES ($1, $2)
             ON CONFLICT (kind) DO UPDATE SET row_to = excluded.row_to",
            params![self.kind, from],
        )?;
        Ok(blanked as u64)
    }

    /// The row behind which the next step begins.
    fn begun(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let begun = prepared(connection, "SELECT row_to FROM slimmed WHERE kind = $1")?
            .query_row([self.kind], |row| row.get(0))
            .optional()?;
        Ok(begun.unwrap_or_default())
    }
}
