//! What breaks the bridge twice is set aside, and what was given up can be given another life.

use std::time::Duration;

use store::{
    Counter, Dead, DeadId, MessageState, OutgoingState, Settled, StoreError, Stumbled, TurnState,
};

use crate::nouns::{Journal, START, chat, message, outgoing, parts, turn, wamid};

fn is_conflict<T>(result: &Result<T, StoreError>, found: &str) -> bool {
    matches!(result, Err(StoreError::Conflict { found: Some(state), .. }) if state == found)
}

async fn dead(journal: &Journal) -> Vec<Dead> {
    journal
        .store
        .dead(100)
        .await
        .expect("the journal can be read")
}

/// The names of what was set aside.
fn set_aside(stumbled: Stumbled) -> Vec<DeadId> {
    match stumbled {
        Stumbled::SetAside { what } => what,
        Stumbled::Again | Stumbled::Nothing => Vec::new(),
    }
}

#[tokio::test]
async fn a_message_at_which_the_bridge_breaks_twice_is_set_aside_and_the_next_one_goes_on() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 2), message(1, 1)], None)
        .await
        .unwrap();
    let rows = journal.rows(1).await.unwrap();
    assert_eq!(
        journal.store.stumbled(&chat(1), "panic").await.unwrap(),
        Stumbled::Again
    );
    assert_eq!(journal.rows(1).await.unwrap(), rows);
    let journal = journal.killed().await.unwrap();
    let stumbled = journal
        .store
        .stumbled(&chat(1), "panicked at 'boom'")
        .await
        .unwrap();
    assert_eq!(set_aside(stumbled), [DeadId::Message(rows[0].id)]);
    assert_eq!(journal.rows(1).await.unwrap(), rows[1..]);
    let dead = dead(&journal).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].reason.as_str(), &dead[0].wamid, dead[0].attempts),
        ("panicked at 'boom'", &Some(wamid("wamid.1.1")), 0)
    );
    assert_eq!(journal.counted().await.unwrap(), [(Counter::SetAside, 1)]);
    assert_eq!(
        journal.store.stumbled(&chat(1), "panic").await.unwrap(),
        Stumbled::Again
    );
    assert_eq!(
        journal.store.stumbled(&chat(2), "panic").await.unwrap(),
        Stumbled::Nothing
    );
}

#[tokio::test]
async fn a_turn_at_which_the_bridge_breaks_twice_is_set_aside_with_its_messages() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1), message(1, 2)], None)
        .await
        .unwrap();
    let ids: Vec<i64> = journal
        .rows(1)
        .await
        .unwrap()
        .iter()
        .map(|row| row.id)
        .collect();
    journal
        .store
        .begin_and_ask(&turn(1).unwrap(), &ids, "boot", None)
        .await
        .unwrap();
    journal.store.accept(&[message(1, 3)], None).await.unwrap();
    assert_eq!(
        journal.store.stumbled(&chat(1), "panic").await.unwrap(),
        Stumbled::Again
    );
    assert!(journal.store.open_turn(&chat(1)).await.unwrap().is_some());
    let stumbled = journal.store.stumbled(&chat(1), "panic").await.unwrap();
    assert_eq!(
        set_aside(stumbled),
        ids.iter()
            .map(|id| DeadId::Message(*id))
            .collect::<Vec<_>>()
    );
    assert_eq!(journal.store.open_turn(&chat(1)).await.unwrap(), None);
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(depths.turns, [(TurnState::Failed, 1)].into());
    assert_eq!(
        depths.messages,
        [(MessageState::Received, 1), (MessageState::Failed, 2)].into()
    );
    assert_eq!(journal.counted().await.unwrap(), [(Counter::SetAside, 2)]);
    assert_eq!(dead(&journal).await[0].attempts, 1);
}

#[tokio::test]
async fn a_reply_at_which_the_bridge_breaks_twice_is_set_aside_and_the_next_one_may_go() {
    let journal = Journal::new().await.unwrap();
    let broken = journal.under_way(1, "broken").await.unwrap();
    journal.store.enqueue(&outgoing(1, "next")).await.unwrap();
    assert_eq!(
        journal
            .store
            .stumbled_sending(&chat(1), "panic")
            .await
            .unwrap(),
        Stumbled::Again
    );
    let stumbled = journal
        .store
        .stumbled_sending(&chat(1), "panic")
        .await
        .unwrap();
    assert_eq!(set_aside(stumbled), [DeadId::Outgoing(broken)]);
    assert_eq!(journal.drain(1).await.unwrap(), ["next"]);
    assert_eq!(
        journal
            .store
            .stumbled_sending(&chat(1), "panic")
            .await
            .unwrap(),
        Stumbled::Nothing
    );
}

#[tokio::test]
async fn dead_letters_are_listed_the_newest_first() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let old = journal.rows(1).await.unwrap()[0].id;
    journal.store.expire(old, "too old").await.unwrap();
    journal.clock.set(START.later(Duration::from_secs(1)));
    let unsent = journal.under_way(2, "unsent").await.unwrap();
    journal
        .store
        .failed(unsent, "131026: undeliverable")
        .await
        .unwrap();
    journal.clock.set(START.later(Duration::from_secs(2)));
    let failed = journal.asked(3).await.unwrap();
    let outcome = Settled::Failed {
        reason: "aborted".to_owned(),
    };
    journal.store.settle(failed, outcome, &[]).await.unwrap();

    let letters = dead(&journal).await;
    let shown: Vec<_> = letters
        .iter()
        .map(|dead| {
            (
                dead.id.kind(),
                &dead.chat,
                dead.reason.as_str(),
                dead.text.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("message", &chat(3), "aborted", Some("text 3 👩‍👩‍👧")),
            ("reply", &chat(2), "131026: undeliverable", Some("unsent")),
            ("message", &chat(1), "too old", Some("text 1 👩‍👩‍👧")),
        ]
    );
    let attempts: Vec<_> = letters.iter().map(|dead| dead.attempts).collect();
    assert_eq!(attempts, [1, 1, 0]);
    assert_eq!(letters[0].at, START.later(Duration::from_secs(2)));
    assert_eq!(journal.store.dead(1).await.unwrap(), letters[..1]);
}

