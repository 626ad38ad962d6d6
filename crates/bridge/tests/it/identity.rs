//! Signed identity: who gets a token for which session, and that the public key alone proves it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Identity, Role};
use ring::signature::{ED25519, UnparsedPublicKey};
use sandbox::openclaw::Release;
use serde_json::{Value, json};

use crate::desk::{Desk, NOW};
use crate::operator::{ask, json};
use crate::push::get;
use crate::world::{ANN, AUDIENCE, BOB, ISSUER, NUMBER, STRANGER, World};

const ANNS: &str = "main-wa-15551234567";

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What a token says, if one of the keys has signed it: as a backend with another library checks it.
fn verified(jwks: &Value, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = read(header);
    let mut keys = jwks["keys"].as_array()?.iter();
    let key = keys.find(|key| key["kid"] == header["kid"] && key["alg"] == header["alg"])?;
    assert_eq!([&key["kty"], &key["crv"]], ["OKP", "Ed25519"]);
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str()?).ok()?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ED25519, public)
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    Some(read(claims))
}

fn identity(session: &str) -> String {
    format!(
        "/identity?session={}",
        session.replace('+', "%2B").replace(' ', "%20")
    )
}

/// The refusal's status and words.
async fn refused(desk: &Desk, session: &str) -> (u16, String) {
    let (status, said) = desk.ask("GET", &identity(session)).await;
    assert!(said.get("token").is_none(), "{said}");
    (status, said["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn whoever_speaks_in_a_session_is_proved_by_the_public_key_alone() {
    let world = World::new().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    let jwks = json(&world, "/jwks.json").await;
    let mut names = Vec::new();
    for session in [
        ANNS,
        "agent:main:main-wa-15551234567",
        "Agent:Main:MAIN-wa-15551234567",
    ] {
        let told = json(&world, &identity(session)).await;
        let token = told["token"].as_str().unwrap();
        let claims = verified(&jwks, token).unwrap();
        assert_eq!(claims, told["claims"]);
        let expected = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": ANN, "role": "member", "number": NUMBER,
            "session": "agent:main:main-wa-15551234567",
            "iat": claims["iat"], "nbf": claims["iat"], "exp": claims["iat"].as_i64().unwrap() + 300,
            "jti": claims["jti"],
        });
        assert_eq!(claims, expected);
        names.push(claims["jti"].as_str().unwrap().to_owned());

        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let mut forged = claims.clone();
        forged["role"] = "admin".into();
        let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
        assert_eq!(
            verified(&jwks, &format!("{header}.{forged}.{signature}")),
            None
        );
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "each token has a name of its own");
}

#[tokio::test]
async fn another_bridges_key_proves_nothing() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    desk.spoke(NUMBER, ANN, ANNS).await;
    let (_, told) = desk.ask("GET", &identity(ANNS)).await;
    let token = told["token"].as_str().unwrap();
    let (_, own) = desk.ask("GET", "/.well-known/jwks.json").await;
    let (_, mut others) = other.ask("GET", "/.well-known/jwks.json").await;
    assert_eq!(
        verified(&own, token).unwrap()["iat"],
        NOW.as_millis() / 1000
    );
    assert_eq!(
        verified(&others, token),
        None,
        "the name of the key differs"
    );
    others["keys"][0]["kid"] = own["keys"][0]["kid"].clone();
    assert_eq!(verified(&others, token), None, "and so does the key");
}

#[tokio::test]
async fn a_session_is_compared_whole() {
    let desk = Desk::open().await;
    desk.spoke(NUMBER, ANN, ANNS).await;
    for other in [
        "15551234567",
        "wa-15551234567",
        "main-wa-1555123456",
        "main-wa-155512345678",
        "main-wa-15551234567:thread:5",
        "agent:sales:main-wa-15551234567",
        "agent:main:agent:main:main-wa-15551234567",
        "x-main-wa-15551234567",
        "main",
        ANN,
    ] {
        let (status, said) = refused(&desk, other).await;
        assert_eq!(status, 404, "{other}: {said}");
        assert!(said.contains("nobody on WhatsApp has spoken"), "{said}");
    }
    for none in ["", " ", "main%01"] {
        let (status, said) = refused(&desk, none).await;
        assert_eq!(status, 400, "{none:?}: {said}");
    }
    assert_eq!(desk.ask("GET", "/identity").await.0, 400);
}

