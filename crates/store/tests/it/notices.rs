//! What a rule holds back is recorded, answered and told to the operator in one; what is told once is told once.

use std::time::Duration;

use store::{DeadId, Instead, MessageState, StoreError, Subject};

use crate::nouns::{Journal, START, chat, message, outgoing, wamid};

const HOUR: Duration = Duration::from_secs(3600);

/// A journal with a message of person 1; the admin is person 9.
async fn with_message() -> (Journal, i64) {
    let journal = Journal::new().await.expect("a journal can be made");
    let accepted = journal.store.accept(&[message(1, 1)], None).await;
    accepted.expect("it can be written");
    let row = journal.rows(1).await.expect("it can be read")[0].id;
    (journal, row)
}

#[tokio::test]
async fn what_a_rule_holds_back_is_answered_and_told_to_the_admin() {
    let (journal, row) = with_message().await;
    let (reply, admin) = (
        outgoing(1, "A person will write."),
        outgoing(9, "+15550000001"),
    );
    let verdict = Instead {
        state: MessageState::Failed,
        reason: "escalated",
        reply: Some(&reply),
        admin: Some(&admin),
    };
    assert!(journal.store.answer_instead(row, verdict).await.unwrap());
    let again = journal.store.answer_instead(row, verdict).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));

    let journal = journal.killed().await.unwrap();
    assert!(journal.rows(1).await.unwrap().is_empty());
    assert_eq!(journal.drain(1).await.unwrap(), ["A person will write."]);
    assert_eq!(journal.drain(9).await.unwrap(), ["+15550000001"]);
    let dead = journal.store.dead(10).await.unwrap();
    let [dead] = &dead[..] else {
        panic!("{dead:?}")
    };
    assert_eq!(
        (dead.id, dead.reason.as_str()),
        (DeadId::Message(row), "escalated")
    );
    journal.store.retry_dead(dead.id).await.unwrap();
    let released = journal.rows(1).await.unwrap();
    assert_eq!(released[0].released_at, Some(START));
}

#[tokio::test]
async fn what_a_rule_refuses_for_good_is_no_dead_letter() {
    let (journal, row) = with_message().await;
    let verdict = Instead {
        state: MessageState::Refused,
        reason: "forbidden_words",
        reply: None,
        admin: None,
    };
    assert!(!journal.store.answer_instead(row, verdict).await.unwrap());
    assert!(journal.store.dead(10).await.unwrap().is_empty());
    assert!(
        journal
            .store
            .chats_with_outgoing()
            .await
            .unwrap()
            .is_empty()
    );
    let subject = Subject::Id(wamid("wamid.1.1"));
    let life = journal.store.trace(&subject, 1).await.unwrap().remove(0);
    let traced = life.message.unwrap();
    assert_eq!(
        (traced.state, traced.reason.as_deref()),
        (MessageState::Refused, Some("forbidden_words"))
    );
}

#[tokio::test]
async fn a_rule_leads_to_no_other_state() {
    let (journal, row) = with_message().await;
    let reply = outgoing(1, "reply");
    for state in MessageState::ALL {
        if matches!(state, MessageState::Refused | MessageState::Failed) {
            continue;
        }
        let verdict = Instead {
            state: *state,
            reason: "rule",
            reply: Some(&reply),
            admin: None,
        };
        let refused = journal.store.answer_instead(row, verdict).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict { found: Some(found), .. }) if found == "received"),
            "{refused:?}"
        );
    }
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
    assert!(journal.drain(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_chat_is_told_the_same_words_once_since_an_instant() {
    let journal = Journal::new().await.unwrap();
    let tell = async |n, words, since| {
        let notice = outgoing(n, words);
        let told = journal.store.notice_once(&chat(n), &notice, since).await;
        told.expect("it can be written")
    };
    assert!(tell(1, "We are closed.", START).await);
    journal.clock.set(START.later(HOUR));
    assert!(!tell(1, "We are closed.", START).await);
    assert!(tell(2, "We are closed.", START).await);
    assert!(tell(1, "We are closed on Sundays.", START).await);
    // It opened and closed again in between.
    assert!(tell(1, "We are closed.", START.later(HOUR)).await);
    assert!(!tell(1, "We are closed.", START.later(HOUR)).await);
    assert_eq!(
        journal.drain(1).await.unwrap(),
        [
            "We are closed.",
            "We are closed on Sundays.",
            "We are closed."
        ]
    );
}

#[tokio::test]
async fn a_reply_with_the_same_words_is_no_notice() {
    let journal = Journal::new().await.unwrap();
    let words = outgoing(1, "We are closed.");
    journal.store.enqueue(&words).await.unwrap();
    let told = journal.store.notice_once(&chat(1), &words, START).await;
    assert!(told.unwrap());
}

#[tokio::test]
async fn a_notice_whose_words_were_dropped_is_not_repeated() {
    let journal = Journal::new().await.unwrap();
    let words = outgoing(1, "We are closed.");
    let tell = async || journal.store.notice_once(&chat(1), &words, START).await;
    assert!(tell().await.unwrap());
    journal.drain(1).await.unwrap();
    while journal.store.slim(0).await.unwrap() > 0 {}
    assert!(!tell().await.unwrap());
}