#[tokio::test]
async fn a_message_gets_another_life_without_its_turn_and_with_its_age_counted_anew() {
    let journal = Journal::new().await.unwrap();
    let failed = journal.asked(1).await.unwrap();
    journal.store.stumbled(&chat(1), "panic").await.unwrap();
    let outcome = Settled::Failed {
        reason: "model down".to_owned(),
    };
    journal
        .store
        .settle(failed, outcome, &parts(1, &["Sorry"]))
        .await
        .unwrap();
    let later = START.later(Duration::from_secs(3600));
    journal.clock.set(later);
    let id = dead(&journal).await[0].id;
    assert_eq!(journal.store.retry_dead(id).await.unwrap(), chat(1));
    let journal = journal.killed().await.unwrap();
    assert!(is_conflict(&journal.store.retry_dead(id).await, "received"));
    assert!(dead(&journal).await.is_empty());
    assert_eq!(journal.store.chats_with_work().await.unwrap(), [chat(1)]);
    let row = journal.rows(1).await.unwrap().remove(0);
    assert_eq!((row.received_at, row.released_at), (START, Some(later)));

    // Its stumbles are forgotten, too, and the old turn has no say in it.
    assert_eq!(
        journal.store.stumbled(&chat(1), "panic").await.unwrap(),
        Stumbled::Again
    );
    let second = journal
        .store
        .begin_turn(&turn(1).unwrap(), &[row.id])
        .await
        .unwrap();
    journal
        .store
        .settle(second, Settled::Answered, &[])
        .await
        .unwrap();
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(depths.messages, [(MessageState::Answered, 1)].into());
}

#[tokio::test]
async fn an_expired_message_gets_another_life() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    journal.store.expire(row, "too old").await.unwrap();
    journal
        .store
        .retry_dead(DeadId::Message(row))
        .await
        .unwrap();
    assert_eq!(journal.rows(1).await.unwrap()[0].released_at, Some(START));
}

#[tokio::test]
async fn a_reply_gets_another_life_with_all_its_tries() {
    let journal = Journal::new().await.unwrap();
    let id = journal.under_way(1, "text").await.unwrap();
    journal
        .store
        .stumbled_sending(&chat(1), "panic")
        .await
        .unwrap();
    journal.store.failed(id, "given up").await.unwrap();
    let later = START.later(Duration::from_secs(90_000));
    journal.clock.set(later);
    assert_eq!(
        journal
            .store
            .retry_dead(DeadId::Outgoing(id))
            .await
            .unwrap(),
        chat(1)
    );
    let head = journal.head(1).await.unwrap().unwrap();
    assert_eq!(
        (head.state, head.attempts, head.created_at, head.reason),
        (OutgoingState::Queued, 0, later, None)
    );
    assert_eq!(
        journal
            .store
            .stumbled_sending(&chat(1), "panic")
            .await
            .unwrap(),
        Stumbled::Again
    );
    assert_eq!(journal.drain(1).await.unwrap(), ["text"]);
}

#[tokio::test]
async fn a_dead_letter_that_is_dropped_is_reported_no_longer() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    let waiting = journal.store.drop_dead(DeadId::Message(row)).await;
    assert!(is_conflict(&waiting, "received"));
    journal.store.fail(row, "no session").await.unwrap();
    let unsent = journal.under_way(1, "unsent").await.unwrap();
    let waiting = journal.store.drop_dead(DeadId::Outgoing(unsent)).await;
    assert!(is_conflict(&waiting, "sending"));
    journal.store.failed(unsent, "refused").await.unwrap();

    for dead in dead(&journal).await {
        journal.store.drop_dead(dead.id).await.unwrap();
        let again = journal.store.drop_dead(dead.id).await;
        assert!(is_conflict(&again, "dropped"));
        assert!(is_conflict(
            &journal.store.retry_dead(dead.id).await,
            "dropped"
        ));
    }
    assert!(dead(&journal).await.is_empty());
    let depths = journal.store.depths().await.unwrap();
    assert_eq!(depths.messages, [(MessageState::Dropped, 1)].into());
    assert_eq!(depths.outgoing, [(OutgoingState::Dropped, 1)].into());
    let missing = journal
        .store
        .retry_dead(DeadId::Message(999))
        .await
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "message 999 cannot be tried again: it is not in the journal"
    );
}

#[test]
fn a_dead_letter_is_named_by_its_kind_and_number() {
    for name in ["m12", "o34", "m9223372036854775807"] {
        assert_eq!(name.parse::<DeadId>().unwrap().to_string(), name);
    }
    for wrong in [
        "",
        "m",
        "12",
        "M12",
        "o-1",
        "o+1",
        "m1 ",
        "é1",
        "m99999999999999999999",
    ] {
        let error = wrong.parse::<DeadId>().unwrap_err().to_string();
        assert!(
            error.contains("m12 (a message) or o34 (a reply)"),
            "{error}"
        );
    }
}
