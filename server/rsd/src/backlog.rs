//! What stands in the ingest queues: how many records of each, how large, since when the oldest
//! waits, and how fast they come and go (`rsQueueSize`, `rs_queue_depth`, `rs_apply_lag_seconds`,
//! `/api/v1/queues`; ops.md §5.2).
//!
//! Ingest adds before it hands over, the applier takes away after the database has it, so the
//! numbers are never too small and are 0 only when nothing is left. Each queue has a lock of its
//! own, held for moments. Of a spool that was found at the start each frame counts as one record
//! until the applier has counted them.

mod rate;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::record::Stream;
use model::time::Millis;

pub(crate) use self::rate::Rate;

/// Seconds of arrival that are told apart in a queue: a day of them. What comes later counts as
/// arrived with the last.
const SECONDS: usize = 86_400;

/// Records of one queue that came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The queue, by its stream.
    pub stream: Stream,
    /// How many.
    pub records: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// The figures of all queues.
#[derive(Debug, Default)]
pub struct Backlog {
    queues: [Mutex<Queue>; Stream::ALL.len()],
    /// Arrivals on their way to the spool, which has not said yet whether it takes them.
    offered: AtomicU64,
    /// Frames that were found, and are not counted yet.
    uncounted: AtomicU64,
    /// Ms since 1970 of the oldest arrival that waits; 0: none.
    oldest: AtomicU64,
}

/// One queue as it is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Depth {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Age of the oldest, to the second; `None`: nothing waits.
    pub(crate) age: Option<Duration>,
    /// Records a second, over the last ten.
    pub(crate) comes: f64,
    pub(crate) goes: f64,
}

#[derive(Debug, Default)]
struct Queue {
    records: u64,
    bytes: u64,
    /// By the second of their arrival, since 1970.
    waiting: BTreeMap<u64, u64>,
    comes: Rate,
    goes: Rate,
}

impl Backlog {
    /// Records are about to be handed to the spool.
    pub(crate) fn came(&self, at: Millis, parts: &[Part]) {
        let second = at.0 / 1000;
        self.offered.fetch_add(1, Ordering::SeqCst);
        for part in parts {
            let mut queue = self.queue(part.stream);
            queue.add(second, part);
            queue.comes.add(second, part.records);
        }
    }

    /// The spool has taken them.
    pub(crate) fn handed(&self) {
        self.offered.fetch_sub(1, Ordering::SeqCst);
    }

    /// They were not taken by the spool after all.
    pub(crate) fn refused(&self, at: Millis, parts: &[Part]) {
        let second = at.0 / 1000;
        for part in parts {
            let mut queue = self.queue(part.stream);
            queue.take(part, |waiting| match waiting.contains_key(&second) {
                true => Some(second),
                false => waiting.last_key_value().map(|(last, _)| *last),
            });
            queue.comes.take(second, part.records);
        }
        self.handed();
    }

    /// Records are in the database.
    pub(crate) fn went(&self, now: Millis, parts: &[Part]) {
        for part in parts {
            let mut queue = self.queue(part.stream);
            queue.take(part, oldest);
            queue.goes.add(now.0 / 1000, part.records);
        }
    }

    /// What still counts here is nowhere, if `is_drained`: the spool holds nothing that the
    /// database has not. It was lost with what could not be read.
    pub(crate) fn forget_lost(&self, is_drained: impl FnOnce() -> bool) {
        // what comes from here on is not among them, and what came before has been handed over
        let here = Stream::ALL.iter().map(|stream| {
            let Queue { records, bytes, .. } = &*self.queue(*stream);
            Part { stream: *stream, records: *records, bytes: *bytes }
        });
        let here: Vec<Part> = here.collect();
        if self.offered.load(Ordering::SeqCst) > 0 || !is_drained() {
            return;
        }
        for part in &here {
            self.queue(part.stream).take(part, oldest);
        }
    }

    /// So many frames were found at the start.
    pub(crate) fn found(&self, frames: u64) {
        self.uncounted.store(frames, Ordering::Relaxed);
    }

