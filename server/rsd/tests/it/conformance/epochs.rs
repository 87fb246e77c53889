//! Scenario 19, in any store: a node is taken for dead and its call for interrupted; three days
//! later the node that had taken it over tells the true end.

use std::collections::BTreeMap;

use model::record::{CallGuid, EndState};
use rs::rollup::{CountRow, Granularity, LevelRow, Zone, rebuild};
use rsd::store::bins::Bins;
use rsd::store::{CallName, Store};
use serde_json::{Value, json};

use super::NOW;
use super::figures::roll;
use super::made::{Made, arrivals, at, rm};

const HOUR: u64 = 3600;
const BEGAN: u64 = 50;
const PRESUMED: u64 = 1800;
const ENDED: u64 = 3 * 24 * HOUR + 2 * HOUR + 777;

fn told(end: &Made, more: &Value) -> Made {
    let mut record: Value = serde_json::from_str(&end.body()).unwrap();
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Made::of(&record)
}

/// Figures of the whole platform: arrivals and ends of legs, and how many were up.
type Counts = BTreeMap<(u8, i64), CountRow>;
type Ups = BTreeMap<(u8, i64), LevelRow>;

fn figures(bins: &dyn Bins) -> (Counts, Ups) {
    let (mut counts, mut ups) = (Counts::new(), Ups::new());
    for of in Granularity::ALL {
        let rows = bins.rows(of, 0, i64::MAX).unwrap();
        for row in rows.counts.into_iter().filter(|row| row.dim == 0 && row.measure == 1) {
            counts.insert((row.at.gran, row.at.bin_ms), row);
        }
        for row in rows.levels.into_iter().filter(|row| row.dim == 0 && row.measure == 1) {
            ups.insert((row.at.gran, row.at.bin_ms), row);
        }
    }
    (counts, ups)
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(at(seconds).0).unwrap()
}

/// Bins of each length that hold this second.
fn holding(seconds: u64) -> BTreeMap<u8, i64> {
    let zone = Zone::utc();
    let of = |of: Granularity| (of.number(), zone.bin(of, ms(seconds)).start_ms);
    Granularity::ALL.map(of).into()
}

pub(super) fn true_end(store: &dyn Store) {
    let call = rm(1000, BEGAN).tenant("acme", Some(102)).dn("1800");
    let guid: Value = serde_json::from_str(&call.start().body()).unwrap();
    let guid = guid["guid"].as_str().unwrap().to_owned();
    // others all the time, so that there are bins to correct
    let mut story: Vec<Made> =
        (0..75).map(|n| rm(n + 1, n * HOUR + 600).end(n * HOUR + 1900)).collect();
    story.push(call.start());
    story.push(told(&call.end(PRESUMED), &json!({"end_state": "INTERRUPTED"})));
    store.apply(&arrivals(&story, 1, 10), NOW).unwrap();
    roll(store);
    let bins = store.bins().unwrap();
    let name = CallName::Guid(CallGuid::new(&guid));
    let leg = || store.call(&name, false).unwrap().remove(0).call;
    assert_eq!(leg().end_state, Some(EndState::Interrupted));
    let (counts, ups) = figures(bins);

    let owners = json!([{"component": {"name": "rm-1", "dbid": 101}, "from": at(BEGAN)},
        {"component": {"name": "rm-2", "dbid": 103}, "from": at(PRESUMED)}]);
    let id = told(&call.end(ENDED), &json!({})).body();
    let id = serde_json::from_str::<Value>(&id).unwrap()["id"].as_str().unwrap().to_owned();
    let more = json!({"epoch": 2, "owners": owners, "id": id.replace("/cdr.end/1", "/cdr.end/2"),
        "component": {"name": "rm-2", "type": "RM", "dbid": 103},
        "producer": {"name": "rm-2"}});
    store.apply(&arrivals(&[told(&call.end(ENDED), &more)], 1000, 1), NOW).unwrap();
    roll(store);

    let leg = leg();
    assert_eq!(leg.end_state, Some(EndState::UserEnd));
    let length = ms(ENDED) - ms(BEGAN);
    assert_eq!((leg.started, leg.ended), (at(BEGAN), Some(at(ENDED))));
    let (after, up) = figures(bins);
    let (false_end, true_end) = (holding(PRESUMED), holding(ENDED));
    for key in counts.keys().chain(after.keys()) {
        let of = |rows: &Counts| {
            rows.get(key).map_or((0, 0, 0), |row| (row.count, row.ended, row.duration_ms))
        };
        let (before, now) = (of(&counts), of(&after));
        assert_eq!(before.0, now.0, "arrivals: {key:?}");
        let left = i64::from(false_end[&key.0] == key.1);
        let come = i64::from(true_end[&key.0] == key.1);
        assert_eq!(now.1 - before.1, come - left, "ends: {key:?}");
        let time = come * length - left * (ms(PRESUMED) - ms(BEGAN));
        assert_eq!(now.2 - before.2, time, "durations: {key:?}");
    }
    let mut between = 0;
    for (key, row) in &up {
        let (from, to) = (false_end[&key.0], true_end[&key.0]);
        let Some(before) = ups.get(key) else { continue };
        let more = i64::from(from < key.1 && key.1 <= to);
        assert_eq!(row.level_start - before.level_start, more, "level: {key:?}");
        if from < key.1 && key.1 < to {
            assert_eq!((row.peak - before.peak, row.net), (1, before.net), "peak: {key:?}");
            between += 1;
        }
    }
    assert!(between > 200, "{between} bins were corrected");
    let marks = rebuild(&Zone::utc(), ms(0), ms(ENDED + HOUR));
    bins.note(&marks, &rs::rollup::Meta::new(), 0).unwrap();
    roll(store);
    assert_eq!(figures(bins), (after, up), "made of the facts they are the same");
}
