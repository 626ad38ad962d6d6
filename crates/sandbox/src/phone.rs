//! A phone in the terminal: typed lines are a customer's messages, what the business does appears as lines.
//!
//! It drives a [`KapsoStandIn`] through its public verbs and shows its events, so that it sees exactly what a
//! customer would. Piped input works as well: at its end the phone waits for the answers, then ends.

mod command;
mod screen;
mod waiting;

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use model::Identity;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::kapso::{Event, Incoming, KapsoStandIn, SentMessage, Status};
use command::Command;
use screen::Screen;
use waiting::Waiting;

/// A phone, ready to be switched on.
pub struct Phone {
    /// Where its messages go.
    pub kapso: KapsoStandIn,
    /// Who writes until `/as` says otherwise.
    pub customer: Identity,
    /// That customer's profile name.
    pub name: String,
    /// Whether typed messages are shown; a terminal shows them by itself.
    pub echo: bool,
    /// Whether lines are coloured.
    pub colours: bool,
    /// How long to stay after the end of the input.
    pub patience: Patience,
}

/// How long a phone waits once its input has ended.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While messages are unanswered: the longest time in which nothing reaches a customer.
    pub idle: Duration,
    /// Once all are answered: the time in which another part of the answer may follow.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            settle: Duration::from_secs(2),
        }
    }
}

/// Runs the phone until `/quit`, `stop`, or some time after the end of the input.
///
/// # Errors
/// When the input cannot be read or the output not written.
pub async fn run(
    phone: Phone,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
    stop: CancellationToken,
) -> io::Result<()> {
    let events = phone.kapso.events();
    let mut session = Session {
        screen: Screen::new(output, phone.colours),
        names: HashMap::new(),
        typing: None,
        waiting: Waiting::default(),
        last_sign: Instant::now(),
        phone,
    };
    session.begin().await?;
    session.converse(input, events, stop).await
}

/// All that can happen to a phone.
enum Happening {
    Typed(Option<String>),
    Seen(Event),
    Missed(u64),
    Quiet,
    Stop,
}

struct Session<O> {
    phone: Phone,
    screen: Screen<O>,
    /// Profile names by canonical identity.
    names: HashMap<String, String>,
    /// The customer under whose chat "typing…" is shown.
    typing: Option<String>,
    waiting: Waiting,
    /// When something last reached a customer.
    last_sign: Instant,
}

impl<O: AsyncWrite + Unpin> Session<O> {
    async fn begin(&mut self) -> io::Result<()> {
        let (customer, name) = (self.phone.customer.clone(), self.phone.name.clone());
        self.screen.note(command::HELP).await?;
        self.become_customer(customer, name).await
    }

    async fn converse(
        mut self,
        input: impl AsyncBufRead + Unpin,
        mut events: broadcast::Receiver<Event>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let mut lines = input.lines();
        let mut listening = true;
        loop {
            let quiet_at = self.last_sign + self.patience();
            // What happened is shown before the next line is read, so that piped input keeps its order.
            let happening = tokio::select! {
                biased;
                () = stop.cancelled() => Happening::Stop,
                event = events.recv() => match event {
                    Ok(event) => Happening::Seen(event),
                    Err(RecvError::Lagged(missed)) => Happening::Missed(missed),
                    Err(RecvError::Closed) => Happening::Stop,
                },
                line = lines.next_line(), if listening => Happening::Typed(line?),
                () = sleep_until(quiet_at), if !listening => Happening::Quiet,
            };
            match happening {
                Happening::Stop => return Ok(()),
                Happening::Quiet => return self.end().await,
                Happening::Typed(None) => {
                    listening = false;
                    self.last_sign = Instant::now();
                }
                Happening::Typed(Some(line)) => {
                    let command = Command::read(&line);
                    if command == Command::Quit {
                        return Ok(());
                    }
                    self.obey(command).await?;
                }
                Happening::Seen(event) => self.show(event).await?,
                Happening::Missed(missed) => {
                    let note = format!("{missed} events came too fast to be shown");
                    self.screen.note(&note).await?;
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.waiting.is_over() {
            self.phone.patience.settle
        } else {
            self.phone.patience.idle
        }
    }

    async fn end(&mut self) -> io::Result<()> {
        match self.waiting.count() {
            0 => Ok(()),
            unanswered => {
                let note = format!("messages without an answer: {unanswered}");
                self.screen.note(&note).await
            }
        }
    }

    async fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Nothing | Command::Quit => Ok(()),
            Command::Help => self.screen.note(command::HELP).await,
            Command::Wrong(problem) => self.screen.note(&problem).await,
            Command::Become { customer, name } => {
                let name = name.unwrap_or_else(|| customer.to_string());
                self.become_customer(customer, name).await
            }
            Command::Say(text) => self.say(&text).await,
            Command::Fault { switch, times } => {
                let customer = self.phone.customer.to_string();
                let done = switch.set(&self.phone.kapso, &customer, times);
                self.screen.note(&done).await
            }
        }
    }

    async fn become_customer(&mut self, customer: Identity, name: String) -> io::Result<()> {
        let note = format!("you are {name} ({customer})");
        self.names
            .insert(customer.canonical().to_string(), name.clone());
        self.phone.customer = customer;
        self.phone.name = name;
        self.screen.note(&note).await
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        if self.phone.echo {
            self.screen.said(&self.phone.name, text).await?;
        }
        let incoming = Incoming::text(text).name(&self.phone.name);
        let customer = self.phone.customer.to_string();
        self.phone.kapso.receive(&customer, incoming);
        Ok(())
    }

    async fn show(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Received { message, customer } => {
                let name = self.name(&customer);
                self.waiting.wrote(customer, message);
                self.screen.tick(&name, "✓", "sent").await
            }
            Event::Read(receipt) => {
                self.last_sign = Instant::now();
                let name = self.name(&receipt.customer);
                if self.waiting.read(&receipt.customer, &receipt.message) {
                    self.screen.tick(&name, "✓✓", "read").await?;
                }
                if receipt.typing && self.typing.as_ref() != Some(&receipt.customer) {
                    self.typing = Some(receipt.customer);
                    self.screen.typing(&name).await?;
                }
                Ok(())
            }
            Event::Sent(message) => self.answer(&message).await,
            Event::Refused { path, status } => {
                let note = format!("the bridge was refused with {status} at {path}");
                self.screen.note(&note).await
            }
            Event::Status { .. } | Event::Listed { .. } | Event::Delivered(_) => Ok(()),
        }
    }

    async fn answer(&mut self, message: &SentMessage) -> io::Result<()> {
        self.last_sign = Instant::now();
        self.typing = None;
        self.waiting.answered(&message.customer);
        let name = self.name(&message.customer);
        let words = if message.text.is_empty() {
            format!("[{}]", message.kind)
        } else {
            message.text.clone()
        };
        self.screen.bubble(&name, &words).await?;
        self.phone.kapso.set_status(&message.id, Status::Read);
        Ok(())
    }

    fn name(&self, customer: &str) -> String {
        self.names
            .get(customer)
            .map_or_else(|| customer.to_owned(), Clone::clone)
    }
}
