//! What WhatsApp tells of a message lands on its row, and decides what became of a lost answer.

use std::time::Duration;

use model::{Fate, NumberId, Receipt, Timestamp};
use store::{Counter, OutgoingState, Subject, TracedReply};

use crate::nouns::{Journal, START, chat, number, outgoing, person, wamid};

/// What is told of the message `id` to person `n`, `seconds` after [`START`].
fn receipt(n: u32, id: &str, fate: Fate, seconds: u64) -> Receipt {
    Receipt {
        number: number(),
        id: wamid(id),
        to: Some(person(n)),
        fate,
        text: None,
        by_hand: false,
        at: at(seconds),
    }
}

/// The same of a message whose words are shown.
fn worded(n: u32, id: &str, text: &str, seconds: u64) -> Receipt {
    Receipt {
        text: Some(text.to_owned()),
        ..receipt(n, id, Fate::Sent, seconds)
    }
}

fn at(seconds: u64) -> Timestamp {
    START.later(Duration::from_secs(seconds))
}

fn window_closed() -> Fate {
    Fate::Failed("131047 Re-engagement message".to_owned())
}

/// The row that was sent as `id`.
async fn row(journal: &Journal, id: &str) -> TracedReply {
    let subject = Subject::Id(wamid(id));
    let mut lives = journal
        .store
        .trace(&subject, 1)
        .await
        .expect("it can be read");
    lives.remove(0).replies.remove(0)
}

/// Sends a message to person 1 as `id`.
async fn sent(journal: &Journal, id: &str) {
    let row = journal.under_way(1, "text").await.expect("it can be sent");
    journal
        .store
        .sent(row, &wamid(id))
        .await
        .expect("it was under way");
}

#[tokio::test]
async fn a_delivery_only_grows_and_is_noted_with_its_time() {
    let journal = Journal::new().await.unwrap();
    sent(&journal, "wamid.1").await;
    let told = [
        (Fate::Sent, 1),
        (Fate::Read, 3),
        (Fate::Delivered, 2),
        (Fate::Read, 9),
        (window_closed(), 10),
    ];
    for (fate, seconds) in told {
        let undecided = journal
            .store
            .receipts(&[receipt(1, "wamid.1", fate, seconds)])
            .await
            .unwrap();
        assert!(undecided.is_empty());
    }
    let row = row(&journal, "wamid.1").await;
    assert_eq!(row.state, OutgoingState::Sent);
    assert_eq!(
        (row.delivery.as_deref(), row.delivery_at),
        (Some("read"), Some(at(3)))
    );
}

