//! A gateway's sessions folder, written as the gateway writes it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use gateway::transcript::{Entry, Follow, Said, Transcripts, TurnView};
use model::{ChatKey, IdempotencyKey, Identity, MessageId, NumberId, SessionKey, Turn};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    dir: TempDir,
    pub(crate) transcripts: Transcripts,
    sessions: serde_json::Map<String, Value>,
}

impl World {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let transcripts = Transcripts::open(dir.path().join("sessions.json"))?;
        Ok(Self {
            dir,
            transcripts,
            sessions: serde_json::Map::new(),
        })
    }

    /// A world with one session and its file.
    pub(crate) fn with(key: &str, id: &str) -> anyhow::Result<Self> {
        let mut world = Self::new()?;
        world.session(key, id)?;
        world.append(&format!("{id}.jsonl"), &[head(id)])?;
        Ok(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts the session into `sessions.json`; the file is named after the id.
    pub(crate) fn session(&mut self, key: &str, id: &str) -> anyhow::Result<()> {
        let file = self.path(&format!("{id}.jsonl"));
        self.session_file(key, id, file.to_str().context("not UTF-8")?)
    }

    pub(crate) fn session_file(&mut self, key: &str, id: &str, file: &str) -> anyhow::Result<()> {
        let entry = json!({"sessionId": id, "updatedAt": 1, "sessionFile": file, "status": "running",
            "systemPromptReport": {"tools": ["x", {"y": [1.5, null]}]}});
        self.sessions.insert(key.to_owned(), entry);
        self.write_index()
    }

    pub(crate) fn forget(&mut self, key: &str) -> anyhow::Result<()> {
        self.sessions.remove(key);
        self.write_index()
    }

    /// As the gateway does it: written beside, then renamed.
    pub(crate) fn write_index(&self) -> anyhow::Result<()> {
        let beside = self.path("sessions.json.1.tmp");
        fs::write(&beside, serde_json::to_vec(&self.sessions)?)?;
        Ok(fs::rename(beside, self.path("sessions.json"))?)
    }

    pub(crate) fn append(&self, file: &str, lines: &[String]) -> anyhow::Result<()> {
        self.append_raw(
            file,
            &lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )
    }

    pub(crate) fn append_raw(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(file))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// As the gateway rewrites a transcript: truncated and written anew.
    pub(crate) fn rewrite(&self, file: &str, lines: &[String]) -> anyhow::Result<()> {
        Ok(fs::write(
            self.path(file),
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )?)
    }

    pub(crate) async fn follow(&self, key: &str) -> anyhow::Result<Follow> {
        Ok(self.transcripts.follow(&SessionKey::new(key)?).await?)
    }
}

pub(crate) async fn next(follow: &mut Follow) -> anyhow::Result<Entry> {
    Ok(tokio::time::timeout(PATIENCE, follow.next()).await??)
}

pub(crate) async fn next_ids(follow: &mut Follow, count: usize) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(next(follow).await?.id);
    }
    Ok(ids)
}

pub(crate) fn ids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

/// What the entries up to the first answer say to `view`.
pub(crate) async fn answer(follow: &mut Follow, view: &mut TurnView) -> anyhow::Result<Vec<Said>> {
    loop {
        let said = view.feed(&next(follow).await?);
        if !said.is_empty() {
            return Ok(said);
        }
    }
}

pub(crate) fn view(text: &str) -> anyhow::Result<TurnView> {
    let from = Identity::new("15551234567")?;
    Ok(TurnView::of(&Turn {
        chat: ChatKey::new(NumberId::new("1")?, &from),
        to: from,
        session: SessionKey::new("main-wa-15551234567")?,
        key: IdempotencyKey::new("0b7c3d58-9a44-4a43-8e70-0f4f5a3b1c11")?,
        text: text.to_owned(),
        context: String::new(),
        pictures: Vec::new(),
        command: false,
        last: MessageId::new("wamid.1")?,
    }))
}

pub(crate) fn head(id: &str) -> String {
    json!({"type": "session", "version": 3, "id": id, "timestamp": "2026-11-21T00:00:00.000Z"})
        .to_string()
}

pub(crate) fn user(id: &str, parent: &str, text: &str) -> String {
    message(
        id,
        parent,
        &json!({"role": "user", "content": text, "timestamp": 1}),
    )
}

pub(crate) fn says(id: &str, parent: &str, text: &str) -> String {
    let content = json!([{"type": "text", "text": text}]);
    message(
        id,
        parent,
        &json!({"role": "assistant", "content": content, "stopReason": "stop"}),
    )
}

/// The number in an entry's name dates it: `u1` was written a minute before `a2`.
fn message(id: &str, parent: &str, message: &Value) -> String {
    let minute = id
        .chars()
        .filter_map(|c| c.to_digit(10))
        .fold(0, |sum, digit| sum * 10 + digit);
    let at = format!(
        "2026-11-21T{:02}:{:02}:00.000Z",
        minute / 60 % 24,
        minute % 60
    );
    json!({"type": "message", "id": id, "parentId": parent, "timestamp": at, "message": message})
        .to_string()
}

pub(crate) fn recorded(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/jsonl")
        .join(file)
}
