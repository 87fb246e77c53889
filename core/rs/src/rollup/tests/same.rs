//! Any permutation, repetition and split of a set of records gives the same rollups, byte for
//! byte; incremental ones equal those made at once; and peaks equal brute force (rs.md §2.9.8,
//! §4.4, §4.5, §14 no. 19 and 21).

use std::collections::BTreeMap;

use model::record::{Arrived, Body, EndState, Record};
use model::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::house::{Base, MINUTE, brute, leg, sessions, tenant_sessions};
use super::zone::{at, berlin};
use crate::fact::{CallFact, Fact, Told};
use crate::merge::CallState;
use crate::rollup::{Call, Granularity};

/// Late on the eve of a change of the clock, in UTC.
const EVE: &str = "2026-03-28T22:00:00Z";

fn fact(record: &Value) -> (Fact, CallFact) {
    let arrived = Arrived { at: Millis::parse("2026-04-20T00:00:00Z").unwrap(), message_id: None };
    let (record, notes) = Record::read(record.to_string().as_bytes(), &arrived).unwrap();
    assert!(matches!(record.body, Body::Cdr(_)));
    let fact = Fact::of(&record, &notes);
    let Told::Call(call) = fact.told.clone() else { panic!("a call") };
    (fact, *call)
}

/// A record of one of three legs of one of two sessions, or of a media server's call of it; up to
/// two epochs, ends of any kind up to days later.
fn any_record() -> impl Strategy<Value = Value> {
    let ends = ["USER_END", "INTERRUPTED", "TIMEOUT", "REJECTED", "SYSTEM_ERROR"];
    let which = (0..2_u8, 0..4_u8, 0..3_usize, 1..3_u64);
    let when = (0..400_i64, prop_oneof![0..600_i64, 4000..4600_i64], 0..2_u8);
    (which, when, prop::sample::select(ends.to_vec()), 0..2_u8).prop_map(
        |((session, leg, phase, epoch), (start, length, answered), end, of)| {
            // GUIDs that carry their time: 2026-03-28
            let guid = format!("019D35C9-0000-7000-8000-00000000000{session}");
            let minute = |minutes: i64| {
                let ms = u64::try_from(at(EVE) + minutes * MINUTE).unwrap();
                Millis(ms).to_string()
            };
            let phase = ["start", "update", "end"][phase];
            // a leg keeps its start; what is derived from the session makes overlaps
            let start = i64::from(leg) * 7 + i64::from(session) * 3 + start % 2;
            let call_type = if leg == 0 { "INBOUND" } else { "BRIDGED" };
            let mut record = json!({
                "schema": 1, "kind": "cdr", "phase": phase, "guid": guid, "epoch": epoch,
                "time": minute(start + length), "producer": {"name": "p"},
                "started_at": minute(start), "call_type": call_type,
                "local_uri": "sip:l", "remote_uri": "sip:r", "dn": "1800",
            });
            if leg == 3 {
                record["session_id"] = json!("s");
                record["component"] = json!({"name": "mcp-1", "type": "MCP"});
                record["epoch"] = json!(0);
                record["id"] = json!(format!("mcp-1:{guid}/cdr.{phase}/{length}"));
                record["media"] = json!({"asr": {"used": of == 1}});
                record["started_at"] = json!(minute(i64::from(session) * 3));
            } else {
                let name = format!("{guid}/0069000{leg}/cdr.{phase}/{epoch}.{epoch}");
                record["id"] = json!(name);
                record["leg"] = json!(format!("0069000{leg}"));
                record["session_id"] = json!(format!("{guid}.0069000{leg}"));
                record["component"] = json!({"name": format!("rm-{epoch}"), "type": "RM"});
                record["tenant"] = json!({"name": "t", "dbid": 2,
                    "path": [{"name": "e", "dbid": 1}, {"name": "t", "dbid": 2}]});
                record["profile"] = json!({"name": "p", "dbid": 5});
                if epoch == 2 {
                    record["owners"] = json!([
                        {"component": {"name": "rm-1"}, "from": minute(start)},
                        {"component": {"name": "rm-2"}, "from": minute(start + 11)},
                    ]);
                }
            }
            if answered == 1 {
                record["answered_at"] = json!(minute(start + 1));
            }
            if phase == "end" {
                record["ended_at"] = json!(minute(start + length));
                record["end_state"] = json!(end);
            }
            record
        },
    )
}

/// Records of distinct ids, and an order in which each comes at least once.
fn any_history() -> impl Strategy<Value = (Vec<Value>, Vec<usize>)> {
    prop::collection::vec(any_record(), 1..14).prop_flat_map(|mut records| {
        records.sort_by_key(|record| record["id"].to_string());
        records.dedup_by_key(|record| record["id"].to_string());
        let count = records.len();
        let all = Just((0..count).collect::<Vec<_>>());
        let again = prop::collection::vec(0..count, 0..6);
        let order =
            (all, again).prop_flat_map(|(all, again)| Just([all, again].concat()).prop_shuffle());
        (Just(records), order)
    })
}

