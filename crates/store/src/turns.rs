//! Questions to the agent: one unfinished per chat, written before it is asked, settled once.

use model::{ChatKey, Outgoing, SessionKey, Timestamp, Turn};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Row, StoreError, conflict};
use crate::outgoing::Part;
use crate::row::StoredTurn;
use crate::sending::open_window;
use crate::state::{Settled, TurnId, TurnState};
use crate::statement::{change, execute, prepared};
use crate::{Store, senders};

/// The unfinished turn of a chat.
pub(crate) const OPEN: &str =
    "SELECT id, body, state, boot, asked_at, accepted_at, transcript_mark, attempts, said, created_at
     FROM turn WHERE chat = $1 AND state IN ('queued', 'asked')";

impl Store {
    /// Makes a turn of messages that wait for one.
    ///
    /// Durable afterwards: the turn as `queued`, its chat among those that spoke in its session, and the messages
    /// `received` → `in_turn`; all or nothing. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::TurnOpen`] when the chat has an unfinished turn, [`StoreError::Conflict`] when a message is not
    /// in `received` or belongs to another chat.
    pub async fn begin_turn(&self, turn: &Turn, messages: &[i64]) -> Result<TurnId, StoreError> {
        let fresh = Fresh::new(turn, messages, None, self.now())?;
        self.guarded(move |connection| fresh.insert(connection))
            .await
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
        let ask = Ask {
            boot: boot.to_owned(),
            transcript_mark: transcript_mark.map(str::to_owned),
        };
        let fresh = Fresh::new(turn, messages, Some(ask), self.now())?;
        self.guarded(move |connection| fresh.insert(connection))
            .await
    }

    /// The unfinished turn of `chat`, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_turn(&self, chat: &ChatKey) -> Result<Option<StoredTurn>, StoreError> {
        let chat = chat.to_string();
        self.read(move |connection| {
            let mut open = prepared(connection, OPEN)?;
            open.query_and_then([chat], StoredTurn::read)?
                .next()
                .transpose()
        })
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
        let now = self.now();
        let boot = boot.to_owned();
        let transcript_mark = transcript_mark.map(str::to_owned);
        self.write(move |connection| {
            change(
                connection,
                (Row::Turn, turn.0, "asked"),
                "UPDATE turn SET state = 'asked', boot = $1, transcript_mark = COALESCE($2, transcript_mark),
                 asked_at = $3, attempts = attempts + 1 WHERE id = $4 AND state IN ('queued', 'asked')",
                params![boot, transcript_mark, now.as_millis(), turn.0],
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
        self.write(move |connection| {
            change(
                connection,
                (Row::Turn, turn.0, "accepted"),
                "UPDATE turn SET accepted_at = COALESCE(accepted_at, $1) WHERE id = $2 AND state = 'asked'",
                params![accepted_at.as_millis(), turn.0],
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
        let now = self.now();
        let parts = Part::all(parts)?;
        self.write(move |connection| say(connection, turn, from_part, &parts, now))
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
        let now = self.now();
        let parts = Part::all(parts)?;
        self.write(move |connection| settle(connection, turn, &outcome, &parts, now))
            .await
    }
}

fn say(
    connection: &Connection,
    turn: TurnId,
    from_part: u32,
    parts: &[Part],
    now: Timestamp,
) -> Result<u32, StoreError> {
    let open = "SELECT said FROM turn WHERE id = $1 AND state = 'asked' AND said >= $2";
    let said: Option<i64> = prepared(connection, open)?
        .query_row(params![turn.0, from_part], |row| row.get(0))
        .optional()?;
    let Some(said) = said else {
        return Err(conflict(connection, Row::Turn, turn.0, "continued"));
    };
    let known = usize::try_from(said - i64::from(from_part)).unwrap_or_default();
    let fresh = parts.get(known..).unwrap_or_default();
    Part::insert_all(connection, turn, said, fresh, now)?;
    let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
    if count > 0 {
        let update = "UPDATE turn SET said = said + $1 WHERE id = $2";
        execute(connection, update, params![count, turn.0])?;
    }
    Ok(count)
}

fn settle(
    connection: &Connection,
    turn: TurnId,
    outcome: &Settled,
    parts: &[Part],
    now: Timestamp,
) -> Result<(), StoreError> {
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    let said: Option<i64> = prepared(
        connection,
        "UPDATE turn SET state = $1, reason = $2, settled_at = $3, said = said + $4
         WHERE id = $5 AND state IN ('queued', 'asked') RETURNING said",
    )?
    .query_row(
        params![
            outcome.turn_state().as_str(),
            outcome.reason(),
            now.as_millis(),
            count,
            turn.0,
        ],
        |row| row.get(0),
    )
    .optional()?;
    let Some(said) = said else {
        return Err(conflict(connection, Row::Turn, turn.0, "settled"));
    };
    execute(
        connection,
        "UPDATE message SET state = $1, reason = COALESCE($2, reason), done_at = $3 WHERE turn_id = $4",
        params![
            outcome.message_state().as_str(),
            outcome.reason(),
            now.as_millis(),
            turn.0
        ],
    )?;
    Part::insert_all(connection, turn, said - count, parts, now)?;
    Ok(())
}

/// A turn as it is written, made before the verb waits for its place.
struct Fresh {
    chat: ChatKey,
    session: SessionKey,
    body: String,
    messages: Vec<i64>,
    /// Missing where it is only queued.
    ask: Option<Ask>,
    now: Timestamp,
}

/// Whom a turn is asked, and from where on its transcript counts.
struct Ask {
    boot: String,
    transcript_mark: Option<String>,
}

impl Fresh {
    fn new(
        turn: &Turn,
        messages: &[i64],
        ask: Option<Ask>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            chat: turn.chat.clone(),
            session: turn.session.clone(),
            body: serde_json::to_string(turn)?,
            messages: messages.to_vec(),
            ask,
            now,
        })
    }

    fn insert(self, connection: &Connection) -> Result<TurnId, StoreError> {
        let now = self.now.as_millis();
        let ask = self.ask.as_ref();
        let state = ask.map_or(TurnState::Queued, |_| TurnState::Asked);
        let chat = self.chat.to_string();
        let id: Option<i64> = prepared(
            connection,
            "INSERT INTO turn (chat, body, state, boot, transcript_mark, asked_at, attempts, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        )?
        .query_row(
            params![
                chat,
                self.body,
                state.as_str(),
                ask.map(|ask| &ask.boot),
                ask.and_then(|ask| ask.transcript_mark.as_ref()),
                ask.map(|_| now),
                ask.is_some(),
                now,
            ],
            |row| row.get(0),
        )
        .optional()?;
        let Some(id) = id else {
            return Err(StoreError::TurnOpen {
                chat: Box::new(self.chat),
            });
        };
        for message in self.messages {
            change(
                connection,
                (Row::Message, message, "taken into a turn"),
                "UPDATE message SET state = 'in_turn', turn_id = $1
                 WHERE seq = $2 AND state = 'received' AND chat = $3",
                params![id, message, chat],
            )?;
        }
        senders::note(connection, &self.session, &chat, self.now)?;
        open_window(connection, &chat)?;
        Ok(TurnId(id))
    }
}
