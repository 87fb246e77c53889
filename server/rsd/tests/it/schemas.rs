//! The schemas of docs/reference/records by an independent validator (jsonschema, from PyPI), and
//! the daemon beside it: what it takes is valid there, what it makes a dead letter is not, as far
//! as a schema can say it (rs.md §2.1, §2.8).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use model::record::Kind;
use serde_json::{Map, Value, json};

use crate::api::house::{House, all_golden};

/// The version that `deploy/tools.sh` installs.
const VERSION: &str = "4.26.0";

fn schemas() -> BTreeMap<&'static str, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/records");
    let read = |kind: &Kind| {
        let text = std::fs::read_to_string(folder.join(format!("{kind}.json"))).unwrap();
        (kind.as_str(), serde_json::from_str(&text).unwrap())
    };
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), Kind::ALL.len(), "a schema a kind");
    Kind::ALL.iter().map(read).collect()
}

/// What the validator finds wrong with each.
fn faults(records: &[(&str, &Value)]) -> Vec<Vec<String>> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/jsonschema/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemas/validate.py");
    let mut validator = Command::new(python)
        .arg(script)
        .arg(VERSION)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("jsonschema is installed (test.sh does it)");
    let asked = json!({"schemas": schemas(), "records": records});
    let mut stdin = validator.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(&asked).unwrap()).unwrap();
    drop(stdin);
    let output = validator.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn kind(record: &Value) -> &str {
    record["kind"].as_str().unwrap()
}

/// What the daemon says of each: empty, or the code and the field.
fn verdicts(house: &House, records: &[Value]) -> Vec<String> {
    let body = serde_json::to_vec(records).unwrap();
    let json = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &json, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let mut verdicts = vec![String::new(); records.len()];
    for dead in answer["dead_lettered"].as_array().unwrap() {
        let at = usize::try_from(dead["index"].as_u64().unwrap()).unwrap();
        let [code, field] =
            ["code", "field"].map(|key| dead[key].as_str().unwrap_or_default().to_owned());
        verdicts[at] = format!("{code} {field}").trim_end().to_owned();
    }
    verdicts
}

fn golden() -> Vec<Value> {
    all_golden().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_golden_record_is_valid_and_taken_and_every_kind_is_among_them() {
    let records = golden();
    let mut kinds: Vec<&str> = records.iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
    let asked: Vec<_> = records.iter().map(|record| (kind(record), record)).collect();
    for (record, found) in records.iter().zip(faults(&asked)) {
        assert_eq!(found, Vec::<String>::new(), "{}", record["id"]);
    }
    assert_eq!(verdicts(&House::open(), &records), vec![""; records.len()]);
}

/// Whether the schema says the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Schema {
    /// Valid where the daemon takes it, invalid where it does not.
    Agrees,
    /// The daemon takes more: what an optional field cannot mean is set aside.
    Stricter,
    /// The daemon refuses more: what a schema has no words for.
    Milder,
}
use Schema::{Agrees, Milder, Stricter};

