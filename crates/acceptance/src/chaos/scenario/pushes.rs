//! Webhooks that come twice, in pieces, in Meta's words, not at all, or from a stranger.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, ensure};
use model::NumberId;
use sandbox::kapso::{
    Buffering, DeliveryFault, Envelope, KapsoStandIn, Signature, StandInOptions, WebhookTarget,
    WebhookTiming,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Scenario;
use crate::chaos::blueprint::Ground;
use crate::chaos::judge::Order;
use crate::chaos::way::Way;
use crate::chaos::world::World;
use crate::poller::NUMBER;
use crate::world::customer;

pub(super) static ALL: [Scenario; 8] = [
    Scenario::new(
        "duplicates",
        "the same within a millisecond, and again days later",
        |world| Box::pin(duplicates(world)),
    ),
    Scenario::new(
        "pushed-only",
        "messages that the list never shows, across kills",
        |world| Box::pin(pushed_only(world)),
    )
    .only(&Way::PUSHED),
    Scenario::new(
        "lost-deliveries",
        "deliveries lost for good, overtaken, and unheard",
        |world| Box::pin(lost(world)),
    )
    .on(|| Ground {
        order: Order::Asked,
        ..Ground::default()
    })
    .only(&Way::PUSHED),
    Scenario::new(
        "batches",
        "batches that fail back to single deliveries",
        |world| Box::pin(batches(world)),
    )
    .on(|| Ground {
        webhook: |target| {
            target.buffer = Some(Buffering {
                window: Duration::from_millis(300),
                size: 5,
            });
            // A batch that nobody hears the answer to holds its conversation up until it is given up.
            target.timing.retries.truncate(3);
        },
        // What was lost for good comes from the list, and later than what was pushed after it.
        order: Order::Asked,
        ..Ground::default()
    })
    .only(&Way::PUSHED),
    Scenario::new(
        "meta-envelopes",
        "27 messages of several customers in one body of Meta's",
        |world| Box::pin(meta_envelopes(world)),
    )
    .on(|| Ground {
        webhook: |target| {
            target.envelope = Envelope::Meta;
            target.signature = Signature::Hub;
            target.buffer = Some(Buffering {
                window: Duration::from_millis(500),
                size: 27,
            });
        },
        ..Ground::default()
    })
    .only(&Way::PUSHED),
    Scenario::new(
        "unsigned",
        "no secret at all, and a stranger who pushes",
        |world| Box::pin(strangers(world, Signature::Unsigned)),
    )
    .on(|| Ground {
        webhook: |target| target.signature = Signature::Unsigned,
        variables: &[("KAPSO_WEBHOOK_SECRET", "")],
        ..Ground::default()
    })
    .only(&Way::PUSHED),
    Scenario::new(
        "forged",
        "a stranger who pushes with a signature of their own",
        |world| Box::pin(strangers(world, Signature::Kapso)),
    )
    .only(&Way::PUSHED),
    Scenario::new(
        "legacy-bodies",
        "payload version 1, from which nothing is taken: the list has it all",
        |world| Box::pin(legacy(world)),
    )
    .on(|| Ground {
        webhook: |target| target.envelope = Envelope::KapsoV1,
        ..Ground::default()
    })
    .only(&Way::PUSHED),
];

/// How far Kapso's clock jumps ahead before everything is announced again.
const DAYS: i64 = 3 * 24 * 3600;

async fn duplicates(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(24, 200) {
        world
            .kapso
            .faults()
            .next_deliveries(1, DeliveryFault::Twice);
        world.write_some(1);
        let last = world
            .letters()
            .last()
            .context("one was written")?
            .id
            .clone();
        if world.dice.bool() {
            world.kapso.announce_again(&last);
        }
        world.while_away(60).await;
    }
    world.answered().await?;
    world.idle().await?;
    world.kill().await?;
    world.wall.jump(DAYS);
    world.start().await?;
    for letter in world.letters() {
        world.kapso.announce_again(&letter.id);
    }
    Ok(())
}

/// What was answered with 200 must be answered even though nothing but the delivery tells of it.
async fn pushed_only(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(5, 60) {
        for _ in 0..world.dice.u32(1..6) {
            let from = world.dice.u32(0..world.customers());
            world.write_unlisted(from);
            world.while_away(40).await;
        }
        world.kill().await?;
        world.poller.start()?;
    }
    Ok(())
}

async fn lost(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let soon = Duration::from_millis(400);
    let troubles = [
        DeliveryFault::Lost,
        DeliveryFault::Overtaken(soon),
        DeliveryFault::Late(soon),
        DeliveryFault::Unheard(2),
        DeliveryFault::Pass,
    ];
    for _ in 0..world.size.pick(30, 200) {
        let trouble = troubles[world.dice.usize(0..troubles.len())];
        world.kapso.faults().next_deliveries(1, trouble);
        world.write_some(1);
        world.while_away(50).await;
    }
    // What only the list has is read at a start, also where it is read rarely otherwise.
    world.kill().await?;
    world.start().await
}

async fn batches(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let troubles = [
        DeliveryFault::Pass,
        DeliveryFault::Lost,
        DeliveryFault::Twice,
        DeliveryFault::Unheard(1),
        DeliveryFault::Unheard(usize::MAX),
    ];
    for _ in 0..world.size.pick(6, 40) {
        let trouble = troubles[world.dice.usize(0..troubles.len())];
        world.kapso.faults().next_deliveries(2, trouble);
        world.write_some(12);
        world.while_away(400).await;
    }
    Ok(())
}

async fn meta_envelopes(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(2, 20) {
        let trouble = [
            DeliveryFault::Pass,
            DeliveryFault::Twice,
            DeliveryFault::Unheard(1),
        ];
        let trouble = trouble[world.dice.usize(0..trouble.len())];
        world.kapso.faults().next_deliveries(1, trouble);
        world.write_some(27);
        world.while_away(300).await;
    }
    Ok(())
}

async fn legacy(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for _ in 0..world.size.pick(2, 10) {
        world.write_some(6);
        world.while_away(200).await;
        // What only the list has is read at a start, also where it is read rarely otherwise.
        world.kill().await?;
        world.start().await?;
    }
    Ok(())
}

/// What a stranger pushes comes from nowhere. Without a secret, what is pushed is only a hint to look into the list.
async fn strangers(world: &mut World, signature: Signature) -> anyhow::Result<()> {
    world.start().await?;
    let stop = CancellationToken::new();
    let stranger = stranger(world.port, signature, stop.clone()).await?;
    for n in 0..world.size.pick(8, 60) {
        let from = n % world.customers();
        stranger.receive(&customer(from), format!("q{from}x{}", 1_000 + n));
        world.write(from);
        world.while_away(50).await;
    }
    stranger.delivered().await;
    let heard = stranger.deliveries().iter().any(|it| it.status.is_some());
    ensure!(heard, "the stranger's deliveries did not arrive");
    world.answered().await?;
    stop.cancel();
    Ok(())
}

/// Another Kapso, which pushes to the daemon and does not know its secret.
async fn stranger(
    port: u16,
    signature: Signature,
    stop: CancellationToken,
) -> anyhow::Result<KapsoStandIn> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut target = WebhookTarget::new(format!("http://127.0.0.1:{port}/webhook"), "guess");
    target.signature = signature;
    target.timing = WebhookTiming {
        retries: Vec::new(),
        ..WebhookTiming::default()
    };
    let number = NumberId::new(NUMBER).context("the number's id is not one")?;
    let options = StandInOptions {
        webhook: Some(target),
        ..StandInOptions::new("guess".to_owned(), number)
    };
    Ok(KapsoStandIn::start(listener, options, stop).await?)
}