    /// This is in one of them.
    pub(crate) fn counted(&self, received: Millis, parts: &[Part]) {
        for part in parts {
            self.queue(part.stream).add(received.0 / 1000, part);
        }
        let left = |frames: u64| frames.checked_sub(1);
        // more frames than were found: none was left to be counted
        let _none = self.uncounted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// All of them are counted, or as many as can be read.
    pub(crate) fn all_counted(&self) {
        self.uncounted.store(0, Ordering::Relaxed);
    }

    /// When the arrival was received that is the next to be stored; `None`: none waits.
    pub(crate) fn next_is_of(&self, received: Option<u64>) {
        self.oldest.store(received.unwrap_or(0), Ordering::Relaxed);
    }

    /// Records that are not in the database yet.
    #[must_use]
    pub fn records(&self) -> u64 {
        let counted: u64 = Stream::ALL.iter().map(|stream| self.queue(*stream).records).sum();
        counted + self.uncounted.load(Ordering::Relaxed)
    }

    /// Age of the oldest record that is not in the database yet; zero when there is none.
    #[must_use]
    pub fn age(&self, now: Millis) -> Duration {
        match self.oldest.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            oldest => now.since(Millis(oldest)),
        }
    }

    /// Up to when everything that came is in the database; `None`: nobody knows.
    pub(crate) fn stored_up_to(&self, now: Millis) -> Option<Millis> {
        let firsts = Stream::ALL.iter().filter_map(|stream| oldest(&self.queue(*stream).waiting));
        let first = firsts.min().map_or(now, |second| Millis(second * 1000).min(now));
        (self.uncounted.load(Ordering::Relaxed) == 0).then_some(first)
    }

    /// One queue as it is now.
    pub(crate) fn depth(&self, stream: Stream, now: Millis) -> Depth {
        let (queue, second) = (self.queue(stream), now.0 / 1000);
        let oldest = queue.waiting.first_key_value().map(|(first, _)| *first);
        Depth {
            records: queue.records,
            bytes: queue.bytes,
            age: oldest.map(|first| Duration::from_secs(second.saturating_sub(first))),
            comes: queue.comes.per_second(second),
            goes: queue.goes.per_second(second),
        }
    }