/// The way of a fact: into the state of its call, the row into the base; and the rows of other
/// components' calls borrow anew from those of RM (rs.md §2.9 rule 7).
#[derive(Default)]
struct Calls(BTreeMap<[u8; 16], CallState>);

impl Calls {
    fn take(&mut self, record: &Value, base: &mut Base) {
        let (fact, call) = fact(record);
        let key = fact.keys.call_key.unwrap();
        let state = self.0.entry(key).or_insert_with(|| CallState::new(key));
        state.apply(&call);
        let guid = call.values.guid.clone();
        let of_guid = |state: &&CallState| state.row(None).guid == guid;
        let lender = crate::correlate::Lender::pick(
            self.0.values().filter(of_guid).filter_map(CallState::lender),
        );
        let same: Vec<_> = self.0.values().filter(of_guid).cloned().collect();
        for state in same {
            base.put(Call::sketched(&state.row(lender.as_ref())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn order_repetition_and_split_do_not_matter(
        (records, order) in any_history(),
        split in any::<u32>(),
    ) {
        let (mut plain, mut calls) = (Base::new(berlin()), Calls::default());
        records.iter().for_each(|record| calls.take(record, &mut plain));
        plain.roll();
        let (mut other, mut calls) = (Base::new(berlin()), Calls::default());
        for (step, at) in order.iter().enumerate() {
            calls.take(&records[*at], &mut other);
            if split >> (step % 32) & 1 == 1 {
                other.roll();
            }
        }
        other.roll();
        prop_assert_eq!(&other.calls, &plain.calls);
        prop_assert_eq!(&other.bins, &plain.bins);
        prop_assert_eq!(&plain.at_once().bins, &plain.bins);
        let spans = sessions(&plain.calls);
        for granularity in [Granularity::FiveMinutes, Granularity::Hour, Granularity::Day] {
            let from = at(EVE);
            for bin in plain.zone.bins(granularity, from, from + 80 * 60 * MINUTE) {
                let found = plain.level(granularity, bin, tenant_sessions());
                prop_assert_eq!(found, brute(bin, &spans), "{:?} {:?}", granularity, bin);
            }
        }
    }
}

/// Scenario 19: presumed to be over, and the true end comes three days later.
#[test]
fn a_true_end_after_days_corrects_every_bin_between() {
    let from = at(EVE);
    let (presumed, end) = (from + 30 * MINUTE, from + 3 * 24 * 60 * MINUTE + 1);
    let mut base = Base::new(berlin());
    base.put(leg("a", 1, from, None));
    for n in 0..200_u8 {
        let start = from + i64::from(n) * 25 * MINUTE;
        base.put(leg(&format!("other {n}"), 2, start, Some(start + 20 * MINUTE)));
    }
    base.roll();
    let mut call = leg("a", 1, from, Some(presumed));
    call.end_state = Some(EndState::Interrupted.number());
    base.put(call);
    base.roll();
    let noon = base.zone.bin(Granularity::Hour, from + 14 * 60 * MINUTE);
    let before = base.level(Granularity::Hour, noon, tenant_sessions());
    base.put(leg("a", 1, from, Some(end)));
    base.roll();
    let after = base.level(Granularity::Hour, noon, tenant_sessions());
    assert_eq!(after, (before.0 + 1, before.1));
    assert_eq!(base.bins, base.at_once().bins);
    let spans = sessions(&base.calls);
    for granularity in Granularity::ALL {
        for bin in base.zone.bins(granularity, from, end) {
            let found = base.level(granularity, bin, tenant_sessions());
            assert_eq!(found, brute(bin, &spans), "{granularity:?} {bin:?}");
        }
    }
}

/// What is marked is no more than what changes: the end of a call does not touch its start.
#[test]
fn an_end_touches_its_own_bin_only() {
    let from = at(EVE);
    let mut base = Base::new(berlin());
    base.put(leg("a", 1, from, None));
    base.put(leg("a", 2, from + 7 * MINUTE, None));
    base.dirty.clear();
    base.put(leg("a", 1, from, Some(from + 33 * MINUTE)));
    assert_eq!(base.dirty.len(), 1, "{:?}", base.dirty);
    base.dirty.clear();
    // the last to be heard of ended first: the session ends where the other leg did
    base.put(leg("a", 2, from + 7 * MINUTE, Some(from + 12 * MINUTE)));
    let marked: Vec<_> = base.dirty.iter().map(|(_, bin)| (bin - from) / MINUTE).collect();
    assert_eq!(marked, [10, 30]);
}
