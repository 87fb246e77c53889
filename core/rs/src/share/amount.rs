//! How much a share has read. What hangs together with the records of a batch may be more than there
//! is memory for, however little they tell themselves: half of them are stored first then, and how a
//! batch is split shows nowhere. One record alone reads what it needs, which has limits of its own
//! ([`super::room`]).

use std::collections::BTreeSet;

use super::changes::Found;
use crate::limits::READ_BYTES;

/// GUIDs, and sessions, that are asked for at once.
const ASKED: usize = 128;
/// What a call, a fact of quality, and a report take in memory beside their bytes.
const CALL: usize = 4 << 10;
const FACT: usize = 512;

/// What a share has to do, and what it has read for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) most: usize,
    parts: usize,
    bytes: usize,
}

impl Default for Amount {
    fn default() -> Self {
        Self { most: READ_BYTES, parts: 0, bytes: 0 }
    }
}

impl Amount {
    /// So many records, sessions or GUIDs more, which other shares could have.
    pub(super) const fn part(&mut self, more: usize) {
        self.parts += more;
    }

    pub(super) fn read(&mut self, found: &Found) {
        self.bytes = self.bytes.saturating_add(found.bytes());
    }

    /// Bytes that may still be read.
    pub(super) const fn left(&self) -> usize {
        if self.parts > 1 { self.most.saturating_sub(self.bytes) } else { usize::MAX }
    }

    /// It is more than may be, and there is something to be split.
    pub(super) const fn is_too_much(&self) -> bool {
        self.parts > 1 && self.bytes > self.most
    }
}

impl Found {
    /// What it takes in memory, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let calls = self.calls.iter().map(|call| CALL + call.state.len());
        let facts = self.quality.iter().map(|row| FACT + row.fact.len());
        let reports = self.reports.iter().map(|(_, report)| FACT + report.text.len());
        calls.chain(facts).chain(reports).sum()
    }
}

/// Those that have not been asked for, as many as may be at once.
pub(super) fn next<T: Clone + Ord>(all: &BTreeSet<T>, asked: &BTreeSet<T>) -> BTreeSet<T> {
    all.difference(asked).take(ASKED).cloned().collect()
}
