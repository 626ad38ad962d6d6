//! The list: order, cursors, filters, and the shape of what customers wrote.

use std::time::Duration;

use model::Clock;
use sandbox::kapso::{Incoming, ListFault, StandInOptions};
use serde_json::{Value, json};

use crate::http::{ANA, BOB, NOON, NUMBER, at_noon, ids, list, mark, options, send, start};

fn page_cursor(page: &Value, which: &str) -> Option<String> {
    let cursor = page["paging"]["cursors"][which].as_str()?;
    Some(cursor.replace('+', "%2B").replace('=', "%3D"))
}

#[tokio::test]
async fn list_is_newest_first_and_its_cursors_reach_the_end() {
    let kapso = start(at_noon()).await;
    let mut newest_first: Vec<String> = (0..250)
        .map(|n| kapso.receive(ANA, format!("message {n}")).to_string())
        .collect();
    newest_first.reverse();

    let (mut seen, mut sizes, mut query) = (vec![], vec![], "limit=100".to_owned());
    loop {
        let page = list(&kapso, &query).await.unwrap().json();
        sizes.push(ids(&page).len());
        seen.extend(ids(&page));
        let Some(after) = page_cursor(&page, "after") else {
            break;
        };
        query = format!("limit=100&after={after}");
    }
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(seen, newest_first);

    let second = list(&kapso, &query).await.unwrap().json();
    let before = page_cursor(&second, "before").unwrap();
    let back = list(&kapso, &format!("limit=100&before={before}")).await;
    assert_eq!(ids(&back.unwrap().json()), newest_first[100..200]);
}

#[tokio::test]
async fn list_without_a_limit_has_twenty_items() {
    let kapso = start(options()).await;
    for n in 0..25 {
        kapso.receive(ANA, format!("message {n}"));
    }
    let page = list(&kapso, "").await.unwrap().json();
    assert_eq!(ids(&page).len(), 20);
    assert!(page_cursor(&page, "after").is_some());
    for unusable in [
        "limit=101",
        "since=yesterday",
        "direction=sideways",
        "after=x",
        "type=text",
    ] {
        assert_eq!(
            list(&kapso, unusable).await.unwrap().status,
            400,
            "{unusable}"
        );
    }
}

#[tokio::test]
async fn since_looks_at_the_time_of_storing_and_includes_it() {
    let kapso = start(at_noon()).await;
    let hour = Duration::from_secs(3600);
    let late = Incoming::text("late").late_by(NOON.earlier(hour), hour);
    let late = kapso.receive(ANA, late).to_string();
    let early = Incoming::text("early").created_at(NOON.earlier(hour));
    let early = kapso.receive(ANA, early).to_string();

    let at = |time: &str| format!("since=2026-08-29T{time}Z");
    let page = list(&kapso, &at("10:40:00")).await.unwrap().json();
    assert_eq!(ids(&page), [late.as_str()], "noon is 2026-08-29T10:40:00Z");
    assert_eq!(page["data"][0]["timestamp"], "1787996400");
    let none = list(&kapso, &at("10:40:01")).await.unwrap().json();
    assert!(ids(&none).is_empty());
    let until = list(&kapso, "until=2026-08-29T09:40:00Z").await.unwrap();
    assert_eq!(ids(&until.json()), [early]);
}

#[tokio::test]
async fn a_hidden_message_shows_up_later_with_its_old_date() {
    let clock = Clock::standing_at(NOON);
    let kapso = start(StandInOptions {
        clock: clock.clone(),
        ..options()
    })
    .await;
    let later = NOON.later(Duration::from_secs(40));
    let timed = kapso.receive(ANA, Incoming::text("timed").hidden_until(later));
    let shown = kapso.receive(ANA, "shown").to_string();
    let held = kapso.receive(ANA, Incoming::text("held").hidden());

    let listed = async || ids(&list(&kapso, "").await.unwrap().json());
    assert_eq!(listed().await, [shown.as_str()]);
    clock.set(later);
    assert_eq!(listed().await, [shown.as_str(), timed.as_str()]);
    assert!(kapso.reveal(&held));
    assert_eq!(
        listed().await,
        [held.as_str(), shown.as_str(), timed.as_str()]
    );
}

