//! Floods of one GUID or session: so much of it is stored, the rest are dead letters, and what is
//! told of what is stored still counts.

use super::*;
use crate::limits::{
    CALLS_PER_SESSION, LEGS_PER_SESSION, QUALITY_BYTES, QUALITY_PER_SESSION, REPORTS_PER_SESSION,
    STATE_BYTES,
};
use crate::merge::CallState;

fn apply(tables: &mut Tables, messages: &[Message]) -> Counts {
    let mut counts = Counts::default();
    for batch in messages.chunks(400) {
        counts.add(tables.apply(&batch.iter().collect::<Vec<_>>()));
    }
    counts
}

#[test]
fn a_session_has_so_many_legs_on_a_day() {
    let leg = |phase: &str, number: usize| {
        let of = format!("{number:08X}");
        let id = format!("{GUID}/{of}/cdr.{phase}/1.1");
        rm(phase, 1, 1, 30, json!({"leg": of, "id": id, "session_id": format!("{GUID}.{of}")}))
    };
    let starts: Vec<_> = (1..=LEGS_PER_SESSION + 2).map(|number| leg("start", number)).collect();
    let mut tables = Tables::default();
    apply(&mut tables, &starts);
    assert_eq!((tables.calls.len(), tables.letters.len()), (LEGS_PER_SESSION, 2));
    let letter = tables.letters.last().unwrap();
    assert_eq!((letter.code, &*letter.field), ("bad_value", "guid"));
    assert_eq!(letter.body, starts[LEGS_PER_SESSION + 1].0.as_bytes());
    let ends = [leg("end", 1), leg("end", LEGS_PER_SESSION + 1), leg("start", 2)];
    let counts = tables.apply(&ends.iter().collect::<Vec<_>>());
    assert_eq!((counts.stored, counts.dead, counts.duplicates), (1, 1, 1));
    let ended = tables.calls.values().filter(|line| line.row.ended_ms.is_some());
    assert_eq!(ended.count(), 1);
    assert_eq!(tables.ledger.len(), LEGS_PER_SESSION + 1, "nothing of what was refused");
}

/// A call of a session id that is used again and again, without a GUID.
fn reused(phase: &str, number: usize, more: Value) -> Message {
    let begins = Millis(1_795_341_600_000 + u64::try_from(number).unwrap() * 10);
    let mut told = json!({"id": format!("mcp-1:x/cdr.{phase}/{number}"), "started_at": begins});
    for (key, value) in more.as_object().unwrap() {
        told[key] = value.clone();
    }
    mcp(phase, "x", 300, told)
}

#[test]
fn a_session_id_has_so_many_calls_on_a_day() {
    let calls: Vec<_> =
        (1..=CALLS_PER_SESSION + 2).map(|number| reused("start", number, json!({}))).collect();
    let mut tables = Tables::default();
    let counts = apply(&mut tables, &calls);
    assert_eq!((counts.stored, counts.dead), (CALLS_PER_SESSION as u64, 2));
    assert_eq!(tables.calls.len(), CALLS_PER_SESSION);
    let letter = tables.letters.last().unwrap();
    assert_eq!((letter.code, &*letter.field), ("bad_value", "session_id"));
    assert!(letter.text.contains("100 calls of one component"), "{}", letter.text);
    let ends = [1, CALLS_PER_SESSION + 1, 2].map(|number| reused("end", number, json!({})));
    let counts = apply(&mut tables, &ends);
    assert_eq!((counts.stored, counts.dead), (2, 1), "of calls that are stored it takes the ends");
    let other = mcp("start", "y", 1, json!({}));
    assert_eq!(apply(&mut tables, &[other]).stored, 1, "another session has its own room");
}