    fn queue(&self, stream: Stream) -> MutexGuard<'_, Queue> {
        let [cdr, event, or, sq] = &self.queues;
        let queue = match stream {
            Stream::Cdr => cdr,
            Stream::Event => event,
            Stream::Or => or,
            Stream::Sq => sq,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The second of the records that came first.
fn oldest(waiting: &BTreeMap<u64, u64>) -> Option<u64> {
    waiting.first_key_value().map(|(first, _)| *first)
}

impl Queue {
    fn add(&mut self, second: u64, part: &Part) {
        self.records += part.records;
        self.bytes += part.bytes;
        let last = self.waiting.last_key_value().map(|(last, _)| *last);
        let full = self.waiting.len() >= SECONDS && !self.waiting.contains_key(&second);
        let second = last.filter(|_| full).unwrap_or(second);
        *self.waiting.entry(second).or_default() += part.records;
    }

    /// Takes records away, of the seconds that `pick` says.
    fn take(&mut self, part: &Part, pick: impl Fn(&BTreeMap<u64, u64>) -> Option<u64>) {
        self.records = self.records.saturating_sub(part.records);
        self.bytes = self.bytes.saturating_sub(part.bytes);
        let mut left = part.records;
        while left > 0
            && let Some(second) = pick(&self.waiting)
            && let Some(here) = self.waiting.get_mut(&second)
        {
            let some = left.min(*here);
            *here -= some;
            left -= some;
            if *here == 0 {
                self.waiting.remove(&second);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(stream: Stream, records: u64) -> [Part; 1] {
        [Part { stream, records, bytes: records * 100 }]
    }

    #[test]
    fn records_and_the_age_of_the_oldest_of_each_queue() {
        let backlog = Backlog::default();
        let depth = |stream, at| {
            let depth = backlog.depth(stream, Millis(at));
            (depth.records, depth.bytes, depth.age.map(|age| age.as_secs()))
        };
        assert_eq!((backlog.records(), depth(Stream::Cdr, 9_000)), (0, (0, 0, None)));
        assert_eq!(backlog.stored_up_to(Millis(9_500)), Some(Millis(9_500)), "nothing waits");
        backlog.came(Millis(4_000), &part(Stream::Cdr, 5));
        backlog.came(Millis(6_500), &part(Stream::Cdr, 2));
        backlog.came(Millis(7_000), &part(Stream::Sq, 1));
        assert_eq!(depth(Stream::Cdr, 9_000), (7, 700, Some(5)));
        backlog.went(Millis(9_000), &part(Stream::Cdr, 6));
        let stored = |frames: u64| {
            backlog.found(frames);
            backlog.stored_up_to(Millis(9_500))
        };
        assert_eq!((stored(0), stored(1)), (Some(Millis(6_000)), None));
        backlog.all_counted();
        assert_eq!(depth(Stream::Cdr, 9_000), (1, 100, Some(3)));
        assert_eq!(depth(Stream::Sq, 9_000), (1, 100, Some(2)));
        // what the spool did not take leaves nothing behind
        backlog.came(Millis(8_000), &part(Stream::Sq, 3));
        backlog.refused(Millis(8_000), &part(Stream::Sq, 3));
        assert_eq!((backlog.records(), depth(Stream::Sq, 9_000)), (2, (1, 100, Some(2))));
        backlog.went(Millis(9_000), &part(Stream::Cdr, 9));
        assert_eq!(depth(Stream::Cdr, 9_000), (0, 0, None), "never below nothing");
        assert_eq!(depth(Stream::Sq, 1_000).2, Some(0), "a clock that was set back");
    }

    #[test]
    fn what_was_lost_counts_until_nothing_else_waits() {
        let backlog = Backlog::default();
        backlog.came(Millis(1_000), &part(Stream::Cdr, 5));
        backlog.forget_lost(|| true);
        assert_eq!(backlog.records(), 5, "it may still come to the spool");
        backlog.handed();
        backlog.forget_lost(|| false);
        assert_eq!(backlog.records(), 5);
        backlog.forget_lost(|| {
            backlog.came(Millis(2_000), &part(Stream::Cdr, 2));
            true
        });
        assert_eq!(backlog.records(), 2, "what comes meanwhile stays");
    }

    #[test]
    fn what_was_found_counts_as_one_until_it_is_counted() {
        let backlog = Backlog::default();
        backlog.found(3);
        assert_eq!(backlog.records(), 3);
        backlog.counted(Millis(1_000), &part(Stream::Event, 10));
        backlog.counted(Millis(2_000), &[]);
        assert_eq!(backlog.records(), 11);
        backlog.all_counted();
        assert_eq!(backlog.records(), 10);
        backlog.counted(Millis(2_000), &[]);
        assert_eq!(backlog.records(), 10);
    }

    #[test]
    fn the_next_arrival_tells_the_lag() {
        let backlog = Backlog::default();
        backlog.next_is_of(Some(4_000));
        assert_eq!(backlog.age(Millis(5_000)), Duration::from_secs(1));
        assert_eq!(backlog.age(Millis(3_000)), Duration::ZERO, "a clock that was set back");
        backlog.next_is_of(None);
        assert_eq!(backlog.age(Millis(5_000)), Duration::ZERO);
    }

    #[test]
    fn seconds_are_bounded() {
        let backlog = Backlog::default();
        for second in 0..SECONDS as u64 + 10 {
            backlog.came(Millis(second * 1000), &part(Stream::Or, 1));
        }
        assert_eq!(backlog.queue(Stream::Or).waiting.len(), SECONDS);
        assert_eq!(backlog.records(), SECONDS as u64 + 10);
    }
}
