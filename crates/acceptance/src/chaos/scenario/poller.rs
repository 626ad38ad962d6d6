//! The daemon is killed, and ended in the middle of its work.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use sandbox::kapso::{DeliveryFault, ListFault, SendFault};
use sandbox::openclaw::Gate;
use tokio::time::sleep;

use super::{Play, Scenario};
use crate::chaos::token;
use crate::chaos::way::Way;
use crate::chaos::world::World;

pub(super) static ALL: [Scenario; 5] = [
    Scenario {
        name: "crash-points",
        shows: "kill -9 at every durable step",
        ways: &Way::ALL,
        play: Play::AtEveryStep,
    },
    Scenario::new(
        "random-kills",
        "kill -9 at any moment while messages come",
        |world| Box::pin(random_kills(world)),
    ),
    Scenario::new(
        "storm",
        "kills, dropped sockets, bad sends and bad deliveries at once",
        |world| Box::pin(storm(world)),
    ),
    Scenario::new(
        "first-start",
        "a journal just made counts from its beginning, however short its first life",
        |world| Box::pin(first_start(world)),
    ),
    Scenario::new(
        "sigterm",
        "SIGTERM while every customer's turn is under way",
        |world| Box::pin(sigterm(world)),
    ),
];

/// The longest that a daemon lives between two kills, in milliseconds.
const LIFE: u64 = 500;

/// The longest until a daemon that was started for the first time has made its journal.
const BIRTH: Duration = Duration::from_secs(15);

/// The time of a message is in whole seconds, and cut off: after this long it is surely another one.
const WHOLE_SECOND: Duration = Duration::from_millis(1100);

/// Milliseconds between two moments at which somebody may write.
const MOMENT: u64 = 80;

async fn random_kills(world: &mut World) -> anyhow::Result<()> {
    let (kills, messages) = world.size.pick((7, 40), (334, 600));
    world.start().await?;
    live_and_die(world, kills, messages, |_| {}).await
}

async fn storm(world: &mut World) -> anyhow::Result<()> {
    let (kills, messages) = world.size.pick((5, 40), (60, 300));
    world.start().await?;
    live_and_die(world, kills, messages, one_more_trouble).await
}

/// Kills so many times, with a life between two kills in which so many messages in all are written.
async fn live_and_die(
    world: &mut World,
    kills: u32,
    messages: u32,
    mut meanwhile: impl FnMut(&mut World),
) -> anyhow::Result<()> {
    let mut unwritten = messages;
    for left in (0..kills).rev() {
        let mut life = world.dice.u64(0..=LIFE);
        while life > 0 {
            let moment = world.dice.u64(1..=MOMENT).min(life);
            sleep(Duration::from_millis(moment)).await;
            life -= moment;
            // As many each time as lets them last until the end.
            let most = unwritten.div_ceil(left + 1);
            let now = world.dice.u32(0..=most).min(2);
            world.write_some(now);
            unwritten -= now;
            meanwhile(world);
        }
        world.kill().await?;
        if world.dice.bool() {
            world.while_away(200).await;
        }
        world.poller.start()?;
    }
    world.write_some(unwritten);
    Ok(())
}

/// A message that comes once the journal is there is answered, also when the daemon did not live to read the list.
async fn first_start(world: &mut World) -> anyhow::Result<()> {
    let state = world.poller.settings().state();
    for _ in 0..world.size.pick(3, 30) {
        world.kapso.faults().next_lists(1, ListFault::Hang);
        world.poller.start()?;
        let journal = state.join("state.db");
        world
            .until(BIRTH, "there is a journal", |_| Ok(journal.exists()))
            .await?;
        sleep(WHOLE_SECOND).await;
        let from = world.dice.u32(0..world.customers());
        world.write(from);
        world.kill().await?;
        world.start().await?;
        world.answered().await?;
        world.idle().await?;
        world.poller.terminate().await?;
        fs::remove_dir_all(&state)?;
        sleep(WHOLE_SECOND).await;
    }
    world.start().await
}

fn one_more_trouble(world: &mut World) {
    let faults = world.kapso.faults();
    match world.dice.u8(0..24) {
        0 => faults.next_sends(1, SendFault::InFlight),
        1 => faults.next_sends(1, SendFault::RateLimited(Duration::from_secs(1))),
        2 => faults.next_sends(1, SendFault::ServerError),
        3 => faults.next_sends(1, SendFault::ServerErrorAfterAccepting),
        4 => faults.next_sends(1, SendFault::ResetAfterAccepting),
        5 => faults.next_sends(1, SendFault::Garbage),
        6 => faults.next_deliveries(1, DeliveryFault::Twice),
        7 => faults.next_deliveries(1, DeliveryFault::Unheard(1)),
        8 => world.gateway.drop_connections(),
        9 => faults.next_marks(1, SendFault::Reset),
        _ => {}
    }
}

/// The customers' turns end while the daemon is away, or after it is back.
async fn sigterm(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for ends_while_away in [true, false] {
        let gate = Gate::shut();
        let held = gate.clone();
        world
            .gateway
            .answer_with(move |asked| token::answer(asked).held(&held));
        let running = world.gateway.executions().len();
        for from in 0..world.customers() {
            world.write(from);
            // The second waits behind the first.
            world.write(from);
        }
        let all = running + world.customers() as usize;
        let patience = Duration::from_secs(30);
        world
            .until(patience, "every turn is under way", |world| {
                Ok(world.gateway.executions().len() == all)
            })
            .await?;
        world.poller.terminate().await?;
        if ends_while_away {
            gate.open();
        }
        world.start().await?;
        gate.open();
        world.gateway.answer_with(token::answer);
        world.answered().await?;
    }
    ensure!(world.kills == 0, "nothing was killed here");
    Ok(())
}