/// Few calls with much to tell are as good as many.
#[test]
fn the_calls_of_a_session_have_so_many_bytes_on_a_day() {
    let notes = "n".repeat(8 << 10);
    let update = |call: usize, number: usize| {
        let id = format!("mcp-1:x/cdr.update/{}", call * 1000 + number);
        reused("update", call, json!({"id": id, "extra": notes, "notes": notes}))
    };
    let most = STATE_BYTES / (16 << 10);
    let calls = most / 40;
    let updates: Vec<_> =
        (0..calls).flat_map(|call| (0..60).map(move |number| update(call, number))).collect();
    let mut tables = Tables::default();
    let counts = apply(&mut tables, &updates);
    let state = |line: &CallLine| CallState::decode(&line.state).unwrap().stored_bytes();
    let bytes: usize = tables.calls.values().map(|line| state(line).1).sum();
    assert!(bytes <= STATE_BYTES && bytes > STATE_BYTES / 4 * 3, "{bytes}");
    assert!(counts.dead > 0 && counts.stored + counts.dead == updates.len() as u64, "{counts:?}");
    assert!(tables.letters.iter().all(|letter| letter.field == "session_id"));
}

/// Those of all its calls together.
#[test]
fn a_session_has_so_many_reports_on_a_day() {
    let report = |number: usize| {
        let record = json!({
            "schema": 1, "kind": "var", "id": format!("mcp-1:A/var/0.{number}"), "time": at(5),
            "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
            "session_id": "A", "verb": "call_notes", "text": "t",
        });
        made(record, json!({}))
    };
    let stored: Vec<_> = (1..=REPORTS_PER_SESSION).map(report).collect();
    let mut tables = Tables::default();
    // at once, since with each batch all of them are read
    let counts = tables.apply(&stored.iter().collect::<Vec<_>>());
    assert_eq!((counts.stored, counts.dead), (REPORTS_PER_SESSION as u64, 0));
    let more = [report(REPORTS_PER_SESSION + 1), report(1), mcp("start", "A", 1, json!({}))];
    let counts = apply(&mut tables, &more);
    assert_eq!((counts.stored, counts.dead, counts.duplicates), (1, 1, 1));
    let letter = tables.letters.last().unwrap();
    assert_eq!((letter.code, &*letter.field), ("bad_value", "session_id"));
    assert!(letter.text.contains("16384 reports"), "{}", letter.text);
}

fn failed(number: usize, failures: usize) -> Message {
    let failure = json!({"time": at(4), "type": "FETCH", "text": "t".repeat(20)});
    Message(
        json!({
            "schema": 1, "kind": "sq.call", "id": format!("mcp-1:A/sq/0.{number}"),
            "time": at(5), "producer": {"name": "mcp-1"}, "session_id": "A", "failed": true,
            "component": {"name": "mcp-1", "type": "MCP"}, "failures": vec![failure; failures],
        })
        .to_string(),
        None,
    )
}

#[test]
fn a_session_has_so_many_records_of_quality_on_a_day() {
    let records: Vec<_> = (1..=QUALITY_PER_SESSION + 2).map(|number| failed(number, 1)).collect();
    let mut tables = Tables::default();
    let counts = apply(&mut tables, &records);
    assert_eq!((counts.stored, counts.dead), (QUALITY_PER_SESSION as u64, 2));
    assert_eq!(tables.failures.len(), QUALITY_PER_SESSION);
    assert_eq!(tables.letters.last().unwrap().field, "session_id");
    let calls = [mcp("start", "A", 1, json!({})), mcp("end", "A", 9, json!({}))];
    assert_eq!(apply(&mut tables, &calls).stored, 2, "its call is no such record");
    let call = tables.calls.values().next().unwrap();
    assert_eq!(call.row.sq_failed, Some(true));
    // as one record more, the failures that a call's own record tells
    let sq = json!({"sq": {"failed": true, "failures": [{"time": at(4), "type": "FETCH"}]}});
    assert_eq!(apply(&mut tables, &[mcp("update", "A", 3, sq.clone())]).dead, 1);
    // there is as much again for ends of calls
    let start = mcp("start", "A", 20, json!({"id": "mcp-1:A/cdr.start/1", "started_at": at(20)}));
    let end = json!({"id": "mcp-1:A/cdr.end/1", "started_at": at(20), "sq": sq["sq"]});
    assert_eq!(apply(&mut tables, &[start, mcp("end", "A", 25, end)]).stored, 2);
    assert!(tables.calls.values().all(|line| line.row.ended_ms.is_some()));

    let records: Vec<_> = (1..=200).map(|number| failed(number, 100)).collect();
    let mut tables = Tables::default();
    let counts = apply(&mut tables, &records);
    let bytes: usize = tables.quality.values().map(|row| row.fact.len()).sum();
    assert!(counts.dead > 0 && bytes <= QUALITY_BYTES, "{counts:?} {bytes}");
    assert!(apply(&mut tables, &[failed(300, 100)]).dead == 1);
}

