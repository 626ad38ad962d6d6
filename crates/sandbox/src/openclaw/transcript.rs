//! The session files of the JSONL era: `agents/main/sessions/sessions.json` and one `<id>.jsonl` per session
//! (openclaw.md 4).
//!
//! One task owns the folder. A run waits until its lines are written, so that the assistant's line is in the file
//! before the second response, as it is on a real gateway; `sessions.json` is rewritten (write and rename) once
//! for all that came in together. Writing blocks the task for the time of a small local write.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use model::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::history::{no_cost, stamp};
use super::json::{Object, array, text_block};
use super::outcome::tokens;
use super::release::Release;
use super::session::{Body, Row, Status, Summary};
use super::state::Written;

/// Writes that wait for the owner of the folder; a run that finds it full waits.
const WRITES: usize = 1_024;

/// The folder of session files.
#[derive(Debug)]
pub(super) struct Transcripts {
    release: Release,
    folder: PathBuf,
    writes: mpsc::Sender<Write>,
}

/// Something to be written.
#[derive(Debug)]
struct Write {
    key: String,
    entry: String,
    file: PathBuf,
    lines: String,
    done: Option<oneshot::Sender<()>>,
}

impl Transcripts {
    /// Opens the folder below `state`, and gives the task that owns it.
    pub(super) fn open(
        state: &Path,
        release: Release,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let folder = state.join("agents").join("main").join("sessions");
        fs::create_dir_all(&folder)?;
        let (writes, inbox) = mpsc::channel(WRITES);
        let owner = own(folder.clone(), inbox);
        let transcripts = Self {
            release,
            folder,
            writes,
        };
        Ok((transcripts, owner))
    }

    /// The file of a session.
    pub(super) fn file(&self, session: &str) -> PathBuf {
        self.folder.join(format!("{session}.jsonl"))
    }

    /// The index of sessions.
    pub(super) fn index(&self) -> PathBuf {
        self.folder.join("sessions.json")
    }

    /// Writes rows; returns when they are in the file.
    pub(super) async fn record(&self, written: Written) {
        let summary = &written.summary;
        let mut lines = String::new();
        if let Some(ids) = &written.head {
            head(&mut lines, summary, ids);
        }
        for row in &written.rows {
            lines.push_str(&line(self.release, row));
            lines.push('\n');
        }
        let (done, wait) = oneshot::channel();
        if self
            .writes
            .send(self.write(summary, lines, Some(done)))
            .await
            .is_ok()
        {
            // An owner that is gone has nobody left who could read the file.
            let _ = wait.await;
        }
    }

    /// Notes that a session changed, without waiting: the index follows a little later on a real gateway, too.
    pub(super) fn note(&self, summary: &Summary) {
        // When the owner is busy the next row of the session brings the index up to date.
        let _ = self
            .writes
            .try_send(self.write(summary, String::new(), None));
    }

    fn write(&self, summary: &Summary, lines: String, done: Option<oneshot::Sender<()>>) -> Write {
        let file = self.file(&summary.id);
        Write {
            key: summary.key.clone(),
            entry: entry(summary, &file),
            file,
            lines,
            done,
        }
    }
}

/// Owns the folder until nobody can write any more.
async fn own(folder: PathBuf, mut inbox: mpsc::Receiver<Write>) {
    let mut index: BTreeMap<String, String> = BTreeMap::new();
    let mut batch = Vec::new();
    while inbox.recv_many(&mut batch, WRITES).await > 0 {
        for write in &batch {
            index.insert(write.key.clone(), write.entry.clone());
        }
        if let Err(error) = save(&folder, &index) {
            tracing::error!(%error, "cannot write sessions.json");
        }
        for write in batch.drain(..) {
            if let Err(error) = append(&write.file, &write.lines) {
                tracing::error!(%error, "cannot write a transcript");
            }
            if let Some(done) = write.done {
                let _ = done.send(());
            }
        }
    }
}

fn append(file: &Path, lines: &str) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    file.write_all(lines.as_bytes())
}

fn save(folder: &Path, index: &BTreeMap<String, String>) -> io::Result<()> {
    let mut json = Object::new();
    for (key, entry) in index {
        // A session key can hold anything: it is escaped as text is, and the builder adds the quotes.
        let quoted = serde_json::to_string(key).map_err(io::Error::other)?;
        json = json.raw(&quoted[1..quoted.len() - 1], entry);
    }
    let new = folder.join("sessions.json.tmp");
    fs::write(&new, json.end())?;
    fs::rename(new, folder.join("sessions.json"))
}

