//! The last entries of a transcript, by which old lines are recognised when a file was rewritten or replaced.
//!
//! The gateway rewrites a transcript in place (it drops an interrupted question, migrates, repairs) and may carry
//! entries over into a new file; names and times stay. An entry is old when its name is among the last ones read, or
//! when it was written before all of those. Only times of the gateway's own clock are compared with each other.

use std::collections::VecDeque;
use std::time::Duration;

use model::Timestamp;

use super::entry::Name;
use super::mark::Last;

/// How many entries are remembered; an older one is recognised by its time.
const REMEMBERED: usize = 256;

/// How much earlier than its predecessor in the file the gateway may date an entry (40 ms seen on 2026.7.35).
const DISORDER: Duration = Duration::from_secs(1);

/// The entries last read, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Name>);

impl Recent {
    /// Remembers `name` as the newest, and forgets the oldest when there are too many.
    pub(super) fn add(&mut self, name: Name) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(name);
    }

    /// Remembers the last entry before a mark.
    pub(super) fn extend(&mut self, last: Option<&Last>) {
        if let Some(Last { id, at }) = last {
            self.add(Name { id: id.clone(), at: *at });
        }
    }

    /// Whether `name` was read before.
    pub(super) fn is_old(&self, name: &Name) -> bool {
        let oldest = self.0.iter().filter_map(|known| known.at).min();
        let before_all = match (name.at, oldest) {
            (Some(at), Some(oldest)) => at < oldest.earlier(DISORDER),
            (None, _) | (_, None) => false,
        };
        before_all || self.0.iter().any(|known| known.id == name.id)
    }

    /// The newest entry.
    pub(super) fn last(&self) -> Option<&Name> {
        self.0.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str, at: i64) -> Name {
        Name { id: id.to_owned(), at: Some(Timestamp::from_seconds(at)) }
    }

    #[test]
    fn known_and_earlier_entries_are_old() {
        let mut recent = Recent::default();
        assert!(!recent.is_old(&name("a", 1)));
        for at in 100..110 {
            recent.add(name(&at.to_string(), at));
        }
        assert!(recent.is_old(&name("105", 105)));
        assert!(recent.is_old(&name("forgotten", 50)));
        assert!(!recent.is_old(&name("new", 110)));
        assert!(!recent.is_old(&Name { id: "undated".to_owned(), at: None }));
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        for at in 0..1000 {
            recent.add(name(&at.to_string(), at));
        }
        assert_eq!(recent.0.len(), REMEMBERED);
        assert!(recent.is_old(&name("0", 0)), "by its time");
    }
}
