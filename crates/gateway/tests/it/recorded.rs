//! Frames of real gateways, replayed: every release is understood.

use anyhow::{Context, Result};
use gateway::{AgentReply, History, Role, RunResult, RunStatus, Waited};
use model::{RunId, SessionKey};
use serde_json::{Value, json};

use crate::peer::{Client, Peer, Server, question, recorded, within};

const RELEASES: [&str; 3] = ["2026.5.7", "2026.7.35", "2026.9.6"];

async fn connected(release: &str) -> Result<(Server, Client, Peer)> {
    let recorded = recorded(&format!("{release}/hello.json"))?;
    let server = Server::bind().await?;
    let client = Client::open(server.options()?);
    let mut peer = server.accept().await?;
    peer.send(recorded["challenge"].clone()).await?;
    let connect = peer.receive().await?;
    peer.replay(&connect, &recorded["hello"]).await?;
    client.gateway.ready().await;
    Ok((server, client, peer))
}

#[tokio::test]
async fn hellos() -> Result<()> {
    within(async {
        for (release, protocol, named) in [
            ("2026.5.7", 3, false),
            ("2026.7.35", 4, false),
            ("2026.8.1", 4, true),
            ("2026.9.6", 4, true),
        ] {
            let (_server, client, _peer) = connected(release).await?;
            let hello = client.gateway.ready().await;
            assert_eq!(
                (hello.version.as_str(), hello.protocol),
                (release, protocol)
            );
            assert_eq!(hello.scopes, ["operator.read", "operator.write"]);
            assert_eq!((hello.tick.as_secs(), hello.max_payload), (30, 26_214_400));
            assert!(
                hello.offers("agent") && hello.offers("agent.wait") && !hello.offers("config.set")
            );
            assert_eq!(
                hello.boot.to_string().starts_with("id:"),
                named,
                "{release}"
            );
            let recorded = recorded(&format!("{release}/hello.json"))?;
            let ts = recorded["challenge"]["payload"]["ts"]
                .as_i64()
                .context("ts")?;
            let uptime = recorded["hello"]["payload"]["snapshot"]["uptimeMs"]
                .as_u64()
                .context("uptime")?;
            assert!(
                (0..20_000).contains(&(hello.gateway_now().as_millis() - ts)),
                "{release}"
            );
            assert!(
                hello.uptime().as_millis() >= u128::from(uptime),
                "{release}"
            );
            assert_eq!(hello.attachments.is_some(), named, "{release}");
        }
        Ok(())
    })
    .await
}

/// Asks, and answers with the recorded frames; gives what `agent` ends with, and what `agent.wait` says.
async fn outcome(release: &str, case: &str) -> Result<(RunResult, Waited)> {
    let recorded = recorded(&format!("{release}/agent.json"))?[case].clone();
    let (_server, client, mut peer) = connected(release).await?;
    let asked = question("k1")?;
    let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
        let request = peer.receive().await?;
        for answer in recorded["answers"].as_array().context("no answers")? {
            peer.replay(&request, answer).await?;
        }
        anyhow::Ok(())
    });
    served?;
    let result = match reply? {
        AgentReply::Accepted(mut run) => run.finished().await?,
        AgentReply::Finished(result) => *result,
        AgentReply::InFlight(run) => anyhow::bail!("{run} is in flight"),
    };
    let waited = if recorded["wait"].is_null() {
        Waited::Ended
    } else {
        wait(&client, &mut peer, &result.run, &recorded["wait"]).await?
    };
    Ok((result, waited))
}

async fn wait(client: &Client, peer: &mut Peer, run: &RunId, answer: &Value) -> Result<Waited> {
    let waited = client
        .gateway
        .wait(run, std::time::Duration::from_millis(200));
    let (waited, served) = tokio::join!(waited, async {
        let request = peer.receive().await?;
        anyhow::ensure!(request["params"] == json!({"runId": run, "timeoutMs": 200}));
        peer.replay(&request, answer).await
    });
    served?;
    Ok(waited?)
}

fn texts(result: &RunResult) -> Vec<&str> {
    result
        .payloads
        .iter()
        .map(|payload| payload.text.as_str())
        .collect()
}

