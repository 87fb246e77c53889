//! Figures end to end: records in over HTTP, series out (rs.md §14 no. 21 to 24 and 49).

use model::chance::Chance;
use model::time::Millis;
use serde_json::{Value, json};

use super::figures_house::{
    BASE_MS, Leg, berlin, column, comes_to, record_end, record_start, send, series,
};
use super::house::House;

const FIVE_MS: i64 = 300_000;
const HOUR_MS: i64 = 3_600_000;

/// Calls that are known so far: start, and end unless they are in progress.
type Known = Vec<Option<(i64, Option<i64>)>>;

/// Greatest number of calls at any instant of a bin, and the first instant with it.
fn peak(calls: &Known, from_ms: i64, to_ms: i64) -> (i64, i64) {
    let known = || calls.iter().flatten();
    let level = |at: i64| {
        let there = known().filter(|(start, end)| *start <= at && end.is_none_or(|end| end > at));
        i64::try_from(there.count()).unwrap()
    };
    let mut instants: Vec<i64> =
        known().flat_map(|(start, end)| [Some(*start), *end]).flatten().collect();
    instants.push(from_ms);
    instants.retain(|at| (from_ms..to_ms).contains(at));
    instants.sort_unstable();
    let mut best = (-1, from_ms);
    for at in instants {
        if level(at) > best.0 {
            best = (level(at), at);
        }
    }
    best
}

fn at(ms: i64) -> Millis {
    Millis(ms.cast_unsigned())
}

/// Of a random run: the records in a random order, and what each makes known.
fn shuffled(chance: &mut Chance) -> Vec<(usize, (i64, Option<i64>), Value)> {
    let mut records = Vec::new();
    for n in 0..60 {
        let node = if chance.below(2) == 0 { 1 } else { 2 };
        // the second node has its rush later
        let start = BASE_MS + i64::from(node - 1) * 1_200_000;
        let start = start + chance.below(2_400_000).cast_signed();
        let end = start + 1 + chance.below(1_500_000).cast_signed();
        let leg = Leg { node, ..Leg::new(n, start) };
        records.push((usize::try_from(n).unwrap(), (start, None), record_start(&leg)));
        records.push((usize::try_from(n).unwrap(), (start, Some(end)), record_end(&leg, end)));
    }
    for last in (1..records.len()).rev() {
        let other = chance.below(last as u64 + 1);
        records.swap(last, usize::try_from(other).unwrap());
    }
    records
}

#[test]
fn peaks_of_a_tenant_over_two_nodes_are_those_of_its_intervals() {
    let house = berlin();
    let records = shuffled(&mut Chance::new([21; 4]));
    let mut known: Known = vec![None; 60];
    // what comes late changes what was made before
    for slice in records.chunks(30) {
        for (n, (start, end), _) in slice {
            let before = known[*n].and_then(|(_, end)| end);
            known[*n] = Some((*start, end.or(before)));
        }
        let slice: Vec<Value> = slice.iter().map(|(.., record)| record.clone()).collect();
        send(&house, &slice);
        let bins = (0..24).map(|n| BASE_MS + n * FIVE_MS);
        let expected: Vec<_> =
            bins.map(|bin| peak(&known, bin, bin + FIVE_MS)).map(|(n, t)| (n, at(t))).collect();
        let (values, times): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        comes_to(&house, &(json!(values), json!(times)), |house| {
            let of = (BASE_MS, BASE_MS + 24 * FIVE_MS);
            let found = series(house, "peaks", "FIVE_MINUTES&dim=tenant&id=102", of);
            (column(&found, 0, "values"), column(&found, 0, "times"))
        });
    }
    let whole = peak(&known, BASE_MS, BASE_MS + HOUR_MS).0;
    let hour = (BASE_MS, BASE_MS + HOUR_MS);
    comes_to(&house, &json!([whole]), |house| {
        column(&series(house, "peaks", "HOUR&dim=tenant&id=102", hour), 0, "values")
    });
    let nodes = series(&house, "peaks", "HOUR&dim=component&id=101&id=103", hour);
    let of_node = |n: usize| column(&nodes, n, "values")[0].as_i64().unwrap();
    assert!(of_node(0) + of_node(1) > whole, "maxima are not added: {nodes}");
    assert!(of_node(0).max(of_node(1)) < whole, "{nodes}");
}

