//! The last entries of a transcript, by which old lines are recognised when a file was rewritten or replaced.
//!
//! The gateway rewrites a transcript in place (it drops an interrupted question, migrates, repairs) and may carry
//! entries over into a new file; names and times stay. An entry is old when its name is among the last ones read, or
//! when it was written before all of those. Only times of the gateway's own clock are compared with each other.

use std::collections::VecDeque;
use std::time::Duration;

use super::entry::Name;
use super::mark::Last;

/// How many entries are remembered; an older one is recognised by its time.
const REMEMBERED: usize = 256;

/// How much earlier than its predecessor in the file the gateway may date an entry (40 ms seen on 2026.7.35).
const DISORDER: Duration = Duration::from_secs(1);

/// The entries last read.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Oldest first.
    last: VecDeque<Name>,
    /// What had been read when the present file was begun from its start; empty when no line of it can be old.
    before: Vec<Name>,
}

impl Recent {
    /// Remembers `name` as the newest, and forgets the oldest when there are too many.
    pub(super) fn add(&mut self, name: Name) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(name);
    }

    /// Remembers the last entry before a mark.
    pub(super) fn extend(&mut self, last: Option<&Last>) {
        if let Some(Last { id, at }) = last {
            self.add(Name {
                id: id.clone(),
                at: *at,
            });
        }
    }

    /// A file is read from its start: what was read so far may come again.
    pub(super) fn replay(&mut self) {
        self.before = self.last.iter().cloned().collect();
    }

    /// Whether `name`, the next in the file, was read before. What follows the newest known entry is new.
    pub(super) fn is_old(&mut self, name: &Name) -> bool {
        if self
            .before
            .last()
            .is_some_and(|newest| newest.id == name.id)
        {
            self.before.clear();
            return true;
        }
        let oldest = self.before.iter().filter_map(|known| known.at).min();
        let before_all = match (name.at, oldest) {
            (Some(at), Some(oldest)) => at < oldest.earlier(DISORDER),
            (None, _) | (_, None) => false,
        };
        before_all || self.before.iter().any(|known| known.id == name.id)
    }

    /// The newest entry.
    pub(super) fn newest(&self) -> Option<&Name> {
        self.last.back()
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn name(id: &str, at: i64) -> Name {
        Name {
            id: id.to_owned(),
            at: Some(Timestamp::from_seconds(at)),
        }
    }

    fn of(seconds: std::ops::Range<i64>) -> Recent {
        let mut recent = Recent::default();
        seconds.for_each(|at| recent.add(name(&at.to_string(), at)));
        recent
    }

    #[test]
    fn in_a_replay_known_and_earlier_entries_are_old() {
        let mut recent = of(100..110);
        assert!(!recent.is_old(&name("105", 105)), "not in a replay");
        recent.replay();
        assert!(recent.is_old(&name("forgotten", 50)));
        assert!(recent.is_old(&name("105", 105)));
        assert!(!recent.is_old(&name("new", 110)));
        assert!(!recent.is_old(&Name {
            id: "undated".to_owned(),
            at: None
        }));
    }

    #[test]
    fn after_the_newest_known_entry_all_is_new() {
        let mut recent = of(100..110);
        recent.replay();
        assert!(recent.is_old(&name("109", 109)));
        assert!(!recent.is_old(&name("dated far too early", 1)));
    }

    #[test]
    fn what_was_read_in_the_replay_makes_nothing_old() {
        let mut recent = Recent::default();
        recent.replay();
        recent.add(name("head", 100));
        assert!(!recent.is_old(&name("dated before the head", 1)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = of(0..1000);
        assert_eq!(recent.last.len(), REMEMBERED);
        recent.replay();
        assert!(recent.is_old(&name("0", 0)), "by its time");
    }
}
