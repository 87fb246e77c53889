//! What batches counted by kind since the start ([`Tally`]), with bounded names.

use std::collections::BTreeMap;
use std::time::Duration;

use model::record::{CallType, EndState, Kind};

use super::skew::Skews;
use crate::store::Tally;

/// Producers with a count of their own: the first that come; the rest is `other`.
const NAMES: usize = 200;
/// How the rest is called.
const OTHER: &str = "other";

/// Sums of all batches.
#[derive(Debug, Default)]
pub(crate) struct Tallied {
    /// Records that were there already, by producer; of what is no record: `-`.
    pub(crate) duplicates: BTreeMap<String, u64>,
    /// Dead letters by code.
    pub(crate) dead: BTreeMap<&'static str, u64>,
    /// Records on another kind's queue.
    pub(crate) misrouted: BTreeMap<Kind, u64>,
    /// Texts and fields that were cut.
    pub(crate) cut: BTreeMap<Kind, u64>,
    /// Fields of a wrong type.
    pub(crate) bad: BTreeMap<Kind, u64>,
    /// Ends stored.
    pub(crate) ended: BTreeMap<(CallType, EndState), u64>,
    /// Clocks.
    pub(crate) skews: Skews,
}

impl Tallied {
    /// A batch was stored.
    pub(super) fn add(&mut self, tally: Tally, now: Duration) {
        let Tally { duplicates, dead, misrouted, cut, bad, ended, skew_ms } = tally;
        for (producer, count) in duplicates {
            let name = producer.unwrap_or_else(|| "-".to_owned());
            let known = self.duplicates.contains_key(&name) || self.duplicates.len() < NAMES;
            let name = if known { name } else { OTHER.to_owned() };
            *self.duplicates.entry(name).or_default() += count;
        }
        for (code, count) in dead {
            *self.dead.entry(code).or_default() += count;
        }
        let kinds = [(&mut self.misrouted, misrouted), (&mut self.cut, cut), (&mut self.bad, bad)];
        for (all, more) in kinds {
            for (kind, count) in more {
                *all.entry(kind).or_default() += count;
            }
        }
        for (end, count) in ended {
            *self.ended.entry(end).or_default() += count;
        }
        self.skews.note(skew_ms, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        let mut tallied = Tallied::default();
        let duplicates = (0..250).map(|n| (Some(format!("p-{n:03}")), 2)).collect();
        tallied.add(Tally { duplicates, ..Tally::default() }, Duration::ZERO);
        assert_eq!(tallied.duplicates.len(), NAMES + 1);
        assert_eq!(tallied.duplicates[OTHER], 100);
        let again = BTreeMap::from([(Some("p-001".to_owned()), 1), (None, 1)]);
        tallied.add(Tally { duplicates: again, ..Tally::default() }, Duration::ZERO);
        assert_eq!((tallied.duplicates["p-001"], tallied.duplicates[OTHER]), (3, 101));
    }
}
