//! What each rule of rs.md §4.3, §4.4 and §4.6 to §4.8 counts, by hand.

use std::collections::BTreeMap;

use model::record::{ComponentType, EndState, FailureType, VarResult};

use super::house::{Base, MINUTE, key, leg};
use super::zone::{at, berlin};
use crate::key::Day;
use crate::limits::REASONS_PER_OBJECT;
use crate::rollup::{
    ActionKey, Bin, Call, CountKey, Deltas, Dim, Facts, Figures, Granularity, Level, LevelKey,
    Measure, Numbers, OTHER, OutcomeKey, OwnCount, OwnLevel, Ports, Run, Target, Types, Zone, five,
    text_id,
};
use crate::sketch::Sketch;

const TEN: i64 = 1_795_341_600_000;

fn day(at_ms: i64) -> Day {
    crate::key::day(model::time::Millis(at_ms.cast_unsigned()))
}

fn figures(calls: Vec<Call>) -> Figures {
    made(Facts { calls, ..Facts::default() })
}

fn made(facts: Facts) -> Figures {
    five(Bin { start_ms: TEN, end_ms: TEN + 5 * MINUTE }, &facts, &BTreeMap::new()).0
}

fn arrived(figures: &Figures, measure: Measure, target: Target, call_type: u8) -> (i64, i64) {
    let count = figures.counts.get(&CountKey { measure, target, call_type });
    count.map_or((0, 0), |count| (count.count, count.rejected))
}

fn peak(figures: &Figures, measure: Measure, target: Target) -> i64 {
    figures.levels.get(&key(measure, target)).map_or(0, |level| level.peak)
}

fn mcp(n: u8, to_ms: i64) -> Call {
    Call { kind: ComponentType::Mcp.number(), ..leg(&format!("g{n}"), n, TEN + 1, Some(to_ms)) }
}

/// Scenario 49: one session of three legs over two RMs.
#[test]
fn a_session_of_three_legs_is_one_session_and_three_legs() {
    let legs = [(1, 101, 1), (2, 102, 3), (3, 101, 3)].map(|(n, rm, call_type)| Call {
        owners: vec![(rm, TEN)],
        call_type,
        ..leg("g", n, TEN + i64::from(n), Some(TEN + 60_000 + i64::from(n)))
    });
    let figures = figures(legs.to_vec());
    let tenants = [Target::new(Dim::Tenant, 1), Target::new(Dim::Tenant, 2)];
    let others = [Target::new(Dim::Profile, 5), Target::new(Dim::Dn, text_id("1800"))];
    for target in tenants.into_iter().chain(others).chain([Target::default()]) {
        assert_eq!(arrived(&figures, Measure::Sessions, target, 1), (1, 0), "{target:?}");
        assert_eq!(arrived(&figures, Measure::Sessions, target, 3), (0, 0));
        assert_eq!(peak(&figures, Measure::Sessions, target), 1);
        assert_eq!(arrived(&figures, Measure::Calls, target, 3), (2, 0));
        assert_eq!(peak(&figures, Measure::Calls, target), 3);
    }
    let sum = figures.counts
        [&CountKey { measure: Measure::Sessions, target: Target::default(), call_type: 1 }];
    assert_eq!((sum.ended, sum.duration_ms, sum.max_duration_ms), (1, 60_002, 60_002));
    let [first, second] = [101, 102].map(|id| Target::new(Dim::Component, id));
    assert_eq!((peak(&figures, Measure::Calls, first), 2), (2, 2));
    assert_eq!(peak(&figures, Measure::Calls, second), 1);
    assert_eq!(peak(&figures, Measure::Sessions, first), 0);
    assert_eq!(peak(&figures, Measure::Calls, Target::service(1, 2)), 3);
    assert_eq!(peak(&figures, Measure::Calls, Target::service(1, 0)), 3);
    assert_eq!(figures.texts[&text_id("1800")], "1800");
}

#[test]
fn what_was_refused_arrives_and_is_never_there() {
    let mut call = leg("g", 1, TEN, Some(TEN + 90));
    call.end_state = Some(EndState::Rejected.number());
    let zero = leg("h", 2, TEN, Some(TEN));
    let figures = figures(vec![call, zero]);
    assert_eq!(arrived(&figures, Measure::Sessions, Target::default(), 1), (2, 1));
    assert_eq!(arrived(&figures, Measure::Calls, Target::default(), 1), (2, 1));
    assert!(figures.levels.is_empty());
}

