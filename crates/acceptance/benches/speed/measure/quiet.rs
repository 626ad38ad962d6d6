//! The daemon with nothing to do: how soon it is there, and what it costs.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::daemon::{Daemon, Surroundings};
use crate::figures::{Figures, Samples, Target};
use crate::mail::milliseconds;
use crate::scene::{Scene, Way, listener};

/// Starts of the daemon of which the median is taken.
const STARTS: usize = 21;

/// How long an idle daemon is watched, after it has settled.
const IDLE: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(12);

/// From the start of the process until it dials the gateway, which it does once its journal is open.
pub(crate) async fn ready(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let scene = Scene::new("ready", Way::Result).await?;
    let gateway = listener().await?;
    let mut samples = Vec::new();
    for _ in 0..=STARTS {
        let around = Surroundings {
            gateway: format!("ws://{}", gateway.local_addr()?),
            ..scene.around.clone()
        };
        let begun = Instant::now();
        let daemon = Daemon::start(program, &around)?;
        let _socket = gateway.accept().await?;
        samples.push(milliseconds(begun.elapsed()));
        daemon.kill().await?;
    }
    let target = Target::Below(10.0);
    figures.add("ready_new_journal_ms", target, samples.remove(0));
    figures.add("ready_ms", target, Samples::new(samples).at(0.5));
    Ok(())
}

/// What the daemon costs while nothing happens but a poll every five seconds.
pub(crate) async fn idle(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let scene = Scene::new("idle", Way::Result).await?;
    let daemon = scene.daemon(program).await?;
    sleep(SETTLE).await;
    let (begun, before) = (Instant::now(), daemon.cpu_nanoseconds()?);
    sleep(IDLE).await;
    let spent = Duration::from_nanos(daemon.cpu_nanoseconds()? - before);
    let share = spent.as_secs_f64() / begun.elapsed().as_secs_f64();
    figures.add("idle_cpu_percent", Target::Below(0.01), share * 100.0);
    let resident = daemon.resident_kib()? / 1024.0;
    figures.add("idle_rss_mib", Target::Below(8.0), resident);
    Ok(())
}
