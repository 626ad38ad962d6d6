//! One person has one chat, under both names; two people never share one; a session knows whose words it had.

use std::time::Duration;

use anyhow::Result;
use model::{
    Arrival, ChatKey, Fate, Identity, Inbound, NumberId, Outgoing, Phone, Receipt, SessionKey,
    Turn, UserId,
};
use store::{Settled, StoreError, TurnId};

use crate::nouns::{Journal, START, chat, inbound, message, number, outgoing, person, turn, wamid};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn user(id: &str) -> UserId {
    UserId::new(id).expect("the tests use ids of the right form")
}

fn chat_of(id: &str) -> ChatKey {
    ChatKey::new(number(), &Identity::User(user(id)))
}

/// The message `id` of person `n`, with the user id that stands beside the number.
fn with_both(n: u32, id: u32, of: &str) -> Arrival {
    Arrival::Message(Box::new(Inbound {
        user: Some(user(of)),
        ..inbound(n, id)
    }))
}

/// The message `id` of somebody who hides the number.
fn hidden(id: u32, of: &str) -> Inbound {
    Inbound {
        id: wamid(&format!("wamid.{of}.{id}")),
        from: Identity::User(user(of)),
        ..inbound(0, id)
    }
}

/// The chat into which a message of the user id alone goes now; `id` is new each time.
async fn placed(journal: &Journal, id: u32, of: &str) -> Result<ChatKey> {
    let arrival = Arrival::Message(Box::new(hidden(id, of)));
    let mut accepted = journal.store.accept(&[arrival], None).await?;
    anyhow::ensure!(accepted.new == 1, "{accepted:?}");
    Ok(accepted.fresh.remove(0))
}

#[tokio::test]
async fn a_user_id_that_was_seen_beside_a_number_is_of_its_chat_from_then_on() {
    let journal = Journal::new().await.unwrap();
    assert_eq!(placed(&journal, 1, "US.1").await.unwrap(), chat_of("US.1"));
    let both = journal.store.accept(&[with_both(1, 1, "US.1")], None).await;
    assert_eq!(both.unwrap().fresh, [chat(1)]);
    let journal = journal.killed().await.unwrap();
    assert_eq!(placed(&journal, 2, "US.1").await.unwrap(), chat(1));

    let rows = journal.rows(1).await.unwrap();
    let mine: Vec<_> = rows.into_iter().map(|row| row.inbound).collect();
    let Identity::Phone(phone) = person(1) else {
        panic!("a number")
    };
    let known = Inbound {
        known_as: Some(phone),
        ..hidden(2, "US.1")
    };
    assert_eq!(mine[1], known);
    assert_eq!((mine[1].chat(), mine[1].person()), (chat(1), person(1)));
    assert_eq!(mine[0].known_as, None);
}

#[tokio::test]
async fn a_pair_counts_within_the_batch_that_brings_it() {
    let journal = Journal::new().await.unwrap();
    let batch = [
        with_both(1, 1, "US.1"),
        Arrival::Message(Box::new(hidden(2, "US.1"))),
    ];
    let accepted = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!(accepted.fresh, [chat(1)]);
    assert_eq!(journal.rows(1).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_two_pairs_the_newest_wins_for_both_names() {
    let journal = Journal::new().await.unwrap();
    let pairs = [with_both(1, 1, "US.1"), with_both(1, 2, "US.2")];
    journal.store.accept(&pairs, None).await.unwrap();
    assert_eq!(placed(&journal, 1, "US.1").await.unwrap(), chat_of("US.1"));
    assert_eq!(placed(&journal, 1, "US.2").await.unwrap(), chat(1));

    let moved = [with_both(2, 3, "US.2")];
    journal.store.accept(&moved, None).await.unwrap();
    assert_eq!(placed(&journal, 2, "US.2").await.unwrap(), chat(2));
    // Number 1 is free again, for whoever has it next.
    let next = [with_both(1, 4, "US.1")];
    journal.store.accept(&next, None).await.unwrap();
    assert_eq!(placed(&journal, 3, "US.1").await.unwrap(), chat(1));
    assert_eq!(placed(&journal, 3, "US.2").await.unwrap(), chat(2));
}

#[tokio::test]
async fn an_older_message_that_comes_late_changes_no_name() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[with_both(1, 20, "US.1")], None)
        .await
        .unwrap();
    let late = [with_both(1, 10, "US.2"), with_both(2, 10, "US.1")];
    journal.store.accept(&late, None).await.unwrap();
    assert_eq!(placed(&journal, 1, "US.1").await.unwrap(), chat(1));
    assert_eq!(placed(&journal, 1, "US.2").await.unwrap(), chat_of("US.2"));
}

