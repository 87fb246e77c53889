//! Many who resume at once: what all of them hold has a limit (ops.md §1.7).

use std::time::Duration;

use configd::books::{Event, Watcher};
use configd::limits::MAX_RESUMING;
use model::id::Revision;

use crate::house::{House, sqlite};

const REVISIONS: u64 = 3;
const WATCHERS: usize = 12;

/// A revision of 4 MB.
fn large(number: u64) -> String {
    let label = "x".repeat(4_000);
    let labels: String = (0..25).map(|n| format!("l{n}: {label}, ")).collect();
    let tenant =
        |n: u64| format!("kind: Tenant\nname: t{n}\nlabels: {{ {labels} n: \"{number}\" }}\n");
    (0..40).map(tenant).collect::<Vec<_>>().join("---\n")
}

/// The next event, if it comes soon.
fn soon(house: &House, watcher: &mut Watcher) -> Option<Event> {
    let wait = Duration::from_secs(2);
    house.runtime.block_on(async { tokio::time::timeout(wait, watcher.next()).await.ok() })
}

#[test]
fn those_who_keep_what_they_hear_hold_no_more_than_the_limit_and_then_all_go_on() {
    let mut house = House::new(&sqlite());
    for number in 1..=REVISIONS {
        house.apply(&large(number));
    }
    // what was told before is in the history only
    house.reopen();
    let watch = |_| house.books().watch(Some(Revision(0))).unwrap();
    let mut watchers: Vec<Watcher> = (0..WATCHERS).map(watch).collect();
    let mut kept = Vec::new();
    for watcher in &mut watchers {
        match soon(&house, watcher) {
            Some(Event::Change(told)) => kept.push(told),
            Some(other) => panic!("{other:?}"),
            None => break,
        }
    }
    let held: usize = kept.iter().map(|told| told.json.len()).sum();
    assert!(kept.len() < WATCHERS && held <= MAX_RESUMING, "{} hold {held}", kept.len());
    assert!(kept.iter().all(|told| told.held().is_some()) && held > MAX_RESUMING / 4);
    kept.clear();
    for watcher in &mut watchers {
        while watcher.told() < Revision(REVISIONS) {
            match house.run(watcher.next()) {
                Event::Change(told) => assert_eq!(told.change.revision, watcher.told()),
                other => panic!("{other:?}"),
            }
        }
    }
}
