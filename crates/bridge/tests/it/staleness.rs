//! After an outage: what is fresh is answered, a backlog is one question with its times, what is too old is
//! recorded and can be put back to work.

use std::time::Duration;

use model::{MessageId, NumberId};
use sandbox::kapso::Incoming;
use sandbox::openclaw::Release;
use store::{DeadId, MessageState};

use crate::world::{ANN, BOB, NUMBER, World, now};

const MINUTE: Duration = Duration::from_secs(60);

/// A message that was sent `ago` and that Kapso records only now.
fn old(text: &str, ago: Duration) -> Incoming {
    Incoming::text(text).late_by(now().earlier(ago), ago)
}

/// A world whose bridge has answered for its number for two days, and is down now.
async fn in_use_for_days() -> World {
    let world = World::stopped(Release::V2026_9_6, false).await;
    let number = NumberId::new(NUMBER).unwrap();
    let journal = world.journal().await;
    let began = now().earlier(MINUTE * 60 * 48);
    journal.began(&number, began).await.unwrap();
    journal.close().await;
    world
}

#[tokio::test]
async fn a_backlog_of_one_sender_is_one_turn_with_its_times_and_others_are_not_mixed_in() {
    let mut world = in_use_for_days().await;
    for (text, minutes) in [("are you there?", 40), ("hello?", 30), ("never mind", 1)] {
        world.kapso.receive(ANN, old(text, MINUTE * minutes));
    }
    world.kapso.receive(BOB, old("a fresh one", MINUTE));
    world.start().await;
    world.answers(ANN, 1).await;
    world.answers(BOB, 1).await;
    let asked = world.openclaw.asked();
    assert_eq!(asked.len(), 2);
    let backlog = asked
        .iter()
        .find(|asked| asked.session.ends_with("15551234567"))
        .unwrap();
    let lines: Vec<&str> = backlog.text.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, text) in lines[1..]
        .iter()
        .zip(["are you there?", "hello?", "never mind"])
    {
        assert!(
            line.starts_with("[sent 20") && line.ends_with(text),
            "{line}"
        );
    }
    let context = backlog.params["extraSystemPrompt"].as_str().unwrap();
    assert!(context.contains("waited"), "{context}");
    let fresh = asked
        .iter()
        .find(|asked| asked.session.ends_with("15559876543"))
        .unwrap();
    assert!(fresh.text.ends_with("\na fresh one"), "{}", fresh.text);
}

#[tokio::test]
async fn what_is_too_old_is_recorded_and_answered_only_when_the_operator_puts_it_back() {
    let mut world = in_use_for_days().await;
    let late: MessageId = world
        .kapso
        .receive(ANN, old("are you there?", MINUTE * 60 * 25));
    world.start().await;
    world.kapso.receive(BOB, "hello");
    world.answers(BOB, 1).await;
    world.listed().await;
    assert!(
        world
            .kapso
            .sent_to_within(ANN, 1, Duration::ZERO)
            .await
            .is_err()
    );
    world.terminate().await;
    let journal = world.journal().await;
    let depths = journal.depths().await.unwrap();
    assert_eq!(depths.messages.get(&MessageState::Expired), Some(&1));
    let dead = journal.dead(10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].wamid.as_ref(), Some(&late));
    assert_eq!(dead[0].reason, "too_old");
    assert!(matches!(dead[0].id, DeadId::Message(_)));
    journal.retry_dead(dead[0].id).await.unwrap();
    journal.close().await;
    drop(journal);
    world.start().await;
    assert_eq!(world.answers(ANN, 1).await, ["You said: are you there?"]);
}
