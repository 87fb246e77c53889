//! Bins that go by their age, in any store: which do, which stay because something is made of them,
//! and that what comes later is right nevertheless.

use std::collections::BTreeSet;

use config::settings::Retention;
use model::time::Millis;
use rs::rollup::{
    BinDays, BinRows, Granularity, LevelRow, Rules, Sort, State, Zone, forget, rebuild, work,
};
use rs::share::Objects;
use rsd::retention::{Ages, Annexes, Before, Kept, Leaving, Report, in_force, purge};
use rsd::rollup::{let_apart_go, let_go};
use rsd::store::bins::{Bins, Table};
use rsd::store::keeping::Aged;
use rsd::store::{Arrival, Day, Store};
use serde_json::{Value, json};

use super::bins::lease;
use super::made::{Made, arrivals, at, rm};
use super::stories::{Step, stories};

const DAY: u64 = 86_400;
/// Ten past three on the day after the sixtieth.
const NIGHT: u64 = 60 * DAY + 3 * 3600 + 600;
/// Hours go before days, weeks and months.
const DAYS: [u32; 6] = [7, 31, 10, 400, 1095, 3650];
const KEPT: BinDays = BinDays { operations: DAYS, outcomes: DAYS, latencies: DAYS, quality: DAYS };

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap()
}

/// Frames that were received tonight.
fn frames(records: &[Made], first_seq: u64) -> Vec<Arrival> {
    let mut frames = arrivals(records, first_seq, 10);
    for frame in &mut frames {
        frame.entry.as_mut().unwrap().received = at(NIGHT).0;
    }
    frames
}

/// The job until nothing is marked.
pub(super) fn roll(store: &dyn Store) {
    let (bins, fence) = (store.bins().unwrap(), lease(store));
    let now_ms = ms(at(NIGHT));
    let zone = Zone::utc();
    let rules = Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 100, fence, now_ms };
    let mut objects = Objects::default();
    while work(bins, &mut objects, &rules, || true).unwrap().bins > 0 {}
}

/// A run as the job does it, cut off after so many slices of a few rows.
fn run(store: &dyn Store, slices: usize) -> Report {
    let (bins, keeping) = (store.bins().unwrap(), store.keeping());
    let (zone, now_ms) = (Zone::utc(), ms(at(NIGHT)));
    let terms = in_force(store, (&Retention::default(), &Annexes::new()), &zone).unwrap();
    let held = keeping.take_lease("retention", "a", now_ms, now_ms + 30_000).unwrap().unwrap();
    let mut left = slices;
    let mut next = || {
        left = left.checked_sub(1)?;
        Some(20)
    };
    let clean = |day: Day, before_ms: i64| let_go(bins, day, before_ms, now_ms);
    let apart = |before_ms: i64| let_apart_go(bins, before_ms, now_ms);
    let gone = || forget(bins, &zone, &KEPT, now_ms);
    let whole = |_: &Leaving<'_>, _: &mut dyn FnMut() -> Option<u32>| Ok(Kept::Whole);
    let before = Before { clean: &clean, apart: &apart, keep: &whole, forget: &gone };
    let ages = Ages { failures: 365 };
    purge(keeping, &terms, &held, ages, now_ms, before, &mut next).unwrap()
}

/// Levels of everything, by start.
fn levels(bins: &dyn Bins, of: Granularity) -> Vec<LevelRow> {
    let mut rows = bins.rows(of, 0, i64::MAX).unwrap().levels;
    rows.retain(|row| row.dim == 0 && row.measure == 1);
    rows.sort_by_key(|row| row.at.bin_ms);
    rows
}

