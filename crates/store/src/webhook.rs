//! The key of pushed messages' signatures, where the bridge registers its webhook itself and the configuration has
//! none.
//!
//! It is made once for each business number and then kept: what Kapso signs while the bridge restarts still fits.

use model::NumberId;
use rusqlite::params;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Store;
use crate::error::StoreError;
use crate::statement::{execute, prepared};

impl Store {
    /// The key that is kept for `number`; `fresh`, where none is yet.
    ///
    /// Durable afterwards: the key that is returned. Repeated: the same one, whatever `fresh` is.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn webhook_secret(
        &self,
        number: &NumberId,
        fresh: SecretString,
    ) -> Result<SecretString, StoreError> {
        let (number, now) = (number.clone(), self.now());
        self.write(move |connection| {
            execute(
                connection,
                "INSERT INTO webhook_secret (number, secret, at) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING",
                params![number.as_str(), fresh.expose_secret(), now.as_millis()],
            )?;
            let kept = "SELECT secret FROM webhook_secret WHERE number = $1";
            let secret: String =
                prepared(connection, kept)?.query_row([number.as_str()], |row| row.get(0))?;
            Ok(SecretString::from(secret))
        })
        .await
    }
}