#[test]
fn a_level_stands_in_bins_in_which_nothing_changes() {
    let house = berlin();
    let leg = Leg::new(1, BASE_MS + 60_000);
    send(&house, &[record_start(&leg), record_end(&leg, BASE_MS + 1_860_000)]);
    let peaks = |of: &str, bin: i64| {
        let span = (BASE_MS + bin * FIVE_MS, BASE_MS + (bin + 1) * FIVE_MS);
        let found = series(&house, "peaks", &format!("FIVE_MINUTES&{of}"), span);
        let all = found["series"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["values"] != json!([0])).collect::<Vec<_>>()
    };
    // the bin of its end is there when those before it are
    comes_to(&house, &1, |_| peaks("dim=all", 6).len());
    comes_to(&house, &0, |_| peaks("dim=all", 7).len());
    for of in ["dim=all", "dim=all&count=legs", "dim=tenant&id=102", "dim=service&id=102"] {
        for bin in [0, 3, 6] {
            let found = peaks(of, bin);
            assert_eq!(found.len(), 1, "{of}, bin {bin}: {found:?}");
            assert_eq!(found[0]["values"], json!([1]), "{of}, bin {bin}");
            assert_eq!(found[0]["by_type"], json!({"INBOUND": [1]}), "{of}, bin {bin}");
        }
        assert_eq!(peaks(of, 7), Vec::<Value>::new(), "{of}, after its end");
    }
    let service = peaks("dim=service&id=102", 3);
    assert_eq!(service[0]["target"], json!({"dim": "service", "id": 102, "service": 1}));
}

/// Every value of a day's hours, by figure.
fn hours(house: &House, figure: &str, of: (i64, i64)) -> (usize, Value) {
    let found = series(house, figure, "HOUR&dim=tenant&id=102", of);
    let bins = found["bins"].as_array().unwrap();
    let mut starts: Vec<&Value> = bins.iter().collect();
    starts.dedup();
    assert_eq!(starts.len(), bins.len(), "each hour begins at an instant of its own");
    (bins.len(), column(&found, 0, "values"))
}

#[test]
fn a_call_over_midnight_and_the_spring_change() {
    let house = berlin();
    // 23:30 on Saturday until 03:30 on Sunday: three hours of the clock less one
    let (start, end) = (1_774_737_000_000, 1_774_747_800_000);
    let leg = Leg::new(1, start);
    send(&house, &[record_start(&leg), record_end(&leg, end)]);
    let saturday = 1_774_652_400_000;
    let (sunday, monday) = (saturday + 24 * HOUR_MS, saturday + 47 * HOUR_MS);
    let days = |figure: &'static str| {
        move |house: &House| {
            let found = series(house, figure, "DAY&dim=tenant&id=102", (saturday, monday));
            assert_eq!(found["bins"], json!([at(saturday), at(sunday)]));
            column(&found, 0, "values")
        }
    };
    comes_to(&house, &json!([1, 0]), days("arrivals"));
    comes_to(&house, &json!([0, 10_800_000]), days("durations"));
    comes_to(&house, &json!([1, 1]), days("peaks"));
    let mut there = vec![0; 23];
    there[..3].fill(1);
    let peaks = hours(&house, "peaks", (sunday, monday));
    assert_eq!(peaks, (23, json!(there)));
    let mut ended = vec![0; 23];
    ended[2] = 10_800_000;
    assert_eq!(hours(&house, "durations", (sunday, monday)), (23, json!(ended)));
}

#[test]
fn the_autumn_change_has_two_hours_of_one_name() {
    let house = berlin();
    let sunday = 1_792_879_200_000;
    let monday = sunday + 25 * HOUR_MS;
    // one call at 02:30 of summer, two at 02:30 of winter
    let starts = [2 * HOUR_MS, 3 * HOUR_MS, 3 * HOUR_MS].map(|at| sunday + at + HOUR_MS / 2);
    for (n, start) in (1..).zip(starts) {
        let leg = Leg::new(n, start);
        send(&house, &[record_start(&leg), record_end(&leg, start + 1000)]);
    }
    let mut expected = vec![0; 25];
    (expected[2], expected[3]) = (1, 2);
    comes_to(&house, &(25, json!(expected)), |house| hours(house, "arrivals", (sunday, monday)));
    comes_to(&house, &json!([3]), |house| {
        column(&series(house, "arrivals", "DAY&dim=tenant&id=102", (sunday, monday)), 0, "values")
    });
}

