//! The reader: what it takes, what it mends, and every code it refuses with (rs.md §2.8).

use serde_json::{Value, json};

use super::Arrived;
use crate::record::limits::{COUNT, DURATIONS_MS};
use crate::record::{Body, Cdr, EndState, Notes, Record, Refusal};
use crate::time::Millis;

fn arrived() -> Arrived<'static> {
    Arrived { at: Millis::parse("2026-11-22T12:00:00Z").unwrap(), message_id: None }
}

fn read(body: impl AsRef<[u8]>) -> Result<(Record, Notes), Refusal> {
    Record::read(body.as_ref(), &arrived())
}

/// A CCP's start with these fields put over it; null takes one away.
fn with(changes: Value) -> String {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": "ccp-1:7/cdr.start/0",
        "time": "2026-11-22T10:02:00.001Z", "producer": {"name": "ccp-1", "boot": 9, "seq": 88},
        "component": {"name": "ccp-1", "type": "CCP"}, "phase": "start", "session_id": "7",
        "started_at": "2026-11-22T10:02:00Z", "call_type": "NEWCALL",
        "local_uri": "sip:a", "remote_uri": "sip:b",
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    record.to_string()
}

fn good(changes: Value) -> (Record, Cdr, Notes) {
    let (record, notes) = read(with(changes)).unwrap();
    let Body::Cdr(cdr) = record.body.clone() else { panic!("a cdr") };
    (record, *cdr, notes)
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>, code: &str, field: &str) {
    let refusal = read(body).unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_str()), (code, field), "{refusal}");
}

