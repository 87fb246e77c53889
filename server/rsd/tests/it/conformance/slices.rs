//! The purge of what is a tenant's own, in any store: slice behind slice, of which each takes no
//! more than it may, and of a session id only what was said in the calls of that tenant, though
//! those of others lie on the days beside (rs.md §10, §2.9).

use rs::Filter;
use rs::retention::{Due, What, Which};
use rsd::store::{CallName, Day, Store};

use super::NOW;
use super::keeping::{all_of, lease, ms};
use super::made::{Made, arrivals, at, event, mcp};

const DAY: u64 = 86_400;
const FIRST: Day = 20_261_122;
const SECOND: Day = 20_261_123;

fn both(session: &str, tenant: u32, start: u64, end: u64) -> [Made; 2] {
    let call = mcp(session, start).tenant("one", Some(tenant));
    [call.start(), call.end(end)]
}

/// Frames from this number on.
fn fill(store: &dyn Store, first: u64, story: &[Made]) {
    for (seq, records) in (first..).zip(story.chunks(50)) {
        assert_eq!(store.apply(&arrivals(records, seq, 50), NOW).unwrap().dead, 0);
    }
}

/// How much was said in the calls of a tenant.
fn said(store: &dyn Store, tenant: u32) -> usize {
    let filter = Filter { tenants: vec![tenant], ..Filter::default() };
    let calls = store.page(&filter, 1, 100, NOW).unwrap().calls;
    let said = |key| store.call(&CallName::Key(key), true).unwrap().remove(0).events.first.len();
    calls.into_iter().map(|call| said(call.key)).sum()
}

const fn of(tenant: i64) -> Which {
    Which::Of { tenant: Some(tenant), profile: None }
}

pub(super) fn behind_one_another(store: &dyn Store) {
    let mut story = Vec::new();
    for n in 0..7 {
        let (session, start) = (format!("S{n}"), 1000 + n);
        story.extend(both(&session, 101, start, start + 60));
        story.extend(both(&session, 102, start + 90, start + 200));
        story.extend([5, 10, 65].map(|after| event(&session, start + after, "note")));
        story.extend([80, 150].map(|after| event(&session, start + after, "note")));
    }
    // one that says more than a slice may take
    story.extend(both("T", 101, 20_000, 20_100));
    story.extend((20_001..20_091).map(|time| event("T", time, "note")));
    story.push(event("T", 20_095, "asr_open"));
    fill(store, 1, &story);
    assert_eq!((said(store, 101), said(store, 102)), (7 * 3 + 91, 7 * 2));
    let keeping = store.keeping();
    let now_ms = ms(at(30 * DAY));
    let held = lease(keeping, "a", now_ms).unwrap();
    let due = Due { what: What::Events, which: of(101), before_ms: now_ms };
    let (mut slices, mut after) = (Vec::new(), None);
    loop {
        let slice = keeping.delete(&held, FIRST, &due, after, 2).unwrap();
        slices.push(slice.rows);
        after = slice.next;
        if after.is_none() {
            break;
        }
        assert!(slices.len() < 100, "{slices:?}");
    }
    // two calls at a time, and twenty events for each
    assert!(slices.iter().all(|rows| *rows <= 40) && slices.len() >= 6, "{slices:?}");
    assert_eq!(slices.iter().sum::<u64>(), 7 * 3 + 90, "{slices:?}");
    assert_eq!((said(store, 101), said(store, 102)), (1, 7 * 2), "that of a port stays");
    let due = Due { what: What::Cdr, ..due };
    assert!(all_of(keeping, (&held, FIRST), &due, 2) > 8);
    assert_eq!((said(store, 101), said(store, 102)), (0, 7 * 2));
    // all, and what is left of no call

    fill(store, 50, &[event("nobody", 50, "note"), event("nobody", 51, "note")]);
    let loose = Due { what: What::Events, which: Which::Loose, before_ms: now_ms };
    assert_eq!(all_of(keeping, (&held, FIRST), &loose, 3), 2);
    let all = Due { which: Which::All, ..loose };
    assert_eq!(all_of(keeping, (&held, FIRST), &all, 3), 7 * 2);
}

pub(super) fn of_the_days_beside(store: &dyn Store) {
    let mut story = Vec::new();
    // from before midnight, and its session id again later in the day
    story.extend(both("N", 102, DAY - 600, DAY + 100));
    story.extend(both("N", 101, DAY + 5000, DAY + 5100));
    story.extend([DAY - 500, DAY + 50, DAY + 5050].map(|time| event("N", time, "note")));
    // one that begins after midnight has its event before
    story.extend(both("M", 101, DAY - 5000, DAY - 4000));
    story.extend(both("M", 102, DAY + 20, DAY + 100));
    story.extend([DAY - 4500, DAY - 30, DAY + 60].map(|time| event("M", time, "note")));
    fill(store, 1, &story);
    assert_eq!((said(store, 101), said(store, 102)), (2, 4));
    let keeping = store.keeping();
    let now_ms = ms(at(30 * DAY));
    let held = lease(keeping, "a", now_ms).unwrap();
    for what in [What::Events, What::Cdr] {
        for day in [FIRST, SECOND] {
            let due = Due { what, which: of(101), before_ms: now_ms };
            assert!(all_of(keeping, (&held, day), &due, 10) > 0, "{what:?} {day}");
            assert_eq!(said(store, 102), 4, "{what:?} {day}");
        }
        assert_eq!(said(store, 101), 0);
    }
}
