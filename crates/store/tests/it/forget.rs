//! What is over is forgotten when it is old; what waits never is.

use std::time::Duration;

use anyhow::Result;
use model::{Arrival, Content, IgnoreReason, Inbound};
use store::{MessageState, OutgoingState, Settled, Subject, TurnState};

use crate::nouns::{Journal, START, chat, ignored, inbound, message, parts, turn};

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

/// A turn of `count` messages of person 1 that is over; the words of each message fill a page and more.
async fn long_talk(journal: &Journal, count: u32) -> Result<()> {
    let long = |id| {
        Arrival::Message(Box::new(Inbound {
            content: Content::Text {
                body: "long ".repeat(2000),
            },
            ..inbound(1, id)
        }))
    };
    let batch: Vec<Arrival> = (1..=count).map(long).collect();
    journal.store.accept(&batch, None).await?;
    let rows = journal.store.received(&chat(1), count).await?;
    let messages: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let id = journal.store.begin_turn(&turn(1)?, &messages).await?;
    Ok(journal.store.settle(id, Settled::Silent, &[]).await?)
}

/// Makes the journal smaller until there is nothing left to do; how many rows that took.
async fn slim(journal: &Journal, max_bytes: u64) -> u64 {
    let mut touched = 0;
    loop {
        match journal
            .store
            .slim(max_bytes)
            .await
            .expect("it can be written")
        {
            0 => return touched,
            rows => touched += rows,
        }
    }
}

#[tokio::test]
async fn a_journal_that_is_small_enough_keeps_its_words() {
    let journal = Journal::new().await.unwrap();
    long_talk(&journal, 20).await.unwrap();
    assert_eq!(slim(&journal, 10_000_000).await, 0);
    assert!(
        journal.store.recent(1, None).await.unwrap()[0]
            .text
            .is_some()
    );
}

#[tokio::test]
async fn p5_a_journal_that_is_too_large_drops_words_first_and_keeps_the_keys_of_a_week() {
    let journal = Journal::new().await.unwrap();
    long_talk(&journal, 20).await.unwrap();
    let turn = journal.asked(2).await.unwrap();
    journal
        .store
        .settle(turn, Settled::Answered, &parts(2, &["answer"]))
        .await
        .unwrap();
    journal.drain(2).await.unwrap();
    journal.clock.set(START.later(WEEK));
    // 21 messages, two turns and a reply.
    assert_eq!(slim(&journal, 0).await, 24);
    assert!(
        journal
            .store
            .recent(50, None)
            .await
            .unwrap()
            .iter()
            .all(|recent| recent.text.is_none())
    );
    let lives = journal
        .store
        .trace(&Subject::Chat(chat(2)), 10)
        .await
        .unwrap();
    assert_eq!(
        lives[0].message.as_ref().unwrap().state,
        MessageState::Answered
    );
    assert_eq!(
        (lives[0].replies.len(), &lives[0].replies[0].text),
        (1, &None)
    );
    let again = journal
        .store
        .accept(&[message(1, 1), message(2, 2)], None)
        .await
        .unwrap();
    assert_eq!((again.new, again.duplicates), (0, 2));

    journal
        .clock
        .set(START.later(WEEK + Duration::from_secs(25 * 3600)));
    assert_eq!(slim(&journal, 0).await, 24);
    let depths = journal.store.depths().await.unwrap();
    assert!(depths.messages.is_empty() && depths.turns.is_empty() && depths.outgoing.is_empty());
}

#[tokio::test]
async fn the_oldest_words_go_first_and_no_more_than_it_takes() {
    let journal = Journal::new().await.unwrap();
    long_talk(&journal, 1200).await.unwrap();
    // Ten kilobytes a message: dropping those of one step is enough; the turn's words are a step of their own.
    assert_eq!(slim(&journal, 12_000_000).await, 501);
    let shown = journal.store.recent(1200, None).await.unwrap();
    assert!(shown[..500].iter().all(|recent| recent.text.is_none()));
    assert!(shown[500..].iter().all(|recent| recent.text.is_some()));
}

#[tokio::test]
async fn what_waits_keeps_its_words_and_loses_them_when_it_is_over() {
    let journal = Journal::new().await.unwrap();
    journal.asked(1).await.unwrap();
    journal.store.accept(&[message(1, 2)], None).await.unwrap();
    journal.under_way(1, "under way").await.unwrap();
    journal.clock.set(START.later(WEEK * 2));
    assert_eq!(slim(&journal, 0).await, 0);
    let row = journal.rows(1).await.unwrap().remove(0);
    assert!(journal.store.open_turn(&chat(1)).await.unwrap().is_some());
    assert_eq!(
        journal.drain(1).await.unwrap_err().to_string(),
        "outgoing message 1 cannot be sending: it is sending"
    );

    journal.store.ignore(row.id, "reaction").await.unwrap();
    assert_eq!(journal.store.slim(0).await.unwrap(), 1);
    assert_eq!(journal.store.recent(1, None).await.unwrap()[0].text, None);
}

#[tokio::test]
async fn a_dead_letter_without_its_words_is_listed_and_cannot_be_tried_again() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    journal.store.fail(row, "no session").await.unwrap();
    let unsent = journal.under_way(1, "unsent").await.unwrap();
    journal.store.failed(unsent, "refused").await.unwrap();
    slim(&journal, 0).await;
    let dead = journal.store.dead(10).await.unwrap();
    assert_eq!(dead.len(), 2);
    for dead in dead {
        assert_eq!(dead.text, None);
        let error = journal.store.retry_dead(dead.id).await.unwrap_err();
        assert!(
            error.to_string().contains("it is without its words"),
            "{error}"
        );
        journal.store.drop_dead(dead.id).await.unwrap();
    }
}