/// A session in `sessions.json`.
fn entry(summary: &Summary, file: &Path) -> String {
    let running = summary.status == Some(Status::Running);
    let runtime = summary
        .started_at
        .zip(summary.ended_at)
        .map(|(started, ended)| ended.since(started).as_millis());
    Object::new()
        .with("sessionId", &summary.id)
        .with("updatedAt", summary.updated_at)
        .with("sessionStartedAt", summary.created_at)
        .with("lastInteractionAt", summary.created_at)
        .with("systemSent", true)
        .with("abortedLastRun", summary.interrupted)
        .with("compactionCount", 0)
        .with("sessionFile", file.to_string_lossy())
        .maybe("status", summary.status.map(Status::name))
        .maybe("startedAt", summary.started_at)
        .when(!running, |o| {
            o.maybe("endedAt", summary.ended_at)
                .maybe("runtimeMs", runtime)
        })
        .with("modelProvider", "scripted")
        .with("model", "scripted")
        .with("contextTokens", 120_000)
        .end()
}

/// What a file begins with.
fn head(lines: &mut String, summary: &Summary, [model, thinking, snapshot]: &[String; 3]) {
    let at = summary.updated_at;
    let started = Object::new()
        .with("type", "session")
        .with("version", 3)
        .with("id", &summary.id)
        .with("timestamp", iso(at))
        .with("cwd", "/home/user/ws");
    let entry = |kind: &str, id: &str, parent: Option<&str>| {
        Object::new()
            .with("type", kind)
            .with("id", id)
            .with("parentId", parent)
            .with("timestamp", iso(at))
    };
    let data = Object::new()
        .with("timestamp", at)
        .with("provider", "scripted")
        .with("modelApi", "openai-completions")
        .with("modelId", "scripted");
    let custom = Object::new()
        .with("type", "custom")
        .with("customType", "model-snapshot")
        .nest("data", data)
        .with("id", snapshot)
        .with("parentId", thinking)
        .with("timestamp", iso(at));
    for object in [
        started,
        entry("model_change", model, None)
            .with("provider", "scripted")
            .with("modelId", "scripted"),
        entry("thinking_level_change", thinking, Some(model)).with("thinkingLevel", "off"),
        custom,
    ] {
        lines.push_str(&object.end());
        lines.push('\n');
    }
}

fn line(release: Release, row: &Row) -> String {
    Object::new()
        .with("type", "message")
        .with("id", &row.id)
        .with("parentId", row.parent.as_ref())
        .with("timestamp", iso(row.recorded))
        .nest("message", message(release, row))
        .end()
}

fn message(release: Release, row: &Row) -> Object {
    match &row.body {
        Body::User { text, recovery } => {
            let user = Object::new().with("role", "user");
            let user = match release {
                // A resumed prompt bears its stamps already.
                Release::V2026_5_7 if *recovery => user.list("content", [text_block(text)]),
                Release::V2026_5_7 => {
                    user.list("content", [text_block(&format!("{}{text}", stamp(row.at)))])
                }
                Release::V2026_7_35 | Release::V2026_9_6 => user.with("content", text),
            };
            user.with("timestamp", row.at)
        }
        Body::Call { say, call, tool } => {
            let words = (!say.is_empty()).then(|| text_block(say));
            let block = Object::new()
                .with("type", "toolCall")
                .with("id", call)
                .with("name", tool)
                .raw("arguments", "{}")
                .with("partialArgs", "{}");
            let content = array(words.into_iter().chain([block]));
            assistant(row, &content, "toolUse")
        }
        Body::Result { call, tool, text } => Object::new()
            .with("role", "toolResult")
            .with("toolCallId", call)
            .with("toolName", tool)
            .list("content", [text_block(text)])
            .with("isError", false)
            .with("timestamp", row.at),
        Body::Said { texts, stop } => {
            let content = array(texts.iter().map(|text| text_block(text)));
            assistant(row, &content, stop)
        }
        Body::Failed { message } => assistant(row, "[]", "error").with("errorMessage", message),
    }
}

fn assistant(row: &Row, content: &str, stop: &str) -> Object {
    let usage = Object::new()
        .with("input", tokens(content))
        .with("output", tokens(content))
        .with("cacheRead", 0)
        .with("cacheWrite", 0)
        .with("totalTokens", 2 * tokens(content))
        .with("cost", no_cost());
    Object::new()
        .with("role", "assistant")
        .raw("content", content)
        .with("api", "openai-completions")
        .with("provider", "scripted")
        .with("model", "scripted")
        .nest("usage", usage)
        .with("stopReason", stop)
        .with("timestamp", row.at)
        .when(stop != "error", |o| {
            o.with("responseId", format!("c-{}", row.id))
        })
}

/// `2026-11-21T01:00:41.870Z`.
fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    format!("{at:.3}")
}
