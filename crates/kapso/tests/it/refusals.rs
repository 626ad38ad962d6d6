//! What the client makes of servers that refuse, redirect, hang, break off or are not there.

use std::io::ErrorKind;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use jiff::fmt::rfc2822::DateTimePrinter;
use kapso::{Class, Deadlines, Error};
use model::{MessageId, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::sending::text;
use crate::server::{Asked, KEY, Server, answer, client};

const SINCE: Timestamp = Timestamp::from_seconds(1_788_000_000);

const IN_FLIGHT: &str = r#"{"error":"Another message is already in-flight for this conversation. Please retry shortly."}"#;
const WINDOW: &str = r#"{"error":{"message":"Cannot send non-template messages outside the 24-hour window.",
    "type":"MessageError","code":131047,"error_subcode":131047,"fbtrace_id":"A"}}"#;
const PAIR: &str = r##"{"error":{"message":"(#131056) Pair rate limit hit","type":"OAuthException","code":131056}}"##;

const fn after(seconds: u64) -> Class {
    Class::RetryAfter(Duration::from_secs(seconds))
}

#[tokio::test]
async fn s4_refusals_of_a_send_are_classified() -> anyhow::Result<()> {
    let graph = |code: i64| format!(r#"{{"error":{{"message":"no","code":{code}}}}}"#);
    for (status, body, class) in [
        (409, IN_FLIGHT.to_owned(), Class::Retryable),
        (
            429,
            r#"{"error":"Rate limit exceeded","message":"slow down"}"#.to_owned(),
            after(60),
        ),
        (400, PAIR.to_owned(), after(6)),
        (400, graph(4), after(120)),
        (400, graph(80007), after(120)),
        (400, graph(130_429), Class::Retryable),
        (400, graph(131_048), after(3600)),
        (500, graph(131_000), Class::Retryable),
        (503, graph(133_004), Class::Retryable),
        (422, WINDOW.to_owned(), Class::WindowClosed),
        (400, graph(131_049), Class::Permanent),
        (400, graph(131_050), Class::Permanent),
        (400, graph(131_026), Class::Permanent),
        (400, graph(999_999), Class::Permanent),
        (413, String::new(), Class::Permanent),
        (
            422,
            r#"{"error":"x","code":"marketing_preference_stopped"}"#.to_owned(),
            Class::Permanent,
        ),
        (403, graph(130_497), Class::Operator),
        (403, graph(131_031), Class::Operator),
        (403, graph(368), Class::Operator),
        (401, graph(190), Class::Operator),
        (401, "Unauthorized".to_owned(), Class::Operator),
        (
            402,
            r#"{"error":"x","code":"insufficient_credits"}"#.to_owned(),
            Class::Operator,
        ),
        (
            403,
            r#"{"error":"Active sandbox session required to send messages"}"#.to_owned(),
            Class::Operator,
        ),
        (404, String::new(), Class::Operator),
        (500, "<html>".to_owned(), Class::Unknown),
        (502, String::new(), Class::Unknown),
        (503, r#"{"error":"try later"}"#.to_owned(), Class::Unknown),
        (500, graph(999_999), Class::Unknown),
    ] {
        let said = body.clone();
        let server = Server::start(move |_| Some(answer(status, body.clone()))).await?;
        let error = server.client()?.send(&text("hello")).await.unwrap_err();
        assert_eq!(error.class(), class, "{status} {said}");
        assert_eq!(
            server.asked().len(),
            1,
            "the client repeats nothing by itself"
        );
    }
    Ok(())
}

#[tokio::test]
async fn trouble_at_the_server_leaves_no_doubt_about_a_read() -> anyhow::Result<()> {
    let server = Server::saying(503, "").await?;
    let error = server
        .client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Retryable);
    let mark = server
        .client()?
        .mark_read(&MessageId::new("wamid.A")?, true)
        .await;
    assert_eq!(mark.unwrap_err().class(), Class::Retryable);
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_what_the_operator_needs() -> anyhow::Result<()> {
    let server = Server::saying(422, WINDOW).await?;
    let error = server.client()?.send(&text("hello")).await.unwrap_err();
    assert_eq!(error.code(), Some(131_047));
    assert_eq!(
        error.to_string(),
        "send: refused with HTTP 422, code 131047 (window of 24 hours closed): \
         Cannot send non-template messages outside the 24-hour window."
    );
    Ok(())
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_date() -> anyhow::Result<()> {
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::from_second(1_788_000_090)?)?;
    for (value, wait) in [("17".to_owned(), 17), (date, 90)] {
        let server = Server::start(move |_: &Asked| {
            let mut response = answer(429, r#"{"error":"Rate limit exceeded"}"#);
            response
                .headers_mut()
                .insert("retry-after", value.parse().unwrap());
            response
                .headers_mut()
                .insert("date", "Sat, 29 Aug 2026 10:40:00 GMT".parse().unwrap());
            Some(response)
        })
        .await?;
        let error = server
            .client()?
            .list_inbound_since(SINCE)
            .await
            .unwrap_err();
        assert_eq!(error.class(), after(wait), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn s3_a_server_that_never_answers_meets_the_deadline() -> anyhow::Result<()> {
    let server = Server::start(|_| None).await?;
    let client = server.hasty_client()?;
    let send = client.send(&text("hello")).await.unwrap_err();
    assert!(matches!(send, Error::Deadline { .. }), "{send}");
    assert_eq!(send.class(), Class::Unknown);
    assert_eq!(send.to_string(), "send: no answer within 50ms");
    let mark = client
        .mark_read(&MessageId::new("wamid.A")?, true)
        .await
        .unwrap_err();
    assert_eq!(mark.class(), Class::Retryable);
    Ok(())
}

#[tokio::test]
async fn p11_a_list_that_never_comes_meets_the_deadline() -> anyhow::Result<()> {
    let server = Server::start(|_| None).await?;
    let error = server
        .hasty_client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    assert_eq!(error.class(), Class::Retryable);
    Ok(())
}

#[tokio::test]
async fn a_body_that_stops_coming_meets_the_deadline() -> anyhow::Result<()> {
    let base = raw(
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":",
        true,
    )
    .await?;
    let hasty = Deadlines {
        send: Duration::from_millis(50),
        ..Deadlines::default()
    };
    let error = client(&base, hasty)?
        .send(&text("hello"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_connection_lost_after_the_request_leaves_the_outcome_unknown() -> anyhow::Result<()> {
    for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"mess"] {
        let base = raw(said, false).await?;
        let error = client(&base, Deadlines::default())?
            .send(&text("hello"))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        assert_eq!(error.class(), Class::Unknown);
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_was_sent_nothing() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}/", listener.local_addr()?);
    drop(listener);
    let error = client(&base, Deadlines::default())?
        .send(&text("hello"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotReached { .. }), "{error}");
    assert_eq!(error.class(), Class::Retryable);
    Ok(())
}

#[tokio::test]
async fn an_answer_without_an_id_leaves_the_outcome_unknown() -> anyhow::Result<()> {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":[{"id":""}]}"#,
    ] {
        let server = Server::saying(200, body).await?;
        let error = server.client()?.send(&text("hello")).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{body}: {error}");
        assert_eq!(error.class(), Class::Unknown);
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays_at_its_host() -> anyhow::Result<()> {
    let elsewhere = Server::saying(200, r#"{"data":[]}"#).await?;
    let target = elsewhere.url().to_owned();
    let server = Server::start(move |_: &Asked| {
        let redirect = Response::builder().status(307).header("location", &target);
        Some(redirect.body(Body::empty()).unwrap())
    })
    .await?;
    let list = server
        .client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert_eq!(list.class(), Class::Operator);
    let send = server.client()?.send(&text("hello")).await.unwrap_err();
    assert_eq!(send.class(), Class::Operator);
    assert_eq!(server.asked().len(), 2);
    assert_eq!(elsewhere.asked().len(), 0);
    Ok(())
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() -> anyhow::Result<()> {
    let server = Server::start(|_| Some(answer(200, vec![b' '; 17 * 1024 * 1024]))).await?;
    let error = server
        .client()?
        .list_inbound_since(SINCE)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    let server = Server::start(|_| Some(answer(500, "x".repeat(1024 * 1024)))).await?;
    let Error::Refused(refusal) = server.client()?.send(&text("hello")).await.unwrap_err() else {
        anyhow::bail!("not a refusal");
    };
    assert_eq!(refusal.body().len(), 500);
    Ok(())
}

#[tokio::test]
async fn errors_show_neither_the_key_nor_the_message() -> anyhow::Result<()> {
    let words = "the code of your safe is 4711";
    let echo = format!(r#"{{"error":"key {KEY} may not send {words}"}}"#);
    let server = Server::start(move |_| Some(answer(400, echo.clone()))).await?;
    let error = server.client()?.send(&text(words)).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("may not send"), "{shown}");
    assert!(!shown.contains(KEY) && !shown.contains("4711"), "{shown}");
    Ok(())
}

/// A server that reads one request, says `words` verbatim, and then hangs up or not.
async fn raw(words: &'static str, hang: bool) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut request = Vec::new();
        while !is_complete(&request) {
            if socket.read_buf(&mut request).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        socket.write_all(words.as_bytes()).await?;
        if hang {
            std::future::pending::<()>().await;
        }
        socket.shutdown().await
    });
    Ok(base)
}

fn is_complete(request: &[u8]) -> bool {
    let end = request.windows(4).position(|it| it == b"\r\n\r\n");
    let json = |body| serde_json::from_slice::<serde_json::Value>(body).is_ok();
    end.is_some_and(|end| json(&request[end + 4..]))
}
