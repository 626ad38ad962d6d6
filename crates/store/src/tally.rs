//! How often something happened since the journal was made. Counted in the transaction of what is counted.

use rusqlite::{Connection, params};

use crate::Store;
use crate::error::StoreError;
use crate::row::all;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter {
            $($(#[$doc])* $variant,)+
        }

        impl Counter {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, as in reports and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// Pushed messages that were known already.
    Duplicates = "duplicates",
    /// Messages that only the list had, although messages are pushed.
    Recovered = "recovered",
    /// Sends whose answer was lost.
    Unknown = "unknown",
    /// Of these, those that turned out to have been taken.
    FoundSent = "found_sent",
    /// Of these, those that were sent again because nothing showed that they had been taken: a reply may be double.
    Repeated = "repeated",
    /// Sends that WhatsApp took and later reported as failed.
    Undelivered = "undelivered",
    /// Messages that were too old to be answered.
    Expired = "expired",
    /// Messages and replies that broke the bridge twice.
    SetAside = "set_aside",
}

/// Counts `by` more; nothing is written for zero.
pub(crate) fn count(connection: &Connection, counter: Counter, by: u64) -> Result<(), StoreError> {
    if by > 0 {
        let mut add = connection.prepare_cached(
            "INSERT INTO counter (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value",
        )?;
        add.execute(params![
            counter.name(),
            i64::try_from(by).unwrap_or(i64::MAX)
        ])?;
    }
    Ok(())
}

impl Store {
    /// Every counter, also those that stand at zero.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn counters(&self) -> Result<Vec<(Counter, u64)>, StoreError> {
        self.report(|connection| {
            let read = |row: &rusqlite::Row<'_>| {
                let (name, value): (String, i64) = (row.get(0)?, row.get(1)?);
                Ok((name, u64::try_from(value).unwrap_or_default()))
            };
            let stored = all(connection, "SELECT name, value FROM counter", [], read)?;
            let value = |counter: &Counter| {
                let found = stored.iter().find(|(name, _)| name == counter.name());
                (*counter, found.map_or(0, |(_, value)| *value))
            };
            Ok(Counter::ALL.iter().map(value).collect())
        })
        .await
    }
}