#[tokio::test]
async fn good_runs() -> Result<()> {
    within(async {
        for release in RELEASES {
            for case in ["basic", "resend"] {
                let (result, waited) = outcome(release, case).await?;
                assert!(result.ok, "{release} {case}: {result:?}");
                assert_eq!(texts(&result), ["ECHO(hello agent method)"]);
                assert_eq!(
                    result.final_visible_text.as_deref(),
                    Some("ECHO(hello agent method)")
                );
                assert_eq!(result.stop_reason.as_deref(), Some("stop"));
                assert!(
                    result.session_id.is_some() && result.error.is_none(),
                    "{result:?}"
                );
                let jsonl = result
                    .session_file
                    .as_deref()
                    .unwrap_or_default()
                    .ends_with(".jsonl");
                assert_eq!(jsonl, release != "2026.9.6");
                assert_eq!(waited, Waited::Ended);
            }
            let (tools, _) = outcome(release, "tools").await?;
            assert_eq!(
                tools.payloads.last().map(|said| said.text.as_str()),
                Some("Final text after 2 tools.")
            );
            assert_eq!(
                tools.payloads.len(),
                if release == "2026.5.7" { 3 } else { 1 }
            );
            let (media, _) = outcome(release, "media").await?;
            assert_eq!(
                (texts(&media), &media.payloads[0].media),
                (vec!["Here is a pic"], &vec!["./pic.png".to_owned()])
            );
            let (tags, _) = outcome(release, "tags").await?;
            assert!(tags.payloads[0].audio_as_voice, "{release}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn runs_that_failed_are_never_ok() -> Result<()> {
    within(async {
        for release in RELEASES {
            let mut cases = vec!["error", "empty"];
            // Not recorded on 2026.5.7.
            cases.extend((release != "2026.5.7").then_some("timeout"));
            for case in cases {
                let (result, waited) = outcome(release, case).await?;
                assert!(!result.ok, "{release} {case}: {result:?}");
                assert!(
                    result.error.is_some() || result.error_kind.is_some(),
                    "{release} {case}"
                );
                assert_eq!(waited, Waited::Ended, "{release} {case}");
            }
            let (error, _) = outcome(release, "error").await?;
            assert_eq!(
                (error.status, error.error_code.as_deref()),
                (RunStatus::Error, Some("UNAVAILABLE"))
            );
            let (silent, _) = outcome(release, "noreply").await?;
            assert_eq!(silent.final_raw_text.as_deref(), Some("NO_REPLY"));
            let (cut, _) = outcome(release, "length").await?;
            assert_eq!(cut.ok, release != "2026.7.35", "{release}");
        }
        let (unfinished, _) = outcome("2026.7.35", "empty").await?;
        assert_eq!(
            (unfinished.status, unfinished.error_kind.as_deref()),
            (RunStatus::Ok, Some("incomplete_turn"))
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn runs_that_go_on_and_runs_that_are_unknown() -> Result<()> {
    within(async {
        for release in RELEASES {
            let cases = recorded(&format!("{release}/agent.json"))?;
            let (_server, client, mut peer) = connected(release).await?;
            let unknown = RunId::new("k0")?;
            let waited = wait(&client, &mut peer, &unknown, &cases["unknown_run"]["wait"]).await?;
            assert_eq!(waited, Waited::Running, "{release}");
            let Some(recorded) = cases.get("in_flight") else {
                continue;
            };
            let asked = question("k1")?;
            let (reply, served) = tokio::join!(client.gateway.agent(&asked), async {
                let request = peer.receive().await?;
                peer.replay(&request, &recorded["answers"][0]).await
            });
            served?;
            assert!(matches!(reply?, AgentReply::InFlight(_)), "{release}");
        }
        Ok(())
    })
    .await
}

async fn history(release: &str, case: &str) -> Result<History> {
    let answer = recorded(&format!("{release}/history.json"))?[case].clone();
    let (_server, client, mut peer) = connected(release).await?;
    let session = SessionKey::new("main-wa-15551234567")?;
    let (history, served) = tokio::join!(client.gateway.history(&session, 50), async {
        let request = peer.receive().await?;
        peer.replay(&request, &answer).await
    });
    served?;
    Ok(history?)
}

#[tokio::test]
async fn histories() -> Result<()> {
    within(async {
        for release in RELEASES {
            let history = history(release, "agent").await?;
            let said: Vec<(Role, String)> = history
                .rows
                .iter()
                .map(|row| (row.role, row.text()))
                .collect();
            let expected = ["ag first SLEEP3000", "ag second", "ag third"]
                .iter()
                .flat_map(|text| {
                    [
                        (Role::User, (*text).to_owned()),
                        (Role::Assistant, format!("ECHO({text})")),
                    ]
                });
            assert_eq!(said, expected.collect::<Vec<_>>(), "{release}");
            assert!(
                history
                    .rows
                    .iter()
                    .all(|row| row.id.is_some() && row.at.is_some() && !row.recovery)
            );
            assert_eq!(
                history
                    .rows
                    .iter()
                    .all(|row| row.run.is_some() || row.role == Role::User),
                release == "2026.9.6"
            );
            assert_eq!(history.active, (release != "2026.5.7").then_some(false));
            assert!(!history.pending_resume);
        }
        let key = "366538fd-3064-4b05-a933-fc304effd4f0";
        let newest = history("2026.9.6", "agent").await?;
        assert!(newest.rows[0].asked_under(&model::IdempotencyKey::new(key)?));
        assert!(!newest.rows[2].asked_under(&model::IdempotencyKey::new(key)?));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn histories_after_a_killed_gateway() -> Result<()> {
    within(async {
        for release in RELEASES {
            for case in ["killed_chat", "killed_agent"] {
                let history = history(release, case).await?;
                let resumed: Vec<_> = history.rows.iter().filter(|row| row.recovery).collect();
                assert_eq!(resumed.len(), 1, "{release} {case}: {:?}", history.rows);
                assert_eq!(resumed[0].role, Role::User);
            }
        }
        let running = history("2026.9.6", "killed_chat").await?;
        assert_eq!((running.active, running.pending_resume), (Some(true), true));
        assert_eq!(
            running.active_runs,
            [RunId::new("918588c8-3a1f-44ae-99d6-5f4c96414148")?]
        );
        for (release, active) in [
            ("2026.5.7", None),
            ("2026.7.35", Some(true)),
            ("2026.9.6", Some(true)),
        ] {
            let preparing = history(release, "preparing").await?;
            assert_eq!(
                (preparing.rows.len(), preparing.active),
                (0, active),
                "{release}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn histories_keep_tools_and_errors_apart() -> Result<()> {
    within(async {
        for release in RELEASES {
            let history = history(release, "tools").await?;
            let last = history.rows.last().context("no rows")?;
            assert_eq!(
                (last.role, last.text().as_str()),
                (Role::Assistant, "Final text after 2 tools."),
                "{release}"
            );
            assert_eq!(last.stop_reason.as_deref(), Some("stop"));
            assert!(
                history.rows.iter().any(|row| row.role == Role::ToolResult),
                "{release}"
            );
        }
        Ok(())
    })
    .await
}
