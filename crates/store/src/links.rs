//! The two names of one person: which number a user id belongs to. Learnt from messages that carry both, which the
//! provider vouches for; of a business number each user id has one number, and each number one user id.
//!
//! Per business number, because a user id means something within one business portfolio alone (kapso.md 6.1), and the
//! numbers of one process may belong to several.

use model::{ChatKey, Identity, NumberId, Phone, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::statement::{execute, prepared};

/// The number of a user id.
pub(crate) const LINKED: &str = "SELECT phone FROM link WHERE number = $1 AND user_id = $2";

/// Something newer is known of one of the two names.
pub(crate) const NEWER: &str =
    "SELECT 1 FROM link WHERE number = $1 AND (user_id = $2 OR peer = $3) AND at > $4 LIMIT 1";

/// The number with which `user` was seen at `number`. One that cannot be read back is none: the sender is a stranger
/// then, and nobody else.
pub(crate) fn phone_of(
    connection: &Connection,
    number: &str,
    user: &UserId,
) -> rusqlite::Result<Option<Phone>> {
    let phone: Option<String> = prepared(connection, LINKED)?
        .query_row(params![number, user.as_str()], |row| row.get(0))
        .optional()?;
    Ok(phone.and_then(|phone| Phone::new(&phone).ok()))
}

/// The chat in which the messages of `to` are: that of their number, where it is known.
pub(crate) fn chat_of(
    connection: &Connection,
    number: &NumberId,
    to: &Identity,
) -> rusqlite::Result<ChatKey> {
    let linked = match to {
        Identity::Phone(_) => None,
        Identity::User(user) => phone_of(connection, number.as_str(), user)?,
    };
    let known_as = linked.map(Identity::Phone);
    Ok(ChatKey::new(
        number.clone(),
        known_as.as_ref().unwrap_or(to),
    ))
}

/// Notes that a message of `sent_at` came from `phone` and `user`. The newest message wins, for both names. What is
/// known already is looked up and not written.
pub(crate) fn learn(
    connection: &Connection,
    number: &str,
    (phone, user): (&Phone, &UserId),
    sent_at: Timestamp,
) -> rusqlite::Result<()> {
    if phone_of(connection, number, user)?.as_ref() == Some(phone) {
        return Ok(());
    }
    let peer = phone.canonical();
    let names = params![number, user.as_str(), peer.digits(), sent_at.as_millis()];
    if prepared(connection, NEWER)?.exists(names)? {
        return Ok(());
    }
    execute(
        connection,
        "DELETE FROM link WHERE number = $1 AND peer = $2 AND user_id <> $3",
        params![number, peer.digits(), user.as_str()],
    )?;
    execute(
        connection,
        "INSERT INTO link (number, user_id, phone, peer, at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (number, user_id) DO UPDATE SET phone = excluded.phone, peer = excluded.peer, at = excluded.at",
        params![
            number,
            user.as_str(),
            phone.digits(),
            peer.digits(),
            sent_at.as_millis()
        ],
    )?;
    Ok(())
}
