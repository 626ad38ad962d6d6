//! What is over is forgotten when it is old; what waits never is.

use std::time::Duration;

use model::{Arrival, IgnoreReason};
use store::{MessageState, OutgoingState, Settled, TurnState};

use crate::nouns::{Journal, START, chat, ignored, message, parts};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[tokio::test]
async fn p5_what_is_over_is_known_for_a_week_and_then_forgotten() {
    let journal = Journal::new().await.unwrap();
    let turn = journal.asked(1).await.unwrap();
    journal
        .store
        .settle(turn, Settled::Answered, &parts(1, &["answer"]))
        .await
        .unwrap();
    journal.drain(1).await.unwrap();
    journal
        .store
        .accept(&[ignored("wamid.x", IgnoreReason::Group)], None)
        .await
        .unwrap();

    assert_eq!(journal.store.forget(START).await.unwrap(), 0);
    let known = journal.store.accept(&[message(1, 1)], None).await.unwrap();
    assert_eq!((known.new, known.duplicates), (0, 1));
    assert_eq!(journal.store.forget(START.later(WEEK)).await.unwrap(), 4);
    let depths = journal.store.depths().await.unwrap();
    assert!(depths.messages.is_empty() && depths.turns.is_empty() && depths.outgoing.is_empty());
    let next = journal.asked(1).await.unwrap();
    assert!(next > turn, "a number is never given twice");
}

#[tokio::test]
async fn what_waits_is_kept_however_old_it_is() {
    let journal = Journal::new().await.unwrap();
    journal.asked(1).await.unwrap();
    journal.store.accept(&[message(1, 2)], None).await.unwrap();
    let unsent = journal.asked(2).await.unwrap();
    journal
        .store
        .settle(unsent, Settled::Answered, &parts(2, &["unsent"]))
        .await
        .unwrap();
    let waiting = journal.rows(1).await.unwrap();
    journal.clock.set(START.later(WEEK * 52));
    // The message of the turn whose answer was not sent is over; the turn is kept for its answer.
    assert_eq!(journal.store.forget(journal.clock.now()).await.unwrap(), 1);
    assert_eq!(journal.rows(1).await.unwrap(), waiting);
    assert!(journal.store.open_turn(&chat(1)).await.unwrap().is_some());
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(
        depths.messages,
        [(MessageState::Received, 1), (MessageState::InTurn, 1)].into()
    );
    assert_eq!(
        depths.turns,
        [(TurnState::Asked, 1), (TurnState::Answered, 1)].into()
    );
    assert_eq!(depths.outgoing, [(OutgoingState::Queued, 1)].into());
    assert_eq!(journal.drain(2).await.unwrap(), ["unsent"]);
}

#[tokio::test]
async fn a_long_past_is_forgotten_in_several_calls() {
    let journal = Journal::new().await.unwrap();
    let batch: Vec<Arrival> = (0..1200)
        .map(|n| ignored(&format!("wamid.{n}"), IgnoreReason::Outbound))
        .collect();
    journal.store.accept(&batch, None).await.unwrap();
    let mut calls = Vec::new();
    loop {
        match journal.store.forget(START.later(WEEK)).await.unwrap() {
            0 => break,
            gone => calls.push(gone),
        }
    }
    assert_eq!(calls, [500, 500, 200]);
}
