//! Figures before and after an erasure: every row of every bin, of all lengths.

use std::collections::{BTreeMap, BTreeSet};

use rs::rollup::{BinRows, Dim, Granularity, Meta, Weekday, Zone, rebuild, text_id};
use rsd::store::Store;
use serde_json::json;

use super::super::bins;
use super::super::made::{Made, at};
use super::NUMBER;

/// What a producer counted itself, of the number and of others.
pub(super) fn own(kind: &str, number: &str) -> Made {
    let value = |dim: &str, name: &str| {
        json!({"dim": dim, "name": name, "count": 2, "level_start": 0, "peak": 1,
            "deltas": [[1000, 1], [2000, -1]]})
    };
    let values = [value("dn", number), value("dn", "1800"), value("tenant", "acme")];
    Made::of(&json!({
        "schema": 1, "kind": kind, "id": format!("ccp-1/9/{kind}/1500/1"), "time": at(1800),
        "producer": {"name": "ccp-1"}, "component": {"name": "ccp-1", "type": "CCP"},
        "bin_start": at(1500), "bin_seconds": 300, "basis": "own", "measure": "sessions",
        "values": values,
    }))
}

/// Has every bin of the story made again.
pub(super) fn again(store: &dyn Store) {
    let ms = |second: u64| i64::try_from(at(second).0).unwrap();
    let zone = Zone::new(3600, [], Weekday::Monday);
    let marks = rebuild(&zone, ms(0), ms(2 * 86_400));
    store.bins().unwrap().note(&marks, &Meta::new(), 0).unwrap();
}

/// What bins tell when all is made.
#[derive(Debug, PartialEq)]
pub(super) struct Rolled {
    /// All but the figures of the number, with reasons and actions by their texts.
    pub(super) rows: Vec<String>,
    /// The same, whatever the reason was.
    pub(super) results: Vec<String>,
    /// Figures of the number itself.
    pub(super) of_number: usize,
}

/// Makes what is marked.
pub(super) fn rolled(store: &dyn Store) -> Rolled {
    let _made = bins::answers(store);
    let bins = store.bins().unwrap();
    let (mut rows, mut of_number) = (Vec::new(), 0);
    let mut sums: BTreeMap<[String; 2], (i64, i64)> = BTreeMap::new();
    for of in Granularity::ALL {
        let found: BinRows = bins.rows(of, 0, i64::MAX).unwrap();
        let nobody = text_id(&"9".repeat(NUMBER.len()));
        let mut is_plain = |dim: u8, id: i64| {
            let of_dn = dim == Dim::Dn.number();
            assert!(!of_dn || id != nobody, "a number that is none");
            let own = of_dn && id == text_id(NUMBER);
            of_number += usize::from(own);
            !own
        };
        let counts = found.counts.iter().filter(|row| is_plain(row.dim, row.dim_id));
        rows.extend(counts.map(|row| format!("{row:?}")));
        let levels = found.levels.iter().filter(|row| is_plain(row.dim, row.dim_id));
        rows.extend(levels.map(|row| format!("{row:?}")));
        rows.extend(found.quality.iter().map(|row| format!("{row:?}")));
        rows.extend(found.latencies.iter().map(|row| format!("{row:?}")));
        let reasons = found.outcomes.iter().map(|row| row.reason_key);
        let keys: BTreeSet<i64> =
            reasons.chain(found.actions.iter().map(|row| row.action_key)).collect();
        let texts = bins.texts(&keys).unwrap();
        let text = |key: i64| {
            let text = texts.get(&key).map_or("", String::as_str);
            text.replace(NUMBER, &"9".repeat(NUMBER.len()))
        };
        for row in &found.actions {
            rows.push(format!("{} {:?}", text(row.action_key), (row.at, row.dim, row.count)));
        }
        for row in &found.outcomes {
            let key = format!("{:?}", (row.at, row.dim, row.dim_id, row.result));
            let sum = sums.entry([key, text(row.reason_key)]).or_default();
            *sum = (sum.0 + row.count, sum.1 + row.duration_ms);
        }
    }
    rows.sort();
    let mut results: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for ([key, _], (count, duration)) in &sums {
        let sum = results.entry(key).or_default();
        *sum = (sum.0 + count, sum.1 + duration);
    }
    let results = results.into_iter().map(|row| format!("{row:?}"));
    let results = rows.iter().cloned().chain(results).collect();
    rows.extend(sums.into_iter().map(|row| format!("{row:?}")));
    Rolled { rows, results, of_number }
}