/// However many failures a session has, only those that show otherwise are written again.
#[test]
fn failures_that_stay_as_they_are_are_not_written() {
    let mut tables = Tables::default();
    let first: Vec<_> = (1..=20).map(|number| failed(number, 10)).collect();
    apply(&mut tables, &[mcp("start", "A", 1, json!({}))]);
    assert_eq!(tables.written_failures(&first), 200);
    assert_eq!(tables.written_failures(&[failed(21, 3)]), 3, "those of the newcomer");
    assert_eq!(tables.written_failures(&[mcp("end", "A", 9, json!({}))]), 0, "the call's are its");
    let named = mcp("update", "A", 8, json!({"profile": {"name": "ivr"}, "guid": GUID}));
    assert_eq!(tables.written_failures(&[named]), 203, "all show its profile");
    let acme = json!({"tenant": {"name": "acme", "dbid": 102}});
    assert_eq!(tables.written_failures(&[rm("start", 1, 1, 0, acme)]), 203, "its tenant is lent");
    let later = mcp("start", "A", 400, json!({"id": "mcp-1:A/cdr.start/1", "started_at": at(400)}));
    assert_eq!(tables.written_failures(&[later]), 0, "another call of the session is not theirs");
    let nearer = mcp("start", "A", 3, json!({"id": "mcp-1:A/cdr.start/2", "started_at": at(3)}));
    assert_eq!(tables.written_failures(&[nearer]), 203, "one that fits better is");
    let profiles = tables.failures.values().filter(|line| line.profile_id.is_some());
    assert_eq!(profiles.count(), 0, "and it has no profile");
}

/// Another content of an id, and another name of a component, are no ways around.
#[test]
fn nobody_gets_around_the_room_of_a_session() {
    let named = |number: usize, more: Value| {
        let id = format!("mcp-1:{number}/cdr.end/{number}");
        let mut told = json!({"id": id, "session_id": format!("S{number}")});
        for (key, value) in more.as_object().unwrap() {
            told[key] = value.clone();
        }
        mcp("end", "A", 9, told)
    };
    let mut tables = Tables::default();
    for round in 0..3 {
        let told = |number| named(number, json!({"guid": GUID, "notes": format!("{round}")}));
        let plain: Vec<_> =
            (1..=LEGS_PER_SESSION * 2).map(|number| named(number, json!({}))).collect();
        let others: Vec<_> = (1..=LEGS_PER_SESSION * 2).map(told).collect();
        apply(&mut tables, &plain);
        apply(&mut tables, &others);
    }
    let of_guid = tables.calls.values().filter(|line| line.row.guid.is_some()).count();
    assert_eq!(of_guid, LEGS_PER_SESSION);

    let calls = (1..=CALLS_PER_SESSION + 20).map(|number| {
        let component = json!({"name": format!("mcp-{}", number % 2), "type": "MCP", "dbid": 777});
        reused("end", number, json!({"component": component}))
    });
    let mut tables = Tables::default();
    apply(&mut tables, &calls.collect::<Vec<_>>());
    assert_eq!(tables.calls.len(), CALLS_PER_SESSION);
}

/// Texts of a call's failures go with it: what is left of its facts is written again, though the
/// call shows the same.
#[test]
fn failures_of_a_call_that_is_erased_are_written_again() {
    let mut tables = Tables::default();
    let told = [mcp("start", "A", 1, json!({})), failed(1, 10), mcp("end", "A", 9, json!({}))];
    apply(&mut tables, &told);
    let at = *tables.calls.keys().next().unwrap();
    assert_eq!(tables.erase(at).failures.len(), 10);
}
