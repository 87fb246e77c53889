//! The golden file is read and written back: nothing is lost, nothing is added.

use model::record::{Arrived, Body, Kind, Record};
use model::time::Millis;
use serde_json::Value;

pub(crate) fn golden() -> Vec<(Value, Record)> {
    let arrived = Arrived { at: Millis::parse("2026-11-22T12:00:00Z").unwrap(), message_id: None };
    include_str!("testdata/records.ndjson")
        .lines()
        .map(|line| {
            let (record, notes) = Record::read(line.as_bytes(), &arrived).unwrap();
            assert_eq!((notes.bad_fields, notes.extra_cut, notes.unsequenced), (0, 0, false));
            assert!(!notes.truncated && !notes.end_corrected && !notes.repaired);
            let value: Value = serde_json::from_str(line).unwrap();
            let Value::Object(object) = &value else { panic!("an object") };
            assert_eq!(notes.content_hash, model::record::content_hash(object));
            (value, record)
        })
        .collect()
}

#[test]
fn what_is_read_is_written() {
    let arrived = Arrived { at: Millis::parse("2026-11-22T12:00:00Z").unwrap(), message_id: None };
    for (sent, record) in golden() {
        let mut out = Vec::new();
        record.write(&mut out);
        let written: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(written, sent);
        let (again, _) = Record::read(&out, &arrived).unwrap();
        assert_eq!(again, record);
        let mut twice = Vec::new();
        again.write(&mut twice);
        assert_eq!(twice, out);
    }
}

#[test]
fn every_kind_is_there() {
    let golden = golden();
    for kind in Kind::ALL {
        assert!(golden.iter().any(|(_, record)| record.kind() == *kind), "{kind}");
    }
}

#[test]
fn only_rm_fields_are_unknown() {
    for (_, record) in golden() {
        let known = ["placed_by", "primary", "selected_by"];
        assert!(record.extra.keys().all(|key| known.contains(&key.as_str())), "{:?}", record.extra);
        if let Body::Cdr(cdr) = &record.body {
            assert_eq!(record.extra.contains_key("primary"), cdr.leg.is_some());
        }
    }
}
