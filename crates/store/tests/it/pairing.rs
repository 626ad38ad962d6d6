//! A stranger gets a code once, whom the operator lets in stays in, and neither costs much.

use std::time::Duration;

use anyhow::{Context, Result};
use model::{Arrival, ChatKey, Inbound, NumberId, Outgoing, Role};
use store::{Approval, MessageState, Pairing, PairingEntry, PairingRequest, StoreError, Subject};

use crate::nouns::{Journal, START, chat, inbound, message, outgoing, person, wamid};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn request(code: &str) -> PairingRequest {
    PairingRequest {
        code: code.to_owned(),
        lives: HOUR,
        most: 3,
    }
}

fn role(name: &str) -> Role {
    Role(name.to_owned())
}

/// The message `id` of stranger `n` arrives and is answered with a code, if with anything.
async fn ask(journal: &Journal, n: u32, id: u32, code: &str) -> Result<Pairing> {
    journal.store.accept(&[message(n, id)], None).await?;
    let row = journal.rows(n).await?.pop().context("it waits")?.id;
    let notice = outgoing(n, code);
    Ok(journal
        .store
        .ask_to_pair(row, &request(code), &notice)
        .await?)
}

/// The codes that can be approved.
async fn codes(journal: &Journal) -> Vec<String> {
    let pairings = journal.store.pairings().await;
    let pairings = pairings.expect("the journal can be read");
    pairings.into_iter().map(|entry| entry.code).collect()
}

#[tokio::test]
async fn a_stranger_gets_a_code_once_and_is_let_in_by_it() {
    let journal = Journal::new().await.unwrap();
    assert_eq!(ask(&journal, 1, 1, "Ab12").await.unwrap(), Pairing::Asked);
    assert_eq!(ask(&journal, 1, 2, "CD34").await.unwrap(), Pairing::Pending);
    let journal = journal.killed().await.unwrap();
    let entry = PairingEntry {
        code: "AB12".to_owned(),
        chat: chat(1),
        name: inbound(1, 1).name,
        asked_at: START,
        expires_at: START.later(HOUR),
    };
    assert_eq!(journal.store.pairings().await.unwrap(), [entry]);
    assert_eq!(journal.drain(1).await.unwrap(), ["Ab12"]);

    let guest = role("guest");
    let unknown = journal.store.approve("CD34", &guest).await.unwrap();
    assert_eq!(unknown, None);
    let approval = Approval {
        chat: chat(1),
        role: guest.clone(),
        at: START,
    };
    let approved = journal.store.approve(" aB12\n", &guest).await.unwrap();
    assert_eq!(approved, Some(approval.clone()));
    assert_eq!(journal.store.approve("AB12", &guest).await.unwrap(), None);
    assert!(codes(&journal).await.is_empty());
    let journal = journal.killed().await.unwrap();
    assert_eq!(journal.store.approvals().await.unwrap(), [approval]);
}

