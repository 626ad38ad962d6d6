//! A turn is begun once, asked as often as it must be, and settled once.

use std::time::Duration;

use model::Timestamp;
use store::{MessageState, OutgoingState, Settled, StoreError, Subject, TurnId, TurnState};

use crate::nouns::{Journal, START, chat, message, outgoing, parts, turn, wamid};

fn is_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>, state: &str) -> bool {
    matches!(result, Err(StoreError::Conflict { found: Some(found), .. }) if found == state)
}

/// The parts of a turn in the order of sending, each with its number; gives them up.
async fn numbers(journal: &Journal, id: TurnId) -> Vec<(u32, String)> {
    let mut seen = Vec::new();
    while let Some(row) = journal.head(1).await.expect("the journal can be read") {
        assert_eq!(row.turn, Some(id));
        seen.push((row.part, row.outgoing.body.text().to_owned()));
        journal
            .store
            .failed(row.id, "window closed")
            .await
            .expect("a head can be given up");
    }
    seen
}

#[tokio::test]
async fn a_turn_goes_from_queued_to_asked_to_answered_with_its_messages() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1), message(1, 2)], None)
        .await
        .unwrap();
    let rows = journal.rows(1).await.unwrap();
    let id = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[0].id, rows[1].id])
        .await
        .unwrap();
    assert!(journal.rows(1).await.unwrap().is_empty());
    let open = journal.store.open_turn(&chat(1)).await.unwrap().unwrap();
    assert_eq!(
        (open.id, open.state, open.attempts, open.said),
        (id, TurnState::Queued, 0, 0)
    );
    assert_eq!(
        (open.turn, open.boot, open.asked_at, open.accepted_at),
        (turn(1).unwrap(), None, None, None)
    );

    journal.clock.set(START.later(Duration::from_secs(5)));
    journal
        .store
        .asking(id, "boot-1", Some("mark-1"))
        .await
        .unwrap();
    let accepted = Timestamp::from_millis(77);
    journal.store.accepted(id, accepted).await.unwrap();
    let open = journal.store.open_turn(&chat(1)).await.unwrap().unwrap();
    assert_eq!(
        (open.state, open.attempts, open.boot.as_deref()),
        (TurnState::Asked, 1, Some("boot-1"))
    );
    assert_eq!(open.asked_at, Some(START.later(Duration::from_secs(5))));
    assert_eq!(
        (open.accepted_at, open.transcript_mark.as_deref()),
        (Some(accepted), Some("mark-1"))
    );
    assert_eq!(open.created_at, START);

    journal
        .store
        .settle(id, Settled::Answered, &parts(1, &["one", "two"]))
        .await
        .unwrap();
    assert_eq!(journal.store.open_turn(&chat(1)).await.unwrap(), None);
    assert_eq!(journal.drain(1).await.unwrap(), ["one", "two"]);
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(depths.messages, [(MessageState::Answered, 2)].into());
    assert_eq!(depths.turns, [(TurnState::Answered, 1)].into());
}

#[tokio::test]
async fn a_chat_has_one_unfinished_turn() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1), message(1, 2)], None)
        .await
        .unwrap();
    let rows = journal.rows(1).await.unwrap();
    let first = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[0].id])
        .await
        .unwrap();
    let second = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[1].id])
        .await;
    assert!(matches!(second, Err(StoreError::TurnOpen { chat: open }) if *open == chat(1)));
    let second = journal
        .store
        .begin_and_ask(&turn(1).unwrap(), &[rows[1].id], "boot", None)
        .await;
    assert!(matches!(second, Err(StoreError::TurnOpen { .. })));
    assert_eq!(journal.rows(1).await.unwrap(), rows[1..]);

    journal
        .store
        .settle(first, Settled::Silent, &[])
        .await
        .unwrap();
    let second = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[1].id])
        .await
        .unwrap();
    assert!(second > first);
}

#[tokio::test]
async fn a_turn_takes_only_messages_of_its_chat_that_wait_and_otherwise_none() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1), message(1, 2), message(2, 1)], None)
        .await
        .unwrap();
    let mine = journal.rows(1).await.unwrap();
    let others = journal.rows(2).await.unwrap();
    journal.store.ignore(mine[1].id, "reaction").await.unwrap();
    let foreign = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[mine[0].id, others[0].id])
        .await;
    assert!(is_conflict(foreign, "received"));
    let ignored = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[mine[0].id, mine[1].id])
        .await;
    assert!(is_conflict(ignored, "ignored"));
    let twice = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[mine[0].id, mine[0].id])
        .await;
    assert!(is_conflict(twice, "in_turn"));
    assert_eq!(journal.store.open_turn(&chat(1)).await.unwrap(), None);
    assert_eq!(journal.rows(1).await.unwrap(), mine[..1]);
}

