//! The process dies at the step that it was told, and what was answered before is on disk.

use std::process::{Command, ExitStatus};

use anyhow::Result;
use model::Clock;
use store::Store;

use crate::nouns::{START, chat, message};

/// Where the process that is to die keeps its journal.
const DIR: &str = "STORE_CRASH_TEST_DIR";

/// Runs [`a_victim`] in a process of its own, which dies at `step`; how it ended, and how many messages it left.
async fn left_by(step: u32) -> Result<(ExitStatus, usize)> {
    let dir = tempfile::tempdir()?;
    let victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "crash::a_victim", "--include-ignored"])
        .env("KAPSO_CRASH_AT", step.to_string())
        .env(DIR, dir.path())
        .output()?;
    let store = Store::open(dir.path(), Clock::standing_at(START)).await?;
    let left = store.received(&chat(1), 10).await?.len();
    Ok((victim.status, left))
}

#[tokio::test]
#[ignore = "run by the test below, in a process that is to die"]
async fn a_victim() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let store = Store::open(dir.as_ref(), Clock::standing_at(START))
        .await
        .unwrap();
    store.accept(&[message(1, 1)], None).await.unwrap();
    store.accept(&[message(1, 2)], None).await.unwrap();
}

#[tokio::test]
async fn a_crash_before_a_commit_loses_its_verbs_and_one_after_it_none() {
    for (step, survivors) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
        let (status, left) = left_by(step).await.unwrap();
        assert!(!status.success(), "step {step}");
        assert_eq!(left, survivors, "step {step}");
    }
    for step in [0, 5] {
        let (status, left) = left_by(step).await.unwrap();
        assert!(status.success(), "step {step}");
        assert_eq!(left, 2, "step {step}");
    }
}
