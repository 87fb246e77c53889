//! Figures that a producer counted itself and that are the source (`or.*` of basis `own`, rs.md
//! §2.6): one source of a bin among others.

use super::key::{CountKey, LevelKey};
use super::sum::plus;

/// One value of `or.arrivals`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnCount {
    /// Start of the producer's bin.
    pub bin_ms: i64,
    /// What it counted.
    pub key: CountKey,
    /// Calls that arrived.
    pub count: i64,
    /// Of these refused.
    pub rejected: i64,
    /// Durations of the calls that ended.
    pub duration_ms: i64,
}

/// One value of `or.peaks`, with its changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnLevel {
    /// Start of the producer's bin.
    pub bin_ms: i64,
    /// Its length.
    pub length_ms: i64,
    /// What it counted.
    pub key: LevelKey,
    /// Number of the call type.
    pub call_type: u8,
    /// Level at the start of the bin.
    pub start: i64,
    /// Changes: (ms since the bin's start, how much).
    pub deltas: Vec<(u64, i64)>,
}

impl OwnLevel {
    /// It as changes at instants: its level comes at the start of its bin and goes at the end,
    /// where that of the producer's next bin comes. So bins need no order, and a producer that
    /// falls silent has nothing any more.
    pub(super) fn changes(&self) -> Vec<(i64, i64)> {
        let mut changes = vec![(self.bin_ms, self.start)];
        let mut end = self.start;
        for (at, by) in &self.deltas {
            let at = i64::try_from(*at).unwrap_or(i64::MAX).min(self.length_ms);
            changes.push((self.bin_ms + at, *by));
            plus(&mut end, *by);
        }
        changes.push((self.bin_ms + self.length_ms, end.saturating_neg()));
        changes
    }
}
