//! Figures of which the latest count: outbound totals and values of MIBs.

use rsd::store::Store;
use rsd::store::sqlite::Sqlite;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::made::{Made, arrivals, at};
use super::{NOW, postgres};
use crate::postgres::Server;

const TOTALS: &str = "SELECT queued FROM rs_outbound_total";
const VALUES: &str = "SELECT value FROM rs_snmp_value";

fn record(kind: &str, (id, second): (u64, u64), values: &Value) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": kind, "id": format!("ssg-1/2/{kind}/{id}"), "time": at(second),
        "producer": {"name": "ssg-1"}, "component": {"name": "ssg-1", "type": "SSG"},
        "values": [values],
    }))
}

/// A total and a value: `id` and second, and what they tell.
fn both(of: (u64, u64), number: u64) -> [Made; 2] {
    let total = json!({"tenant": {"name": "acme"}, "queued": number, "successful": 0, "failed": 0});
    let value = json!({"name": "mcpSessions", "value": number.to_string()});
    [record("or.outbound", of, &total), record("or.snmp", of, &value)]
}

/// What is there when these came one after another.
fn left(orders: &[[Made; 2]], store: &dyn Store) {
    for (seq, records) in (1..).zip(orders) {
        store.apply(&arrivals(records, seq * 10, 2), NOW).unwrap();
    }
}

/// In files and in PostgreSQL.
fn told(orders: &[[Made; 2]]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    left(orders, &Sqlite::new(dir.path().to_owned(), NOW));
    let db = Connection::open(dir.path().join("rs.db")).unwrap();
    let total: i64 = db.query_row(TOTALS, [], |row| row.get(0)).unwrap();
    let value: String = db.query_row(VALUES, [], |row| row.get(0)).unwrap();
    let server = Server::start();
    left(orders, &*postgres(&server.url(), "public"));
    let of_server = [TOTALS, VALUES].map(|sql| server.sql(sql).trim().to_owned());
    assert_eq!(of_server, [total.to_string(), value], "as in the files");
    of_server.into()
}

#[test]
fn the_latest_counts_and_of_two_contents_the_one_that_has_the_id() {
    let (early, late) = (both((1, 100), 7), both((2, 200), 8));
    for orders in [[early.clone(), late.clone()], [late, early]] {
        assert_eq!(told(&orders), ["8", "8"]);
    }
    let contents = [both((3, 300), 1), both((3, 300), 2)];
    let [one, other] = [[0, 1], [1, 0]].map(|order| told(&order.map(|at| contents[at].clone())));
    assert_eq!(one, other, "whichever came first");
}
