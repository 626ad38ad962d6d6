//! Reading the list over several pages.

use kapso::{Class, Direction, Error, ListQuery, Page};
use model::{
    Arrival, ChatKey, IgnoreReason, Ignored, Inbound, MessageId, NumberId, Outgoing, OutgoingBody,
    Timestamp,
};
use serde_json::{Value, json};

use crate::server::{Asked, KEY, NUMBER, Server, answer};

const SINCE: Timestamp = Timestamp::from_seconds(1_788_000_000);

fn item(number: usize, timestamp: usize) -> Value {
    json!({"id": format!("wamid.{number:04}"), "timestamp": timestamp.to_string(), "type": "text",
        "from": "15551234567", "text": {"body": format!("message {number}")},
        "kapso": {"direction": "inbound", "phone_number": "+15551234567"}})
}

/// Serves `items`, which are newest first, as Kapso does: a page at a time, the position as cursor.
async fn list(items: Vec<Value>) -> anyhow::Result<Server> {
    Server::start(move |asked: &Asked| {
        let from: usize = asked.parameter("after").map_or(0, |at| at.parse().unwrap());
        let limit: usize = asked.parameter("limit").unwrap().parse().unwrap();
        let to = items.len().min(from + limit);
        let after = (to < items.len()).then(|| to.to_string());
        let body = json!({"data": items[from..to],
            "paging": {"cursors": {"before": null, "after": after}, "next": null}});
        Some(answer(200, body.to_string()))
    })
    .await
}

fn messages(arrivals: Vec<Arrival>) -> Vec<Inbound> {
    let message = |arrival| match arrival {
        Arrival::Message(inbound) => *inbound,
        Arrival::Ignored(ignored) => panic!("{ignored:?}"),
    };
    arrivals.into_iter().map(message).collect()
}

fn ids(arrivals: &[Arrival]) -> Vec<&str> {
    arrivals.iter().map(|it| it.id().as_str()).collect()
}

#[tokio::test]
async fn p1_all_waiting_messages_are_read_in_order() -> anyhow::Result<()> {
    let newest_first = (0..257).rev().map(|n| item(n, 1_788_000_000 + n));
    let server = list(newest_first.collect()).await?;
    let arrivals = server.client()?.list_inbound_since(SINCE).await?;
    let expected: Vec<String> = (0..257).map(|n| format!("wamid.{n:04}")).collect();
    assert_eq!(ids(&arrivals), expected);
    let last = messages(arrivals).pop().unwrap();
    assert_eq!(last.sent_at, Timestamp::from_seconds(1_788_000_256));
    let asked = server.asked();
    let cursors: Vec<_> = asked.iter().map(|it| it.parameter("after")).collect();
    assert_eq!(cursors, [None, Some("100"), Some("200")]);
    Ok(())
}

#[tokio::test]
async fn p1_messages_of_one_second_keep_their_order() -> anyhow::Result<()> {
    let newest_first = (0..250).rev().map(|n| item(n, 1_788_000_000));
    let server = list(newest_first.collect()).await?;
    let arrivals = server.client()?.list_inbound_since(SINCE).await?;
    let expected: Vec<String> = (0..250).map(|n| format!("wamid.{n:04}")).collect();
    assert_eq!(ids(&arrivals), expected);
    Ok(())
}

#[tokio::test]
async fn a_late_item_takes_the_place_of_its_time() -> anyhow::Result<()> {
    let server = list(vec![
        item(1, 1_788_000_005),
        item(3, 1_788_000_030),
        item(2, 1_788_000_020),
    ])
    .await?;
    let arrivals = server.client()?.list_inbound_since(SINCE).await?;
    assert_eq!(ids(&arrivals), ["wamid.0001", "wamid.0002", "wamid.0003"]);
    Ok(())
}

