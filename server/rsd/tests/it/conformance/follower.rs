//! The view in memory after the same batches: it answers as the database does.

use std::collections::BTreeMap;
use std::time::Duration;

use model::time::Millis;
use rs::Filter;
use rs::live::Leg;
use rs::query::Progress;
use rs::report::{Call, Component, TenantOf};
use rsd::store::sqlite::Sqlite;
use rsd::store::{Applied, Lists as _, ObjectKind, Store, StoreError, Unit};
use rsd::view::View;

use super::NOW;
use super::custody::line;
use super::made::{arrivals, mcp, rm};
use super::questions::filters;

/// A view that follows a store.
pub(crate) struct Follower {
    view: View,
    turn: u64,
}

/// The calls that a batch changed, as they are stored; what the store told of them is the same but
/// for the names.
pub(crate) fn changed(store: &dyn Store, applied: &Applied) -> Vec<Call> {
    let keys: Vec<_> = applied.changed.iter().map(Leg::at).collect();
    let mut calls = store.calls(&keys).unwrap();
    calls.sort_by_key(|call| call.key);
    let told: BTreeMap<_, _> = applied.changed.iter().map(|leg| (leg.call.key, leg)).collect();
    let mut told: Vec<Call> = told.into_values().map(|leg| nameless(leg.call.clone())).collect();
    told.sort_by_key(|call| call.key);
    assert_eq!(told, calls.iter().cloned().map(nameless).collect::<Vec<_>>());
    calls
}

fn nameless(call: Call) -> Call {
    let tenants = call.tenants.into_iter().map(|of| TenantOf { name: String::new(), ..of });
    let application = call.application.map(|mut of| {
        (of.name, of.service) = (String::new(), None);
        of
    });
    let component = Component { name: String::new(), ..call.component };
    Call { component, application, tenants: tenants.collect(), ..call }
}

impl Follower {
    /// One that has read what is stored.
    pub(crate) fn of(store: &dyn Store) -> Self {
        let mut follower = Self { view: View::new(1000), turn: 0 };
        follower.turn(store);
        follower
    }

    fn turn(&mut self, store: &dyn Store) {
        self.turn += 1;
        self.view.refresh(store, Duration::from_secs(10 * self.turn));
    }

    pub(crate) fn follow(&mut self, store: &dyn Store, applied: Applied) {
        self.view.take(store, applied);
        self.turn(store);
        self.agrees(store, &Filter { progress: Progress::Live, ..Filter::default() });
    }

    /// To all questions of calls in progress.
    pub(crate) fn answers_as(&self, store: &dyn Store) {
        for filter in filters() {
            self.agrees(store, &Filter { progress: Progress::Live, ..filter });
        }
        for kind in [ObjectKind::Component, ObjectKind::Tenant, ObjectKind::Profile] {
            let names = |objects: Vec<rsd::store::Object>| -> Vec<_> {
                objects.into_iter().map(|it| (it.id, it.name, it.alias_of)).collect()
            };
            let here = names(self.view.objects(kind).unwrap());
            assert_eq!(here, names(store.objects(kind).unwrap()));
        }
    }

    fn agrees(&self, store: &dyn Store, filter: &Filter) {
        assert!(self.view.is_whole());
        for unit in [Unit::Leg, Unit::Guid] {
            let there = store.list(filter, unit, None, 1000, NOW).unwrap();
            let here = self.view.list(filter, unit, None, 1000, NOW).unwrap();
            assert_eq!(here, there, "{filter:?} {unit:?}");
            let count = store.count(filter, unit, NOW).unwrap();
            assert_eq!(self.view.count(filter, unit, NOW).unwrap(), count, "{filter:?}");
            let middle = there.get(there.len() / 2).map(|item| item.position);
            let there = store.list(filter, unit, middle, 2, NOW).unwrap();
            let here = self.view.list(filter, unit, middle, 2, NOW).unwrap();
            assert_eq!(here, there, "behind {middle:?}");
        }
    }
}

fn sqlite() -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    (dir, store)
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn total(view: &View) -> Result<u64, StoreError> {
    view.count(&Filter::default(), Unit::Leg, NOW)
}

/// Stores records as the frames from this one on.
fn store(store: &Sqlite, view: &View, first: u64, story: &[super::made::Made]) {
    let applied = store.apply(&arrivals(story, first, 1), NOW).unwrap();
    view.take(store, applied);
}

