//! Commands of the gateway by `chat.send`: asked on a request, ended by an event.

use std::time::Duration;

use anyhow::{Result, bail};
use gateway::{CommandReply, RequestError, Timing};
use model::{IdempotencyKey, SessionKey};
use serde_json::{Value, json};

use crate::peer::{Client, Peer, Server, within};

/// A connection to `version`, on which commands may take `limit`.
async fn connected(version: &str, limit: Duration) -> Result<(Server, Client, Peer)> {
    let server = Server::bind().await?;
    let mut options = server.options()?;
    options.timing = Timing {
        command: limit,
        ..options.timing
    };
    let client = Client::open(options);
    let peer = server.welcome_as(version, json!({})).await?;
    client.gateway.ready().await;
    Ok((server, client, peer))
}

async fn give(client: &Client, command: &str) -> Result<Result<CommandReply, RequestError>> {
    let session = SessionKey::new("main-wa-15551234567")?;
    let key = IdempotencyKey::new("k1")?;
    Ok(client.gateway.command(&session, command, &key).await)
}

/// The client's next request, as far as it may be: `chat.send` with nothing that a release would not know.
async fn chat_send(peer: &mut Peer, command: &str) -> Result<Value> {
    let request = peer.receive().await?;
    assert_eq!(request["method"], "chat.send");
    let expected = json!({
        "sessionKey": "agent:main:main-wa-15551234567", "message": command, "idempotencyKey": "k1",
    });
    assert_eq!(request["params"], expected);
    Ok(request)
}

fn chat(run: &str, state: &str, text: &str) -> Value {
    json!({
        "runId": run, "sessionKey": "agent:main:main-wa-15551234567", "seq": 2, "state": state,
        "message": {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": 1},
    })
}

fn started() -> Value {
    json!({"runId": "k1", "status": "started"})
}

#[tokio::test]
async fn a_command_is_sent_word_for_word_and_its_reply_comes_as_an_event() -> Result<()> {
    within(async {
        for version in ["2026.5.7", "2026.7.35", "2026.9.6"] {
            let (_server, client, mut peer) = connected(version, Duration::from_secs(10)).await?;
            let (reply, told) = tokio::join!(give(&client, "/status"), async {
                let request = chat_send(&mut peer, "/status").await?;
                peer.event("chat", chat("another", "final", "not ours"))
                    .await?;
                peer.respond(&request, started()).await?;
                peer.event("chat", chat("k1", "delta", "half")).await?;
                peer.event("chat", chat("k1", "final", "whole")).await
            });
            told?;
            assert_eq!(reply??, CommandReply::Text("whole".to_owned()), "{version}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_end_that_overtakes_the_answer_is_kept() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected("2026.9.6", Duration::from_secs(10)).await?;
        let (reply, told) = tokio::join!(give(&client, "/help"), async {
            let request = chat_send(&mut peer, "/help").await?;
            peer.event("chat", chat("k1", "final", "early")).await?;
            peer.respond(&request, started()).await
        });
        told?;
        assert_eq!(reply??, CommandReply::Text("early".to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_says_nothing_is_no_error() -> Result<()> {
    let silent = json!({"runId": "k1", "sessionKey": "main", "state": "final"});
    let aborted = json!({"ok": true, "aborted": true, "runIds": ["other"]});
    let known = json!({"runId": "k1", "status": "ok"});
    within(async {
        for (answer, event) in [(started(), Some(silent)), (aborted, None), (known, None)] {
            let (_server, client, mut peer) =
                connected("2026.7.35", Duration::from_secs(10)).await?;
            let (reply, told) = tokio::join!(give(&client, "/new"), async {
                let request = chat_send(&mut peer, "/new").await?;
                peer.respond(&request, answer).await?;
                match event {
                    Some(event) => peer.event("chat", event).await,
                    None => Ok(()),
                }
            });
            told?;
            assert_eq!(reply??, CommandReply::Nothing);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_refused_and_a_failed_command_are_rejections() -> Result<()> {
    let failed = json!({"runId": "k1", "state": "error", "errorMessage": "no such level"});
    let refused = json!({"code": "INVALID_REQUEST", "message": "missing scope: operator.write"});
    within(async {
        for (refusal, message) in [
            (Some(refused), "missing scope: operator.write"),
            (None, "no such level"),
        ] {
            let (_server, client, mut peer) =
                connected("2026.9.6", Duration::from_secs(10)).await?;
            let (reply, told) = tokio::join!(give(&client, "/think high x"), async {
                let request = chat_send(&mut peer, "/think high x").await?;
                if let Some(refusal) = refusal {
                    return peer.fail(&request, refusal).await;
                }
                peer.respond(&request, started()).await?;
                peer.event("chat", failed.clone()).await
            });
            told?;
            let Err(RequestError::Rejected(rejection)) = reply? else {
                bail!("not rejected: {message}")
            };
            assert_eq!(rejection.message, message);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_command_without_an_end_is_given_up() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected("2026.9.6", Duration::from_millis(50)).await?;
        let (reply, told) = tokio::join!(give(&client, "/compact"), async {
            let request = chat_send(&mut peer, "/compact").await?;
            peer.respond(&request, started()).await
        });
        told?;
        assert_eq!(reply?, Err(RequestError::Deadline));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_lost_connection_ends_the_wait() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected("2026.9.6", Duration::from_secs(10)).await?;
        let (reply, told) = tokio::join!(give(&client, "/status"), async {
            let request = chat_send(&mut peer, "/status").await?;
            peer.respond(&request, started()).await?;
            peer.close(1012, "service restart").await
        });
        told?;
        assert_eq!(reply?, Err(RequestError::Lost));
        Ok(())
    })
    .await
}
