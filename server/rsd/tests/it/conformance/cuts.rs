//! Batches whose calls fill a share nearly, so that what else is wanted cuts it: by bytes of
//! reports, by bytes of quality, by the count of calls. The rows are those of files that were
//! told in small batches.

use rs::Filter;
use rs::limits::{CALL_BYTES, HELD_PER_BYTE, SHARE_BYTES};
use rsd::store::sqlite::Sqlite;
use rsd::store::{CallName, Leg, Store};
use serde_json::json;

use super::NOW;
use super::made::{Made, arrivals, at, mcp};
use super::much::{FILL, filled};
use super::reports::report;

/// Conferences of so many calls each.
const GUIDS: u64 = 4;
const CALLS: u64 = 500;
/// Sessions of each kind.
const SESSIONS: u64 = 20;
/// Calls of a session that has nothing but calls.
const SMALL: u64 = 100;
/// Reports, or facts of quality, of a session.
const HANGING: u64 = 16;
/// Characters of a report, of four bytes each.
const TEXT: usize = 8000;
/// Of a failure.
const FAILURE: usize = 256;

/// What a kind of sessions is named by.
const KINDS: [&str; 3] = ["reports", "quality", "calls"];

fn quality(session: &str, time: u64, text: &str) -> Made {
    let failure = json!({"time": at(time), "type": "FETCH", "text": text});
    Made::of(&json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:{session}/sq/0.{time}"),
        "time": at(time), "producer": {"name": "mcp-1"},
        "component": {"name": "mcp-1", "type": "MCP"}, "session_id": session, "failed": true,
        "failures": vec![failure; 8],
    }))
}

/// What is there before.
fn before() -> Vec<Made> {
    let weight = usize::try_from(GUIDS * CALLS).unwrap() * (CALL_BYTES + FILL * HELD_PER_BYTE);
    assert!(weight < SHARE_BYTES && SHARE_BYTES - weight < SHARE_BYTES / 20, "{weight}");
    let [sessions, hanging, small] =
        [SESSIONS, HANGING, SMALL].map(|count| usize::try_from(count).unwrap());
    for kind in [
        sessions * hanging * 4 * TEXT,
        sessions * hanging * 8 * 4 * FAILURE * HELD_PER_BYTE,
        sessions * small * CALL_BYTES,
    ] {
        assert!(kind > SHARE_BYTES / 20, "it cuts the share: {kind}");
    }
    let mut all = Vec::new();
    for (of, call) in (1..=GUIDS).flat_map(|of| (0..CALLS).map(move |call| (of, call))) {
        let session = format!("G{of}-{call}");
        all.push(filled(&mcp(&session, 600 + call).guid(of)));
    }
    for of in 0..SESSIONS {
        let [reports, rated, calls] = KINDS.map(|kind| format!("{kind}{of}"));
        all.extend([mcp(&reports, 600).end(690), mcp(&rated, 600).end(690)]);
        for n in 0..HANGING {
            let text = format!("v{n}|{}", "😀".repeat(TEXT));
            all.push(report(&reports, 601 + n, "CustomVar", &text));
            all.push(quality(&rated, 601 + n, &"😀".repeat(FAILURE)));
        }
        all.extend((0..SMALL).map(|call| mcp(&calls, 600 + call * 200).end(690 + call * 200)));
    }
    all
}

/// A batch of each kind: a new call of each GUID, and of each session one record more.
fn batches() -> [Vec<Made>; 3] {
    KINDS.map(|kind| {
        let calls = (1..=GUIDS).map(|of| mcp(&format!("N{of}-{kind}"), 700).guid(of).start());
        let more = (0..SESSIONS).map(|of| match kind {
            "quality" => quality(&format!("{kind}{of}"), 650, "last"),
            _ => report(&format!("{kind}{of}"), 650, "CallResult", "SUCCESS"),
        });
        calls.chain(more).collect()
    })
}

/// All calls, and what hangs on those of the sessions that had something to hang on.
fn told(store: &dyn Store) -> Vec<String> {
    let calls = store.page(&Filter::default(), 1, 10_000, NOW).unwrap().calls;
    let mut all: Vec<String> = calls.iter().map(|call| format!("{call:?}")).collect();
    let is_one = |session: &str| {
        KINDS[..2].iter().any(|kind| session.starts_with(kind)) || session == "calls7"
    };
    for call in calls.iter().filter(|call| is_one(&call.session_id)) {
        let Leg { var, .. } = store.call(&CallName::Key(call.key), false).unwrap().remove(0);
        all.push(format!("{} {} {var:?}", call.session_id, call.started));
    }
    all
}

/// Tells it all in batches of so many.
fn tell(store: &dyn Store, first_seq: u64, story: &[Made], records: usize) -> u64 {
    for (seq, batch) in (first_seq..).zip(story.chunks(records)) {
        let applied = store.apply(&arrivals(batch, seq, records), NOW).unwrap();
        assert_eq!((applied.stored, applied.dead), (u64::try_from(batch.len()).unwrap(), 0));
    }
    first_seq + u64::try_from(story.chunks(records).len()).unwrap()
}

pub(super) fn of_each_kind(store: &dyn Store) {
    let dir = tempfile::tempdir().unwrap();
    let other = Sqlite::new(dir.path().to_owned(), NOW);
    let before = before();
    let [mut seq, mut apart] = [store, &other].map(|store| tell(store, 1, &before, 500));
    for batch in batches() {
        seq = tell(store, seq, &batch, batch.len());
        apart = tell(&other, apart, &batch, 4);
    }
    let (told, expected) = (told(store), told(&other));
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
}