#[test]
fn a_view_of_too_many_says_so_and_is_read_anew_when_there_is_room() {
    let ((_dir, files), view) = (sqlite(), View::new(4));
    assert!(total(&view).is_err() && !view.is_whole(), "nothing is known yet");
    view.refresh(&files, at(1));
    let calls: Vec<_> = (1..=6).map(|number| rm(number, 10 * number)).collect();
    let starts: Vec<_> = calls.iter().map(|call| call.start()).collect();
    store(&files, &view, 1, &starts);
    assert_eq!((total(&view).unwrap(), view.legs(), view.is_whole()), (4, 4, false));
    view.refresh(&files, at(10));
    assert_eq!((total(&view).unwrap(), view.is_whole()), (4, false), "there is no room yet");
    let again = View::new(4);
    again.refresh(&files, at(1));
    assert_eq!((total(&again).unwrap(), again.is_whole()), (4, false), "nor for a new start");
    let ends: Vec<_> = calls[..3].iter().map(|call| call.end(90)).collect();
    store(&files, &view, 7, &ends);
    view.refresh(&files, at(20));
    assert_eq!((total(&view).unwrap(), view.is_whole()), (3, true));
}

#[test]
fn after_an_attempt_that_failed_it_is_what_the_database_has() {
    let ((_dir, files), view) = (sqlite(), View::new(10));
    view.refresh(&files, at(1));
    // stored, and nobody was told
    files.apply(&arrivals(&[rm(1, 10).start()], 1, 1), NOW).unwrap();
    view.refresh(&files, at(10));
    assert_eq!(total(&view).unwrap(), 0);
    view.doubt();
    assert_eq!(total(&view).unwrap(), 0, "as it was last");
    view.refresh(&files, at(20));
    assert_eq!(total(&view).unwrap(), 1);
}

#[test]
fn what_is_being_erased_is_not_told() {
    let ((_dir, files), view) = (sqlite(), View::new(10));
    view.refresh(&files, at(1));
    let (one, other) = (rm(1, 10), mcp("S1", 20));
    store(&files, &view, 1, &[one.start(), other.start()]);
    let filter = Filter::default();
    let shown = |view: &View| -> Vec<String> {
        let items = view.list(&filter, Unit::Leg, None, 10, Millis(NOW.0)).unwrap();
        items.into_iter().map(|item| item.legs[0].remote_uri.clone()).collect()
    };
    assert_eq!(shown(&view), ["sip:+4930123@gw.example", "sip:+4930123@GW.example"]);
    let legs = files.list(&filter, Unit::Leg, None, 10, NOW).unwrap();
    let leg = legs[1].legs[0].clone();
    view.leave(&[leg.key]);
    // neither is what comes of it meanwhile
    store(&files, &view, 3, &[one.clone().dn("5").start()]);
    assert_eq!((shown(&view), view.is_whole()), (vec!["sip:+4930123@gw.example".into()], false));
    rsd::store::erasing::forget(&files, std::slice::from_ref(&leg), &line("call-erasure")).unwrap();
    view.again(&[leg.key]);
    view.refresh(&files, at(2));
    let erased = files.list(&filter, Unit::Leg, None, 10, NOW).unwrap();
    assert_eq!(view.list(&filter, Unit::Leg, None, 10, NOW).unwrap(), erased);
    assert_eq!((shown(&view).len(), view.is_whole()), (2, true));
    assert!(!shown(&view)[1].contains("4930123"), "{:?}", shown(&view));

    // whoever erases it too is waited for
    view.leave(&[leg.key]);
    view.leave(&[leg.key]);
    view.again(&[leg.key]);
    view.refresh(&files, at(3));
    assert_eq!((shown(&view).len(), view.is_whole()), (1, false));
    view.again(&[leg.key]);
    view.refresh(&files, at(4));
    assert_eq!((shown(&view).len(), view.is_whole()), (2, true));

    // what was stored just before, and is told just after, is as it was
    let third = rm(3, 30);
    let applied = files.apply(&arrivals(&[third.start()], 4, 1), NOW).unwrap();
    let stored = files.list(&filter, Unit::Leg, None, 1, NOW).unwrap()[0].legs[0].clone();
    view.leave(&[stored.key]);
    rsd::store::erasing::forget(&files, std::slice::from_ref(&stored), &line("call-erasure"))
        .unwrap();
    view.again(&[stored.key]);
    view.take(&files, applied);
    view.refresh(&files, at(30));
    let erased = files.list(&filter, Unit::Leg, None, 10, NOW).unwrap();
    assert_eq!(view.list(&filter, Unit::Leg, None, 10, NOW).unwrap(), erased);
    files.apply(&arrivals(&[third.end(90)], 5, 1), NOW).unwrap();
    view.doubt();
    view.refresh(&files, at(50));

    view.erasing();
    view.refresh(&files, at(60));
    assert!(total(&view).is_err(), "while numbers are erased nothing is told");
    view.erased();
    view.refresh(&files, at(61));
    assert_eq!(total(&view).unwrap(), 2);
}