#[tokio::test]
async fn the_request_is_the_documented_one() -> anyhow::Result<()> {
    let server = list(Vec::new()).await?;
    server.client()?.list_inbound_since(SINCE).await?;
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.path,
        format!("/meta/whatsapp/v24.0/{NUMBER}/messages")
    );
    assert_eq!(asked.parameter("direction"), Some("inbound"));
    assert_eq!(asked.parameter("since"), Some("2026-08-29T10:40:00Z"));
    assert_eq!(asked.parameter("limit"), Some("100"));
    assert_eq!(asked.parameter("fields"), Some("kapso(*)"));
    assert_eq!(asked.headers.get("x-api-key").unwrap(), KEY);
    Ok(())
}

#[tokio::test]
async fn a_malformed_element_does_not_take_the_others_along() -> anyhow::Result<()> {
    let server = list(vec![
        item(2, 1_788_000_002),
        json!("?"),
        json!(null),
        item(1, 1_788_000_001),
    ])
    .await?;
    let arrivals = server.client()?.list_inbound_since(SINCE).await?;
    let malformed = |it: &&Arrival| {
        matches!(
            it,
            Arrival::Ignored(Ignored {
                reason: IgnoreReason::Malformed(_),
                ..
            })
        )
    };
    assert_eq!(arrivals.iter().filter(malformed).count(), 2);
    assert_eq!(arrivals.len(), 4);
    assert_eq!(ids(&arrivals)[..2], ["wamid.0001", "wamid.0002"]);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_no_list_is_an_error_to_retry() -> anyhow::Result<()> {
    for body in [
        "<html>",
        "",
        "[]",
        "null",
        r#"{"data":5}"#,
        r#"{"data":[{"id":"#,
    ] {
        let server = Server::saying(200, body).await?;
        let error = server
            .client()?
            .list_inbound_since(SINCE)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{body}: {error}");
        assert_eq!(error.class(), Class::Retryable);
    }
    Ok(())
}

#[test]
fn a_page_longer_than_any_is_an_error_and_not_a_part() {
    let number = NumberId::new(NUMBER).unwrap();
    let page = |items: usize| {
        let body = json!({"data": vec![0; items]}).to_string();
        Page::read(&number, body.as_bytes(), SINCE)
    };
    assert_eq!(page(10_000).map(|page| page.items.len()).ok(), Some(10_000));
    let error = page(10_001).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn paging_that_goes_round_is_stopped() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        let after = if asked.parameter("after") == Some("a") {
            "b"
        } else {
            "a"
        };
        let body =
            json!({"data": [item(1, 1_788_000_001)], "paging": {"cursors": {"after": after}}});
        Some(answer(200, body.to_string()))
    })
    .await?;
    let error = server
        .client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::PagingLoop), "{error}");
    assert_eq!(server.asked().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_list_without_end_is_an_error_that_says_so() -> anyhow::Result<()> {
    let server = Server::start(|asked: &Asked| {
        let at: usize = asked.parameter("after").map_or(0, |at| at.parse().unwrap());
        let after = (at + 1).to_string();
        let body =
            json!({"data": [item(at, 1_788_000_001)], "paging": {"cursors": {"after": after}}});
        Some(answer(200, body.to_string()))
    })
    .await?;
    let error = server
        .client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("more than 500 pages"), "{error}");
    assert_eq!(error.class(), Class::Operator);
    assert_eq!(server.asked().len(), kapso::MAX_PAGES);
    Ok(())
}

#[tokio::test]
async fn one_page_is_given_as_served() -> anyhow::Result<()> {
    let server = list((0..5).rev().map(|n| item(n, 1_788_000_000 + n)).collect()).await?;
    let query = ListQuery {
        direction: Some(Direction::Inbound),
        limit: 2,
        ..ListQuery::default()
    };
    let page = server.client()?.list(&query).await?;
    let served: Vec<_> = page
        .items
        .iter()
        .map(|it| it.arrival.id().as_str())
        .collect();
    assert_eq!(served, ["wamid.0004", "wamid.0003"]);
    assert_eq!(page.after.as_deref(), Some("2"));
    Ok(())
}