#[tokio::test]
async fn begin_and_ask_leaves_what_its_two_halves_leave() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1), message(2, 2)], None)
        .await
        .unwrap();
    let of = async |n| journal.store.received(&chat(n), 1).await.unwrap()[0].id;
    journal
        .store
        .begin_and_ask(&turn(1).unwrap(), &[of(1).await], "boot", Some("mark"))
        .await
        .unwrap();
    let two = journal
        .store
        .begin_turn(&turn(2).unwrap(), &[of(2).await])
        .await
        .unwrap();
    journal
        .store
        .asking(two, "boot", Some("mark"))
        .await
        .unwrap();
    let one = journal.store.open_turn(&chat(1)).await.unwrap().unwrap();
    let two = journal.store.open_turn(&chat(2)).await.unwrap().unwrap();
    assert_eq!(
        store::StoredTurn {
            id: two.id,
            turn: two.turn.clone(),
            ..one
        },
        two
    );
}

#[tokio::test]
async fn asking_again_counts_and_keeps_the_first_acceptance_and_the_mark() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    journal
        .store
        .asking(id, "boot-1", Some("mark-1"))
        .await
        .unwrap();
    journal
        .store
        .accepted(id, Timestamp::from_millis(100))
        .await
        .unwrap();
    let journal = journal.killed().await.unwrap();
    journal.clock.set(START.later(Duration::from_secs(60)));
    journal.store.asking(id, "boot-2", None).await.unwrap();
    journal
        .store
        .accepted(id, Timestamp::from_millis(200))
        .await
        .unwrap();
    let open = journal.store.open_turn(&chat(1)).await.unwrap().unwrap();
    assert_eq!((open.attempts, open.boot.as_deref()), (3, Some("boot-2")));
    assert_eq!(open.transcript_mark.as_deref(), Some("mark-1"));
    assert_eq!(open.accepted_at, Some(Timestamp::from_millis(100)));
    assert_eq!(open.asked_at, Some(START.later(Duration::from_secs(60))));
}

#[tokio::test]
async fn what_was_said_stays_in_place_and_the_rest_follows_it() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    assert_eq!(
        journal
            .store
            .say(id, 0, &parts(1, &["a", "b"]))
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        journal
            .store
            .say(id, 0, &parts(1, &["a", "b"]))
            .await
            .unwrap(),
        0
    );
    let journal = journal.killed().await.unwrap();
    assert_eq!(
        journal
            .store
            .open_turn(&chat(1))
            .await
            .unwrap()
            .unwrap()
            .said,
        2
    );
    assert_eq!(
        journal
            .store
            .say(id, 1, &parts(1, &["b", "c"]))
            .await
            .unwrap(),
        1
    );
    assert!(is_conflict(
        journal.store.say(id, 4, &parts(1, &["e"])).await,
        "asked"
    ));
    journal
        .store
        .settle(id, Settled::Answered, &parts(1, &["d"]))
        .await
        .unwrap();
    assert!(is_conflict(
        journal.store.say(id, 4, &parts(1, &["e"])).await,
        "answered"
    ));
    let said = ["a", "b", "c", "d"];
    let numbered: Vec<_> = (0..).zip(said.map(str::to_owned)).collect();
    assert_eq!(numbers(&journal, id).await, numbered);
}

#[tokio::test]
async fn settling_twice_queues_nothing_twice_also_across_a_kill() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    journal
        .store
        .settle(id, Settled::Answered, &parts(1, &["answer"]))
        .await
        .unwrap();
    let journal = journal.killed().await.unwrap();
    for outcome in [
        Settled::Answered,
        Settled::Silent,
        Settled::Failed {
            reason: "late".to_owned(),
        },
    ] {
        assert!(is_conflict(
            journal
                .store
                .settle(id, outcome, &parts(1, &["answer"]))
                .await,
            "answered"
        ));
    }
    assert_eq!(journal.drain(1).await.unwrap(), ["answer"]);
    assert!(journal.store.events().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failed_turn_keeps_its_reason_and_sends_the_neutral_words() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    let outcome = Settled::Failed {
        reason: "model refused".to_owned(),
    };
    journal
        .store
        .settle(id, outcome, &parts(1, &["Sorry, try again"]))
        .await
        .unwrap();
    assert_eq!(journal.drain(1).await.unwrap(), ["Sorry, try again"]);
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(depths.messages, [(MessageState::Failed, 1)].into());
    assert_eq!(depths.turns, [(TurnState::Failed, 1)].into());
    assert_eq!(depths.outgoing, [(OutgoingState::Sent, 1)].into());
}

