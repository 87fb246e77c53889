//! Session ids that a media server uses again: each event of a port and each failure counts for one
//! call, whichever of the calls and events comes first (rs.md §2.9, §4.3, §4.8).

use model::record::FailureType;

use super::super::night::{night, of};
use super::orders::differ;
use super::*;
use crate::rollup::{CountRow, Dim, Measure};

const MINUTE: u64 = 60;

/// An event of a port of a session, or of a GUID.
fn port(id: u64, log_id: &str, time: u64, whose: &Value) -> Message {
    let mut record = json!({"id": format!("mcp-1:R/ev/0.{id}"), "time": night(time),
        "session_id": Value::Null, "log_id": log_id});
    record.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    record.as_object_mut().unwrap().extend(whose.as_object().unwrap().clone());
    let mut message: Value = serde_json::from_str(&event(0, record).0).unwrap();
    if whose.get("session_id").is_none() {
        message.as_object_mut().unwrap().remove("session_id");
    }
    Message(message.to_string(), None)
}

/// A call served badly: when its record was made, and when it failed.
fn bad(id: u64, (time, failed): (u64, u64), kind: &str, whose: &Value) -> Message {
    let mut record = json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:R/sq/0.{id}"), "time": night(time),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "failed": true, "failures": [{"time": night(failed), "type": kind}],
    });
    record.as_object_mut().unwrap().extend(whose.as_object().unwrap().clone());
    Message(record.to_string(), None)
}

/// Arrivals, ends and time of recognition ports on the whole platform, and the greatest number of
/// them at once.
fn asr(rolled: &Rolled) -> (i64, i64, i64, i64) {
    let inside = rolled.0.borrow();
    let five = Granularity::FiveMinutes.number();
    let (measure, dim) = (Measure::Asr.number(), Dim::All.number());
    let is = |row: &&CountRow| (row.at.gran, row.measure, row.dim) == (five, measure, dim);
    let rows = inside.bins.counts.iter().filter(is);
    let (mut count, mut ended, mut port_ms) = (0, 0, 0);
    for row in rows {
        count += row.count;
        ended += row.ended;
        port_ms += row.port_ms;
    }
    let is = |row: &&LevelRow| (row.at.gran, row.measure, row.dim) == (five, measure, dim);
    let peak = inside.bins.levels.iter().filter(is).map(|row| row.peak).max();
    (count, ended, port_ms, peak.unwrap_or(0))
}

/// The records in both orders, each by itself and all at once, on a server and in files by day: the
/// same bins, which are those made at once.
fn rolled(records: &[Message]) -> Rolled {
    let forward: Vec<&Message> = records.iter().collect();
    let backward: Vec<&Message> = records.iter().rev().collect();
    let mut last: Option<Rolled> = None;
    for order in [&forward, &backward] {
        for split in [1, 100] {
            for by_day in [false, true] {
                let rolled = Rolled::default();
                for batch in order.chunks(split) {
                    rolled.apply_as(batch, by_day);
                    rolled.roll(&zone(), 1000);
                }
                let rows = rolled.rows();
                assert_eq!(rows, rolled.anew(&zone()).rows(), "{split} {by_day}");
                assert!(last.is_none_or(|last| last.rows() == rows), "{split} {by_day}");
                last = Some(rolled);
            }
        }
    }
    last.unwrap()
}

#[test]
fn a_port_counts_for_one_call_of_a_session_id_that_is_used_again() {
    let whose = json!({"session_id": "R"});
    let call = |started: u64, ended: Option<u64>| {
        let end = ended.map(|ended| of("R", "end", started, ended, json!({})));
        [of("R", "start", started, started, json!({}))].into_iter().chain(end)
    };
    let used = |open: u64, close: u64| {
        [port(1, "asr_open", open, &whose), port(2, "asr_close", close, &whose)]
    };
    let (first, second) = ((100, Some(160)), (190, Some(430)));
    let both = || call(first.0, first.1).chain(call(second.0, second.1));
    // both lie within a minute of the first call too
    let near: Vec<_> = both().chain(used(205, 215)).collect();
    assert_eq!(asr(&rolled(&near)), (1, 1, 10_000, 1));
    // the first call's minute is over between the two
    let clipped: Vec<_> = both().chain(used(210, 390)).collect();
    assert_eq!(asr(&rolled(&clipped)), (1, 1, 180_000, 1));
    // a call without an end, of which nobody hears again
    let lost = 2 * 60 * MINUTE;
    let calls = call(100, None).chain(call(lost, Some(lost + 240)));
    let lost: Vec<_> = calls.chain(used(lost + 20, lost + 200)).collect();
    assert_eq!(asr(&rolled(&lost)), (1, 1, 180_000, 1));
}

