//! Who is an orphan, and what its end does to the call.

use model::record::{Arrived, Record};
use serde_json::{Value, json};

use super::*;
use crate::fact::{CallFact, Fact, Told};

const HOUR: i64 = 3_600_000;
const PATIENCE: Patience = Patience { since_ms: 1000, timeout_ms: 24 * HOUR };

fn fact(record: &Value) -> CallFact {
    let arrived = Arrived { at: Millis(1_796_000_000_000), message_id: None };
    let (record, notes) = Record::read(record.to_string().as_bytes(), &arrived).unwrap();
    match Fact::of(&record, &notes).told {
        Told::Call(fact) => *fact,
        other => panic!("{other:?}"),
    }
}

fn told(phase: &str, epoch: u64, time: &str, more: Value) -> CallFact {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": format!("mcp-1:S/cdr.{phase}/{epoch}"), "phase": phase,
        "time": time, "producer": {"name": "mcp-1"}, "session_id": "S", "epoch": epoch,
        "component": {"name": "mcp-1", "type": "MCP"}, "started_at": "2026-11-22T10:00:00Z",
        "call_type": "INBOUND", "local_uri": "sip:a", "remote_uri": "sip:b",
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    fact(&record)
}

fn state(facts: &[CallFact]) -> CallState {
    let mut state = CallState::new([7; 16]);
    for fact in facts {
        state.apply(fact);
    }
    state
}

/// Its component's newest start is its eighth.
fn waiting(kind: ComponentType, fact: i64, sent: i64, booted: Option<i64>) -> Waiting {
    Waiting {
        component_type: kind.number(),
        last_fact_ms: fact,
        boot: None,
        last_sent_ms: sent,
        newest: booted.map(|first_ms| Boot { number: 8, first_ms }),
    }
}

#[test]
fn silence_of_the_component_and_not_of_the_call() {
    let mcp = |sent| waiting(ComponentType::Mcp, 1000, sent, None);
    assert!(mcp(1000).is_orphan(PATIENCE, 1000 + 24 * HOUR));
    assert!(!mcp(1000).is_orphan(PATIENCE, 999 + 24 * HOUR));
    assert!(!mcp(2 * HOUR).is_orphan(PATIENCE, 1000 + 24 * HOUR), "it sends of other calls");
    let away = Patience { since_ms: 20 * HOUR, ..PATIENCE };
    assert!(!mcp(1000).is_orphan(away, 30 * HOUR), "we were not there to hear it");
}

#[test]
fn a_start_without_an_update_forgets_a_call_but_not_one_of_rm() {
    let minute = 60_000;
    let call = |kind, fact, booted| waiting(kind, fact, HOUR, Some(booted));
    let mcp = call(ComponentType::Mcp, 1000, HOUR);
    assert!(!mcp.is_orphan(PATIENCE, HOUR + 10 * minute - 1));
    assert!(mcp.is_orphan(PATIENCE, HOUR + 10 * minute));
    let told = call(ComponentType::Mcp, HOUR + 5, HOUR);
    assert!(!told.is_orphan(PATIENCE, 2 * HOUR), "it has said that it still has it");
    assert!(!call(ComponentType::Rm, 1000, HOUR).is_orphan(PATIENCE, 2 * HOUR));
    let late = Patience { since_ms: 2 * HOUR, ..PATIENCE };
    assert!(!mcp.is_orphan(late, 2 * HOUR + minute), "our own start gives it the time again");
}

/// A record of a former start may come after the first one of the next: on another connection, or
/// out of a spool that was full.
#[test]
fn what_a_former_start_told_late_is_no_update_of_the_newest() {
    let minute = 60_000;
    let told = |boot: i64, fact: i64| Waiting {
        boot: Some(boot),
        ..waiting(ComponentType::Mcp, fact, 3 * HOUR, Some(HOUR))
    };
    let late = told(7, HOUR + 5 * minute);
    assert!(!late.is_orphan(PATIENCE, HOUR + 15 * minute - 1), "its end may be behind it");
    assert!(late.is_orphan(PATIENCE, HOUR + 15 * minute));
    assert!(!told(8, HOUR + 5 * minute).is_orphan(PATIENCE, 3 * HOUR));
    let first = told(8, HOUR - 1);
    assert!(!first.is_orphan(PATIENCE, 3 * HOUR), "whose books came later than itself");
    assert!(told(7, HOUR - 1).is_orphan(PATIENCE, HOUR + 10 * minute));
    let leg = Waiting { component_type: ComponentType::Rm.number(), ..late };
    assert!(!leg.is_orphan(PATIENCE, 3 * HOUR));
}

#[test]
fn the_end_is_the_same_each_time_and_closes_the_call_at_its_last_sign() {
    let start = told("start", 1, "2026-11-22T10:00:01Z", json!({}));
    let update = told("update", 1, "2026-11-22T10:15:00Z", json!({}));
    let mut call = state(&[start, update]);
    let record = end(&call, None, "rs-1").unwrap();
    assert_eq!(end(&call, None, "rs-1"), Some(record.clone()));
    call.apply(&fact(&serde_json::from_str(&record).unwrap()));
    let row = call.row(None);
    assert_eq!(row.end_state, Some(EndState::Timeout.number()));
    assert_eq!(row.duration_ms, Some(15 * 60_000));
    assert_eq!(end(&call, None, "rs-1"), None, "it is over");
}

#[test]
fn an_event_is_a_sign_of_the_call_too() {
    let mut call = state(&[told("start", 1, "2026-11-22T10:00:00Z", json!({}))]);
    let start_ms = call.last_known().1;
    let before = end(&call, Some(start_ms - 1), "rs-1");
    assert_eq!(before, end(&call, None, "rs-1"), "an update came later");
    let record = end(&call, Some(start_ms + 60_000), "rs-1").unwrap();
    call.apply(&fact(&serde_json::from_str(&record).unwrap()));
    assert_eq!(call.row(None).duration_ms, Some(60_000));
}

#[test]
fn the_true_end_takes_its_place_whichever_comes_first() {
    let start = told("start", 2, "2026-11-22T10:00:01Z", json!({}));
    let timed_out = end(&state(std::slice::from_ref(&start)), None, "rs-1").unwrap();
    let timed_out = fact(&serde_json::from_str(&timed_out).unwrap());
    let more = json!({"ended_at": "2026-11-25T10:00:00Z", "end_state": "APP_END"});
    let late = told("end", 2, "2026-11-25T10:00:00Z", more);
    let orders = [[&start, &timed_out, &late], [&late, &timed_out, &start]];
    for order in orders {
        let facts: Vec<CallFact> = order.into_iter().cloned().collect();
        let row = state(&facts).row(None);
        assert_eq!(row.end_state, Some(EndState::AppEnd.number()));
        assert_eq!(row.duration_ms, Some(3 * 24 * HOUR));
    }
}

#[test]
fn an_adopted_call_that_falls_silent_is_closed_too() {
    let more = json!({"ended_at": "2026-11-22T10:01:00Z", "end_state": "INTERRUPTED"});
    let cut = told("end", 1, "2026-11-22T10:01:00Z", more);
    let again = told("update", 2, "2026-11-22T10:05:00Z", json!({}));
    let mut call = state(&[cut, again]);
    assert!(call.row(None).is_live());
    let record = end(&call, None, "rs-1").unwrap();
    call.apply(&fact(&serde_json::from_str(&record).unwrap()));
    assert_eq!(call.row(None).duration_ms, Some(5 * 60_000));
}