fn outbound(id: &str, to: &Value, body: &str) -> Value {
    let mut item = json!({"id": id, "timestamp": "1788000001", "type": "text", "from": null,
        "text": {"body": body}, "kapso": {"direction": "outbound", "status": "sent"}});
    item.as_object_mut()
        .unwrap()
        .extend(to.as_object().unwrap().clone());
    item
}

fn outgoing(to: &str, body: &str) -> anyhow::Result<Outgoing> {
    let to = model::Identity::new(to)?;
    Ok(Outgoing {
        chat: ChatKey::new(NumberId::new(NUMBER)?, &to),
        to,
        body: OutgoingBody::Text {
            body: body.to_owned(),
        },
        quote: None,
    })
}

#[tokio::test]
async fn a_sent_message_is_found_by_recipient_and_words() -> anyhow::Result<()> {
    let server = list(vec![
        outbound("wamid.6", &json!({"to": "541155551234"}), "ok"),
        outbound(
            "wamid.5",
            &json!({"to": null, "to_user_id": "CO.243"}),
            "ok",
        ),
        outbound("wamid.4", &json!({"to": "541155551234"}), "ok then"),
        outbound("wamid.3", &json!({"to": "15551234567"}), "ok"),
        outbound(
            "wamid.2",
            &json!({"kapso": {"direction": "inbound"}, "from": "541155551234"}),
            "ok",
        ),
        outbound("wamid.1", &json!({"to": "5491155551234"}), "ok\n"),
    ])
    .await?;
    let client = server.client()?;
    let found = |ids: &[&str]| {
        ids.iter()
            .map(|id| MessageId::new(id))
            .collect::<Result<Vec<_>, _>>()
    };
    let by_number = client
        .find_sent(&outgoing("+5491155551234", " ok")?, SINCE)
        .await?;
    assert_eq!(by_number, found(&["wamid.1", "wamid.6"])?);
    let by_user_id = client.find_sent(&outgoing("CO.243", "ok")?, SINCE).await?;
    assert_eq!(by_user_id, found(&["wamid.5"])?);
    let none = client
        .find_sent(&outgoing("15551234567", "OK")?, SINCE)
        .await?;
    assert_eq!(none, []);
    assert_eq!(server.asked()[0].parameter("direction"), Some("outbound"));
    Ok(())
}

#[tokio::test]
async fn a_check_is_one_small_read_that_tells_the_limit() -> anyhow::Result<()> {
    let server = Server::start(|_: &Asked| {
        let mut response = answer(200, r#"{"data":[],"paging":{}}"#);
        response
            .headers_mut()
            .insert("x-ratelimit-limit", "500".parse().unwrap());
        response
            .headers_mut()
            .insert("x-ratelimit-remaining", "499".parse().unwrap());
        Some(response)
    })
    .await?;
    let health = server.client()?.check().await?;
    assert_eq!(
        (health.rate_limit, health.rate_remaining),
        (Some(500), Some(499))
    );
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].parameter("limit")), (1, Some("1")));
    Ok(())
}

/// An hour before now, as HTTP has it.
fn an_hour_ago() -> String {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn a_list_whose_clock_is_behind_is_asked_from_as_much_earlier() -> anyhow::Result<()> {
    let server = Server::start(|_: &Asked| {
        let body = json!({"data": [], "paging": {"cursors": {"after": null}}}).to_string();
        let mut answer = answer(200, body);
        answer
            .headers_mut()
            .insert("date", an_hour_ago().parse().unwrap());
        Some(answer)
    })
    .await?;
    let client = server.client()?;
    client.list_inbound_since(SINCE).await?;
    client.find_sent(&outgoing("15551234567", "hello")?, SINCE).await?;
    let since = |asked: &Asked| asked.parameter("since").unwrap()[..17].to_owned();
    let asked: Vec<String> = server.asked().iter().map(since).collect();
    // The first answer told of it, and everything after knows.
    assert_eq!(
        asked,
        [
            "2026-08-29T10:40:",
            "2026-08-29T09:40:",
            "2026-08-29T09:40:"
        ]
    );
    Ok(())
}
