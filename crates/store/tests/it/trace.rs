//! The life of a message can be told, and the newest messages listed.

use std::time::Duration;

use model::{ChatKey, IgnoreReason, Source};
use store::{Life, MessageState, OutgoingState, Settled, Subject, TurnState};

use crate::nouns::{Journal, START, chat, ignored, message, outgoing, parts, turn, wamid};

async fn lives(journal: &Journal, subject: Subject) -> Vec<Life> {
    journal
        .store
        .trace(&subject, 100)
        .await
        .expect("the journal can be read")
}

fn of(id: &str) -> Subject {
    Subject::Id(wamid(id))
}

/// The ids of the messages of some lives.
fn ids(lives: &[Life]) -> Vec<&str> {
    let messages = lives.iter().filter_map(|life| life.message.as_ref());
    messages.map(|message| message.wamid.as_str()).collect()
}

/// Two messages of person 1 that were asked together at second 2 and answered at second 5 with two parts, of which the
/// first was sent as `wamid.out` and the second waits.
async fn answered() -> Journal {
    let journal = Journal::new().await.expect("a directory can be made");
    let step = async |seconds| journal.clock.set(START.later(Duration::from_secs(seconds)));
    let all = async || {
        step(1).await;
        journal
            .store
            .accept(&[message(1, 1), message(1, 2)], None)
            .await?;
        let ids: Vec<i64> = journal.rows(1).await?.iter().map(|row| row.id).collect();
        step(2).await;
        let id = journal
            .store
            .begin_and_ask(&turn(1)?, &ids, "boot", None)
            .await?;
        journal
            .store
            .accepted(id, START.later(Duration::from_secs(3)))
            .await?;
        step(5).await;
        let answer = parts(1, &["one", "two"]);
        journal.store.settle(id, Settled::Answered, &answer).await?;
        let head = journal.store.next_outgoing(&chat(1)).await?;
        step(6).await;
        if let Some(head) = head {
            journal.store.sending(head.id).await?;
            journal.store.sent(head.id, &wamid("wamid.out")).await?;
        }
        anyhow::Ok(())
    };
    all().await.expect("every step is allowed");
    journal
}

#[tokio::test]
async fn a_life_is_told_from_the_arrival_to_the_reply() {
    let journal = answered().await;
    let lives = lives(&journal, of("wamid.1.1")).await;
    let [life] = &lives[..] else {
        panic!("{lives:?}")
    };
    let second = |seconds| START.later(Duration::from_secs(seconds));
    let message = life.message.as_ref().unwrap();
    assert_eq!(
        (
            message.wamid.as_str(),
            message.chat.as_ref(),
            message.source
        ),
        ("wamid.1.1", Some(&chat(1)), Some(Source::Poll))
    );
    assert_eq!(
        (
            message.state,
            message.sent_at,
            message.received_at,
            message.done_at
        ),
        (
            MessageState::Answered,
            Some(second(1)),
            second(1),
            Some(second(5))
        )
    );
    assert_eq!(
        (
            message.kind,
            message.text.as_deref(),
            message.name.as_deref()
        ),
        (Some("text"), Some("text 1 👩‍👩‍👧"), Some("Ann \"A\" O'Hara\n𝄞"))
    );
    let turn = life.turn.as_ref().unwrap();
    assert_eq!((turn.state, turn.attempts), (TurnState::Answered, 1));
    assert_eq!(
        (
            turn.created_at,
            turn.asked_at,
            turn.accepted_at,
            turn.settled_at
        ),
        (second(2), Some(second(2)), Some(second(3)), Some(second(5)))
    );
}

#[tokio::test]
async fn a_life_ends_with_its_replies_in_order() {
    let journal = answered().await;
    let life = lives(&journal, of("wamid.1.1")).await.remove(0);
    let second = |seconds| START.later(Duration::from_secs(seconds));
    let [one, two] = &life.replies[..] else {
        panic!("{life:?}")
    };
    assert_eq!(
        (
            one.part,
            one.kind.as_str(),
            one.state,
            one.attempts,
            one.sent_at
        ),
        (0, "reply", OutgoingState::Sent, 1, Some(second(6)))
    );
    assert_eq!(
        (one.wamid.as_ref(), one.text.as_deref(), one.created_at),
        (Some(&wamid("wamid.out")), Some("one"), second(5))
    );
    assert_eq!(
        (two.part, two.state, two.sent_at, two.text.as_deref()),
        (1, OutgoingState::Queued, None, Some("two"))
    );
}

