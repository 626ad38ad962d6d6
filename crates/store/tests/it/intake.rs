//! What comes in is recorded once, and waits in order.

use std::time::Duration;

use model::{
    Arrival, Choice, Contact, Content, IgnoreReason, Inbound, Location, Media, MediaKind, NumberId,
    Source, Timestamp,
};
use store::{Accepted, Counter, EventKind, Listing, StoreError};

use crate::nouns::{Journal, START, chat, ignored, inbound, message, number, turn, wamid};

/// The ids that wait for a chat, in the order in which they will be handed over.
async fn waiting(journal: &Journal, n: u32) -> Vec<String> {
    let messages = journal
        .store
        .received(&chat(n), 1000)
        .await
        .expect("the journal can be read");
    messages
        .iter()
        .map(|message| message.inbound.id.to_string())
        .collect()
}

#[tokio::test]
async fn an_item_is_recorded_once_within_a_batch_and_across_batches() {
    let journal = Journal::new().await.unwrap();
    let batch = [
        message(2, 1),
        message(1, 1),
        message(2, 1),
        message(2, 2),
        ignored("wamid.x", IgnoreReason::Group),
    ];
    let first = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!(
        first,
        Accepted {
            fresh: vec![chat(2), chat(1)],
            new: 3,
            duplicates: 1,
            ignored: 1,
            recovered: 0
        }
    );

    let batch = [
        message(1, 2),
        message(2, 2),
        ignored("wamid.x", IgnoreReason::Group),
    ];
    let second = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!(
        second,
        Accepted {
            fresh: vec![chat(1)],
            new: 1,
            duplicates: 2,
            ignored: 0,
            recovered: 0
        }
    );
    assert_eq!(waiting(&journal, 1).await, ["wamid.1.1", "wamid.1.2"]);
    assert_eq!(waiting(&journal, 2).await, ["wamid.2.1", "wamid.2.2"]);
}

#[tokio::test]
async fn an_item_is_known_whatever_became_of_it() {
    let journal = Journal::new().await.unwrap();
    let batch: Vec<Arrival> = (1..=3).map(|id| message(1, id)).collect();
    journal.store.accept(&batch, None).await.unwrap();
    let rows = journal.rows(1).await.unwrap();
    journal.store.ignore(rows[0].id, "reaction").await.unwrap();
    journal
        .store
        .refuse(rows[1].id, "not_allowed", None)
        .await
        .unwrap();
    journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[2].id])
        .await
        .unwrap();
    let again = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!(
        again,
        Accepted {
            fresh: Vec::new(),
            new: 0,
            duplicates: 3,
            ignored: 0,
            recovered: 0
        }
    );
    assert!(waiting(&journal, 1).await.is_empty());
}

#[tokio::test]
async fn the_same_id_at_two_numbers_is_two_messages() {
    let journal = Journal::new().await.unwrap();
    let other = NumberId::new("200").unwrap();
    let elsewhere = Arrival::Message(Box::new(Inbound {
        number: other,
        ..inbound(1, 1)
    }));
    let accepted = journal
        .store
        .accept(&[message(1, 1), elsewhere], None)
        .await
        .unwrap();
    assert_eq!((accepted.new, accepted.fresh.len()), (2, 2));
    assert_eq!(waiting(&journal, 1).await, ["wamid.1.1"]);
}

#[tokio::test]
async fn p14_items_without_an_id_are_told_apart_by_their_hash() {
    let journal = Journal::new().await.unwrap();
    let hashed = |hash: char, id| {
        let hash = wamid(&format!("sha256:{}", String::from(hash).repeat(64)));
        Arrival::Message(Box::new(Inbound {
            id: hash,
            ..inbound(1, id)
        }))
    };
    let accepted = journal
        .store
        .accept(&[hashed('a', 1), hashed('b', 2), hashed('a', 1)], None)
        .await
        .unwrap();
    assert_eq!((accepted.new, accepted.duplicates), (2, 1));
    assert_eq!(waiting(&journal, 1).await.len(), 2);
}

#[tokio::test]
async fn p2_an_item_is_new_although_the_cursor_is_past_it() {
    let journal = Journal::new().await.unwrap();
    let to = START.later(Duration::from_secs(600));
    journal
        .store
        .accept(&[message(1, 599)], Some(Listing::new(&number(), to)))
        .await
        .unwrap();
    let late = journal
        .store
        .accept(
            &[message(1, 1), message(1, 599)],
            Some(Listing::new(&number(), to)),
        )
        .await
        .unwrap();
    assert_eq!((late.new, late.duplicates), (1, 1));
    assert_eq!(waiting(&journal, 1).await, ["wamid.1.1", "wamid.1.599"]);
}

