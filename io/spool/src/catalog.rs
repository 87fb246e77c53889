//! Which file holds which sequences: written by the driver, read by readers. Small: one line per
//! segment, under one lock that is held for moments.

use std::sync::Arc;

use crate::format::Header;
use crate::fs::File;

/// A segment as a file.
#[derive(Clone)]
pub(crate) struct OnDisk {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    /// Highest durable sequence in it, lost ones included; below `first_seq` while there is none.
    pub(crate) last_seq: u64,
    pub(crate) seed: u64,
    pub(crate) bytes: u64,
    /// End of its durable frames; of one from before this start, of all that it may hold.
    pub(crate) end: u64,
}

/// Where what is durable ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// The last frame, and the last that is no cursor.
    pub(crate) seq: u64,
    pub(crate) kept: u64,
}

impl OnDisk {
    pub(crate) fn new(name: String, file: Arc<dyn File>, header: &Header, bytes: u64) -> Self {
        let Header { number, first_seq, seed, .. } = *header;
        let last_seq = first_seq.saturating_sub(1);
        Self { name, file, number, first_seq, last_seq, seed, bytes, end: bytes }
    }
}

/// The segments in the order of their numbers.
#[derive(Default)]
pub(crate) struct Catalog {
    all: Vec<OnDisk>,
    /// Unknown until something was written.
    end: Option<End>,
}

impl Catalog {
    pub(crate) fn push(&mut self, segment: OnDisk) {
        self.all.push(segment);
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<OnDisk> {
        let at = self.all.iter().position(|segment| segment.number == number)?;
        Some(self.all.remove(at))
    }

    /// More is durable.
    pub(crate) fn grown(&mut self, end: End) {
        if let Some(segment) = self.all.iter_mut().find(|one| one.number == end.segment) {
            segment.end = end.offset;
            segment.last_seq = end.seq;
        }
        self.end = Some(end);
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    pub(crate) fn get(&self, number: u64) -> Option<&OnDisk> {
        self.all.iter().find(|segment| segment.number == number)
    }

    /// The segment that holds the sequence, and the first sequence that a later one overrides.
    /// A sequence below all segments is answered with the oldest.
    pub(crate) fn locate(&self, seq: u64) -> Option<(OnDisk, u64)> {
        let at = self.all.iter().rposition(|segment| segment.first_seq <= seq).unwrap_or(0);
        let later = self.all.get(at + 1..).unwrap_or_default();
        let cut = later.iter().map(|segment| segment.first_seq).min().unwrap_or(u64::MAX);
        Some((self.all.get(at)?.clone(), cut))
    }

    /// Sequences above `after`, up to `to`, that lie in segments.
    pub(crate) fn count(&self, after: u64, to: u64) -> u64 {
        let (mut next, mut count) = (after.saturating_add(1), 0);
        while next <= to
            && let Some((segment, cut)) = self.locate(next)
        {
            let last = to.min(cut.saturating_sub(1));
            let first = next.max(segment.first_seq);
            count += (last.min(segment.last_seq) + 1).saturating_sub(first);
            next = first.max(last.saturating_add(1));
        }
        count
    }
}
