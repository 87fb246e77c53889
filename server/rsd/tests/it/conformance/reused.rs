//! Session ids that a media server uses again, in any store: an event of a port and a failure count
//! for the one call that they belong to, whichever came first, also on the day beside (rs.md §2.9,
//! §4.3, §4.8).

use model::record::FailureType;
use rs::rollup::{Dim, Granularity, Measure, Meta, Zone, rebuild};
use rsd::store::Store;
use rsd::store::bins::Bins;
use serde_json::{Value, json};

use super::NOW;
use super::figures::roll;
use super::made::{Made, arrivals, at, event, guid, mcp};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
const FIVE: u64 = 300;

/// Recognition ports that arrive and end in a span, their time, and the most of them at once.
type Told = (i64, i64, i64, i64);

fn asr(bins: &dyn Bins, from: u64, to: u64) -> Told {
    let rows = bins.rows(Granularity::FiveMinutes, ms(from), ms(to)).unwrap();
    let (measure, dim) = (Measure::Asr.number(), Dim::All.number());
    let mut told = (0, 0, 0, 0);
    for row in rows.counts.iter().filter(|row| (row.measure, row.dim) == (measure, dim)) {
        told = (told.0 + row.count, told.1 + row.ended, told.2 + row.port_ms, 0);
    }
    let levels = rows.levels.iter().filter(|row| (row.measure, row.dim) == (measure, dim));
    (told.0, told.1, told.2, levels.map(|row| row.peak).max().unwrap_or(0))
}

/// What failed by the bins of a span, and of which types.
fn failed(bins: &dyn Bins, from: u64, to: u64) -> Vec<(i64, i64, String)> {
    let rows = bins.rows(Granularity::FiveMinutes, ms(from), ms(to)).unwrap().quality;
    let mut rows: Vec<_> =
        rows.into_iter().filter(|row| row.dim == Dim::Component.number()).collect();
    rows.sort_by_key(|row| row.at.bin_ms);
    rows.into_iter().map(|row| (row.calls, row.failed, row.by_type)).collect()
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(at(seconds).0).unwrap()
}

fn both(session: &str, start: u64, end: u64) -> [Made; 2] {
    [mcp(session, start).start(), mcp(session, start).end(end)]
}

fn bad(session: &str, time: u64, kind: &str) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:{session}/sq/0.{time}"),
        "time": at(time), "producer": {"name": "mcp-1"},
        "component": {"name": "mcp-1", "type": "MCP"}, "session_id": session, "failed": true,
        "failures": [{"time": at(time), "type": kind}],
    }))
}

/// An event that names a GUID alone.
fn of_guid(number: u64, time: u64, log_id: &str) -> Made {
    let mut record: Value = serde_json::from_str(&event("X", time, log_id).body()).unwrap();
    record.as_object_mut().unwrap().remove("session_id").unwrap();
    record["guid"] = json!(guid(number));
    Made::of(&record)
}

/// Each by itself: what hangs on calls, then the first calls, then those of the same session ids.
fn story() -> Vec<Made> {
    let mut story = vec![
        event("A", HOUR + 105, "asr_open"),
        event("A", HOUR + 115, "asr_close"),
        event("B", 2 * HOUR + 110, "asr_open"),
        event("B", 2 * HOUR + 290, "asr_close"),
        event("C", 5 * HOUR + 20, "asr_open"),
        event("C", 5 * HOUR + 200, "asr_close"),
        of_guid(2520, 7 * HOUR + 110, "asr_open"),
        of_guid(2520, 7 * HOUR + 290, "asr_close"),
        // a call from before midnight, and one that begins with the day
        event("D", DAY + 700, "asr_open"),
        event("D", DAY + 1000, "asr_close"),
        event("E", 2 * DAY - 10, "asr_open"),
        event("E", 2 * DAY + 400, "asr_close"),
        bad("F", 6 * HOUR + 10, "FETCH"),
        bad("F", 6 * HOUR + 95, "MEDIA"),
    ];
    for (session, hour) in [("A", HOUR), ("B", 2 * HOUR), ("F", 6 * HOUR)] {
        story.extend(both(session, hour, hour + 60));
    }
    story.extend([mcp("C", 3 * HOUR).start()]);
    let leg = |session, start| mcp(session, start).guid(2520);
    story.extend([leg("G", 7 * HOUR).start(), leg("G", 7 * HOUR).end(7 * HOUR + 60)]);
    story.extend(both("D", DAY - 600, DAY + 1300));
    story.extend(both("E", 2 * DAY - 900, 2 * DAY - 50));
    for (session, hour) in [("A", HOUR), ("B", 2 * HOUR), ("F", 6 * HOUR)] {
        story.extend(both(session, hour + 90, hour + 330));
    }
    story.extend(both("C", 5 * HOUR, 5 * HOUR + 240));
    story.extend([leg("H", 7 * HOUR + 90).start(), leg("H", 7 * HOUR + 90).end(7 * HOUR + 330)]);
    story.extend(both("E", 2 * DAY + 20, 2 * DAY + 700));
    story
}

pub(super) fn figures(store: &dyn Store) {
    let bins = store.bins().unwrap();
    for (seq, record) in (1..).zip(story()) {
        store.apply(&arrivals(&[record], seq, 1), NOW).unwrap();
        roll(store);
    }
    let look = || {
        assert_eq!(asr(bins, HOUR, 2 * HOUR), (1, 1, 10_000, 1), "near both calls");
        assert_eq!(asr(bins, 2 * HOUR, 3 * HOUR), (1, 1, 180_000, 1), "half of it near one");
        assert_eq!(asr(bins, 3 * HOUR, 6 * HOUR), (1, 1, 180_000, 1), "one without an end");
        assert_eq!(asr(bins, 7 * HOUR, 8 * HOUR), (1, 1, 180_000, 1), "of a GUID");
        assert_eq!(asr(bins, DAY - HOUR, DAY + HOUR), (1, 1, 300_000, 1), "after midnight");
        assert_eq!(asr(bins, DAY + 600, DAY + 600 + FIVE), (0, 0, 0, 1), "in the bin of the port");
        assert_eq!(asr(bins, 2 * DAY - HOUR, 2 * DAY), (0, 0, 0, 0), "of the call before it");
        assert_eq!(asr(bins, 2 * DAY, 2 * DAY + HOUR), (1, 1, 380_000, 1), "clipped to its call");
        let only = |kind: FailureType| format!("{{\"{}\":1}}", kind.number());
        let told = [(1, 1, only(FailureType::Fetch)), (1, 1, only(FailureType::Media))];
        assert_eq!(failed(bins, 6 * HOUR, 7 * HOUR), told);
    };
    look();
    bins.note(&rebuild(&Zone::utc(), ms(0), ms(4 * DAY)), &Meta::new(), 0).unwrap();
    roll(store);
    look();
}
