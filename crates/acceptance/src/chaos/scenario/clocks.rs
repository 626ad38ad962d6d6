//! Clocks that disagree, and jump.

use std::time::Duration;

use model::Clock;
use sandbox::kapso::SendFault;

use super::Scenario;
use crate::chaos::blueprint::Ground;
use crate::chaos::judge::Order;
use crate::chaos::world::World;

pub(super) static ALL: [Scenario; 2] = [
    Scenario::new(
        "clock-jumps",
        "Kapso's clock jumps by an hour, both ways",
        |world| Box::pin(jumps(world)),
    )
    .on(|| Ground {
        // What was written after the clock went back is dated before what was written earlier.
        order: Order::Asked,
        ..Ground::default()
    }),
    Scenario::new(
        "clock-skewed",
        "a gateway whose clock is two hours off and stands still",
        |world| Box::pin(skewed(world)),
    )
    .on(|| Ground {
        gateway: |options| {
            let behind = Clock::system().now().earlier(2 * HOUR);
            options.clock = Clock::standing_at(behind);
        },
        ..Ground::default()
    }),
];

const HOUR: Duration = Duration::from_secs(3600);

/// An hour ahead and back, an hour behind and back. Replies whose answer was lost are looked up by Kapso's dates, too.
async fn jumps(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for direction in [1, -1, -1, 1] {
        for _ in 0..world.size.pick(1, 4) {
            world.write_some(8);
            world.while_away(500).await;
        }
        world.wall.jump(direction * 3600);
        let faults = world.kapso.faults();
        faults.next_sends(2, SendFault::ResetAfterAccepting);
        world.write_some(8);
        world.answered().await?;
        if world.dice.bool() {
            world.kill().await?;
            world.start().await?;
        }
    }
    Ok(())
}

async fn skewed(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(3, 12) {
        world.write_some(6);
        world.while_away(200).await;
        world.gateway.drop_connections();
        world.write_some(2);
        world.kill().await?;
        world.start().await?;
    }
    Ok(())
}