#[test]
fn bodies_that_are_no_record() {
    refused("{\"schema\":1", "not_json", "");
    refused("", "not_json", "");
    refused(b"{\"a\":\xff}", "not_utf8", "");
    refused(b"\xff\xfe{\0}\0", "not_utf8", "");
    refused("[]", "not_an_object", "");
    refused("7", "not_an_object", "");
    refused(format!("{}{}", "[".repeat(33), "]".repeat(33)), "too_deep", "");
    refused(format!("{{\"a\":{}", "[".repeat(100_000)), "too_deep", "");
    refused(" ".repeat((4 << 20) + 1), "too_large", "");
    refused("{}", "missing_field", "kind");
    refused(r#"{"kind":"cdr.start"}"#, "unknown_kind", "kind");
    refused(r#"{"kind":7}"#, "bad_type", "kind");
}

#[test]
fn thirty_two_levels_are_allowed() {
    let deep = format!("{}{}", "[".repeat(31), "]".repeat(31));
    let deep: Value = serde_json::from_str(&deep).unwrap();
    let (record, ..) = good(json!({ "deep": deep.clone() }));
    assert_eq!(record.extra["deep"], deep);
}

#[test]
fn required_fields() {
    for field in [
        "schema",
        "id",
        "time",
        "producer",
        "component",
        "phase",
        "session_id",
        "started_at",
        "call_type",
        "local_uri",
        "remote_uri",
    ] {
        refused(with(json!({ field: null })), "missing_field", field);
        refused(with(json!({ field: [] })), "bad_type", field);
    }
    for field in ["guid", "leg", "epoch"] {
        let mut rm = json!({
            "component": {"name": "rm-1", "type": "RM"},
            "guid": "x", "leg": "00690001", "epoch": 1,
        });
        read(with(rm.clone())).unwrap();
        rm[field] = Value::Null;
        refused(with(rm), "missing_field", field);
    }
    refused(with(json!({"phase": "end", "end_state": "APP_END"})), "missing_field", "ended_at");
    let no_state = json!({"phase": "end", "ended_at": "2026-11-22T10:03:00Z"});
    refused(with(no_state), "missing_field", "end_state");
    refused(with(json!({"producer": {}})), "missing_field", "producer.name");
    refused(
        with(json!({"component": {"name": "x", "type": "XYZ"}})),
        "bad_value",
        "component.type",
    );
    refused(with(json!({"call_type": "inbound"})), "bad_value", "call_type");
    refused(with(json!({"schema": 0})), "bad_value", "schema");
    refused(with(json!({"id": "a b"})), "bad_id", "id");
    refused(with(json!({"id": "x".repeat(301)})), "bad_id", "id");
    refused(with(json!({"time": "2026-11-22T10:02:00"})), "bad_time", "time");
    refused(with(json!({"time": "1999-12-31T23:59:59Z"})), "bad_time", "time");
    refused(with(json!({"started_at": "2026-11-23T12:00:00.001Z"})), "bad_time", "started_at");
    good(json!({"started_at": "2026-11-23T12:00:00.000Z"}));
}

#[test]
fn numbers_in_text_nulls_and_later_versions() {
    let (record, cdr, notes) = good(json!({
        "schema": "2", "config_rev": "77", "epoch": "3", "sip_status": 200.0, "dn": null,
        "component": {"name": "ccp-1", "type": "CCP", "dbid": "320"},
    }));
    assert_eq!((record.schema, record.config_rev, cdr.epoch), (2, Some(77), 3));
    assert_eq!((cdr.sip_status, record.component.dbid, cdr.dn), (Some(200), Some(320), None));
    assert_eq!((notes.bad_fields, record.extra.len()), (0, 0));
}

#[test]
fn a_dbid_of_none_is_set_aside() {
    let (record, cdr, notes) = good(json!({
        "component": {"name": "ccp-1", "type": "CCP", "dbid": 0},
        "tenant": {"name": "acme", "dbid": "0", "path": [{"name": "acme", "dbid": 0}]},
    }));
    let tenant = cdr.tenant.unwrap();
    assert_eq!((record.component.dbid, tenant.dbid, tenant.path[0].dbid), (None, None, None));
    assert_eq!((&tenant.path[0].name, notes.bad_fields), (&Some("acme".to_owned()), 3));
}

/// From 3,000,000,000 on lie the ids of objects that are known by name alone (rs.md §3.2).
#[test]
fn a_dbid_beyond_31_bits_is_none() {
    for none in [json!(1_u64 << 31), json!("3000000000"), json!(u32::MAX), json!(u64::MAX)] {
        let (record, cdr, notes) = good(json!({
            "component": {"name": "ccp-1", "type": "CCP", "dbid": none},
            "tenant": {"name": "acme", "dbid": none}, "profile": {"dbid": none},
        }));
        let tenant = cdr.tenant.unwrap();
        assert_eq!((record.component.dbid, tenant.dbid, cdr.profile), (None, None, None));
        assert_eq!((&tenant.name, notes.bad_fields), (&Some("acme".to_owned()), 3));
        assert_eq!(record.extra["_bad"]["component.dbid"], none);
    }
    let (record, ..) = good(json!({
        "component": {"name": "ccp-1", "type": "CCP", "dbid": i32::MAX},
    }));
    assert_eq!(record.component.dbid, Some(i32::MAX.cast_unsigned()));
}

/// Numbers of a stream begin with 1, and `REJECTED` is what RS finds (rs.md §2.1, §2.5).
#[test]
fn a_seq_of_none_and_a_result_that_nobody_says_are_set_aside() {
    let (record, cdr, notes) = good(json!({
        "producer": {"name": "ccp-1", "boot": 1, "seq": 0}, "result": "REJECTED",
    }));
    assert_eq!((record.producer.seq, cdr.result, notes.unsequenced), (None, None, true));
    let bad = json!({"producer.seq": 0, "result": "REJECTED"});
    assert_eq!((&record.extra["_bad"], notes.bad_fields), (&bad, 2));
}

/// Numbers that no float of 64 bits holds are of a bad type, whatever the field is, and cost no
/// more than others (§8).
#[test]
fn a_number_beyond_all_numbers_costs_its_field() {
    let record =
        |field: &str, number: &str| with(json!({field: "NUMBER"})).replace("\"NUMBER\"", number);
    for (field, number) in [("sip_status", "1e999"), ("dn", "-1e400"), ("parent", "1e999")] {
        let (read, notes) = read(record(field, number)).unwrap();
        let most = if number.starts_with('-') { f64::MIN } else { f64::MAX };
        assert_eq!((&read.extra["_bad"][field], notes.bad_fields), (&json!(most), 1), "{field}");
    }
    let mut media: Value = serde_json::from_str(&with(json!({}))).unwrap();
    media["component"]["type"] = json!("MCP");
    media["media"] = json!({"codecs": "NUMBER", "mos": "NUMBER"});
    let (read, notes) = read(media.to_string().replace("\"NUMBER\"", "1e999")).unwrap();
    let bad = json!({"media.codecs": f64::MAX, "media.mos": f64::MAX});
    assert_eq!((&read.extra["_bad"], notes.bad_fields), (&bad, 2));
    let text = record("mine", "[-1E+400,\"1e999 \\\" 1e999\",7,1e3]");
    let (read, notes) = self::read(&text).unwrap();
    let mine = json!([f64::MIN, "1e999 \" 1e999", 7, 1e3]);
    assert_eq!((&read.extra["mine"], notes.bad_fields, notes.repaired), (&mine, 0, false));
    assert_eq!(Record::json_of(text.as_bytes()).unwrap()["mine"], mine);
    for field in ["schema", "id", "session_id", "kind"] {
        refused(record(field, "9e400"), "bad_type", field);
    }
    refused(record("mine", "1e"), "not_json", "");
    refused(record("mine", "1e999,"), "not_json", "");
}

/// A sketch whose parts do not fit is none, and without samples the record is none.
#[test]
fn a_sketch_holds_as_many_samples_as_it_says() {
    let with = |field: &str, value: Value| {
        let mut record: Value = serde_json::from_str(&with(json!({}))).unwrap();
        record["kind"] = json!("sq.latency");
        record["type"] = json!("PAGE_FETCH");
        record["bin_start"] = json!("2026-11-22T10:00:00Z");
        record["bin_seconds"] = json!(60);
        record["sketch"] = json!({"count": 3, "sum": 63, "sumsq": 1385, "min": 15, "max": 26,
            "hist": {"15": 1, "22": 1, "26": 1}});
        record["sketch"][field] = value;
        record
    };
    assert!(read(with("sum", json!(63)).to_string()).is_ok());
    let bad = [
        ("count", json!(4)),
        ("count", json!(u64::MAX)),
        ("hist", json!({"15": u64::MAX, "16": u64::MAX})),
        ("min", json!(27)),
        ("min", json!(14)),
        ("max", json!(27)),
        ("max", json!(COUNT + 1)),
        ("sum", json!(44)),
        ("sum", json!(79)),
        ("sum", json!(u64::MAX)),
        ("sumsq", json!(0)),
        ("sumsq", json!(1322)),
        ("sumsq", json!(u64::MAX)),
    ];
    for (field, value) in bad {
        let mut record = with(field, value);
        let refusal = read(record.to_string()).unwrap_err();
        assert_eq!(refusal.code, "bad_value", "{refusal}");
        assert!(refusal.field.starts_with(&format!("sketch.{field}")), "{refusal}");
        record["samples"] = json!([15, 22, 26]);
        let (read, notes) = read(record.to_string()).unwrap();
        let Body::Latency(latency) = &read.body else { panic!() };
        assert_eq!((&latency.sketch, notes.bad_fields), (&None, 1), "{field}");
    }
}

/// With basis `own` the changes are the source of the level; with `cdr` nothing is made of them.
#[test]
fn peaks_that_are_a_source_tell_their_changes() {
    let peaks = |basis: &str, deltas: &Value| {
        let mut record: Value = serde_json::from_str(&with(json!({}))).unwrap();
        record["kind"] = json!("or.peaks");
        record["bin_start"] = json!("2026-11-22T10:00:00Z");
        record["bin_seconds"] = json!(60);
        record["basis"] = json!(basis);
        record["measure"] = json!("calls");
        let value = json!({"dim": "component", "level_start": 3, "peak": 3, "deltas": deltas});
        record["values"] = json!([value]);
        record.to_string()
    };
    let none = read(peaks("own", &json!([]))).unwrap().0;
    let Body::Peaks(none) = &none.body else { panic!() };
    assert_eq!(none.values[0].deltas.as_deref(), Some(&[][..]), "a level that did not change");
    assert!(serde_json::to_string(none).unwrap().contains("\"deltas\":[]"));
    let many: Vec<Value> = (0..20_001).map(|_| json!([0, 1])).collect();
    let bad = [
        (json!(null), "missing_field", "values.0.deltas"),
        (json!("none"), "bad_type", "values.0.deltas"),
        (json!([[0]]), "bad_type", "values.0.deltas.0"),
        (json!(many), "bad_value", "values.0.deltas"),
    ];
    for (deltas, code, field) in bad {
        refused(peaks("own", &deltas), code, field);
        let (record, notes) = read(peaks("cdr", &deltas)).unwrap();
        let Body::Peaks(peaks) = &record.body else { panic!() };
        assert_eq!(peaks.values[0].deltas, None);
        assert_eq!(notes.bad_fields, u32::from(!deltas.is_null()));
    }
}

#[test]
fn bad_optional_fields_are_set_aside_and_counted() {
    let (record, cdr, notes) = good(json!({
        "sip_status": "two hundred", "answered_at": 7, "config_rev": -1, "resource": "mcp-1",
        "media": {"asr": {"used": "yes"}, "mos": 4.2},
        "usage": [{"scope": "tenant", "name": "acme", "usage": 7, "burst": 1}, {"scope": "all"}],
    }));
    assert_eq!(cdr.usage.len(), 1);
    assert_eq!(cdr.media.unwrap().mos.unwrap().to_string(), "4.2");
    assert_eq!(notes.bad_fields, 6);
    assert_eq!(
        Value::Object(record.extra),
        json!({"_bad": {
            "sip_status": "two hundred", "answered_at": 7, "config_rev": -1, "resource": "mcp-1",
            "media.asr": {"used": "yes"}, "usage.1": {"scope": "all"},
        }})
    );
}

#[test]
fn unknown_fields_are_kept_under_their_path_up_to_16_kib() {
    let (record, _, notes) = good(json!({
        "primary": true, "media": {"asr": {"used": true, "vendor": {"a": [1, null]}}},
        "huge": "x".repeat(16 << 10), "last": "still fits",
    }));
    assert_eq!(notes.extra_cut, 1);
    assert_eq!(
        Value::Object(record.extra),
        json!({"primary": true, "media.asr.vendor": {"a": [1, null]}, "last": "still fits"})
    );
}

#[test]
fn text_is_cut_between_characters_and_mended() {
    let (_, cdr, notes) = good(json!({"dn": "é".repeat(65), "call_id": "é".repeat(256)}));
    assert_eq!(cdr.dn.unwrap(), "é".repeat(64));
    assert_eq!(cdr.call_id.unwrap(), "é".repeat(256));
    assert!(notes.truncated && !notes.repaired);
    let (_, cdr, notes) = good(json!({"notes": "é".repeat(2049)}));
    assert_eq!((cdr.notes.unwrap().len(), notes.truncated), (4096, true));
    let (_, cdr, notes) = good(json!({"origin": "a\u{0}b"}));
    assert_eq!((cdr.origin.unwrap().as_str(), notes.repaired), ("ab", true));

    let body = with(json!({"origin": "CUT"}));
    let invalid = body.clone().into_bytes();
    let at = body.find("CUT").unwrap();
    let (record, notes) = read([&invalid[..at], b"\xff", &invalid[at + 3..]].concat()).unwrap();
    let Body::Cdr(cdr) = record.body else { panic!("a cdr") };
    assert_eq!((cdr.origin.unwrap().as_str(), notes.repaired), ("\u{FFFD}", true));
    for (sent, kept) in [
        (r"a\ud83d", "a\u{FFFD}"),
        (r"\ude00b", "\u{FFFD}b"),
        (r"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
        (r"\\ud83d\udead", "\\ud83d\u{FFFD}"),
        (r"\u0041\ud83dé", "A\u{FFFD}é"),
    ] {
        let (record, notes) = read(body.replace("CUT", sent)).unwrap();
        let Body::Cdr(cdr) = record.body else { panic!("a cdr") };
        assert_eq!((cdr.origin.as_deref(), notes.repaired), (Some(kept), true), "{sent}");
    }
}

#[test]
fn ends_are_corrected_and_unknown_states_kept_as_reason() {
    let end = |end_state: &str, reason: Value| {
        good(json!({"phase": "end", "ended_at": "2026-11-22T10:01:59Z", "end_state": end_state,
                    "reason": reason}))
    };
    let (_, cdr, notes) = end("APP_END", Value::Null);
    assert_eq!((cdr.ended_at, notes.end_corrected), (Some(cdr.started_at), true));
    let (_, cdr, _) = end("FELL_OVER", Value::Null);
    assert_eq!(
        (cdr.end_state, cdr.reason.as_deref()),
        (Some(EndState::Unknown), Some("FELL_OVER"))
    );
    let (_, cdr, _) = end("FELL_OVER", json!("badly"));
    assert_eq!(cdr.reason.as_deref(), Some("FELL_OVER: badly"));
}

#[test]
fn ids_come_from_the_message_if_need_be() {
    let body = with(json!({"id": null}));
    let message = Arrived { message_id: Some("m-1"), ..arrived() };
    let (record, notes) = Record::read(body.as_bytes(), &message).unwrap();
    assert_eq!((record.id.as_str(), notes.id_from_message), ("m-1", true));
    let spaced = Arrived { message_id: Some("m 1"), ..arrived() };
    assert_eq!(Record::read(body.as_bytes(), &spaced).unwrap_err().code, "bad_id");
}

#[test]
fn the_last_of_a_doubled_key_wins() {
    let body =
        with(json!({})).replace(r#""session_id":"7""#, r#""session_id":"6","session_id":"7""#);
    let (record, _) = read(&body).unwrap();
    let Body::Cdr(cdr) = record.body else { panic!("a cdr") };
    assert_eq!(cdr.session_id, "7");
}

#[test]
fn names_of_unknown_fields_have_no_nul_either() {
    let (record, _, notes) = good(json!({
        "a\u{0}b": 1, "_\u{0}bad": 2,
        "media": {"asr": {"used": true, "\u{0}": {"c\u{0}": "d\u{0}"}}},
    }));
    assert!(notes.repaired);
    let extra = serde_json::to_string(&record.extra).unwrap();
    assert!(!extra.contains("u0000"), "no jsonb takes it: {extra}");
    assert_eq!((&record.extra["ab"], &record.extra["media.asr."]), (&json!(1), &json!({"c": "d"})));
}

#[test]
fn figures_of_an_integrity_can_be_added() {
    for field in ["calls_in", "records_out", "in_progress", "rejected", "adopted_in", "handed_out"]
    {
        let with = |value: u64| {
            let mut record = json!({
                "schema": 1, "kind": "or.integrity", "id": "a", "time": "2026-11-22T10:01:00Z",
                "producer": {"name": "a"}, "component": {"name": "a", "type": "RM"},
                "minute": "2026-11-22T10:00:00Z", "calls_in": 1, "records_out": 1,
                "in_progress": 0, "rejected": 0, "streams": {},
            });
            record[field] = json!(value);
            let record = read(record.to_string());
            record.map(|(_, notes)| notes.bad_fields).map_err(|why| why.code)
        };
        assert_eq!(with(COUNT), Ok(0), "{field}");
        let is_optional = field.ends_with("ed_in") || field.starts_with("handed");
        let beyond = if is_optional { Ok(1) } else { Err("bad_value") };
        assert_eq!(with(COUNT + 1), beyond, "{field}");
    }
}

#[test]
fn lists_that_are_the_record_must_be_right() {
    let bin = |values: Value| {
        json!({
            "schema": 1, "kind": "or.arrivals", "id": "a", "time": "2026-11-22T10:01:00Z",
            "producer": {"name": "ccp-1"}, "component": {"name": "ccp-1", "type": "CCP"},
            "bin_start": "2026-11-22T10:00:00Z", "bin_seconds": 60, "basis": "own",
            "values": values,
        })
        .to_string()
    };
    let (_, notes) = read(bin(json!([{"dim": "component", "count": 6}]))).unwrap();
    assert!(notes.unsequenced);
    let bad = json!([{"dim": "component", "count": 6}, {"dim": "dn"}]);
    refused(bin(bad), "missing_field", "values.1.count");
    refused(bin(json!(vec![json!({"dim": "dn", "count": 1}); 1001])), "bad_value", "values");
    for (field, most) in [("count", COUNT), ("duration_ms", DURATIONS_MS)] {
        let with = |value: u64| {
            let mut value = json!({"dim": "component", "count": 6, field: value});
            value["name"] = json!("a");
            read(bin(json!([value])))
        };
        let kept = |of: u64| with(of).map(|(_, notes)| notes.bad_fields).map_err(|why| why.code);
        assert_eq!(kept(most), Ok(0));
        let beyond = if field == "count" { Err("bad_value") } else { Ok(1) };
        assert_eq!(kept(most + 1), beyond, "{field}: sums of it stay numbers");
    }
    refused(bin(json!([])).replace("10:00:00Z", "10:00:01Z"), "bad_value", "bin_start");
    refused(bin(json!([])).replace(":60", ":61"), "bad_value", "bin_seconds");
}

#[test]
fn events_need_a_call_and_var_a_verb() {
    let event = |kind: &str, rest: &str| {
        format!(
            "{}{}{}{}{}",
            r#"{"schema":1,"id":"a","time":"2026-11-22T10:01:00Z","producer":{"name":"m"},"#,
            r#""component":{"name":"m","type":"MCP"},"kind":""#,
            kind,
            "\",",
            rest
        )
    };
    refused(event("call.event", r#""level":"NOTE","log_id":"x"}"#), "missing_field", "session_id");
    read(event("call.event", r#""level":"NOTE","log_id":"x","guid":"g"}"#)).unwrap();
    refused(event("var", r#""session_id":"7"}"#), "missing_field", "verb");
    refused(event("var", r#""session_id":"7","verb":"jump"}"#), "bad_value", "verb");
    read(event("var", r#""session_id":"7","label":"com.genesyslab.var.CallNotes"}"#)).unwrap();
}
