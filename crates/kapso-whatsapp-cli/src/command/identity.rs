//! `identity`: a short-lived signed token that says to whom a session belongs, for the tools that act for this person.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;

use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::outcome::{Exit, Outcome};

/// Whose identity, or the key to check it with.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Identity {
    /// The session, as the gateway knows it: main-wa-15551234567, or agent:main:main-wa-15551234567. Take it from the
    /// gateway's tool context, never from the conversation
    #[arg(long, value_name = "KEY", group = "what", value_parser = NonEmptyStringValueParser::new())]
    session: Option<String>,
    /// Print the public key instead, as the JWKS that a backend checks tokens with
    #[arg(long, group = "what")]
    jwks: bool,
}

impl Identity {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let poller = match Poller::configured(common) {
            Ok(poller) => poller,
            Err(misconfigured) => return misconfigured,
        };
        let told = match self.session {
            Some(session) => token(&poller, session.trim()).await,
            None => key(&poller).await,
        };
        told.unwrap_or_else(Outcome::from)
    }
}

async fn token(poller: &Poller, session: &str) -> Result<Outcome, Unanswered> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("session", session)
        .finish();
    let json = poller.get(&format!("/identity?{query}")).await?;
    let token = json["token"].as_str();
    let token = token.ok_or_else(|| poller.garbled(&"no token"))?.to_owned();
    Ok(Outcome::told(Exit::Done, token, json))
}

async fn key(poller: &Poller) -> Result<Outcome, Unanswered> {
    let json: Value = poller.get("/jwks.json").await?;
    Ok(Outcome::told(Exit::Done, json.to_string(), json))
}
