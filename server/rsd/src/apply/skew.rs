//! How far the clocks of producers are from ours (rs.md §11). Pure: what a batch saw and a time in,
//! verdicts out.
//!
//! A record tells when it was made, and RS knows when it came. What waited on its way looks as if
//! its clock were behind, so the *smallest* difference counts. A clock that is ahead shows at once;
//! one that is behind, when all minutes with records told so for five: silence proves nothing, and
//! does not clear what was proved before the five minutes are over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Minutes that are remembered, the present one among them.
const SLOTS: usize = 6;
/// What is told, ms.
const MOST_MS: i64 = 2000;
/// Names that are remembered; others have no figure.
const NAMES: usize = 20_000;
/// Producers with a figure of their own: the first that come; the rest is `other`.
const LABELS: usize = 200;
/// How the rest is called.
const OTHER: &str = "other";

/// The smallest difference of a minute, by the minute's number.
type Slot = Option<(u64, i64)>;

/// What is known of one producer.
#[derive(Debug, Default)]
struct Seen {
    slots: [Slot; SLOTS],
    /// The minute from which on all with records were behind.
    behind: Option<u64>,
    /// When it was last proved that it is behind, and by how much.
    proved: Slot,
}

/// What is known of all producers.
#[derive(Debug, Default)]
pub(crate) struct Skews {
    producers: BTreeMap<String, Seen>,
    /// Those with a figure of their own.
    labels: BTreeSet<String>,
    /// The minute in which those that said nothing were forgotten.
    swept: u64,
}

impl Skews {
    /// The smallest *received − time* of a batch, by producer.
    pub(super) fn note(&mut self, least: BTreeMap<String, i64>, now: Duration) {
        let minute = minute(now);
        if self.swept != minute {
            self.swept = minute;
            self.producers.retain(|_, seen| seen.fresh(minute).next().is_some());
        }
        for (producer, ms) in least {
            let known = self.producers.contains_key(&producer);
            if !known && self.producers.len() >= NAMES {
                continue;
            }
            if self.labels.len() < LABELS && !self.labels.contains(&producer) {
                self.labels.insert(producer.clone());
            }
            self.producers.entry(producer).or_default().note(minute, ms);
        }
    }

    /// The smallest difference of each that has a figure of its own, and the worst of the others,
    /// ms.
    pub(crate) fn figures(&self, now: Duration) -> BTreeMap<&str, i64> {
        let mut figures = BTreeMap::new();
        for (name, seen) in &self.producers {
            let Some(ms) = seen.least(minute(now)) else { continue };
            let own = self.labels.contains(name);
            let figure = figures.entry(if own { name.as_str() } else { OTHER }).or_insert(ms);
            if ms.unsigned_abs() > figure.unsigned_abs() {
                *figure = ms;
            }
        }
        figures
    }

    /// Those that are to be told, the worst first.
    pub(crate) fn wrong(&self, now: Duration) -> Vec<(String, i64)> {
        let minute = minute(now);
        let rows = self.producers.iter();
        let mut wrong: Vec<_> =
            rows.filter_map(|(name, seen)| Some((name.clone(), seen.wrong(minute)?))).collect();
        wrong.sort_by_key(|(_, ms)| std::cmp::Reverse(ms.unsigned_abs()));
        wrong
    }
}

impl Seen {
    fn note(&mut self, minute: u64, ms: i64) {
        let at = usize::try_from(minute).unwrap_or_default() % SLOTS;
        let Some(slot) = self.slots.get_mut(at) else { return };
        let before = slot.filter(|(of, _)| *of == minute).map_or(ms, |(_, before)| before);
        let least = ms.min(before);
        *slot = Some((minute, least));
        if least <= MOST_MS {
            self.behind = None;
            return;
        }
        let since = *self.behind.get_or_insert(minute);
        let told = self.fresh(minute).filter(|(of, _)| *of >= since);
        if minute + 1 >= since + SLOTS as u64 && told.clone().count() > 1 {
            self.proved = told.map(|(_, ms)| ms).min().map(|ms| (minute, ms));
        }
    }

    fn least(&self, minute: u64) -> Option<i64> {
        self.fresh(minute).map(|(_, ms)| ms).min()
    }