#[test]
fn a_port_is_open_no_longer_than_its_call() {
    let whose = json!({"session_id": "R"});
    let call =
        || [of("R", "start", 100, 100, json!({})), of("R", "end", 100, 400, json!({}))].into_iter();
    let used = |open: u64, close: u64| {
        [port(1, "asr_open", open, &whose), port(2, "asr_close", close, &whose)]
    };
    let of = |open, close| asr(&rolled(&call().chain(used(open, close)).collect::<Vec<_>>()));
    assert_eq!(of(350, 450), (1, 1, 50_000, 1));
    assert_eq!(of(50, 150), (1, 1, 50_000, 1));
    // the clock of the media server may be wrong by as much
    assert_eq!(of(410, 450), (1, 1, 0, 0));
    assert_eq!(of(50, 90), (1, 1, 0, 0));
    let open: Vec<_> = call().chain([port(1, "asr_open", 150, &whose)]).collect();
    assert_eq!(asr(&rolled(&open)), (1, 1, 250_000, 1), "until the call ends");
}

/// Two events of one id, one of a port and one of none: whichever stays, and a port that goes is
/// taken back from the start and the end of its call.
#[test]
fn an_event_of_a_port_that_goes_takes_its_port_along() {
    let whose = json!({"session_id": "R"});
    let mut counts = BTreeSet::new();
    for id in 0..12 {
        let records = [
            of("R", "start", 100, 100, json!({})),
            of("R", "end", 100, 1400, json!({})),
            port(id, "asr_open", 700, &whose),
            port(id, "dtmf", 700, &whose),
        ];
        counts.insert(asr(&rolled(&records)));
    }
    let expected = [(0, 0, 0, 0), (1, 1, 700_000, 1)];
    assert_eq!(counts, expected.into(), "each of the two stays once at least");
}

#[test]
fn a_failure_counts_for_the_call_that_failed() {
    let whose = json!({"session_id": "R"});
    let records = [
        of("R", "start", 100, 100, json!({})),
        of("R", "end", 100, 160, json!({})),
        of("R", "start", 190, 190, json!({})),
        of("R", "end", 190, 430, json!({})),
        bad(1, (110, 105), "FETCH", &whose),
        // what a record tells is of its call, also what is nearer to another one
        bad(2, (200, 170), "MEDIA", &whose),
    ];
    let rolled = rolled(&records);
    let inside = rolled.0.borrow();
    let five = Granularity::FiveMinutes.number();
    let component = Dim::Component.number();
    let rows = inside.bins.quality.iter();
    let of = rows.filter(|row| (row.at.gran, row.dim) == (five, component));
    let of: Vec<_> = of.map(|row| (row.calls, row.failed, row.by_type.clone())).collect();
    let only = |kind: FailureType| format!("{{\"{}\":1}}", kind.number());
    assert_eq!(of, [(1, 1, only(FailureType::Fetch)), (1, 1, only(FailureType::Media))]);
}

/// Seconds at which calls begin: within a minute of each other and beyond, on both sides of
/// midnight, and the day after.
const STARTS: [u64; 8] = [100, 140, 170, 300, 420, 1500, 5000, 87_000];
/// How far from one of these an event lies.
const OFFSETS: [i64; 8] = [-70, -40, 0, 20, 55, 61, 130, 400];
const LOGS: [&str; 6] = ["asr_open", "asr_close", "tts_open", "asr_open", "asr_close", "dtmf"];
const GUIDS: [&str; 2] =
    ["6F000000-0000-4000-8000-000000000003", "01A205B3-A8F0-7000-8000-000000000001"];

