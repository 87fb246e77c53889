//! What a turn of the job takes, and what leaves marks.

use std::cell::Cell;

use super::*;
use crate::key;
use crate::rollup::{Done, five_of};

const FIVE: Job = Job::Make(Granularity::FiveMinutes);

/// Marks of a long past, and one of the last five minutes.
fn behind() -> (Rolled, Mark) {
    let (rolled, now) = (Rolled::default(), Mark::five(five_of(NOW_MS - 300_000)));
    let past = (0..300).map(|n| Mark::five(OWN_MS + n * 60_000));
    past.chain([now]).for_each(|mark| rolled.0.borrow_mut().mark(mark, 0));
    (rolled, now)
}

#[test]
fn a_bin_of_now_does_not_wait_for_a_long_past() {
    let (rolled, now) = behind();
    let done = work(&rolled, &mut Objects::default(), &rules(&zone()), || true).unwrap();
    assert_eq!((done.bins, done.more), (21, true));
    let left = rolled.marks(FIVE, i64::MIN, i64::MAX, 1000).unwrap();
    assert_eq!(left.len(), 280);
    assert!(!left.iter().any(|row| row.mark == now), "{left:?}");
}

#[test]
fn a_turn_ends_after_the_bin_at_which_it_is_told_to() {
    let (rolled, _) = behind();
    let left = Cell::new(3);
    let goes_on = || left.replace(left.get() - 1) > 0;
    let done = work(&rolled, &mut Objects::default(), &rules(&zone()), goes_on).unwrap();
    assert_eq!(done, Done { bins: 3, more: true, ..Done::default() });
    assert_eq!(rolled.marks(FIVE, i64::MIN, i64::MAX, 1000).unwrap().len(), 298);
}

#[test]
fn a_call_with_ports_spreads_when_it_changes_not_with_each_record() {
    let (rolled, zone) = (Rolled::default(), zone());
    let spreads = || rolled.marks(Job::Spread, i64::MIN, i64::MAX, 9).unwrap().len();
    let opened = json!({"session_id": "L", "log_id": "asr_open", "id": "mcp-1:L/ev/0.5"});
    rolled.apply(&[&event(5, opened), &mcp("start", "L", 2, json!({}))]);
    assert_eq!(spreads(), 1);
    rolled.roll(&zone, 1000);
    let told = |n: u64, more: Value| {
        let mut record = json!({"id": format!("mcp-1:L/cdr.update/{n}")});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mcp("update", "L", n, record)
    };
    rolled.apply(&[&told(20, json!({}))]);
    assert_eq!(rolled.0.borrow().tables.calls.len(), 1);
    assert_eq!(spreads(), 0, "nothing of it is otherwise");
    rolled.apply(&[&told(30, json!({"call_type": "OUTBOUND"}))]);
    assert_eq!(spreads(), 1, "it counts as another");
}

/// Facts of a day that cannot be read: its bins keep what they have, and wait; all others are made
/// with what there is.
#[test]
fn a_day_that_cannot_be_read_holds_up_no_other() {
    let (story, zone) = (whole_story(), zone());
    let (rolled, whole) = (Rolled::default(), Rolled::default());
    let all: Vec<&Message> = story.iter().collect();
    for tables in [&rolled, &whole] {
        tables.apply(&all[..9]);
        tables.roll(&zone, 1000);
    }
    // of the day, and of the afternoon behind it; days and more are of both
    let next_ms = key::start_ms(20_261_123);
    let made_of = |rolled: &Rolled| -> (Vec<_>, Vec<_>) {
        let rows = rolled.0.borrow().bins.counts.clone();
        let mut both = (Vec::new(), Vec::new());
        for row in rows.into_iter().filter(|row| row.at.gran < Granularity::Day.number()) {
            match row.at.bin_ms - next_ms {
                ..0 => both.0.push(row),
                43_200_000.. => both.1.push(row),
                _ => {}
            }
        }
        both
    };
    let before = made_of(&rolled).0;
    assert!(made_of(&rolled).1.is_empty());
    rolled.0.borrow_mut().unreadable = [20_261_122].into();
    rolled.apply(&all);
    whole.apply(&all);
    // more than a turn takes at once
    for mark in (0..60).map(|n| Mark::five(OWN_MS + n * 300_000)) {
        rolled.0.borrow_mut().mark(mark, 0);
    }
    rolled.roll(&zone, 1000);
    whole.roll(&zone, 1000);
    let (own, rest) = made_of(&rolled);
    assert!(own == before, "they keep what they have");
    assert!(rest == made_of(&whole).1 && rest.len() > 5, "{rest:?}");
    let left = rolled.marks(FIVE, i64::MIN, i64::MAX, 1000).unwrap();
    assert!(left.len() >= 60, "they wait");
    let night = check(&rolled, &mut Objects::default(), &rules(&zone), OWN_MS).unwrap();
    assert_eq!(night, None, "nobody knows");

    rolled.0.borrow_mut().unreadable.clear();
    rolled.roll(&zone, 1000);
    assert_eq!(rolled.rows(), whole.rows(), "as if it had never been");
}