#[tokio::test]
async fn i12_a_failed_status_marks_the_row_once_with_its_reason() {
    let journal = Journal::new().await.unwrap();
    sent(&journal, "wamid.1").await;
    let failed = receipt(1, "wamid.1", window_closed(), 5);
    journal
        .store
        .receipts(&[failed.clone(), failed.clone()])
        .await
        .unwrap();
    journal.store.receipts(&[failed]).await.unwrap();
    let row = row(&journal, "wamid.1").await;
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (OutgoingState::Failed, Some("131047 Re-engagement message"))
    );
    assert_eq!(
        (row.delivery.as_deref(), row.delivery_at),
        (Some("failed"), Some(at(5)))
    );
    assert_eq!(
        journal.counted().await.unwrap(),
        [(Counter::Undelivered, 1)]
    );
    assert_eq!(journal.store.dead(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_id_at_another_number_is_another_message() {
    let journal = Journal::new().await.unwrap();
    sent(&journal, "wamid.1").await;
    let elsewhere = Receipt {
        number: NumberId::new("200").unwrap(),
        ..receipt(1, "wamid.1", window_closed(), 5)
    };
    journal.store.receipts(&[elsewhere]).await.unwrap();
    let row = row(&journal, "wamid.1").await;
    assert_eq!((row.state, row.delivery), (OutgoingState::Sent, None));
}

#[tokio::test]
async fn s5_what_is_told_before_the_answer_to_the_request_is_noted_when_that_comes() {
    let journal = Journal::new().await.unwrap();
    let quick = journal.under_way(1, "quick").await.unwrap();
    let told = [
        worded(1, "wamid.1", "quick", 1),
        receipt(1, "wamid.1", Fate::Delivered, 2),
        receipt(1, "wamid.1", Fate::Sent, 1),
    ];
    assert_eq!(journal.store.receipts(&told).await.unwrap(), [chat(1)]);
    let journal = journal.killed().await.unwrap();
    journal.store.sent(quick, &wamid("wamid.1")).await.unwrap();
    let quick = row(&journal, "wamid.1").await;
    assert_eq!(
        (quick.state, quick.delivery.as_deref(), quick.delivery_at),
        (OutgoingState::Sent, Some("delivered"), Some(at(2)))
    );

    let lost = journal.under_way(1, "lost").await.unwrap();
    journal
        .store
        .receipts(&[receipt(1, "wamid.2", window_closed(), 4)])
        .await
        .unwrap();
    journal.store.sent(lost, &wamid("wamid.2")).await.unwrap();
    assert_eq!(row(&journal, "wamid.2").await.state, OutgoingState::Failed);
    assert_eq!(
        journal.counted().await.unwrap(),
        [(Counter::Undelivered, 1)]
    );
}

#[tokio::test]
async fn s5_a_lost_answer_is_found_by_its_words_among_what_was_told() {
    let journal = Journal::new().await.unwrap();
    let id = journal.under_way(1, " see you at 8 \n").await.unwrap();
    journal.store.unknown(id, "reset").await.unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(journal.store.announced(&head, START).await.unwrap(), None);

    let by_hand = Receipt {
        by_hand: true,
        ..worded(1, "wamid.hand", "see you at 8", 1)
    };
    let to_nobody = Receipt {
        to: None,
        ..worded(1, "wamid.nobody", "see you at 8", 1)
    };
    let told = [
        by_hand,
        to_nobody,
        worded(2, "wamid.other", "see you at 8", 1),
        worded(1, "wamid.words", "see you at 9", 1),
        worded(1, "wamid.b", "see you at 8", 3),
        worded(1, "wamid.a", "see you at 8", 2),
    ];
    assert_eq!(journal.store.receipts(&told).await.unwrap(), [chat(1)]);
    assert_eq!(
        journal.store.announced(&head, START).await.unwrap(),
        Some(wamid("wamid.a"))
    );
    assert_eq!(
        journal.store.announced(&head, at(3)).await.unwrap(),
        Some(wamid("wamid.b"))
    );
    assert_eq!(journal.store.announced(&head, at(4)).await.unwrap(), None);

    // What one row was sent as is no other row's.
    journal.store.sent(id, &wamid("wamid.a")).await.unwrap();
    let second = journal.under_way(1, "see you at 8").await.unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(head.id, second);
    assert_eq!(
        journal.store.announced(&head, START).await.unwrap(),
        Some(wamid("wamid.b"))
    );
}

#[tokio::test]
async fn an_old_message_of_the_same_words_stays_old_when_it_is_told_of_again() {
    let journal = Journal::new().await.unwrap();
    let id = journal.under_way(1, "yes").await.unwrap();
    journal.store.unknown(id, "reset").await.unwrap();
    let told = [
        worded(1, "wamid.old", "yes", 1),
        Receipt {
            fate: Fate::Read,
            ..worded(1, "wamid.old", "yes", 60)
        },
    ];
    journal.store.receipts(&told).await.unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(journal.store.announced(&head, at(30)).await.unwrap(), None);
}

#[tokio::test]
async fn what_others_send_from_the_number_is_not_kept() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .receipts(&[worded(1, "wamid.campaign", "offer", 1)])
        .await
        .unwrap();
    let id = journal.under_way(1, "offer").await.unwrap();
    journal.store.unknown(id, "reset").await.unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(journal.store.announced(&head, START).await.unwrap(), None);
    // Nothing is under way in the second chat, so nothing can be decided there.
    journal.store.enqueue(&outgoing(2, "queued")).await.unwrap();
    let told = [worded(2, "wamid.2", "queued", 2)];
    assert!(journal.store.receipts(&told).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_is_sent_again_is_not_judged_by_what_became_of_its_first_life() {
    let journal = Journal::new().await.unwrap();
    sent(&journal, "wamid.1").await;
    journal
        .store
        .receipts(&[receipt(1, "wamid.1", window_closed(), 5)])
        .await
        .unwrap();
    let dead = journal.store.dead(1).await.unwrap().remove(0);
    journal.store.retry_dead(dead.id).await.unwrap();
    journal
        .store
        .receipts(&[receipt(1, "wamid.1", window_closed(), 6)])
        .await
        .unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(head.state, OutgoingState::Queued);
    // What the first life was sent as is not what the second one is found as.
    assert_eq!(
        journal
            .store
            .first_unclaimed(&[wamid("wamid.1")])
            .await
            .unwrap(),
        None
    );
    journal.store.sending(head.id).await.unwrap();
    journal
        .store
        .sent(head.id, &wamid("wamid.2"))
        .await
        .unwrap();
    let row = row(&journal, "wamid.2").await;
    assert_eq!((row.state, row.delivery), (OutgoingState::Sent, None));
}

#[tokio::test]
async fn what_was_told_and_never_claimed_is_forgotten() {
    let journal = Journal::new().await.unwrap();
    let id = journal.under_way(1, "yes").await.unwrap();
    journal.store.unknown(id, "reset").await.unwrap();
    journal
        .store
        .receipts(&[worded(1, "wamid.1", "yes", 1)])
        .await
        .unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    journal.store.forget(START).await.unwrap();
    assert!(
        journal
            .store
            .announced(&head, START)
            .await
            .unwrap()
            .is_some()
    );
    journal.store.forget(at(1)).await.unwrap();
    assert_eq!(journal.store.announced(&head, START).await.unwrap(), None);
}
