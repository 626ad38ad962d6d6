//! The journal in figures.

use std::time::Duration;

use model::IgnoreReason;
use store::{
    Counter, Depths, EventKind, MessageState, OutgoingState, Settled, StoreError, TurnState,
};

use crate::nouns::{Journal, START, chat, ignored, message, outgoing, parts};

#[tokio::test]
async fn an_empty_journal_counts_nothing() {
    let journal = Journal::new().await.unwrap();
    let depths = journal.store.depths().await.unwrap();
    let nothing = Depths {
        bytes: depths.bytes,
        ..Depths::default()
    };
    assert_eq!(depths, nothing);
    assert!(journal.store.events().await.unwrap().is_empty());
    let counters = journal.store.counters().await.unwrap();
    let at_zero: Vec<_> = Counter::ALL.iter().map(|counter| (*counter, 0)).collect();
    assert_eq!(counters, at_zero);
}

#[tokio::test]
async fn the_bytes_on_the_disk_are_those_of_the_journal_and_its_log() {
    let journal = Journal::new().await.unwrap();
    let before = journal.store.depths().await.unwrap().bytes;
    journal.asked(1).await.unwrap();
    let sizes = ["state.db", "state.db-wal"]
        .map(|file| journal.dir.path().join(file).metadata().unwrap().len());
    let after = journal.store.depths().await.unwrap().bytes;
    assert_eq!(after, sizes.iter().sum::<u64>());
    assert!(after > before);
}

#[tokio::test]
async fn a_report_fails_when_the_journal_is_closed() {
    let journal = Journal::new().await.unwrap();
    journal.asked(1).await.unwrap();
    journal.store.close().await;
    assert!(matches!(
        journal.store.depths().await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(
        journal.store.counters().await,
        Err(StoreError::Closed)
    ));
}

#[tokio::test]
async fn depths_count_by_state_and_tell_the_age_of_what_waits() {
    let journal = Journal::new().await.unwrap();
    journal.asked(1).await.unwrap();
    journal.clock.set(START.later(Duration::from_secs(10)));
    journal.store.enqueue(&outgoing(1, "queued")).await.unwrap();
    journal.under_way(1, "under way").await.unwrap();
    journal.clock.set(START.later(Duration::from_secs(30)));
    journal
        .store
        .accept(&[message(1, 2), message(2, 1)], None)
        .await
        .unwrap();
    journal.clock.set(START.later(Duration::from_secs(60)));
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(
        depths.messages,
        [(MessageState::Received, 2), (MessageState::InTurn, 1)].into()
    );
    assert_eq!(depths.turns, [(TurnState::Asked, 1)].into());
    assert_eq!(
        depths.outgoing,
        [(OutgoingState::Queued, 1), (OutgoingState::Sending, 1)].into()
    );
    assert_eq!(depths.oldest_received, Some(Duration::from_secs(30)));
    assert_eq!(depths.oldest_turn, Some(Duration::from_secs(60)));
    assert_eq!(depths.oldest_outgoing, Some(Duration::from_secs(50)));
}

#[tokio::test]
async fn events_are_counted_by_reason() {
    let journal = Journal::new().await.unwrap();
    let malformed = |id, what: &str| ignored(id, IgnoreReason::Malformed(what.to_owned()));
    let batch = [
        malformed("a", "no type"),
        malformed("b", "not an object"),
        ignored("c", IgnoreReason::Outbound),
    ];
    journal.store.accept(&batch, None).await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.store.received(&chat(1), 1).await.unwrap()[0].id;
    journal
        .store
        .refuse(row, "not_allowed", None)
        .await
        .unwrap();
    let turn = journal.asked(2).await.unwrap();
    let outcome = Settled::Failed {
        reason: "aborted".to_owned(),
    };
    journal
        .store
        .settle(turn, outcome, &parts(2, &["Sorry"]))
        .await
        .unwrap();
    let head = journal.head(2).await.unwrap().unwrap();
    journal
        .store
        .failed(head.id, "131026: undeliverable")
        .await
        .unwrap();

    let events = journal.store.events().await.unwrap();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event.kind, event.reason.as_str(), event.count))
        .collect();
    assert_eq!(
        seen,
        [
            (EventKind::Ignored, "malformed", 2),
            (EventKind::Ignored, "outbound", 1),
            (EventKind::MessageFailed, "aborted", 1),
            (EventKind::Refused, "not_allowed", 1),
            (EventKind::SendFailed, "131026: undeliverable", 1),
            (EventKind::TurnFailed, "aborted", 1),
        ]
    );
}
