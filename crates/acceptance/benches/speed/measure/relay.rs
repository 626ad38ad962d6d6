//! The way back: from the agent's answer to the send request.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sandbox::openclaw::{Answer, Gate};
use tokio::time::sleep;

use crate::figures::Figures;
use crate::mail::{digits, milliseconds};
use crate::scene::{Scene, Way};

/// Customers whose turns are held, and let go one by one.
const CUSTOMERS: usize = 200;

/// Between two samples, so that each finds the daemon with nothing else to write.
const PAUSE: Duration = Duration::from_millis(20);

/// From the result's frame, or from the append to the transcript, until the send request is at Kapso.
pub(crate) async fn relay(program: &Path, figures: &mut Figures, way: Way) -> anyhow::Result<()> {
    let customers: Vec<String> = (0..CUSTOMERS).map(|n| format!("+{}", digits(n))).collect();
    let gates: HashMap<String, Gate> = customers
        .iter()
        .map(|c| (c.clone(), Gate::shut()))
        .collect();
    let scene = Scene::new("relay", way).await?;
    let held = gates.clone();
    scene
        .openclaw
        .answer_with(move |asked| match held.get(asked.words()) {
            Some(gate) => Answer::text("Here is the answer that you asked for.").held(gate),
            None => Answer::silent(),
        });
    let _daemon = scene.daemon(program).await?;
    sleep(Duration::from_secs(1)).await;
    for customer in &customers {
        scene.kapso.receive(customer, customer.as_str());
    }
    let mut samples = Vec::new();
    for customer in &customers {
        let gate = gates.get(customer).context("every customer has a gate")?;
        gate.reached(1).await;
    }
    for customer in &customers {
        let gate = gates.get(customer).context("every customer has a gate")?;
        gate.open();
        let sent = scene.kapso.sent_to(customer, 1).await;
        let session = format!("agent:main:main-wa-{}", &customer[1..]);
        let told = scene.openclaw.told(&session).context("the run has ended")?;
        let left = match way {
            Way::Result => told.responded,
            Way::Jsonl => told.written,
        };
        let took = sent[0].arrived.saturating_duration_since(left);
        samples.push(milliseconds(took));
        sleep(PAUSE).await;
    }
    match way {
        Way::Result => figures.add_latencies("relay_result", (1.0, 5.0), samples),
        Way::Jsonl => figures.add_latencies("relay_jsonl", (10.0, 10.0), samples),
    }
    Ok(())
}
