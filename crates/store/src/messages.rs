//! What came in: recorded once, and led out of `received` by exactly one verb.

use std::collections::HashSet;
use std::time::Duration;

use model::{Arrival, ChatKey, IgnoreReason, NumberId, Outgoing, Timestamp};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use crate::error::{Row, StoreError, conflict};
use crate::outgoing::{Kind, insert};
use crate::row::StoredMessage;
use crate::state::MessageState;
use crate::{Store, row};

/// After a notice, a chat gets none for this long, however often it is refused.
const NOTICE_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The messages of a chat that wait, in order.
pub(crate) const RECEIVED: &str = "SELECT seq, body, received_at FROM message
     WHERE chat = $1 AND state = 'received' ORDER BY sent_at, seq LIMIT $2";

/// What [`Store::accept`] found in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The chats that have something new, each once, in the order of the batch.
    pub fresh: Vec<ChatKey>,
    /// Messages that were not known.
    pub new: u64,
    /// Items that were known, or stood in the batch twice.
    pub duplicates: u64,
    /// Items that were not known and are nothing for the agent.
    pub ignored: u64,
}

impl Store {
    /// Records a batch as it was listed or pushed, and how far the list of a number has been read.
    ///
    /// Durable afterwards: every item, the new ones as `received` or `ignored`, and the cursor; all or nothing.
    /// Repeated, or with an item of an earlier batch: known items are counted and left as they are. The cursor
    /// also moves back, because a clock that ran ahead may have been set right.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was recorded, so nothing may be acknowledged.
    pub async fn accept(
        &self,
        arrivals: &[Arrival],
        listed_to: Option<(&NumberId, Timestamp)>,
    ) -> Result<Accepted, StoreError> {
        let now = self.now();
        let mut accepted = Accepted::default();
        let mut fresh = HashSet::new();
        let mut tx = self.begin().await?;
        for arrival in arrivals {
            match (record(&mut tx, arrival, now).await?, arrival) {
                (false, _) => accepted.duplicates += 1,
                (true, Arrival::Ignored(_)) => accepted.ignored += 1,
                (true, Arrival::Message(inbound)) => {
                    accepted.new += 1;
                    let chat = inbound.chat();
                    if fresh.insert(chat.clone()) {
                        accepted.fresh.push(chat);
                    }
                }
            }
        }
        if let Some((number, to)) = listed_to {
            move_cursor(&mut tx, number, to).await?;
        }
        tx.commit().await?;
        Ok(accepted)
    }

    /// How far the list of `number` has been read; none when it never was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn listed_to(&self, number: &NumberId) -> Result<Option<Timestamp>, StoreError> {
        let to: Option<i64> = sqlx::query_scalar("SELECT listed_to FROM listing WHERE number = $1")
            .bind(number.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(to.map(Timestamp::from_millis))
    }

