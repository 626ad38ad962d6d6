//! The Kapso stand-in: sends, read receipts, keys and limits.

mod faults;
mod list;

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use model::{Clock, NumberId, UserId};
use sandbox::kapso::{Event, Incoming, ListFault, SendFault, StandInOptions, Status};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::{
    ANA, BOB, KEY, NOON, NUMBER, at_noon, exchange, get, list, mark, messages_path, options, post,
    send, start, submit, text_body,
};

/// How long an answer that must not come is waited for.
const IN_VAIN: Duration = Duration::from_millis(60);
/// More than any step of a test takes.
const PLENTY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_sent_text_is_answered_listed_and_handed_to_who_waits() {
    let kapso = start(options()).await;
    let mut events = kapso.events();
    let (sent, answer) = tokio::join!(
        timeout(PLENTY, kapso.sent_to("15551234567", 1)),
        send(&kapso, ANA, "hello")
    );
    let (sent, answer) = (sent.unwrap(), answer.unwrap());
    assert_eq!(answer.status, 200);
    let id = sent[0].id.as_str();
    let expected = json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": ANA, "wa_id": "15551234567" }],
        "messages": [{ "id": id, "message_status": "accepted" }],
    });
    assert_eq!(answer.json(), expected);
    assert_eq!((sent[0].text.as_str(), sent[0].to.as_str()), ("hello", ANA));
    assert_eq!(sent[0].body, text_body(ANA, "hello"));
    assert!(matches!(events.recv().await, Ok(Event::Sent(message)) if message.id == sent[0].id));

    let item = list(&kapso, "direction=outbound").await.unwrap().json()["data"][0].clone();
    assert_eq!(item["to"], "15551234567");
    assert_eq!(item["from"], Value::Null);
    assert_eq!(item["kapso"]["status"], "delivered");
    assert!(kapso.set_status(&sent[0].id, Status::Read));
    assert!(
        !kapso.set_status(&sent[0].id, Status::Delivered),
        "a status never goes back"
    );
    let item = list(&kapso, "direction=outbound").await.unwrap().json()["data"][0].clone();
    let accounts = item["kapso"]["statuses"].as_array().unwrap().iter();
    let words: Vec<&str> = accounts.map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn what_does_not_come_is_reported_with_what_did() {
    let kapso = start(options()).await;
    send(&kapso, ANA, "only one").await.unwrap();
    let missing = kapso.sent_to_within(ANA, 2, IN_VAIN).await.unwrap_err();
    assert_eq!(missing.came.len(), 1);
    let said = missing.to_string();
    assert!(said.starts_with("1 of 2 messages came"), "{said}");
}

#[tokio::test]
async fn a_message_that_meta_would_refuse_is_refused_with_its_code() {
    let kapso = start(options()).await;
    let changed = |field: &str, value: Value| {
        let mut body = text_body(ANA, "hello");
        body[field] = value;
        body
    };
    for (code, body) in [
        (131_008, text_body(ANA, " \n")),
        (100, text_body(ANA, &"é".repeat(4097))),
        (131_026, text_body("US.13491208655302741918", "hello")),
        (131_009, text_body("call me", "hello")),
        (131_021, text_body("+15550009999", "hello")),
        (131_008, changed("to", Value::Null)),
        (131_051, changed("type", json!("poll"))),
        (131_008, changed("type", json!("image"))),
        (131_009, changed("context", json!({ "message_id": "" }))),
        (100, changed("messaging_product", json!("sms"))),
    ] {
        let answer = submit(&kapso, &body).await.unwrap();
        assert_eq!((answer.status, answer.code()), (400, Some(code)), "{body}");
    }
    let not_json = Request::post(messages_path()).header("x-api-key", KEY);
    let not_json = not_json.body(Body::from("hello")).unwrap();
    assert_eq!(exchange(&kapso, not_json).await.unwrap().code(), Some(100));
    let group = submit(&kapso, &changed("recipient_type", json!("group"))).await;
    assert_eq!(group.unwrap().status, 501);
    assert!(kapso.sent().is_empty());
    let longest = send(&kapso, ANA, &"é".repeat(4096)).await.unwrap();
    assert_eq!(longest.status, 200);
}

