//! Peaks of several objects as of one (rs.md §4.4, `combine`): exact, or refused.

use serde_json::{Value, json};

use super::figures_house::{BASE_MS, Leg, comes_to, record_end, send, series};
use super::house::House;

/// A leg of so many minutes of these tenants, on a node of RM.
fn leg(session: u64, (from, to): (i64, i64), tenants: &[u32], node: u32) -> Value {
    let at = |minute: i64| BASE_MS + minute * 60_000;
    let leg = Leg { node, leg: node, ..Leg::new(session, at(from)) };
    let mut record = record_end(&leg, at(to));
    let path: Vec<Value> =
        tenants.iter().map(|id| json!({"name": format!("t{id}"), "dbid": id})).collect();
    let last = tenants.last().unwrap();
    record["tenant"] = json!({"name": format!("t{last}"), "dbid": last, "path": path});
    record["dn"] = json!(format!("1800{session}"));
    record
}

fn peaks(house: &House, asked: &str) -> Value {
    let span = (BASE_MS, BASE_MS + 900_000);
    let found = series(house, "peaks", &format!("FIVE_MINUTES&{asked}"), span);
    let all = found["series"].as_array().unwrap().iter();
    all.map(|one| json!([one["target"], one["values"]])).collect()
}

const TENANTS: &str = "dim=tenant&id=102&id=104";
const NODES: &str = "dim=component&id=101&id=103";

/// Code of the refusal of a question.
fn refused(house: &House, figure: &str, asked: &str) -> String {
    let from = "from=2026-11-22T10:00:00Z&to=2026-11-22T10:15:00Z&granularity=FIVE_MINUTES";
    let answer = house.get(&format!("/api/v1/series/{figure}?{from}&{asked}"));
    assert_eq!(answer.status, 400, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn peaks_of_several_objects_are_those_of_one_or_refused() {
    let house = House::open();
    let records = [
        leg(1, (1, 6), &[102, 104], 1),
        leg(2, (2, 4), &[104], 1),
        leg(3, (6, 8), &[102], 1),
        leg(4, (8, 12), &[104], 2),
    ];
    send(&house, &records);
    let apart = json!([
        [{"dim": "tenant", "id": 102}, [1, 1, 0]],
        [{"dim": "tenant", "id": 104}, [2, 1, 1]],
    ]);
    comes_to(&house, &apart, |house| peaks(house, TENANTS));
    let nodes = json!([
        [{"dim": "component", "id": 101}, [2, 1, 0]],
        [{"dim": "component", "id": 103}, [0, 1, 1]],
    ]);
    assert_eq!(peaks(&house, NODES), nodes);
    assert_eq!(peaks(&house, &format!("{NODES}&combine=false")), nodes);

    // one session of both is one, and one that begins where another ends was never there with it
    let both = json!([[{"dim": "tenant", "ids": [102, 104]}, [2, 1, 1]]]);
    assert_eq!(peaks(&house, &format!("{TENANTS}&combine=true")), both);
    let both = json!([[{"dim": "component", "ids": [101, 103]}, [2, 1, 1]]]);
    assert_eq!(peaks(&house, &format!("{NODES}&combine=true")), both);
    let all = json!([[{"dim": "component", "ids": []}, [2, 1, 1]]]);
    assert_eq!(peaks(&house, "dim=component&combine=true"), all);
    let numbers = json!([[{"dim": "dn", "ids": ["18001", "18004"]}, [1, 1, 1]]]);
    assert_eq!(peaks(&house, "dim=dn&id=18001&id=18004&combine=true"), numbers);
    let hour =
        series(&house, "peaks", &format!("HOUR&{TENANTS}&combine=true"), (BASE_MS, BASE_MS + 1));
    assert_eq!(hour["series"][0]["values"], json!([2]));
    assert_eq!(hour["series"][0]["times"], json!(["2026-11-22T10:02:00.000Z"]));

    // by calls where lists of changes are not kept, and by these where calls are gone
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    let freeze = || {
        let far = ["rollup.frozen_ms".to_owned(), (BASE_MS + 3_600_000).to_string()];
        db.execute("INSERT OR REPLACE INTO rs_meta VALUES (?1, ?2)", far).unwrap();
    };
    freeze();
    assert_eq!(peaks(&house, &format!("{NODES}&combine=true")), both);
    let gone = "combined-peak-unavailable";
    assert_eq!(refused(&house, "peaks", &format!("{TENANTS}&combine=true")), gone);
    db.execute("DELETE FROM rs_meta WHERE key = 'rollup.frozen_ms'", []).unwrap();
    db.execute("UPDATE rs_conc_bin SET deltas = NULL", []).unwrap();
    assert_eq!(peaks(&house, &format!("{NODES}&combine=true")), both);
    freeze();
    assert_eq!(refused(&house, "peaks", &format!("{NODES}&combine=true")), gone);
    assert_eq!(refused(&house, "peaks", "dim=service&combine=true"), gone);
    assert_eq!(refused(&house, "arrivals", "combine=true"), "combine-not-available");
    assert_eq!(refused(&house, "peaks", "combine=maybe"), "bad-enum");
}
