//! What the books of the producers raise and clear (rs.md §6, §12): gaps, minutes out of balance,
//! producers that are silent, ids with two contents. Pure: books and time in, turns out.
//!
//! With thousands of producers six hours of minutes are too many to be read at once, so minutes are
//! looked at by slices: the newest always, those with a fault often, the others in turn.

use std::collections::BTreeMap;

use rs::integrity::{Judged, MINUTE_MS};

use super::Name;
use super::watch::{Turn, turn};
use crate::store::StreamBooks;

/// How far back minutes are looked at.
const BACK_MS: i64 = 6 * 3_600_000;
/// Minutes that are looked at together.
pub(crate) const SLICE_MS: i64 = 15 * MINUTE_MS;
/// A gap that is open longer is told.
const GAP_MS: i64 = 5 * MINUTE_MS;
/// So is a minute that is out of balance longer.
const UNBALANCED_MS: i64 = 10 * MINUTE_MS;
/// And a producer without a record for so long; gone for a day, it is no longer waited for.
const SILENT_MS: i64 = 5 * MINUTE_MS;
/// See [`SILENT_MS`].
pub(crate) const GONE_MS: i64 = 24 * 60 * MINUTE_MS;
/// Time without another conflict after which that alarm is over.
const CONFLICT_OVER_MS: i64 = 15 * MINUTE_MS;

/// One producer as its books show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Gaps that count.
    pub(crate) gaps: u64,
    /// Since when the oldest of them is open.
    gap_since_ms: Option<i64>,
    /// Minutes out of balance.
    pub(crate) unbalanced: u64,
    /// The first of them.
    unbalanced_ms: Option<i64>,
    /// Its last arrival.
    pub(crate) last_ms: i64,
}

/// Every producer that numbers its records.
pub(crate) fn standings(
    streams: &[StreamBooks],
    slices: &Slices,
    now_ms: i64,
) -> BTreeMap<String, Standing> {
    let mut all: BTreeMap<String, Standing> = BTreeMap::new();
    for stream in streams {
        let own = all.entry(stream.producer.clone()).or_default();
        own.last_ms = own.last_ms.max(stream.seen_ms.1);
        for gap in stream.gaps.iter().filter(|gap| gap.is_open(now_ms)) {
            own.gaps += 1;
            let since = own.gap_since_ms.map_or(gap.since_ms, |since| since.min(gap.since_ms));
            own.gap_since_ms = Some(since);
        }
    }
    for (producer, (count, first_ms)) in slices.slices.values().flat_map(|slice| &slice.faults) {
        let own = all.entry(producer.clone()).or_default();
        own.unbalanced += count;
        own.unbalanced_ms = Some(own.unbalanced_ms.map_or(*first_ms, |ms| ms.min(*first_ms)));
    }
    all
}

/// Minutes out of balance, as they were when they were looked at.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    slices: BTreeMap<i64, Slice>,
    /// Looks so far.
    looks: u64,
}

#[derive(Debug, Default)]
struct Slice {
    /// By producer: how many, and the first of them.
    faults: BTreeMap<String, (u64, i64)>,
    /// When it was looked at last.
    look: u64,
}

impl Slices {
    /// Starts of the slices in the order in which they are to be looked at; older ones are
    /// forgotten.
    pub(crate) fn order(&mut self, now_ms: i64) -> Vec<i64> {
        let start = |ms: i64| ms - ms.rem_euclid(SLICE_MS);
        let (newest, oldest) = (start(now_ms), start(now_ms - BACK_MS));
        self.slices.retain(|at, _| *at >= oldest);
        let before = newest - SLICE_MS;
        let mut order = vec![newest, before];
        let rest = (0..).map(|n| oldest + n * SLICE_MS).take_while(|at| *at < before);
        let look = |at: &i64| self.slices.get(at).map_or(0, |slice| slice.look);
        let is_wrong = |at: &i64| self.slices.get(at).is_some_and(|it| !it.faults.is_empty());
        let (mut wrong, mut right): (Vec<i64>, Vec<i64>) = rest.partition(is_wrong);
        wrong.sort_by_key(look);
        right.sort_by_key(look);
        let (mut wrong, mut right) = (wrong.into_iter(), right.into_iter());
        loop {
            let both = [wrong.next(), right.next()];
            if both == [None, None] {
                return order;
            }
            order.extend(both.into_iter().flatten());
        }
    }

