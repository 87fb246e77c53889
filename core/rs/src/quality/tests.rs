//! Rows of failures, with and without their call, and who says that a call was served badly.

use model::record::{Arrived, Record};
use model::time::Millis;
use serde_json::{Value, json};

use super::{FailureRow, QualityFact, failed};
use crate::fact::{Fact, Told};
use crate::merge::CallState;
use crate::row::{CallRow, Named, ProfileName};

fn read(body: &Value) -> (Record, Fact) {
    let arrived = Arrived { at: Millis::parse("2026-11-23T12:00:00Z").unwrap(), message_id: None };
    let (record, notes) = Record::read(body.to_string().as_bytes(), &arrived).unwrap();
    let fact = Fact::of(&record, &notes);
    (record, fact)
}

fn sq_call(more: Value) -> QualityFact {
    let mut record = json!({
        "schema": 1, "kind": "sq.call", "id": "mcp-1:S/sq/0.1", "time": "2026-11-22T10:01:00Z",
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "S", "failed": true,
        "failures": [
            {"time": "2026-11-22T10:00:03Z", "type": "LATENCY", "latency_type": "PAGE_FETCH",
             "value_ms": 4100, "threshold_ms": 1000},
            {"time": "2026-11-22T10:00:04Z", "type": "FETCH", "text": "404"},
        ],
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    QualityFact::of(&read(&record).0).unwrap()
}

fn cdr(more: Value) -> (Record, CallRow) {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": "mcp-1:S/cdr.end/0", "time": "2026-11-22T10:01:00Z",
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "phase": "end", "session_id": "S", "started_at": "2026-11-22T10:00:00Z",
        "ended_at": "2026-11-22T10:01:00Z", "end_state": "APP_END", "call_type": "INBOUND",
        "local_uri": "sip:l", "remote_uri": "sip:r", "guid": "G-1",
        "tenant": {"name": "acme", "dbid": 102}, "profile": {"name": "main", "dbid": 189},
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    let (record, fact) = read(&record);
    let Told::Call(call) = fact.told else { panic!("a call") };
    let mut state = CallState::new([1; 16]);
    state.apply(&call);
    (record, state.row(None))
}

#[test]
fn a_failure_takes_from_its_call_what_it_does_not_say() {
    let (_, row) = cdr(json!({}));
    let bare = sq_call(json!({}));
    let rows: Vec<FailureRow> = bare.rows([9; 16], Some(&row)).collect();
    let named = |dbid, name: &str| Some(Named { dbid: Some(dbid), name: Some(name.to_owned()) });
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0].failure_key, rows[1].failure_key);
    assert_eq!((&rows[0].tenant, &rows[0].profile), (&named(102, "acme"), &named(189, "main")));
    assert_eq!(rows[0].guid.as_deref(), Some("G-1"));
    assert_eq!((rows[0].value_ms, rows[0].threshold_ms), (Some(4100), Some(1000)));
    assert_eq!((rows[1].kind, rows[1].text.as_deref()), (3, Some("404")));
    let own = sq_call(json!({"profile": {"dbid": 7}, "guid": "OTHER"}));
    let first = own.rows([9; 16], Some(&row)).next().unwrap();
    assert_eq!(first.profile, Some(Named { dbid: Some(7), name: None }));
    assert_eq!((first.tenant, first.guid.as_deref()), (named(102, "acme"), Some("OTHER")));
    let alone = bare.rows([9; 16], None).next().unwrap();
    assert_eq!((alone.tenant, alone.profile, alone.guid), (None, None, None));
    assert_eq!(
        row.profile,
        Some(ProfileName { dbid: Some(189), name: Some("main".to_owned()), service: None })
    );
}

#[test]
fn any_fact_that_says_so_makes_a_call_a_failed_one() {
    let (bad, good) = (sq_call(json!({})), sq_call(json!({"failed": false, "failures": []})));
    assert_eq!(failed(None, []), None);
    assert_eq!(failed(None, [&good]), Some(false));
    assert_eq!(failed(None, [&good, &bad, &good]), Some(true));
    assert_eq!(failed(Some(true), [&good]), Some(true));
    assert_eq!(failed(Some(false), []), Some(false));
}

#[test]
fn a_cdr_says_it_too() {
    let sq =
        json!({"failed": true, "failures": [{"time": "2026-11-22T10:00:03Z", "type": "MRCP"}]});
    let (record, row) = cdr(json!({"sq": sq}));
    let fact = QualityFact::of(&record).unwrap();
    assert_eq!((row.sq_failed, fact.failed, fact.failures.len()), (Some(true), true, 1));
    assert_eq!(fact.time_ms, row.started_ms);
    assert_eq!(QualityFact::of(&cdr(json!({})).0), None);
    assert_eq!(QualityFact::of(&cdr(json!({"sq": {"failed": true}})).0), None);
}

#[test]
fn its_column_reads_back() {
    let fact = sq_call(json!({"tenant": {"name": "acme"}}));
    let bytes = fact.encode();
    assert_eq!(QualityFact::decode(&bytes), Some(fact));
    assert_eq!(QualityFact::decode(&[2]), None);
    assert_eq!(QualityFact::decode(&bytes[..bytes.len() - 1]), None);
    assert_eq!(QualityFact::decode(&[]), None);
}