    /// The chats that have a message in `received` or an unfinished turn, the longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chats_with_work(&self) -> Result<Vec<ChatKey>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT chat FROM (
                SELECT chat, received_at AS since FROM message WHERE state = 'received'
                UNION ALL
                SELECT chat, created_at AS since FROM turn WHERE state IN ('queued', 'asked')
             ) AS waiting GROUP BY chat ORDER BY MIN(since), chat",
        )
        .fetch_all(&self.pool)
        .await?;
        names
            .iter()
            .map(|name| row::chat(Row::Message, name))
            .collect()
    }

    /// The messages of `chat` that wait for a turn: at most `limit`, in the order in which they were sent, and in
    /// the order of arrival where WhatsApp's seconds do not tell.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn received(
        &self,
        chat: &ChatKey,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let rows = sqlx::query(RECEIVED)
            .bind(chat.to_string())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(StoredMessage::read).collect()
    }

    /// Turns a message away. Returns whether `notice` was queued: it is not when the chat was given one within the
    /// last 24 hours, so a stranger cannot make the bridge write without end.
    ///
    /// Durable afterwards: `received` → `refused` with the reason, and the notice if any. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn refuse(
        &self,
        message: i64,
        reason: &str,
        notice: Option<&Outgoing>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let to = MessageState::Refused.as_str();
        let done = leave_received(message, to, reason)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(conflict(&mut tx, Row::Message, message, to).await);
        }
        let queued = match notice {
            Some(notice) if !self.was_noticed(&mut tx, &notice.chat).await? => {
                insert(&mut tx, notice, Kind::Notice, self.now()).await?;
                true
            }
            Some(_) | None => false,
        };
        tx.commit().await?;
        Ok(queued)
    }

    /// Sets a message aside that is nothing for the agent, such as a reaction.
    ///
    /// Durable afterwards: `received` → `ignored` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn ignore(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        let to = MessageState::Ignored.as_str();
        self.change(
            Row::Message,
            message,
            to,
            leave_received(message, to, reason),
        )
        .await
    }

    /// Sets a message aside that cannot become a turn.
    ///
    /// Durable afterwards: `received` → `failed` with the reason. Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`.
    pub async fn fail(&self, message: i64, reason: &str) -> Result<(), StoreError> {
        let to = MessageState::Failed.as_str();
        self.change(
            Row::Message,
            message,
            to,
            leave_received(message, to, reason),
        )
        .await
    }

    async fn was_noticed(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        chat: &ChatKey,
    ) -> Result<bool, StoreError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM outgoing WHERE chat = $1 AND created_at > $2 AND kind = 'notice' LIMIT 1")
                .bind(chat.to_string())
                .bind(self.now().earlier(NOTICE_PAUSE).as_millis())
                .fetch_optional(&mut **tx)
                .await?;
        Ok(last.is_some())
    }
}

/// Writes one item down unless it is known; whether it was new.
async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let insert = sqlx::query(
        "INSERT INTO message (number, wamid, received_at, state, chat, body, sent_at, reason, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number, wamid) DO NOTHING",
    );
    let insert = match arrival {
        Arrival::Message(inbound) => insert
            .bind(inbound.number.as_str())
            .bind(inbound.id.as_str())
            .bind(now.as_millis())
            .bind(MessageState::Received.as_str())
            .bind(inbound.chat().to_string())
            .bind(serde_json::to_string(inbound)?)
            .bind(inbound.sent_at.as_millis())
            .bind(None::<&str>)
            .bind(None::<&str>),
        Arrival::Ignored(ignored) => insert
            .bind(ignored.number.as_str())
            .bind(ignored.id.as_str())
            .bind(now.as_millis())
            .bind(MessageState::Ignored.as_str())
            .bind(None::<String>)
            .bind(None::<String>)
            .bind(None::<i64>)
            .bind(ignored.reason.name())
            .bind(detail(&ignored.reason)),
    };
    Ok(insert.execute(&mut **tx).await?.rows_affected() == 1)
}

/// What a reason's name does not say.
fn detail(reason: &IgnoreReason) -> Option<&str> {
    match reason {
        IgnoreReason::Malformed(what) => Some(what),
        IgnoreReason::NoSender
        | IgnoreReason::Outbound
        | IgnoreReason::HistorySync
        | IgnoreReason::Group
        | IgnoreReason::BeforeStart
        | IgnoreReason::OtherNumber => None,
    }
}

async fn move_cursor(
    tx: &mut Transaction<'static, Sqlite>,
    number: &NumberId,
    to: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO listing (number, listed_to) VALUES ($1, $2)
         ON CONFLICT (number) DO UPDATE SET listed_to = excluded.listed_to",
    )
    .bind(number.as_str())
    .bind(to.as_millis())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn leave_received<'q>(
    message: i64,
    to: &'q str,
    reason: &'q str,
) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query("UPDATE message SET state = $2, reason = $3 WHERE seq = $1 AND state = 'received'")
        .bind(message)
        .bind(to)
        .bind(reason)
}
