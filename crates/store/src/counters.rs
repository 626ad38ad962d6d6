//! How often something happened that an operator wants to know of, counted by the verb that wrote it down.

use rusqlite::{Connection, params};

use crate::Store;
use crate::error::StoreError;
use crate::statement::execute;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What is counted, over restarts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter {
            $($(#[$doc])* $variant,)+
        }

        impl Counter {
            /// All of them, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, as in the file, in reports and in metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// Pushed messages that were known already. What the list shows again is not counted.
    Duplicates = "duplicates",
    /// Messages that only the list had: their webhook was missed.
    Recovered = "recovered",
    /// Requests whose answer was lost.
    Unknown = "unknown",
    /// Messages whose answer was lost and that were found among the sent ones.
    FoundSent = "found_sent",
    /// Messages that were sent again because nothing showed that they had been taken: each may have arrived twice.
    Repeated = "repeated",
    /// Messages that WhatsApp took and could not deliver.
    Undelivered = "undelivered",
    /// Messages that were too old to be answered when their turn came.
    Expired = "expired",
    /// Rows that were set aside because the bridge broke at them twice.
    SetAside = "set_aside",
}

impl Store {
    /// All counters, also those at 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counters(&self) -> Result<Vec<(Counter, u64)>, StoreError> {
        self.journal.report(counters).await
    }
}

fn counters(connection: &Connection) -> Result<Vec<(Counter, u64)>, StoreError> {
    let mut value =
        connection.prepare("SELECT COALESCE(SUM(value), 0) FROM counter WHERE name = $1")?;
    Counter::ALL
        .iter()
        .map(|counter| {
            Ok((
                *counter,
                value.query_row([counter.name()], |row| row.get(0))?,
            ))
        })
        .collect()
}

/// Counts `more` of them; to be called within the verb that makes it so.
pub(crate) fn add(connection: &Connection, counter: Counter, more: u64) -> rusqlite::Result<()> {
    if more > 0 {
        execute(
            connection,
            "INSERT INTO counter (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value",
            params![counter.name(), more],
        )?;
    }
    Ok(())
}
