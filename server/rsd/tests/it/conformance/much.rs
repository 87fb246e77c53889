//! A batch whose sessions have more stored than one share may read: it is stored all the same, in
//! shares behind one another.

use rs::limits::{CALL_BYTES, HELD_PER_BYTE, SHARE_BYTES};
use rs::rollup::{Dim, Granularity, Measure};
use rsd::store::Store;
use serde_json::{Value, json};

use super::NOW;
use super::figures::roll;
use super::made::{Call, Made, arrivals, event, guid, mcp, var};

const SESSIONS: usize = 40;
const CALLS: u64 = 60;
/// Of an unknown field of each call, in bytes.
pub(super) const FILL: usize = 15_000;

pub(super) fn sessions_at_once(store: &dyn Store) {
    let all = SESSIONS * usize::try_from(CALLS).unwrap();
    assert!(all * (CALL_BYTES + FILL * HELD_PER_BYTE) > SHARE_BYTES, "one share cannot read it");
    let session = |of: usize| format!("A{of:03}");
    for of in 0..SESSIONS {
        let calls: Vec<Made> =
            (0..CALLS).map(|call| filled(&mcp(&session(of), call * 60))).collect();
        let seq = u64::try_from(of).unwrap() + 1;
        assert_eq!(store.apply(&arrivals(&calls, seq, 100), NOW).unwrap().dead, 0);
    }
    let reports: Vec<Made> = (0..SESSIONS).map(|of| var(&session(of), 61)).collect();
    let batch = arrivals(&reports, 100, 100);
    let applied = store.apply(&batch, NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (40, 0));
    assert_eq!(applied.changed.len(), all, "all calls that it may belong to are made again");
    let again = arrivals(&reports, 101, 100);
    let applied = store.apply(&again, NOW).unwrap();
    assert_eq!((applied.stored, applied.duplicates, applied.changed.len()), (0, 40, 0));
}

/// The start of a call, with much in it.
pub(super) fn filled(call: &Call) -> Made {
    let mut record: Value = serde_json::from_str(&call.start().body()).unwrap();
    record["x_fill"] = json!("f".repeat(FILL));
    Made::of(&record)
}

/// A conference has more calls than a session id may have: of events that name its GUID alone each
/// is of its own call.
pub(super) fn ports_of_one_guid(store: &dyn Store) {
    let calls = 150;
    let mut story = Vec::new();
    for call in 0..calls {
        let start = 600 + call * 80;
        story.push(mcp(&format!("C{call:03}"), start).guid(1).end(start + 5));
        for (seconds, log_id) in [(1, "asr_open"), (2, "asr_close")] {
            let event = event("", start + seconds, log_id);
            let mut record: Value = serde_json::from_str(&event.body()).unwrap();
            record["guid"] = json!(guid(1));
            story.push(Made::of(&record));
        }
    }
    assert_eq!(store.apply(&arrivals(&story, 1, 500), NOW).unwrap().dead, 0);
    roll(store);
    let rows = store.bins().unwrap().rows(Granularity::FiveMinutes, 0, i64::MAX).unwrap().counts;
    let (asr, all) = (Measure::Asr.number(), Dim::All.number());
    let of_all = rows.iter().filter(|row| (row.measure, row.dim) == (asr, all));
    let sums = of_all.fold((0, 0), |(count, ended), row| (count + row.count, ended + row.ended));
    assert_eq!(sums, (150, 150));
}
