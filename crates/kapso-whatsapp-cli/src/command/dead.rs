//! `dead`: what was set aside because it failed for its own sake or waited too long. It can be tried again or dropped.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::local::Zone;
use crate::outcome::{Exit, Outcome};
use crate::screen::{count, excerpt, field, one_line};

/// The columns before what is said of a row: those of an id such as `m123456`.
const FACTS: usize = 9;

/// What to do with what was set aside.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// Show what was set aside, the newest first, and why
    List(List),
    /// Try one again: a message becomes a new turn, a reply is sent anew
    Retry(One),
    /// Give one up for good
    Drop(One),
}

/// How much of it to show.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id in the list: m12 for a message, o34 for a reply
    #[arg(value_parser = id)]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    dead: Vec<Row>,
}

/// What was set aside. Fields that may be missing are optional: the poller may be of another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    id: String,
    /// `message` or `reply`.
    kind: String,
    /// The business number and the person: `597907523413541/15551234567`.
    chat: Option<String>,
    wamid: Option<String>,
    reason: Option<String>,
    /// When it was set aside, in milliseconds since the epoch.
    at: Option<i64>,
    attempts: u64,
    text: Option<String>,
}

impl Dead {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let poller = match Poller::configured(common) {
            Ok(poller) => poller,
            Err(misconfigured) => return misconfigured,
        };
        let done = match self {
            Self::List(list) => show(&poller, list.limit).await,
            Self::Retry(one) => order(&poller, &one.id, "retry").await,
            Self::Drop(one) => order(&poller, &one.id, "drop").await,
        };
        done.unwrap_or_else(Outcome::from)
    }
}

/// An id as the list shows it. Anything else would be another path.
fn id(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix(['m', 'o']).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("write it as `dead list` shows it, such as m12 or o34");
    }
    Ok(text.to_owned())
}

async fn show(poller: &Poller, limit: u32) -> Result<Outcome, Unanswered> {
    let json = poller.get(&format!("/dead?limit={limit}")).await?;
    let answer = Answer::deserialize(&json).map_err(|error| poller.garbled(&error))?;
    let zone = Zone::of_host();
    let rows: Vec<String> = answer.dead.iter().map(|row| lines(row, &zone)).collect();
    let text = if rows.is_empty() {
        "nothing is set aside".to_owned()
    } else {
        rows.join("\n")
    };
    Ok(Outcome::told(Exit::Done, text, json))
}

fn lines(row: &Row, zone: &Zone) -> String {
    let person = row.chat.as_deref().and_then(|chat| chat.rsplit('/').next());
    let direction = if row.kind == "message" { "from" } else { "to" };
    let person = person.map(|person| format!(" {direction} {person}"));
    let at = row
        .at
        .map(|at| format!(", {} {}", zone.day(at), zone.time(at)));
    let attempts = (row.attempts > 0).then(|| format!(", {}", count(row.attempts, "attempt")));
    let facts = [person, at, attempts].into_iter().flatten();
    let facts = facts.fold(row.kind.clone(), |facts, fact| facts + &fact);
    let mut lines = vec![field(&one_line(&row.id), FACTS, &facts)];
    lines.extend(row.reason.as_deref().map(|reason| field("", FACTS, reason)));
    // Whole, to be copied.
    lines.extend(
        row.wamid
            .as_deref()
            .map(|id| format!("{:FACTS$}{}", "", one_line(id))),
    );
    let text = row.text.as_deref().map(|text| excerpt(text, FACTS + 2));
    lines.extend(
        text.filter(|text| !text.is_empty())
            .map(|text| format!("{:FACTS$}“{text}”", "")),
    );
    lines.join("\n")
}

async fn order(poller: &Poller, id: &str, what: &str) -> Result<Outcome, Unanswered> {
    let json = poller.post(&format!("/dead/{id}/{what}")).await?;
    let state = json["state"]
        .as_str()
        .ok_or_else(|| poller.garbled(&"no state"))?;
    let text = format!("{id} is {state} now");
    Ok(Outcome::told(Exit::Done, text, json))
}
