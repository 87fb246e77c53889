//! What a share counts by kind, for the metrics of whoever runs it (ops.md §5.2): nothing of it is
//! stored. The totals are [`Counts`].

use std::collections::BTreeMap;

use model::record::{Body, CallType, EndState, Kind, Notes};

use super::item::{Good, Item};
use crate::fact::ms;
use crate::var::Rule;

/// What a share did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records stored for the first time.
    pub stored: u64,
    /// Records that were there already.
    pub duplicates: u64,
    /// Dead letters.
    pub dead: u64,
    /// Reports of voice applications that broke a rule: by the rule's place in [`Rule::ALL`].
    pub ignored: [u64; Rule::ALL.len()],
}

impl Counts {
    /// Adds what another share did.
    pub const fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.dead += other.dead;
        let mut rule = 0;
        while rule < self.ignored.len() {
            self.ignored[rule] += other.ignored[rule];
            rule += 1;
        }
    }
}

/// Counts of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were there already, by producer; `None`: of what is no record.
    pub duplicates: BTreeMap<Option<String>, u64>,
    /// Dead letters by code.
    pub dead: BTreeMap<&'static str, u64>,
    /// Records on another kind's queue, by their own kind.
    pub misrouted: BTreeMap<Kind, u64>,
    /// Texts that were cut, one a record, and unknown fields that found no room.
    pub cut: BTreeMap<Kind, u64>,
    /// Optional fields of a wrong type, which are in `extra._bad` now.
    pub bad: BTreeMap<Kind, u64>,
    /// Ends that were stored.
    pub ended: BTreeMap<(CallType, EndState), u64>,
    /// The smallest of *received − time* of each producer, ms: what its clock is behind ours, and
    /// the way here.
    pub skew_ms: BTreeMap<String, i64>,
}

/// What of a record as it was read was cut, and what was of a wrong type ([`super::Good::flaws`]).
#[must_use]
pub fn flaws(notes: &Notes) -> (u32, u32) {
    (notes.extra_cut.saturating_add(u32::from(notes.truncated)), notes.bad_fields)
}

impl Tally {
    /// Adds what another share counted.
    pub fn add(&mut self, other: Self) {
        fn sum<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
            for (key, count) in more {
                *all.entry(key).or_default() += count;
            }
        }
        let Self { duplicates, dead, misrouted, cut, bad, ended, skew_ms } = other;
        sum(&mut self.duplicates, duplicates);
        sum(&mut self.dead, dead);
        sum(&mut self.misrouted, misrouted);
        sum(&mut self.cut, cut);
        sum(&mut self.bad, bad);
        sum(&mut self.ended, ended);
        for (producer, ms) in skew_ms {
            self.skew(producer, ms);
        }
    }

    /// A record is stored for the first time.
    pub(super) fn stored(&mut self, item: &Item<'_>, good: &Good) {
        if good.misrouted {
            *self.misrouted.entry(good.record.kind()).or_default() += 1;
        }
        for (all, flaws) in [(&mut self.cut, good.flaws.0), (&mut self.bad, good.flaws.1)] {
            if flaws > 0 {
                *all.entry(good.record.kind()).or_default() += u64::from(flaws);
            }
        }
        if let Body::Cdr(cdr) = &good.record.body
            && good.ended().is_some()
        {
            let state = cdr.end_state.unwrap_or(EndState::Unknown);
            *self.ended.entry((cdr.call_type, state)).or_default() += 1;
        }
        // a retry comes when somebody wants it
        if item.origin.letter.is_none() {
            let late_ms = item.origin.received_ms.saturating_sub(ms(good.record.time));
            self.skew(good.producer().to_owned(), late_ms);
        }
    }

    pub(super) fn duplicate(&mut self, producer: Option<String>) {
        *self.duplicates.entry(producer).or_default() += 1;
    }

    fn skew(&mut self, producer: String, ms: i64) {
        let least = self.skew_ms.entry(producer).or_insert(ms);
        *least = ms.min(*least);
    }
}
