//! One session of the scripted gateway: its transcript as a tree of rows, and the lane of its runs.

use std::collections::VecDeque;
use std::sync::Arc;

use model::Timestamp;
use uuid::Uuid;

use super::release::Release;
use super::run::Run;

/// Questions that wait in one session at most; a further one is refused.
pub(super) const LANE: usize = 1_000;

/// A row of the transcript.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    /// The row before it in its branch.
    pub(super) parent: Option<String>,
    /// When what it says came about.
    pub(super) at: Timestamp,
    /// When it was written down.
    pub(super) recorded: Timestamp,
    /// The run that it belongs to.
    pub(super) run: String,
    pub(super) body: Body,
    /// Whether it is on the branch that history shows.
    visible: bool,
}

impl Row {
    /// The row in a line, for people and tests.
    pub(super) fn line(&self) -> String {
        match &self.body {
            Body::User { text, .. } => format!("user: {text}"),
            Body::Call { say, tool, .. } => format!("assistant: {say} [{tool}]"),
            Body::Result { text, .. } => format!("tool: {text}"),
            Body::Said { texts, .. } => format!("assistant: {}", texts.join(" / ")),
            Body::Failed { message } => format!("error: {message}"),
        }
    }
}

/// What a row says.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Somebody asked; with `recovery`, the gateway did, after a restart.
    User { text: String, recovery: bool },
    /// The assistant said something (may be nothing) and called a tool.
    Call {
        say: String,
        call: String,
        tool: String,
    },
    /// What the tool answered.
    Result {
        call: String,
        tool: String,
        text: String,
    },
    /// The assistant's last words, with the stop reason.
    Said {
        texts: Vec<String>,
        stop: &'static str,
    },
    /// The run failed before there were words.
    Failed { message: String },
}

/// A session's state word, as in `sessions.json` and `sessionInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Done,
    Failed,
    Timeout,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
        }
    }
}

/// Everything about a session but its rows; cheap to copy out of the lock.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) status: Option<Status>,
    pub(super) last_run: Option<String>,
    /// The run that works now, and whether the gateway resumed it by itself.
    pub(super) active: Option<(String, bool)>,
    /// Whether a restart interrupted its last run.
    pub(super) interrupted: bool,
}

/// A run that a kill interrupted after it had begun.
#[derive(Debug, Clone)]
pub(super) struct Interrupted {
    pub(super) text: String,
    row: String,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    summary: Summary,
    rows: Vec<Row>,
    leaf: Option<String>,
    active: Option<Arc<Run>>,
    /// The user row of the active run, once it has begun.
    begun: Option<String>,
    waiting: VecDeque<Arc<Run>>,
    interrupted: Option<Interrupted>,
}

impl Session {
    pub(super) fn new(key: String, now: Timestamp) -> Self {
        Self {
            summary: Summary {
                key,
                id: Uuid::new_v4().to_string(),
                created_at: now,
                updated_at: now,
                started_at: None,
                ended_at: None,
                status: None,
                last_run: None,
                active: None,
                interrupted: false,
            },
            rows: Vec::new(),
            leaf: None,
            active: None,
            begun: None,
            waiting: VecDeque::new(),
            interrupted: None,
        }
    }

    pub(super) const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The rows that history shows, oldest first.
    pub(super) fn visible(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.iter().filter(|row| row.visible)
    }

    /// The runs that wait for their turn.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.waiting.iter()
    }

    /// Whether another question can wait here.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < LANE
    }

    /// Puts a run into the lane; true when it may start at once.
    pub(super) fn queue(&mut self, run: &Arc<Run>) -> bool {
        if self.active.is_some() {
            self.waiting.push_back(Arc::clone(run));
            return false;
        }
        self.activate(run);
        true
    }

    /// The run that is active.
    pub(super) fn active(&self) -> Option<&Arc<Run>> {
        self.active.as_ref()
    }

    /// The active run is over: the next one becomes active.
    pub(super) fn next(&mut self) -> Option<Arc<Run>> {
        self.active = None;
        self.begun = None;
        self.summary.active = None;
        let run = self.waiting.pop_front()?;
        self.activate(&run);
        Some(run)
    }

    fn activate(&mut self, run: &Arc<Run>) {
        self.active = Some(Arc::clone(run));
        self.summary.active = Some((run.asked.key.clone(), run.asked.resumed));
    }

    /// The active run begins: its user row is written.
    ///
    /// Where the older releases resume, the row of the interrupted question leaves the visible branch and its
    /// text is merged into the prompt (openclaw.md 5).
    pub(super) fn begin(&mut self, run: &Run, release: Release, now: Timestamp) -> Row {
        if run.asked.resumed
            && let Some(interrupted) = self.interrupted.take()
            && release < Release::V2026_9_6
        {
            self.hide(&interrupted.row);
        }
        self.summary.interrupted = false;
        self.summary.status = Some(Status::Running);
        self.summary.started_at = Some(now);
        self.summary.ended_at = None;
        self.summary.updated_at = now;
        self.summary.last_run = Some(run.asked.key.clone());
        let body = Body::User {
            text: run.prompt(release),
            recovery: run.asked.resumed,
        };
        let row = self.add(run, body, release, now);
        self.begun = Some(row.id.clone());
        row
    }

    /// Adds a row below the last one.
    pub(super) fn add(&mut self, run: &Run, body: Body, release: Release, now: Timestamp) -> Row {
        let id = match release {
            Release::V2026_9_6 => Uuid::new_v4().to_string(),
            Release::V2026_7_35 | Release::V2026_5_7 => short_id(),
        };
        // A question bears the time when it was taken; only 2026.5.7 stamps it when the run begins.
        let at = match &body {
            Body::User { .. } if release > Release::V2026_5_7 => run.asked.at,
            Body::User { .. }
            | Body::Call { .. }
            | Body::Result { .. }
            | Body::Said { .. }
            | Body::Failed { .. } => now,
        };
        let row = Row {
            id: id.clone(),
            parent: self.leaf.replace(id),
            at,
            recorded: now,
            run: run.asked.key.clone(),
            body,
            visible: true,
        };
        self.rows.push(row.clone());
        self.summary.updated_at = now;
        row
    }

    /// The first row hangs below what the file begins with.
    pub(super) fn root_at(&mut self, id: &str) {
        if self.leaf.is_none() {
            self.leaf = Some(id.to_owned());
        }
    }

    /// Whether nothing was written yet.
    pub(super) fn is_blank(&self) -> bool {
        self.rows.is_empty()
    }

    /// The active run ended.
    pub(super) fn end(&mut self, status: Status, now: Timestamp) {
        self.summary.status = Some(status);
        self.summary.ended_at = Some(now);
        self.summary.updated_at = now;
    }

    /// The gateway dies: what waited is gone, what had begun is remembered as interrupted.
    pub(super) fn interrupt(&mut self) {
        self.waiting.clear();
        self.summary.active = None;
        let run = self.active.take();
        if let (Some(run), Some(row)) = (run, self.begun.take()) {
            self.interrupted = Some(Interrupted {
                text: run.asked.text.clone(),
                row,
            });
            self.summary.interrupted = true;
        }
    }

    /// The question that a restart interrupted, if it was not resumed yet.
    pub(super) const fn interrupted(&self) -> Option<&Interrupted> {
        self.interrupted.as_ref()
    }

    fn hide(&mut self, id: &str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id == id) {
            row.visible = false;
            self.leaf.clone_from(&row.parent);
        }
    }
}

/// An entry id of the JSONL era: eight hexadecimal digits.
pub(super) fn short_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(8);
    id
}
