//! A number's webhooks at the platform API: what is asked, what is understood, what is not repeated.

use kapso::platform::{EVENTS, Platform, Wanted};
use kapso::{Class, Error};
use model::NumberId;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::server::{Asked, KEY, NUMBER, Server, answer};

const URL: &str = "https://wa.example/webhook";
const SECRET: &str = "0123456789abcdef-signing-key";

fn number() -> NumberId {
    NumberId::new(NUMBER).unwrap()
}

fn platform(server: &Server) -> anyhow::Result<Platform> {
    let base = server
        .url()
        .replace("/meta/whatsapp/v24.0", "/platform/v1/");
    Ok(Platform::new(&server.client()?, base.parse()?)?)
}

fn wanted(secret: &SecretString) -> Wanted<'_> {
    Wanted {
        url: URL,
        events: EVENTS.map(str::to_owned).to_vec(),
        secret: Some(secret),
    }
}

fn webhook(id: &str) -> Value {
    json!({
        "id": id, "url": URL, "kind": "kapso", "events": EVENTS, "active": true, "payload_version": "v2",
        "secret_key": SECRET, "headers": {}, "created_at": "2026-09-01T00:00:00Z",
    })
}

#[tokio::test]
async fn all_pages_are_listed_and_the_key_is_kept_out_of_sight() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        let page = asked.parameter("page").unwrap_or_default();
        let body = json!({
            "data": [webhook(&format!("page-{page}")), {"id": null}, {"id": 7}],
            "meta": {"page": 1, "per_page": 100, "total_pages": 2, "total_count": 4},
        });
        Some(answer(200, body.to_string()))
    })
    .await?;
    let listed = platform(&server)?.webhooks(&number()).await?;
    let ids: Vec<&str> = listed.iter().map(|webhook| webhook.id.as_str()).collect();
    assert_eq!(ids, ["page-1", "7", "page-2", "7"]);
    assert!(listed[0].serves() && !listed[1].serves());
    let secret = listed[0].secret.as_ref().unwrap();
    assert_eq!(secret.expose_secret(), SECRET);
    assert!(!format!("{listed:?}").contains(SECRET));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.path,
        format!("/platform/v1/whatsapp/phone_numbers/{NUMBER}/webhooks")
    );
    assert_eq!(asked.headers["x-api-key"], KEY);
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_made_and_changed_as_documented() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        let body = json!({ "data": webhook("w1") }).to_string();
        Some(answer(if asked.method == "POST" { 201 } else { 200 }, body))
    })
    .await?;
    let (platform, secret) = (platform(&server)?, SecretString::from(SECRET));
    let made = platform.create(&number(), &wanted(&secret)).await?;
    let kept = Wanted {
        secret: None,
        ..wanted(&secret)
    };
    platform.update(&number(), &made.id, &kept).await?;
    platform.delete(&number(), "a/b").await?;

    let asked = server.asked();
    let whole = json!({ "whatsapp_webhook": {
        "url": URL, "kind": "kapso", "payload_version": "v2", "events": EVENTS, "active": true,
        "buffer_enabled": false, "secret_key": SECRET,
    }});
    assert_eq!((asked[0].method.as_str(), &asked[0].body), ("POST", &whole));
    let change = json!({ "whatsapp_webhook": {
        "url": URL, "payload_version": "v2", "events": EVENTS, "active": true,
    }});
    assert_eq!(
        (asked[1].method.as_str(), &asked[1].body),
        ("PATCH", &change)
    );
    assert!(asked[1].path.ends_with("/webhooks/w1"), "{}", asked[1].path);
    assert!(
        asked[2].path.ends_with("/webhooks/a%2Fb"),
        "{}",
        asked[2].path
    );
    Ok(())
}

#[tokio::test]
async fn a_test_says_whether_the_push_was_taken() -> anyhow::Result<()> {
    for (body, taken) in [
        (r#"{"data":{"success":true}}"#, Some(true)),
        (r#"{"success":false}"#, Some(false)),
        (r#"{"data":{}}"#, None),
    ] {
        let server = Server::saying(200, body).await?;
        let tested = platform(&server)?.test("w1").await;
        assert_eq!(tested.ok(), taken, "{body}");
        let path = &server.asked()[0].path;
        assert_eq!(path, "/platform/v1/whatsapp/webhooks/w1/test");
    }
    Ok(())
}

#[tokio::test]
async fn p12_refusals_are_classified_and_repeat_no_secret() -> anyhow::Result<()> {
    for (status, body, class) in [
        (401, r#"{"error":"Invalid API key"}"#, Class::Operator),
        (
            404,
            r#"{"error":"Phone number not found"}"#,
            Class::Operator,
        ),
        (
            422,
            r#"{"error":"0123456789abcdef-signing-key is weak"}"#,
            Class::Permanent,
        ),
        (500, "<html>", Class::Retryable),
    ] {
        let server = Server::saying(status, body).await?;
        let secret = SecretString::from(SECRET);
        let refused = platform(&server)?.create(&number(), &wanted(&secret)).await;
        let error = refused.unwrap_err();
        assert_eq!(error.class(), class, "{status} {error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
    let server = Server::saying(200, r#"{"data":"0123456789abcdef-signing-key"}"#).await?;
    let error = platform(&server)?.webhooks(&number()).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }) && !error.to_string().contains(SECRET));
    Ok(())
}
