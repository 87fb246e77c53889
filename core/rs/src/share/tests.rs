//! Shares against tables in memory: whatever the order, the repetitions and the split into
//! batches, the tables are the same, byte for byte.

mod again;
mod midnight;
mod moves;
mod night;
mod rest;
mod rolled;
mod room;
mod tables;

use std::net::SocketAddr;

use model::record::{Arrived, ContentHash, Record, Refusal, Stream};
use model::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

use self::tables::Tables;
use super::*;
use crate::key::{Day, Key};
use crate::var::{PREFIX, Report};

const GUID: &str = "01A202B2-C578-7487-A7D5-BA32B23886C4";
const RECEIVED_MS: i64 = 1_795_400_000_000;

fn named(session_id: &str, guid: Option<&str>) -> SessionName {
    match guid {
        Some(guid) if session_id.is_empty() => SessionName::Guid(guid.to_owned()),
        _ => SessionName::Id(session_id.to_owned()),
    }
}

/// What has this producer, an RS has written.
const OWN: &str = "rs-1";

/// A body, and the id that its message tells where the body has none.
#[derive(Clone, Debug)]
struct Message(String, Option<&'static str>);

impl Message {
    fn item(&self) -> Item<'_> {
        Item {
            origin: Origin {
                seq: 1,
                letter: None,
                received_ms: RECEIVED_MS,
                queue: "ringmaster.cdr",
                transport: "http",
                user: Some("bil\0ling"),
                peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
                message_id: None,
                fallback_id: self.1,
                properties: &[],
                body: self.0.as_bytes(),
            },
            read: self.read(),
            hushed: false,
        }
    }

    fn read(&self) -> Result<Good, Refusal> {
        let at = Millis(RECEIVED_MS.cast_unsigned());
        let arrived = Arrived { at, message_id: self.1 };
        let (mut record, notes) = Record::read(self.0.as_bytes(), &arrived)?;
        let own = record.producer.name == OWN;
        let (fact, again) = crate::export::fact(&mut record, &notes, own);
        let misrouted = record.kind().stream() != Stream::Cdr;
        let flaws = flaws(&notes);
        Ok(Good { record, fact, again, misrouted, flaws, refused: None, unsaid: false })
    }
}

fn at(second: u64) -> String {
    format!("2026-11-22T10:{:02}:{:02}Z", second / 60, second % 60)
}

fn made(mut record: Value, more: Value) -> Message {
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    Message(record.to_string(), None)
}

fn rm(phase: &str, epoch: u64, seq: u64, time: u64, more: Value) -> Message {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": format!("{GUID}/00690001/cdr.{phase}/{epoch}.1.{seq}"),
        "time": at(time), "producer": {"name": "rm-1", "boot": 1, "seq": seq, "stream": "cdr"},
        "phase": phase, "guid": GUID, "component": {"name": format!("rm-{epoch}"), "type": "RM"},
        "leg": "00690001", "session_id": format!("{GUID}.00690001"), "epoch": epoch,
        "started_at": at(0), "call_type": "INBOUND", "local_uri": "sip:l", "remote_uri": "sip:r",
    });
    if phase == "end" {
        record["ended_at"] = json!(at(time));
        record["end_state"] = json!("USER_END");
    }
    made(record, more)
}

fn mcp(phase: &str, session: &str, time: u64, more: Value) -> Message {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": format!("mcp-1:{session}/cdr.{phase}/0"),
        "time": at(time), "producer": {"name": "mcp-1"}, "phase": phase, "session_id": session,
        "component": {"name": "mcp-1", "type": "MCP"}, "started_at": at(1),
        "call_type": "INBOUND", "local_uri": "sip:d", "remote_uri": "sip:r",
    });
    if phase == "end" {
        record["ended_at"] = json!(at(time));
        record["end_state"] = json!("APP_END");
    }
    made(record, more)
}

fn event(number: u64, more: Value) -> Message {
    let record = json!({
        "schema": 1, "kind": "call.event", "id": format!("mcp-1:A/ev/0.{number}"),
        "time": at(number), "producer": {"name": "mcp-1"}, "session_id": "A", "level": "METRIC",
        "component": {"name": "mcp-1", "type": "MCP"}, "log_id": "asr_open",
    });
    made(record, more)
}

