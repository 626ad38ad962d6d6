//! `trace`: the life of a message, or of the last ones of a person, stage by stage, as the running poller tells it.

mod life;
mod steps;
mod story;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;
use serde_json::Value;

use self::life::Life;
use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::local::Zone;
use crate::outcome::{Exit, Outcome};

/// Whose life to tell.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// A message's id, of one that came in or of one that went out; or a person's number or user id
    #[arg(value_name = "WAMID_OR_NUMBER", value_parser = NonEmptyStringValueParser::new())]
    of: String,
    /// How many messages of a person, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

#[derive(Debug, Deserialize)]
struct Answer {
    lives: Vec<Life>,
}

impl Trace {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let poller = match Poller::configured(common) {
            Ok(poller) => poller,
            Err(misconfigured) => return misconfigured,
        };
        match self.ask(&poller).await {
            Ok((answer, _)) if answer.lives.is_empty() => {
                Outcome::failed(Exit::Failed, format!("nothing is known of {}", self.of))
            }
            Ok((answer, json)) => {
                let told = story::tell(&answer.lives, &Zone::of_host());
                Outcome::told(Exit::Done, told, json)
            }
            Err(unanswered) => unanswered.into(),
        }
    }

    async fn ask(&self, poller: &Poller) -> Result<(Answer, Value), Unanswered> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("of", self.of.trim())
            .append_pair("limit", &self.limit.to_string())
            .finish();
        let json = poller.get(&format!("/trace?{query}")).await?;
        match Answer::deserialize(&json) {
            Ok(answer) => Ok((answer, json)),
            Err(error) => Err(poller.garbled(&error)),
        }
    }
}
