//! Questions to the agent: one unfinished per chat, written before it is asked, settled once.

use model::{ChatKey, Outgoing, Timestamp, Turn};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::Store;
use crate::error::{Row, StoreError, change, conflict};
use crate::outgoing::{Draft, insert_parts, open_window};
use crate::row::{StoredTurn, first};
use crate::state::{Settled, TurnId, TurnState};

/// The unfinished turn of a chat.
pub(crate) const OPEN: &str =
    "SELECT id, body, state, boot, asked_at, accepted_at, transcript_mark, attempts, said, created_at
     FROM turn WHERE chat = ?1 AND state IN ('queued', 'asked')";

impl Store {
    /// Makes a turn of messages that wait for one.
    ///
    /// Durable afterwards: the turn as `queued`, and the messages `received` → `in_turn`; all or nothing.
    /// Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::TurnOpen`] when the chat has an unfinished turn, [`StoreError::Conflict`] when a message is not
    /// in `received` or belongs to another chat.
    pub async fn begin_turn(&self, turn: &Turn, messages: &[i64]) -> Result<TurnId, StoreError> {
        self.write_turn(turn, messages, None).await
    }

    /// [`Store::begin_turn`] and [`Store::asking`] in one transaction, at the cost of one.
    ///
    /// # Errors
    /// As [`Store::begin_turn`].
    pub async fn begin_and_ask(
        &self,
        turn: &Turn,
        messages: &[i64],
        boot: &str,
        transcript_mark: Option<&str>,
    ) -> Result<TurnId, StoreError> {
        let ask = (boot.to_owned(), transcript_mark.map(str::to_owned));
        self.write_turn(turn, messages, Some(ask)).await
    }

    /// Writes the turn, asked already where `ask` says whom and from which mark.
    async fn write_turn(
        &self,
        turn: &Turn,
        messages: &[i64],
        ask: Option<(String, Option<String>)>,
    ) -> Result<TurnId, StoreError> {
        let (chat, name) = (turn.chat.clone(), turn.chat.to_string());
        let (body, messages) = (serde_json::to_string(turn)?, messages.to_vec());
        let now = self.now().as_millis();
        self.write(move |tx| {
            let Some(id) = insert(tx, &name, &body, ask, now)? else {
                return Err(StoreError::TurnOpen {
                    chat: Box::new(chat),
                });
            };
            for message in messages {
                change(
                    tx,
                    (Row::Message, message, "taken into a turn"),
                    "UPDATE message SET state = 'in_turn', turn_id = ?2
                     WHERE seq = ?1 AND state = 'received' AND chat = ?3",
                    params![message, id, name],
                )?;
            }
            open_window(tx, &name)?;
            Ok(TurnId(id))
        })
        .await
    }

