//! Requests and runs over a connection that works, breaks, or talks too much.

use std::time::Duration;

use anyhow::{Context, Result};
use gateway::{AgentReply, Rejection, RequestError, RunStatus, Status, Waited};
use model::RunId;
use serde_json::{Value, json};

use crate::peer::{Client, Server, question, within};

fn accepted(key: &str) -> Value {
    json!({"runId": key, "status": "accepted", "acceptedAt": 1_795_221_675_588_i64})
}

fn said(key: &str, text: &str) -> Value {
    json!({
        "runId": key, "status": "ok", "summary": "completed",
        "result": {"payloads": [{"text": text, "mediaUrl": null}], "meta": {"stopReason": "stop"}},
    })
}

async fn connected() -> Result<(Server, Client, crate::peer::Peer)> {
    let server = Server::bind().await?;
    let client = Client::open(server.options()?);
    let peer = server.welcome().await?;
    client.gateway.ready().await;
    Ok((server, client, peer))
}

fn rejection(error: RequestError) -> Result<Rejection> {
    match error {
        RequestError::Rejected(rejection) => Ok(rejection),
        RequestError::NotConnected
        | RequestError::Lost
        | RequestError::Deadline
        | RequestError::TooLarge { .. } => anyhow::bail!("{error:?}"),
    }
}

