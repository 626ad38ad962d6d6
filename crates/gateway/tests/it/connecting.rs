//! From the address to the accepted connection, and everything that can stand between.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use gateway::{GatewayUrl, Reason, Refusal, Status, probe};
use serde_json::{Value, json};

use crate::peer::{CHALLENGED_AT, Client, NONCE, Server, hello, recorded, within};

fn refused(status: &Status) -> Option<Refusal> {
    match status {
        Status::Refused { refusal, .. } => Some(refusal.clone()),
        Status::Connecting { .. } | Status::Connected(_) | Status::Closed => None,
    }
}

#[tokio::test]
async fn g3_only_the_response_to_connect_decides() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let mut peer = server.accept().await?;
        peer.event("tick", json!({})).await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        peer.event("health", json!({"ok": true})).await?;
        let stranger = json!({"id": "somebody-else"});
        peer.respond(&stranger, hello("2026.9.6")).await?;
        let recorded = &recorded("2026.9.6/refusals.json")?["wrong_token"];
        peer.replay(&connect, &recorded["answer"]).await?;
        let refusal = client.status(refused).await?;
        assert_eq!(refusal.reason, Reason::WrongToken);
        assert_eq!(refusal.code, "AUTH_TOKEN_MISMATCH");
        assert!(
            refusal.remedy().contains("gateway.token"),
            "{}",
            refusal.remedy()
        );
        assert_eq!(client.gateway.counters().connections, 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g6_protocol_mismatch_names_both_sides_and_is_retried() -> Result<()> {
    within(async {
        for release in ["2026.9.6", "2026.5.7"] {
            let server = Server::bind().await?;
            let client = Client::open(server.options()?);
            let mut answer =
                recorded(&format!("{release}/refusals.json"))?["protocol"]["answer"].clone();
            answer["error"]["details"]["expectedProtocol"] = 9.into();
            server
                .refuse(answer["error"].clone(), (1002, "protocol mismatch"))
                .await?;
            let refusal = client.status(refused).await?;
            assert_eq!(
                refusal.reason,
                Reason::ProtocolMismatch { theirs: Some(9) },
                "{release}"
            );
            let text = refusal.to_string();
            assert!(
                text.contains("protocol 9") && text.contains("3 to 4"),
                "{text}"
            );
            let _peer = server.welcome().await?;
            client.gateway.ready().await;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g6_a_range_is_offered_and_a_protocol_outside_it_is_refused() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let mut peer = server.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        let offered = (
            &connect["params"]["minProtocol"],
            &connect["params"]["maxProtocol"],
        );
        assert_eq!(offered, (&json!(3), &json!(4)));
        let mut newer = hello("2026.9.6");
        newer["protocol"] = 5.into();
        peer.respond(&connect, newer).await?;
        let refusal = client.status(refused).await?;
        assert_eq!(refusal.reason, Reason::ProtocolMismatch { theirs: Some(5) });
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g7_least_scopes_a_signature_and_no_origin() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let options = server.options()?;
        let device = options.device.clone();
        let _client = Client::open(options);
        let mut peer = server.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        let params = &connect["params"];
        assert!(!peer.headers.contains_key("origin"));
        assert_eq!(params["scopes"], json!(["operator.read", "operator.write"]));
        assert_eq!(params["client"]["id"], "gateway-client");
        assert_eq!(params["client"]["mode"], "backend");
        let proof = &params["device"];
        assert_eq!((&proof["nonce"], &proof["signedAt"]), (&json!(NONCE), &json!(CHALLENGED_AT)));
        assert_eq!(proof["id"], device.id());
        let signed = format!(
            "v3|{}|gateway-client|backend|operator|operator.read,operator.write|{CHALLENGED_AT}|shared-token|{NONCE}|{}|",
            device.id(),
            std::env::consts::OS,
        );
        verify(proof, &signed)
    })
    .await
}

fn verify(proof: &Value, signed: &str) -> Result<()> {
    let bytes = |field: &str| {
        let text = proof[field].as_str().with_context(|| field.to_owned())?;
        anyhow::Ok(URL_SAFE_NO_PAD.decode(text)?)
    };
    let key: [u8; 32] = bytes("publicKey")?.as_slice().try_into()?;
    let signature: [u8; 64] = bytes("signature")?.as_slice().try_into()?;
    VerifyingKey::from_bytes(&key)?
        .verify(signed.as_bytes(), &Signature::from_bytes(&signature))?;
    Ok(())
}

#[tokio::test]
async fn g7_pairing_is_explained_and_the_issued_token_is_used() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir()?;
        let server = Server::bind().await?;
        let mut options = server.options()?;
        options.device_token_file = Some(folder.path().join("device-token.json"));
        let client = Client::open(options.clone());
        let pairing = &recorded("2026.9.6/refusals.json")?["pairing"];
        let error = pairing["answer"]["error"].clone();
        let id = error["details"]["requestId"]
            .as_str()
            .context("no id")?
            .to_owned();
        server.refuse(error, (1008, "pairing required")).await?;
        let refusal = client.status(refused).await?;
        assert_eq!(
            refusal.reason,
            Reason::PairingRequired {
                request_id: Some(id.clone())
            }
        );
        assert!(
            refusal
                .remedy()
                .contains(&format!("openclaw devices approve {id}"))
        );

        let issued = json!({"auth": {"deviceToken": "issued-token"}});
        let _approved = server.welcome_as("2026.9.6", issued).await?;
        client.gateway.ready().await;
        client.stop().await;
        let kept = std::fs::metadata(folder.path().join("device-token.json"))?;
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);

        options.token = None;
        let _client = Client::open(options);
        let mut peer = server.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        assert_eq!(connect["params"]["auth"], json!({"token": "issued-token"}));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g7_a_connection_without_scopes_is_not_taken_for_one() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let none = json!({"auth": {"scopes": []}});
        let _peer = server.welcome_as("2026.9.6", none).await?;
        let refusal = client.status(refused).await?;
        assert_eq!(
            refusal.reason,
            Reason::MissingScopes {
                granted: Vec::new()
            }
        );
        let only_read = json!({"auth": {"scopes": ["operator.read"]}});
        let _peer = server.welcome_as("2026.9.6", only_read).await?;
        let granted = vec!["operator.read".to_owned()];
        client
            .status(|status| {
                refused(status).filter(|refusal| {
                    refusal.reason
                        == Reason::MissingScopes {
                            granted: granted.clone(),
                        }
                })
            })
            .await?;
        let _peer = server.welcome().await?;
        client.gateway.ready().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_starting_gateway_is_waited_for() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let starting = &recorded("2026.9.6/refusals.json")?["starting"];
        let mut error = starting["answer"]["error"].clone();
        error["retryAfterMs"] = 3.into();
        server.refuse(error, (1013, "gateway starting")).await?;
        let last = client
            .status(|status| match status {
                Status::Connecting { last, .. } => last.clone(),
                Status::Connected(_) | Status::Refused { .. } | Status::Closed => None,
            })
            .await?;
        let retry_after = Some(std::time::Duration::from_millis(3));
        assert_eq!(last.reason, Reason::Starting { retry_after });
        let _peer = server.welcome().await?;
        client.gateway.ready().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn recorded_refusals_are_understood() -> Result<()> {
    within(async {
        for release in ["2026.5.7", "2026.7.35", "2026.9.6"] {
            let cases = recorded(&format!("{release}/refusals.json"))?;
            for (case, recorded) in cases.as_object().context("no cases")? {
                understood(&format!("{release} {case}"), case, recorded).await?;
            }
        }
        Ok(())
    })
    .await
}

async fn understood(name: &str, case: &str, recorded: &Value) -> Result<()> {
    let server = Server::bind().await?;
    let close = recorded["close"]["reason"].as_str().unwrap_or_default();
    let refuse = server.refuse(recorded["answer"]["error"].clone(), (1008, close));
    let (probed, served) = tokio::join!(probe(server.options()?), refuse);
    served?;
    let refusal = probed.err().context("accepted")?;
    let told = format!("{name}: {refusal:?}");
    assert!(
        !refusal.remedy().is_empty() && !refusal.message.is_empty(),
        "{told}"
    );
    let expected = match case {
        "protocol" => matches!(
            refusal.reason,
            Reason::ProtocolMismatch {
                theirs: Some(3 | 4)
            }
        ),
        "pairing" | "scope_upgrade" => {
            matches!(
                refusal.reason,
                Reason::PairingRequired {
                    request_id: Some(_)
                }
            )
        }
        "wrong_token" | "device_token_mismatch" => refusal.reason == Reason::WrongToken,
        // 2026.5.7 has no code of its own for a token of fewer scopes.
        "scope_mismatch" => matches!(
            refusal.reason,
            Reason::StaleDeviceToken | Reason::WrongToken
        ),
        "device_id_mismatch" | "device_identity_required" => {
            refusal.reason == Reason::DeviceRejected
        }
        "signature_expired" => refusal.reason == Reason::SignatureExpired,
        "starting" => matches!(
            refusal.reason,
            Reason::Starting {
                retry_after: Some(_)
            }
        ),
        _ => false,
    };
    assert!(expected, "{told}");
    Ok(())
}

#[tokio::test]
async fn a_close_without_an_answer_still_tells_why() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let text = "pairing required: device is not approved yet (requestId: 39a8b32d-7da2)";
        let (probed, served) = tokio::join!(probe(server.options()?), async {
            let mut peer = server.accept().await?;
            peer.challenge().await?;
            peer.receive().await?;
            peer.close(1008, text).await
        });
        served?;
        let refusal = probed.err().context("accepted")?;
        let request_id = Some("39a8b32d-7da2".to_owned());
        assert_eq!(refusal.reason, Reason::PairingRequired { request_id });
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_old_gateway_gets_the_old_signature() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let options = server.options()?;
        let device = options.device.clone();
        let client = Client::open(options);
        let error = json!({"code": "INVALID_REQUEST", "message": "device signature invalid"});
        server.refuse(error, (1008, "device signature invalid")).await?;
        let mut peer = server.accept().await?;
        peer.challenge().await?;
        let connect = peer.receive().await?;
        let signed = format!(
            "v2|{}|gateway-client|backend|operator|operator.read,operator.write|{CHALLENGED_AT}|shared-token|{NONCE}",
            device.id(),
        );
        verify(&connect["params"]["device"], &signed)?;
        let mut old = hello("2026.1.29");
        (old["protocol"], old["auth"]) = (3.into(), Value::Null);
        old["server"]["bootId"] = Value::Null;
        peer.respond(&connect, old).await?;
        let hello = client.gateway.ready().await;
        assert!(hello.scopes.is_empty(), "2026.1.29 does not say");
        assert!(hello.boot.to_string().starts_with("began:"), "{}", hello.boot);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_no_gateway_is_told_apart() -> Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    within(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = GatewayUrl::new(&format!("ws://{}", listener.local_addr()?))?;
        let server = Server::bind().await?;
        let mut options = server.options()?;
        options.url = url;
        for (status, soon) in [(403, false), (404, false), (502, true)] {
            let (probed, served) = tokio::join!(probe(options.clone()), async {
                let (mut socket, _) = listener.accept().await?;
                let mut request = [0; 2048];
                let _read = socket.read(&mut request).await?;
                let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
                socket.write_all(answer.as_bytes()).await?;
                anyhow::Ok(())
            });
            served?;
            let refusal = probed.err().context("accepted")?;
            assert_eq!(
                refusal.reason,
                Reason::NotAGateway {
                    status: Some(status)
                }
            );
            assert_eq!(refusal.remedy().contains("proxy"), status == 403, "{soon}");
        }
        drop(listener);
        let refusal = probe(options).await.err().context("accepted")?;
        assert_eq!(refusal.reason, Reason::Unreachable);
        Ok(())
    })
    .await
}
