//! Whose words a session of the gateway has had: what a proof of identity for that session rests on.

use std::time::Duration;

use model::{ChatKey, SessionKey, Timestamp};
use rusqlite::{Connection, params};

use crate::Store;
use crate::error::{Row, StoreError};
use crate::row::chat;
use crate::statement::{execute, prepared};

/// How precisely the time of a sender is kept, so that most turns write nothing here.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// For at least this long a sender is known after its last turn began, whatever else is forgotten.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The senders of a session.
pub(crate) const SENDERS: &str = "SELECT chat FROM session_sender WHERE session = $1 ORDER BY chat";

/// The oldest senders, without those whose turn is unfinished or whose answer is not sent: their turn is kept. The
/// conditions on the states are word for word those of the indexes `turn_open` and `outgoing_waiting`.
pub(crate) const OLDEST: &str = "DELETE FROM session_sender WHERE (session, chat) IN (
        SELECT session, chat FROM session_sender AS oldest
        WHERE at < $1
        AND NOT EXISTS (
            SELECT 1 FROM turn WHERE turn.chat = oldest.chat AND turn.state IN ('queued', 'asked'))
        AND NOT EXISTS (
            SELECT 1 FROM outgoing
            WHERE outgoing.chat = oldest.chat AND outgoing.state IN ('queued', 'sending', 'unknown'))
        ORDER BY at LIMIT $2)";

impl Store {
    /// Everyone whose messages were handed over in `session`: of that very key, in any case. Nobody, where no turn of
    /// it is known. Who was silent for more than 30 days, and for longer than turns are kept, may be missing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_senders(&self, session: &SessionKey) -> Result<Vec<ChatKey>, StoreError> {
        let session = session.clone();
        self.read(move |connection| {
            let mut senders = prepared(connection, SENDERS)?;
            senders
                .query_and_then([session.as_str()], |row| {
                    chat(Row::Turn, &row.get::<_, String>(0)?)
                })?
                .collect()
        })
        .await
    }
}

/// Notes that a turn of `chat` begins in `session`; to be called within the verb that begins it.
pub(crate) fn note(
    connection: &Connection,
    session: &SessionKey,
    chat: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // A session key is in lower case by its type, as the gateway has it (openclaw.md 3.3).
    execute(
        connection,
        "INSERT INTO session_sender (session, chat, at) VALUES ($1, $2, $3)
         ON CONFLICT (session, chat) DO UPDATE SET at = excluded.at WHERE session_sender.at < $4",
        params![
            session.as_str(),
            chat,
            now.as_millis(),
            now.earlier(NOTED_EVERY).as_millis()
        ],
    )
    .map(drop)
}

/// Forgets at most `most` senders whose last turn began before `before` and more than [`KEPT`] ago; how many.
pub(crate) fn forget(
    connection: &Connection,
    before: Timestamp,
    now: Timestamp,
    most: i64,
) -> rusqlite::Result<usize> {
    let before = before.min(now.earlier(KEPT)).earlier(NOTED_EVERY);
    execute(connection, OLDEST, params![before.as_millis(), most])
}
