//! What the log may contain.

use std::cell::RefCell;
use std::io;

use anyhow::Result;
use gateway::AgentReply;
use serde_json::json;

use crate::peer::{Client, Server, question, within};

thread_local! {
    /// What this thread logged: each test runs on a thread of its own, with everything that it starts.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs everything of ours, and of others what an operator sees.
///
/// For all threads: with a subscriber for one thread, another thread can switch a log line off for both, because
/// what is of interest is remembered per line.
fn log() -> Result<()> {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(|| ThreadLog)
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

#[tokio::test]
async fn g8_no_secret_and_no_message_is_logged() -> Result<()> {
    log()?;
    within(async {
        let folder = tempfile::tempdir()?;
        let server = Server::bind().await?;
        let mut options = server.options()?;
        options.device_token_file = Some(folder.path().join("device-token.json"));
        let client = Client::open(options);
        let error = json!({"code": "INVALID_REQUEST", "message": "unauthorized", "details": {"code": "AUTH_TOKEN_MISMATCH"}});
        for _ in 0..3 {
            server.refuse(error.clone(), (1008, "unauthorized")).await?;
        }
        let issued = json!({"auth": {"deviceToken": "issued-token"}});
        let mut peer = server.welcome_as("2026.9.6", issued).await?;
        client.gateway.ready().await;
        peer.send_text("private words that are no frame").await?;
        peer.send_text("more private words that are no frame").await?;
        peer.send(json!({"type": "novel", "text": "private words"})).await?;
        peer.event("chat", json!({"message": "private words"})).await?;
        let mut asked = question("k1")?;
        asked.text = "private words".to_owned();
        let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            let result = json!({"payloads": [{"text": "private words"}], "meta": {}});
            peer.respond(&request, json!({"runId": "k1", "status": "ok", "result": result})).await
        });
        served?;
        assert!(matches!(reply?, AgentReply::Finished(_)));
        client.stop().await;
        Ok(())
    })
    .await?;
    let log = LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned());
    for forbidden in ["private words", "shared-token", "issued-token"] {
        assert!(!log.contains(forbidden), "{forbidden} in {log}");
    }
    let times = |text: &str| log.matches(text).count();
    assert_eq!(times("connected to the gateway"), 1, "{log}");
    assert_eq!(
        times("the gateway cannot be used"),
        1,
        "a refusal is told once: {log}"
    );
    assert_eq!(
        times("a frame that is not JSON"),
        1,
        "a kind of bad frame is told once: {log}"
    );
    assert_eq!(times("a frame of an unknown kind"), 1, "{log}");
    Ok(())
}
