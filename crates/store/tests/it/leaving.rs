//! What came in leaves `received` once, and a refused chat is told once.

use std::time::Duration;

use store::{EventKind, MessageState, StoreError};

use crate::nouns::{Journal, START, chat, message, outgoing, turn};

#[tokio::test]
async fn p7_a_refused_chat_is_told_once_a_day_and_never_twice_for_one_message() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(
            &[message(1, 1), message(1, 2), message(1, 3), message(2, 1)],
            None,
        )
        .await
        .unwrap();
    let mine = journal.rows(1).await.unwrap();
    let other = journal.rows(2).await.unwrap();
    let notice = outgoing(1, "Sorry");
    assert!(
        journal
            .store
            .refuse(mine[0].id, "not_allowed", Some(&notice))
            .await
            .unwrap()
    );
    assert!(
        !journal
            .store
            .refuse(mine[1].id, "not_allowed", Some(&notice))
            .await
            .unwrap()
    );
    assert!(
        journal
            .store
            .refuse(other[0].id, "not_allowed", Some(&outgoing(2, "Sorry")))
            .await
            .unwrap()
    );

    journal
        .clock
        .set(START.later(Duration::from_secs(24 * 3600)));
    let repeated = journal
        .store
        .refuse(mine[0].id, "not_allowed", Some(&notice))
        .await
        .unwrap_err();
    assert!(
        matches!(repeated, StoreError::Conflict { found: Some(state), .. } if state == "refused")
    );
    assert_eq!(journal.drain(1).await.unwrap(), ["Sorry"]);
    assert!(
        journal
            .store
            .refuse(mine[2].id, "not_allowed", Some(&notice))
            .await
            .unwrap()
    );
    assert_eq!(journal.drain(1).await.unwrap(), ["Sorry"]);
}

#[tokio::test]
async fn an_answer_does_not_count_as_a_notice() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .enqueue(&outgoing(1, "by hand"))
        .await
        .unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let rows = journal.rows(1).await.unwrap();
    assert!(
        journal
            .store
            .refuse(rows[0].id, "rate", Some(&outgoing(1, "Sorry")))
            .await
            .unwrap()
    );
    assert_eq!(journal.drain(1).await.unwrap(), ["by hand", "Sorry"]);
}

#[tokio::test]
async fn a_message_leaves_received_by_one_verb_only() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(
            &[message(1, 1), message(1, 2), message(1, 3), message(1, 4)],
            None,
        )
        .await
        .unwrap();
    let rows = journal.rows(1).await.unwrap();
    journal
        .store
        .refuse(rows[0].id, "not_allowed", None)
        .await
        .unwrap();
    journal.store.ignore(rows[1].id, "reaction").await.unwrap();
    journal
        .store
        .fail(rows[2].id, "session key too long")
        .await
        .unwrap();
    journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[3].id])
        .await
        .unwrap();
    for row in &rows {
        for refused in [
            journal
                .store
                .refuse(row.id, "again", None)
                .await
                .map(|_| ()),
            journal.store.ignore(row.id, "again").await,
            journal.store.fail(row.id, "again").await,
        ] {
            assert!(
                matches!(refused, Err(StoreError::Conflict { .. })),
                "{refused:?}"
            );
        }
    }
    let depths = journal.store.depths().await.unwrap();
    let states = [
        MessageState::Refused,
        MessageState::Ignored,
        MessageState::Failed,
        MessageState::InTurn,
    ];
    assert_eq!(depths.messages, states.map(|state| (state, 1)).into());
    let events = journal.store.events().await.unwrap();
    assert!(events.iter().all(|event| event.reason != "again"));
    assert!(
        events
            .iter()
            .any(|event| event.kind == EventKind::MessageFailed)
    );
}

#[tokio::test]
async fn chats_with_work_are_those_that_wait_or_have_an_open_turn_the_longest_waiting_first() {
    let journal = Journal::new().await.unwrap();
    for (seconds, n) in [(0, 3), (1, 1), (2, 2), (3, 4)] {
        journal.clock.set(START.later(Duration::from_secs(seconds)));
        journal.store.accept(&[message(n, 1)], None).await.unwrap();
    }
    let of = async |n| journal.store.received(&chat(n), 1).await.unwrap()[0].id;
    journal.clock.set(START.later(Duration::from_secs(4)));
    journal.store.ignore(of(2).await, "reaction").await.unwrap();
    journal
        .store
        .begin_turn(&turn(1).unwrap(), &[of(1).await])
        .await
        .unwrap();
    assert_eq!(
        journal.store.chats_with_work().await.unwrap(),
        [chat(3), chat(4), chat(1)]
    );
}

#[tokio::test]
async fn a_message_that_is_not_there_cannot_be_set_aside() {
    let journal = Journal::new().await.unwrap();
    let missing = journal.store.ignore(999, "reaction").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "message 999 cannot be ignored: it is not in the journal"
    );
}