fn whose(by: usize) -> Value {
    match by {
        0 => json!({"session_id": "R"}),
        1 => json!({"session_id": "Q"}),
        2 => json!({"guid": GUIDS[0]}),
        _ => json!({"session_id": "R", "guid": GUIDS[1]}),
    }
}

fn any_time() -> impl Strategy<Value = u64> {
    (prop::sample::select(&STARTS[..]), prop::sample::select(&OFFSETS[..]))
        .prop_map(|(start, offset)| start.saturating_add_signed(offset))
}

/// A call that begins and perhaps ends, at first too early, and perhaps tells a GUID.
fn any_call() -> impl Strategy<Value = Vec<Message>> {
    let ended = prop::sample::select(&[None, Some(5), Some(50), Some(110), Some(700)][..]);
    let start = prop::sample::select(&STARTS[..]);
    (0..2_usize, start, ended, any::<bool>()).prop_map(|(session, start, ended, presumed)| {
        // a call has one GUID, or none
        let guid = STARTS.iter().position(|of| *of == start).unwrap_or(0) % 4 + session;
        let session = ["R", "Q"][session];
        let told = GUIDS.get(guid).map_or(json!({}), |guid| json!({ "guid": guid }));
        let mut records = vec![of(session, "start", start, start, told)];
        if let Some(length) = ended {
            records.push(of(session, "end", start, start + length, json!({})));
        }
        if presumed {
            let id = format!("mcp-1:{session}/cdr.end/{start}.presumed");
            let more = json!({"id": id, "end_state": "TIMEOUT"});
            records.push(of(session, "end", start, start + 30, more));
        }
        records
    })
}

/// An event, perhaps with another content under its id.
fn any_event() -> impl Strategy<Value = Vec<Message>> {
    let log = || prop::sample::select(&LOGS[..]);
    (0..99_u64, log(), prop::option::of(log()), any_time(), 0..4_usize).prop_map(
        |(id, log, other, time, by)| {
            let logs = [log].into_iter().chain(other);
            logs.map(|log| port(id, log, time, &whose(by))).collect()
        },
    )
}

fn any_failure() -> impl Strategy<Value = Message> {
    (0..4_u64, any_time(), any_time(), prop::sample::select(&["FETCH", "MEDIA"][..]), 0..4_usize)
        .prop_map(|(id, time, failed, kind, by)| bad(id, (time, failed), kind, &whose(by)))
}

fn any_records() -> impl Strategy<Value = (Vec<Message>, Vec<Message>)> {
    let calls = prop::collection::vec(any_call(), 1..6);
    let events = prop::collection::vec(any_event(), 1..8);
    let failures = prop::collection::vec(any_failure(), 0..3);
    let all = (calls, events, failures)
        .prop_map(|(calls, events, failures)| [calls.concat(), events.concat(), failures].concat());
    all.prop_flat_map(|all| (Just(all.clone()).prop_shuffle(), Just(all).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn bins_do_not_depend_on_what_comes_first(
        (one, other) in any_records(),
        (split, turns) in (1..5_usize, prop::collection::vec(0..3_usize, 12)),
        by_day in any::<bool>(),
    ) {
        let go = |records: &[Message], split: usize, by_day: bool| {
            let rolled = Rolled::default();
            let messages: Vec<&Message> = records.iter().collect();
            for (batch, turns) in messages.chunks(split).zip(turns.iter().cycle()) {
                rolled.apply_as(batch, by_day);
                rolled.roll(&zone(), *turns);
            }
            rolled.roll(&zone(), 1000);
            rolled
        };
        let (one, other) = (go(&one, split, by_day), go(&other, 1, !by_day));
        prop_assert_eq!(differ(&one.rows(), &one.anew(&zone()).rows()), None);
        prop_assert_eq!(differ(&one.rows(), &other.rows()), None);
        let counts = one.0.borrow().bins.counts.clone();
        prop_assert!(counts.iter().all(|row| row.port_ms >= 0), "{:?}", counts);
    }
}