#[tokio::test]
async fn the_session_of_openclaws_own_convention_is_one_persons_own_as_well() {
    let desk = Desk::open().await;
    let session = "agent:main:whatsapp:direct:+15551234567";
    desk.spoke(NUMBER, ANN, session).await;
    let (status, told) = desk.ask("GET", &identity(session)).await;
    assert_eq!((status, &told["claims"]["sub"]), (200, &json!(ANN)));
}

#[tokio::test]
async fn a_session_of_several_people_or_numbers_names_nobody() {
    let desk = Desk::open().await;
    desk.spoke(NUMBER, ANN, "desk-15551234567").await;
    desk.spoke(NUMBER, BOB, "desk-15551234567").await;
    let (status, said) = refused(&desk, "desk-15551234567").await;
    assert_eq!(status, 409);
    assert!(said.contains("several people"), "{said}");

    desk.spoke("1", ANN, "both-15551234567").await;
    desk.spoke("2", ANN, "both-15551234567").await;
    let (status, said) = refused(&desk, "both-15551234567").await;
    assert_eq!(status, 409);
    assert!(said.contains("several business numbers"), "{said}");
}

#[tokio::test]
async fn without_isolation_nobody_is_named_not_even_the_first_to_write() {
    let mut world = World::stopped(Release::V2026_9_6, false).await;
    world.options().numbers[0].sessions.isolation = false;
    world.start().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    let (status, said) = ask(&world, "GET", &identity("main")).await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("security.session_isolation is off"), "{said}");
    world.kapso.receive(BOB, "hello");
    world.answers(BOB, 1).await;
    let (status, said) = ask(&world, "GET", &identity("main")).await;
    assert_eq!(status, 409, "{said}");
    assert!(said.contains("shared by several people"), "{said}");
}

#[tokio::test]
async fn the_role_is_the_one_that_the_person_has_now() {
    let mut world = World::new().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    let ann = Identity::new(ANN).unwrap().canonical();
    world.terminate().await;
    let roles = &mut world.policy().roles;
    roles.insert(ann.clone(), Role("admin".to_owned()));
    world.start().await;
    let told = json(&world, &identity(ANNS)).await;
    assert_eq!(told["claims"]["role"], "admin");

    world.terminate().await;
    world.policy().roles.remove(&ann);
    world.start().await;
    let (status, said) = ask(&world, "GET", &identity(ANNS)).await;
    assert_eq!(status, 403, "{said}");
    assert!(said.contains("may not speak"), "{said}");
}

#[tokio::test]
async fn a_stranger_whom_nobody_answered_has_no_session() {
    let world = World::new().await;
    world.kapso.receive(STRANGER, "hello");
    world.answers(STRANGER, 1).await;
    let (status, _) = ask(&world, "GET", &identity("main-wa-15550001111")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_key_outlives_a_restart() {
    let mut world = World::new().await;
    let before = json(&world, "/jwks.json").await;
    world.kill().await;
    world.start().await;
    assert_eq!(json(&world, "/jwks.json").await, before);
}

#[tokio::test]
async fn the_open_port_has_the_public_key_and_no_identities() {
    let world = World::pushed().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    let own = json(&world, "/jwks.json").await;
    for path in ["/jwks.json", "/.well-known/jwks.json"] {
        let (status, answer) = get(world.door(), path).await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), own);
        assert!(answer.contains("max-age=300"), "{answer}");
    }
    for path in [identity(ANNS), "/pairing".to_owned()] {
        assert_eq!(get(world.door(), &path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn without_an_audience_nothing_is_signed_and_no_key_is_shown() {
    let mut world = World::pushed().await;
    world.kapso.receive(ANN, "hello");
    world.answers(ANN, 1).await;
    world.terminate().await;
    world.sign_nothing();
    world.start().await;
    let (status, said) = ask(&world, "GET", &identity(ANNS)).await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("identity.audience"), "{said}");
    assert_eq!(ask(&world, "GET", "/jwks.json").await.0, 404);
    assert_eq!(get(world.door(), "/jwks.json").await.0, 404);
}
