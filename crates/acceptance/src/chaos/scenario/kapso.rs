//! Kapso refuses, breaks off, says nothing, or says nonsense: to sends, to read receipts and to the list.

use std::time::Duration;

use anyhow::ensure;
use sandbox::kapso::{DeliveryFault, ListFault, SendFault};

use super::Scenario;
use crate::chaos::way::Way;
use crate::chaos::world::World;
use crate::world::customer;

pub(super) static ALL: [Scenario; 9] = [
    Scenario::new(
        "kapso-hang",
        "requests without an answer, sent or not",
        |world| Box::pin(troubled(world, 1, &HANG)),
    ),
    Scenario::new(
        "kapso-hidden",
        "sent, answer lost, and not in the list: the permitted case",
        |world| Box::pin(hidden(world)),
    ),
    Scenario::new(
        "kapso-reported",
        "sent, answer lost, not in the list, but reported by webhook: no repetition",
        |world| Box::pin(reported(world)),
    )
    .only(&Way::PUSHED),
    Scenario::new("kapso-409", "another message in flight", |world| {
        Box::pin(troubled(world, 4, &IN_FLIGHT))
    }),
    Scenario::new(
        "kapso-429",
        "too many requests, with Retry-After",
        |world| Box::pin(troubled(world, 2, &LIMITED)),
    ),
    Scenario::new("kapso-500", "server errors, sent or not", |world| {
        Box::pin(troubled(world, 2, &ERRORS))
    }),
    Scenario::new(
        "kapso-reset",
        "connections reset, before or after accepting",
        |world| Box::pin(troubled(world, 2, &RESETS)),
    ),
    Scenario::new(
        "kapso-garbage",
        "200 with something that is no JSON",
        |world| Box::pin(troubled(world, 2, &GARBAGE)),
    ),
    Scenario::new(
        "kapso-unreachable",
        "no connection to Kapso for a while",
        |world| Box::pin(unreachable(world)),
    ),
];

/// The longest until messages are at the agent while only sends are troubled.
const ASKED: Duration = Duration::from_secs(60);

/// What requests to Kapso meet: sends and read receipts, and the list.
struct Trouble {
    sends: &'static [SendFault],
    lists: &'static [ListFault],
}

const WAIT: Duration = Duration::from_secs(1);

static HANG: Trouble = Trouble {
    sends: &[SendFault::Hang, SendFault::HangAfterAccepting],
    lists: &[ListFault::Hang],
};
static IN_FLIGHT: Trouble = Trouble {
    sends: &[SendFault::InFlight],
    lists: &[],
};
static LIMITED: Trouble = Trouble {
    sends: &[SendFault::RateLimited(WAIT)],
    lists: &[ListFault::RateLimited(WAIT)],
};
static ERRORS: Trouble = Trouble {
    sends: &[SendFault::ServerError, SendFault::ServerErrorAfterAccepting],
    lists: &[ListFault::ServerError],
};
static RESETS: Trouble = Trouble {
    sends: &[SendFault::Reset, SendFault::ResetAfterAccepting],
    lists: &[ListFault::Reset],
};
static GARBAGE: Trouble = Trouble {
    sends: &[SendFault::Garbage],
    lists: &[
        ListFault::NotJson,
        ListFault::MalformedElement,
        ListFault::RepeatedPage,
    ],
};

/// Every customer meets so many of these, with proper answers in between as chance has it; then the list does.
async fn troubled(world: &mut World, each: usize, trouble: &Trouble) -> anyhow::Result<()> {
    let Trouble { sends, lists } = trouble;
    world.start().await?;
    for _ in 0..world.size.pick(1, 3) {
        for from in 0..world.customers() {
            let mut row = vec![SendFault::Pass; world.dice.usize(0..=each)];
            row.extend((0..each).filter_map(|_| world.dice.choice(*sends).cloned()));
            world.dice.shuffle(&mut row);
            for fault in row {
                let faults = world.kapso.faults();
                faults.next_sends_to(&customer(from), 1, fault);
            }
        }
        for fault in *sends {
            world.kapso.faults().next_marks(2, fault.clone());
        }
        for _ in 0..=each {
            for from in 0..world.customers() {
                world.write(from);
            }
            world.while_away(200).await;
        }
        let asked = world.letters().len();
        world
            .until(ASKED, "every message is at the agent", |world| {
                Ok(world.gateway.executions().len() >= asked)
            })
            .await?;
        for fault in *lists {
            world.kapso.faults().next_lists(1, fault.clone());
        }
        world.answered().await?;
    }
    Ok(())
}

/// WhatsApp takes the reply, the answer is lost, and neither the list nor a webhook shows it.
async fn hidden(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let reports = 4 * world.customers() as usize;
    let faults = world.kapso.faults();
    faults.next_reports(reports, DeliveryFault::Lost);
    unlisted(world).await
}

/// The list does not show it, but Kapso pushes that it was sent.
async fn reported(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    unlisted(world).await?;
    let sent = world.kapso.sent();
    let lost = sent.iter().filter(|it| it.answer_lost).count();
    ensure!(lost > 0, "no answer was lost");
    for message in &sent {
        let copies = sent.iter().filter(|it| it.text == message.text).count();
        ensure!(copies == 1, "{} was sent {copies} times", message.text);
    }
    Ok(())
}

/// Every second customer's first reply is taken, and its answer lost, while the list shows nothing that is sent.
async fn unlisted(world: &mut World) -> anyhow::Result<()> {
    world.kapso.faults().unlisted_sends(true);
    for from in 0..world.customers() {
        if from.is_multiple_of(2) {
            let faults = world.kapso.faults();
            faults.next_sends_to(&customer(from), 1, SendFault::ResetAfterAccepting);
        }
        world.write(from);
    }
    world.answered().await?;
    world.idle().await?;
    world.kapso.faults().clear();
    for from in 0..world.customers() {
        world.write(from);
    }
    world.answered().await
}

async fn unreachable(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(2, 8) {
        world.write_some(10);
        world.while_away(300).await;
        world.kapso.faults().unreachable(true);
        world.write_some(5);
        world.while_away(3_000).await;
        world.kapso.faults().unreachable(false);
        world.while_away(300).await;
    }
    Ok(())
}
