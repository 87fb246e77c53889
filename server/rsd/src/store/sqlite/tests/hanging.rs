//! Reports of voice applications and quality, as the tables have them: after every order and split
//! the same, and in a call as it is asked for.

use std::collections::BTreeSet;

use model::record::CallGuid;
use rusqlite::Connection;
use serde_json::json;

use super::made::{self, Made, arrivals, mcp, rm};
use super::{NOW, open, set_fault};
use crate::store::{CallName, Store};

fn said(time: u64, label: &str, text: &str) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "var", "id": format!("mcp-1:E1/var/0.{time}"), "time": made::at(time),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "E1", "label": format!("com.genesyslab.var.{label}"), "text": text,
    }))
}

fn quality(failed: bool) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "sq.call", "id": "mcp-1:E1/sq/0.1", "time": made::at(60),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "E1", "failed": failed,
        "failures": [{"time": made::at(30), "type": "MRCP", "text": "no server"}],
    }))
}

/// A session whose call ends after its reports, with RM's leg that lends the tenant.
fn session() -> Vec<Made> {
    vec![
        rm(1, 10).tenant("acme", Some(102)).profile("main", Some(189)).start(),
        mcp("E1", 10).guid(1).start(),
        said(11, "ActionStart", "login"),
        said(12, "ActionStart", "pin|parentID=login"),
        said(13, "ActionEnd", "pin|FAILED|two tries"),
        said(14, "ActionEnd", "pin|FAILED"),
        said(15, "CustomVar", "plan|gold"),
        said(16, "CallResult", "SUCCESS|told"),
        quality(true),
        mcp("E1", 10).guid(1).end(70),
    ]
}

/// All rows of these tables as text.
fn tables(dir: &std::path::Path) -> String {
    let db = Connection::open(dir.join("days/20261122.db")).unwrap();
    let rows = |sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    let all = [
        "SELECT * FROM rs_var_call ORDER BY call_key",
        "SELECT * FROM rs_var_action ORDER BY call_key, n",
        "SELECT * FROM rs_var_custom ORDER BY call_key, name",
        "SELECT * FROM rs_sq_call",
        "SELECT failure_key, id_key, time_ms, session_id, profile_id, tenant_id, type, text
         FROM rs_sq_failure",
        "SELECT session_id, sq_failed FROM rs_call ORDER BY call_key",
    ];
    all.map(|sql| rows(sql).join("\n")).join("\n\n")
}

#[test]
fn reports_become_rows_of_their_call() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let applied = store.apply(&arrivals(&session(), 1, 1), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (10, 0));
    let ignored: u64 = applied.ignored.iter().sum();
    assert_eq!(ignored, 1, "an end of an action that is not open");
    let legs = store.call(&CallName::Guid(CallGuid::new(&made::guid(1))), true).unwrap();
    let var = &legs.iter().find(|leg| leg.call.session_id == "E1").unwrap().var;
    let call = var.call.as_ref().unwrap();
    assert_eq!((call.result, call.reason.as_deref()), (Some(1), Some("told")));
    let actions: Vec<_> =
        var.actions.iter().map(|row| (&*row.action, row.parent_n, row.result)).collect();
    assert_eq!(actions, [("login", None, Some(3)), ("pin", Some(1), Some(2))]);
    assert_eq!(var.actions[0].ended_ms, Some(made::at(70).0.cast_signed()), "open at the end");
    assert!(tables(dir.path()).contains("no server"));
}

#[test]
fn any_order_and_split_give_the_same_rows() {
    let whole = tempfile::tempdir().unwrap();
    open(whole.path()).apply(&arrivals(&session(), 1, 1), NOW).unwrap();
    let expected = tables(whole.path());
    for turn in 0..session().len() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let mut records = session();
        records.rotate_left(turn);
        records.reverse();
        for (seq, record) in (1..).zip(&records) {
            store.apply(&arrivals(std::slice::from_ref(record), seq, 1), NOW).unwrap();
        }
        assert_eq!(tables(dir.path()), expected, "turned by {turn}");
    }
}

