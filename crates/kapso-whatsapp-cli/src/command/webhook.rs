//! `webhook`: the number's webhooks at Kapso. The running bridge registers its own; this is for looking and for doing
//! it by hand.
//!
//! Kapso is asked directly, so nothing but the address has to be known. A webhook's key is never shown.

mod address;

use bridge::registration::{self, Done, Registered, Registrant, Unregistered};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use config::{Config, Number};
use kapso::platform::{Platform, Webhook as Kept};
use kapso::{Class, Error, Url};
use serde_json::{Value, json};

use crate::Common;
use crate::control::Poller;
use crate::outcome::{Exit, Outcome};
use crate::screen::{field, one_line};

/// The columns before what is said of a webhook.
const FACTS: usize = 6;

/// What to do with the webhooks at Kapso.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Register the bridge's webhook, or bring it up to date and switch it on
    Register(At),
    /// Show the webhooks that Kapso has
    List(Of),
    /// Take the bridge's webhook away, or another one by its id
    Remove(Remove),
    /// Have Kapso push a made-up message to the bridge's webhook
    Test(At),
}

/// Of which number.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// One number alone, by its name or its `phone_number_id`; else all that are configured
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    number: Option<String>,
}

/// At which address.
#[derive(Debug, Args)]
pub(crate) struct At {
    #[command(flatten)]
    of: Of,
    /// Where the bridge is reached from outside; else `delivery.public_url`, or what the running poller's tunnel says
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

/// Which one to take away.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    at: At,
    /// The webhook with this id, wherever it pushes to
    #[arg(long, value_name = "ID", conflicts_with = "url", value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,
}

impl Webhook {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let config = match Config::load(common.config.as_deref()) {
            Ok(config) => config,
            Err(error) => return Outcome::misconfigured(&error),
        };
        let account = match Account::new(&config) {
            Ok(account) => account,
            Err(outcome) => return outcome,
        };
        let done = match self {
            Self::Register(at) => account.register(&at).await,
            Self::List(of) => account.list(&of).await,
            Self::Remove(remove) => account.remove(&remove).await,
            Self::Test(at) => account.test(&at).await,
        };
        done.unwrap_or_else(|failed| failed)
    }
}

/// The account at Kapso, and the configuration that names it.
struct Account<'a> {
    config: &'a Config,
    platform: Platform,
}

impl<'a> Account<'a> {
    fn new(config: &'a Config) -> Result<Self, Outcome> {
        let platform = super::send::client(config)
            .and_then(|client| Platform::new(&client, config.kapso.platform_url.clone()));
        match platform {
            Ok(platform) => Ok(Self { config, platform }),
            Err(invalid) => Err(Outcome::failed(
                Exit::Usage,
                format!("kapso.platform_url or kapso.api_key: {invalid}"),
            )),
        }
    }

