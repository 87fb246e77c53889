//! The number in every text of every kind of record, and what is left of it in the files.
//!
//! Left by design, and not planted here: what names a record, a call or a producer (ids, GUIDs,
//! sessions, `call_uuid`, message ids), an object (components, tenants, profiles, resources), or a
//! kind of things (`log_id`, types of latencies); and where a call went, if nothing else in it
//! tells the number.

use std::path::Path;

use rsd::store::Store;
use rsd::store::erasing::forget;
use rsd::store::sqlite::Sqlite;
use serde_json::{Value, json};

use super::super::custody::line;
use super::super::made::{Made, arrivals, at, event, mcp, rm, var};
use super::super::{NOW, bins};
use super::{NUMBER, begin, calls, rolled, shown, to_its_end};

/// How many of the calls tell it.
pub(crate) const CALLS: i64 = 3;

fn value(made: &Made) -> Value {
    serde_json::from_str(&made.body()).unwrap()
}

/// A record with more in it.
fn with(made: &Made, more: Value) -> Made {
    let mut record = value(made);
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    Made::of(&record)
}

/// A record that hangs on no call.
fn kept(kind: &str, more: Value) -> Made {
    let record = json!({
        "schema": 1, "kind": kind, "id": format!("mcp-1/9/{kind}/20/1"), "time": at(2000),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "x_said": NUMBER, "x_all": {"of": [format!("for {NUMBER}")]},
    });
    with(&Made::of(&record), more)
}

/// What a voice application reports.
fn report(time: u64, label: &str, text: &str) -> Made {
    let label = format!("com.genesyslab.var.{label}");
    with(&event("E5DE", time, "log"), json!({"label": label, "text": text}))
}

/// The calls that tell it, and their events.
fn said() -> Vec<Made> {
    let n = NUMBER;
    let failures = json!([{"time": at(2010), "type": "MRCP", "text": format!("no {n}")}]);
    let call = with(
        &rm(150, 2000).dn(n).end(2040),
        json!({
            "local_uri": format!("sip:{n}@gvp.example"), "remote_uri": format!("tel:+{n}"),
            "call_id": format!("{n}-1@10.0.0.7"), "reason": format!("asked {n}"),
            "resource": {"group": "mcp", "name": "mcp-1", "address": format!("sip:{n}@10.0.0.11")},
            "policy": {"rule": "usage_limit", "scope": "tenant", "name": format!("of {n}")},
            "trace": [{"stage": "select", "candidate": format!("sip:{n}@gw"), "verdict": "chosen",
                       "reason": format!("did {n}")}],
            "ani": n, "dialled": n, "from_tag": n, "reason_header": format!("Q.850;text={n}"),
            "x_more": {"of": [n]},
        }),
    );
    let media = with(
        &mcp("E5DE", 2001).guid(150).end(2039),
        json!({
            "result": "SUCCESS", "result_reason": format!("told {n}"), "notes": format!("for {n}"),
            "media": {"codecs": [format!("sip:{n}@gw")], "asr": {"used": true, "engine": "a"}},
            "sq": {"failed": true, "failures": failures},
        }),
    );
    // nothing else of it tells the number
    let started = with(&mcp("E5DF", 2100).end(2110), json!({"origin": format!("tel:+{n}")}));
    let text = json!({"text": format!("said {n}"), "label": format!("to {n}"), "x_ani": n});
    let verb = |time, more| {
        let record = with(&var("E5DE", time), more);
        let mut record = value(&record);
        record.as_object_mut().unwrap().remove("result");
        Made::of(&record)
    };
    vec![
        call,
        media,
        started,
        with(&event("E5DE", 2002, "log"), text),
        report(2003, "CallNotes", &format!("call back {n}")),
        report(2004, "CustomVar", &format!("of {n}|{n}")),
        report(2005, "ActionStart", &format!("ask-{n}")),
        report(2006, "ActionNotes", &format!("ask-{n}|for {n}")),
        report(2007, "ActionEnd", &format!("ask-{n}|FAILED|{n} unknown")),
        verb(2011, json!({"verb": "action_start", "action": format!("in-{n}")})),
        verb(2012, json!({"verb": "call_notes", "text": format!("also {n}")})),
        verb(2013, json!({"verb": "custom", "name": format!("n {n}"), "value": n})),
        with(&var("E5DE", 2014), json!({"reason": format!("balance of {n}")})),
        Made::of(&json!({
            "schema": 1, "kind": "sq.call", "id": "mcp-1:E5DE/sq/0.9", "time": at(2015),
            "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
            "session_id": "E5DE", "failed": true, "failures": failures, "x_said": n,
        })),
    ]
}