/// Scenario 24: each node carries only its own time, the tenant counts once.
#[test]
fn an_adopted_call_is_split_between_its_owners() {
    let mut call = leg("g", 1, TEN, Some(TEN + 120_000));
    call.owners = vec![(101, TEN), (102, TEN + 60_000)];
    let figures = figures(vec![call]);
    let [first, second] = [101, 102].map(|id| Target::new(Dim::Component, id));
    let deltas = |target| figures.levels[&key(Measure::Calls, target)].deltas.clone().unwrap();
    assert_eq!(deltas(first), BTreeMap::from([((0, 1), 1), ((60_000, 1), -1)]));
    assert_eq!(deltas(second), BTreeMap::from([((60_000, 1), 1), ((120_000, 1), -1)]));
    assert_eq!(arrived(&figures, Measure::Calls, first, 1), (1, 0));
    assert_eq!(arrived(&figures, Measure::Calls, second, 1), (0, 0));
    let ended = CountKey { measure: Measure::Calls, target: second, call_type: 1 };
    assert_eq!(figures.counts[&ended].ended, 1);
    assert_eq!(peak(&figures, Measure::Sessions, Target::new(Dim::Tenant, 2)), 1);
    assert_eq!(peak(&figures, Measure::Calls, Target::new(Dim::Kind, 1)), 1);
}

/// Scenario 22: over midnight and the change of the clock.
#[test]
fn a_call_over_midnight_arrives_before_and_ends_after() {
    let mut base = Base::new(berlin());
    let (from, to) = (at("2026-03-28T22:30:00Z"), at("2026-03-29T02:30:00Z"));
    base.put(leg("g", 1, from, Some(to)));
    base.roll();
    let target = Target::new(Dim::Tenant, 2);
    let count = CountKey { measure: Measure::Sessions, target, call_type: 1 };
    let day = |time| base.zone.bin(Granularity::Day, time);
    let (before, after) = (day(from), day(to));
    let of = |bin: Bin| base.bins[&(Granularity::Day, bin.start_ms)].counts[&count];
    assert_eq!((of(before).count, of(before).ended), (1, 0));
    assert_eq!((of(after).count, of(after).ended, of(after).duration_ms), (0, 1, to - from));
    for bin in [before, after] {
        assert_eq!(base.level(Granularity::Day, bin, key(Measure::Sessions, target)).0, 1);
    }
    let hours: Vec<_> = base.zone.bins(Granularity::Hour, after.start_ms, after.end_ms).collect();
    let peaks = hours
        .iter()
        .map(|hour| base.level(Granularity::Hour, *hour, key(Measure::Sessions, target)).0);
    assert_eq!((hours.len(), peaks.sum::<i64>()), (23, 4), "00, 01, 03 and 04 o'clock");
}

#[test]
fn a_call_that_ends_when_another_begins_was_never_there_with_it() {
    let figures = figures(vec![
        leg("a", 1, TEN - 9, Some(TEN + 500)),
        leg("b", 2, TEN + 500, Some(TEN + 900)),
        leg("c", 3, TEN - 9, Some(TEN)),
    ]);
    let mut level = figures.levels[&key(Measure::Calls, Target::default())].clone();
    level.shift(&Types::from([(1, 2)]));
    assert_eq!((level.peak, level.peak_ms), (1, TEN));
    assert!(level.end().is_empty());
}

#[test]
fn a_level_is_read_back_as_it_was_written() {
    let level = Level::of(TEN, Types::from([(1, 7), (2, 300)]), Deltas::from([((70_000, 2), -3)]));
    let deltas = level.encode_deltas();
    let read = Level::decode(&level.encode_types(), deltas.as_deref()).unwrap();
    assert_eq!(read, (level.start, level.net, level.deltas));
    assert_eq!(Level::decode(&[], None), None);
}

