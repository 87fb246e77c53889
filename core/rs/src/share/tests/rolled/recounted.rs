//! What is counted of facts for a question is what the job stores of them.

use std::cell::Cell;

use super::*;
use crate::rollup::{Bin, Dim, Measure, Recounted, State, Target, Whose, merged, recount};

const FIVE_MS: i64 = 300_000;

fn bins(of: Granularity) -> Vec<Bin> {
    zone().bins(of, OWN_MS - 7_200_000, OWN_MS + 7_200_000).collect()
}

fn counted(rolled: &Rolled, whose: &Whose, of: Granularity) -> Recounted {
    counted_in(rolled, whose, (of, &bins(of)))
}

fn counted_in(rolled: &Rolled, whose: &Whose, bins: (Granularity, &[Bin])) -> Recounted {
    recount(rolled, &|question| rolled.facts(question).map(Some), whose, bins).unwrap()
}

fn rows(rolled: &Rolled, whose: &Whose, of: Granularity) -> BinRows {
    let Recounted::Rows(rows) = counted(rolled, whose, of) else { panic!("it can be counted") };
    rows
}

/// Rows in which something changes, without their lists of changes.
fn told(mut rows: Vec<LevelRow>) -> Vec<String> {
    rows.retain(|row| {
        let level = row.level().unwrap();
        level.start != level.end() || level.peak_ms != row.at.bin_ms
    });
    let plain = |row: LevelRow| format!("{:?}", LevelRow { deltas: None, ..row });
    let mut told: Vec<_> = rows.into_iter().map(plain).collect();
    told.sort();
    told
}

fn whole() -> Rolled {
    let (story, rolled) = (whole_story(), Rolled::default());
    rolled.apply(&story.iter().collect::<Vec<_>>());
    rolled.roll(&zone(), 1000);
    rolled
}

#[test]
fn numbers_have_the_figures_that_would_be_stored() {
    let rolled = whole();
    let stored = rolled.0.borrow().bins.clone();
    let is_number = |dim: u8| dim == Dim::Dn.number();
    let ids: BTreeSet<i64> =
        stored.counts.iter().filter(|row| is_number(row.dim)).map(|row| row.dim_id).collect();
    assert!(!ids.is_empty());
    let whose = Whose::Numbers(ids.clone());
    for of in [Granularity::FiveMinutes, Granularity::Hour, Granularity::Day] {
        let found = rows(&rolled, &whose, of);
        let span = bins(of);
        let mine =
            |at: At| at.gran == of.number() && span.iter().any(|bin| bin.start_ms == at.bin_ms);
        let mut counts = stored.counts.clone();
        counts.retain(|row| is_number(row.dim) && mine(row.at));
        let (mut counts, mut again) = (counts, found.counts.clone());
        counts.sort_unstable();
        again.sort_unstable();
        assert_eq!(again, counts, "{of:?}");
        assert!(!counts.is_empty());
        let mut levels = stored.levels.clone();
        levels.retain(|row| is_number(row.dim) && mine(row.at));
        assert_eq!(told(found.levels.clone()), told(levels), "{of:?}");
        assert_eq!(found.levels.len(), 2 * ids.len() * span.len(), "a level of each bin");
    }
}

#[test]
fn a_union_of_one_is_that_one() {
    let rolled = whole();
    let stored = rolled.0.borrow().bins.levels.clone();
    for (dim, id) in [(Dim::Tenant, 102), (Dim::Profile, 189)] {
        let of = Granularity::FiveMinutes;
        let mine = |row: &&LevelRow| {
            (row.dim, row.dim_id) == (dim.number(), id) && row.at.gran == of.number()
        };
        let sessions = |row: &&LevelRow| row.measure == Measure::Sessions.number();
        let one = stored.iter().filter(mine).filter(sessions);
        let span = bins(of);
        let one = one.filter(|row| span.iter().any(|bin| bin.start_ms == row.at.bin_ms));
        let one: Vec<_> = one.map(|row| LevelRow { dim_id: 0, ..row.clone() }).collect();
        assert!(dim != Dim::Tenant || !one.is_empty());
        let found = rows(&rolled, &Whose::Union(dim, [id].into(), Measure::Sessions), of);
        assert_eq!(told(found.levels), told(one), "{dim:?}");
    }
    // a producer told of calls what it had itself
    let calls = Whose::Union(Dim::Component, BTreeSet::new(), Measure::Calls);
    assert_eq!(counted(&rolled, &calls, Granularity::Hour), Recounted::Unknown);
}