fn starts(bins: &dyn Bins, of: Granularity) -> Vec<i64> {
    let rows = bins.rows(of, 0, i64::MAX).unwrap();
    let mut all: Vec<i64> = rows.counts.iter().map(|row| row.at.bin_ms).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A call a day for sixty days, and one in progress all the time.
pub(super) fn figures(store: &dyn Store) {
    let long = rm(1000, 50).tenant("acme", Some(102));
    let mut story = vec![long.start()];
    for day in 0..60 {
        let from = day * DAY + 3600;
        story.extend([rm(day + 1, from).end(from + 60)]);
    }
    assert_eq!(store.apply(&frames(&story, 1), at(NIGHT)).unwrap().stored, 61);
    let bins = store.bins().unwrap();
    roll(store);
    let larger = [Granularity::Day, Granularity::Week, Granularity::Month];
    let made = larger.map(|of| format!("{:?}", bins.rows(of, 0, i64::MAX).unwrap()));
    assert_eq!(starts(bins, Granularity::Hour).len(), 61);
    let gone = forget(bins, &Zone::utc(), &KEPT, ms(at(NIGHT))).unwrap();
    assert!(gone.iter().all(|gone| gone.before_ms < ms(at(0))), "facts are here: {gone:?}");

    let (mut slices, mut rows) = (60, 0);
    loop {
        let report = run(store, slices);
        (slices, rows) = (slices + 60, rows + report.rows);
        if report.finished {
            break;
        }
    }
    assert!(rows > 200, "{rows}");
    assert_eq!(run(store, usize::MAX).rows, 0, "nothing is left");
    // facts of twenty days have gone, and the bins that are kept shorter than they with them
    let state = State::of(&bins.meta().unwrap());
    let frozen_ms = state.frozen_ms;
    let gone_ms = state.gone_ms(Sort::Operations, Granularity::Hour);
    assert_eq!(gone_ms, ms(at(19 * DAY)) / 86_400_000 * 86_400_000, "whole days");
    assert_eq!(frozen_ms, ms(at(19 * DAY + 3900)), "the last bin of the twentieth day");
    for of in [Granularity::FiveMinutes, Granularity::Hour] {
        let starts = starts(bins, of);
        assert_eq!(starts.len(), 41, "{of:?}");
        assert_eq!(starts[0], ms(at(19 * DAY + 3600)), "{of:?}: its hour, and its day, stay");
        // of the levels the last one, which is that of the call in progress
        let levels = levels(bins, of);
        assert!(levels[0].at.bin_ms < starts[0], "{of:?} {levels:?}");
        assert!(levels[1].at.bin_ms >= starts[0], "{of:?} {levels:?}");
        assert_eq!(levels[0].level_start + levels[0].net, 1, "{of:?}");
    }
    assert_eq!(starts(bins, Granularity::ThirtyMinutes).len(), 41);
    let kept = || larger.map(|of| format!("{:?}", bins.rows(of, 0, i64::MAX).unwrap()));
    assert_eq!(kept(), made, "days and more are kept for years");

    // made again they are what can be made: what has lost its hours stays as it is
    let mut marks = rebuild(&Zone::utc(), ms(at(0)), ms(at(60 * DAY)));
    marks.retain(|mark| mark.job.number() >= Granularity::Day.number());
    bins.note(&marks, &rs::rollup::Meta::new(), 0).unwrap();
    roll(store);
    assert_eq!(kept(), made);
    // and the end of the call in progress finds its level
    store.apply(&frames(&[long.end(NIGHT - 900)], 100), at(NIGHT)).unwrap();
    roll(store);
    let last = levels(bins, Granularity::FiveMinutes).pop().unwrap();
    assert_eq!((last.level_start, last.net), (1, -1), "{last:?}");
}

/// What producers counted themselves, and response times, once a day for sixty days and no call:
/// they go when their bins are made, which stay as they are and go in their time.
pub(super) fn own(store: &dyn Store) {
    let record = |kind: &str, day: u64, more: Value| {
        // the last one reaches into the next day
        let start = at(day * DAY + DAY - 60 * (day % 3));
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("ccp-1/9/{kind}/{day}"), "time": start,
            "producer": {"name": "ccp-1"}, "component": {"name": "ccp-1", "type": "CCP"},
            "bin_start": start, "bin_seconds": 300, "basis": "own",
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Made::of(&record)
    };
    let sketch = json!({"count": 1, "sum": 15, "sumsq": 225, "min": 15, "max": 15,
        "hist": {"15": 1}});
    let story: Vec<Made> = (0..60)
        .flat_map(|day| {
            let counted = json!([{"dim": "tenant", "name": "acme", "count": 2}]);
            let level = json!([{"dim": "component", "level_start": 1, "peak": 3,
                "deltas": [[1000, 2], [200_000, -3]]}]);
            [
                record("or.arrivals", day, json!({ "values": counted })),
                record("or.peaks", day, json!({"measure": "calls", "values": level})),
                record("sq.latency", day, json!({"type": "CALL_ANSWER", "sketch": sketch})),
            ]
        })
        .collect();
    let stored = store.apply(&frames(&story, 1), at(NIGHT)).unwrap();
    assert_eq!((stored.stored, stored.dead), (180, 0));
    let bins = store.bins().unwrap();
    let waits = run(store, usize::MAX);
    assert!(!waits.blocked.is_empty(), "nothing goes before its bins: {waits:?}");
    roll(store);
    let told = |rows: BinRows, from_ms: i64| {
        let BinRows { mut counts, mut levels, mut latencies, .. } = rows;
        counts.retain(|row| row.at.bin_ms >= from_ms);
        levels.retain(|row| row.at.bin_ms >= from_ms);
        latencies.retain(|row| row.at.bin_ms >= from_ms);
        counts.sort();
        levels.sort();
        latencies.sort();
        format!("{:?}", (counts, levels, latencies))
    };
    let all = || Granularity::ALL.map(|of| bins.rows(of, 0, i64::MAX).unwrap());
    let made = all();
    while !run(store, usize::MAX).finished {}
    let state = State::of(&bins.meta().unwrap());
    assert!(state.frozen_ms > ms(at(18 * DAY)), "{state:?}");
    assert!(state.frozen_ms <= ms(at(20 * DAY + 300)), "{state:?}");
    let hours = starts(bins, Granularity::Hour);
    assert!(hours.len() < 45 && hours[0] >= ms(at(17 * DAY)), "{hours:?}");
    assert!(bins.spans().unwrap().iter().all(|span| span.last_ms >= ms(at(18 * DAY))));
    // made again they are what they were: of what is frozen nothing is made
    let there = made.iter().flat_map(|rows| &rows.levels);
    let there: BTreeSet<_> = there.map(|row| (row.at.gran, row.at.bin_ms)).collect();
    let mut again = rebuild(&Zone::utc(), ms(at(0)), ms(at(60 * DAY + 300)));
    again.retain(|mark| there.contains(&(mark.job.number(), mark.bin_ms)));
    assert!(again.len() > 300, "{}", again.len());
    bins.note(&again, &rs::rollup::Meta::new(), 0).unwrap();
    roll(store);
    let state = State::of(&bins.meta().unwrap());
    for ((of, made), now) in Granularity::ALL.into_iter().zip(made).zip(all()) {
        let gone = [Sort::Operations, Sort::Latencies].map(|sort| state.gone_ms(sort, of));
        let from_ms = gone[0].max(gone[1]);
        assert_eq!(told(now, from_ms), told(made, from_ms), "{of:?}");
    }
    assert!(state.late_lost > 0, "{state:?}");
}

/// Each table has its own days, and nothing goes that is too young.
pub(super) fn tables(store: &dyn Store) {
    let (_, golden) = stories().into_iter().find(|(name, _)| *name == "golden").unwrap();
    for step in golden {
        let Step::Apply(batch) = step else { continue };
        store.apply(&batch, at(NIGHT)).unwrap();
    }
    let (bins, keeping) = (store.bins().unwrap(), store.keeping());
    roll(store);
    let held = keeping.take_lease("retention", "a", 0, i64::MAX).unwrap().unwrap();
    let rows = |of| {
        let rows = bins.rows(of, 0, i64::MAX).unwrap();
        let of_voice = [rows.outcomes.len(), rows.actions.len()];
        [rows.counts.len(), rows.levels.len(), of_voice[0], of_voice[1], rows.quality.len()]
            .into_iter()
            .chain([rows.latencies.len()])
            .collect::<Vec<_>>()
    };
    let all = [
        Table::Counts,
        Table::Levels,
        Table::Outcomes,
        Table::Actions,
        Table::Quality,
        Table::Latencies,
    ];
    let mut deleted = Vec::new();
    let (first_ms, _) = bins.extent().unwrap().unwrap();
    for of in Granularity::ALL {
        let before = rows(of);
        let first_ms = Zone::utc().bin(of, first_ms).start_ms;
        for (at_place, table) in all.into_iter().enumerate() {
            let aged = Aged::Bins(table, of);
            assert_eq!(keeping.delete_aged(&held, aged, first_ms, 9).unwrap(), 0, "too young");
            let mut gone = 0;
            loop {
                match keeping.delete_aged(&held, aged, i64::MAX, 3).unwrap() {
                    0 => break,
                    slice => gone += slice,
                }
            }
            let left = rows(of)[at_place];
            assert_eq!(u64::try_from(before[at_place] - left).unwrap(), gone, "{of:?} {table:?}");
            let open = table == Table::Levels;
            assert!(left == 0 || open, "{of:?} {table:?}: {left}");
            deleted.push(gone);
        }
    }
    assert!(deleted.iter().filter(|gone| **gone > 0).count() > 12, "{deleted:?}");
}
