//! What goes out waits in order, and every step of a send is a row first.

use std::time::Duration;

use store::{Counter, Head, OutgoingId, OutgoingState, StoreError};

use crate::nouns::{Journal, START, chat, outgoing, wamid};

#[derive(Debug, Clone, Copy)]
enum Verb {
    Sending,
    Sent,
    Unknown,
    Retry,
    Repeat,
    Failed,
}

const VERBS: [Verb; 6] = [
    Verb::Sending,
    Verb::Sent,
    Verb::Unknown,
    Verb::Retry,
    Verb::Repeat,
    Verb::Failed,
];

async fn apply(journal: &Journal, id: OutgoingId, verb: Verb) -> Result<(), StoreError> {
    match verb {
        Verb::Sending => journal.store.sending(id).await,
        Verb::Sent => journal
            .store
            .sent(id, &wamid("wamid.out"))
            .await
            .map(|_| ()),
        Verb::Unknown => journal.store.unknown(id, "connection reset").await,
        Verb::Retry => journal.store.retry_at(id, START, "try again").await,
        Verb::Repeat => journal.store.repeat(id, "not in the list").await,
        Verb::Failed => journal.store.failed(id, "refused").await,
    }
}

#[tokio::test]
async fn each_verb_starts_from_its_states_only() {
    let ways: [(&str, &[Verb], &[Verb]); 5] = [
        ("queued", &[], &[Verb::Sending, Verb::Failed]),
        (
            "sending",
            &[Verb::Sending],
            &[
                Verb::Sent,
                Verb::Unknown,
                Verb::Retry,
                Verb::Repeat,
                Verb::Failed,
            ],
        ),
        (
            "unknown",
            &[Verb::Sending, Verb::Unknown],
            &[Verb::Sent, Verb::Retry, Verb::Repeat, Verb::Failed],
        ),
        ("sent", &[Verb::Sending, Verb::Sent], &[]),
        ("failed", &[Verb::Sending, Verb::Failed], &[]),
    ];
    for (state, way, allowed) in ways {
        for verb in VERBS {
            let journal = Journal::new().await.unwrap();
            let id = journal.store.enqueue(&outgoing(1, "text")).await.unwrap();
            for step in way {
                apply(&journal, id, *step).await.unwrap();
            }
            let before = journal.head(1).await.unwrap();
            let result = apply(&journal, id, verb).await;
            if allowed
                .iter()
                .any(|allowed| std::mem::discriminant(allowed) == std::mem::discriminant(&verb))
            {
                assert!(result.is_ok(), "{verb:?} from {state}: {result:?}");
            } else {
                let refused = matches!(&result, Err(StoreError::Conflict { found: Some(found), .. }) if found == state);
                assert!(refused, "{verb:?} from {state}: {result:?}");
                assert_eq!(
                    journal.head(1).await.unwrap(),
                    before,
                    "{verb:?} from {state}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_head_holds_the_others_back_until_it_is_sent_or_failed() {
    let journal = Journal::new().await.unwrap();
    for text in ["one", "two", "three"] {
        journal.store.enqueue(&outgoing(1, text)).await.unwrap();
    }
    journal
        .store
        .enqueue(&outgoing(2, "other chat"))
        .await
        .unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(
        (head.outgoing, head.attempts, head.created_at),
        (outgoing(1, "one"), 0, START)
    );

    journal.store.sending(head.id).await.unwrap();
    let later = START.later(Duration::from_secs(30));
    journal.clock.set(START.later(Duration::from_secs(1)));
    journal
        .store
        .retry_at(head.id, later, "131056: pair rate limit")
        .await
        .unwrap();
    let waits = journal.head(1).await.unwrap().unwrap();
    assert_eq!(
        (waits.id, waits.state, waits.attempts),
        (head.id, OutgoingState::Queued, 1)
    );
    assert_eq!(
        (waits.not_before, waits.reason.as_deref()),
        (Some(later), Some("131056: pair rate limit"))
    );
    assert_eq!(
        (waits.created_at, waits.updated_at),
        (START, START.later(Duration::from_secs(1)))
    );

    journal.store.sending(head.id).await.unwrap();
    journal.store.unknown(head.id, "timed out").await.unwrap();
    assert_eq!(
        journal.head(1).await.unwrap().unwrap().state,
        OutgoingState::Unknown
    );
    journal
        .store
        .failed(head.id, "131047: window closed")
        .await
        .unwrap();
    assert_eq!(journal.drain(1).await.unwrap(), ["two", "three"]);
    assert_eq!(journal.drain(2).await.unwrap(), ["other chat"]);
}

#[tokio::test]
async fn r7_a_kill_in_the_middle_of_three_parts_leaves_the_second_at_the_head() {
    let journal = Journal::new().await.unwrap();
    let ids = [
        journal.store.enqueue(&outgoing(1, "one")).await.unwrap(),
        journal.store.enqueue(&outgoing(1, "two")).await.unwrap(),
        journal.store.enqueue(&outgoing(1, "three")).await.unwrap(),
    ];
    journal.store.sending(ids[0]).await.unwrap();
    journal
        .store
        .sent(ids[0], &wamid("wamid.one"))
        .await
        .unwrap();
    journal.store.sending(ids[1]).await.unwrap();
    let journal = journal.killed().await.unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(
        (head.id, head.state, head.attempts),
        (ids[1], OutgoingState::Sending, 1)
    );
    journal
        .store
        .retry_at(head.id, START, "not in the outbound list")
        .await
        .unwrap();
    assert_eq!(journal.drain(1).await.unwrap(), ["two", "three"]);
}

#[tokio::test]
async fn claiming_marks_the_head_when_it_may_go_and_only_then() {
    let journal = Journal::new().await.unwrap();
    assert_eq!(
        journal.store.claim_next(&chat(1)).await.unwrap(),
        Head::Empty
    );
    let id = journal.store.enqueue(&outgoing(1, "one")).await.unwrap();
    journal.store.enqueue(&outgoing(1, "two")).await.unwrap();

    let Head::Yours(row) = journal.store.claim_next(&chat(1)).await.unwrap() else {
        panic!("may go")
    };
    assert_eq!(
        (row.id, row.state, row.attempts),
        (id, OutgoingState::Sending, 1)
    );
    assert_eq!(journal.head(1).await.unwrap(), Some(row.clone()));
    assert_eq!(
        journal.store.claim_next(&chat(1)).await.unwrap(),
        Head::Waits(row)
    );

    let at = START.later(Duration::from_millis(1));
    journal.store.retry_at(id, at, "busy").await.unwrap();
    let waits = journal.store.claim_next(&chat(1)).await.unwrap();
    assert!(matches!(waits, Head::Waits(row) if row.id == id && row.not_before == Some(at)));
    journal.clock.set(at);
    let journal = journal.killed().await.unwrap();
    let yours = journal.store.claim_next(&chat(1)).await.unwrap();
    assert!(
        matches!(yours, Head::Yours(row) if row.id == id && row.attempts == 2 && row.not_before.is_none())
    );
}

#[tokio::test]
async fn s5_a_lost_answer_is_counted_with_what_became_of_it() {
    let journal = Journal::new().await.unwrap();
    let found = journal.under_way(1, "found").await.unwrap();
    journal.store.unknown(found, "reset").await.unwrap();
    journal.store.sent(found, &wamid("wamid.1")).await.unwrap();

    let repeated = journal.under_way(1, "repeated").await.unwrap();
    journal.store.unknown(repeated, "timed out").await.unwrap();
    journal
        .store
        .repeat(repeated, "not in the list")
        .await
        .unwrap();
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(
        (head.id, head.state, head.attempts, head.not_before),
        (repeated, OutgoingState::Queued, 1, None)
    );
    journal.store.sending(repeated).await.unwrap();
    journal
        .store
        .sent(repeated, &wamid("wamid.2"))
        .await
        .unwrap();

    // The answer came, and said that it was not taken: nothing is unknown about that.
    let refused = journal.under_way(1, "refused").await.unwrap();
    journal
        .store
        .retry_at(refused, START, "busy")
        .await
        .unwrap();
    let journal = journal.killed().await.unwrap();
    assert_eq!(
        journal.counted().await.unwrap(),
        [
            (Counter::Unknown, 2),
            (Counter::FoundSent, 1),
            (Counter::Repeated, 1)
        ]
    );
}

#[tokio::test]
async fn sent_tells_whether_another_waits_behind_it() {
    let journal = Journal::new().await.unwrap();
    let one = journal.under_way(1, "one").await.unwrap();
    let two = journal.store.enqueue(&outgoing(1, "two")).await.unwrap();
    journal
        .store
        .enqueue(&outgoing(2, "another chat"))
        .await
        .unwrap();
    assert!(journal.store.sent(one, &wamid("wamid.1")).await.unwrap());
    journal.store.sending(two).await.unwrap();
    assert!(!journal.store.sent(two, &wamid("wamid.2")).await.unwrap());
}

#[tokio::test]
async fn a_listed_message_is_claimed_by_one_row_only() {
    let journal = Journal::new().await.unwrap();
    let (a, b) = (wamid("wamid.a"), wamid("wamid.b"));
    let first = journal.under_way(1, "yes").await.unwrap();
    journal.store.sent(first, &a).await.unwrap();
    let list = [a.clone(), b.clone()];
    assert_eq!(
        journal.store.first_unclaimed(&list).await.unwrap(),
        Some(b.clone())
    );
    let second = journal.under_way(1, "yes").await.unwrap();
    journal.store.unknown(second, "timed out").await.unwrap();
    journal.store.sent(second, &b).await.unwrap();
    assert_eq!(journal.store.first_unclaimed(&list).await.unwrap(), None);
    assert_eq!(journal.store.first_unclaimed(&[]).await.unwrap(), None);
}

#[tokio::test]
async fn chats_with_outgoing_are_those_whose_queue_has_a_head() {
    let journal = Journal::new().await.unwrap();
    journal.under_way(3, "under way").await.unwrap();
    let sent = journal.under_way(1, "sent").await.unwrap();
    journal.store.sent(sent, &wamid("wamid.1")).await.unwrap();
    let failed = journal.under_way(2, "failed").await.unwrap();
    journal.store.failed(failed, "refused").await.unwrap();
    let unknown = journal.under_way(4, "unknown").await.unwrap();
    journal.store.unknown(unknown, "reset").await.unwrap();
    journal.store.enqueue(&outgoing(2, "queued")).await.unwrap();
    let journal = journal.killed().await.unwrap();
    assert_eq!(
        journal.store.chats_with_outgoing().await.unwrap(),
        [chat(3), chat(4), chat(2)]
    );
}