#[tokio::test]
async fn a_pair_is_learnt_from_a_new_message_alone() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let again = journal.store.accept(&[with_both(1, 1, "US.1")], None).await;
    assert_eq!(again.unwrap().duplicates, 1);
    assert_eq!(placed(&journal, 1, "US.1").await.unwrap(), chat_of("US.1"));
}

#[tokio::test]
async fn what_is_known_at_one_business_number_counts_for_no_other() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[with_both(1, 1, "US.1")], None)
        .await
        .unwrap();
    let other = NumberId::new("200").unwrap();
    let elsewhere = Arrival::Message(Box::new(Inbound {
        number: other.clone(),
        ..hidden(1, "US.1")
    }));
    let accepted = journal.store.accept(&[elsewhere], None).await.unwrap();
    let there = ChatKey::new(other, &Identity::User(user("US.1")));
    assert_eq!(accepted.fresh, [there]);
}

#[tokio::test]
async fn a_number_keeps_the_form_in_which_it_was_received() {
    let journal = Journal::new().await.unwrap();
    let spelled = |id, text| {
        Arrival::Message(Box::new(Inbound {
            from: Identity::new(text).unwrap(),
            user: Some(user("AR.1")),
            ..inbound(1, id)
        }))
    };
    let batch = [spelled(1, "541155551234"), spelled(2, "+5491155551234")];
    let accepted = journal.store.accept(&batch, None).await.unwrap();
    let mine = ChatKey::new(number(), &Identity::new("+541155551234").unwrap());
    assert_eq!(accepted.fresh, std::slice::from_ref(&mine));
    assert_eq!(placed(&journal, 3, "AR.1").await.unwrap(), mine);
    let rows = journal.store.received(&mine, 10).await.unwrap();
    let known_as = rows[2].inbound.known_as.as_ref();
    assert_eq!(known_as.map(Phone::digits), Some("5491155551234"));
}

#[tokio::test]
async fn what_a_caller_says_of_the_number_of_a_sender_does_not_count() {
    let journal = Journal::new().await.unwrap();
    let Identity::Phone(victim) = person(2) else {
        panic!("a number")
    };
    let forged = [inbound(1, 1), hidden(1, "US.1")].map(|inbound| {
        Arrival::Message(Box::new(Inbound {
            known_as: Some(victim.clone()),
            ..inbound
        }))
    });
    let accepted = journal.store.accept(&forged, None).await.unwrap();
    assert_eq!(accepted.fresh, [chat(1), chat_of("US.1")]);
    assert!(journal.rows(2).await.unwrap().is_empty());
    assert_eq!(journal.rows(1).await.unwrap()[0].inbound, inbound(1, 1));
}

#[tokio::test]
async fn a_pair_outlives_the_messages_that_told_of_it() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[with_both(1, 1, "US.1")], None)
        .await
        .unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    journal.store.ignore(row, "reaction").await.unwrap();
    let later = START.later(DAY * 400);
    assert_eq!(journal.store.forget(later).await.unwrap(), 1);
    assert_eq!(placed(&journal, 1, "US.1").await.unwrap(), chat(1));
}

/// Ids that are told apart by their letters, by case, by country and by kind alone.
const ALIKE: [&str; 8] = [
    "US.13491208655302741918",
    "MX.ab12c3",
    "MX.AB12C3",
    "US.xy1z23",
    "US.123",
    "MX.123",
    "US.ENT.123",
    "US.1",
];