#[tokio::test]
async fn a_user_id_goes_into_recipient_and_joins_the_number_it_came_with() {
    let kapso = start(options()).await;
    let user = UserId::new("AR.1049384756102").unwrap();
    kapso.receive(ANA, Incoming::text("hi").user_id(&user));
    let mut body = text_body(ANA, "by id");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = json!(user);
    let answer = submit(&kapso, &body).await.unwrap().json();
    assert_eq!(
        answer["contacts"][0],
        json!({ "input": user, "user_id": user })
    );
    assert_eq!(kapso.sent_to(ANA, 1).await[0].text, "by id");

    kapso.receive("CO.243", "only an id");
    let item = list(&kapso, "limit=1").await.unwrap().json()["data"][0].clone();
    assert_eq!(
        (&item["from"], &item["from_user_id"]),
        (&Value::Null, &json!("CO.243"))
    );
    assert_eq!(item["kapso"]["phone_number"], Value::Null);
}

#[tokio::test]
async fn a_second_send_to_a_conversation_in_flight_is_refused() {
    let kapso = start(options()).await;
    kapso.faults().next_sends(1, SendFault::Hang);
    let first = {
        let kapso = kapso.clone();
        tokio::spawn(async move { send(&kapso, ANA, "first").await.map(|answer| answer.status) })
    };
    kapso
        .until(|kapso| (kapso.requests().len() == 1).then_some(()))
        .await;
    let second = send(&kapso, "1 555 123 4567", "second").await.unwrap();
    assert_eq!(second.status, 409);
    let flat = "Another message is already in-flight for this conversation. Please retry shortly.";
    assert_eq!(second.json(), json!({ "error": flat }));
    assert_eq!(send(&kapso, BOB, "other chat").await.unwrap().status, 200);

    first.abort();
    let retried = timeout(PLENTY, async {
        while send(&kapso, ANA, "second").await.unwrap().status != 200 {}
    });
    retried.await.unwrap();
    let texts: Vec<String> = kapso.sent().into_iter().map(|sent| sent.text).collect();
    assert_eq!(texts, ["other chat", "second"]);
}

