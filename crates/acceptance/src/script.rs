//! The model behind the gateway: an OpenAI-compatible server that answers by rule and remembers what it was asked.
//!
//! The rule is in the customer's own words, so a question needs no preparation and an interrupted one can be answered
//! from the transcript alone: see [`Rule`]. Requests come streamed or not, as the gateway likes.

mod question;
mod rule;
mod wire;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::question::Question;
pub use self::rule::{INTERIM, REFUSAL, Rule};
use self::wire::Answer;

/// What the model says where no customer asks.
pub const NO_QUESTION: &str = "Nothing was asked.";

/// The largest request that is read: the gateway's own prompts are some 100 kB.
const LARGEST_REQUEST: usize = 32 << 20;

/// A request of the gateway to the model. Its `Debug` form leaves the messages out: they are some 100 kB.
#[derive(Clone)]
pub struct Ask {
    /// What was read from its messages; none when no customer's message is among them.
    pub question: Option<Question>,
    /// The names of the tools that were offered.
    pub tools: Vec<String>,
    /// Its messages, as they came.
    pub messages: Value,
    /// When it came.
    pub at: Instant,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("question", &self.question)
            .field("tools", &self.tools.len())
            .finish_non_exhaustive()
    }
}

impl Ask {
    /// Whether it is the start of a turn that a client asked for: not a step after a tool, not the gateway's own
    /// continuation after a restart, not a title or a summary.
    pub fn begins_turn(&self) -> bool {
        let begins = |question: &Question| !question.resumed && question.tool_results == 0;
        !self.tools.is_empty() && self.question.as_ref().is_some_and(begins)
    }

    /// What the gateway told the model beside the conversation.
    pub fn instructions(&self) -> String {
        question::instructions(&self.messages)
    }

    /// What stands in a person's place since the model spoke last, with what the gateway put around it.
    pub fn prompt(&self) -> String {
        question::prompt(&self.messages)
    }

    /// Whether the last question in it is this customer's.
    pub fn is_from(&self, customer: &str) -> bool {
        self.question
            .as_ref()
            .is_some_and(|question| question.from == customer)
    }
}

/// A running model; dropping it ends it.
#[derive(Debug)]
pub struct Model {
    address: SocketAddr,
    memory: Arc<Memory>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Memory {
    asks: Mutex<Vec<Ask>>,
    /// Customers and words that were waited for once; their repetition is answered at once.
    waited: Mutex<HashSet<(String, String)>>,
    changes: watch::Sender<usize>,
}

impl Model {
    /// Serves on a loopback port of its own.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let memory = Arc::new(Memory::default());
        let stop = CancellationToken::new();
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
            .with_state(Arc::clone(&memory));
        let serving = async move { axum::serve(listener, app).await };
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
        Ok(Self {
            address,
            memory,
            _stop: stop.drop_guard(),
        })
    }

    /// What a provider of the gateway is configured with.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Everything that was asked, in order.
    pub fn asks(&self) -> Vec<Ask> {
        lock(&self.memory.asks).clone()
    }

    /// The requests about questions of a customer, in order.
    pub fn asks_of(&self, customer: &str) -> Vec<Ask> {
        lock(&self.memory.asks)
            .iter()
            .filter(|ask| ask.is_from(customer))
            .cloned()
            .collect()
    }

    /// How often a turn of a customer was begun by a client.
    pub fn turns_of(&self, customer: &str) -> usize {
        lock(&self.memory.asks)
            .iter()
            .filter(|ask| ask.is_from(customer) && ask.begins_turn())
            .count()
    }

    /// Waits until `n` turns of a customer were begun.
    ///
    /// # Errors
    /// When they were not in that time.
    pub async fn asked(&self, customer: &str, n: usize, within: Duration) -> anyhow::Result<()> {
        let mut changes = self.memory.changes.subscribe();
        match timeout(within, changes.wait_for(|_| self.turns_of(customer) >= n)).await {
            Ok(_) => Ok(()),
            Err(_) => anyhow::bail!("the model was not asked for {customer} within {within:?}"),
        }
    }
}

impl Memory {
    fn remember(&self, ask: Ask) {
        let mut asks = lock(&self.asks);
        asks.push(ask);
        let count = asks.len();
        drop(asks);
        self.changes.send_replace(count);
    }

    /// Whether this customer's words come for the first time.
    fn first(&self, question: &Question) -> bool {
        lock(&self.waited).insert((question.from.clone(), question.words.clone()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn complete(State(memory): State<Arc<Memory>>, Json(request): Json<Value>) -> Response {
    let messages = request.get("messages").cloned().unwrap_or_default();
    let tools = offered(&request);
    let question = Question::read(&messages);
    memory.remember(Ask {
        question: question.clone(),
        tools: tools.clone(),
        messages,
        at: Instant::now(),
    });
    let Some(question) = question else {
        return wire::say(&request, Answer::text(NO_QUESTION), Duration::ZERO);
    };
    match Rule::of(&question.words) {
        Rule::Wait(time) => {
            let pause = if memory.first(&question) {
                time
            } else {
                Duration::ZERO
            };
            wire::say(&request, Answer::text(&echo(&question)), pause)
        }
        Rule::Tools => wire::say(&request, rule::step(&question, &tools), Duration::ZERO),
        Rule::Refuse => refusal(),
        Rule::Silent => wire::say(&request, Answer::text("NO_REPLY"), Duration::ZERO),
        Rule::Echo => wire::say(&request, Answer::text(&echo(&question)), Duration::ZERO),
    }
}

/// What every question without a rule of its own is answered with.
fn echo(question: &Question) -> String {
    format!("You said: {}", question.words)
}

fn refusal() -> Response {
    let error = json!({ "error": { "message": REFUSAL, "type": "invalid_request_error", "code": "invalid_value" } });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

fn offered(request: &Value) -> Vec<String> {
    let tools = request
        .get("tools")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    tools
        .filter_map(|tool| tool.pointer("/function/name")?.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(words: &str, tools: &[&str]) -> Ask {
        let messages = json!([{ "role": "user", "content": format!("From: +15550001 [role: member]\n{words}") }]);
        Ask {
            question: Question::read(&messages),
            tools: tools.iter().map(|&name| name.to_owned()).collect(),
            messages,
            at: Instant::now(),
        }
    }

    #[tokio::test]
    async fn a_title_or_a_continuation_begins_no_turn() {
        assert!(ask("hello", &["read"]).begins_turn());
        assert!(!ask("hello", &[]).begins_turn());
        assert!(
            !ask(
                "hello\n\n[System] Your previous turn was interrupted by",
                &["read"]
            )
            .begins_turn()
        );
    }

    #[tokio::test]
    async fn a_repeated_question_is_not_waited_for_again() {
        let memory = Memory::default();
        let ann = ask("wait 5: a", &[]).question.unwrap();
        let bob = Question {
            from: "+15550002".to_owned(),
            ..ann.clone()
        };
        assert!(memory.first(&ann) && memory.first(&bob));
        assert!(!memory.first(&ann));
    }
}