/// Every rule that two records can meet by: lending, two epochs, a presumed end, conflicts of an
/// event, a call and a kept record, books, refusals, a GUID that carries no time.
fn story() -> Vec<Message> {
    let acme = json!({"tenant": {"name": "acme", "dbid": 102,
        "path": [{"name": "Environment", "dbid": 1}, {"name": "acme", "dbid": 102}]},
        "profile": {"name": "main"},
        "trace": [{"stage": "place", "candidate": "m", "verdict": "chosen", "reason": "r"}]});
    let guid = json!({"guid": GUID});
    let books = json!({
        "schema": 1, "kind": "or.integrity", "id": "rm-1/1/or.integrity/0", "time": at(60),
        "producer": {"name": "rm-1", "boot": 1, "seq": 1, "stream": "or"}, "minute": at(0),
        "component": {"name": "rm-1", "type": "RM"}, "calls_in": 1, "records_out": 1,
        "in_progress": 0, "rejected": 0, "streams": {"cdr": 9},
    });
    let var = json!({
        "schema": 1, "kind": "var", "id": "mcp-1:A/var/0.1", "time": at(5),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "A", "verb": "call_result", "result": "SUCCESS",
    });
    let quality = json!({
        "schema": 1, "kind": "sq.call", "id": "mcp-1:A/sq/0.1", "time": at(18),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "A", "failed": true, "failures": [{"time": at(4), "type": "FETCH"}],
    });
    let owners = json!([{"component": {"name": "x"}, "from": at(3)}]);
    let mut story = vec![
        rm("start", 1, 1, 0, acme),
        rm("update", 1, 2, 9, json!({"dn": "100", "owners": owners})),
        rm("end", 1, 3, 20, json!({"end_state": "INTERRUPTED"})),
        rm("update", 2, 4, 25, json!({"tenant": {"name": "beta"}})),
        rm("end", 2, 5, 30, json!({})),
        mcp("start", "A", 1, guid),
        mcp("end", "A", 19, json!({"result": "SUCCESS"})),
        mcp("start", "B", 2, json!({"guid": "no-uuid", "tenant": {"name": "acme"}})),
        mcp("end", "B", 3, json!({"dn": "1"})),
        mcp("end", "B", 3, json!({"dn": "2"})),
        event(2, json!({})),
        event(3, json!({})),
        event(3, json!({"text": "another"})),
        made(var.clone(), json!({})),
        made(var, json!({"result": "FAILED"})),
        made(books, json!({})),
        event(6, json!({"label": "com.genesyslab.var.ActionStart", "text": "login"})),
        event(7, json!({"label": "com.genesyslab.var.ActionEnd", "text": "login|SUCCESS|ok"})),
        event(7, json!({"label": "com.genesyslab.var.ActionEnd", "text": "login|FAILED|no"})),
        made(quality.clone(), json!({})),
        made(quality, json!({"failed": false, "failures": []})),
        // the session id is used again
        mcp("end", "A", 500, json!({"id": "mcp-1:A/cdr.end/1", "started_at": at(400)})),
        event(450, json!({"label": "com.genesyslab.var.CustomVar", "text": "k|v"})),
        Message("no json".to_owned(), None),
        Message(r#"{"kind":"cdr"}"#.to_owned(), None),
    ];
    story.extend(night::records());
    story.extend(midnight::records());
    story
}

fn stored(order: &[&Message], batches: usize) -> Tables {
    let mut tables = Tables::default();
    for batch in order.chunks(batches) {
        tables.apply(batch);
    }
    tables
}

/// The same, each day by itself.
fn stored_by_day(order: &[&Message], batches: usize) -> Tables {
    let mut tables = Tables::default();
    for batch in order.chunks(batches) {
        tables.apply_days(batch);
    }
    tables
}

#[test]
fn a_story_in_its_order() {
    let story = story();
    let mut tables = Tables::default();
    let counts = tables.apply(&story.iter().collect::<Vec<_>>());
    assert_eq!(counts, Counts { stored: 68, dead: 7, ..Counts::default() });
    let rm = tables.calls.values().find(|line| line.row.leg.is_some()).unwrap();
    assert_eq!(rm.row.duration_ms, Some(30_000), "the end of the second epoch");
    let a = tables.calls.values().find(|line| line.row.session_id == "A").unwrap();
    assert_eq!(a.tenants.iter().map(|t| t.tenant_id).collect::<Vec<_>>(), [1, 102], "lent");
    assert_eq!(tables.events.len(), 19);
    assert_eq!(tables.letters.len(), 7);
    assert!(tables.letters.iter().all(|letter| letter.user.as_deref() == Some("billing")));
    let again = tables.apply(&story.iter().collect::<Vec<_>>());
    assert_eq!((again.stored, again.duplicates + again.dead), (0, 75));
}

#[test]
fn what_hangs_on_a_call_is_there_whatever_came_first() {
    let story = story();
    let mut order: Vec<&Message> = story.iter().collect();
    order.reverse();
    for tables in [stored(&order, 1), stored(&order, 100)] {
        let of = |started: i64| {
            let is = |line: &&CallLine| {
                line.row.session_id == "A" && line.row.started_ms % 1_000_000 == started
            };
            tables.calls.values().find(is).unwrap()
        };
        let (first, second) = (of(601_000), of(0));
        let result = first.var.call.as_ref().unwrap().result;
        assert_eq!((result, first.row.outcome.is_some()), (Some(1), true));
        let actions: Vec<_> = first.var.actions.iter().map(|row| &*row.action).collect();
        assert_eq!((actions, first.var.custom.len()), (vec!["login"], 0));
        let unknown = second.var.call.as_ref().unwrap();
        assert_eq!((unknown.result, unknown.actions), (Some(3), 0));
        assert_eq!(second.var.custom[0].value, "v");
        assert_eq!((second.row.sq_failed, first.row.sq_failed.is_some()), (None, true));
        let of_a = tables.failures.values().filter(|line| line.row.session_id == "A");
        assert!(of_a.clone().count() > 0);
        assert!(of_a.map(|line| line.tenant_id).all(|id| id == Some(102)), "lent by RM");
    }
}

#[test]
fn the_loser_of_a_conflict_is_kept_as_it_came_or_as_it_was_stored() {
    let story = story();
    for (one, other) in [(11, 12), (13, 14), (8, 9), (17, 18), (19, 20)] {
        for pair in [[one, other], [other, one]] {
            let pair = pair.map(|index| &story[index]);
            let mut at_once = stored(&pair, 2);
            let mut apart = stored(&pair, 1);
            assert_eq!(at_once.seen(), apart.seen());
            for tables in [&mut at_once, &mut apart] {
                let letter = tables.letters.pop().unwrap();
                assert_eq!((letter.code, tables.letters.len()), ("id_conflict", 0));
                assert!(!letter.body.is_empty());
            }
        }
    }
}

#[test]
fn what_was_stored_before_changes_nothing_when_it_comes_again() {
    let told = event(4, json!({"label": "x", "text": "t", "x_b": [2], "x_a": {"d": 1, "c": "+"}}));
    let good = told.read().unwrap();
    let row = stored(&[&told], 1).events.into_values().next().unwrap();
    assert_eq!(row.extra.as_deref(), Some(r#"{"x_a":{"c":"+","d":1},"x_b":[2]}"#));
    let kind = Some(model::record::ComponentType::Mcp.number());
    let component = crate::export::Component { name: "mcp-1".to_owned(), dbid: None, kind };
    let line = Message(crate::export::event(&row, &component, OWN).to_string(), None);
    let again = line.read().unwrap();
    assert_eq!((again.fact.keys, again.again), (good.fact.keys, true));
    assert_eq!(again.fact.told, good.fact.told);
    assert_eq!(again.record.extra, good.record.extra);
    let [first, whole] = [stored(&[&line], 1), stored(&[&told, &line], 2)];
    assert_eq!(first.events, whole.events);
    assert_eq!((whole.letters.len(), stored(&[&line, &line], 1).events.len()), (0, 1));
}

/// An id that names another's key takes nothing from it, and a conflict stays one.
#[test]
fn what_a_producer_says_of_itself_is_not_believed() {
    let (told, row) = (event(4, json!({"label": "x", "text": "t"})), |message: &Message| {
        stored(&[message], 1).events.into_values().next().unwrap()
    });
    let key: String = row(&told).id_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let forged = event(5, json!({"id": format!("key:{key}/9"), "text": "other"}));
    for order in [[&told, &forged], [&forged, &told]] {
        let tables = stored(&order, 1);
        assert_eq!((tables.events.len(), tables.letters.len()), (2, 0));
    }
    let again = event(4, json!({"label": "x", "text": "other", "_again": 0}));
    let tables = stored(&[&told, &again], 1);
    let codes: Vec<&str> = tables.letters.iter().map(|letter| letter.code).collect();
    assert_eq!((tables.events.len(), codes), (1, vec!["id_conflict"]));
    assert!(again.read().unwrap().record.extra.contains_key("_again"), "a field like any other");
}

#[test]
fn a_record_that_is_refused_becomes_a_letter_and_is_booked() {
    let story = story();
    let batch = Batch::new(vec![story[0].item()]);
    let mut share = Share::new(&batch, None);
    share.book(0);
    share.reject(0, "too\0long".to_owned());
    let objects = Objects::default();
    while share.wants(&objects).is_some() {
        share.found(Found::default(), &objects).unwrap();
    }
    let (changes, _) = share.finish(&objects);
    assert_eq!((changes.ledger.len(), changes.calls.len(), changes.streams.len()), (0, 0, 1));
    let letter = &changes.letters[0];
    assert_eq!((letter.code, &*letter.text), ("db_rejected", "toolong"));
    assert_eq!(letter.body, story[0].0.as_bytes());
    assert_eq!(changes.figures.get(&("db_rejected", "rm-1".to_owned())), Some(&1));
}

#[test]
fn a_state_that_cannot_be_read_is_an_error() {
    let story = story();
    let batch = Batch::new(vec![story[0].item()]);
    let mut share = Share::new(&batch, None);
    share.store(0);
    let objects = Objects::default();
    let wants = share.wants(&objects).unwrap();
    let (day, call_key): (Day, Key) = *wants.calls.first().unwrap();
    let state = vec![200];
    let (guid, last_fact_ms, boot, row_version) = (None, 0, None, 1);
    let call = StoredCall { day, call_key, guid, state, last_fact_ms, boot, row_version };
    let mut found = Found::of(&wants);
    found.put_call(call);
    share.found(found, &objects).unwrap();
    // the legs of its session are asked for before it is met
    assert_eq!(share.wants(&objects).unwrap().guids.len(), 1);
    share.found(Found::default(), &objects).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_order_repetition_and_split_give_the_same_tables(
        order in Just((0..story().len()).collect::<Vec<usize>>()).prop_shuffle(),
        again in proptest::collection::vec(0..story().len(), 0..12),
        places in proptest::collection::vec(0..25_usize, 12),
        split in 1..9_usize,
    ) {
        let story = story();
        // the repetitions anywhere between the others
        let mut order = order;
        for (index, place) in again.iter().zip(places) {
            order.insert(place, *index);
        }
        let mut expected: Vec<_> = (0..story.len()).chain(again).collect();
        let messages = |order: &[usize]| -> Vec<&Message> {
            order.iter().map(|index| &story[*index]).collect()
        };
        let by_day = stored_by_day(&messages(&order), split).seen();
        let seen = stored(&messages(&order), split).seen();
        prop_assert_eq!(by_day.iter().zip(&seen).find(|(by_day, seen)| by_day != seen), None);
        expected.sort_unstable();
        let expected = stored(&messages(&expected), 100).seen();
        prop_assert_eq!(seen.len(), expected.len());
        prop_assert_eq!(seen.iter().zip(&expected).find(|(seen, expected)| seen != expected), None);
    }
}

#[test]
fn what_hangs_together_has_a_gate_in_common() {
    let event = |more: Value| {
        let record = json!({
            "schema": 1, "kind": "call.event", "time": at(5), "producer": {"name": "mcp-1"},
            "component": {"name": "mcp-1", "type": "MCP"}, "level": "METRIC", "log_id": "x",
        });
        made(record, more)
    };
    let leg = rm("start", 1, 1, 0, json!({}));
    let both = event(json!({"id": "mcp-1:S/ev/1", "session_id": "S", "guid": GUID}));
    let session = event(json!({"id": "mcp-1:S/ev/2", "session_id": "S"}));
    let gates = |message: &Message, of| Batch::new(vec![message.item()]).gates(of);
    let meet = |one, other| !gates(one, u32::MAX).is_disjoint(&gates(other, u32::MAX));
    assert!(meet(&leg, &both) && meet(&both, &session) && !meet(&leg, &session));
    assert!(meet(&leg, &rm("end", 1, 2, 70, json!({}))));
    assert_eq!(gates(&both, 1), BTreeSet::from([0]));
    assert_eq!(gates(&Message("no record".to_owned(), None), 1024), BTreeSet::new());
}
