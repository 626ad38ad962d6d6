//! The guard alone: how many messages a second it can decide about, with many known senders.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use bridge::guard::{Approvals, Guard, OverLimit, Policy, Rules, Strangers, Verdict};
use model::{Clock, Content, Identity, Inbound, MessageId, NumberId, Role, Source};
use tokio::time::Instant;

use crate::daemon::NUMBER;
use crate::figures::{Figures, Target};
use crate::mail::digits;

/// Senders with a role.
const SENDERS: usize = 100_000;

/// Every sender in turn, so often.
const ROUNDS: usize = 10;

/// Role and rate of a message of each of many senders, on one thread.
pub(crate) fn guard(figures: &mut Figures) -> anyhow::Result<()> {
    let number = NumberId::new(NUMBER)?;
    let inbounds: Vec<Inbound> = (0..SENDERS)
        .map(|sender| inbound(&number, sender))
        .collect::<anyhow::Result<_>>()?;
    let role = Role("member".to_owned());
    let known = inbounds.iter();
    let known = known.map(|inbound| (inbound.from.canonical(), role.clone()));
    let policy = Policy {
        strangers: Strangers::Refused,
        roles: known.collect::<HashMap<_, _>>(),
        rate_limit: 2 * u32::try_from(ROUNDS)?,
        window: Duration::from_secs(60),
        over_limit: OverLimit::Wait,
        deny_message: String::new(),
        commands: BTreeMap::new(),
    };
    let guard = Guard::new([(number, policy)], Approvals::default(), Rules::default());
    let now = Clock::system().now();
    let begun = Instant::now();
    let mut admitted = 0;
    for inbound in (0..ROUNDS).flat_map(|_| &inbounds) {
        let verdict = black_box(guard.judge(black_box(inbound), ()));
        let paced = guard.pace(&inbound.chat(), now);
        admitted += usize::from(matches!(verdict, Verdict::Admitted(_)) && paced.is_ok());
    }
    let rate = admitted as f64 / begun.elapsed().as_secs_f64();
    ensure!(admitted == SENDERS * ROUNDS, "{admitted} were admitted");
    figures.add("guard_decisions_per_s", Target::AtLeast(1e6), rate);
    Ok(())
}

fn inbound(number: &NumberId, sender: usize) -> anyhow::Result<Inbound> {
    Ok(Inbound {
        number: number.clone(),
        id: MessageId::new("wamid.1")?,
        from: Identity::new(&digits(sender))?,
        user: None,
        known_as: None,
        name: None,
        sent_at: Clock::system().now(),
        content: Content::Text {
            body: "hello".to_owned(),
        },
        quoted: None,
        forwarded: false,
        source: Source::Poll,
    })
}
