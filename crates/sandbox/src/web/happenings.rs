//! What happens, as server-sent events: everything so far first, then each thing as it comes.
//!
//! A page that could not keep up is told everything again, so that what it shows is never a mixture.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, Sse};
use futures_util::stream::{Stream, unfold};
use model::MessageId;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::people::Person;
use super::{Agent, Desk};
use crate::kapso::{Event, Filed};
use crate::openclaw::Script;

/// Messages that a page is given at its beginning: the latest.
const HISTORY: usize = 10_000;

/// Between two looks at what tells of no change by itself: the faults that are left, the gateway.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
) -> Sse<impl Stream<Item = Result<Sent, Infallible>>> {
    let watcher = Watcher::new(desk);
    Sse::new(unfold(watcher, |mut watcher| async move {
        let sent = watcher.next().await?;
        Some((Ok(sent), watcher))
    }))
}

/// One page that is open.
struct Watcher {
    desk: Arc<Desk>,
    events: broadcast::Receiver<Event>,
    people: broadcast::Receiver<Person>,
    look: tokio::time::Interval,
    condition: Value,
    /// What was found out at once and goes out one by one; as many as one event of the stand-in makes.
    ready: VecDeque<Sent>,
}

/// All that can happen to an open page.
enum Happening {
    Kapso(Result<Event, RecvError>),
    Person(Result<Person, RecvError>),
    Look,
    Stop,
}

impl Watcher {
    fn new(desk: Arc<Desk>) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watcher = Self {
            // Before the beginning is told, so that nothing is missed in between.
            events: desk.kapso.events(),
            people: desk.people.changes(),
            look,
            condition: Value::Null,
            ready: VecDeque::new(),
            desk,
        };
        watcher.begin();
        watcher
    }

    /// Tells everything so far.
    fn begin(&mut self) {
        self.ready.clear();
        self.tell("hello", &self.desk.hello());
        self.condition = Value::Null;
        self.look();
    }

    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let happening = tokio::select! {
                biased;
                () = self.desk.stop.cancelled() => Happening::Stop,
                event = self.events.recv() => Happening::Kapso(event),
                person = self.people.recv() => Happening::Person(person),
                _ = self.look.tick() => Happening::Look,
            };
            match happening {
                Happening::Stop => return None,
                Happening::Kapso(Ok(event)) => self.show(event),
                Happening::Person(Ok(person)) => self.tell("person", &person.shown()),
                Happening::Kapso(Err(RecvError::Lagged(_)))
                | Happening::Person(Err(RecvError::Lagged(_))) => self.begin(),
                Happening::Kapso(Err(RecvError::Closed))
                | Happening::Person(Err(RecvError::Closed)) => return None,
                Happening::Look => self.look(),
            }
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Received { message, .. } => self.message(&message),
            Event::Sent(sent) => {
                self.message(&sent.id);
                if sent.answer_lost {
                    self.trouble("WhatsApp took a message, and the bridge could not hear it");
                }
            }
            Event::Status { message, .. } => self.message(&message),
            Event::Read(receipt) => self.tell(
                "read",
                &json!({
                    "customer": receipt.customer,
                    "message": receipt.message,
                    "typing": receipt.typing,
                    "at": receipt.at,
                }),
            ),
            Event::Refused { path, status } => {
                let last = path.rsplit('/').next().unwrap_or_default();
                self.trouble(&format!("Kapso answered {status} to /{last}"));
            }
            Event::Delivered(delivery) => {
                if delivery.accepted() && delivery.event == "whatsapp.message.received" {
                    self.tell("taken", &json!({ "messages": delivery.messages }));
                } else if !delivery.accepted() {
                    let status = delivery.status.map(|status| format!("{status}"));
                    let answer = status.as_deref().unwrap_or("no answer");
                    self.trouble(&format!("{}: {answer}", delivery.event));
                }
            }
            Event::Listed { .. } => {}
        }
        self.look();
    }

    fn message(&mut self, id: &MessageId) {
        if let Some(filed) = self.desk.kapso.message(id) {
            self.tell("message", &shown(&filed, None));
        }
    }

    fn trouble(&mut self, text: &str) {
        self.tell("trouble", &json!({ "text": text }));
    }

    /// Tells how things are, where that is not what was told last.
    fn look(&mut self) {
        let condition = self.desk.condition();
        if condition != self.condition {
            self.tell("condition", &condition);
            self.condition = condition;
        }
    }

    fn tell(&mut self, name: &str, data: &Value) {
        self.ready
            .push_back(Sent::default().event(name).data(data.to_string()));
    }
}

impl Desk {
    fn hello(&self) -> Value {
        let taken: HashSet<MessageId> = self
            .kapso
            .deliveries()
            .into_iter()
            .filter(|delivery| delivery.accepted())
            .flat_map(|delivery| delivery.messages)
            .collect();
        let messages = self.kapso.messages();
        let latest = &messages[messages.len().saturating_sub(HISTORY)..];
        let people = self.people.all();
        json!({
            "business": self.kapso.business_phone(),
            "kapso": self.kapso.base_url(),
            "agent": self.agent.shown(),
            "people": people.iter().map(Person::shown).collect::<Vec<_>>(),
            "messages": latest.iter().map(|filed| shown(filed, Some(&taken))).collect::<Vec<_>>(),
        })
    }

    /// The faults that are left, and how the gateway is.
    fn condition(&self) -> Value {
        let pending = self.kapso.faults().pending();
        let gateway = match &self.agent {
            Agent::Scripted(agent) if agent.is_up() => "up",
            Agent::Scripted(_) => "down",
            Agent::Elsewhere(_) => "none",
        };
        json!({
            "armed": { "sends": pending.sends, "pushes": pending.deliveries, "lists": pending.lists },
            "closed": pending.closed,
            "gateway": gateway,
        })
    }
}

impl Agent {
    fn shown(&self) -> Value {
        match self {
            Self::Scripted(agent) => {
                let words = Script::words().iter();
                let words: Vec<Value> = words
                    .map(|word| json!({ "word": word.word, "shows": word.shows }))
                    .collect();
                json!({ "gateway": agent.url(), "words": words })
            }
            Self::Elsewhere(gateway) => json!({ "gateway": gateway, "words": [] }),
        }
    }
}

/// A message as the page wants it; `taken` has those that a webhook brought to the bridge.
fn shown(filed: &Filed, taken: Option<&HashSet<MessageId>>) -> Value {
    let id = filed.object["id"].as_str();
    let is_taken = taken.map(|taken| taken.iter().any(|one| Some(one.as_str()) == id));
    json!({
        "customer": filed.customer,
        "at": filed.at,
        "object": filed.object,
        "taken": is_taken,
    })
}
