//! What was said in a call, in any store: of calls of one session id each has its own events
//! (rs.md §2.9), on whatever day they happened, and of very many the first ones.

use rs::Filter;
use rsd::store::{CallName, Leg, Store};

use super::NOW;
use super::made::{Made, arrivals, at, event, mcp};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// When, in seconds, what was said in the call of this session and start, and whether that is not
/// all.
fn said(store: &dyn Store, session: &str, start: u64) -> (Vec<u64>, bool) {
    let filter = Filter { session_id: Some(session.to_owned()), ..Filter::default() };
    let calls = store.page(&filter, 1, 100, NOW).unwrap().calls;
    let call = calls.iter().find(|call| call.started == at(start)).unwrap();
    let Leg { events, .. } = store.call(&CallName::Key(call.key), true).unwrap().remove(0);
    let seconds = |time_ms: i64| (u64::try_from(time_ms).unwrap() - at(0).0) / 1000;
    (events.first.iter().map(|event| seconds(event.time_ms)).collect(), events.is_cut)
}

fn both(session: &str, start: u64, end: u64) -> [Made; 2] {
    [mcp(session, start).start(), mcp(session, start).end(end)]
}

/// A call and the times of its events.
type Told<'t> = (&'t str, u64, &'t [u64]);

pub(super) fn in_its_own_call(store: &dyn Store) {
    let told: [Told<'_>; 9] = [
        // twice in a minute and a half, and once more
        ("A", HOUR, &[HOUR - 30, HOUR, HOUR + 60, HOUR + 74]),
        ("A", HOUR + 90, &[HOUR + 75, HOUR + 89, HOUR + 300, 3 * HOUR]),
        ("A", 5 * HOUR, &[5 * HOUR - 59, 5 * HOUR + 10, 9 * HOUR]),
        // on neighbouring days
        ("B", DAY - 900, &[DAY - 900, DAY - 10, DAY - 1]),
        ("B", DAY + 100, &[DAY + 40, DAY + 150, DAY + 400]),
        // over three days: in the middle, on the last one and behind it
        ("C", DAY - HOUR, &[DAY + HOUR, 2 * DAY - 1, 2 * DAY + HOUR, 3 * DAY + 20]),
        // one that has begun again while the first one has no end
        ("D", 2 * HOUR, &[2 * HOUR + 1, 4 * HOUR, 3 * DAY]),
        ("D", 3 * HOUR, &[3 * HOUR + 5]),
        // at midnight
        ("E", 2 * DAY + 20, &[2 * DAY - 30, 2 * DAY + 21]),
    ];
    let mut story = vec![mcp("D", 2 * HOUR).start()];
    story.extend(both("A", HOUR, HOUR + 60));
    story.extend(both("A", HOUR + 90, HOUR + 330));
    story.extend(both("A", 5 * HOUR, 5 * HOUR + 60));
    story.extend(both("B", DAY - 900, DAY - 50));
    story.extend(both("B", DAY + 100, DAY + 300));
    story.extend(both("C", DAY - HOUR, 3 * DAY - 5));
    story.extend(both("D", 3 * HOUR, 3 * HOUR + 60));
    story.extend(both("E", 2 * DAY + 20, 2 * DAY + 60));
    for (session, _, times) in told {
        story.extend(times.iter().map(|time| event(session, *time, "note")));
    }
    // of no call
    story.push(event("A", HOUR - 61, "note"));
    for (seq, records) in (1..).zip(story.chunks(7)) {
        assert_eq!(store.apply(&arrivals(records, seq, 7), NOW).unwrap().dead, 0);
    }
    for (session, start, times) in told {
        assert_eq!(said(store, session, start), (times.to_vec(), false), "{session} {start}");
    }
}

/// A session id that says very much.
pub(super) fn so_much(store: &dyn Store) {
    let times = 1100..3500;
    let mut story: Vec<Made> = times.clone().map(|time| event("S", time, "note")).collect();
    story.extend(both("S", 1000, 1049));
    story.extend(both("S", 1100, 3400));
    story.push(event("S", 1010, "note"));
    story.extend(both("S", 100_000, 100_060));
    story.push(event("S", 100_001, "note"));
    for (seq, records) in (1..).zip(story.chunks(1000)) {
        assert_eq!(store.apply(&arrivals(records, seq, 1000), NOW).unwrap().dead, 0);
    }
    assert_eq!(said(store, "S", 1000), (vec![1010], false), "what others say does not count");
    let (told, is_cut) = said(store, "S", 1100);
    assert_eq!((told, is_cut), (times.take(1000).collect(), true), "the first ones");
    assert_eq!(said(store, "S", 100_000), (vec![100_001], false));
}