#[test]
fn an_adopted_call_counts_at_each_node_while_that_had_it() {
    let house = berlin();
    let (start, taken, end) = (BASE_MS + 120_000, BASE_MS + 450_000, BASE_MS + 720_000);
    let first = Leg::new(1, start);
    let mut last = record_end(&Leg { node: 2, ..Leg::new(1, start) }, end);
    last["epoch"] = json!(2);
    last["owners"] = json!([
        {"component": {"name": "rm-1", "dbid": 101}, "from": at(start)},
        {"component": {"name": "rm-2", "dbid": 103}, "from": at(taken)},
    ]);
    last["id"] = json!(last["id"].as_str().unwrap().replace("/1.1", "/2.1"));
    send(&house, &[record_start(&first), last]);
    let span = (BASE_MS, BASE_MS + 3 * FIVE_MS);
    let nodes = |figure: &'static str| {
        move |house: &House| {
            let asked = "FIVE_MINUTES&dim=component&id=101&id=103";
            let found = series(house, figure, asked, span);
            (column(&found, 0, "values"), column(&found, 1, "values"))
        }
    };
    comes_to(&house, &(json!([1, 1, 0]), json!([0, 1, 1])), nodes("peaks"));
    comes_to(&house, &(json!([1, 0, 0]), json!([0, 0, 0])), nodes("arrivals"));
    comes_to(&house, &(json!([0, 0, 0]), json!([0, 0, 600_000])), nodes("durations"));
    let tenant = |figure: &str| {
        let found = series(&house, figure, "FIVE_MINUTES&dim=tenant&id=102", span);
        column(&found, 0, "values")
    };
    assert_eq!(tenant("peaks"), json!([1, 1, 1]));
    assert_eq!(tenant("arrivals"), json!([1, 0, 0]));
}

#[test]
fn a_session_of_three_legs_is_one_session_and_three_legs() {
    let house = berlin();
    let leg = |number: u32, node: u32, call_type: &'static str, from: i64| Leg {
        node,
        leg: number,
        call_type,
        ..Leg::new(1, BASE_MS).from(BASE_MS + from)
    };
    let legs = [
        (leg(1, 1, "INBOUND", 0), 600_000),
        (leg(2, 1, "BRIDGED", 10_000), 590_000),
        (leg(3, 2, "OUTBOUND", 100_000), 300_000),
    ];
    for (leg, to) in &legs {
        send(&house, &[record_end(leg, BASE_MS + to), record_start(leg)]);
    }
    let span = (BASE_MS, BASE_MS + HOUR_MS);
    let told = |house: &House, asked: &str| {
        ["arrivals", "peaks", "durations"].map(|figure| {
            let found = series(house, figure, &format!("HOUR&{asked}"), span);
            column(&found, 0, "values")[0].as_i64().unwrap()
        })
    };
    for of in ["dim=all", "dim=tenant&id=102", "dim=profile&id=189", "dim=dn&id=18005550100"] {
        comes_to(&house, &[1, 1, 600_000], |house| told(house, of));
        comes_to(&house, &[1, 1, 600_000], |house| told(house, &format!("{of}&count=sessions")));
        comes_to(&house, &[3, 3, 1_380_000], |house| told(house, &format!("{of}&count=legs")));
    }
    for (of, expected) in [("101", [2, 2, 1_180_000]), ("103", [1, 1, 200_000])] {
        comes_to(&house, &expected, |house| told(house, &format!("dim=component&id={of}")));
    }
    let found = series(&house, "arrivals", "HOUR&dim=tenant&id=102", span);
    assert_eq!(found["count"], "sessions");
    assert_eq!(found["series"][0]["by_type"], json!({"INBOUND": [1]}), "the first leg's type");
    for of in ["component", "kind", "service"] {
        let asked = format!(
            "/api/v1/series/arrivals?granularity=HOUR&dim={of}&count=sessions\
             &from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00Z"
        );
        assert_eq!(house.refusal(&asked), (400, "count-not-available".to_owned()));
    }
}
