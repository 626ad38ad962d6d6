//! What reading transcripts has cost, and what could not be read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the transcripts were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes read of transcripts.
    pub bytes_read: u64,
    /// How often `sessions.json` was read.
    pub index_reads: u64,
    /// Lines that are no entry.
    pub malformed: u64,
    /// Lines that are too long to be read.
    pub oversized: u64,
    /// Files found rewritten or replaced.
    pub rewritten: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    bytes_read: AtomicU64,
    index_reads: AtomicU64,
    malformed: AtomicU64,
    oversized: AtomicU64,
    rewritten: AtomicU64,
}

impl Tally {
    pub(super) fn bytes(&self, count: usize) {
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn index_read(&self) {
        self.index_reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a line that is no entry; whether it is the first.
    pub(super) fn malformed(&self) -> bool {
        self.malformed.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Counts a line that is too long; whether it is the first.
    pub(super) fn oversized(&self) -> bool {
        self.oversized.fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(super) fn rewritten(&self) {
        self.rewritten.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            bytes_read: read(&self.bytes_read),
            index_reads: read(&self.index_reads),
            malformed: read(&self.malformed),
            oversized: read(&self.oversized),
            rewritten: read(&self.rewritten),
        }
    }
}