#[tokio::test]
async fn list_filters_and_shows_the_fields_asked_for() {
    let kapso = start(options()).await;
    let ana = kapso
        .receive(ANA, Incoming::text("hi").name("Ana"))
        .to_string();
    let bob = kapso.receive(BOB, "hello").to_string();
    let sent = send(&kapso, ANA, "answer").await.unwrap().json();
    let sent = sent["messages"][0]["id"].as_str().unwrap().to_owned();

    let listed = async |query: &str| list(&kapso, query).await.unwrap().json();
    assert_eq!(
        ids(&listed("direction=inbound").await),
        [bob.as_str(), ana.as_str()]
    );
    let outbound = listed("direction=outbound").await;
    assert_eq!(ids(&outbound), [sent.as_str()]);
    let chat = outbound["data"][0]["kapso"]["whatsapp_conversation_id"].as_str();
    let query = format!("conversation_id={}", chat.unwrap());
    assert_eq!(ids(&listed(&query).await), [sent.as_str(), ana.as_str()]);
    mark(&kapso, &bob).await.unwrap();
    assert_eq!(ids(&listed("status=read").await), [bob.as_str()]);

    let first = async |fields: &str| {
        let query = format!("status=read&fields={fields}");
        listed(&query).await["data"][0].clone()
    };
    assert!(first("kapso()").await.get("kapso").is_none());
    assert!(
        first("kapso(default)").await["kapso"]
            .get("origin")
            .is_none()
    );
    let all = first("kapso(%2A)").await;
    assert_eq!(all["kapso"]["origin"], "cloud_api");
    assert_eq!(all["kapso"]["phone_number_id"], NUMBER);
    let named = first("kapso(direction,status)").await;
    assert_eq!(
        named["kapso"],
        json!({ "direction": "inbound", "status": "read" })
    );
}

#[tokio::test]
async fn a_customers_message_has_the_shape_of_the_real_list() {
    let kapso = start(at_noon()).await;
    let text = kapso.receive("+1 (555) 123-4567", Incoming::text("Hola!").name("Ana"));
    let item = list(&kapso, "").await.unwrap().json()["data"][0].clone();
    assert!(text.as_str().starts_with("wamid.HBgL"), "{text}");
    assert_eq!(item["id"], text.as_str());
    assert_eq!(item["timestamp"], "1788000000");
    assert_eq!(item["from"], "15551234567");
    assert_eq!(item["text"], json!({ "body": "Hola!" }));
    assert_eq!(item["kapso"]["direction"], "inbound");
    assert_eq!(item["kapso"]["status"], "delivered");
    assert_eq!(item["kapso"]["phone_number"], "+15551234567");
    assert_eq!(item["kapso"]["contact_name"], "Ana");

    let emoji = json!({ "message_id": text, "emoji": "❤️" });
    let reaction = Incoming::of_type("reaction", emoji.clone())
        .quoting(&text)
        .with_kapso("message_type_data", emoji.clone())
        .with("timestamp", json!(1_788_000_070));
    kapso.receive(ANA, reaction);
    let item = list(&kapso, "limit=1").await.unwrap().json()["data"][0].clone();
    assert_eq!(item["reaction"], emoji);
    assert_eq!(item["context"]["id"], text.as_str());
    assert_eq!(item["timestamp"], 1_788_000_070);
    assert_eq!(
        item["kapso"]["contact_name"], "Ana",
        "the name is remembered"
    );
}

#[tokio::test]
async fn planted_values_are_listed_as_they_stand() {
    let kapso = start(options()).await;
    let odd = json!({ "type": "text", "kapso": { "direction": "inbound" } });
    for value in [json!(7), odd.clone(), odd.clone()] {
        kapso.plant(value, None);
    }
    let page = list(&kapso, "direction=inbound").await.unwrap().json();
    assert_eq!(page["data"], json!([odd, odd, 7]));
}

#[tokio::test]
async fn malformed_elements_and_repeated_pages_are_served_on_request() {
    let kapso = start(options()).await;
    let mut newest_first: Vec<String> = (0..4)
        .map(|n| kapso.receive(ANA, format!("message {n}")).to_string())
        .collect();
    newest_first.reverse();

    kapso.faults().next_lists(1, ListFault::MalformedElement);
    let page = list(&kapso, "").await.unwrap().json();
    assert_eq!(page["data"].as_array().unwrap().len(), 6);
    assert_eq!(page["data"][2], 42);

    kapso.faults().next_lists(2, ListFault::RepeatedPage);
    let first = list(&kapso, "limit=2").await.unwrap().json();
    assert_eq!(ids(&first), newest_first[..2]);
    let query = format!("limit=2&after={}", page_cursor(&first, "after").unwrap());
    let again = list(&kapso, &query).await.unwrap().json();
    assert_eq!(ids(&again), newest_first[..2]);
    assert_eq!(page_cursor(&again, "after"), page_cursor(&first, "after"));
    let healed = list(&kapso, &query).await.unwrap().json();
    let query = format!("limit=2&after={}", page_cursor(&healed, "after").unwrap());
    assert_eq!(
        ids(&list(&kapso, &query).await.unwrap().json()),
        newest_first[2..]
    );
}
