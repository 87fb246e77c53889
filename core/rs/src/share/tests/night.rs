//! Calls over midnight, and what hangs on them on the days beside.

use super::*;

/// Seconds after 2026-11-22T23:59:00Z.
pub(super) fn night(second: u64) -> Millis {
    Millis(1_795_391_940_000 + second * 1000)
}

pub(super) fn of(session: &str, phase: &str, started: u64, time: u64, more: Value) -> Message {
    let mut record = json!({"id": format!("mcp-1:{session}/cdr.{phase}/{started}"),
        "started_at": night(started), "time": night(time)});
    if phase == "end" {
        record["ended_at"] = json!(night(time));
    }
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    mcp(phase, session, 0, record)
}

pub(super) fn said(id: u64, time: u64, label: &str, text: &str, whose: Value) -> Message {
    let mut record = json!({
        "schema": 1, "kind": "call.event", "id": format!("mcp-1:N/ev/0.{id}"),
        "time": night(time), "producer": {"name": "mcp-1"}, "level": "METRIC",
        "component": {"name": "mcp-1", "type": "MCP"}, "log_id": "log",
        "label": format!("com.genesyslab.var.{label}"), "text": text,
    });
    for (key, value) in whose.as_object().unwrap() {
        record[key] = value.clone();
    }
    Message(record.to_string(), None)
}

pub(super) fn served(id: u64, time: u64, whose: Value) -> Message {
    let mut record = json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:N/sq/0.{id}"), "time": night(time),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "failed": true, "failures": [{"time": night(time), "type": "FETCH", "text": "t"}],
    });
    for (key, value) in whose.as_object().unwrap() {
        record[key] = value.clone();
    }
    Message(record.to_string(), None)
}

const OTHER: &str = "7F000000-0000-4000-8000-000000000001";

/// `N` begins a minute before midnight and ends after it, `P` begins with the day; the session id
/// of `N` is used again the day after.
pub(super) fn records() -> Vec<Message> {
    let (n, p) = (json!({"session_id": "N"}), json!({"session_id": "P"}));
    let guid = json!({ "guid": OTHER });
    vec![
        of("N", "start", 30, 30, json!({"profile": {"name": "main"}})),
        of("N", "end", 30, 100, guid.clone()),
        of("N", "end", 70_000, 70_100, json!({})),
        said(1, 40, "ActionStart", "login", n.clone()),
        said(2, 90, "ActionEnd", "login|SUCCESS|late", n.clone()),
        said(3, 95, "CallResult", "FAILED|by its guid", guid),
        said(4, 69_950, "CallNotes", "a minute before", n.clone()),
        said(5, 58, "CustomVar", "of|P", p.clone()),
        of("P", "start", 62, 62, json!({})),
        served(1, 99, n),
        served(3, 55, p),
    ]
}

pub(super) fn of_session(tables: &Tables, session: &str, started: u64) -> CallLine {
    let started = i64::try_from(night(started).0).unwrap();
    let is = |line: &&CallLine| line.row.session_id == session && line.row.started_ms == started;
    tables.calls.values().find(is).unwrap().clone()
}

#[test]
fn what_comes_after_midnight_or_before_its_call_meets_it() {
    let records = records();
    let forward: Vec<&Message> = records.iter().collect();
    let backward: Vec<&Message> = records.iter().rev().collect();
    for order in [&forward, &backward] {
        for split in [1, 100] {
            for tables in [stored(order, split), stored_by_day(order, split)] {
                let n = of_session(&tables, "N", 30);
                let action = &n.var.actions[0];
                assert_eq!((action.result, action.reason.as_deref()), (Some(1), Some("late")));
                let result = n.var.call.as_ref().unwrap();
                assert_eq!(result.reason.as_deref(), Some("by its guid"));
                assert_eq!((n.row.sq_failed, n.day), (Some(true), 20_261_122));
                let again = of_session(&tables, "N", 70_000);
                let notes = again.var.call.as_ref().unwrap().notes.as_deref();
                assert_eq!((notes, again.row.sq_failed), (Some("a minute before"), None));
                let p = of_session(&tables, "P", 62);
                assert_eq!((&*p.var.custom[0].value, p.row.sq_failed), ("P", Some(true)));
                let lent = tables.failures.values().filter(|line| line.profile_id.is_some());
                assert_eq!((lent.count(), tables.failures.len()), (1, 2));
            }
        }
    }
}

/// A report that names only the GUID is not wiped by what comes of its call later.
#[test]
fn a_report_by_its_guid_stays() {
    let records = records();
    let mut tables = stored(&[&records[1], &records[5]], 1);
    tables.apply(&[&records[0]]);
    let n = of_session(&tables, "N", 30);
    assert_eq!(n.var.call.unwrap().reason.as_deref(), Some("by its guid"));
    assert!(n.row.ended_ms.is_some());
}
