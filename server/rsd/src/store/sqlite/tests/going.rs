//! A day that goes while something of it comes: between any two steps of a purge.

use rs::retention::{Defaults, Terms};
use rs::rollup::Zone;

use super::hanging::at_night;
use super::*;
use crate::store::keeping::{Keeping as _, Lease};
use crate::store::sqlite::keeping::{Keeper, forget_day};
use crate::store::sqlite::purge;

const DAY: Day = 20_261_122;

fn lease(store: &Sqlite) -> Lease {
    store.take_lease("retention", "a", 0, i64::MAX).unwrap().unwrap()
}

fn listed(store: &Sqlite) -> u64 {
    store.count(&Filter::default(), Unit::Leg, NOW).unwrap()
}

/// When the last call of the day ended, as a plan has it.
fn last_ms(store: &Sqlite) -> i64 {
    let groups = store.groups(DAY).unwrap();
    groups.iter().filter_map(|group| group.last_ended_ms).max().unwrap()
}

/// Its file and the main one, as a slice has them.
fn step<T>(
    store: &Sqlite,
    work: impl FnOnce(&mut Connection, &mut Connection) -> Result<T, StoreError>,
) -> T {
    let step = |keeper: &mut Keeper| {
        let Keeper { main, days, .. } = keeper;
        work(main, days.find(DAY, 0)?.unwrap())
    };
    store.keep(step).unwrap()
}

/// It ended after the purge was decided, and comes before the day is hidden, before it leaves the
/// lists, before its rows go.
#[test]
fn a_call_that_comes_between_two_steps_of_a_purge_stays() {
    let ended = [rm(1, 10).end(60), rm(2, 100).end(160), rm(3, 200).end(260)];
    for moment in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.apply(&arrivals(&ended, 1, 3), NOW).unwrap();
        let last_ms = last_ms(&store);
        let comes = |at: u32| {
            if at == moment {
                let late = arrivals(&[rm(7, 500).end(600)], 90, 1);
                assert_eq!(store.apply(&late, NOW).unwrap().stored, 1);
            }
        };
        comes(0);
        let hidden = step(&store, |_, db| purge::hide(db, last_ms));
        comes(1);
        let left = hidden && step(&store, |main, db| forget_day(main, db, DAY));
        comes(2);
        let gone = if left { step(&store, |_, db| purge::facts(db, last_ms, 1)) } else { 0 };
        comes(3);
        assert_eq!((hidden, left, gone), (moment > 0, moment > 1, u64::from(moment > 2)));
        // the run goes on as if nothing was
        assert_eq!(store.delete_facts(&lease(&store), DAY, last_ms, 1).unwrap(), 0);
        let calls = listed(&store);
        assert!(calls == 4 || moment == 3 && calls > 0, "{moment}: {calls}");
        drop(store);
        let store = open(dir.path());
        assert_eq!(listed(&store), calls, "{moment}: and after a start");
    }
}

/// A record that comes when the job has looked and before it goes is judged by the time that is
/// in force: of a day that goes it is refused, and has nothing to bring back.
#[test]
fn a_late_end_of_a_call_that_goes_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&[rm(1, 10).end(60), rm(2, 100).end(160)], 1, 2), NOW).unwrap();
    let last_ms = last_ms(&store);
    store.judge_by(Terms::new(Zone::utc(), Defaults { cdr: 1, events: 1 }));
    assert!(step(&store, |_, db| purge::hide(db, last_ms)));
    assert!(step(&store, |main, db| forget_day(main, db, DAY)));
    let mut late = arrivals(&[rm(1, 10).leg(2, 20).end(70)], 90, 1);
    late[0].entry.as_mut().unwrap().received = made::at(5 * 86_400).0;
    let applied = store.apply(&late, NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (0, 1));
    assert_eq!(listed(&store), 0);
    let held = lease(&store);
    while store.delete_facts(&held, DAY, last_ms, 1).unwrap() > 0 {}
    assert!(store.groups(DAY).unwrap().is_empty());
}

/// A report of the day after meets its call in a day that has begun to go: it is taken up, and the
/// day stays hidden.
#[test]
fn a_day_that_is_hidden_is_visited_and_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut records = at_night();
    let report = records.pop().unwrap();
    store.apply(&arrivals(&records, 1, 1), NOW).unwrap();
    let before = listed(&store);
    assert_eq!(before, 1);
    assert!(step(&store, |_, db| purge::hide(db, i64::MAX)));
    assert!(step(&store, |main, db| forget_day(main, db, DAY)));
    assert_eq!(listed(&store), 0);
    let applied = store.apply(&arrivals(&[report], 50, 1), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (1, 0));
    assert_eq!((listed(&store), applied.changed.len()), (0, 0), "nobody is told of its call");
    assert!(step(&store, |_, db| purge::is_hidden(db)));
    drop(store);
    let store = open(dir.path());
    assert_eq!(listed(&store), 0, "nor after a start");
    let held = lease(&store);
    while store.delete_facts(&held, DAY, i64::MAX, 1).unwrap() > 0 {}
    assert!(store.groups(DAY).unwrap().is_empty());
    let again = store.apply(&arrivals(&at_night()[4..], 60, 1), NOW).unwrap();
    assert_eq!((again.stored, again.duplicates), (0, 1), "the report is known");
}
