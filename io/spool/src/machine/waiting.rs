//! The queue of a group commit and the rule when the next group leaves (`spec/rs.md` §1.4.2):
//! wait until as many sends are queued as the last group held, at most a quarter of the last
//! sync's duration; what nobody waits for may lie for `lazy`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::intake::Batch;
use crate::limits::{GROUP_BYTES, GROUP_RECORDS};

#[derive(Debug)]
struct Item {
    batch: Batch,
    arrived: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    items: VecDeque<Item>,
    records: usize,
    bytes: usize,
    urgent: usize,
    urgent_since: Option<Duration>,
}

/// How the last group went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) sends: usize,
    pub(super) sync: Duration,
    pub(super) free_at: Duration,
}

impl Waiting {
    pub(super) fn push(&mut self, now: Duration, batch: Batch) {
        self.count(&batch, now);
        self.items.push_back(Item { batch, arrived: now });
    }

    /// Puts a group back whose sync failed; it is due at once.
    pub(super) fn put_back(&mut self, batches: Vec<Batch>) {
        for batch in batches.into_iter().rev() {
            self.count(&batch, Duration::ZERO);
            self.items.push_front(Item { batch, arrived: Duration::ZERO });
        }
    }

    pub(super) fn front(&self) -> Option<&Batch> {
        self.items.front().map(|item| &item.batch)
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.items.iter().map(|item| &item.batch)
    }

    /// When the next group leaves; `None` with nothing queued.
    pub(super) fn due(&self, pace: &Pace, lazy: Duration) -> Option<Duration> {
        let first = self.items.front()?;
        if self.records >= GROUP_RECORDS || self.bytes >= GROUP_BYTES {
            return Some(Duration::ZERO);
        }
        let at_latest = first.arrived + lazy;
        let Some(since) = self.urgent_since else { return Some(at_latest) };
        if self.urgent >= pace.sends {
            return Some(Duration::ZERO);
        }
        Some(at_latest.min(since.max(pace.free_at) + pace.sync / 4))
    }

    /// The next group: at most 4096 records, 8 MiB and what the segment has room for; a batch that
    /// is larger than a group is a group of its own.
    pub(super) fn take(&mut self, room: u64) -> Vec<Batch> {
        let mut group = Vec::new();
        let (mut records, mut bytes) = (0, 0);
        while let Some(item) = self.items.front() {
            records += item.batch.records;
            bytes += item.batch.bytes;
            let large = records > GROUP_RECORDS || bytes > GROUP_BYTES;
            if bytes as u64 > room || large && !group.is_empty() {
                break;
            }
            group.extend(self.items.pop_front().map(|item| item.batch));
        }
        let rest = std::mem::take(&mut self.items);
        *self = Self::default();
        for item in rest {
            self.count(&item.batch, item.arrived);
            self.items.push_back(item);
        }
        group
    }

    fn count(&mut self, batch: &Batch, arrived: Duration) {
        self.records += batch.records;
        self.bytes += batch.bytes;
        if batch.urgent {
            self.urgent += 1;
            self.urgent_since = Some(self.urgent_since.map_or(arrived, |since| since.min(arrived)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, Kind};

    const LAZY: Duration = Duration::from_millis(10);

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn batch(records: usize, bytes: usize, urgent: bool) -> Batch {
        let entry = Entry { kind: Kind::Data, key: None, payload: vec![], records };
        Batch { first_seq: 1, entries: vec![entry], bytes, records, urgent }
    }

    #[test]
    fn when_a_group_is_due() {
        let pace = Pace { sends: 3, sync: ms(8), free_at: ms(100) };
        type Queued = &'static [(u64, bool)];
        let cases: [(Queued, Option<u64>); 7] = [
            (&[], None),
            (&[(90, true), (90, true), (90, true)], Some(0)),
            (&[(90, true)], Some(100)),
            (&[(99, true)], Some(102)),
            (&[(105, true)], Some(107)),
            (&[(105, false)], Some(115)),
            (&[(105, false), (112, true)], Some(114)),
        ];
        for (queued, expected) in cases {
            let mut waiting = Waiting::default();
            for (at, urgent) in queued {
                waiting.push(ms(*at), batch(1, 32, *urgent));
            }
            assert_eq!(waiting.due(&pace, LAZY), expected.map(ms), "{queued:?}");
        }
        let mut full = Waiting::default();
        full.push(ms(105), batch(GROUP_RECORDS, 1 << 17, false));
        assert_eq!(full.due(&pace, LAZY), Some(Duration::ZERO));
    }

    #[test]
    fn a_group_keeps_its_bounds_and_a_large_batch_goes_alone() {
        let mut waiting = Waiting::default();
        for bytes in [100, GROUP_BYTES, 50, 60] {
            waiting.push(ms(1), batch(1, bytes, true));
        }
        let lens = |group: Vec<Batch>| group.iter().map(|batch| batch.bytes).collect::<Vec<_>>();
        assert_eq!(lens(waiting.take(u64::MAX)), [100]);
        assert_eq!(lens(waiting.take(u64::MAX)), [GROUP_BYTES]);
        assert_eq!(lens(waiting.take(40)), [0; 0]);
        assert_eq!(lens(waiting.take(109)), [50]);
        assert_eq!((waiting.urgent, waiting.records, waiting.bytes), (1, 1, 60));
    }

    #[test]
    fn a_frame_counts_with_all_its_records() {
        let mut waiting = Waiting::default();
        for records in [GROUP_RECORDS - 1, 1, 1, GROUP_RECORDS + 1, 1] {
            waiting.push(ms(1), batch(records, 32, true));
        }
        let lens = |group: Vec<Batch>| group.iter().map(|batch| batch.records).collect::<Vec<_>>();
        assert_eq!(lens(waiting.take(u64::MAX)), [GROUP_RECORDS - 1, 1]);
        assert_eq!(lens(waiting.take(u64::MAX)), [1]);
        assert_eq!(lens(waiting.take(u64::MAX)), [GROUP_RECORDS + 1], "alone");
        assert_eq!(lens(waiting.take(u64::MAX)), [1]);
    }
}