    /// One was looked at.
    pub(crate) fn judged(&mut self, at: i64, judged: &[Judged]) {
        self.looks += 1;
        let slice = self.slices.entry(at).or_default();
        (slice.look, slice.faults) = (self.looks, BTreeMap::new());
        for row in judged.iter().filter(|row| row.fault.is_some()) {
            let minute_ms = row.told.minute_ms;
            let fresh = || (0, minute_ms);
            let (count, first) =
                slice.faults.entry(row.told.producer.clone()).or_insert_with(fresh);
            (*count, *first) = (*count + 1, minute_ms.min(*first));
        }
    }
}

/// What is raised, and what was counted.
#[derive(Debug, Default)]
pub(crate) struct BookWatch {
    gap: bool,
    unbalanced: bool,
    silent: bool,
    conflict: bool,
    /// Conflicts so far, and when the last one came; none before the first look.
    conflicts: Option<(u64, i64)>,
}

impl BookWatch {
    /// What changes. `started_ms`: nobody could be heard before RS itself was there.
    pub(crate) fn look(
        &mut self,
        standings: &BTreeMap<String, Standing>,
        conflicts: u64,
        (started_ms, now_ms): (i64, i64),
    ) -> Vec<Turn> {
        let mut turns = Vec::new();
        let who = |late: &dyn Fn(&Standing) -> bool| {
            let names = standings.iter().filter(|(_, own)| late(own)).map(|(name, _)| &**name);
            named(&names.collect::<Vec<_>>())
        };
        let gap = who(&|own| own.gap_since_ms.is_some_and(|ms| now_ms - ms > GAP_MS));
        let up = !gap.is_empty();
        turn(&mut turns, &mut self.gap, up, Name::Gap, || format!("records missing of {gap}"));
        let late = |own: &Standing| {
            own.unbalanced_ms.is_some_and(|ms| now_ms - ms > MINUTE_MS + UNBALANCED_MS)
        };
        let unbalanced = who(&late);
        let up = !unbalanced.is_empty();
        turn(&mut turns, &mut self.unbalanced, up, Name::Unbalanced, || {
            format!("minutes out of balance of {unbalanced}")
        });
        let silent = who(&|own| {
            own.last_ms > 0
                && now_ms - own.last_ms < GONE_MS
                && now_ms - own.last_ms.max(started_ms) > SILENT_MS
        });
        let up = !silent.is_empty();
        turn(&mut turns, &mut self.silent, up, Name::ProducerSilent, || {
            format!("no record for five minutes of {silent}")
        });
        let (before, mut last_ms) = self.conflicts.unwrap_or((conflicts, i64::MIN));
        if conflicts > before {
            last_ms = now_ms;
        }
        self.conflicts = Some((conflicts, last_ms));
        let up = last_ms > i64::MIN && now_ms - last_ms < CONFLICT_OVER_MS;
        turn(&mut turns, &mut self.conflict, up, Name::IdConflict, || {
            format!("{} ids came with another content", conflicts - before)
        });
        turns
    }
}

