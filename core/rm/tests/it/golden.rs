//! What RM writes against the golden file that RS reads: the same members, of the same types.

use std::mem::discriminant;

use model::record::{Arrived, Record};
use model::time::Millis;
use serde_json::Value;

use crate::world::{CALLER, World, invite, objects, settings};

const GOLDEN: &str = include_str!("../../../model/tests/it/testdata/records.ndjson");

/// The golden record of rm-1 with this phase and end state.
fn golden(phase: &str, end_state: Option<&str>) -> Value {
    let records = GOLDEN.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted = |record: &Value| {
        record["component"]["name"] == "rm-1"
            && record["phase"] == phase
            && record["end_state"].as_str() == end_state
    };
    records.into_iter().find(wanted).unwrap()
}

/// Every member of `golden` is in `ours`, with the same type, down to the leaves.
fn covers(golden: &Value, ours: &Value, path: &str) {
    assert_eq!(discriminant(golden), discriminant(ours), "type of {path}: {ours}");
    match golden {
        Value::Object(members) => {
            for (name, value) in members {
                // A step of a trace has these only where its stage knows them.
                if ["state", "used", "limit", "rank", "until"].contains(&name.as_str())
                    && path.contains("trace")
                {
                    continue;
                }
                covers(value, &ours[name.as_str()], &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                covers(item, &ours[0], &format!("{path}[]"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// RS's reader takes it as it is: nothing dropped, nothing cut.
fn read_back(ours: &Value) {
    let arrived = Arrived { at: Millis(4_000_000_000_000), message_id: None };
    let (record, notes) = Record::read(ours.to_string().as_bytes(), &arrived).unwrap();
    let mut written = Vec::new();
    record.write(&mut written);
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, *ours, "{notes:?}");
}

#[test]
fn start_end_and_refusal_have_what_the_golden_file_has() {
    let mut world = World::new();
    let mut up = world.up("+18005550234", "golden");
    world.hang_up(&mut up, "bye");
    let (start, end) = (world.records[0].json.clone(), world.records[1].json.clone());
    covers(&golden("start", None), &start, "start");
    covers(&golden("end", Some("USER_END")), &end, "end");

    let mut objects = objects();
    objects[1]["spec"]["policy"] = serde_json::json!({ "usage_limit": 0 });
    let mut world = World::with(&objects, settings());
    world.udp(CALLER, &invite("+18005550234", "refused"));
    let refused = world.ends()[0].clone();
    covers(&golden("end", Some("REJECTED")), &refused, "refused");

    for ours in [start, end, refused] {
        read_back(&ours);
    }
}
