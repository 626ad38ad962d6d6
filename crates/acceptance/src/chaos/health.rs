//! What the daemon says of itself on its control socket: whether it has anything left to do, and what it counted.
//!
//! This only tells the harness how long to wait, and fills two columns of the table. No verdict depends on it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The longest that one look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// States of rows that something is still to be done about.
const OPEN: [(&str, &[&str]); 3] = [
    ("messages", &["received", "in_turn"]),
    ("turns", &["queued", "asked"]),
    ("outgoing", &["queued", "sending", "unknown"]),
];

/// One look.
#[derive(Debug, Clone)]
pub struct Health(Value);

impl Health {
    /// Looks at the daemon whose folder of state this is.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn of(state: &Path) -> anyhow::Result<Self> {
        let read = timeout(PATIENCE, read(&state.join("control.sock"))).await;
        let text = read.context("the control socket does not answer")??;
        let (head, body) = text.split_once("\r\n\r\n").context("not an answer")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        Ok(Self(serde_json::from_str(body)?))
    }

    /// Whether it has read the list and written down what is there.
    pub fn has_read(&self) -> bool {
        self.0["kapso"]["last_success_s"].is_u64()
    }

    /// The rows that something is still to be done about, such as `2 outgoing unknown`.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (table, states) in OPEN {
            for state in states {
                let rows = self.0["store"][table][state].as_u64().unwrap_or_default();
                if rows > 0 {
                    left.push(format!("{rows} {table} {state}"));
                }
            }
        }
        left
    }

    /// A counter that lives as long as the journal; none where the daemon does not count it.
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.0["counters"][name].as_u64()
    }
}

async fn read(socket: &Path) -> anyhow::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = "GET /health HTTP/1.1\r\nhost: bridge\r\naccept: application/json\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
