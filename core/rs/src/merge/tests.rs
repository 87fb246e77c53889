//! The rules of rs.md §2.9, one by one, and all of them over any order of any facts.

use model::record::{Arrived, Body, CallType, EndState, Record};
use model::time::Millis;
use serde_json::{Value, json};

use super::{CallState, DecodeError, Trace};
use crate::correlate::Lender;
use crate::fact::{CallFact, Fact, Told};
use crate::limits::FACTS_PER_CALL;
use crate::row::{CallRow, Named, flag};

mod property;

const GUID: &str = "01A202B2-C578-7487-A7D5-BA32B23886C4";

fn fact_of(body: &str) -> (Fact, CallFact) {
    let arrived = Arrived { at: Millis::parse("2026-11-23T12:00:00Z").unwrap(), message_id: None };
    let (mut record, notes) = Record::read(body.as_bytes(), &arrived).unwrap();
    assert!(matches!(record.body, Body::Cdr(_)));
    let (fact, _) = crate::export::fact(&mut record, &notes, true);
    let Told::Call(call) = fact.told.clone() else { panic!("a call") };
    (fact, *call)
}

fn golden() -> Vec<(Fact, CallFact)> {
    include_str!("../../../model/tests/it/testdata/records.ndjson")
        .lines()
        .filter(|line| line.contains(r#""kind":"cdr""#))
        .map(fact_of)
        .collect()
}

/// A record of one leg of RM; times are seconds after ten o'clock.
fn rm(phase: &str, epoch: u64, node: u64, time: u64, more: Value) -> CallFact {
    let at = |second: u64| format!("2026-11-22T10:{:02}:{:02}Z", second / 60, second % 60);
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": format!("{GUID}/00690001/cdr.{phase}/{epoch}.{node}"),
        "time": at(time), "producer": {"name": "rm-1"}, "phase": phase, "guid": GUID,
        "component": {"name": format!("rm-{node}"), "type": "RM"}, "leg": "00690001",
        "session_id": format!("{GUID}.00690001"), "epoch": epoch, "started_at": at(0),
        "call_type": "INBOUND", "local_uri": "sip:l", "remote_uri": "sip:r",
    });
    if phase == "end" {
        record["ended_at"] = json!(at(time));
        record["end_state"] = json!("USER_END");
    }
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    fact_of(&record.to_string()).1
}

fn row(facts: &[&CallFact]) -> CallRow {
    let mut state = CallState::new([7; 16]);
    for fact in facts {
        state.apply(fact);
    }
    let row = state.row(None);
    let mut reverse = CallState::new([7; 16]);
    for fact in facts.iter().rev() {
        reverse.apply(fact);
    }
    assert_eq!(reverse.row(None), row);
    row
}

fn seconds(row: &CallRow) -> Option<i64> {
    row.duration_ms.map(|ms| ms / 1000)
}

fn state_of(row: &CallRow) -> Option<EndState> {
    row.end_state.and_then(EndState::from_number)
}

