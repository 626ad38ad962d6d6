//! Tells the operator's own program of strangers who wrote (`security.stranger_hook`).
//!
//! One JSON object on the standard input of a command, or as the body of a POST. Each stranger is announced once a day, all of
//! them together ten times a minute at most; what is more, or comes while the hook is slow, is only logged. Nothing waits for a
//! hook, and what becomes of it decides nothing.

use std::process::Stdio;
use std::time::Duration;

use model::{ChatKey, Clock, Identity, Inbound, NumberId, UserId};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::guard::Rates;

/// What is run for a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// A command line, for the shell.
    Command(String),
    /// An address that is posted to.
    Url(String),
}

/// Announcements that wait for the hook. When it is full, further ones are left out.
const QUEUE: usize = 32;

/// How long one announcement may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Between two announcements of one stranger.
const ONCE: Duration = Duration::from_secs(24 * 3600);

/// Announcements of all strangers together, for each minute.
const A_MINUTE: u32 = 10;

/// How much of the message is told, in characters.
const EXCERPT: usize = 1000;

/// Announces strangers, where the operator wants that.
#[derive(Debug)]
pub(crate) struct Announcer {
    queue: Option<mpsc::Sender<Announcement>>,
    each: Rates<ChatKey>,
    all: Rates<()>,
    clock: Clock,
}

/// What the hook is told.
#[derive(Debug, Serialize)]
struct Announcement {
    event: &'static str,
    /// The business number that was written to, by Meta's id of it.
    phone_number_id: NumberId,
    /// Who wrote, by number and by user id, as far as WhatsApp tells.
    number: Option<String>,
    user_id: Option<UserId>,
    /// Chosen by the stranger, as is `text`.
    name: Option<String>,
    text: Option<String>,
    /// Milliseconds since the Unix epoch.
    sent_at_ms: i64,
}

impl Announcer {
    /// Starts the task that runs `hook`, until `stop`.
    pub(crate) fn start(
        hook: Option<Hook>,
        clock: Clock,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let queue = hook.map(|hook| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            tracker.spawn(async move { stop.run_until_cancelled(serve(hook, waiting)).await });
            queue
        });
        Self {
            queue,
            each: Rates::new(1, ONCE),
            all: Rates::new(A_MINUTE, Duration::from_secs(60)),
            clock,
        }
    }

    /// Announces who wrote `inbound`, if it is time to.
    pub(crate) fn announce(&self, inbound: &Inbound) {
        let Some(queue) = &self.queue else { return };
        let now = self.clock.now();
        if self.each.take(&inbound.chat(), now).is_err() {
            return;
        }
        if self.all.take(&(), now).is_err() {
            info!(from = %inbound.from, "too many strangers: this one is not announced");
            return;
        }
        if queue.try_send(Announcement::of(inbound)).is_err() {
            warn!(from = %inbound.from, "the stranger hook is slow: a stranger is not announced");
        }
    }
}

impl Announcement {
    fn of(inbound: &Inbound) -> Self {
        let (number, user) = match inbound.person() {
            Identity::Phone(phone) => (Some(phone.to_string()), inbound.user.clone()),
            Identity::User(user) => (None, Some(user)),
        };
        let excerpt = |text: &str| text.chars().take(EXCERPT).collect();
        Self {
            event: "stranger",
            phone_number_id: inbound.number.clone(),
            number,
            user_id: user,
            name: inbound.name.as_deref().map(excerpt),
            text: inbound.content.words().map(excerpt),
            sent_at_ms: inbound.sent_at.as_millis(),
        }
    }
}

/// Runs the hook for each announcement, one after the other.
async fn serve(hook: Hook, mut waiting: mpsc::Receiver<Announcement>) {
    while let Some(announcement) = waiting.recv().await {
        let Ok(json) = serde_json::to_vec(&announcement) else {
            continue;
        };
        match timeout(DEADLINE, run(&hook, json)).await {
            Ok(Ok(())) => debug!("a stranger was announced"),
            Ok(Err(failure)) => warn!(%failure, "security.stranger_hook failed"),
            Err(_elapsed) => warn!(
                limit_s = DEADLINE.as_secs(),
                "security.stranger_hook took too long"
            ),
        }
    }
}

/// Why a stranger could not be announced.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("cannot be run: {0}")]
    Io(#[from] std::io::Error),
    #[error("ended with {0}")]
    Exit(std::process::ExitStatus),
    #[error("cannot be posted to: {0}")]
    Post(#[from] reqwest::Error),
}

async fn run(hook: &Hook, json: Vec<u8>) -> Result<(), Failed> {
    match hook {
        Hook::Command(line) => {
            let mut child = Command::new("/bin/sh")
                .args(["-c", line])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()?;
            if let Some(mut input) = child.stdin.take() {
                // A command that does not read what it is told may be content with being run.
                if let Err(error) = input.write_all(&json).await {
                    debug!(%error, "the hook did not read it all");
                }
            }
            let status = child.wait().await?;
            if status.success() {
                Ok(())
            } else {
                Err(Failed::Exit(status))
            }
        }
        Hook::Url(url) => {
            let client = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()?;
            client
                .post(url)
                .header("content-type", "application/json")
                .body(json)
                .send()
                .await?
                .error_for_status()?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::guard::tests::{from, text};

    async fn announced(hook: Hook, strangers: &[&str], clock: Clock) {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let announcer = Announcer::start(Some(hook), clock, &tracker, stop);
        for stranger in strangers {
            announcer.announce(&from(stranger, text("may I?")));
        }
        drop(announcer);
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn a_command_reads_each_stranger_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told");
        let hook = Hook::Command(format!("cat >> {0}; echo >> {0}", file.display()));
        let clock = Clock::standing_at(Timestamp::from_seconds(1_790_000_000));
        let (ann, bob) = ("+15551234567", "US.13491208655302741918");
        announced(hook, &[ann, ann, bob], clock).await;
        let told = std::fs::read_to_string(&file).unwrap();
        let told: Vec<serde_json::Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(told.len(), 2);
        assert_eq!(
            (&told[0]["number"], &told[0]["text"]),
            (&ann.into(), &"may I?".into())
        );
        assert_eq!(told[1]["user_id"], bob);
    }

    #[tokio::test]
    async fn a_crowd_is_announced_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told");
        let hook = Hook::Command(format!("echo >> {}", file.display()));
        let crowd: Vec<String> = (0..20).map(|n| format!("+15551234{n:03}")).collect();
        let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
        let clock = Clock::standing_at(Timestamp::from_seconds(1_790_000_000));
        announced(hook, &crowd, clock).await;
        let told = std::fs::read_to_string(&file).unwrap();
        assert_eq!(told.lines().count(), 10);
    }
}