    fn wrong(&self, minute: u64) -> Option<i64> {
        let ahead = self.least(minute).filter(|ms| *ms < -MOST_MS);
        let behind = self.proved.filter(|(of, _)| is_fresh(*of, minute)).map(|(_, ms)| ms);
        ahead.or(behind)
    }

    fn fresh(&self, minute: u64) -> impl Iterator<Item = (u64, i64)> + Clone {
        self.slots.iter().flatten().copied().filter(move |(of, _)| is_fresh(*of, minute))
    }
}

const fn is_fresh(of: u64, minute: u64) -> bool {
    of + SLOTS as u64 > minute
}

fn minute(now: Duration) -> u64 {
    now.as_secs() / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Duration {
        Duration::from_secs(600 + minute * 60)
    }

    /// What is told after each minute, with its smallest difference, where there was a record.
    fn play(minutes: &[Option<i64>]) -> Vec<Option<i64>> {
        let mut skews = Skews::default();
        let told = (0..).zip(minutes).map(|(minute, ms)| {
            let least = ms.map(|ms| ("rm-1".to_owned(), ms)).into_iter().collect();
            skews.note(least, at(minute));
            skews.wrong(at(minute)).first().map(|(_, ms)| *ms)
        });
        told.collect()
    }

    #[test]
    fn a_clock_that_is_ahead_is_told_at_once_and_for_five_minutes_more() {
        let told = play(&[10, -2500, 5, 5, 5, 5, 5, 5].map(Some));
        let ahead = Some(-2500);
        assert_eq!(told, [None, ahead, ahead, ahead, ahead, ahead, ahead, None]);
    }

    #[test]
    fn a_clock_that_is_behind_is_told_when_nothing_fresher_has_come() {
        let told = play(&[Some(3000); 7]);
        assert_eq!(told, [None, None, None, None, None, Some(3000), Some(3000)]);
        // a backlog that goes within five minutes is none
        assert_eq!(play(&[90_000, 60_000, 30_000, 4000, 20, 20, 20].map(Some)), [None; 7]);
    }

    #[test]
    fn silence_proves_nothing_and_clears_nothing_before_its_time() {
        let (none, behind) = (None, Some(3000));
        assert_eq!(play(&[behind, none, none, none, none, none, none]), [None; 7]);
        // one record in three minutes: told from the first that is five minutes after another
        let told = play(&[behind, none, none, behind, none, none, behind, none, none, behind]);
        assert_eq!(told, [none, none, none, none, none, none, behind, behind, behind, behind]);
        // its clock is right again: so long as it is not seen to be wrong for five minutes
        let told = play(&[&[behind; 6][..], &[Some(7); 4], &[none; 2]].concat());
        assert_eq!(told, [&[none; 5][..], &[behind; 6], &[none; 1]].concat());
        // one that came in time within five minutes
        let told = play(&[behind, behind, Some(7), behind, none, none, behind, behind]);
        assert_eq!(told, [none; 8]);
    }

    #[test]
    fn labels_are_bounded_and_stay() {
        let mut skews = Skews::default();
        let some = |range: std::ops::Range<i64>| range.map(|n| (format!("p-{:03}", 500 - n), n));
        skews.note(some(0..200).collect(), at(0));
        skews.note(some(200..250).collect(), at(1));
        let figures = skews.figures(at(1));
        assert_eq!((figures.len(), figures[OTHER]), (LABELS + 1, 249));
        assert_eq!(figures["p-500"], 0, "whoever comes before it by name");
        assert_eq!(skews.figures(at(6)), BTreeMap::from([(OTHER, 249)]));
    }

    #[test]
    fn the_smallest_counts_and_the_silent_are_forgotten() {
        let mut skews = Skews::default();
        for ms in [40, 12, 90] {
            skews.note(BTreeMap::from([("a".to_owned(), ms)]), at(0));
        }
        assert_eq!(skews.figures(at(1)), BTreeMap::from([("a", 12)]));
        assert_eq!(skews.figures(at(6)), BTreeMap::new());
        skews.note(BTreeMap::from([("b".to_owned(), -9000), ("c".to_owned(), 8000)]), at(7));
        assert_eq!(skews.producers.len(), 2, "a has said nothing");
        assert_eq!(skews.wrong(at(7)), [("b".to_owned(), -9000)]);
    }
}
