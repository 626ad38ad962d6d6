//! `inbox`: the messages that came in lately, with their states; with `--follow` also those that come.

use std::io;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::Common;
use crate::control::{Poller, Unanswered};
use crate::local::Zone;
use crate::outcome::{Exit, Outcome};
use crate::printer;
use crate::screen::{excerpt, field, one_line};

/// Between two looks for new messages.
const LOOK: Duration = Duration::from_secs(1);

/// The most messages that one look for new ones takes; the others come with the next.
const MOST: u32 = 1000;

/// The columns before the sender: the time and the longest of the usual states.
const SENDER: usize = 20;

/// Which messages to show.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    /// Go on showing messages as they come, until interrupted
    #[arg(long)]
    follow: bool,
    /// How many to show, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Debug, Deserialize)]
struct Answer {
    messages: Vec<Value>,
}

/// A message. Fields that may be missing are optional: the poller may be of another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    /// Its place in the order of arrival.
    seq: i64,
    from: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    text: Option<String>,
    state: String,
    reason: Option<String>,
    /// In milliseconds since the epoch.
    received_at: Option<i64>,
}

impl Inbox {
    pub(crate) async fn run(self, common: &Common) -> Outcome {
        let poller = match Poller::configured(common) {
            Ok(poller) => poller,
            Err(misconfigured) => return misconfigured,
        };
        let look = format!("/inbox?limit={}", self.limit);
        let shown = if self.follow {
            follow(&poller, &look, common.json).await
        } else {
            once(&poller, &look).await
        };
        shown.unwrap_or_else(Outcome::from)
    }
}

async fn once(poller: &Poller, look: &str) -> Result<Outcome, Unanswered> {
    let json = poller.get(look).await?;
    let mut list = List::new();
    let lines: Vec<String> = read(poller, &json)?
        .iter()
        .flat_map(|(message, _)| list.lines(message))
        .collect();
    let text = if lines.is_empty() {
        "no message has come in yet".to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Outcome::told(Exit::Done, text, json))
}

/// Shows what `look` gives, then all that comes. Programs get one JSON text a line.
async fn follow(poller: &Poller, look: &str, json: bool) -> Result<Outcome, Unanswered> {
    let mut list = List::new();
    let mut found = read(poller, &poller.get(look).await?)?;
    let (mut last, mut away) = (0, false);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        if list.print(&found, json).is_err() {
            // Nobody reads on, as in `… | head`.
            break;
        }
        last = found
            .iter()
            .fold(last, |last, (message, _)| last.max(message.seq));
        tokio::select! {
            _ = &mut interrupted => break,
            () = sleep(LOOK) => {}
        }
        let look = format!("/inbox?limit={MOST}&after={last}");
        found = match poller.get(&look).await {
            Ok(answer) => {
                away = false;
                read(poller, &answer)?
            }
            Err(unanswered) if may_return(&unanswered) => {
                if !away {
                    printer::remark(&format!("{unanswered}; waiting for it"));
                }
                away = true;
                Vec::new()
            }
            Err(unanswered) => return Err(unanswered),
        };
    }
    Ok(Outcome::silent(Exit::Done))
}

/// Whether a poller that answered before may answer again: it is restarting, or stopped in the middle of an answer.
fn may_return(unanswered: &Unanswered) -> bool {
    match unanswered {
        Unanswered::NotRunning { .. } | Unanswered::Silent { .. } | Unanswered::Garbled { .. } => {
            true
        }
        Unanswered::Denied { .. } => false,
        Unanswered::Refused { .. } => unanswered.exit() == Exit::Temporary,
    }
}

/// The messages of an answer, each also as it was written.
fn read(poller: &Poller, answer: &Value) -> Result<Vec<(Message, Value)>, Unanswered> {
    let message = |written: Value| Ok((Message::deserialize(&written)?, written));
    Answer::deserialize(answer)
        .and_then(|answer| answer.messages.into_iter().map(message).collect())
        .map_err(|error: serde_json::Error| poller.garbled(&error))
}

/// Messages below their days.
#[derive(Debug)]
struct List {
    zone: Zone,
    day: Option<String>,
}

impl List {
    fn new() -> Self {
        Self {
            zone: Zone::of_host(),
            day: None,
        }
    }

    fn print(&mut self, messages: &[(Message, Value)], json: bool) -> io::Result<()> {
        for (message, written) in messages {
            if json {
                printer::json_row(written)?;
            } else {
                self.lines(message)
                    .iter()
                    .try_for_each(|line| printer::row(line))?;
            }
        }
        Ok(())
    }

    /// The lines of a message, and its day before it where it is the first of that day.
    fn lines(&mut self, message: &Message) -> Vec<String> {
        let day = message.received_at.map(|at| self.zone.day(at));
        let mut lines: Vec<String> = day
            .clone()
            .filter(|_| day != self.day)
            .into_iter()
            .collect();
        self.day = day.or(self.day.take());
        let time = message
            .received_at
            .map_or_else(String::new, |at| self.zone.time(at));
        let state = one_line(&message.state.replace('_', " "));
        lines.push(format!(
            "{time:<8}  {state:<8}  {}",
            excerpt(&said(message), SENDER)
        ));
        if let Some(reason) = &message.reason {
            lines.push(field("", SENDER, reason));
        }
        lines
    }
}

/// Who said what, as far as it is known.
fn said(message: &Message) -> String {
    let mut said = message.from.clone().unwrap_or_default();
    if let Some(name) = &message.name {
        said += &format!(" ({name})");
    }
    let kind = message.kind.as_deref().filter(|kind| *kind != "text");
    let kind = kind.map(|kind| format!("[{kind}]"));
    let words = [kind, message.text.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    if words.is_empty() {
        said
    } else {
        format!("{said}: {words}")
    }
}