/// Every kind, in every text.
fn story() -> Vec<Made> {
    let n = NUMBER;
    let bin = |more: Value| {
        let bin = json!({"bin_start": at(1800), "bin_seconds": 300});
        value(&with(&Made::of(&bin), more))
    };
    let figures = json!([
        {"name": "ownCaller", "value": format!("last {n}")},
        {"name": format!("of {n}"), "value": "1"},
    ]);
    // of another id than in the story beside it
    let own = |kind| Made::text(&rolled::own(kind, n).body().replace("/1500/1", "/1500/2"));
    let mut all = said();
    all.extend([
        own("or.arrivals"),
        own("or.peaks"),
        kept("or.outbound", json!({"values": [{"queued": 1, "successful": 1, "failed": 0}]})),
        kept("or.snmp", json!({"values": figures})),
        kept(
            "or.integrity",
            json!({"minute": at(1800), "calls_in": 1, "records_out": 1,
            "in_progress": 0, "rejected": 0, "streams": {}}),
        ),
        kept("sq.latency", bin(json!({"type": "PAGE_FETCH", "samples": [81]}))),
        Made::text(&format!("torn, from {n}")),
        Made::text(&format!(r#"{{"kind":"nonsense","id":"e","from":"sip:{n}@gw"}}"#)),
    ]);
    all
}

/// What comes later is searched for it, too.
fn late() -> Vec<Made> {
    let n = NUMBER;
    let again = |made: &Made| Made::text(&made.body().replace("/20/1", "/20/2"));
    let value = json!([{"name": "ownCaller", "value": format!("late {n}")}]);
    vec![
        again(&kept("or.snmp", json!({"values": value, "time": at(2060)}))),
        report(2016, "CustomVar", &format!("late {n}|{n}")),
        Made::text(&format!("late, from {n}")),
    ]
}

pub(crate) fn fill(store: &dyn Store) {
    let (all, first) = (story(), 5000);
    let applied = store.apply(&arrivals(&all, first, 40), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (all.len() as u64 - 2, 2));
    // texts of figures
    let _rolled = bins::answers(store);
}

pub(crate) fn fill_late(store: &dyn Store) {
    let applied = store.apply(&arrivals(&late(), 6000, 40), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (2, 1));
}

/// Files with the number in their bytes.
fn files(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(NUMBER.len())
            .any(|part| part == NUMBER.as_bytes())
        {
            all.push(path.display().to_string());
        }
    }
    all
}

/// Tables of the files with a row that tells it.
fn tables(dir: &Path) -> Vec<String> {
    let mut telling = Vec::new();
    for file in ["rs.db", "days/20261122.db"] {
        let db = rusqlite::Connection::open(dir.join(file)).unwrap();
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let mut names = db.prepare(names).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for name in names.map(Result::unwrap) {
            let mut all = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = all.column_count();
            let rows = all.query_map([], |row| {
                let bytes = |at| match row.get_ref(at).unwrap() {
                    rusqlite::types::ValueRef::Text(bytes)
                    | rusqlite::types::ValueRef::Blob(bytes) => bytes.to_vec(),
                    _ => Vec::new(),
                };
                Ok((0..columns).flat_map(bytes).collect::<Vec<u8>>())
            });
            let tells = |row: Vec<u8>| row.windows(NUMBER.len()).any(|of| of == NUMBER.as_bytes());
            if rows.unwrap().map(Result::unwrap).any(tells) {
                telling.push(format!("{file} {name}"));
            }
        }
    }
    telling
}

#[test]
fn a_number_is_found_in_every_text_of_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    fill(&store);
    let before = tables(dir.path());
    for name in ["rs_call", "rs_call_event", "rs_var_custom", "rs_sq_failure"] {
        assert!(before.contains(&format!("days/20261122.db {name}")), "{before:?}");
    }
    for name in ["rs_kept_record", "rs_dead_letter", "rs_text_dim", "rs_snmp_value"] {
        assert!(before.contains(&format!("rs.db {name}")), "{before:?}");
    }
    begin(&store);
    to_its_end(&store);
    assert_eq!(tables(dir.path()), Vec::<String>::new());
    fill_late(&store);
    assert_eq!(tables(dir.path()), Vec::<String>::new());
    assert!(!shown(&store).contains(NUMBER), "{}", shown(&store));
    assert_eq!(store.erasing().erasures(1).unwrap()[0].calls, CALLS);
    drop(store);
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

/// A call over midnight that was served badly before and after it, which tells the number.
pub(crate) fn over_midnight(store: &dyn Store) {
    let midnight = 86_400;
    let night = |number: u64, time: u64| {
        let failures = json!([{"time": at(time), "type": "MRCP", "text": format!("no {NUMBER}")}]);
        Made::of(&json!({
            "schema": 1, "kind": "sq.call", "id": format!("mcp-1:E5DF/sq/0.{number}"),
            "time": at(time), "producer": {"name": "mcp-1"}, "session_id": "E5DF",
            "component": {"name": "mcp-1", "type": "MCP"}, "failed": true, "failures": failures,
        }))
    };
    let call = mcp("E5DF", midnight - 30);
    let told = [call.start(), night(1, midnight - 20), night(2, midnight + 20)];
    store.apply(&arrivals(&told, 1, 40), NOW).unwrap();
    store.apply(&arrivals(&[call.end(midnight + 30)], 50, 40), NOW).unwrap();
}

/// All calls are erased, whatever they tell.
pub(crate) fn forget_all(store: &dyn Store) {
    forget(store, &calls(store), &line("call-erasure")).unwrap();
}

/// The texts of a call's failures go with it, also from the rows that were made of them, and on the
/// other side of midnight.
#[test]
fn no_failure_of_a_call_that_is_erased_tells_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    over_midnight(&store);
    let telling = || {
        let rows = |day: &str| -> i64 {
            let db = rusqlite::Connection::open(dir.path().join(format!("days/{day}.db"))).unwrap();
            let texts = "SELECT count(*) FROM rs_sq_failure WHERE text IS NOT NULL";
            db.query_row(texts, [], |row| row.get(0)).unwrap()
        };
        [rows("20261122"), rows("20261123")]
    };
    assert_eq!(telling(), [1, 1]);
    forget_all(&store);
    assert_eq!(telling(), [0, 0]);
}
