//! Messages come late, in another order, or all at once.

use std::time::Duration;

use anyhow::ensure;
use sandbox::kapso::Incoming;
use tokio::time::sleep;

use super::Scenario;
use crate::chaos::blueprint::Ground;
use crate::chaos::judge::Order;
use crate::chaos::world::World;
use crate::world::customer;

pub(super) static ALL: [Scenario; 4] = [
    Scenario::new(
        "backlog",
        "1,000 waiting at a start, listed newest first",
        |world| Box::pin(backlog(world)),
    )
    .on(many_customers),
    Scenario::new("clump", "1,000 within one second", |world| {
        Box::pin(clump(world))
    })
    .on(many_customers),
    Scenario::new(
        "before-start",
        "what came before the very first start is never answered",
        |world| Box::pin(before_start(world)),
    ),
    Scenario::new(
        "disorder",
        "late by nine minutes, out of order, or shown late",
        |world| Box::pin(disorder(world)),
    )
    .on(|| Ground {
        order: Order::Asked,
        ..Ground::default()
    }),
];

/// So many that a thousand answers, at WhatsApp's pace for each of them, do not take long.
fn many_customers() -> Ground {
    Ground {
        customers: 50,
        ..Ground::default()
    }
}

/// How late the latest messages are.
const LATE: Duration = Duration::from_secs(9 * 60);

/// As long as it may take until a daemon looks at the list in every way that it has.
const LONG_ENOUGH: Duration = Duration::from_secs(40);

/// How long the list keeps back what it shows late.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// How long ago Kapso gave pushing up: then a sender's messages are handed over together.
const LONG_AGO: Duration = Duration::from_secs(40 * 60);

async fn backlog(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    world.poller.terminate().await?;
    let old = world.wall.now().earlier(LONG_AGO);
    for n in 0..world.size.pick(200, 1_000) {
        let from = n % world.customers();
        let fresh = from.is_multiple_of(2);
        world.write_as(from, |incoming| {
            let lost = incoming.unannounced();
            if fresh {
                lost
            } else {
                lost.sent_at(old.later(Duration::from_secs(u64::from(n))))
            }
        });
    }
    world.start().await
}

async fn clump(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let now = world.wall.now();
    for n in 0..world.size.pick(200, 1_000) {
        let from = n % world.customers();
        world.write_as(from, |incoming| incoming.sent_at(now).created_at(now));
    }
    Ok(())
}

/// What nobody owes: an answer to it would be seen as one to nothing that was written.
async fn before_start(world: &mut World) -> anyhow::Result<()> {
    for from in 0..world.customers() {
        for hours in 1..=3 {
            let then = world.wall.now().earlier(Duration::from_secs(hours * 3600));
            let old = Incoming::text(&format!("q{from}x{}", 1_000 + hours));
            let old = old.sent_at(then).created_at(then).unannounced();
            world.kapso.receive(&customer(from), old);
        }
    }
    world.start().await?;
    world.write_some(8);
    sleep(LONG_ENOUGH).await;
    world.write_some(8);
    world.kill().await?;
    world.start().await?;
    world.answered().await
}

/// Some were sent nine minutes ago and stored just now, some were stored then and are shown just now.
async fn disorder(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let mut shown_late = 0;
    for _ in 0..world.size.pick(24, 120) {
        let from = world.dice.u32(0..world.customers());
        let now = world.wall.now();
        let ago = Duration::from_millis(world.dice.u64(0..LATE.as_millis() as u64));
        match world.dice.u8(0..3) {
            0 => world.write(from),
            1 => world.write_as(from, |incoming| incoming.late_by(now.earlier(ago), ago)),
            _ => {
                shown_late += 1;
                let (then, soon) = (now.earlier(ago), now.later(SHOWN_AFTER));
                world.write_as(from, |incoming| {
                    incoming
                        .sent_at(then)
                        .created_at(then)
                        .hidden_until(soon)
                        .unannounced()
                })
            }
        };
        world.while_away(100).await;
    }
    ensure!(shown_late > 0, "chance had none shown late");
    sleep(SHOWN_AFTER).await;
    // A start looks further back than one read after another.
    world.kill().await?;
    world.start().await
}