    /// The unfinished turn of `chat`, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_turn(&self, chat: &ChatKey) -> Result<Option<StoredTurn>, StoreError> {
        let chat = chat.to_string();
        self.read(move |connection| first(connection, OPEN, [chat], StoredTurn::read))
            .await
    }

    /// Notes that the turn is about to be asked. To be called before the request goes out: a turn that is `queued`
    /// was surely never asked.
    ///
    /// Durable afterwards: the turn as `asked`, with the run of the gateway that is asked (`boot`), the time, one
    /// more attempt, and where the transcript stands (none leaves the mark that was noted before). Repeated: one
    /// more attempt, which is what a second ask is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is over.
    pub async fn asking(
        &self,
        turn: TurnId,
        boot: &str,
        transcript_mark: Option<&str>,
    ) -> Result<(), StoreError> {
        let (now, boot) = (self.now().as_millis(), boot.to_owned());
        let mark = transcript_mark.map(str::to_owned);
        self.write(move |tx| {
            change(
                tx,
                (Row::Turn, turn.0, "asked"),
                "UPDATE turn SET state = 'asked', boot = ?2, transcript_mark = COALESCE(?3, transcript_mark),
                 asked_at = ?4, attempts = attempts + 1 WHERE id = ?1 AND state IN ('queued', 'asked')",
                params![turn.0, boot, mark, now],
            )
        })
        .await
    }

    /// Notes when the gateway accepted the turn, by the gateway's clock. The first acceptance stays: whatever
    /// answers the turn came after it, also when it had to be asked again.
    ///
    /// Durable afterwards: that time. Repeated: no change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is not in `asked`.
    pub async fn accepted(&self, turn: TurnId, accepted_at: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            change(
                tx,
                (Row::Turn, turn.0, "accepted"),
                "UPDATE turn SET accepted_at = COALESCE(accepted_at, ?2) WHERE id = ?1 AND state = 'asked'",
                params![turn.0, accepted_at.as_millis()],
            )
        })
        .await
    }

    /// Queues parts of the answer while the turn goes on; `from_part` is the number of the first one, counted from
    /// 0 over the whole turn. Returns how many of them were new.
    ///
    /// Durable afterwards: the parts. Repeated, or overlapping what was said before: a part that is a row already
    /// stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is not in `asked`, or when `from_part` would leave a gap.
    pub async fn say(
        &self,
        turn: TurnId,
        from_part: u32,
        parts: &[Outgoing],
    ) -> Result<u32, StoreError> {
        let (parts, now) = (Draft::all(parts)?, self.now());
        self.write(move |tx| {
            let open = "SELECT said FROM turn WHERE id = ?1 AND state = 'asked' AND said >= ?2";
            let said: Option<i64> = tx
                .prepare_cached(open)?
                .query_row(params![turn.0, from_part], |row| row.get(0))
                .optional()?;
            let Some(said) = said else {
                return Err(conflict(tx, Row::Turn, turn.0, "continued"));
            };
            let known = usize::try_from(said - i64::from(from_part)).unwrap_or_default();
            let fresh = parts.get(known..).unwrap_or_default();
            insert_parts(tx, turn, said, fresh, now)?;
            let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
            if count > 0 {
                let grow = "UPDATE turn SET said = said + ?2 WHERE id = ?1";
                tx.prepare_cached(grow)?.execute(params![turn.0, count])?;
            }
            Ok(count)
        })
        .await
    }

    /// Ends a turn, with the rest of its answer: `parts` follow those that [`Store::say`] queued.
    ///
    /// Durable afterwards: the turn as `answered`, `silent` or `failed`, its messages as `answered` or `failed`, and
    /// the parts as `queued`; all or nothing. Repeated: a conflict, so no part is ever queued twice.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is over.
    pub async fn settle(
        &self,
        turn: TurnId,
        outcome: Settled,
        parts: &[Outgoing],
    ) -> Result<(), StoreError> {
        let (parts, now) = (Draft::all(parts)?, self.now());
        self.write(move |tx| settle(tx, turn, &outcome, &parts, now))
            .await
    }
}

/// Ends a turn and its messages, and queues the rest of its answer.
pub(crate) fn settle(
    tx: &Connection,
    turn: TurnId,
    outcome: &Settled,
    parts: &[Draft],
    now: Timestamp,
) -> Result<(), StoreError> {
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    let (state, at) = (outcome.turn_state().as_str(), now.as_millis());
    let said: Option<i64> = tx
        .prepare_cached(
            "UPDATE turn SET state = ?2, reason = ?3, settled_at = ?4, said = said + ?5
             WHERE id = ?1 AND state IN ('queued', 'asked') RETURNING said",
        )?
        .query_row(params![turn.0, state, outcome.reason(), at, count], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(said) = said else {
        return Err(conflict(tx, Row::Turn, turn.0, "settled"));
    };
    tx.prepare_cached(
        "UPDATE message SET state = ?2, reason = ?3, done_at = ?4 WHERE turn_id = ?1",
    )?
    .execute(params![
        turn.0,
        outcome.message_state().as_str(),
        outcome.reason(),
        at
    ])?;
    insert_parts(tx, turn, said - count, parts, now)
}

/// Writes the row of a turn; none where the chat has an unfinished one.
fn insert(
    tx: &Connection,
    chat: &str,
    body: &str,
    ask: Option<(String, Option<String>)>,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let state = ask.as_ref().map_or(TurnState::Queued, |_| TurnState::Asked);
    let asked = ask.is_some();
    let (boot, mark) = ask.unzip();
    let inserted = tx
        .prepare_cached(
            "INSERT INTO turn (chat, body, state, boot, transcript_mark, asked_at, attempts, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING RETURNING id",
        )?
        .query_row(
            params![
                chat,
                body,
                state.as_str(),
                boot,
                mark.flatten(),
                asked.then_some(now),
                i64::from(asked),
                now
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(inserted)
}
