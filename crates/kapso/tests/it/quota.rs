//! The plan's limit, as the client learns it from answers.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use kapso::{Call, Client, ListQuery, Quota};
use model::{MessageId, Timestamp};
use serde_json::json;

use crate::sending::text;
use crate::server::{Asked, Server, answer};

/// An answer of Kapso's with its limit and what is left of it.
fn limited(status: u16, body: &'static str, limit: u32, remaining: u32) -> Response<Body> {
    let mut response = answer(status, body);
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", remaining.into());
    response
}

fn quota(limit: u32, remaining: u32) -> Option<Quota> {
    Some(Quota { limit, remaining })
}

fn may(client: &Client) -> [bool; 3] {
    [Call::Mark, Call::List, Call::Send].map(|call| client.wait_for(call).is_none())
}

#[tokio::test]
async fn every_answer_tells_the_limit_also_a_refusal() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        Some(match asked.method.as_str() {
            "GET" => limited(200, r#"{"data":[]}"#, 100, 30),
            _ => limited(400, "{}", 100, 5),
        })
    })
    .await?;
    let client = server.client()?;
    assert_eq!((client.quota(), may(&client)), (None, [true; 3]));
    let other = client.clone();
    client.list(&ListQuery::default()).await?;
    assert_eq!(
        (other.quota(), may(&other)),
        (quota(100, 30), [false, true, true])
    );
    client.send(&text("hello")).await.unwrap_err();
    assert_eq!(
        (other.quota(), may(&other)),
        (quota(100, 5), [false, false, true])
    );
    Ok(())
}

#[tokio::test]
async fn each_page_and_each_mark_counts() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        let page: u32 = asked.parameter("after").map_or(0, |at| at.parse().unwrap());
        let after = (page < 6).then(|| (page + 1).to_string());
        let item = json!({"id": format!("wamid.{page}"), "kapso": {"direction": "outbound"}});
        let body = json!({"data": [item], "paging": {"cursors": {"after": after}}});
        let mut response = answer(200, body.to_string());
        response
            .headers_mut()
            .insert("x-ratelimit-limit", 10.into());
        Some(response)
    })
    .await?;
    let client = server.client()?;
    client
        .find_sent(&text("hello"), Timestamp::from_seconds(1_788_000_000))
        .await?;
    assert_eq!(
        (client.quota(), may(&client)),
        (quota(10, 3), [false, true, true])
    );
    client.mark_read(&MessageId::new("wamid.A")?, false).await?;
    client
        .list(&ListQuery {
            after: Some("6".to_owned()),
            ..ListQuery::default()
        })
        .await?;
    assert_eq!(
        (client.quota(), may(&client)),
        (quota(10, 1), [false, false, false])
    );
    Ok(())
}

#[tokio::test]
async fn a_used_up_minute_closes_for_everything() -> anyhow::Result<()> {
    let server = Server::start(|_: &Asked| {
        let mut response = answer(429, r#"{"error":"Rate limit exceeded"}"#);
        response
            .headers_mut()
            .insert("retry-after", "60".parse().unwrap());
        Some(response)
    })
    .await?;
    let client = server.client()?;
    client.list(&ListQuery::default()).await.unwrap_err();
    for call in [Call::Mark, Call::List, Call::Send] {
        let wait = client.wait_for(call).unwrap();
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_limit_of_whatsapps_does_not_close_for_others() -> anyhow::Result<()> {
    let server = Server::saying(429, r#"{"error":{"message":"group","code":131208}}"#).await?;
    let client = server.client()?;
    client.send(&text("hello")).await.unwrap_err();
    assert_eq!(may(&client), [true; 3]);
    Ok(())
}

#[tokio::test]
async fn waits_for_one_person_grow_and_others_are_as_named() -> anyhow::Result<()> {
    let waits = async |status, body, wait: Option<&'static str>| {
        let server = Server::start(move |_: &Asked| {
            let mut response = answer(status, body);
            if let Some(wait) = wait {
                response
                    .headers_mut()
                    .insert("retry-after", wait.parse().unwrap());
            }
            Some(response)
        })
        .await?;
        let error = server.client()?.send(&text("hello")).await.unwrap_err();
        let seconds = |repeat| error.wait_before(repeat).map(|wait| wait.as_secs());
        anyhow::Ok([1, 2, 3, 9].map(seconds))
    };
    let pair = r#"{"error":{"code":131056}}"#;
    assert_eq!(waits(400, pair, None).await?, [6, 16, 64, 256].map(Some));
    assert_eq!(
        waits(400, pair, Some("20")).await?,
        [20, 20, 64, 256].map(Some)
    );
    assert_eq!(waits(429, "", Some("7")).await?, [Some(7); 4]);
    assert_eq!(waits(429, "", None).await?, [Some(60); 4]);
    assert_eq!(waits(409, "", None).await?, [None; 4]);
    assert_eq!(
        waits(422, r#"{"error":{"code":131047}}"#, None).await?,
        [None; 4]
    );
    assert_eq!(waits(500, "", None).await?, [None; 4]);
    Ok(())
}
