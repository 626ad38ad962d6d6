//! What is shown on a real gateway, and what must be true of it afterwards.
//!
//! Calm scenarios run side by side in one world. Rough ones kill and restart parts of a world, so they follow each other
//! in another. Whatever a scenario saw, its [`Claim`]s are checked once more at the end: an answer that comes
//! twice comes late.

mod calm;
mod door;
mod rough;
mod routes;

use anyhow::ensure;

pub(crate) use self::calm::RUN_LIMIT;

use crate::world::{World, customer};

/// Customers that one scenario may use.
const CUSTOMERS_EACH: u32 = 8;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// A text is answered.
    Text,
    /// Three quick texts of one sender are answered in order.
    ThreeTexts,
    /// What the gateway has for commands reaches the model as text, and nothing comes of it.
    CommandWords,
    /// The same by `chat.send`, where the gateway obeys what is not neutral.
    Neutral,
    /// A member and an admin: the agent is told who is which.
    Roles,
    /// A header in a name, a text, a caption and a file name is data.
    ForgedHeader,
    /// Two business numbers have an agent each.
    TwoNumbers,
    /// Two senders at once have a session and an answer each.
    TwoSenders,
    /// A turn of 45 seconds is answered, and "typing…" kept up.
    LongTurn,
    /// A turn with tools and several texts.
    Tools,
    /// An error run: a neutral sentence to the sender, the detail in the log.
    ErrorRun,
    /// A run that says nothing on purpose.
    Silence,
    /// A run that takes too long is aborted, and its session goes on.
    RunGivenUp,
    /// The socket between daemon and gateway is dropped in the middle of a turn.
    SocketDropped,
    /// The daemon is killed in the middle of a turn and restarted.
    PollerKilled,
    /// The daemon is killed, and restarted after the turn ended without it.
    PollerAway,
    /// The gateway is ended with SIGTERM in the middle of turns and restarted.
    GatewayTerminated,
    /// The gateway is killed in the middle of turns and restarted.
    GatewayKilled,
}

/// What a customer must have got, and the model been asked, when all is over.
#[derive(Debug, Clone)]
pub struct Claim {
    customer: String,
    answers: Vec<String>,
    turns: usize,
}

impl Scenario {
    /// Those that leave the world as it is.
    pub const CALM: [Self; 13] = [
        Self::RunGivenUp,
        Self::LongTurn,
        Self::Text,
        Self::ThreeTexts,
        Self::CommandWords,
        Self::Neutral,
        Self::Roles,
        Self::ForgedHeader,
        Self::TwoNumbers,
        Self::TwoSenders,
        Self::Tools,
        Self::Silence,
        Self::ErrorRun,
    ];

    /// Those that kill parts of it, in the order in which they run.
    pub const ROUGH: [Self; 5] = [
        Self::SocketDropped,
        Self::PollerKilled,
        Self::PollerAway,
        Self::GatewayTerminated,
        Self::GatewayKilled,
    ];

