//! How many webhooks a second are taken, and what is left in memory when all were answered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use sandbox::openclaw::{Answer, Gate};

use crate::canned::CannedKapso;
use crate::daemon::own_cpu_nanoseconds;
use crate::figures::{Figures, Samples, Target};
use crate::mail::{self, Mail};
use crate::scene::Scene;

/// Messages, each new, and who writes them.
const MESSAGES: usize = 100_000;
const SENDERS: usize = 1000;

/// Connections, as Kapso's deliveries come over many.
const LINES: usize = 64;

/// Time for all to be answered, afterwards.
const ANSWERED: Duration = Duration::from_secs(400);

/// The agent thinks until the last webhook was taken, as agents do: their turns take seconds. Then it answers all.
pub(crate) async fn webhook(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let (mut scene, address) = Scene::with_webhook("webhook").await?;
    let kapso = CannedKapso::start(MESSAGES, Duration::ZERO).await?;
    scene.around.kapso = kapso.base_url();
    let gate = Gate::shut();
    let held = gate.clone();
    scene
        .openclaw
        .answer_with(move |asked| Answer::text(asked.words()).held(&held));
    let daemon = scene.daemon(program).await?;
    let mail = Arc::new(Mail::new(MESSAGES, SENDERS, &Clock::system())?);

    let before = (daemon.cpu_nanoseconds()?, own_cpu_nanoseconds()?);
    let posted = mail::post(mail, address, LINES).await?;
    let after = (daemon.cpu_nanoseconds()?, own_cpu_nanoseconds()?);
    let rate = MESSAGES as f64 / posted.took.as_secs_f64();
    figures.add("webhook_rps", Target::AtLeast(10_000.0), rate);
    let p99 = Samples::new(posted.latencies).at(0.99);
    figures.add("webhook_p99_ms", Target::Below(20.0), p99);
    let each = |from: u64, to: u64| (to - from) as f64 / 1000.0 / MESSAGES as f64;
    let (daemons, own) = (each(before.0, after.0), each(before.1, after.1));
    figures.add("webhook_daemon_cpu_us", Target::None, daemons);
    figures.add("webhook_bench_cpu_us", Target::None, own);

    gate.open();
    kapso.sent().complete(ANSWERED).await?;
    let resident = daemon.resident_kib()? / 1024.0;
    figures.add("rss_after_100k_mib", Target::Below(40.0), resident);
    Ok(())
}
