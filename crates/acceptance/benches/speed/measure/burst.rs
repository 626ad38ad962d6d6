//! Many messages at once, answered by an agent that takes no time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use model::Clock;
use sandbox::openclaw::Answer;
use tokio::time::Instant;

use crate::canned::CannedKapso;
use crate::figures::{Figures, Samples, Target};
use crate::mail::{self, Mail};
use crate::scene::Scene;

const MESSAGES: usize = 10_000;
const SENDERS: usize = 1000;
const LINES: usize = 64;

/// Time for the last answer.
const ANSWERED: Duration = Duration::from_secs(120);

/// From the first webhook until the last answer is at Kapso, and the most memory on the way.
pub(crate) async fn burst(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let (mut scene, address) = Scene::with_webhook("burst").await?;
    let kapso = CannedKapso::start(MESSAGES, Duration::ZERO).await?;
    scene.around.kapso = kapso.base_url();
    scene
        .openclaw
        .answer_with(|asked| Answer::text(asked.words()));
    let daemon = scene.daemon(program).await?;
    let mail = Arc::new(Mail::new(MESSAGES, SENDERS, &Clock::system())?);

    let begun = Instant::now();
    let posted = mail::post(mail, address, LINES).await?;
    let answered = kapso.sent().complete(ANSWERED).await?;
    let last = answered.iter().max().context("no message")?;
    let took = (*last - begun).as_secs_f64();
    figures.add("burst_10000_s", Target::None, took);
    let p99 = Samples::new(posted.latencies).at(0.99);
    figures.add("burst_10000_acknowledged_p99_ms", Target::None, p99);
    let resident = daemon.most_resident_kib()? / 1024.0;
    figures.add("burst_10000_rss_mib", Target::Below(40.0), resident);
    Ok(())
}
