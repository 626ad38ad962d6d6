//! The idempotency keys that the gateway remembers: five minutes, at most a thousand, in memory only
//! (openclaw.md 3.2).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use tokio::sync::watch;

use super::frame::Reply;

/// Ended runs that are remembered at most; the oldest is forgotten first.
const REMEMBERED: usize = 1_000;

/// How a run ended, as it is told again to whoever asks.
#[derive(Debug)]
pub(super) struct Terminal {
    /// The second response of `agent`.
    pub(super) reply: Reply,
    /// The answer of `agent.wait`.
    pub(super) waited: Reply,
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing, or nothing any more.
    Nothing,
    /// The run goes on.
    Running {
        accepted_at: Timestamp,
        ended: watch::Receiver<Option<Arc<Terminal>>>,
    },
    /// The run ended.
    Ended(Arc<Terminal>),
}

/// The table of keys.
#[derive(Debug)]
pub(super) struct Keys {
    lifetime: Duration,
    entries: HashMap<String, Entry>,
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Entry {
    accepted_at: Timestamp,
    ended_at: Option<Timestamp>,
    ended: watch::Sender<Option<Arc<Terminal>>>,
}

impl Keys {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: HashMap::new(),
            ended: VecDeque::new(),
        }
    }

    /// Notes a run that was taken.
    pub(super) fn accept(&mut self, key: &str, now: Timestamp) {
        let entry = Entry {
            accepted_at: now,
            ended_at: None,
            ended: watch::Sender::new(None),
        };
        self.entries.insert(key.to_owned(), entry);
    }

    /// Notes how a run ended, and tells those who wait for it.
    pub(super) fn end(&mut self, key: &str, terminal: &Arc<Terminal>, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.ended_at = Some(now);
            entry.ended.send_replace(Some(Arc::clone(terminal)));
            self.ended.push_back(key.to_owned());
        }
        while self.ended.len() > REMEMBERED {
            if let Some(oldest) = self.ended.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// What is known of `key` at `now`.
    pub(super) fn look(&mut self, key: &str, now: Timestamp) -> Known {
        let Some(entry) = self.entries.get(key) else {
            return Known::Nothing;
        };
        if let Some(ended_at) = entry.ended_at
            && now.since(ended_at) > self.lifetime
        {
            self.entries.remove(key);
            self.ended.retain(|ended| ended != key);
            return Known::Nothing;
        }
        let terminal = entry.ended.borrow().clone();
        match terminal {
            Some(terminal) => Known::Ended(terminal),
            None => Known::Running {
                accepted_at: entry.accepted_at,
                ended: entry.ended.subscribe(),
            },
        }
    }

    /// Forgets everything, as a restart does.
    pub(super) fn forget(&mut self) {
        self.entries.clear();
        self.ended.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Object;
    use super::*;

    fn terminal() -> Arc<Terminal> {
        Arc::new(Terminal {
            reply: Reply::done(Object::new()),
            waited: Reply::done(Object::new()),
        })
    }

    #[test]
    fn a_key_is_forgotten_after_its_lifetime_but_not_while_it_runs() {
        let mut keys = Keys::new(Duration::from_secs(300));
        let start = Timestamp::from_seconds(1_000);
        keys.accept("k", start);
        let much_later = start.later(Duration::from_secs(3_600));
        assert!(matches!(keys.look("k", much_later), Known::Running { .. }));
        keys.end("k", &terminal(), much_later);
        let at_the_edge = much_later.later(Duration::from_secs(300));
        assert!(matches!(keys.look("k", at_the_edge), Known::Ended(_)));
        let over = at_the_edge.later(Duration::from_millis(1));
        assert!(matches!(keys.look("k", over), Known::Nothing));
    }

    #[test]
    fn only_a_thousand_ended_keys_are_remembered() {
        let mut keys = Keys::new(Duration::from_secs(300));
        let now = Timestamp::from_seconds(1_000);
        for n in 0..=REMEMBERED {
            let key = n.to_string();
            keys.accept(&key, now);
            keys.end(&key, &terminal(), now);
        }
        assert!(matches!(keys.look("0", now), Known::Nothing));
        assert!(matches!(keys.look("1", now), Known::Ended(_)));
    }
}