#[tokio::test]
async fn a_reply_leads_to_its_messages_and_those_to_the_same_turn() {
    let journal = answered().await;
    let told = lives(&journal, of("wamid.out")).await;
    assert_eq!(ids(&told), ["wamid.1.1", "wamid.1.2"]);
    assert_eq!(told[0].turn, told[1].turn);
    assert_eq!(told[..1], lives(&journal, of("wamid.1.1")).await);
    assert!(lives(&journal, of("wamid.unknown")).await.is_empty());
}

#[tokio::test]
async fn a_chat_is_told_with_what_was_sent_to_it_unasked_the_newest_last() {
    let journal = answered().await;
    journal.clock.set(START.later(Duration::from_secs(3)));
    journal
        .store
        .enqueue(&outgoing(1, "by hand"))
        .await
        .unwrap();
    journal.clock.set(START.later(Duration::from_secs(9)));
    let batch = [
        message(2, 1),
        message(1, 3),
        ignored("wamid.x", IgnoreReason::Group),
    ];
    journal.store.accept(&batch, None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    journal
        .store
        .refuse(row, "not_allowed", Some(&outgoing(1, "Sorry")))
        .await
        .unwrap();

    let told = lives(&journal, Subject::Chat(chat(1))).await;
    let lines: Vec<_> = told
        .iter()
        .map(|life| match &life.message {
            Some(message) => message.wamid.to_string(),
            None => format!("{}: {:?}", life.replies[0].kind, life.replies[0].text),
        })
        .collect();
    assert_eq!(
        lines,
        [
            "wamid.1.1",
            "wamid.1.2",
            "direct: Some(\"by hand\")",
            "notice: Some(\"Sorry\")",
            "wamid.1.3"
        ]
    );
    let refused = told[4].message.as_ref().unwrap();
    assert_eq!(
        (refused.state, refused.reason.as_deref()),
        (MessageState::Refused, Some("not_allowed"))
    );
    let newest = journal
        .store
        .trace(&Subject::Chat(chat(1)), 2)
        .await
        .unwrap();
    assert_eq!(newest, told[3..]);
    let stranger = ChatKey::new(
        chat(1).number,
        &model::Identity::new("+15559999999").unwrap(),
    );
    assert!(lives(&journal, Subject::Chat(stranger)).await.is_empty());
}

#[tokio::test]
async fn an_item_that_concerned_nobody_is_told_with_its_reason() {
    let journal = Journal::new().await.unwrap();
    let malformed = IgnoreReason::Malformed("no type".to_owned());
    journal
        .store
        .accept(&[ignored("wamid.x", malformed)], None)
        .await
        .unwrap();
    let told = lives(&journal, of("wamid.x")).await;
    let item = told[0].message.as_ref().unwrap();
    assert_eq!(
        (item.state, item.reason.as_deref(), item.done_at),
        (
            MessageState::Ignored,
            Some("malformed: no type"),
            Some(START)
        )
    );
    assert_eq!((&item.chat, item.kind, &item.text), (&None, None, &None));
}

#[tokio::test]
async fn the_newest_messages_are_listed_and_then_those_that_follow() {
    let journal = Journal::new().await.unwrap();
    let batch = [
        message(1, 1),
        ignored("wamid.x", IgnoreReason::Outbound),
        message(2, 1),
        message(1, 2),
    ];
    journal.store.accept(&batch, None).await.unwrap();
    let listed = async |limit, after| journal.store.recent(limit, after).await.unwrap();
    let newest = listed(2, None).await;
    let ids: Vec<_> = newest.iter().map(|recent| recent.wamid.as_str()).collect();
    assert_eq!(ids, ["wamid.2.1", "wamid.1.2"]);
    assert_eq!(
        (&newest[0].chat, newest[0].state, newest[0].received_at),
        (&chat(2), MessageState::Received, START)
    );
    assert_eq!(
        (newest[0].kind, newest[0].text.as_deref()),
        (Some("text"), Some("text 1 👩‍👩‍👧"))
    );
    let last = newest[1].seq;
    assert!(listed(10, Some(last)).await.is_empty());
    journal
        .store
        .accept(&[message(3, 1), message(3, 2)], None)
        .await
        .unwrap();
    let next = listed(1, Some(last)).await;
    assert_eq!(next[0].wamid, wamid("wamid.3.1"));
    assert_eq!(
        listed(10, Some(next[0].seq)).await[0].wamid,
        wamid("wamid.3.2")
    );
}
