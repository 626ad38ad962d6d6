//! The gateway is lost, and comes back.

use std::time::Duration;

use sandbox::openclaw::{Release, RequestFault};
use tokio::time::sleep;

use super::Scenario;
use super::agent::{THOUGHT, think};
use crate::chaos::blueprint::Ground;
use crate::chaos::way::Way;
use crate::chaos::world::World;

pub(super) static ALL: [Scenario; 7] = [
    Scenario::new(
        "gateway-killed",
        "the gateway killed in its turns, and restarted",
        |world| Box::pin(killed(world)),
    ),
    Scenario::new(
        "gateway-killed-7",
        "the same with OpenClaw 2026.7.35, which resumes otherwise",
        |world| Box::pin(killed(world)),
    )
    .on(|| Ground {
        gateway: |options| options.release = Release::V2026_7_35,
        ..Ground::default()
    })
    .only(&[Way::Webhook]),
    Scenario::new(
        "gateway-killed-5",
        "the same with OpenClaw 2026.5.7",
        |world| Box::pin(killed(world)),
    )
    .on(|| Ground {
        gateway: |options| options.release = Release::V2026_5_7,
        ..Ground::default()
    })
    .only(&[Way::Webhook]),
    Scenario::new(
        "gateway-ended",
        "the gateway ended with SIGTERM in its turns, and restarted",
        |world| Box::pin(ended(world)),
    ),
    Scenario::new(
        "both-killed",
        "gateway and daemon killed, in any order",
        |world| Box::pin(both_killed(world)),
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
];

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

async fn ended(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    for _ in 0..world.size.pick(1, 4) {
        for from in 0..world.customers() {
            world.write(from);
        }
        world.while_away(THOUGHT).await;
        world.end_gateway().await;
        world.write_some(4);
        world.while_away(1_000).await;
        world.gateway.restart();
        world.answered().await?;
    }
    Ok(())
}

async fn both_killed(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    think(world);
    for _ in 0..world.size.pick(1, 6) {
        for from in 0..world.customers() {
            world.write(from);
        }
        world.while_away(THOUGHT).await;
        let gateway_first = world.dice.bool();
        if gateway_first {
            world.kill_gateway();
            world.while_away(300).await;
        }
        world.kill().await?;
        if !gateway_first {
            world.while_away(300).await;
            world.kill_gateway();
        }
        world.write_some(2);
        if world.dice.bool() {
            world.gateway.restart();
            world.while_away(1_000).await;
            world.start().await?;
        } else {
            world.start().await?;
            world.while_away(1_000).await;
            world.gateway.restart();
        }
        world.answered().await?;
    }
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
