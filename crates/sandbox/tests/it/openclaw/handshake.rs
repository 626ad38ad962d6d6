//! Who is let in, and how the others are turned away.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::SinkExt as _;
use sandbox::openclaw::{ConnectFault, Options, Release};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_tungstenite::tungstenite::Message;

use super::{Client, End, TOKEN, connect_params, options, question, world};

/// Connects with these parameters; gives the answer and how it ended, if it did.
async fn refused(client: &mut Client, params: Value) -> (Value, End) {
    let id = client.send("connect", params).await;
    let answer = client.response(&id).await;
    let end = client.end().await;
    (answer, end)
}

#[tokio::test]
async fn g6_each_release_takes_the_recorded_protocol_ranges() {
    let ranges = [(3, 4), (4, 4), (3, 3), (4, 5), (5, 5), (1, 9)];
    for release in Release::ALL {
        let world = world(options(release)).await;
        for (min, max) in ranges {
            let mut client = Client::open(&world.gateway).await;
            client.challenge().await;
            let mut params = connect_params(TOKEN);
            params["minProtocol"] = json!(min);
            params["maxProtocol"] = json!(max);
            let id = client.send("connect", params).await;
            let answer = client.response(&id).await;
            let fits = (min..=max).contains(&release.protocol());
            assert_eq!(answer["ok"], fits, "{release:?} {min}..{max}");
            if !fits {
                let details = &answer["error"]["details"];
                assert_eq!(details["expectedProtocol"], release.protocol());
                let end = client.end().await;
                assert_eq!(end, End::Closed(1002, "protocol mismatch".to_owned()));
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_connect_is_closed_with_the_recorded_codes() {
    let world = world(options(Release::V2026_9_6)).await;
    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    client.socket.send(Message::text("not json")).await.unwrap();
    assert_eq!(client.end().await, End::Closed(1000, String::new()));

    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let id = client.send("health", json!({})).await;
    let answer = client.response(&id).await;
    let message = "invalid handshake: first request must be connect";
    assert_eq!(answer["error"]["message"], message);
    assert_eq!(client.end().await, End::Closed(1008, message.to_owned()));

    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let long = "x".repeat(70_000);
    client.socket.send(Message::text(long)).await.unwrap();
    assert_eq!(client.end().await, End::Closed(1009, String::new()));

    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let mut params = connect_params(TOKEN);
    params["client"]["id"] = json!("kapso");
    let (answer, end) = refused(&mut client, params).await;
    let message =
        "invalid connect params: at /client/id: must be equal to one of the allowed values";
    assert_eq!(answer["error"]["message"], message);
    assert_eq!(end, End::Closed(1008, message.to_owned()));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_none_asks_for_a_device() {
    let world = world(options(Release::V2026_7_35)).await;
    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let (answer, end) = refused(&mut client, connect_params("wrong")).await;
    assert_eq!(answer["error"]["details"]["code"], "AUTH_TOKEN_MISMATCH");
    assert!(matches!(end, End::Closed(1008, _)));

    let mut client = Client::open(&world.gateway).await;
    client.challenge().await;
    let mut params = connect_params("");
    params.as_object_mut().unwrap().remove("auth");
    let (answer, _) = refused(&mut client, params).await;
    assert_eq!(answer["error"]["code"], "NOT_PAIRED");
    assert_eq!(
        answer["error"]["details"]["code"],
        "DEVICE_IDENTITY_REQUIRED"
    );
}

/// Parameters with a device that signed the challenge.
fn with_device(challenge: &Value, auth: &Value, token: &str) -> Value {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let id = hex::encode(Sha256::digest(public));
    let (nonce, at) = (&challenge["payload"]["nonce"], &challenge["payload"]["ts"]);
    let payload = format!(
        "v3|{id}|gateway-client|backend|operator|operator.read,operator.write|{at}|{token}|{}|linux|",
        nonce.as_str().unwrap()
    );
    let mut params = connect_params(TOKEN);
    params["auth"] = auth.clone();
    params["device"] = json!({
        "id": id,
        "publicKey": URL_SAFE_NO_PAD.encode(public),
        "signature": URL_SAFE_NO_PAD.encode(key.sign(payload.as_bytes()).to_bytes()),
        "signedAt": at,
        "nonce": nonce,
    });
    params
}

#[tokio::test]
async fn g7_a_remote_device_is_approved_once_and_gets_its_token() {
    let world = world(Options {
        remote: true,
        ..options(Release::V2026_9_6)
    })
    .await;
    let shared = json!({ "token": TOKEN });
    let mut requests = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(&world.gateway).await;
        let challenge = client.challenge().await;
        let (answer, end) = refused(&mut client, with_device(&challenge, &shared, TOKEN)).await;
        assert_eq!(answer["error"]["code"], "NOT_PAIRED");
        let request = answer["error"]["details"]["requestId"]
            .as_str()
            .unwrap()
            .to_owned();
        let reason = format!("pairing required: device is not approved yet (requestId: {request})");
        assert_eq!(end, End::Closed(1008, reason));
        requests.push(request);
    }
    assert_eq!(requests[0], requests[1]);
    assert_eq!(world.gateway.pending_devices(), requests[..1]);
    assert!(world.gateway.approve(&requests[0]));

    let mut client = Client::open(&world.gateway).await;
    let challenge = client.challenge().await;
    let hello = client
        .ask("connect", with_device(&challenge, &shared, TOKEN))
        .await;
    let token = hello["payload"]["auth"]["deviceToken"]
        .as_str()
        .unwrap()
        .to_owned();

    let mut client = Client::open(&world.gateway).await;
    let challenge = client.challenge().await;
    let own = json!({ "deviceToken": token });
    let hello = client
        .ask("connect", with_device(&challenge, &own, &token))
        .await;
    assert_eq!(hello["payload"]["auth"]["method"], "device-token");
    assert_eq!(
        hello["payload"]["auth"]["scopes"],
        json!(["operator.read", "operator.write"])
    );
}

#[tokio::test]
async fn a_signature_of_something_else_is_refused() {
    let world = world(options(Release::V2026_5_7)).await;
    let mut client = Client::open(&world.gateway).await;
    let challenge = client.challenge().await;
    let auth = json!({ "token": TOKEN });
    let (answer, _) = refused(&mut client, with_device(&challenge, &auth, "another")).await;
    assert_eq!(
        answer["error"]["details"]["code"],
        "DEVICE_AUTH_SIGNATURE_INVALID"
    );
}

#[tokio::test]
async fn without_scopes_every_request_is_refused_in_the_words_of_the_release() {
    for release in Release::ALL {
        let world = world(options(release)).await;
        world.gateway.fail_connect(1, ConnectFault::EmptyScopes);
        let mut client = Client::connect(&world.gateway).await;
        let (_, refusal) = client.accepted(question("s", "k", "x")).await;
        assert_eq!(refusal["error"]["message"], "missing scope: operator.write");
        let code = if release == Release::V2026_9_6 {
            "FORBIDDEN"
        } else {
            "INVALID_REQUEST"
        };
        assert_eq!(refusal["error"]["code"], code);
        let refusal = client.ask("chat.history", json!({"sessionKey": "s"})).await;
        assert_eq!(refusal["error"]["message"], "missing scope: operator.read");
    }
}
