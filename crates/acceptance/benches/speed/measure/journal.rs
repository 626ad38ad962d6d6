//! The journal alone: whether taking a message becomes slower as it grows.

use std::ops::Range;

use anyhow::ensure;
use model::{Arrival, Clock, Content, Identity, Inbound, MessageId, NumberId, Source};
use store::Store;
use tokio::time::Instant;

use crate::daemon::NUMBER;
use crate::figures::{Figures, Samples, Target};
use crate::mail::{digits, milliseconds};

/// Rows of the large journal.
const ROWS: usize = 1_000_000;

/// How many are taken at a time to fill it.
const BATCH: usize = 1000;

/// Messages whose taking is measured, one at a time.
const SINGLE: usize = 2000;

const SENDERS: usize = 10_000;

/// One message at a time in an empty journal, and in one where a million wait.
pub(crate) async fn journal(figures: &mut Figures) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), Clock::system()).await?;
    let empty = one_by_one(&store, 0..SINGLE).await?;
    figures.add("store_empty_accept_p50_ms", Target::None, empty.at(0.50));
    figures.add("store_empty_accept_p99_ms", Target::None, empty.at(0.99));

    let begun = Instant::now();
    for from in (SINGLE..ROWS).step_by(BATCH) {
        let batch = arrivals(from..from + BATCH)?;
        store.accept(&batch, None).await?;
    }
    let rate = (ROWS - SINGLE) as f64 / begun.elapsed().as_secs_f64();
    figures.add("store_fill_rows_per_s", Target::None, rate);

    let full = one_by_one(&store, ROWS..ROWS + SINGLE).await?;
    figures.add("store_1m_rows_accept_p50_ms", Target::None, full.at(0.50));
    figures.add("store_1m_rows_accept_p99_ms", Target::None, full.at(0.99));
    store.close().await;
    Ok(())
}

async fn one_by_one(store: &Store, numbers: Range<usize>) -> anyhow::Result<Samples> {
    let mut samples = Vec::with_capacity(numbers.len());
    for number in numbers {
        let one = arrivals(number..number + 1)?;
        let begun = Instant::now();
        let accepted = store.accept(&one, None).await?;
        samples.push(milliseconds(begun.elapsed()));
        ensure!(accepted.new == 1, "message {number} is not new");
    }
    Ok(Samples::new(samples))
}

fn arrivals(numbers: Range<usize>) -> anyhow::Result<Vec<Arrival>> {
    numbers.map(arrival).collect()
}

fn arrival(number: usize) -> anyhow::Result<Arrival> {
    let body = format!("Hello, this is message {number} of a long history.");
    Ok(Arrival::Message(Box::new(Inbound {
        number: NumberId::new(NUMBER)?,
        id: MessageId::new(&format!("wamid.{number:030}"))?,
        from: Identity::new(&digits(number % SENDERS))?,
        user: None,
        known_as: None,
        name: Some("Ana".to_owned()),
        sent_at: Clock::system().now(),
        content: Content::Text { body },
        quoted: None,
        forwarded: false,
        source: Source::Webhook,
    })))
}
