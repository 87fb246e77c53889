//! Questions about the bins of a story; and the job once more, over all of it and over a part that
//! is frozen.

use std::collections::BTreeSet;

use rs::rollup::{
    BinRows, Changes, Dim, Granularity, Mark, Meta, Rules, State, Weekday, Zone, rebuild, work,
};
use rs::share::Objects;
use rsd::store::Store;
use rsd::store::bins::{Bins, Series, Table};

use super::NOW;
use super::bins::lease;
use super::made::at;

const DAY_MS: i64 = 86_400_000;
/// A story over more days is not made again bin by bin.
const MOST_MS: i64 = 3 * DAY_MS;
const TABLES: [Table; 6] = [
    Table::Counts,
    Table::Levels,
    Table::Outcomes,
    Table::Actions,
    Table::Quality,
    Table::Latencies,
];

/// All answers, as text, of a store whose marks are done.
pub(super) fn answers(store: &dyn Store) -> Vec<String> {
    let bins = store.bins().unwrap();
    let zone = Zone::new(3600, [], Weekday::Monday);
    let now_ms = i64::try_from(NOW.0).unwrap() + DAY_MS;
    let fence = lease(store);
    let rules =
        Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 50_000, fence, now_ms };
    let mut answers = questions(bins);
    let Some((first_ms, last_ms)) = bins.extent().unwrap() else { return answers };
    if last_ms - first_ms < MOST_MS {
        let marks = rebuild(&zone, first_ms, last_ms + 1);
        answers.extend(again(bins, &marks, &rules, first_ms.midpoint(last_ms)));
    }
    answers
}

/// Made again from the facts it is figure by figure the same; and what is frozen stays.
fn again(bins: &dyn Bins, marks: &BTreeSet<Mark>, rules: &Rules<'_>, at_ms: i64) -> Vec<String> {
    let made = rows(bins);
    let state = State::of(&bins.meta().unwrap());
    let (fence, guard) = (Some(rules.fence), state.guard());
    let (marks, meta) = (marks.clone(), state.zoned("one hour monday"));
    let anew = Changes { fence, guard, meta, marks, remake: Some(i64::MIN), ..Changes::default() };
    assert!(bins.write(&anew, rules.now_ms).unwrap());
    assert!(!bins.write(&anew, rules.now_ms).unwrap(), "the guard is another one now");
    settle(bins, rules);
    assert_eq!(rows(bins), made);
    now_goes_first(bins, rules);
    assert_eq!(rows(bins), made);
    let mut answers = vec![format!("{:?}", bins.meta().unwrap())];
    bins.note(&anew.marks, &state.freeze(at_ms), rules.now_ms).unwrap();
    settle(bins, rules);
    assert_eq!(rows(bins), made);
    answers.push(format!("{:?}", bins.meta().unwrap()));
    bins.forget_deltas(rules.fence, at_ms).unwrap();
    answers.extend(rows(bins));
    answers
}

/// A long past that is made again does not keep the bin of now waiting.
fn now_goes_first(bins: &dyn Bins, rules: &Rules<'_>) {
    let now = Mark::five(rules.zone.bin(Granularity::FiveMinutes, rules.now_ms).start_ms);
    let marks = (0..100).map(|bin| Mark::five(bin * 300_000)).chain([now]).collect();
    bins.note(&marks, &Meta::new(), rules.now_ms).unwrap();
    a_mark_that_is_written_again_is_younger(bins, now, rules);
    let done = work(bins, &mut Objects::default(), rules, || true).unwrap();
    let left = bins.marks(now.job, i64::MIN, i64::MAX, 1000).unwrap();
    assert!(done.more && left.len() > 50, "{} of the past wait", left.len());
    assert!(left.iter().all(|row| row.mark != now));
    settle(bins, rules);
}

/// Else a bin that gets facts all the time would be told as one that waits.
fn a_mark_that_is_written_again_is_younger(bins: &dyn Bins, mark: Mark, rules: &Rules<'_>) {
    let since = |until_ms| bins.marks(mark.job, mark.bin_ms, until_ms, 9).unwrap();
    let clear = since(rules.now_ms);
    assert_eq!(clear.len(), 1);
    bins.note(&BTreeSet::from([mark]), &Meta::new(), rules.now_ms).unwrap();
    let guard = State::of(&bins.meta().unwrap()).guard();
    let changes = Changes { fence: Some(rules.fence), guard, clear, ..Changes::default() };
    assert!(bins.write(&changes, rules.now_ms + 1).unwrap());
    assert_eq!(since(rules.now_ms), []);
    let [left] = &since(rules.now_ms + 1)[..] else { panic!("one mark") };
    assert_eq!((left.mark, left.since_ms), (mark, rules.now_ms + 1));
    let (guard, clear) = (changes.guard, vec![*left]);
    let changes = Changes { fence: Some(rules.fence), guard, clear, ..Changes::default() };
    assert!(bins.write(&changes, rules.now_ms).unwrap());
    bins.note(&BTreeSet::from([mark]), &Meta::new(), rules.now_ms).unwrap();
}

fn settle(bins: &dyn Bins, rules: &Rules<'_>) {
    let mut objects = Objects::default();
    for _ in 0..1000 {
        let done = work(bins, &mut objects, rules, || true).unwrap();
        if !done.more && done.bins == 0 {
            return;
        }
    }
    panic!("the job does not come to an end");
}

fn rows(bins: &dyn Bins) -> Vec<String> {
    Granularity::ALL.map(|of| shown(bins.rows(of, 0, i64::MAX).unwrap())).to_vec()
}

fn shown(mut rows: BinRows) -> String {
    rows.counts.sort();
    rows.levels.sort();
    rows.outcomes.sort();
    rows.actions.sort();
    rows.quality.sort();
    rows.latencies.sort();
    format!("{rows:?}")
}

fn questions(bins: &dyn Bins) -> Vec<String> {
    let mut answers = vec![format!("{:?} {:?}", bins.spans().unwrap(), bins.extent().unwrap())];
    let day = i64::try_from(at(0).0).unwrap();
    let mut keys = BTreeSet::from([7]);
    for granularity in [Granularity::FiveMinutes, Granularity::Day] {
        for (table, dim) in TABLES.iter().flat_map(|table| Dim::ALL.map(|dim| (*table, dim))) {
            for (changes, ids) in [(false, BTreeSet::new()), (true, BTreeSet::from([1, 101, 189]))]
            {
                let (from_ms, to_ms) = (day - DAY_MS, day + DAY_MS);
                let most = 1000;
                let asked = Series { table, granularity, from_ms, to_ms, dim, ids, changes, most };
                let rows = bins.series(&asked).unwrap();
                keys.extend(rows.outcomes.iter().map(|row| row.reason_key));
                keys.extend(rows.actions.iter().map(|row| row.action_key));
                answers.push(format!("{asked:?} {}", shown(rows)));
                let one = bins.series(&Series { most: 1, ..asked }).unwrap();
                let found = one.counts.len() + one.levels.len() + one.outcomes.len();
                let found = found + one.actions.len() + one.quality.len() + one.latencies.len();
                assert!(found <= 1, "{one:?}");
            }
        }
    }
    answers.push(format!("{:?}", bins.texts(&keys).unwrap()));
    let marks: u64 = [0, 20_261_122].iter().map(|day| bins.marks_of_day(*day).unwrap()).sum();
    answers.push(format!("{marks} marks"));
    answers
}
