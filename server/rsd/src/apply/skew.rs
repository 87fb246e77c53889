//! How far the clocks of producers are from ours (rs.md §11). Pure: what a batch saw and a time in,
//! verdicts out.
//!
//! A record tells when it was made, and RS knows when it came. What waited on its way looks as if
//! its clock were behind, so the *smallest* difference of five minutes is taken. A clock that is
//! ahead shows at once; one that is behind, when five minutes have brought nothing fresher.

use std::collections::BTreeMap;
use std::time::Duration;

/// Minutes that are remembered, the present one among them.
const SLOTS: usize = 6;
/// What is told, ms.
const MOST_MS: i64 = 2000;
/// Names that are remembered; others have no figure.
const NAMES: usize = 20_000;

/// The smallest difference of a minute, by the minute's number.
type Slot = Option<(u64, i64)>;

/// What is known of all producers.
#[derive(Debug, Default)]
pub(crate) struct Skews {
    producers: BTreeMap<String, [Slot; SLOTS]>,
    /// The minute in which those that said nothing were forgotten.
    swept: u64,
}

impl Skews {
    /// The smallest *received − time* of a batch, by producer.
    pub(super) fn note(&mut self, least: BTreeMap<String, i64>, now: Duration) {
        let minute = minute(now);
        if self.swept != minute {
            self.swept = minute;
            self.producers.retain(|_, slots| fresh(slots, minute).next().is_some());
        }
        for (producer, ms) in least {
            let known = self.producers.contains_key(&producer);
            if !known && self.producers.len() >= NAMES {
                continue;
            }
            let slots = self.producers.entry(producer).or_default();
            let at = usize::try_from(minute).unwrap_or_default() % SLOTS;
            if let Some(slot) = slots.get_mut(at) {
                let before = slot.filter(|(of, _)| *of == minute).map_or(ms, |(_, before)| before);
                *slot = Some((minute, ms.min(before)));
            }
        }
    }

    /// The smallest difference of each, ms.
    pub(crate) fn all(&self, now: Duration) -> BTreeMap<String, i64> {
        let least = |slots| fresh(slots, minute(now)).map(|(_, ms)| ms).min();
        let rows = self.producers.iter();
        rows.filter_map(|(name, slots)| Some((name.clone(), least(slots)?))).collect()
    }

    /// Those that are to be told, the worst first.
    pub(crate) fn wrong(&self, now: Duration) -> Vec<(String, i64)> {
        let minute = minute(now);
        let judge = |slots: &[Slot; SLOTS]| {
            let least = fresh(slots, minute).map(|(_, ms)| ms).min()?;
            let whole = fresh(slots, minute).any(|(of, _)| of + SLOTS as u64 == minute + 1);
            (least < -MOST_MS || least > MOST_MS && whole).then_some(least)
        };
        let rows = self.producers.iter();
        let mut wrong: Vec<_> =
            rows.filter_map(|(name, slots)| Some((name.clone(), judge(slots)?))).collect();
        wrong.sort_by_key(|(_, ms)| std::cmp::Reverse(ms.unsigned_abs()));
        wrong
    }
}

fn minute(now: Duration) -> u64 {
    now.as_secs() / 60
}

fn fresh(slots: &[Slot; SLOTS], minute: u64) -> impl Iterator<Item = (u64, i64)> {
    slots.iter().flatten().copied().filter(move |(of, _)| of + SLOTS as u64 > minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Duration {
        Duration::from_secs(600 + minute * 60)
    }

    /// What is told after each minute's smallest difference.
    fn play(minutes: &[i64]) -> Vec<Option<i64>> {
        let mut skews = Skews::default();
        let told = (0..).zip(minutes).map(|(minute, ms)| {
            skews.note(BTreeMap::from([("rm-1".to_owned(), *ms)]), at(minute));
            skews.wrong(at(minute)).first().map(|(_, ms)| *ms)
        });
        told.collect()
    }

    #[test]
    fn a_clock_that_is_ahead_is_told_at_once_and_for_five_minutes_more() {
        let told = play(&[10, -2500, 5, 5, 5, 5, 5, 5]);
        let ahead = Some(-2500);
        assert_eq!(told, [None, ahead, ahead, ahead, ahead, ahead, ahead, None]);
    }

    #[test]
    fn a_clock_that_is_behind_is_told_when_nothing_fresher_has_come() {
        let told = play(&[3000; 7]);
        assert_eq!(told, [None, None, None, None, None, Some(3000), Some(3000)]);
        // a backlog that goes within five minutes is none
        assert_eq!(play(&[90_000, 60_000, 30_000, 4000, 20, 20, 20]), [None; 7]);
    }

    #[test]
    fn the_smallest_counts_and_the_silent_are_forgotten() {
        let mut skews = Skews::default();
        for ms in [40, 12, 90] {
            skews.note(BTreeMap::from([("a".to_owned(), ms)]), at(0));
        }
        assert_eq!(skews.all(at(1)), BTreeMap::from([("a".to_owned(), 12)]));
        assert_eq!(skews.all(at(6)), BTreeMap::new());
        skews.note(BTreeMap::from([("b".to_owned(), -9000), ("c".to_owned(), 8000)]), at(7));
        assert_eq!(skews.producers.len(), 2, "a has said nothing");
        assert_eq!(skews.wrong(at(7)), [("b".to_owned(), -9000)]);
    }
}