#[tokio::test]
async fn messages_wait_in_the_order_of_sending_then_of_arrival() {
    let journal = Journal::new().await.unwrap();
    let in_one_second = |id| {
        Arrival::Message(Box::new(Inbound {
            sent_at: START,
            ..inbound(1, id)
        }))
    };
    journal
        .store
        .accept(&[message(1, 9), in_one_second(7), in_one_second(3)], None)
        .await
        .unwrap();
    journal
        .store
        .accept(&[message(1, 5), message(2, 1)], None)
        .await
        .unwrap();
    assert_eq!(
        waiting(&journal, 1).await,
        ["wamid.1.7", "wamid.1.3", "wamid.1.5", "wamid.1.9"]
    );
    let two = journal.store.received(&chat(1), 2).await.unwrap();
    let ids: Vec<&str> = two
        .iter()
        .map(|message| message.inbound.id.as_str())
        .collect();
    assert_eq!(ids, ["wamid.1.7", "wamid.1.3"]);
    assert_eq!(two[0].received_at, START);
}

/// The message `id` of person `n` as a webhook brings it.
fn pushed(n: u32, id: u32) -> Arrival {
    Arrival::Message(Box::new(Inbound {
        source: Source::Webhook,
        ..inbound(n, id)
    }))
}

#[tokio::test]
async fn p5_a_message_that_is_pushed_again_is_counted_and_one_that_is_listed_again_is_not() {
    let journal = Journal::new().await.unwrap();
    let store = &journal.store;
    let both = store
        .accept(&[pushed(1, 1), pushed(1, 1)], None)
        .await
        .unwrap();
    assert_eq!((both.new, both.duplicates), (1, 1));
    store.accept(&[message(1, 1)], None).await.unwrap();
    assert_eq!(journal.counted().await.unwrap(), [(Counter::Duplicates, 1)]);
    store.accept(&[message(1, 2)], None).await.unwrap();
    let journal = journal.killed().await.unwrap();
    let late = journal
        .store
        .accept(&[pushed(1, 2), pushed(1, 3)], None)
        .await
        .unwrap();
    assert_eq!((late.new, late.duplicates), (1, 1));
    assert_eq!(journal.counted().await.unwrap(), [(Counter::Duplicates, 2)]);
}

#[tokio::test]
async fn what_only_the_list_had_is_counted_as_recovered_where_webhooks_should_have_brought_it() {
    let journal = Journal::new().await.unwrap();
    let number = number();
    let polled = Listing::new(&number, START);
    let reconciled = Listing {
        recovered_before: Some(START.later(Duration::from_secs(30))),
        ..polled
    };
    journal.store.accept(&[pushed(1, 1)], None).await.unwrap();
    let listed = [
        message(1, 1),
        message(1, 29),
        message(1, 30),
        ignored("wamid.x", IgnoreReason::Group),
    ];
    let accepted = journal
        .store
        .accept(&listed, Some(reconciled))
        .await
        .unwrap();
    assert_eq!(
        (accepted.new, accepted.ignored, accepted.recovered),
        (2, 1, 1)
    );
    let again = journal
        .store
        .accept(&listed, Some(reconciled))
        .await
        .unwrap();
    assert_eq!((again.new, again.recovered), (0, 0));
    let polled = journal
        .store
        .accept(&[message(2, 1)], Some(polled))
        .await
        .unwrap();
    assert_eq!((polled.new, polled.recovered), (1, 0));
    assert_eq!(journal.counted().await.unwrap(), [(Counter::Recovered, 1)]);
}

#[tokio::test]
async fn a_message_that_is_too_old_expires_once_and_is_counted() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    journal.store.expire(row, "waited 25 hours").await.unwrap();
    let again = journal.store.expire(row, "waited 26 hours").await;
    assert!(
        matches!(again, Err(StoreError::Conflict { found: Some(state), .. }) if state == "expired")
    );
    assert!(waiting(&journal, 1).await.is_empty());
    assert_eq!(journal.counted().await.unwrap(), [(Counter::Expired, 1)]);
    let events = journal.store.events().await.unwrap();
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.kind, event.reason.as_str(), event.count),
        (EventKind::Expired, "waited 25 hours", 1)
    );
}

