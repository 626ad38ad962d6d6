//! What waited while the daemon was away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sandbox::openclaw::Answer;
use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::figures::{Figures, Target};
use crate::mail::digits;
use crate::scene::{Scene, Way};
use crate::token::{self, Roll};

const MESSAGES: usize = 5000;
const SENDERS: usize = 500;

/// Time for the last question.
const ASKED: Duration = Duration::from_secs(120);

/// From the start of the process until the gateway has read the last message of a list that is served newest first.
pub(crate) async fn catchup(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let scene = Scene::new("backlog", Way::Result).await?;
    // A new journal counts from its first reading of the list.
    Daemon::read_once(program, &scene.around).await?;
    for number in 0..MESSAGES {
        let words = format!("While you were away: {}.", token::of(number));
        scene.kapso.receive(&digits(number % SENDERS), words);
    }
    let read = Arc::new(Roll::new(MESSAGES));
    let reading = Arc::clone(&read);
    scene.openclaw.answer_with(move |asked| {
        reading.note(asked.text.as_bytes());
        Answer::silent()
    });
    let begun = Instant::now();
    let _daemon = Daemon::start(program, &scene.around)?;
    let read = read.complete(ASKED).await?;
    let last = read.iter().max().context("no message")?;
    let took = (*last - begun).as_secs_f64();
    figures.add("catchup_5000_s", Target::Below(15.0), took);
    Ok(())
}
