//! The events of the scripted gateway, kept so that the wire of a message can be shown afterwards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::openclaw::Events;

/// Events that are kept; the oldest go first.
const MOST: usize = 4096;

/// The latest events. The lock never leaves this file.
#[derive(Debug, Default)]
pub(super) struct Frames(Mutex<VecDeque<(Timestamp, String)>>);

impl Frames {
    /// Keeps what is told, until the gateway is gone.
    pub(super) async fn keep(self: Arc<Self>, mut events: Events) {
        let clock = Clock::system();
        while let Some(event) = events.next().await {
            let mut kept = self.lock();
            if kept.len() == MOST {
                kept.pop_front();
            }
            kept.push_back((clock.now(), event));
        }
    }

    /// The events that name this run.
    pub(super) fn of_run(&self, run: &str) -> Vec<Value> {
        let named = format!("\"runId\":\"{run}\"");
        let kept = self.lock();
        kept.iter()
            .filter(|(_, frame)| frame.contains(&named))
            .map(|(at, frame)| json!({ "at": at, "frame": frame }))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Timestamp, String)>> {
        // Nothing is done under the lock that could leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
