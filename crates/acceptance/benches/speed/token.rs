//! The mark that a message carries through the daemon, by which it is known again in a question and in an answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

const EDGE: u8 = b'q';
const DIGITS: usize = 6;

/// The token of a message: `q000042q`.
pub(crate) fn of(number: usize) -> String {
    format!("q{number:06}q")
}

/// The numbers of all tokens in `text`.
fn all(text: &[u8]) -> impl Iterator<Item = usize> {
    text.windows(DIGITS + 2).filter_map(|window| {
        let inner = window.strip_prefix(&[EDGE])?.strip_suffix(&[EDGE])?;
        let digit = |digit: &u8| digit.is_ascii_digit().then(|| usize::from(digit - b'0'));
        inner
            .iter()
            .try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    })
}

/// Which tokens came to a place, and when.
#[derive(Debug)]
pub(crate) struct Roll {
    seen: Mutex<Seen>,
    came: watch::Sender<usize>,
}

#[derive(Debug)]
struct Seen {
    first: Vec<Option<Instant>>,
    again: usize,
}

impl Roll {
    /// A roll for the tokens below `count`.
    pub(crate) fn new(count: usize) -> Self {
        let first = vec![None; count];
        Self {
            seen: Mutex::new(Seen { first, again: 0 }),
            came: watch::Sender::new(0),
        }
    }

    /// Notes the tokens in `text`, which was read just now.
    pub(crate) fn note(&self, text: &[u8]) {
        let now = Instant::now();
        let mut new = 0;
        {
            let mut seen = self.seen();
            for number in all(text) {
                match seen.first.get_mut(number) {
                    Some(first @ None) => {
                        *first = Some(now);
                        new += 1;
                    }
                    Some(Some(_)) => seen.again += 1,
                    None => {}
                }
            }
        }
        if new > 0 {
            self.came.send_modify(|came| *came += new);
        }
    }

    /// Waits until every token came, and gives when. None may come twice until then.
    pub(crate) async fn complete(&self, within: Duration) -> anyhow::Result<Vec<Instant>> {
        let count = self.seen().first.len();
        let mut came = self.came.subscribe();
        let complete = timeout(within, came.wait_for(|came| *came >= count)).await;
        let came = *self.came.borrow();
        complete
            .with_context(|| format!("{came} of {count} messages came within {within:?}"))??;
        let seen = self.seen();
        ensure!(seen.again == 0, "{} messages came twice", seen.again);
        Ok(seen.first.iter().flatten().copied().collect())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