/// The first of them, and how many more.
fn named(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use rs::integrity::{Gap, Stored, Told, judge};

    use super::*;
    use crate::store::StreamBooks;

    const NOON: i64 = 1_795_341_600_000;

    fn minutes(count: i64) -> i64 {
        NOON + count * MINUTE_MS
    }

    fn stream(producer: &str, gaps: &[Gap], last_ms: i64) -> StreamBooks {
        StreamBooks {
            producer: producer.to_owned(),
            boot: 1,
            stream: 1,
            received: Default::default(),
            max_seq: 20,
            announced_seq: 20,
            gaps: gaps.to_vec(),
            duplicates: 0,
            seen_ms: (NOON, last_ms),
        }
    }

    fn say(turns: Vec<Turn>) -> String {
        let word = |turn: Turn| match turn {
            Turn::Raise(name, why) => format!("+{} {why}", name.as_str()),
            Turn::Clear(name) => format!("-{}", name.as_str()),
        };
        turns.into_iter().map(word).collect::<Vec<_>>().join("; ")
    }

    /// Scenario 36: ten records are lost with a spool; they are told until they come after all.
    #[test]
    fn a_gap_is_told_after_five_minutes_until_it_is_closed() {
        let gap = Gap { from: 11, to: 20, since_ms: NOON };
        let mut watch = BookWatch::default();
        let mut at = |gaps: &[Gap], minute: i64| {
            let streams = vec![stream("rm-1", gaps, minutes(minute)), stream("rm-2", &[], NOON)];
            let own = standings(&streams, &Slices::default(), minutes(minute) + 1);
            let gaps = own["rm-1"].gaps;
            (gaps, say(watch.look(&own, 0, (minutes(100), minutes(minute) + 1))))
        };
        assert_eq!(at(&[gap], 1), (1, String::new()));
        assert_eq!(at(&[gap], 4), (1, String::new()));
        assert_eq!(at(&[gap], 5), (1, "+RS-GAP records missing of rm-1".to_owned()));
        assert_eq!(at(&[gap], 6), (1, String::new()));
        assert_eq!(at(&[], 7), (0, "-RS-GAP".to_owned()));
    }

    #[test]
    fn a_minute_is_told_when_it_is_out_of_balance_for_ten() {
        let row = |minute: i64, out: i64| Told {
            producer: "rm-1".to_owned(),
            boot: 1,
            minute_ms: minutes(minute),
            calls_in: out,
            records_out: out,
            ..Told::default()
        };
        let kept = |minute: i64, stored: i64| Stored {
            producer: "rm-1".to_owned(),
            boot: 1,
            minute_ms: minutes(minute),
            stored,
        };
        let mut watch = BookWatch::default();
        let mut at = |stored: i64, minute: i64| {
            let first = BTreeMap::from([(("rm-1".to_owned(), 1), NOON)]);
            let (told, stored) = ([row(0, 5), row(1, 5)], [kept(0, 5), kept(1, stored)]);
            let mut slices = Slices::default();
            slices.judged(NOON, &judge(&told, &stored, &first, NOON, minutes(minute)));
            let own = standings(&[], &slices, minutes(minute));
            let count = own.get("rm-1").map_or(0, |own| own.unbalanced);
            (count, say(watch.look(&own, 0, (NOON, minutes(minute)))))
        };
        assert_eq!(at(3, 3), (0, String::new()), "too early to say");
        assert_eq!(at(3, 12), (1, String::new()));
        let up = "+RS-UNBALANCED minutes out of balance of rm-1".to_owned();
        assert_eq!(at(3, 13), (1, up));
        assert_eq!(at(5, 14), (0, "-RS-UNBALANCED".to_owned()));
    }

    #[test]
    fn a_producer_is_silent_after_five_minutes_and_forgotten_after_a_day() {
        let mut watch = BookWatch::default();
        let mut at = |last: i64, minute: i64, started: i64| {
            let streams = vec![stream("a", &[], minutes(last)), stream("b", &[], minutes(last))];
            let own = standings(&streams, &Slices::default(), minutes(minute));
            say(watch.look(&own, 0, (minutes(started), minutes(minute))))
        };
        assert_eq!(at(0, 5, 0), "");
        assert_eq!(at(0, 8, 4), "", "RS itself was not there");
        assert_eq!(at(0, 10, 4), "+RS-PRODUCER-SILENT no record for five minutes of a and 1 more");
        assert_eq!(at(10, 11, 4), "-RS-PRODUCER-SILENT");
        assert_eq!(at(10, 10 + 24 * 60, 4), "");
    }

    #[test]
    fn conflicts_are_told_from_the_first_look_on_for_a_quarter_of_an_hour() {
        let mut watch = BookWatch::default();
        let mut at = |count: u64, minute: i64| {
            say(watch.look(&BTreeMap::new(), count, (NOON, minutes(minute))))
        };
        assert_eq!(at(7, 0), "", "those of before have been told");
        assert_eq!(at(9, 1), "+RS-ID-CONFLICT 2 ids came with another content");
        assert_eq!(at(10, 15), "");
        assert_eq!(at(10, 29), "");
        assert_eq!(at(10, 30), "-RS-ID-CONFLICT");
    }

    #[test]
    fn slices_with_a_fault_are_looked_at_often_and_the_others_in_turn() {
        let mut slices = Slices::default();
        let at = |n: i64| NOON - n * SLICE_MS;
        let fault = |minute_ms| Judged {
            told: Told { producer: "rm-1".to_owned(), minute_ms, ..Told::default() },
            stored: 0,
            difference: 1,
            fault: Some(rs::integrity::Fault::Records),
        };
        let order = slices.order(NOON);
        assert_eq!((order.len(), &order[..3]), (25, &[at(0), at(1), at(24)][..]));
        slices.judged(at(24), &[]);
        slices.judged(at(20), &[fault(at(20)), fault(at(20) + MINUTE_MS)]);
        assert_eq!(&slices.order(NOON)[..4], [at(0), at(1), at(20), at(23)]);
        assert_eq!(slices.order(NOON).last(), Some(&at(24)), "it was looked at last");
        let own = &standings(&[], &slices, NOON)["rm-1"];
        assert_eq!((own.unbalanced, own.unbalanced_ms), (2, Some(at(20))));
        let later = NOON + 21 * SLICE_MS;
        assert_eq!(slices.order(later).len(), 25);
        assert_eq!(standings(&[], &slices, later), BTreeMap::new(), "too old to be told");
    }
}
