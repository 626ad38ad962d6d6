//! The measurements, each with stand-ins and a state directory of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use model::NumberId;
use sandbox::kapso::{KapsoStandIn, StandInOptions};
use sandbox::openclaw::{Answer, Gate, OpenClawStandIn, Options, Release};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::daemon::{API_KEY, Daemon, NUMBER, Surroundings, TOKEN};
use crate::figures::Figures;

/// How replies reach the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The run's own result (`gateway.relay = "auto"`).
    Result,
    /// The session's transcript (`"jsonl"`).
    Jsonl,
}

/// Customers whose turns are held, and let go one by one.
const CUSTOMERS: usize = 200;

/// Between two samples, so that each finds the daemon with nothing else to write.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts of the daemon of which the median is taken.
const STARTS: usize = 21;

/// How long an idle daemon is watched, after it has settled.
const IDLE: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(12);

struct Bench {
    kapso: KapsoStandIn,
    openclaw: OpenClawStandIn,
    around: Surroundings,
    stop: CancellationToken,
    folder: PathBuf,
}

impl Bench {
    async fn new(name: &str, way: Way, customers: &[String]) -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("kapso-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let stop = CancellationToken::new();
        let options = StandInOptions::new(API_KEY.to_owned(), NumberId::new(NUMBER)?);
        let kapso = KapsoStandIn::start(listener().await?, options, stop.clone()).await?;
        let options = Options {
            release: if way == Way::Jsonl {
                Release::V2026_7_35
            } else {
                Release::V2026_9_6
            },
            token: Some(TOKEN.to_owned()),
            transcripts: (way == Way::Jsonl).then(|| folder.join("openclaw")),
            ..Options::default()
        };
        let openclaw = OpenClawStandIn::start(listener().await?, options, stop.clone())?;
        let sessions_json = openclaw
            .sessions_json()
            .map(|path| path.display().to_string());
        let around = Surroundings {
            state: folder.join("state").display().to_string(),
            kapso: kapso.base_url(),
            gateway: openclaw.url(),
            relay: if way == Way::Jsonl { "jsonl" } else { "auto" },
            sessions_json: sessions_json.unwrap_or_default(),
            customers: customers.join(","),
        };
        Ok(Self {
            kapso,
            openclaw,
            around,
            stop,
            folder,
        })
    }

    /// Starts the daemon and waits until it has read the list once.
    async fn daemon(&self, program: &Path) -> anyhow::Result<Daemon> {
        let daemon = Daemon::start(program, &self.around)?;
        self.kapso
            .until(|kapso| (!kapso.requests().is_empty()).then_some(()))
            .await;
        Ok(daemon)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
        // A folder that stays in the temporary directory does not spoil a measurement.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// From the start of the process until it dials the gateway, which it does once its journal is open.
pub(crate) async fn ready(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let bench = Bench::new("ready", Way::Result, &[]).await?;
    let gateway = listener().await?;
    let mut samples = Vec::new();
    for _ in 0..=STARTS {
        let around = Surroundings {
            gateway: format!("ws://{}", gateway.local_addr()?),
            ..bench.around.clone()
        };
        let begun = Instant::now();
        let daemon = Daemon::start(program, &around)?;
        let _socket = gateway.accept().await?;
        samples.push(milliseconds(begun.elapsed()));
        daemon.kill().await?;
    }
    figures.add("ready_new_journal_ms", 10.0, samples.remove(0));
    samples.sort_by(f64::total_cmp);
    figures.add("ready_ms", 10.0, samples[samples.len() / 2]);
    Ok(())
}

/// From the result's frame, or from the append to the transcript, until the send request is at Kapso.
pub(crate) async fn relay(program: &Path, figures: &mut Figures, way: Way) -> anyhow::Result<()> {
    let customers: Vec<String> = (0..CUSTOMERS).map(|n| format!("+1555{n:07}")).collect();
    let gates: HashMap<String, Gate> = customers
        .iter()
        .map(|c| (c.clone(), Gate::shut()))
        .collect();
    let bench = Bench::new("relay", way, &customers).await?;
    let held = gates.clone();
    bench
        .openclaw
        .answer_with(move |asked| match held.get(asked.words()) {
            Some(gate) => Answer::text("Here is the answer that you asked for.").held(gate),
            None => Answer::silent(),
        });
    let _daemon = bench.daemon(program).await?;
    sleep(Duration::from_secs(1)).await;
    for customer in &customers {
        bench.kapso.receive(customer, customer.as_str());
    }
    let mut samples = Vec::new();
    for customer in &customers {
        let gate = gates.get(customer).context("every customer has a gate")?;
        gate.reached(1).await;
    }
    for customer in &customers {
        let gate = gates.get(customer).context("every customer has a gate")?;
        gate.open();
        let sent = bench.kapso.sent_to(customer, 1).await;
        let session = format!("agent:main:main-wa-{}", &customer[1..]);
        let told = bench.openclaw.told(&session).context("the run has ended")?;
        let left = match way {
            Way::Result => told.responded,
            Way::Jsonl => told.written,
        };
        samples.push(milliseconds(
            sent[0].arrived.saturating_duration_since(left),
        ));
        sleep(PAUSE).await;
    }
    match way {
        Way::Result => figures.add_latencies("relay_result", (1.0, 5.0), samples),
        Way::Jsonl => figures.add_latencies("relay_jsonl", (10.0, 10.0), samples),
    }
    Ok(())
}

/// What the daemon costs while nothing happens but a poll every five seconds.
pub(crate) async fn idle(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let bench = Bench::new("idle", Way::Result, &["+15551234567".to_owned()]).await?;
    let daemon = bench.daemon(program).await?;
    bench.openclaw.connected_n(1).await;
    sleep(SETTLE).await;
    let (begun, before) = (Instant::now(), daemon.cpu_nanoseconds()?);
    sleep(IDLE).await;
    let spent = Duration::from_nanos(daemon.cpu_nanoseconds()? - before);
    figures.add(
        "idle_cpu_percent",
        0.01,
        spent.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0,
    );
    figures.add("idle_rss_mib", 8.0, daemon.resident_kib()? / 1024.0);
    Ok(())
}

async fn listener() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
