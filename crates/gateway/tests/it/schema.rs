//! What we send is what the gateway's own contract allows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use model::{RunId, SessionKey};
use serde_json::{Value, json};

use crate::peer::{Client, Server, hello, question, recorded, within};

/// All requests that the client ever makes, as sent to `version`.
async fn sent(version: &str) -> Result<Vec<Value>> {
    let server = Server::bind().await?;
    let client = Client::open(server.options()?);
    let mut peer = server.accept().await?;
    peer.challenge().await?;
    let connect = peer.receive().await?;
    peer.respond(&connect, hello(version)).await?;
    client.gateway.ready().await;
    let mut full = question("k1")?;
    full.extra_system_prompt = Some("The sender is on WhatsApp.".to_owned());
    full.timeout = Some(Duration::from_secs(600));
    let (run, session) = (RunId::new("k1")?, SessionKey::new("main")?);
    // None is answered: only the requests matter here.
    let asking = async {
        tokio::join!(
            client.gateway.agent(&full),
            client.gateway.wait(&run, Duration::from_secs(25)),
            client.gateway.history(&session, 5000),
        )
    };
    let receiving = async {
        anyhow::Ok([
            peer.receive().await?,
            peer.receive().await?,
            peer.receive().await?,
        ])
    };
    let requests = tokio::select! {
        requests = receiving => requests?,
        answers = asking => anyhow::bail!("answered: {answers:?}"),
    };
    Ok([connect].into_iter().chain(requests).collect())
}

fn validator(contract: &Value, definition: &str) -> Result<Validator> {
    let schema = json!({
        "$schema": contract["$schema"],
        "definitions": contract["definitions"],
        "$ref": format!("#/definitions/{definition}"),
    });
    Ok(jsonschema::validator_for(&schema)?)
}

fn check(contract: &Value, definition: &str, value: &Value) -> Result<()> {
    let validator = validator(contract, definition)?;
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    ensure!(errors.is_empty(), "{definition}: {errors:?} in {value}");
    Ok(())
}

#[tokio::test]
async fn our_frames_satisfy_the_contract_of_2026_9_1() -> Result<()> {
    let contract = recorded("protocol/2026.9.1.json")?;
    within(async {
        let frames = sent("2026.9.1").await?;
        for frame in &frames {
            let params = match frame["method"].as_str().context("no method")? {
                "connect" => "ConnectParams",
                "agent" => "AgentParams",
                "agent.wait" => "AgentWaitParams",
                "chat.history" => "ChatHistoryParams",
                other => anyhow::bail!("{other} is not checked"),
            };
            check(&contract, "RequestFrame", frame)?;
            check(&contract, params, &frame["params"])?;
        }
        ensure!(frames.len() == 4);
        let bogus = json!({"message": "x", "idempotencyKey": "k", "bogus": 1});
        ensure!(
            check(&contract, "AgentParams", &bogus).is_err(),
            "the contract is closed"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn older_releases_get_no_parameter_that_they_do_not_know() -> Result<()> {
    let releases = recorded("protocol/parameters.json")?;
    within(async {
        for (release, methods) in releases.as_object().context("no releases")? {
            for frame in sent(release).await? {
                let known = &methods[frame["method"].as_str().context("no method")?];
                let known = known.as_array().context("unknown method")?;
                let names = frame["params"].as_object().context("no parameters")?.keys();
                let unknown: Vec<_> = names
                    .filter(|name| !known.iter().any(|known| known == *name))
                    .collect();
                ensure!(unknown.is_empty(), "{release}: {unknown:?} in {frame}");
            }
        }
        Ok(())
    })
    .await
}
