//! Signed identity for tools: who a session belongs to, or why that is not certain.
//!
//! Whoever spoke in a session is in the journal; as whom they may speak is asked of the guard at this moment. A token is
//! given only where one person alone, on one business number, spoke in exactly this session, and the session is by its
//! name that person's own.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::{ChatKey, InvalidId, SessionKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::refused::Refused;
use crate::identity::{Speaker, Token};

/// For how long a backend may keep the public key without asking again.
const KEEP_KEY: &str = "public, max-age=300";

/// Whose identity.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    session: Option<String>,
}

/// Why nobody is named.
#[derive(Debug, thiserror::Error)]
enum Withheld {
    /// A token for nobody in particular would be believed by everybody.
    #[error(
        "identity.audience is not set, so no identity is signed; set it to the address of the backend that is to believe it"
    )]
    NoAudience,
    /// Not even a key.
    #[error("{key:?} is no session key: it {invalid}")]
    NoKey { key: String, invalid: InvalidId },
    /// The journal knows nobody there.
    #[error("nobody on WhatsApp has spoken in the session {0}, or it was too long ago")]
    Unknown(SessionKey),
    /// Anyone may have spoken in it.
    #[error(
        "the session {0} is shared by several people, so it is not certain who speaks in it; with \
         security.session_isolation everyone has their own"
    )]
    Shared(SessionKey),
    /// The same person may be someone else on another number.
    #[error(
        "the session {0} is used on several business numbers, so it is not certain as whom the person speaks; route \
         each number to an agent or a session of its own"
    )]
    SeveralNumbers(SessionKey),
    /// One person spoke in it lately; its key has not their name, so others may have before.
    #[error(
        "the session {0} is not one person's own: security.session_isolation is off, or was off when it was used"
    )]
    NotIsolated(SessionKey),
    /// They may not speak any more.
    #[error("{} may not speak on the number {} any more, so they have no role", .0.peer(), .0.number)]
    NoRole(ChatKey),
}

impl From<Withheld> for Refused {
    fn from(withheld: Withheld) -> Self {
        let text = withheld.to_string();
        match withheld {
            Withheld::NoAudience | Withheld::NoKey { .. } | Withheld::NotIsolated(_) => {
                Self::Wrong(text)
            }
            Withheld::Unknown(_) => Self::Nothing(text),
            Withheld::Shared(_) | Withheld::SeveralNumbers(_) => Self::Conflict(text),
            Withheld::NoRole(_) => Self::Forbidden(text),
        }
    }
}

/// `/identity?session=KEY`: the token, when it expires in milliseconds since the epoch, and what it says.
pub(super) async fn identity(
    State(control): State<Control>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Refused> {
    let key = asked.session.unwrap_or_default();
    let Token { compact, claims } = control.token(key.trim()).await?;
    Ok(Json(json!({
        "token": compact,
        "expires_at": claims.exp * 1000,
        "claims": claims,
    })))
}

/// `/jwks.json`: the public key of the tokens. No secret; without an audience there is none.
pub(super) async fn jwks(State(control): State<Control>) -> Result<Response, Refused> {
    let issuer = control.people.issuer.as_ref();
    let issuer = issuer.ok_or_else(|| Refused::Nothing(Withheld::NoAudience.to_string()))?;
    let kept = [(header::CACHE_CONTROL, KEEP_KEY)];
    Ok((kept, Json(issuer.jwks())).into_response())
}

impl Control {
    async fn token(&self, key: &str) -> Result<Token, Refused> {
        let issuer = self.people.issuer.as_ref().ok_or(Withheld::NoAudience)?;
        let session = self.session(key)?;
        let chats = self.store.session_senders(&session).await?;
        let chat = only(&session, &chats)?;
        let role = self.people.guard.role(chat);
        let role = role.ok_or_else(|| Withheld::NoRole(chat.clone()))?;
        let speaker = Speaker {
            chat: chat.clone(),
            role,
            session,
        };
        Ok(issuer.sign(&speaker, self.clock.now()))
    }

    /// The key as the gateway writes it, from any form in which the agent knows it (openclaw.md 3.3).
    fn session(&self, key: &str) -> Result<SessionKey, Withheld> {
        let whole = if key.is_empty() || key.to_lowercase().starts_with("agent:") {
            key.to_owned()
        } else {
            format!("agent:{}:{key}", self.people.agent)
        };
        SessionKey::new(&whole).map_err(|invalid| Withheld::NoKey {
            key: key.to_owned(),
            invalid,
        })
    }
}

/// The one person to whom the session belongs.
fn only<'a>(session: &SessionKey, chats: &'a [ChatKey]) -> Result<&'a ChatKey, Withheld> {
    let Some((chat, others)) = chats.split_first() else {
        return Err(Withheld::Unknown(session.clone()));
    };
    if others.iter().any(|other| other.peer() != chat.peer()) {
        return Err(Withheld::Shared(session.clone()));
    }
    if !others.is_empty() {
        return Err(Withheld::SeveralNumbers(session.clone()));
    }
    if !session.as_str().contains(&chat.peer().session_suffix()) {
        return Err(Withheld::NotIsolated(session.clone()));
    }
    Ok(chat)
}
