//! Questions to the agent: one unfinished per chat, written before it is asked, settled once.

use model::{ChatKey, Outgoing, Timestamp, Turn};
use sqlx::{Row as _, Sqlite, Transaction};

use crate::Store;
use crate::error::{Row, StoreError, conflict};
use crate::outgoing::insert_parts;
use crate::row::StoredTurn;
use crate::state::{Settled, TurnId, TurnState};

/// The unfinished turn of a chat.
pub(crate) const OPEN: &str =
    "SELECT id, body, state, boot, asked_at, accepted_at, transcript_mark, attempts, said, created_at
     FROM turn WHERE chat = $1 AND state IN ('queued', 'asked')";

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
        let mut tx = self.begin().await?;
        let id = self.insert_turn(&mut tx, turn, messages, None).await?;
        tx.commit().await?;
        Ok(id)
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
        let mut tx = self.begin().await?;
        let id = self
            .insert_turn(&mut tx, turn, messages, Some((boot, transcript_mark)))
            .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The unfinished turn of `chat`, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_turn(&self, chat: &ChatKey) -> Result<Option<StoredTurn>, StoreError> {
        let row = sqlx::query(OPEN)
            .bind(chat.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(StoredTurn::read).transpose()
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
        let update = sqlx::query(
            "UPDATE turn SET state = 'asked', boot = $2, transcript_mark = COALESCE($3, transcript_mark),
             asked_at = $4, attempts = attempts + 1 WHERE id = $1 AND state IN ('queued', 'asked')",
        )
        .bind(turn.0)
        .bind(boot)
        .bind(transcript_mark)
        .bind(self.now().as_millis());
        self.change(Row::Turn, turn.0, "asked", update).await
    }

    /// Notes when the gateway accepted the turn, by the gateway's clock. The first acceptance stays: whatever
    /// answers the turn came after it, also when it had to be asked again.
    ///
    /// Durable afterwards: that time. Repeated: no change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is not in `asked`.
    pub async fn accepted(&self, turn: TurnId, accepted_at: Timestamp) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE turn SET accepted_at = COALESCE(accepted_at, $2) WHERE id = $1 AND state = 'asked'",
        )
        .bind(turn.0)
        .bind(accepted_at.as_millis());
        self.change(Row::Turn, turn.0, "accepted", update).await
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
        let mut tx = self.begin().await?;
        let open =
            sqlx::query("SELECT said FROM turn WHERE id = $1 AND state = 'asked' AND said >= $2")
                .bind(turn.0)
                .bind(i64::from(from_part))
                .fetch_optional(&mut *tx)
                .await?;
        let Some(open) = open else {
            return Err(conflict(&mut tx, Row::Turn, turn.0, "continued").await);
        };
        let said: i64 = open.try_get(0)?;
        let known = usize::try_from(said - i64::from(from_part)).unwrap_or_default();
        let fresh = parts.get(known..).unwrap_or_default();
        insert_parts(&mut tx, turn, said, fresh, self.now()).await?;
        let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        if count > 0 {
            sqlx::query("UPDATE turn SET said = said + $2 WHERE id = $1")
                .bind(turn.0)
                .bind(i64::from(count))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(count)
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
        let now = self.now();
        let mut tx = self.begin().await?;
        let settled = sqlx::query(
            "UPDATE turn SET state = $2, reason = $3, settled_at = $4, said = said + $5
             WHERE id = $1 AND state IN ('queued', 'asked') RETURNING said",
        )
        .bind(turn.0)
        .bind(outcome.turn_state().as_str())
        .bind(outcome.reason())
        .bind(now.as_millis())
        .bind(i64::try_from(parts.len()).unwrap_or(i64::MAX))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(settled) = settled else {
            return Err(conflict(&mut tx, Row::Turn, turn.0, "settled").await);
        };
        let said: i64 = settled.try_get(0)?;
        sqlx::query("UPDATE message SET state = $2, reason = $3 WHERE turn_id = $1")
            .bind(turn.0)
            .bind(outcome.message_state().as_str())
            .bind(outcome.reason())
            .execute(&mut *tx)
            .await?;
        let first = said - i64::try_from(parts.len()).unwrap_or(i64::MAX);
        insert_parts(&mut tx, turn, first, parts, now).await?;
        Ok(tx.commit().await?)
    }

    /// Writes the turn, asked already where `ask` says whom and from which mark.
    async fn insert_turn(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        turn: &Turn,
        messages: &[i64],
        ask: Option<(&str, Option<&str>)>,
    ) -> Result<TurnId, StoreError> {
        let now = self.now().as_millis();
        let state = ask.map_or(TurnState::Queued, |_| TurnState::Asked);
        let chat = turn.chat.to_string();
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO turn (chat, body, state, boot, transcript_mark, asked_at, attempts, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(&chat)
        .bind(serde_json::to_string(turn)?)
        .bind(state.as_str())
        .bind(ask.map(|(boot, _)| boot))
        .bind(ask.and_then(|(_, mark)| mark))
        .bind(ask.map(|_| now))
        .bind(i64::from(ask.is_some()))
        .bind(now)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(id) = id else {
            return Err(StoreError::TurnOpen {
                chat: Box::new(turn.chat.clone()),
            });
        };
        for message in messages {
            let done = sqlx::query(
                "UPDATE message SET state = 'in_turn', turn_id = $2
                 WHERE seq = $1 AND state = 'received' AND chat = $3",
            )
            .bind(message)
            .bind(id)
            .bind(&chat)
            .execute(&mut **tx)
            .await?;
            if done.rows_affected() == 0 {
                return Err(conflict(tx, Row::Message, *message, "taken into a turn").await);
            }
        }
        Ok(TurnId(id))
    }
}