#[tokio::test]
async fn c9_two_user_ids_never_share_a_chat() {
    let journal = Journal::new().await.unwrap();
    let digits = Identity::new("+13491208655302").unwrap();
    let by_number = Arrival::Message(Box::new(Inbound {
        from: digits.clone(),
        ..inbound(1, 1)
    }));
    let batch: Vec<Arrival> = ALIKE
        .into_iter()
        .map(|id| Arrival::Message(Box::new(hidden(1, id))))
        .chain([by_number])
        .collect();
    let accepted = journal.store.accept(&batch, None).await.unwrap();
    assert_eq!(accepted.fresh.len(), ALIKE.len() + 1);
    for id in ALIKE {
        let rows = journal.store.received(&chat_of(id), 10).await.unwrap();
        let senders: Vec<_> = rows.into_iter().map(|row| row.inbound.from).collect();
        assert_eq!(senders, [Identity::User(user(id))]);
    }
    let by_number = ChatKey::new(number(), &digits);
    let rows = journal.store.received(&by_number, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn c9_of_the_user_ids_that_had_a_number_the_last_one_alone_has_its_chat() {
    let journal = Journal::new().await.unwrap();
    for (seconds, id) in (1..).zip(ALIKE) {
        journal
            .store
            .accept(&[with_both(1, seconds, id)], None)
            .await
            .unwrap();
        for (n, other) in (1..).zip(ALIKE) {
            let place = placed(&journal, seconds * 100 + n, other).await.unwrap();
            let expected = if other == id { chat(1) } else { chat_of(other) };
            assert_eq!(place, expected, "{other} after {id}");
        }
    }
}

#[tokio::test]
async fn what_whatsapp_tells_of_an_answer_to_a_user_id_is_found_in_the_chat_of_its_number() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[with_both(1, 1, "US.1")], None)
        .await
        .unwrap();
    let answer = Outgoing {
        to: Identity::User(user("US.1")),
        ..outgoing(1, "answer")
    };
    let id = journal.store.enqueue(&answer).await.unwrap();
    journal.store.sending(id).await.unwrap();
    let told = Receipt {
        number: number(),
        id: wamid("wamid.out"),
        to: Some(Identity::User(user("US.1"))),
        fate: Fate::Sent,
        text: Some("answer".to_owned()),
        by_hand: false,
        at: START,
    };
    let undecided = journal.store.receipts(&[told]).await.unwrap();
    assert_eq!(undecided, [chat(1)]);
    let head = journal.head(1).await.unwrap().unwrap();
    let announced = journal.store.announced(&head, START).await.unwrap();
    assert_eq!(announced, Some(wamid("wamid.out")));
}

fn session(key: &str) -> SessionKey {
    SessionKey::new(key).expect("the tests use plain keys")
}

/// The message `id` of person `n` becomes a turn in a session; it is left open.
async fn speak(journal: &Journal, n: u32, id: u32, key: &str) -> Result<TurnId> {
    journal.store.accept(&[message(n, id)], None).await?;
    let rows: Vec<i64> = journal.rows(n).await?.iter().map(|row| row.id).collect();
    let turn = Turn {
        session: session(key),
        ..turn(n)?
    };
    Ok(journal
        .store
        .begin_and_ask(&turn, &rows, "boot", None)
        .await?)
}

async fn senders(journal: &Journal, key: &str) -> Vec<ChatKey> {
    let senders = journal.store.session_senders(&session(key)).await;
    senders.expect("the journal can be read")
}

#[tokio::test]
async fn a_session_knows_everyone_who_spoke_in_it_and_nobody_of_another() {
    let journal = Journal::new().await.unwrap();
    speak(&journal, 1, 1, "main").await.unwrap();
    speak(&journal, 2, 1, "agent:main:MAIN").await.unwrap();
    speak(&journal, 3, 1, "main-wa-3").await.unwrap();
    let journal = journal.killed().await.unwrap();
    assert_eq!(senders(&journal, "Main").await, [chat(1), chat(2)]);
    assert_eq!(senders(&journal, "main-wa-3").await, [chat(3)]);
    assert!(senders(&journal, "main-wa").await.is_empty());
    assert!(senders(&journal, "agent:other:main").await.is_empty());
}

#[tokio::test]
async fn a_turn_that_is_refused_makes_nobody_a_sender() {
    let journal = Journal::new().await.unwrap();
    let first = speak(&journal, 1, 1, "one").await.unwrap();
    let second = Turn {
        session: session("two"),
        ..turn(1).unwrap()
    };
    let refused = journal.store.begin_turn(&second, &[]).await;
    assert!(matches!(refused, Err(StoreError::TurnOpen { .. })));
    journal
        .store
        .settle(first, Settled::Silent, &[])
        .await
        .unwrap();
    let refused = journal.store.begin_turn(&second, &[999]).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    assert!(senders(&journal, "two").await.is_empty());
    assert_eq!(senders(&journal, "one").await, [chat(1)]);
}

#[tokio::test]
async fn a_sender_is_known_for_thirty_days_after_its_last_turn_and_while_one_is_open() {
    let journal = Journal::new().await.unwrap();
    let over = speak(&journal, 1, 1, "main").await.unwrap();
    journal
        .store
        .settle(over, Settled::Silent, &[])
        .await
        .unwrap();
    speak(&journal, 2, 1, "main").await.unwrap();
    journal.clock.set(START.later(DAY * 20));
    let again = speak(&journal, 1, 2, "main").await.unwrap();
    journal
        .store
        .settle(again, Settled::Silent, &[])
        .await
        .unwrap();

    for (days, known) in [(50, vec![chat(1), chat(2)]), (52, vec![chat(2)])] {
        journal.clock.set(START.later(DAY * days));
        while journal.store.forget(journal.clock.now()).await.unwrap() > 0 {}
        assert_eq!(senders(&journal, "main").await, known, "after {days} days");
    }
}
