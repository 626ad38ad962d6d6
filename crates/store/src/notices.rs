//! What a person is told by the bridge itself, and how often at most.

use std::time::Duration;

use model::{ChatKey, Outgoing, Timestamp};
use rusqlite::{Connection, params};

use crate::error::{Row, StoreError, conflict};
use crate::messages::leave_received;
use crate::outgoing::{Kind, Part};
use crate::state::MessageState;
use crate::statement::prepared;
use crate::{Store, words};

/// After a notice, a chat that is turned away gets none for this long, however often that happens.
const PAUSE: Duration = Duration::from_secs(24 * 3600);

/// A notice went to the chat. The condition on the kind is word for word that of the index `outgoing_notice`.
pub(crate) const NOTICED: &str =
    "SELECT 1 FROM outgoing WHERE chat = $1 AND created_at > $2 AND kind = 'notice' LIMIT 1";

/// The notices that went to the chat since an instant.
pub(crate) const TOLD: &str =
    "SELECT body FROM outgoing WHERE chat = $1 AND created_at >= $2 AND kind = 'notice'";

/// What happens to a message instead of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Instead<'a> {
    /// Where it goes: [`MessageState::Refused`] for good, or [`MessageState::Failed`], from where the operator may give
    /// it another life.
    pub state: MessageState,
    /// Why; as reports show it.
    pub reason: &'a str,
    /// What its sender is told.
    pub reply: Option<&'a Outgoing>,
    /// What the operator is told.
    pub admin: Option<&'a Outgoing>,
}

impl Store {
    /// Sets a message aside that a rule holds back. Returns whether anything was queued to be sent; the sender's rate
    /// is what limits how often that happens.
    ///
    /// Durable afterwards: `received` → `refused` or `failed` with the reason, and both notices; all or nothing.
    /// Repeated: a conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the message is not in `received`, or when the state is another one.
    pub async fn answer_instead(
        &self,
        message: i64,
        verdict: Instead<'_>,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let (state, reason) = (verdict.state, verdict.reason.to_owned());
        let notices = [verdict.reply, verdict.admin].into_iter().flatten();
        let notices: Vec<Part> = notices.map(Part::new).collect::<Result<_, _>>()?;
        self.write(move |connection| {
            if !matches!(state, MessageState::Refused | MessageState::Failed) {
                return Err(conflict(connection, Row::Message, message, state.as_str()));
            }
            leave_received(connection, message, state, &reason, now)?;
            for notice in &notices {
                notice.insert(connection, Kind::Notice, now)?;
            }
            Ok(!notices.is_empty())
        })
        .await
    }

    /// Tells a chat something unless it was told the same words at `since` or later. Returns whether it is told now. A
    /// notice whose words were dropped to save space counts as the same: better one too few.
    ///
    /// Durable afterwards: the notice as `queued`, if any. Repeated: nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_once(
        &self,
        chat: &ChatKey,
        notice: &Outgoing,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let chat = chat.to_string();
        let words = notice.body.text().to_owned();
        let notice = Part::new(notice)?;
        self.write(move |connection| {
            if was_told(connection, &chat, &words, since)? {
                return Ok(false);
            }
            notice.insert(connection, Kind::Notice, now)?;
            Ok(true)
        })
        .await
    }
}

/// Whether any notice went to the chat within the last [`PAUSE`].
pub(crate) fn was_noticed(
    connection: &Connection,
    chat: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    prepared(connection, NOTICED)?.exists(params![chat, now.earlier(PAUSE).as_millis()])
}

fn was_told(
    connection: &Connection,
    chat: &str,
    words: &str,
    since: Timestamp,
) -> rusqlite::Result<bool> {
    let mut told = prepared(connection, TOLD)?;
    let mut told = told.query(params![chat, since.as_millis()])?;
    while let Some(row) = told.next()? {
        let body: String = row.get(0)?;
        if words::outgoing(Some(&body)).is_none_or(|told| told == words) {
            return Ok(true);
        }
    }
    Ok(false)
}
