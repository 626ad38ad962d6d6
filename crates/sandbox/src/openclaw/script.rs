//! What the scripted agent is asked, and what it answers.
//!
//! A [`Script`] turns a question into an [`Answer`]: steps on the way (waiting, a gate, a tool with words before
//! it) and an end. The end is what the model did; how each release reports it is `outcome`'s business.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Timestamp;
use serde_json::Value;

use super::builtin;
use super::gate::Gate;

/// One question to the agent, as the gateway got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The session in canonical form (openclaw.md 3.3).
    pub session: String,
    /// The idempotency key; the gateway's own run id where it resumes by itself.
    pub key: String,
    /// What the agent reads. For a resumed run: the question that was interrupted.
    pub text: String,
    /// The `agent` request's parameters as sent; null where the gateway resumes by itself.
    pub params: Value,
    /// When it was taken, by the gateway's clock.
    pub at: Timestamp,
    /// Whether the gateway resumes an interrupted run by itself after a restart.
    pub resumed: bool,
}

impl Asked {
    /// What the customer wrote: the text without the bridge's first line (`From: …`), if it has one.
    pub fn words(&self) -> &str {
        match self.text.split_once('\n') {
            Some((first, rest)) if first.starts_with("From: ") => rest,
            Some(_) | None => &self.text,
        }
    }

    /// How many attachments came with it.
    pub fn attachments(&self) -> usize {
        let list = self.params.get("attachments").and_then(Value::as_array);
        list.map_or(0, Vec::len)
    }
}

/// What the agent does with one question.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// Something on the way to the end.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Works for so long.
    Wait(Duration),
    /// Works until the gate is opened.
    Hold(Gate),
    /// Says something and uses a tool.
    Tool {
        say: String,
        name: String,
        result: String,
    },
}

/// How the model ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// It said this, in one message of one or more text blocks.
    Texts(Vec<String>),
    /// It said nothing but `NO_REPLY`.
    Silent,
    /// It said nothing at all.
    Empty,
    /// It was cut off at its output limit.
    Truncated(String),
    /// The model's provider refused or failed.
    Failed(String),
}

impl Answer {
    fn ending(end: End) -> Self {
        Self {
            steps: Vec::new(),
            end,
        }
    }

    /// One text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::ending(End::Texts(vec![text.into()]))
    }

    /// Several texts, each a payload of its own.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::ending(End::Texts(texts.into_iter().map(Into::into).collect()))
    }

    /// The agent chooses to say nothing (`NO_REPLY`).
    pub fn silent() -> Self {
        Self::ending(End::Silent)
    }

    /// The model answers with nothing, which each release takes for a failure of its own kind.
    pub fn empty() -> Self {
        Self::ending(End::Empty)
    }

    /// The text is cut off at the model's output limit.
    pub fn truncated(text: impl Into<String>) -> Self {
        Self::ending(End::Truncated(text.into()))
    }

    /// The run fails with this message.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::ending(End::Failed(message.into()))
    }

    /// Then works for `time` before what comes next.
    #[must_use]
    pub fn waiting(mut self, time: Duration) -> Self {
        self.steps.push(Step::Wait(time));
        self
    }

    /// Then works until `gate` is opened.
    #[must_use]
    pub fn held(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Hold(gate.clone()));
        self
    }

    /// Then says `say` (may be empty) and uses a tool, whose result goes back to the model.
    #[must_use]
    pub fn with_tool(mut self, say: impl Into<String>) -> Self {
        self.steps.push(Step::Tool {
            say: say.into(),
            name: "session_status".to_owned(),
            result: "Session is fine.".to_owned(),
        });
        self
    }
}

/// A word that makes the built-in agent do something else than echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// What to write.
    pub word: &'static str,
    /// What comes of it.
    pub shows: &'static str,
}

/// The agent's behaviour: a function from question to answer.
#[derive(Clone)]
pub struct Script(Arc<dyn Fn(&Asked) -> Answer + Send + Sync>);

impl Script {
    /// Answers with what `answer` says. It runs while the run starts and must not block.
    pub fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    /// The built-in agent: it answers by the first word of what the customer wrote.
    ///
    /// `story`, `long`, `table`, `code`, `markdown`, `slow`, `wait N`, `tools`, `parts`, `silent`, `error`, `empty` and
    /// `truncate` show what their names say; anything else is echoed.
    pub fn builtin() -> Self {
        Self::new(builtin::answer)
    }

    /// What the built-in agent understands, for people.
    pub const fn words() -> &'static [Word] {
        builtin::WORDS
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script(..)")
    }
}

/// The script in force, with answers queued in front of it. The lock never leaves this file.
#[derive(Debug)]
pub(super) struct Prompter(Mutex<Prompts>);

#[derive(Debug)]
struct Prompts {
    next: VecDeque<Answer>,
    script: Script,
}

impl Prompter {
    pub(super) fn new(script: Script) -> Self {
        Self(Mutex::new(Prompts {
            next: VecDeque::new(),
            script,
        }))
    }

    pub(super) fn replace(&self, script: Script) {
        self.lock().script = script;
    }

    pub(super) fn queue(&self, answer: Answer) {
        self.lock().next.push_back(answer);
    }

    /// The answer to `asked`: the next queued one, else the script's.
    pub(super) fn answer(&self, asked: &Asked) -> Answer {
        let script = {
            let mut prompts = self.lock();
            if let Some(answer) = prompts.next.pop_front() {
                return answer;
            }
            prompts.script.clone()
        };
        (script.0)(asked)
    }

    fn lock(&self) -> MutexGuard<'_, Prompts> {
        // Nothing is done under the lock that could leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