#[tokio::test]
async fn a_read_receipt_marks_the_chat_up_to_its_message() {
    let kapso = start(at_noon()).await;
    let mine: Vec<_> = (0..3).map(|n| kapso.receive(ANA, format!("{n}"))).collect();
    kapso.receive(BOB, "not mine");
    let answer = mark(&kapso, mine[1].as_str()).await.unwrap();
    assert_eq!(answer.json(), json!({ "success": true }));
    let page = list(&kapso, "").await.unwrap().json();
    let data = page["data"].as_array().unwrap().iter();
    let statuses: Vec<&str> = data
        .map(|it| it["kapso"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["delivered", "delivered", "read", "read"]);
    let reads = kapso.reads();
    assert_eq!((&reads[0].message, reads[0].typing), (&mine[1], true));
    assert_eq!((reads[0].customer.as_str(), reads[0].at), (ANA, NOON));

    assert_eq!(
        mark(&kapso, "wamid.unknown").await.unwrap().code(),
        Some(100)
    );
    kapso
        .faults()
        .next_marks(1, SendFault::ServerErrorAfterAccepting);
    assert_eq!(mark(&kapso, mine[2].as_str()).await.unwrap().status, 500);
    assert_eq!(kapso.reads().len(), 2);
}

#[tokio::test]
async fn only_the_right_key_and_number_are_served() {
    let kapso = start(options()).await;
    let with = |name: &str, value: &str| {
        let request = Request::get(messages_path()).header(name, value);
        request.body(Body::empty()).unwrap()
    };
    for (request, status) in [
        (
            Request::get(messages_path()).body(Body::empty()).unwrap(),
            401,
        ),
        (with("x-api-key", "test-key2"), 401),
        (with("authorization", "Bearer test-key"), 200),
        (with("x-api-key", KEY), 200),
        (get("/meta/whatsapp/v24.0/1234/messages"), 404),
    ] {
        assert_eq!(exchange(&kapso, request).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn the_minutes_requests_are_counted_and_then_refused() {
    let clock = Clock::standing_at(NOON);
    let kapso = start(StandInOptions {
        clock: clock.clone(),
        requests_per_minute: Some(2),
        ..options()
    })
    .await;
    let first = list(&kapso, "").await.unwrap();
    assert_eq!(first.headers["x-ratelimit-limit"], "2");
    assert_eq!(first.headers["x-ratelimit-remaining"], "1");
    assert_eq!(send(&kapso, ANA, "hello").await.unwrap().status, 200);
    let refused = list(&kapso, "").await.unwrap();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(refused.json()["error"], "Rate limit exceeded");
    assert_eq!(refused.headers["date"], "Sat, 29 Aug 2026 10:40:00 GMT");
    clock.set(NOON.later(Duration::from_secs(60)));
    assert_eq!(list(&kapso, "").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_endpoint_that_is_not_emulated_says_so() {
    let kapso = start(options()).await;
    let conversations = format!("/meta/whatsapp/v24.0/{NUMBER}/conversations");
    let one = format!("{}/wamid.A", messages_path());
    for request in [
        get(&conversations),
        post("/meta/whatsapp/v24.0/2267829863993481", &json!({})),
        get(&one),
        get("/platform/v1/whatsapp/phone_numbers"),
        Request::delete(messages_path())
            .body(Body::empty())
            .unwrap(),
    ] {
        let named = format!("{} {}", request.method(), request.uri().path());
        let answer = exchange(&kapso, request).await.unwrap();
        assert_eq!(answer.status, 501);
        let said = format!("not emulated by the sandbox: {named}");
        assert_eq!(answer.json(), json!({ "error": said }));
    }
    let paths: Vec<String> = kapso.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(paths.len(), 5, "refused requests are recorded too");
}

#[tokio::test]
async fn a_customers_file_is_served_at_its_address_and_found_by_its_id() {
    let kapso = start(options()).await;
    let file = kapso.store_media("image/png", "picture");
    let origin = format!("http://{}", kapso.address());
    let bare = |url: &str| {
        let path = url.strip_prefix(&origin).unwrap_or(url);
        Request::get(path)
            .header("host", kapso.address().to_string())
            .body(Body::empty())
            .unwrap()
    };
    let ask = async |request| exchange(&kapso, request).await.unwrap();
    let moved = ask(bare(&file.url)).await;
    assert_eq!(moved.status, 302);
    let moved = ask(bare(moved.headers["location"].to_str().unwrap())).await;
    assert_eq!((moved.status, moved.text.as_str()), (200, "picture"));

    let about = format!("/meta/whatsapp/v24.0/{}?phone_number_id={NUMBER}", file.id);
    assert_eq!(ask(bare(&about)).await.status, 401, "the id wants a key");
    let unnamed = get(&format!("/meta/whatsapp/v24.0/{}", file.id));
    assert_eq!(ask(unnamed).await.status, 400, "and the number");
    let with_key = || {
        let request = Request::get(&about).header("x-api-key", KEY);
        request
            .header("host", kapso.address().to_string())
            .body(Body::empty())
            .unwrap()
    };
    kapso.expire_media_url(&file);
    assert_eq!(ask(bare(&file.url)).await.status, 404);
    let told = ask(with_key()).await.json();
    assert_eq!(told["mime_type"], "image/png");
    let again = ask(bare(told["download_url"].as_str().unwrap())).await;
    assert_eq!(again.text, "picture");
    kapso.lose_media(&file);
    assert_eq!(ask(with_key()).await.status, 404);
}

#[tokio::test]
async fn a_file_is_uploaded_and_fetched_by_its_id() {
    let kapso = start(options()).await;
    let picture = "x".repeat(3_000_000);
    let product =
        "--b\r\ncontent-disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n";
    let file = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n{picture}\r\n"
    );
    let upload = |body: String| {
        let request = Request::post(format!("/meta/whatsapp/v24.0/{NUMBER}/media"))
            .header("x-api-key", KEY)
            .header("content-type", "multipart/form-data; boundary=b");
        exchange(
            &kapso,
            request.body(Body::from(body + "--b--\r\n")).unwrap(),
        )
    };
    let kept = upload(format!("{product}{file}")).await.unwrap();
    let id = kept.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(kapso.media(&id).unwrap().name, "a.png");
    for incomplete in [product.to_owned(), file] {
        assert_eq!(upload(incomplete).await.unwrap().code(), Some(131_008));
    }
    let path = format!("/meta/whatsapp/v24.0/{id}");
    let described = exchange(&kapso, get(&format!("{path}?phone_number_id={NUMBER}")))
        .await
        .unwrap();
    assert_eq!(described.json()["file_size"], "3000000");
    let url = described.json()["download_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let fetched = exchange(
        &kapso,
        get(url
            .rsplit_once(":")
            .unwrap()
            .1
            .trim_start_matches(char::is_numeric)),
    )
    .await
    .unwrap();
    assert_eq!(
        (
            fetched.text.len(),
            fetched.headers["content-type"].to_str().unwrap()
        ),
        (3_000_000, "image/png")
    );
    assert_eq!(
        exchange(&kapso, get(&path)).await.unwrap().status,
        400,
        "the number has to be named"
    );
}

#[tokio::test]
async fn a_recorded_request_shows_what_was_asked() {
    let kapso = start(at_noon()).await;
    list(&kapso, "since=2026-08-29T10%3A40%3A00Z&fields=kapso(%2A)")
        .await
        .unwrap();
    send(&kapso, ANA, "hello").await.unwrap();
    let requests = kapso.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].at), ("GET", NOON));
    assert_eq!(requests[0].parameter("since"), Some("2026-08-29T10:40:00Z"));
    assert_eq!(requests[0].parameter("fields"), Some("kapso(*)"));
    assert_eq!(requests[0].parameter("limit"), None);
    assert_eq!(requests[1].body, text_body(ANA, "hello"));
    assert!(requests[1].arrived >= requests[0].arrived);
}

#[tokio::test]
async fn stop_ends_everything_even_a_hanging_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = CancellationToken::new();
    let kapso = sandbox::kapso::KapsoStandIn::start(listener, options(), stop.clone());
    let kapso = kapso.await.unwrap();
    kapso.faults().next_lists(1, ListFault::Hang);
    let (hanging, ()) = tokio::join!(list(&kapso, ""), async {
        kapso
            .until(|kapso| (kapso.requests().len() == 1).then_some(()))
            .await;
        stop.cancel();
    });
    assert!(hanging.is_err());
    timeout(PLENTY, kapso.stopped()).await.unwrap();
    assert!(TcpStream::connect(kapso.address()).await.is_err());
}

#[tokio::test]
async fn two_numbers_can_be_had_at_one_address() {
    let second = "597907523413542";
    let kapso = start(options()).await;
    let other = start(StandInOptions {
        number: NumberId::new(second).unwrap(),
        ..options()
    })
    .await;
    kapso.serve_also(&other);
    other.receive(ANA, "for the other one");
    let path = messages_path().replace(NUMBER, second);
    let page = exchange(&kapso, get(&format!("{path}?direction=inbound")));
    let page = page.await.unwrap().json();
    assert_eq!(page["data"][0]["text"]["body"], "for the other one");
    let answer = exchange(&kapso, post(&path, &text_body(ANA, "hello")));
    assert_eq!(answer.await.unwrap().status, 200);
    assert_eq!((kapso.sent().len(), other.sent().len()), (0, 1));
    let file = other.store_media("image/png", "its own");
    let about = format!("/meta/whatsapp/v24.0/{}?phone_number_id=", file.id);
    for (number, status) in [(second, 200), (NUMBER, 404)] {
        let told = exchange(&kapso, get(&format!("{about}{number}")));
        assert_eq!(told.await.unwrap().status, status, "{number}");
    }
    let unknown = exchange(&kapso, get(&messages_path().replace(NUMBER, "1")));
    assert_eq!(unknown.await.unwrap().status, 404);
}