#[tokio::test]
async fn a_turn_that_is_over_or_unasked_refuses_what_comes_too_late_or_too_early() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let rows = journal.rows(1).await.unwrap();
    let id = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[rows[0].id])
        .await
        .unwrap();
    assert!(is_conflict(
        journal.store.accepted(id, START).await,
        "queued"
    ));
    assert!(is_conflict(
        journal.store.say(id, 0, &[outgoing(1, "x")]).await,
        "queued"
    ));
    journal
        .store
        .settle(id, Settled::Silent, &[])
        .await
        .unwrap();
    assert!(is_conflict(
        journal.store.asking(id, "boot", None).await,
        "silent"
    ));
    assert!(is_conflict(
        journal.store.accepted(id, START).await,
        "silent"
    ));
    assert!(is_conflict(
        journal.store.say(id, 0, &[outgoing(1, "x")]).await,
        "silent"
    ));
    assert_eq!(journal.head(1).await.unwrap(), None);
}

#[tokio::test]
async fn an_open_turn_is_found_after_a_kill_as_it_was() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    journal.store.accepted(id, START).await.unwrap();
    let before = journal.store.open_turn(&chat(1)).await.unwrap().unwrap();
    let journal = journal.killed().await.unwrap();
    assert_eq!(journal.store.chats_with_work().await.unwrap(), [chat(1)]);
    assert_eq!(
        journal.store.open_turn(&chat(1)).await.unwrap(),
        Some(before)
    );
}

#[tokio::test]
async fn a_dropped_verb_leaves_nothing_half_done() {
    let journal = Journal::new().await.unwrap();
    let id = journal.asked(1).await.unwrap();
    let answer = parts(1, &["one", "two"]);
    for polls in 0..40 {
        // The future is dropped after that many looks at it, somewhere between its statements.
        let mut verb = Box::pin(journal.store.settle(id, Settled::Answered, &answer));
        let mut left = polls;
        let done = std::future::poll_fn(|context| {
            let result = verb.as_mut().poll(context);
            left -= 1;
            if result.is_pending() && left <= 0 {
                std::task::Poll::Ready(None)
            } else {
                result.map(Some)
            }
        });
        let done = done.await;
        drop(verb);
        let open = journal.store.open_turn(&chat(1)).await.unwrap();
        let queued = journal.head(1).await.unwrap();
        assert_eq!(
            open.is_none(),
            queued.is_some(),
            "after {polls} looks: {done:?}"
        );
        if open.is_none() {
            break;
        }
    }
    assert_eq!(journal.store.open_turn(&chat(1)).await.unwrap(), None);
    assert_eq!(journal.drain(1).await.unwrap(), ["one", "two"]);
}

#[tokio::test]
async fn what_a_message_lacks_stays_its_reason_unless_its_turn_fails() {
    let journal = Journal::new().await.unwrap();
    let failed = Settled::Failed {
        reason: "no answer".to_owned(),
    };
    for (id, outcome, reason) in [(1, Settled::Answered, "no file"), (2, failed, "no answer")] {
        journal.store.accept(&[message(1, id)], None).await.unwrap();
        let row = journal.rows(1).await.unwrap()[0].id;
        journal.store.remark(row, "no file").await.unwrap();
        let asked = turn(1).unwrap();
        let rows = [row];
        let begun = journal.store.begin_and_ask(&asked, &rows, "boot", None);
        let turn = begun.await.unwrap();
        let late = journal.store.remark(row, "too late").await;
        assert!(is_conflict(late, "in_turn"));
        journal.store.settle(turn, outcome, &[]).await.unwrap();
        let subject = Subject::Id(wamid(&format!("wamid.1.{id}")));
        let life = journal.store.trace(&subject, 1).await.unwrap().remove(0);
        assert_eq!(life.message.unwrap().reason.as_deref(), Some(reason));
    }
}