/// A golden record, what is put where in it (a pointer; `null` takes it away), and the verdict. The
/// record: start or end of RM's first call, start of the media server's, or the first of a kind.
type Row = (&'static str, &'static str, Value, &'static str, Schema);

fn text(count: usize) -> Value {
    json!("x".repeat(count))
}

/// What all records have, and the start of a call.
fn starts() -> Vec<Row> {
    vec![
        ("start", "/schema", json!(7), "", Agrees),
        ("start", "/schema", json!(0), "bad_value schema", Agrees),
        ("start", "/schema", json!("1"), "", Stricter),
        ("start", "/schema", json!(null), "missing_field schema", Agrees),
        ("start", "/id", json!("a b"), "bad_id id", Agrees),
        ("start", "/id", text(301), "bad_id id", Agrees),
        ("start", "/id", json!(7), "bad_type id", Agrees),
        ("start", "/id", json!(null), "missing_field id", Agrees),
        ("start", "/time", json!("yesterday"), "bad_time time", Agrees),
        ("start", "/time", json!("2026-11-22T10:00:00"), "bad_time time", Agrees),
        ("start", "/time", json!("1999-12-31T23:59:59Z"), "bad_time time", Milder),
        ("start", "/time", json!("2999-01-01T00:00:00Z"), "bad_time time", Milder),
        ("start", "/time", json!(1_795_341_600), "bad_type time", Agrees),
        ("start", "/producer", json!("rm-1"), "bad_type producer", Agrees),
        ("start", "/producer/name", json!(null), "missing_field producer.name", Agrees),
        ("start", "/producer/name", json!(""), "bad_value producer.name", Agrees),
        ("start", "/producer/seq", json!(null), "", Agrees),
        ("start", "/producer/seq", json!("x"), "", Stricter),
        ("start", "/producer/seq", json!(0), "", Stricter),
        ("mcp", "/result", json!("REJECTED"), "", Stricter),
        ("start", "/component/type", json!("XYZ"), "bad_value component.type", Agrees),
        ("start", "/component/type", json!(null), "missing_field component.type", Agrees),
        ("start", "/component/dbid", json!(-1), "", Stricter),
        ("start", "/component/dbid", json!(1_u64 << 31), "", Stricter),
        ("start", "/phase", json!("middle"), "bad_value phase", Agrees),
        ("start", "/guid", json!(null), "missing_field guid", Agrees),
        ("start", "/leg", json!(null), "missing_field leg", Agrees),
        ("start", "/leg", json!("690001"), "bad_value leg", Agrees),
        ("start", "/epoch", json!(null), "missing_field epoch", Agrees),
        ("start", "/session_id", json!(null), "missing_field session_id", Agrees),
        ("start", "/started_at", json!(null), "missing_field started_at", Agrees),
        ("start", "/call_type", json!("SIDEWAYS"), "bad_value call_type", Agrees),
        ("start", "/local_uri", json!(null), "missing_field local_uri", Agrees),
        ("start", "/remote_uri", json!({}), "bad_type remote_uri", Agrees),
        ("start", "/remote_uri", text(600), "", Stricter),
        ("start", "/profile", json!(7), "", Stricter),
        ("start", "/sip_status", json!("two hundred"), "", Stricter),
        ("start", "/unknown", json!({"kept": [1, 2, 3]}), "", Agrees),
    ]
}

fn other_phases() -> Vec<Row> {
    vec![
        ("end", "/ended_at", json!(null), "missing_field ended_at", Agrees),
        ("end", "/ended_at", json!("2026-11-22T09:00:00Z"), "", Agrees),
        ("end", "/end_state", json!(null), "missing_field end_state", Agrees),
        ("end", "/end_state", json!("EXPLODED"), "", Stricter),
        ("mcp", "/guid", json!(null), "", Agrees),
        ("mcp", "/session_id", json!(null), "missing_field session_id", Agrees),
        ("mcp", "/parent", json!({"session_id": "x"}), "", Stricter),
    ]
}

fn other_kinds() -> Vec<Row> {
    vec![
        ("call.event", "/level", json!("LOUD"), "bad_value level", Agrees),
        ("call.event", "/log_id", json!(null), "missing_field log_id", Agrees),
        ("call.event", "/session_id", json!(null), "", Agrees),
        ("var", "/label", json!(null), "missing_field verb", Agrees),
        ("or.arrivals", "/basis", json!("guess"), "bad_value basis", Agrees),
        ("or.arrivals", "/bin_seconds", json!(61), "bad_value bin_seconds", Agrees),
        ("or.arrivals", "/values", json!(null), "missing_field values", Agrees),
        ("or.arrivals", "/values/0/dim", json!("planet"), "bad_value values.0.dim", Agrees),
        ("or.arrivals", "/values/0/count", json!(-1), "bad_value values.0.count", Agrees),
        ("or.arrivals", "/values/0/count", json!(1_u64 << 32), "bad_value values.0.count", Agrees),
        ("or.arrivals", "/values/0/duration_ms", json!(u64::MAX), "", Stricter),
        ("or.peaks", "/values/0/peak", json!(u64::MAX), "bad_value values.0.peak", Agrees),
        ("or.peaks", "/values/0/deltas", json!([]), "", Agrees),
        ("or.peaks", "/values/0/deltas", json!(null), "missing_field values.0.deltas", Agrees),
        ("or.peaks", "/values/0/deltas", json!("none"), "bad_type values.0.deltas", Agrees),
        (
            "or.peaks",
            "/values/0/deltas",
            json!([[0, -4_294_967_296_i64]]),
            "bad_value values.0.deltas.0",
            Agrees,
        ),
        ("or.peaks", "/values/0/dbid", json!(i32::MAX), "", Agrees),
        ("or.peaks", "/values/0/dbid", json!(1_u64 << 31), "", Stricter),
        ("or.peaks", "/measure", json!("fax"), "bad_value measure", Agrees),
        ("or.peaks", "/values/0/peak", json!(null), "missing_field values.0.peak", Agrees),
        ("or.outbound", "/values/0/queued", json!(null), "missing_field values.0.queued", Agrees),
        ("or.snmp", "/values/0/name", json!(null), "missing_field values.0.name", Agrees),
        ("or.snmp", "/values", json!({}), "bad_type values", Agrees),
        ("or.integrity", "/calls_in", json!(null), "missing_field calls_in", Agrees),
        ("or.integrity", "/calls_in", json!(i64::MAX), "bad_value calls_in", Agrees),
        ("or.integrity", "/in_progress", json!(1_u64 << 32), "bad_value in_progress", Agrees),
        ("or.integrity", "/streams", json!([]), "bad_type streams", Agrees),
        ("or.integrity", "/minute", json!("noon"), "bad_time minute", Agrees),
        ("sq.latency", "/type", json!(null), "missing_field type", Agrees),
        ("sq.latency", "/samples", json!(null), "missing_field samples", Agrees),
        ("sq.latency", "/samples", json!([1_u64 << 32]), "bad_value samples.0", Agrees),
        ("sq.latency", "/bin_seconds", json!(7200), "bad_value bin_seconds", Agrees),
        ("sq.call", "/failed", json!("perhaps"), "bad_type failed", Agrees),
        ("sq.call", "/failed", json!(null), "missing_field failed", Agrees),
    ]
}

/// Puts a value where a pointer leads; `null` takes away what is there.
fn put(record: &mut Value, pointer: &str, value: &Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let object: &mut Map<String, Value> =
        record.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        assert!(object.remove(name).is_some(), "{pointer} is there");
    } else {
        object.insert(name.to_owned(), value.clone());
    }
}

