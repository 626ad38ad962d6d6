//! The way in: from a webhook to the question at the gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use sandbox::openclaw::Answer;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::canned::CannedKapso;
use crate::figures::Figures;
use crate::mail::{Line, Mail, milliseconds};
use crate::scene::Scene;
use crate::token::Roll;

/// Messages, and who writes them; each is answered long before the sender's next one.
const MESSAGES: usize = 300;
const SENDERS: usize = 50;

/// Between two messages.
const PAUSE: Duration = Duration::from_millis(100);

/// Time for the last question, after the last message.
const ASKED: Duration = Duration::from_secs(30);

/// From the write of each webhook until the gateway gives its words to the agent, while every answer of Kapso takes
/// `latency`.
pub(crate) async fn ingest(
    program: &Path,
    figures: &mut Figures,
    stem: &str,
    latency: Duration,
) -> anyhow::Result<()> {
    let (mut scene, address) = Scene::with_webhook(stem).await?;
    let kapso = CannedKapso::start(0, latency).await?;
    scene.around.kapso = kapso.base_url();
    let read = Arc::new(Roll::new(MESSAGES));
    let reading = Arc::clone(&read);
    scene.openclaw.answer_with(move |asked| {
        reading.note(asked.text.as_bytes());
        Answer::text("Thank you.")
    });
    let _daemon = scene.daemon(program).await?;
    let mail = Mail::new(MESSAGES, SENDERS, &Clock::system())?;
    let mut line = Line::open(address).await?;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = Vec::with_capacity(MESSAGES);
    for request in mail.requests() {
        ticks.tick().await;
        written.push(Instant::now());
        line.post(request).await?;
    }
    let read = read.complete(ASKED).await?;
    let took = |(written, read): (&Instant, &Instant)| milliseconds(*read - *written);
    let samples = written.iter().zip(&read).map(took).collect();
    figures.add_latencies(stem, (1.0, 3.0), samples);
    Ok(())
}
