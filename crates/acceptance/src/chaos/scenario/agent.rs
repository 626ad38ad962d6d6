//! The agent answers late, twice, or in another order than it was asked.

use std::time::Duration;

use sandbox::openclaw::{Gate, RequestFault};
use tokio::time::sleep;

use super::Scenario;
use crate::chaos::token;
use crate::chaos::world::World;

pub(super) static ALL: [Scenario; 3] = [
    Scenario::new(
        "gateway-late",
        "answers and acknowledgements that come late, or never",
        |world| Box::pin(late(world)),
    ),
    Scenario::new("gateway-twice", "every response twice", |world| {
        Box::pin(twice(world))
    }),
    Scenario::new(
        "gateway-disorder",
        "answers in another order than questions",
        |world| Box::pin(disorder(world)),
    ),
];

/// Milliseconds that the agent thinks at most.
pub(super) const THOUGHT: u64 = 1_500;

/// Lets the agent think for a while, as chance has it.
pub(super) fn think(world: &mut World) {
    let seed = world.dice.u64(..);
    world.gateway.answer_with(move |asked| {
        let mut dice = fastrand::Rng::with_seed(seed);
        // Each question has a time of its own.
        for mark in token::marks(asked.words()) {
            dice.seed(seed ^ u64::from(mark.token.number) << 32 ^ u64::from(mark.token.customer));
        }
        token::answer(asked).waiting(Duration::from_millis(dice.u64(0..=THOUGHT)))
    });
}

async fn late(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    let gate = Gate::shut();
    let held = RequestFault::Held(gate.clone());
    world
        .gateway
        .fail_request("agent", 1, RequestFault::Ignored);
    world.gateway.fail_request("agent", 5, held);
    for _ in 0..world.size.pick(3, 10) {
        for from in 0..world.customers() {
            world.write(from);
        }
        world.while_away(1_000).await;
    }
    sleep(Duration::from_secs(2)).await;
    gate.open();
    Ok(())
}

async fn twice(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(4, 20) {
        for method in ["agent", "agent.wait", "chat.history", "health"] {
            world.gateway.fail_request(method, 8, RequestFault::Twice);
        }
        world.write_some(8);
        world.while_away(500).await;
        if world.dice.bool() {
            world.gateway.drop_connections();
        }
    }
    world.answered().await?;
    world.gateway.clear_faults();
    Ok(())
}

/// Every customer's turn is held, and they end in an order of chance.
async fn disorder(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(2, 10) {
        let gates: Vec<Gate> = (0..world.customers()).map(|_| Gate::shut()).collect();
        let held = gates.clone();
        world.gateway.answer_with(move |asked| {
            let mark = token::marks(asked.words()).into_iter().next();
            let gate = mark.and_then(|mark| held.get(mark.token.customer as usize));
            let answer = token::answer(asked);
            match gate {
                Some(gate) => answer.held(gate),
                None => answer,
            }
        });
        for from in 0..world.customers() {
            world.write(from);
        }
        for gate in &gates {
            gate.reached(1).await;
        }
        let mut order: Vec<&Gate> = gates.iter().collect();
        world.dice.shuffle(&mut order);
        for gate in order {
            gate.open();
            world.while_away(20).await;
        }
        world.answered().await?;
    }
    Ok(())
}
