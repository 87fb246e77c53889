//! What stands in the ingest queue: how many records, and since when the oldest waits
//! (`rsQueueSize`, `rs_apply_lag_seconds`, ops.md §5.2).
//!
//! Ingest adds before it hands over, the applier takes away after the database has it, so the
//! number is never too small and is 0 only when nothing is left. Two atomics; no part waits for
//! another. Of a queue that was found at the start each frame counts as one record until the
//! applier has counted them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use model::time::Millis;

/// The figures of the queue.
#[derive(Debug, Default)]
pub struct Backlog {
    records: AtomicI64,
    /// Ms since 1970 of the oldest arrival that waits; 0: none.
    oldest: AtomicU64,
}

impl Backlog {
    /// Records are about to be handed to the spool, or were found in it.
    pub(crate) fn came(&self, records: u64) {
        self.records.fetch_add(signed(records), Ordering::Relaxed);
    }

    /// Records are in the database, or were not taken by the spool.
    pub(crate) fn went(&self, records: u64) {
        self.records.fetch_sub(signed(records), Ordering::Relaxed);
    }

    /// When the arrival was received that is the next to be stored; `None`: none waits.
    pub(crate) fn next_is_of(&self, received: Option<u64>) {
        self.oldest.store(received.unwrap_or(0), Ordering::Relaxed);
    }

    /// Records that are not in the database yet.
    #[must_use]
    pub fn records(&self) -> u64 {
        u64::try_from(self.records.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Age of the oldest record that is not in the database yet; zero when there is none.
    #[must_use]
    pub fn age(&self, now: Millis) -> Duration {
        match self.oldest.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            oldest => now.since(Millis(oldest)),
        }
    }
}

fn signed(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_the_age_of_the_oldest() {
        let backlog = Backlog::default();
        assert_eq!((backlog.records(), backlog.age(Millis(5_000))), (0, Duration::ZERO));
        backlog.came(7);
        backlog.went(3);
        backlog.next_is_of(Some(4_000));
        assert_eq!((backlog.records(), backlog.age(Millis(5_000))), (4, Duration::from_secs(1)));
        assert_eq!(backlog.age(Millis(3_000)), Duration::ZERO, "a clock that was set back");
        backlog.next_is_of(None);
        assert_eq!(backlog.age(Millis(5_000)), Duration::ZERO);
    }
}