#[test]
fn ports_count_as_told_else_as_long_as_the_call() {
    let mut known = mcp(1, TEN + 100_000);
    let spans = vec![(TEN + 10, Some(TEN + 20)), (TEN + 15, None)];
    known.asr = Ports { used: true, spans, total_ms: None };
    let mut used = mcp(2, TEN + 50_001);
    used.asr = Ports::told(Some(true), Some(r#"{"asr":{"used":true,"duration_ms":31000}}"#), "asr");
    used.tts = Ports::told(Some(false), Some(r#"{"tts":{"duration_ms":9}}"#), "tts");
    let figures = figures(vec![known, used]);
    let count = CountKey { measure: Measure::Asr, target: Target::default(), call_type: 1 };
    let sum = figures.counts[&count];
    assert_eq!((sum.count, sum.ended, sum.duration_ms), (2, 2, 99_999 + 50_000));
    assert_eq!(sum.port_ms, 31_000 + 10 + 99_985);
    assert_eq!(peak(&figures, Measure::Asr, Target::default()), 3);
    assert_eq!(peak(&figures, Measure::Asr, Target::new(Dim::Profile, 5)), 3);
    assert!(!figures.counts.keys().any(|key| key.measure == Measure::Tts));
}

#[test]
fn figures_that_a_producer_counted_are_one_source_more() {
    let target = Target::new(Dim::Component, 77);
    let own = |bin_ms, start, deltas: &[(u64, i64)]| OwnLevel {
        bin_ms,
        length_ms: MINUTE,
        key: LevelKey { measure: Measure::Calls, target },
        call_type: 5,
        start,
        deltas: deltas.to_vec(),
    };
    let facts = Facts {
        own_levels: vec![
            own(TEN + MINUTE, 4, &[(500, -4)]),
            own(TEN, 3, &[(2000, 1), (31_250, 1), (50_000, -1)]),
        ],
        own_counts: vec![OwnCount {
            bin_ms: TEN,
            key: CountKey { measure: Measure::Calls, target, call_type: 5 },
            count: 6,
            rejected: 1,
            duration_ms: 91_000,
        }],
        ..Facts::default()
    };
    let figures = made(facts);
    let level = &figures.levels[&key(Measure::Calls, target)];
    assert_eq!((level.peak, level.peak_ms, level.net.len()), (5, TEN + 31_250, 0));
    assert_eq!(level.deltas.as_ref().unwrap().get(&(60_000, 5)), None, "one bin hands over");
    assert_eq!(arrived(&figures, Measure::Calls, target, 5), (6, 1));
}

/// Scenario 26, and rs.md §4.6 and §4.8.
#[test]
fn results_actions_and_quality_count_in_the_bin_of_the_end() {
    let mut good = mcp(1, TEN + 10_001);
    good.result = Some(VarResult::Success.number());
    good.reason = Some("told".to_owned());
    let run = |action: &str, duration_ms, is_last| {
        let result = VarResult::Success.number();
        Run { action: action.to_owned(), result, duration_ms, is_last }
    };
    good.runs = vec![run("pin", 3000, false), run("pin", 1000, true)];
    let silent = mcp(2, TEN + 1001);
    let mut refused = mcp(3, TEN + 2);
    refused.end_state = Some(EndState::Rejected.number());
    let mut bad = mcp(4, TEN + 1001);
    bad.result = Some(VarResult::Failed.number());
    (bad.sq_failed, bad.failures) = (true, vec![FailureType::Latency.number()]);
    let later = mcp(5, TEN + 6 * MINUTE);
    let figures = figures(vec![good, silent, refused, bad, later]);
    let outcome = |result: VarResult, reason| {
        let target = Target::new(Dim::Tenant, 2);
        let key = OutcomeKey { target, result: result.number(), reason };
        figures.outcomes.get(&key).map_or((0, 0), |sum| (sum.count, sum.duration_ms))
    };
    assert_eq!(outcome(VarResult::Success, text_id("told")), (1, 10_000));
    assert_eq!(outcome(VarResult::Unknown, 0), (1, 1000));
    assert_eq!(outcome(VarResult::Rejected, 0), (1, 1));
    assert_eq!(outcome(VarResult::Failed, 0), (1, 1000));
    let action = figures.actions[&ActionKey {
        target: Target::new(Dim::Profile, 5),
        action: text_id("pin"),
        result: VarResult::Success.number(),
    }];
    assert_eq!((action.count, action.last_count, action.duration_ms), (2, 1, 4000));
    assert_eq!((action.min_ms, action.max_ms), (1000, 3000));
    let quality = &figures.quality[&Target::new(Dim::Component, 101)];
    assert_eq!((quality.calls, quality.failed), (4, 1));
    let types = [FailureType::Latency, FailureType::AppResult].map(|one| (one.number(), 1));
    assert_eq!(quality.by_type, BTreeMap::from(types));
}

#[test]
fn the_rarer_reasons_of_too_many_become_other() {
    let many = REASONS_PER_OBJECT + 30;
    let calls: Vec<_> = (0..many + 2)
        .map(|n| {
            let mut call = mcp(1, TEN + 1001);
            call.guid = None;
            // the first reason has three calls
            call.reason = Some(format!("r{}", n.saturating_sub(2)));
            call
        })
        .collect();
    let figures = figures(calls);
    let of = |target| figures.outcomes.iter().filter(move |(key, _)| key.target == target);
    let all = Target::default();
    assert_eq!(of(all).count(), REASONS_PER_OBJECT + 1);
    let counts: BTreeMap<_, _> = of(all).map(|(key, sum)| (key.reason, sum.count)).collect();
    assert_eq!((counts[&text_id("r0")], counts[&text_id(OTHER)]), (3, 30));
    assert_eq!(figures.texts[&text_id(OTHER)], OTHER);
}

#[test]
fn new_numbers_beyond_the_limit_get_no_figures() {
    let call = |n: u8, dn: &str| Call {
        dn: Some(dn.to_owned()),
        ..leg(&format!("g{n}"), n, TEN + 100 - i64::from(n), None)
    };
    let calls = vec![call(1, "1"), call(2, "2"), call(3, "3"), call(4, "known")];
    let known = [text_id("known")].into();
    let numbers = [(day(TEN), Numbers { known, room: 1 })].into();
    let facts = Facts { calls, numbers, ..Facts::default() };
    let bin = Bin { start_ms: TEN, end_ms: TEN + 5 * MINUTE };
    let (figures, admitted) = five(bin, &facts, &BTreeMap::new());
    assert_eq!((admitted.left_out.len(), admitted.numbers), (2, [(day(TEN), text_id("3"))].into()));
    let dns = figures.levels.keys().filter(|key| key.target.dim == Dim::Dn);
    let dns: std::collections::BTreeSet<_> = dns.map(|key| key.target.id).collect();
    assert_eq!(dns, [text_id("3"), text_id("known")].into(), "the first to call");
    assert_eq!(peak(&figures, Measure::Sessions, Target::default()), 4);
}

#[test]
fn response_times_add_up() {
    let one = |ms: u64| {
        let mut sketch = Sketch::default();
        sketch.add(ms);
        sketch
    };
    let of = |at: i64, ms| (at, 310, "PAGE_FETCH".to_owned(), one(ms));
    let latencies = vec![of(TEN, 81), of(TEN + MINUTE, 95), of(TEN + 5 * MINUTE, 7)];
    let figures = made(Facts { latencies, ..Facts::default() });
    let whole = Figures::join(TEN, [(TEN, figures.clone()), (TEN + 5 * MINUTE, figures)]);
    let sketch = &whole.latencies[&(310, "PAGE_FETCH".to_owned())];
    assert_eq!((sketch.count, sketch.sum, sketch.min, sketch.max), (4, 352, 81, 95));
}

#[test]
fn what_stood_before_is_the_peak_of_a_quiet_beginning() {
    let mut base = Base::new(Zone::utc());
    base.put(leg("a", 1, TEN - 90 * MINUTE, Some(TEN + 30 * MINUTE)));
    base.put(leg("b", 2, TEN - 90 * MINUTE, Some(TEN + 30 * MINUTE)));
    base.roll();
    let hour = base.zone.bin(Granularity::Hour, TEN);
    let all = key(Measure::Sessions, Target::default());
    assert_eq!(base.level(Granularity::Hour, hour, all), (2, hour.start_ms));
    let quiet = base.zone.bin(Granularity::FiveMinutes, TEN);
    assert_eq!(base.level(Granularity::FiveMinutes, quiet, all), (2, TEN));
}
