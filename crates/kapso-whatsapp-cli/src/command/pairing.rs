//! `pairing`: who asks to be let in (`security.mode = "pairing"`), who was, and the orders to let someone in or out again.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use model::Identity;
use serde::Deserialize;

use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::local::Zone;
use crate::outcome::{Exit, Outcome};
use crate::screen::{field, one_line};

/// The columns before what is said of a person: those of a code.
const FACTS: usize = 12;

/// What to do with those who ask to be let in.
#[derive(Debug, Subcommand)]
pub(crate) enum Pairing {
    /// Show the codes that can be approved, and who was let in
    List,
    /// Let the person in who was given this code
    Approve(Approve),
    /// Let a person in no longer
    Revoke(Revoke),
}

/// Whom to let in.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The code that the person was told
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    code: String,
    /// As whom they may speak: a role of the configuration; else the usual one
    #[arg(long, value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: Option<String>,
}

/// Whom to turn away.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Their number with country code, or their user id
    #[arg(value_name = "NUMBER", value_parser = Identity::new)]
    person: Identity,
}

#[derive(Debug, Deserialize)]
struct Answer {
    pending: Vec<Row>,
    approved: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Revoked {
    revoked: Vec<Row>,
}

/// Someone who asks or was let in. Fields that may be missing are optional: the poller may be of another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    code: Option<String>,
    from: String,
    /// The business number, by Meta's id of it.
    number: Option<String>,
    name: Option<String>,
    role: Option<String>,
    /// When they were let in, in milliseconds since the epoch, as all times.
    at: Option<i64>,
    expires_at: Option<i64>,
}

impl Pairing {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let poller = match Poller::configured(common) {
            Ok(poller) => poller,
            Err(misconfigured) => return misconfigured,
        };
        let done = match self {
            Self::List => list(&poller).await,
            Self::Approve(approve) => approve.order(&poller).await,
            Self::Revoke(revoke) => revoke.order(&poller).await,
        };
        done.unwrap_or_else(Outcome::from)
    }
}

async fn list(poller: &Poller) -> Result<Outcome, Unanswered> {
    let json = poller.get("/pairing").await?;
    let answer = Answer::deserialize(&json).map_err(|error| poller.garbled(&error))?;
    let zone = Zone::of_host();
    let pending = answer.pending.iter().map(|row| row.pending(&zone));
    let approved = answer.approved.iter().map(|row| row.approved(&zone));
    let lines: Vec<String> = pending.chain(approved).collect();
    let text = if lines.is_empty() {
        "nobody asks to be let in, and nobody was".to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Outcome::told(Exit::Done, text, json))
}

impl Approve {
    async fn order(self, poller: &Poller) -> Result<Outcome, Unanswered> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", self.code.trim());
        if let Some(role) = &self.role {
            query.append_pair("role", role.trim());
        }
        let json = poller
            .post(&format!("/pairing/approve?{}", query.finish()))
            .await?;
        let row = Row::deserialize(&json).map_err(|error| poller.garbled(&error))?;
        let role = row.role.as_deref();
        let role = role.ok_or_else(|| poller.garbled(&"no role"))?;
        let text = format!("{} may write now, as {}", row.person(), one_line(role));
        Ok(Outcome::told(Exit::Done, text, json))
    }
}

impl Revoke {
    async fn order(self, poller: &Poller) -> Result<Outcome, Unanswered> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("of", &self.person.to_string())
            .finish();
        let json = poller.post(&format!("/pairing/revoke?{query}")).await?;
        let answer = Revoked::deserialize(&json).map_err(|error| poller.garbled(&error))?;
        let lines = answer.revoked.iter();
        let lines: Vec<String> = lines
            .map(|row| format!("{} is not let in any more", row.person()))
            .collect();
        Ok(Outcome::told(Exit::Done, lines.join("\n"), json))
    }
}

impl Row {
    fn pending(&self, zone: &Zone) -> String {
        let until = self.expires_at.map(|at| {
            let (day, time) = (zone.day(at), zone.time(at));
            format!(", until {day} {time}")
        });
        let facts = format!(
            "{}{}{}",
            self.person(),
            self.door(),
            until.unwrap_or_default()
        );
        let code = self.code.as_deref().unwrap_or_default();
        field(&one_line(code), FACTS, &facts)
    }

    fn approved(&self, zone: &Zone) -> String {
        let role = self.role.as_deref().unwrap_or_default();
        let since = self
            .at
            .map(|at| format!(", since {} {}", zone.day(at), zone.time(at)));
        let facts = format!(
            "{}{}, {role}{}",
            self.person(),
            self.door(),
            since.unwrap_or_default()
        );
        field("let in", FACTS, &facts)
    }

    /// Their number, and the name that they gave themselves.
    fn person(&self) -> String {
        let name = self.name.as_deref().map(one_line);
        let name = name.filter(|name| !name.is_empty());
        let name = name.map(|name| format!(" (“{name}”)"));
        format!("{}{}", one_line(&self.from), name.unwrap_or_default())
    }

    fn door(&self) -> String {
        let number = self.number.as_deref().map(one_line);
        number
            .map(|number| format!(" at {number}"))
            .unwrap_or_default()
    }
}
