//! Order within a chat, independence between chats.

use sandbox::openclaw::{Answer, Gate};

use crate::world::{ANN, BOB, World};

#[tokio::test]
async fn s1_one_senders_messages_are_answered_in_order() {
    let world = World::new().await;
    for text in ["one", "two", "three"] {
        world.kapso.receive(ANN, text);
    }
    assert_eq!(
        world.answers(ANN, 3).await,
        ["You said: one", "You said: two", "You said: three"]
    );
}

#[tokio::test]
async fn r2_two_questions_at_once_get_each_its_own_answer() {
    let world = World::new().await;
    let slow = Gate::shut();
    let gate = slow.clone();
    world
        .openclaw
        .answer_with(move |asked| match asked.words() {
            "slow" => Answer::text("for Ann").held(&gate),
            _ => Answer::text("for Bob"),
        });
    world.kapso.receive(ANN, "slow");
    slow.reached(1).await;
    world.kapso.receive(BOB, "quick");
    assert_eq!(world.answers(BOB, 1).await, ["for Bob"]);
    assert!(
        world
            .kapso
            .sent()
            .iter()
            .all(|message| message.customer != ANN)
    );
    slow.open();
    assert_eq!(world.answers(ANN, 1).await, ["for Ann"]);
}

#[tokio::test]
async fn p18_a_stop_is_not_held_up_by_waiting_work() {
    let mut world = World::new().await;
    let gate = Gate::shut();
    let held = gate.clone();
    world
        .openclaw
        .answer_with(move |_| Answer::text("later").held(&held));
    for text in ["one", "two", "three"] {
        world.kapso.receive(ANN, text);
    }
    gate.reached(1).await;
    world.terminate().await;
    gate.open();
    world
        .openclaw
        .answer_with(|asked| Answer::text(format!("You said: {}", asked.words())));
    world.start().await;
    assert_eq!(
        world.answers(ANN, 3).await,
        ["later", "You said: two", "You said: three"]
    );
}