/// A leg in minutes, of these tenants, on a node of RM.
fn leg(n: u64, (from, to): (i64, i64), tenants: &[u32], node: &str) -> Vec<Message> {
    let path: Vec<Value> =
        tenants.iter().map(|id| json!({"name": format!("t{id}"), "dbid": id})).collect();
    let guid = format!("01A202B2-0000-7000-8000-{n:012X}");
    let time = |minute: i64| Millis((OWN_MS + minute * 60_000).cast_unsigned()).to_string();
    let last = tenants.last().unwrap();
    let end = rm(
        "end",
        1,
        n,
        0,
        json!({
            "guid": guid, "session_id": format!("{guid}.{node}"), "leg": format!("0000000{node}"),
            "id": format!("{guid}/0000000{node}/cdr.end/1.1"), "started_at": time(from),
            "ended_at": time(to), "time": time(to), "dn": format!("180{n}"),
            "component": {"name": format!("rm-{node}"), "type": "RM", "dbid": 400 + n % 2},
            "tenant": {"name": format!("t{last}"), "dbid": last, "path": path},
        }),
    );
    vec![end]
}

#[test]
fn a_union_counts_each_session_once_and_adds_no_maxima() {
    let rolled = Rolled::default();
    let legs = [
        leg(1, (1, 6), &[102, 104], "1"),
        leg(2, (2, 4), &[104], "1"),
        // two legs of one session, of one tenant each
        leg(3, (6, 8), &[102], "1"),
        leg(3, (10, 12), &[104], "2"),
    ];
    rolled.apply(&legs.iter().flatten().collect::<Vec<_>>());
    rolled.roll(&zone(), 1000);
    let peaks = |whose: &Whose| -> Vec<(i64, i64)> {
        let of = Granularity::FiveMinutes;
        let span =
            |from| Bin { start_ms: OWN_MS + from * FIVE_MS, end_ms: OWN_MS + (from + 1) * FIVE_MS };
        let found = counted_in(&rolled, whose, (of, &[span(0), span(1), span(2)]));
        let Recounted::Rows(rows) = found else { panic!("it can be counted") };
        rows.levels.iter().map(|row| (row.peak, (row.peak_ms - OWN_MS) / 60_000)).collect()
    };
    let both = BTreeSet::from([102, 104]);
    let tenants = Whose::Union(Dim::Tenant, both.clone(), Measure::Sessions);
    assert_eq!(peaks(&tenants), [(2, 2), (1, 5), (1, 10)]);
    // legs have a gap where the session has none
    let tenants = Whose::Union(Dim::Tenant, both, Measure::Calls);
    assert_eq!(peaks(&tenants), [(2, 2), (1, 5), (1, 10)]);
    let nodes = Whose::Union(Dim::Component, [400, 401].into(), Measure::Calls);
    assert_eq!(peaks(&nodes), [(2, 2), (1, 5), (1, 10)]);
    // by lists of changes the same
    let bins = bins(Granularity::FiveMinutes);
    let key = LevelKey { measure: Measure::Calls, target: Target::new(Dim::Component, 0) };
    let mut all = rolled.0.borrow().bins.levels.clone();
    all.retain(|row| row.at.gran == 1 && row.dim == Dim::Component.number());
    let added = merged(&[], &all, (key, Granularity::FiveMinutes, &bins)).unwrap();
    assert_eq!(added, rows(&rolled, &nodes, Granularity::FiveMinutes).levels);
}

#[test]
fn what_cannot_be_counted_is_told() {
    let rolled = whole();
    let whose = Whose::Numbers([1].into());
    let month: Vec<Bin> = zone().bins(Granularity::Month, OWN_MS, OWN_MS + 1).collect();
    let month = (Granularity::Month, &*month);
    assert_eq!(counted_in(&rolled, &whose, month), Recounted::TooMany);
    // the time is over after some of it
    let left = Cell::new(9);
    let ask = |question: &_| {
        left.set(left.get() - 1);
        if left.get() == 0 { Ok(None) } else { rolled.facts(question).map(Some) }
    };
    let of = Granularity::Hour;
    let late = recount(&rolled, &ask, &whose, (of, &bins(of))).unwrap();
    assert_eq!((late, left.get()), (Recounted::Late, 0), "nothing more is read");
    let hours = |rolled: &Rolled| counted(rolled, &whose, Granularity::Hour);
    assert!(matches!(hours(&rolled), Recounted::Rows(_)));
    rolled.0.borrow_mut().unreadable = [20_261_122].into();
    assert_eq!(hours(&rolled), Recounted::Unknown);
    rolled.0.borrow_mut().unreadable.clear();
    rolled.0.borrow_mut().meta.extend(State::default().freeze(OWN_MS));
    assert_eq!(hours(&rolled), Recounted::Unknown);
}