#[tokio::test]
async fn a_question_gets_both_answers() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        let asked = question("k1")?;
        let (reply, request) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            peer.respond(&request, accepted("k1")).await?;
            anyhow::Ok(request)
        });
        let request = request?;
        assert_eq!(request["params"]["message"], "question k1");
        let AgentReply::Accepted(mut run) = reply? else {
            anyhow::bail!("not accepted")
        };
        assert_eq!(run.id().as_str(), "k1");
        assert_eq!(
            run.accepted_at().map(|at| at.as_millis()),
            Some(1_795_221_675_588)
        );
        peer.event("agent", json!({"runId": "k1", "stream": "lifecycle"}))
            .await?;
        peer.respond(&request, said("k1", "hello")).await?;
        let result = run.finished().await?;
        assert!(result.ok);
        assert_eq!(
            (result.status, result.payloads[0].text.as_str()),
            (RunStatus::Ok, "hello")
        );
        assert_eq!(
            run.finished().await,
            Err(RequestError::Lost),
            "a result is given once"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g1_rejected_request_is_an_error() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        let asked = question("k1")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            let details = json!({"code": "MISSING_SCOPE"});
            let error = json!({
                "code": "FORBIDDEN", "message": "missing scope: operator.write", "details": details,
                "retryable": false,
            });
            peer.fail(&request, error).await
        });
        served?;
        let rejection = rejection(reply.err().context("taken for a success")?)?;
        assert_eq!(rejection.code, "FORBIDDEN");
        assert_eq!(rejection.detail_code.as_deref(), Some("MISSING_SCOPE"));
        assert!(
            rejection
                .to_string()
                .contains("missing scope: operator.write")
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g4_answer_without_ok_or_error_is_a_rejection() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        for answer in [
            json!({"ok": false}),
            json!({}),
            json!({"ok": false, "error": null}),
        ] {
            let asked = question("k1")?;
            let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
                let request = peer.receive().await?;
                let mut frame = answer.clone();
                (frame["type"], frame["id"]) = ("res".into(), request["id"].clone());
                peer.send(frame).await
            });
            served?;
            let rejection = rejection(reply.err().context("taken for a success")?)?;
            assert_eq!(rejection, Rejection::default(), "{answer}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g2_restart_says_what_may_be_repeated_and_reconnects() -> Result<()> {
    within(async {
        let (server, client, mut peer) = connected().await?;
        let first = client.gateway.ready().await;
        let asked = question("k1")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            peer.respond(&request, accepted("k1")).await
        });
        served?;
        let AgentReply::Accepted(mut run) = reply? else {
            anyhow::bail!("not accepted")
        };
        let unanswered = question("k2")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&unanswered), async {
            peer.receive().await?;
            peer.close(1012, "service restart").await
        });
        served?;
        assert_eq!(reply.err(), Some(RequestError::Lost));
        assert_eq!(run.finished().await, Err(RequestError::Lost));
        let down = question("k3")?;
        client
            .status(|status| (!matches!(status, Status::Connected(_))).then_some(()))
            .await?;
        assert_eq!(
            client.gateway.agent(&down).await.err(),
            Some(RequestError::NotConnected)
        );

        let mut peer = server
            .welcome_as("2026.9.6", json!({"server": {"bootId": "boot-2"}}))
            .await?;
        let second = client.gateway.ready().await;
        assert!(second.after_restart && !second.boot.same_as(&first.boot));
        let (reply, served) = tokio::join!(client.gateway.agent(&down), async {
            let request = peer.receive().await?;
            peer.respond(&request, said("k3", "late")).await
        });
        served?;
        let AgentReply::Finished(result) = reply? else {
            anyhow::bail!("not finished")
        };
        assert_eq!(result.payloads[0].text, "late");
        assert_eq!(client.gateway.counters().connections, 2);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g10_a_late_answer_is_never_taken_for_another() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let mut options = server.options()?;
        options.timing.request = Duration::from_millis(300);
        let client = Client::open(options);
        let mut peer = server.welcome().await?;
        client.gateway.ready().await;
        let slow = question("slow")?;
        assert_eq!(
            client.gateway.agent(&slow).await.err(),
            Some(RequestError::Deadline)
        );
        let late = peer.receive().await?;

        let next = question("next")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&next), async {
            let request = peer.receive().await?;
            peer.respond(&late, said("slow", "for the first question"))
                .await?;
            peer.respond(&request, said("next", "for the second question"))
                .await
        });
        served?;
        let AgentReply::Finished(result) = reply? else {
            anyhow::bail!("not finished")
        };
        assert_eq!(result.payloads[0].text, "for the second question");
        assert_eq!(client.gateway.counters().unmatched, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn answers_out_of_order_reach_their_questions() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        let (one, two) = (question("one")?, question("two")?);
        let (first, second, served) = tokio::join!(
            client.gateway.agent(&one),
            client.gateway.agent(&two),
            async {
                let requests = [peer.receive().await?, peer.receive().await?];
                for request in requests.iter().rev() {
                    let key = request["params"]["idempotencyKey"]
                        .as_str()
                        .unwrap_or_default();
                    peer.respond(request, said(key, key)).await?;
                }
                anyhow::Ok(())
            }
        );
        served?;
        for (reply, key) in [(first?, "one"), (second?, "two")] {
            let AgentReply::Finished(result) = reply else {
                anyhow::bail!("not finished")
            };
            assert_eq!(
                (result.run.as_str(), result.payloads[0].text.as_str()),
                (key, key)
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn frames_that_are_no_frames_are_counted_and_the_next_answer_still_comes() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        peer.send_text("not JSON, but somebody's words").await?;
        peer.send_text(r#"{"type":"res","id":7,"#).await?;
        peer.send_text(r#"{"type":"novelty","payload":{}}"#).await?;
        peer.send_binary(b"\x00\x01").await?;
        peer.send(json!({"type": "res", "id": "nobody", "ok": true, "payload": {}}))
            .await?;
        let asked = question("k1")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            peer.respond(&request, said("k1", "still here")).await
        });
        served?;
        assert!(matches!(reply?, AgentReply::Finished(_)));
        let counters = client.gateway.counters();
        let counted = (
            counters.malformed,
            counters.unknown,
            counters.unmatched,
            counters.connections,
        );
        assert_eq!(counted, (2, 2, 1, 1));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_not_sent() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let mut peer = server
            .welcome_as("2026.9.6", json!({"policy": {"maxPayload": 400}}))
            .await?;
        client.gateway.ready().await;
        let mut large = question("large")?;
        large.text = "x".repeat(400);
        let error = client.gateway.agent(&large).await.err().context("sent")?;
        assert!(
            matches!(
                error,
                RequestError::TooLarge {
                    size: 401..,
                    limit: 400
                }
            ),
            "{error:?}"
        );
        let small = question("small")?;
        let (reply, served) = tokio::join!(client.gateway.agent(&small), async {
            let request = peer.receive().await?;
            anyhow::ensure!(request["params"]["idempotencyKey"] == "small");
            peer.respond(&request, said("small", "")).await
        });
        served?;
        assert!(reply.is_ok());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_gateway_that_shuts_down_still_gives_results_but_takes_no_questions() -> Result<()> {
    within(async {
        let (server, client, mut peer) = connected().await?;
        let asked = question("k1")?;
        let (reply, request) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            peer.respond(&request, accepted("k1")).await?;
            anyhow::Ok(request)
        });
        let (AgentReply::Accepted(mut run), request) = (reply?, request?) else {
            anyhow::bail!("not accepted")
        };
        peer.event(
            "shutdown",
            json!({"reason": "gateway stopping", "restartExpectedMs": 5}),
        )
        .await?;
        client
            .status(|status| (!matches!(status, Status::Connected(_))).then_some(()))
            .await?;
        let refused = question("k2")?;
        assert_eq!(
            client.gateway.agent(&refused).await.err(),
            Some(RequestError::NotConnected)
        );
        peer.respond(&request, said("k1", "drained")).await?;
        assert_eq!(run.finished().await?.payloads[0].text, "drained");
        peer.close(1012, "service restart").await?;
        let _peer = server.welcome().await?;
        assert!(client.gateway.ready().await.after_restart);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_forgotten() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        let asked = question("k1")?;
        let (reply, request) = tokio::join!(client.gateway.agent(&asked), async {
            let request = peer.receive().await?;
            peer.respond(&request, accepted("k1")).await?;
            anyhow::Ok(request)
        });
        drop(reply?);
        peer.event("tick", json!({})).await?;
        peer.respond(&request?, said("k1", "for nobody")).await?;
        let run = RunId::new("k1")?;
        let waited = client.gateway.wait(&run, Duration::from_millis(1));
        let (waited, served) = tokio::join!(waited, async {
            let request = peer.receive().await?;
            peer.respond(
                &request,
                json!({"runId": "k1", "status": "ok", "endedAt": 1}),
            )
            .await
        });
        served?;
        assert_eq!(waited?, Waited::Ended);
        assert_eq!(client.gateway.counters().unmatched, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_stopped_client_says_goodbye_and_refuses() -> Result<()> {
    within(async {
        let (_server, client, mut peer) = connected().await?;
        let (closed, ()) = tokio::join!(peer.closed(), client.stop());
        assert_eq!(closed?, Some(1000));
        assert!(matches!(*client.gateway.status().borrow(), Status::Closed));
        let asked = question("k1")?;
        assert_eq!(
            client.gateway.agent(&asked).await.err(),
            Some(RequestError::NotConnected)
        );
        Ok(())
    })
    .await
}