#[test]
fn dead_letters_are_invalid_and_what_is_taken_is_valid_as_far_as_a_schema_can_say_it() {
    let golden = golden();
    let of = |wanted: &str| match wanted {
        "start" => &golden[0],
        "end" => &golden[1],
        "mcp" => &golden[3],
        wanted => golden.iter().find(|record| kind(record) == wanted).unwrap(),
    };
    let table = [starts(), other_phases(), other_kinds()].concat();
    let changed = |(which, at, value, ..): &Row| {
        let mut record = of(which).clone();
        put(&mut record, at, value);
        record
    };
    let records: Vec<Value> = table.iter().map(changed).collect();
    let asked: Vec<_> = records.iter().map(|record| (kind(record), record)).collect();
    let verdicts = verdicts(&House::open(), &records);
    let mut wrong = Vec::new();
    for (((_, at, value, expected, says), verdict), faults) in
        table.iter().zip(&verdicts).zip(faults(&asked))
    {
        let (taken, valid) = (verdict.is_empty(), faults.is_empty());
        let fits = match says {
            Agrees => taken == valid,
            Stricter => taken && !valid,
            Milder => !taken && valid,
        };
        if verdict != expected || !fits {
            wrong.push(format!("{at} = {value}: {verdict:?} {says:?} {faults:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let codes = ["missing_field", "bad_type", "bad_value", "bad_id", "bad_time"];
    let met = |code: &&str| verdicts.iter().any(|verdict| verdict.starts_with(*code));
    assert!(codes.iter().all(met));
    // what is no record of any kind has no schema
    let strange = [json!([]), json!("x"), json!({"kind": "cdr2"}), json!({"schema": 1})];
    let expected = ["not_an_object", "not_an_object", "unknown_kind kind", "missing_field kind"];
    assert_eq!(self::verdicts(&House::open(), &strange), expected);
}
