//! The gateway is lost, comes back, and answers oddly.

use std::time::Duration;

use sandbox::openclaw::{Gate, RequestFault};
use tokio::time::sleep;

use super::Scenario;
use crate::chaos::blueprint::Ground;
use crate::chaos::token;
use crate::chaos::world::World;

pub(super) static ALL: [Scenario; 6] = [
    Scenario::new(
        "gateway-killed",
        "the gateway killed in its turns, and restarted",
        |world| Box::pin(killed(world)),
    ),
    Scenario::new(
        "gateway-late",
        "answers and acknowledgements that come late, or never",
        |world| Box::pin(late(world)),
    ),
    Scenario::new(
        "gateway-dropped",
        "the socket dropped again and again",
        |world| Box::pin(dropped(world)),
    ),
    Scenario::new(
        "gateway-half-open",
        "a gateway that takes bytes and says nothing",
        |world| Box::pin(half_open(world)),
    )
    .on(|| Ground {
        // A gateway that beats quickly is found dead quickly.
        gateway: |options| options.tick = Duration::from_secs(1),
        ..Ground::default()
    }),
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
const THOUGHT: u64 = 1_500;

/// Lets the agent think for a while, as chance has it.
fn think(world: &mut World) {
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

async fn killed(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    for _ in 0..world.size.pick(1, 4) {
        for from in 0..world.customers() {
            world.write(from);
        }
        world.while_away(THOUGHT).await;
        world.kill_gateway();
        world.write_some(4);
        world.while_away(2_000).await;
        world.gateway.restart();
        world.answered().await?;
    }
    Ok(())
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

async fn dropped(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    let fault = RequestFault::DropAfter;
    for round in 0..world.size.pick(6, 40) {
        world.write_some(5);
        if round % 3 == 0 {
            world.gateway.fail_request("agent", 1, fault.clone());
        }
        world.while_away(THOUGHT).await;
        world.gateway.drop_connections();
    }
    Ok(())
}

async fn half_open(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    for seconds in world.size.pick(vec![0, 4], vec![0, 1, 3, 5, 20, 2]) {
        world.write_some(12);
        world.while_away(THOUGHT).await;
        world.gateway.half_open(true);
        world.write_some(4);
        sleep(Duration::from_secs(seconds)).await;
        world.gateway.half_open(false);
    }
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