#[test]
fn the_golden_call_of_rm() {
    let golden = golden();
    let call_key = golden[0].0.keys.call_key.unwrap();
    let facts: Vec<_> =
        golden.iter().filter(|(fact, _)| fact.keys.call_key == Some(call_key)).collect();
    assert_eq!(facts.len(), 2);
    let mut state = CallState::new(call_key);
    let changes: Vec<_> = facts.iter().map(|(_, fact)| state.apply(fact)).collect();
    assert!(matches!(&changes[0].trace, Trace::New(steps) if steps.contains("least-used")));
    assert_eq!(changes[1].trace, Trace::Same);
    assert_eq!((changes[0].lends, changes[1].lends), (true, false));
    let row = state.row(None);
    assert_eq!(row.day, facts[0].0.keys.day);
    assert_eq!(row.started_ms, 1_795_341_600_120);
    assert_eq!((row.duration_ms, row.answered_ms), (Some(67_610), Some(1_795_341_600_180)));
    assert_eq!(row.guid.as_deref(), Some(GUID));
    assert_eq!((row.leg, row.epoch), (Some(0x0069_0001), 1));
    assert_eq!(row.tenant, Some(Named { dbid: Some(102), name: Some("acme".into()) }));
    let usages: Vec<_> = row.tenants.iter().map(|tenant| (tenant.usage, tenant.burst)).collect();
    assert_eq!(usages, [(Some(41), Some(1)), (Some(7), Some(1))]);
    assert_eq!((row.profile_usage, row.profile_burst), (Some(7), Some(1)));
    assert_eq!(row.resource_name.as_deref(), Some("mcp-1"));
    assert_eq!((row.sip_status, row.reason.as_deref()), (Some(200), Some("normal")));
    assert_eq!(state_of(&row), Some(EndState::UserEnd));
    assert_eq!(
        row.extra.as_deref(),
        Some(r#"{"placed_by":"least-used","primary":true,"selected_by":"did"}"#)
    );
    assert_eq!(row.flags, flag::HAS_START | flag::HAS_END);
    assert_eq!((row.owners.len(), row.config_rev), (0, Some(77)));
}

#[test]
fn golden_records_are_told_again_but_for_their_producer() {
    let lines = include_str!("../../../model/tests/it/testdata/records.ndjson").lines();
    let mut told = 0;
    for line in lines.filter(|line| line.contains(r#""kind":"cdr""#)) {
        let (fact, call) = fact_of(line);
        let mut state = CallState::new(fact.keys.call_key.unwrap());
        state.apply(&call);
        let records = state.records(call.trace.as_deref(), "rs-1");
        let mut expected: Value = serde_json::from_str(line).unwrap();
        expected["producer"] = json!({"name": "rs-1"});
        expected["_again"] = json!(call.flags);
        let (again, again_call) = fact_of(&records[0].to_string());
        assert_eq!((records.len(), again.keys), (1, fact.keys), "{line}");
        assert_eq!(again_call, call, "{line}");
        told += usize::from(records[0] == expected);
    }
    assert!(told > 0, "word by word where all is kept");
}

#[test]
fn a_refused_attempt_and_an_adopted_leg() {
    let golden = golden();
    let (_, refused) = golden.iter().find(|(_, fact)| fact.values.policy.is_some()).unwrap();
    let refused = row(&[refused]);
    assert_eq!(state_of(&refused), Some(EndState::Rejected));
    assert_eq!(refused.reason.as_deref(), Some("usage-limit"));
    assert!(refused.policy.unwrap().contains(r#""limit":50"#));
    assert_eq!(refused.flags, flag::HAS_END);
    let (_, adopted) = golden.iter().find(|(_, fact)| fact.epoch == 2).unwrap();
    let adopted = row(&[adopted]);
    let owners: Vec<_> = adopted.owners.iter().map(|owner| (owner.n, owner.from_ms)).collect();
    assert_eq!(owners, [(1, 1_795_340_400_000), (2, 1_795_341_130_004)]);
}

#[test]
fn a_media_server_borrows_tenant_and_profile_from_rm() {
    let golden = golden();
    let rm_key = golden[0].0.keys.call_key;
    let mut rm = CallState::new(rm_key.unwrap());
    let mcp: Vec<_> = golden.iter().filter(|(_, fact)| fact.component_type == 2).collect();
    let mut state = CallState::new(mcp[0].0.keys.call_key.unwrap());
    for (_, fact) in &mcp {
        state.apply(fact);
    }
    let alone = state.row(None);
    assert_eq!(alone.tenants.len(), 0);
    assert_eq!(alone.profile.as_ref().unwrap().dbid, None);
    assert_eq!(alone.parent_key, rm_key);
    assert_eq!((alone.asr_used, alone.tts_used), (Some(true), Some(true)));
    assert_eq!(alone.outcome.unwrap().reason.as_deref(), Some("balance told"));
    for (fact, call) in &golden {
        if fact.keys.call_key == rm_key {
            rm.apply(call);
        }
    }
    let together = state.row(rm.lender().as_ref());
    assert_eq!(together.tenants.len(), 2);
    assert_eq!(together.tenants[1].usage, None);
    assert_eq!(together.profile.unwrap().dbid, Some(189));
    // RM itself borrows nothing
    assert_eq!(rm.row(rm.lender().as_ref()), rm.row(None));
    let lender = rm.lender().unwrap();
    let later = Lender { started_ms: i64::MAX, ..lender.clone() };
    assert_eq!(Lender::pick([later, lender.clone()]), Some(lender));
}

#[test]
fn rule_1_the_highest_fact_that_has_a_value() {
    let start = rm("start", 1, 1, 1, json!({"dn": "1", "sip_status": 200, "call_id": "c"}));
    let update = rm("update", 1, 1, 5, json!({"dn": "2", "id": "x/cdr.update/1.1.9"}));
    let later = rm("update", 1, 1, 4, json!({"dn": "3", "id": "x/cdr.update/1.1.10"}));
    let row = row(&[&start, &update, &later]);
    // the number in the id counts, not its text and not the time
    assert_eq!((row.dn.as_deref(), row.sip_status), (Some("3"), Some(200)));
    assert_eq!((row.call_id.as_deref(), row.is_live()), (Some("c"), true));
}

#[test]
fn rule_2_two_ends() {
    let one = rm("end", 1, 1, 50, json!({"reason": "one"}));
    let higher = rm("end", 2, 2, 40, json!({}));
    let both = row(&[&one, &higher]);
    assert_eq!((seconds(&both), both.epoch, both.reason), (Some(40), 2, None));
    assert_eq!(both.flags & flag::DOUBLE_END, 0);
    let twin = rm("end", 1, 2, 60, json!({"reason": "twin"}));
    let both = row(&[&one, &twin]);
    assert_eq!((seconds(&both), both.reason.as_deref()), (Some(60), Some("twin")));
    assert_ne!(both.flags & flag::DOUBLE_END, 0);
    let same_time = rm("end", 1, 2, 50, json!({"reason": "larger id"}));
    assert_eq!(row(&[&one, &same_time]).reason.as_deref(), Some("one"));
    assert_eq!(row(&[&one, &twin, &higher]).flags & flag::DOUBLE_END, 0);
}

#[test]
fn rule_3_a_later_owner_reopens() {
    let start = rm("start", 1, 1, 1, json!({"dn": "1"}));
    let end = rm("end", 1, 1, 50, json!({"dn": "2", "reason": "normal"}));
    let adopted = rm("update", 2, 2, 60, json!({"dn": "3"}));
    let open = row(&[&start, &end, &adopted]);
    assert!(open.is_live());
    assert_ne!(open.flags & flag::REOPENED, 0);
    assert_eq!((open.dn.as_deref(), open.reason, open.epoch), (Some("3"), None, 2));
    let early = rm("update", 2, 2, 40, json!({}));
    assert_eq!(seconds(&row(&[&start, &end, &early])), Some(50));
    let same_epoch = rm("update", 1, 2, 60, json!({}));
    assert_eq!(seconds(&row(&[&start, &end, &same_epoch])), Some(50));
    let closed = rm("end", 2, 2, 55, json!({}));
    let closed = row(&[&start, &end, &adopted, &closed]);
    assert_eq!((seconds(&closed), closed.flags & flag::REOPENED), (Some(55), 0));
}

#[test]
fn rule_4_presumed_ends_give_way() {
    let lost = json!({"end_state": "INTERRUPTED", "reason": "interrupted"});
    let lost = rm("end", 2, 2, 90, lost);
    let adopted = rm("update", 2, 2, 60, json!({}));
    assert_eq!(state_of(&row(&[&lost, &adopted])), Some(EndState::Interrupted));
    // the true end lay in the dead node's spool, of a lower epoch
    let truth = rm("end", 1, 1, 50, json!({}));
    let told = row(&[&adopted, &lost, &truth]);
    assert_eq!((state_of(&told), seconds(&told)), (Some(EndState::UserEnd), Some(50)));
    assert_eq!(told.reason, None);
    // and the one of a higher epoch, days later
    let timeout = rm("end", 1, 1, 90, json!({"end_state": "TIMEOUT"}));
    let truth = rm("end", 2, 2, 700, json!({}));
    assert_eq!(seconds(&row(&[&timeout, &truth])), Some(700));
}

#[test]
fn rule_5_the_smallest_start() {
    let night = json!({"guid": "not-a-uuid", "started_at": "2026-11-21T23:59:59Z"});
    let start = rm("start", 1, 1, 1, json!({"guid": "not-a-uuid"}));
    assert_eq!(row(&[&start]).day, 20_261_122);
    let end = rm("end", 1, 1, 50, night);
    let both = row(&[&start, &end]);
    assert_eq!((both.day, both.guid.as_deref()), (20_261_121, Some("NOT-A-UUID")));
    assert_eq!(both.duration_ms, Some(36_051_000));
}

#[test]
fn rule_6_association_time() {
    let tenant = |name: &str| json!({"tenant": {"name": name}, "profile": {"name": name}});
    let end = rm("end", 1, 1, 50, tenant("end"));
    let start = rm("start", 2, 2, 1, tenant("start of the second"));
    let name = |row: CallRow| (row.tenant.unwrap().name, row.profile.unwrap().name);
    let of = |text: &str| (Some(text.to_owned()), Some(text.to_owned()));
    assert_eq!(name(row(&[&end, &start])), of("end"));
    let first = rm("start", 1, 1, 1, tenant("start"));
    assert_eq!(name(row(&[&end, &start, &first])), of("start"));
}

#[test]
fn updates_without_room_are_dropped_but_not_forgotten() {
    let mut state = CallState::new([7; 16]);
    state.apply(&rm("update", 1, 1, 60, json!({
        "id": "x/1.1", "tenant": {"name": "first"}, "dn": "1", "started_at": "2026-11-22T09:59:59Z",
    })));
    for n in 2..2000 {
        let id = format!("x/{n}");
        state.apply(&rm("update", 1, 1, 61, json!({"id": id, "dn": "2", "call_id": "c"})));
    }
    let row = state.row(None);
    assert_eq!((state.facts.len(), state.leftovers.len()), (FACTS_PER_CALL, 1));
    assert_eq!(row.tenant.unwrap().name.as_deref(), Some("first"));
    assert_eq!((row.dn.as_deref(), row.started_ms), (Some("2"), 1_795_341_599_000));
    assert!(state.encode().len() < 16_000);
}

#[test]
fn a_dropped_update_still_reopens() {
    let update = |n: u64, time| rm("update", 2, 2, time, json!({"id": format!("x/{n}")}));
    let end = rm("end", 1, 1, 50, json!({}));
    let open = row(&[&update(1, 60), &update(2, 40), &update(3, 45), &end]);
    assert!(open.is_live());
    assert_eq!(seconds(&row(&[&update(1, 49), &update(2, 40), &update(3, 45), &end])), Some(50));
}

/// The first of two contents showed nothing, but was a sign of life.
#[test]
fn an_update_that_shows_nothing_gives_way_whole() {
    let update = |epoch, time, n: u64, more: Value| {
        let mut all = json!({"id": format!("x/{n}"), "epoch": epoch});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rm("update", epoch, 1, time, all)
    };
    let (loser, winner) = (update(2, 95, 0, json!({})), update(2, 5, 0, json!({"z": 1})));
    let (later, end) = (update(2, 6, 1, json!({"z": 9})), rm("end", 1, 1, 9, json!({})));
    let mut state = CallState::new([7; 16]);
    for fact in [&loser, &later, &end] {
        state.apply(fact);
    }
    assert!(state.row(None).is_live(), "the loser is a sign of life after the end");
    assert_eq!(state.fact("x/0"), Some(&loser), "for the dead letter");
    state.apply(&winner);
    assert_eq!(seconds(&state.row(None)), Some(9));
    assert_eq!(state.row(None), row(&[&winner, &later, &end]));
}

#[test]
fn a_trace_goes_with_the_content_that_told_it() {
    let step = json!({"stage": "select", "candidate": "a", "verdict": "chosen", "reason": "r"});
    let trace = json!({"trace": [step]});
    let mut state = CallState::new([7; 16]);
    assert!(matches!(state.apply(&rm("end", 1, 1, 9, trace)).trace, Trace::New(_)));
    assert_eq!(state.apply(&rm("end", 1, 1, 9, json!({"z": 1}))).trace, Trace::Gone);
    assert_eq!(state.apply(&rm("end", 1, 1, 9, json!({"z": 2}))).trace, Trace::Same);
}

#[test]
fn of_two_contents_of_one_id_the_last_applied_counts() {
    let one = rm("start", 1, 1, 1, json!({"dn": "1", "call_id": "c"}));
    let two = rm("start", 1, 1, 1, json!({"dn": "2"}));
    let mut state = CallState::new([7; 16]);
    state.apply(&one);
    state.apply(&two);
    assert_eq!(state.row(None), row(&[&two]));
}

/// What an update that found no room tells of a person goes with the rest.
#[test]
fn what_found_no_room_is_erased_as_well() {
    let update = |n: u64, more: Value| {
        let mut all = json!({"id": format!("x/{n}")});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rm("update", 1, 1, 60, all)
    };
    let mut state = CallState::new([7; 16]);
    state.take(&update(1, json!({"notes": "of 4930123", "x": "4930123", "dn": "1"})), 1);
    state.take(&update(2, json!({"notes": "later", "sip_status": 200})), 1);
    let row = state.row(None);
    assert_eq!((row.dn.as_deref(), row.sip_status, state.facts.len()), (Some("1"), Some(200), 1));
    assert_eq!(row.extra.as_deref(), Some(r#"{"x":"4930123"}"#));
    let notes = |state: &CallState| state.leftovers[0].values.notes.clone();
    assert_eq!(notes(&state).as_deref(), Some("of 4930123"), "the later one may be replaced");
    state.erase();
    assert!(!String::from_utf8_lossy(&state.encode()).contains("4930123"));
    assert_eq!((state.row(None).extra, notes(&state)), (None, None));
}

#[test]
fn states_of_other_versions_are_refused() {
    assert_eq!(CallState::decode(&[3, 0]), Err(DecodeError::Version(3)));
    let plain = CallState::new([7; 16]);
    assert_eq!(plain.encode()[0], 1, "RS before leftovers reads it");
    assert_eq!(CallState::decode(&plain.encode()), Ok(plain));
    assert!(matches!(CallState::decode(&[]), Err(DecodeError::Damaged(_))));
    assert!(matches!(CallState::decode(&[1, 0xFF]), Err(DecodeError::Damaged(_))));
    let states: Vec<_> = EndState::ALL.iter().filter(|state| state.is_presumed()).collect();
    assert_eq!(states, [&EndState::Interrupted, &EndState::Timeout]);
    assert_eq!(CallType::Inbound.number(), 1);
}

#[test]
fn an_erased_call_stays_erased() {
    let personal = json!({
        "remote_uri": "sip:+4930123@gw", "notes": "called +4930123", "x": "+4930123",
        "trace": [{"stage": "select", "candidate": "+4930123", "verdict": "chosen"}],
    });
    let (start, end) = (rm("start", 1, 1, 0, personal.clone()), rm("end", 1, 1, 30, personal));
    let mut before = CallState::new([7; 16]);
    before.apply(&start);
    before.apply(&end);
    let whole = before.row(None);
    before.erase();
    let mut between = CallState::new([7; 16]);
    between.apply(&start);
    between.erase();
    between.apply(&start);
    assert_eq!(between.apply(&end).trace, Trace::Same, "a trace of an erased call is not kept");
    let row = between.row(None);
    let bytes = |state: &CallState| {
        let row = serde_json::to_string(&state.row(None)).unwrap();
        format!("{row}{}", String::from_utf8_lossy(&state.encode()))
    };
    assert!(between.is_erased() && CallState::decode(&between.encode()).unwrap().is_erased());
    assert!(!bytes(&before).contains("4930123") && !bytes(&between).contains("4930123"));
    assert_eq!(row, before.row(None));
    let counted = |row: &CallRow| (seconds(row), state_of(row), row.tenants.clone(), row.day);
    assert_eq!((counted(&row), row.flags), (counted(&whole), whole.flags | flag::ERASED));
    let mut called = rm("start", 1, 1, 0, json!({"call_type": "OUTBOUND", "dn": "4930123"}));
    assert_eq!(called.clone().erased().values.dn, None);
    called.call_type = CallType::Inbound.number();
    assert_eq!(called.erased().values.dn.as_deref(), Some("4930123"), "a service's own number");
}