#[tokio::test]
async fn the_cursor_is_what_was_said_last_and_each_number_has_its_own() {
    let journal = Journal::new().await.unwrap();
    assert_eq!(journal.store.listed_to(&number()).await.unwrap(), None);
    let (one, two) = (Timestamp::from_seconds(4_000_000_000), START);
    journal
        .store
        .accept(&[], Some(Listing::new(&number(), one)))
        .await
        .unwrap();
    assert_eq!(journal.store.listed_to(&number()).await.unwrap(), Some(one));
    // A clock that was years ahead has been set right.
    journal
        .store
        .accept(&[message(1, 1)], Some(Listing::new(&number(), two)))
        .await
        .unwrap();
    assert_eq!(journal.store.listed_to(&number()).await.unwrap(), Some(two));
    assert_eq!(
        journal
            .store
            .listed_to(&NumberId::new("200").unwrap())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn p4_sixty_accepted_messages_are_there_after_a_kill() {
    let journal = Journal::new().await.unwrap();
    let batch: Vec<Arrival> = (1..=60).map(|id| message(id % 3, id)).collect();
    journal
        .store
        .accept(&batch, Some(Listing::new(&number(), START)))
        .await
        .unwrap();
    let journal = journal.killed().await.unwrap();
    assert!(!journal.store.is_new());
    assert_eq!(
        journal.store.listed_to(&number()).await.unwrap(),
        Some(START)
    );
    let mut rows = Vec::new();
    for chat in journal.store.chats_with_work().await.unwrap() {
        rows.extend(journal.store.received(&chat, 60).await.unwrap());
    }
    rows.sort_by_key(|row| row.id);
    let there: Vec<Arrival> = rows
        .into_iter()
        .map(|row| Arrival::Message(Box::new(row.inbound)))
        .collect();
    assert_eq!(there, batch);
    let again = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!((again.new, again.duplicates), (0, 60));
}

#[tokio::test]
async fn every_kind_of_content_is_read_back_as_it_came() {
    let media = Media {
        kind: MediaKind::Voice,
        id: Some("m1".to_owned()),
        url: None,
        mime: Some("audio/ogg; codecs=opus".to_owned()),
        filename: Some("../../etc/passwd".to_owned()),
        caption: Some("'); DROP TABLE message; --".to_owned()),
        transcript: Some("\u{0} zero".to_owned()),
    };
    let contents = vec![
        Content::Media(media),
        Content::Location(Location {
            latitude: -34.603_7,
            longitude: 1e-7,
            name: None,
            address: Some(String::new()),
        }),
        Content::Contacts {
            contacts: vec![Contact {
                name: "Bo".to_owned(),
                phones: vec!["+1 555".to_owned()],
            }],
        },
        Content::Reaction {
            to: wamid("wamid.1"),
            emoji: None,
        },
        Content::Choice(Choice {
            id: Some("yes".to_owned()),
            title: "Yes".to_owned(),
        }),
        Content::Order {
            text: None,
            items: 3,
        },
        Content::System {
            body: "changed number".to_owned(),
        },
        Content::Unsupported {
            kind: "hologram".to_owned(),
        },
    ];
    let journal = Journal::new().await.unwrap();
    let sent: Vec<Inbound> = (1..)
        .zip(contents)
        .map(|(id, content)| Inbound {
            content,
            ..inbound(1, id)
        })
        .collect();
    let batch: Vec<Arrival> = sent
        .iter()
        .map(|inbound| Arrival::Message(Box::new(inbound.clone())))
        .collect();
    journal.store.accept(&batch, None).await.unwrap();
    let rows = journal.rows(1).await.unwrap();
    assert_eq!(
        rows.into_iter().map(|row| row.inbound).collect::<Vec<_>>(),
        sent
    );
}

#[tokio::test]
async fn the_beginning_of_a_number_is_noted_once_and_survives_a_kill() {
    let journal = Journal::new().await.unwrap();
    let began = journal.store.began(&number(), START).await.unwrap();
    assert_eq!(began, START);
    let journal = journal.killed().await.unwrap();
    let later = START.later(Duration::from_secs(60));
    assert_eq!(journal.store.began(&number(), later).await.unwrap(), START);
    let other = NumberId::new("200").unwrap();
    assert_eq!(journal.store.began(&other, later).await.unwrap(), later);
}