#[test]
fn the_loser_of_a_conflict_leaves_no_row() {
    let mut seen = Vec::new();
    for order in [[true, false], [false, true]] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let mut records = session();
        records.retain(|record| record.body() != quality(true).body());
        records.extend(order.map(quality));
        for (seq, record) in (1..).zip(&records) {
            store.apply(&arrivals(std::slice::from_ref(record), seq, 1), NOW).unwrap();
        }
        assert_eq!(store.dead_letters().unwrap().get("id_conflict"), Some(&1));
        seen.push(tables(dir.path()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn an_event_in_the_place_of_another_leaves_one_row_and_two_letters() {
    let texts = ["plan|gold", "plan|iron", "plan|lead"];
    let mut winners = BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for (seq, at) in (1..).zip(order) {
            let record = said(15, "CustomVar", texts[at]);
            store.apply(&arrivals(&[record], seq, 1), NOW).unwrap();
        }
        let db = Connection::open(dir.path().join("days/20261122.db")).unwrap();
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        winners.insert(one("SELECT group_concat(text) FROM rs_call_event"));
        let letters = "SELECT group_concat(CAST(body AS TEXT)) FROM rs_dead_letter";
        assert_eq!(one(letters).matches("plan|").count(), 2, "{}", one(letters));
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert!(winners.iter().all(|winner| texts.contains(&&**winner)), "{winners:?}");
}

/// A call over midnight: its reports lie in the file of the day after.
pub(super) fn at_night() -> Vec<Made> {
    let said = |time: u64, label: &str, text: &str, whose: (&str, &str)| {
        let mut record = json!({
            "schema": 1, "kind": "call.event", "id": format!("mcp-1:N/ev/0.{time}"),
            "time": made::at(time), "producer": {"name": "mcp-1"}, "level": "METRIC",
            "component": {"name": "mcp-1", "type": "MCP"}, "log_id": "log", "text": text,
            "label": format!("com.genesyslab.var.{label}"),
        });
        record[whose.0] = json!(whose.1);
        Made::of(&record)
    };
    let other = "7F000000-0000-4000-8000-000000000001";
    vec![
        said(86_405, "ActionStart", "login", ("session_id", "N")),
        said(86_406, "CallResult", "FAILED|by its guid", ("guid", other)),
        mcp("N", 86_390).start(),
        Made::text(&mcp("N", 86_390).end(86_420).body().replacen(
            "\"kind\"",
            &format!("\"guid\":\"{other}\",\"kind\""),
            1,
        )),
        said(86_410, "ActionEnd", "login|SUCCESS|late", ("session_id", "N")),
    ]
}

fn var_of(dir: &std::path::Path) -> String {
    let db = Connection::open(dir.join("days/20261122.db")).unwrap();
    let sql = "SELECT action || '|' || a.result || '|' || a.reason || '|' || c.reason
        FROM rs_var_action a JOIN rs_var_call c USING (call_key)";
    db.query_row(sql, [], |row| row.get(0)).unwrap_or_default()
}

/// Whatever came first, however it was split, and wherever the power went.
#[test]
fn what_lies_in_the_file_of_the_day_after_meets_its_call() {
    for turn in 0..at_night().len() {
        for per_batch in [1, 5] {
            for fault in 0..30 {
                let dir = tempfile::tempdir().unwrap();
                let mut store = open(dir.path());
                set_fault(&store, Some(fault));
                let mut records = at_night();
                records.rotate_left(turn);
                let mut crashed = false;
                for batch in made::split(arrivals(&records, 1, 1), per_batch) {
                    while store.apply(&batch, NOW).is_err() {
                        crashed = true;
                        drop(store);
                        store = open(dir.path());
                    }
                }
                let expected = "login|1|late|by its guid";
                assert_eq!(var_of(dir.path()), expected, "{turn} {per_batch} {fault}");
                if !crashed {
                    break;
                }
            }
        }
    }
}