#[tokio::test]
async fn an_approval_is_taken_back_once() {
    let journal = Journal::new().await.unwrap();
    ask(&journal, 1, 1, "A").await.unwrap();
    journal.store.approve("a", &role("guest")).await.unwrap();
    assert!(!journal.store.revoke(&chat(2)).await.unwrap());
    assert!(journal.store.revoke(&chat(1)).await.unwrap());
    assert!(!journal.store.revoke(&chat(1)).await.unwrap());
    assert!(journal.store.approvals().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_second_approval_takes_the_place_of_the_first() {
    let journal = Journal::new().await.unwrap();
    ask(&journal, 1, 1, "A").await.unwrap();
    journal.store.approve("A", &role("guest")).await.unwrap();
    journal.clock.set(START.later(DAY));
    assert_eq!(ask(&journal, 1, 2, "B").await.unwrap(), Pairing::Asked);
    journal.store.approve("B", &role("member")).await.unwrap();
    let approvals = journal.store.approvals().await.unwrap();
    let [approval] = &approvals[..] else {
        panic!("{approvals:?}")
    };
    assert_eq!(
        (&approval.role, approval.at),
        (&role("member"), START.later(DAY))
    );
}

#[tokio::test]
async fn a_code_is_worth_nothing_after_an_hour_and_the_next_one_comes_after_a_day() {
    let journal = Journal::new().await.unwrap();
    ask(&journal, 1, 1, "A").await.unwrap();
    journal.clock.set(START.later(HOUR));
    assert!(codes(&journal).await.is_empty());
    let late = journal.store.approve("A", &role("guest")).await.unwrap();
    assert_eq!(late, None);
    assert_eq!(ask(&journal, 1, 2, "B").await.unwrap(), Pairing::Pending);
    assert!(codes(&journal).await.is_empty());

    journal.clock.set(START.later(DAY));
    assert_eq!(ask(&journal, 1, 3, "C").await.unwrap(), Pairing::Asked);
    assert_eq!(codes(&journal).await, ["C"]);
    assert_eq!(journal.drain(1).await.unwrap(), ["A", "C"]);
}

#[tokio::test]
async fn a_business_number_has_three_codes_at_a_time_and_a_place_is_free_again_later() {
    let journal = Journal::new().await.unwrap();
    for (n, code) in [(1, "A"), (2, "B"), (3, "C")] {
        assert_eq!(ask(&journal, n, 1, code).await.unwrap(), Pairing::Asked);
    }
    assert_eq!(ask(&journal, 4, 1, "D").await.unwrap(), Pairing::Full);
    assert!(journal.drain(4).await.unwrap().is_empty());

    journal.store.approve("B", &role("guest")).await.unwrap();
    assert_eq!(ask(&journal, 4, 2, "D").await.unwrap(), Pairing::Asked);
    assert_eq!(ask(&journal, 5, 1, "E").await.unwrap(), Pairing::Full);
    journal.clock.set(START.later(HOUR));
    assert_eq!(ask(&journal, 5, 2, "E").await.unwrap(), Pairing::Asked);
    assert_eq!(codes(&journal).await, ["E"]);
}

#[tokio::test]
async fn the_codes_of_one_business_number_take_no_place_at_another() {
    let journal = Journal::new().await.unwrap();
    for n in 1..=3 {
        ask(&journal, n, 1, &format!("C{n}")).await.unwrap();
    }
    let other = NumberId::new("200").unwrap();
    let elsewhere = Arrival::Message(Box::new(Inbound {
        number: other.clone(),
        ..inbound(1, 1)
    }));
    journal.store.accept(&[elsewhere], None).await.unwrap();
    let there = ChatKey::new(other, &person(1));
    let row = journal.store.received(&there, 1).await.unwrap()[0].id;
    let notice = Outgoing {
        chat: there.clone(),
        ..outgoing(1, "D")
    };
    let asked = journal.store.ask_to_pair(row, &request("D"), &notice).await;
    assert_eq!(asked.unwrap(), Pairing::Asked);
    assert_eq!(journal.store.pairings().await.unwrap()[3].chat, there);
}

#[tokio::test]
async fn a_code_that_another_chat_has_stays_with_it() {
    let journal = Journal::new().await.unwrap();
    ask(&journal, 1, 1, "A").await.unwrap();
    assert_eq!(ask(&journal, 2, 1, "a").await.unwrap(), Pairing::Full);
    assert!(journal.drain(2).await.unwrap().is_empty());
    let approved = journal.store.approve("A", &role("guest")).await.unwrap();
    assert_eq!(approved.map(|approval| approval.chat), Some(chat(1)));
}

#[tokio::test]
async fn a_message_asks_once_and_shows_why_it_went_no_further() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let row = journal.rows(1).await.unwrap()[0].id;
    let notice = outgoing(1, "A");
    for code in ["A", "B"] {
        let asked = journal
            .store
            .ask_to_pair(row, &request(code), &notice)
            .await;
        match (code, asked) {
            ("A", asked) => assert_eq!(asked.unwrap(), Pairing::Asked),
            (_, asked) => assert!(matches!(asked, Err(StoreError::Conflict { .. }))),
        }
    }
    assert_eq!(codes(&journal).await, ["A"]);
    let subject = Subject::Id(wamid("wamid.1.1"));
    let life = journal.store.trace(&subject, 1).await.unwrap().remove(0);
    let traced = life.message.unwrap();
    assert_eq!(
        (traced.state, traced.reason.as_deref()),
        (MessageState::Refused, Some("not_paired"))
    );
}

/// A thousand messages of a stranger, half of them a day later, each turned away as `turn_away` does it; what the
/// stranger was told.
async fn flooded(
    turn_away: impl AsyncFn(&Journal, i64, u32) -> Result<(), StoreError>,
) -> Result<Vec<String>> {
    let journal = Journal::new().await?;
    for (day, ids) in [(0, 1..501), (1, 501..1001)] {
        journal.clock.set(START.later(DAY * day));
        let batch: Vec<Arrival> = ids.map(|id| message(1, id)).collect();
        journal.store.accept(&batch, None).await?;
        for (row, n) in journal.rows(1).await?.into_iter().zip(1..) {
            turn_away(&journal, row.id, n).await?;
        }
    }
    let depths = journal.store.depths().await?;
    anyhow::ensure!(
        depths.messages == [(MessageState::Refused, 1000)].into(),
        "{depths:?}"
    );
    journal.drain(1).await
}

#[tokio::test]
async fn s7_a_thousand_messages_of_a_stranger_cost_one_notice_a_day() {
    let refused = flooded(async |journal, row, _| {
        let notice = outgoing(1, "Sorry");
        let refused = journal.store.refuse(row, "not_allowed", Some(&notice));
        refused.await.map(drop)
    });
    assert_eq!(refused.await.unwrap(), ["Sorry", "Sorry"]);
}

#[tokio::test]
async fn s7_a_thousand_messages_of_a_stranger_cost_one_code_a_day() {
    let asked = flooded(async |journal, row, n| {
        let (request, notice) = (request(&format!("C{n}")), outgoing(1, &format!("code {n}")));
        let asked = journal.store.ask_to_pair(row, &request, &notice);
        asked.await.map(drop)
    });
    assert_eq!(asked.await.unwrap(), ["code 1", "code 1"]);
}