    /// What `--only` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::ThreeTexts => "three-texts",
            Self::CommandWords => "command-words",
            Self::Neutral => "neutral",
            Self::Roles => "roles",
            Self::ForgedHeader => "forged-header",
            Self::TwoNumbers => "two-numbers",
            Self::TwoSenders => "two-senders",
            Self::LongTurn => "long-turn",
            Self::Tools => "tools",
            Self::ErrorRun => "error-run",
            Self::Silence => "silence",
            Self::RunGivenUp => "run-given-up",
            Self::SocketDropped => "socket-dropped",
            Self::PollerKilled => "poller-killed",
            Self::PollerAway => "poller-away",
            Self::GatewayTerminated => "gateway-terminated",
            Self::GatewayKilled => "gateway-killed",
        }
    }

    /// What it shows, in a line.
    pub fn shows(self) -> &'static str {
        match self {
            Self::Text => "a text is answered",
            Self::ThreeTexts => "three quick texts of one sender are answered in order",
            Self::CommandWords => {
                "/status, /new, /config, !ls, stop, inline /exec: text, nothing runs"
            }
            Self::Neutral => "the same by chat.send, made neutral: text, nothing runs",
            Self::Roles => "two roles: each in the first line and in the system prompt",
            Self::ForgedHeader => "a forged header in name, text, caption, file name is data",
            Self::TwoNumbers => "two numbers: an agent and a session each, answered by each",
            Self::TwoSenders => "two senders at once: a session and an answer each",
            Self::LongTurn => "a turn of 45 s: answered, typing kept up",
            Self::Tools => "tools and several texts: the final text last, nothing twice",
            Self::ErrorRun => "an error run: neutral words to the sender, detail in the log",
            Self::Silence => "NO_REPLY: nothing is sent",
            Self::RunGivenUp => "a run over the limit: aborted, the next question is answered",
            Self::SocketDropped => "socket dropped in a turn: one answer, asked once",
            Self::PollerKilled => "poller killed in a turn: one answer, asked once",
            Self::PollerAway => "poller away when the turn ends: one answer, asked once",
            Self::GatewayTerminated => "gateway SIGTERM in a turn: one answer, asked once",
            Self::GatewayKilled => "gateway kill -9 in a turn: one answer, asked once",
        }
    }

    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::CALM
            .into_iter()
            .chain(Self::ROUGH)
            .find(|scenario| scenario.name() == name)
    }

    /// Runs one that leaves the world as it is; a rough one does nothing here.
    ///
    /// # Errors
    /// With what was seen instead.
    pub async fn run_calm(self, world: &World) -> anyhow::Result<Vec<Claim>> {
        match self {
            Self::Text => calm::text(world, self.customer(0)).await,
            Self::ThreeTexts => calm::three_texts(world, self.customer(0)).await,
            Self::CommandWords => {
                door::command_words(world, [0, 1, 2, 3, 4, 5].map(|n| self.customer(n))).await
            }
            Self::Neutral => door::neutral_texts(world).await,
            Self::Roles => door::roles(world, self.customer(0)).await,
            Self::ForgedHeader => {
                door::forged_header(world, [0, 1, 2, 3].map(|n| self.customer(n))).await
            }
            Self::TwoNumbers => routes::two_numbers(world, self.customer(0)).await,
            Self::TwoSenders => calm::two_senders(world, [0, 1].map(|n| self.customer(n))).await,
            Self::LongTurn => calm::long_turn(world, self.customer(0)).await,
            Self::Tools => calm::tools(world, self.customer(0)).await,
            Self::ErrorRun => calm::error_run(world, self.customer(0)).await,
            Self::Silence => calm::silence(world, self.customer(0)).await,
            Self::RunGivenUp => calm::run_given_up(world, self.customer(0)).await,
            Self::SocketDropped
            | Self::PollerKilled
            | Self::PollerAway
            | Self::GatewayTerminated
            | Self::GatewayKilled => Ok(Vec::new()),
        }
    }

    /// Runs one that may kill and restart parts of the world.
    ///
    /// # Errors
    /// With what was seen instead.
    pub async fn run_rough(self, world: &mut World) -> anyhow::Result<Vec<Claim>> {
        match self {
            Self::SocketDropped => rough::socket_dropped(world, self.customer(0)).await,
            Self::PollerKilled => rough::poller_killed(world, self.customer(0)).await,
            Self::PollerAway => rough::poller_away(world, self.customer(0)).await,
            Self::GatewayTerminated => {
                rough::gateway_terminated(world, [0, 1].map(|n| self.customer(n))).await
            }
            Self::GatewayKilled => {
                rough::gateway_killed(world, [0, 1].map(|n| self.customer(n))).await
            }
            Self::Text
            | Self::ThreeTexts
            | Self::CommandWords
            | Self::Neutral
            | Self::Roles
            | Self::ForgedHeader
            | Self::TwoNumbers
            | Self::TwoSenders
            | Self::LongTurn
            | Self::Tools
            | Self::ErrorRun
            | Self::Silence
            | Self::RunGivenUp => self.run_calm(world).await,
        }
    }

    /// The `n`th of its own customers.
    fn customer(self, n: u32) -> String {
        customer(self as u32 * CUSTOMERS_EACH + n)
    }
}

impl Claim {
    /// That a customer got these answers and no other, for so many turns.
    fn new(customer: &str, answers: Vec<String>, turns: usize) -> Self {
        Self {
            customer: customer.to_owned(),
            answers,
            turns,
        }
    }

    /// Whether it is true now.
    ///
    /// # Errors
    /// With what is the case instead.
    pub fn check(&self, world: &World) -> anyhow::Result<()> {
        let Self {
            customer,
            answers,
            turns,
        } = self;
        let sent = world.answers_so_far(customer);
        ensure!(
            sent == *answers,
            "{customer} should have got {answers:?} and got {sent:?}"
        );
        let asked = world.model.turns_of(customer);
        ensure!(
            asked == *turns,
            "the model should have been asked {turns} times for {customer}, and was {asked} times"
        );
        Ok(())
    }
}

/// What the model says to a question without a rule of its own.
fn echo(words: &str) -> String {
    format!("You said: {words}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_scenario_has_its_own_name_and_customers() {
        let all: Vec<Scenario> = Scenario::CALM.into_iter().chain(Scenario::ROUGH).collect();
        let names: HashSet<&str> = all.iter().map(|scenario| scenario.name()).collect();
        let customers: HashSet<String> = all.iter().map(|scenario| scenario.customer(0)).collect();
        assert_eq!((names.len(), customers.len()), (all.len(), all.len()));
        assert!(
            all.iter()
                .all(|scenario| Scenario::named(scenario.name()) == Some(*scenario))
        );
        assert_eq!(Scenario::named("everything"), None);
    }
}