    /// The numbers that are meant.
    fn numbers(&self, of: &Of) -> Result<Vec<&'a Number>, Outcome> {
        let all = self.config.numbers.iter();
        let Some(wanted) = of.number.as_deref() else {
            return Ok(all.collect());
        };
        let meant = |number: &&Number| number.name == wanted || number.id.as_str() == wanted;
        let numbers: Vec<&Number> = all.clone().filter(meant).collect();
        if numbers.is_empty() {
            let known: Vec<&str> = all.map(|number| number.name.as_str()).collect();
            let text = format!(
                "{wanted:?} is no number of the configuration; these are: {}",
                known.join(", ")
            );
            return Err(Outcome::failed(Exit::Usage, text));
        }
        Ok(numbers)
    }

    async fn register(&self, at: &At) -> Result<Outcome, Outcome> {
        let url = address::url(self.config, at.url.as_ref()).await?;
        let (mut lines, mut rows) = (Vec::new(), Vec::new());
        for number in self.numbers(&at.of)? {
            let of = Registrant {
                number: number.id.clone(),
                name: number.name.clone(),
                secret: number.secret.clone(),
            };
            let registered = match registration::register(&self.platform, &of, &url).await {
                Ok(registered) => registered,
                Err(Unregistered::NoKey) => return Err(self.keyless().await),
                Err(Unregistered::Kapso(error)) => return Err(refused(&error)),
            };
            let Registered { id, done, twins } = registered;
            let (word, text) = said(&done);
            lines.push(format!(
                "{}: {text} {url} (id: {})",
                one_line(&number.name),
                one_line(&id)
            ));
            if !twins.is_empty() {
                let twins = one_line(&twins.join(", "));
                lines.push(format!("  pushes there too, so that everything comes twice: {twins}; webhook remove --id"));
            }
            rows.push(json!({
                "number": number.id, "name": number.name, "id": id, "url": url.as_str(), "done": word, "twins": twins,
            }));
        }
        Ok(told(&lines, &rows))
    }

    /// Why none can be made: the key is the poller's, or there is none.
    async fn keyless(&self) -> Outcome {
        if !self.config.delivery.registers() {
            return Outcome::failed(
                Exit::Usage,
                "webhook.secret is not set, and a new webhook needs it: make one with `openssl rand -hex 32`",
            );
        }
        match Poller::of(&self.config.state).health().await {
            Ok(report) => {
                let error = report["webhook"]["error"].as_str().unwrap_or("not yet");
                Outcome::failed(
                    Exit::Temporary,
                    format!(
                        "the running poller registers it, with a key of its own; what it says: {error}"
                    ),
                )
            }
            Err(unanswered) => unanswered.into(),
        }
    }

    async fn list(&self, of: &Of) -> Result<Outcome, Outcome> {
        let (mut lines, mut rows) = (Vec::new(), Vec::new());
        for number in self.numbers(of)? {
            let webhooks = self.of(number).await?;
            if webhooks.is_empty() {
                lines.push(format!("{}: no webhook", one_line(&number.name)));
            } else {
                lines.push(format!("{}:", one_line(&number.name)));
            }
            lines.extend(webhooks.iter().map(line));
            rows.extend(webhooks.iter().map(|webhook| row(number, webhook)));
        }
        Ok(told(&lines, &rows))
    }

    async fn remove(&self, remove: &Remove) -> Result<Outcome, Outcome> {
        let url = match remove.id {
            Some(_) => None,
            None => Some(address::url(self.config, remove.at.url.as_ref()).await?),
        };
        let meant = |webhook: &Kept| match (&remove.id, &url) {
            (Some(id), _) => webhook.id == *id,
            (None, Some(url)) => same(webhook, url),
            (None, None) => false,
        };
        let (mut lines, mut rows) = (Vec::new(), Vec::new());
        for number in self.numbers(&remove.at.of)? {
            for webhook in self
                .of(number)
                .await?
                .iter()
                .filter(|webhook| meant(webhook))
            {
                let deleted = self.platform.delete(&number.id, &webhook.id).await;
                deleted.map_err(|error| refused(&error))?;
                lines.push(format!("{}: removed", one_line(&number.name)));
                lines.push(line(webhook));
                rows.push(row(number, webhook));
            }
        }
        if rows.is_empty() {
            return Err(Outcome::failed(
                Exit::Failed,
                "there is no such webhook; webhook list shows those that are",
            ));
        }
        if url.is_some() && self.config.delivery.registers() {
            lines.push(
                "a running poller registers it again; to keep it away: KAPSO_REGISTER_WEBHOOK=0"
                    .to_owned(),
            );
        }
        Ok(told(&lines, &rows))
    }

    async fn test(&self, at: &At) -> Result<Outcome, Outcome> {
        let url = address::url(self.config, at.url.as_ref()).await?;
        let (mut lines, mut rows, mut all) = (Vec::new(), Vec::new(), true);
        for number in self.numbers(&at.of)? {
            for webhook in self
                .of(number)
                .await?
                .iter()
                .filter(|webhook| same(webhook, &url))
            {
                let taken = self.platform.test(&webhook.id).await;
                let taken = taken.map_err(|error| refused(&error))?;
                all &= taken;
                let verdict = if taken {
                    "Kapso's push was taken"
                } else {
                    "Kapso's push was not taken"
                };
                lines.push(format!("{}: {verdict}", one_line(&number.name)));
                lines.push(line(webhook));
                let mut row = row(number, webhook);
                row["taken"] = taken.into();
                rows.push(row);
            }
        }
        if rows.is_empty() {
            let text = format!("no webhook pushes to {url}: webhook register");
            return Err(Outcome::failed(Exit::Failed, text));
        }
        let exit = if all { Exit::Done } else { Exit::Failed };
        Ok(Outcome::told(
            exit,
            lines.join("\n"),
            json!({ "ok": all, "webhooks": rows }),
        ))
    }

    async fn of(&self, number: &Number) -> Result<Vec<Kept>, Outcome> {
        let listed = self.platform.webhooks(&number.id).await;
        listed.map_err(|error| refused(&error))
    }
}

fn same(webhook: &Kept, url: &Url) -> bool {
    !registration::at(vec![webhook.clone()], url.as_str()).is_empty()
}

fn said(done: &Done) -> (&'static str, &'static str) {
    match done {
        Done::Kept => ("kept", "is registered at"),
        Done::Made => ("made", "registered at"),
        Done::Changed => ("changed", "brought up to date at"),
        Done::SwitchedOn => ("switched_on", "switched on again at"),
    }
}

fn line(webhook: &Kept) -> String {
    let state = if webhook.active { "on" } else { "off" };
    let version = webhook.version.as_deref().unwrap_or("version not told");
    let events: Vec<&str> = webhook
        .events
        .iter()
        .map(|event| event.trim_start_matches("whatsapp."))
        .collect();
    let facts = format!(
        "{} ({}, {version}; {}; id: {})",
        webhook.url,
        webhook.kind,
        events.join(" "),
        webhook.id
    );
    field(state, FACTS, &facts)
}

/// A webhook for programs, without its key.
fn row(number: &Number, webhook: &Kept) -> Value {
    json!({
        "number": number.id, "name": number.name, "id": webhook.id, "url": webhook.url, "kind": webhook.kind,
        "events": webhook.events, "active": webhook.active, "payload_version": webhook.version,
    })
}

fn told(lines: &[String], rows: &[Value]) -> Outcome {
    Outcome::told(
        Exit::Done,
        lines.join("\n"),
        json!({ "ok": true, "webhooks": rows }),
    )
}

fn refused(error: &Error) -> Outcome {
    let (exit, advice) = match error.class() {
        Class::Operator => (
            Exit::Failed,
            "the account or the number needs attention: kapso-whatsapp-cli doctor",
        ),
        Class::Permanent | Class::WindowClosed => (
            Exit::Failed,
            "Kapso will not take it; a webhook's address has to be public https",
        ),
        Class::Retryable | Class::RetryAfter(_) | Class::Unknown => {
            (Exit::Temporary, "try again later")
        }
    };
    Outcome::failed(exit, format!("{error}; {advice}"))
}
