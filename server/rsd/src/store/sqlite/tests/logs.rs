//! Write-ahead logs: moved by somebody else than who writes, and begun anew.

use super::super::files::Days;
use super::super::logs::{Lengths, Logs};
use super::*;

const SHORT: Lengths = Lengths { long: 400, longest: 800 };
/// More than a page with the head of its frame.
const FRAME: u64 = 8192 + 32;

fn with_lengths(dir: &Path, lengths: Lengths) -> Sqlite {
    let mut store = Sqlite::new(dir.to_owned(), NOW);
    store.layout.logs = Arc::new(Logs::new(lengths));
    store.ready().unwrap();
    store
}

/// Stores fifty calls of a day that begin at this second of it.
fn batch(store: &Sqlite, number: u64, seconds: u64) {
    let calls: Vec<_> =
        (0..50).map(|call| rm(number * 50 + call + 1, seconds + call).end(seconds + 70)).collect();
    store.apply(&arrivals(&calls, number * 50 + 1, 50), NOW).unwrap();
}

fn calls(store: &Sqlite) -> u64 {
    store.count(&Filter::default(), Unit::Leg, NOW).unwrap()
}

fn log(dir: &Path, file: &str) -> u64 {
    std::fs::metadata(dir.join(format!("{file}.db-wal"))).map_or(0, |log| log.len())
}

/// The longest that a batch makes of a log of a day.
fn longest(dir: &Path, pages: i64) -> u64 {
    let one = tempfile::tempdir().unwrap();
    // whoever closes a file takes its log away
    let store = open(one.path());
    batch(&store, 0, 10);
    let added = log(one.path(), "days/20261122").max(log(one.path(), "rs"));
    assert!(added > 0 && log(dir, "days/20261122") > 0);
    u64::try_from(pages).unwrap() * FRAME + 3 * added
}

#[test]
fn a_log_that_is_moved_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_lengths(dir.path(), Lengths { longest: i64::MAX, ..SHORT });
    for number in 0..60 {
        batch(&store, number, 10 + number * 60);
        store.checkpoint(Due::Long).unwrap();
    }
    let most = longest(dir.path(), SHORT.long);
    for file in ["days/20261122", "rs"] {
        let log = log(dir.path(), file);
        assert!(log < most, "{file}: {log} of {most}");
    }
    assert_eq!(calls(&store), 3000);
}

#[test]
fn who_writes_moves_one_that_nobody_has_moved() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_lengths(dir.path(), SHORT);
    for number in 0..60 {
        batch(&store, number, 10 + number * 60);
    }
    let (log, most) = (log(dir.path(), "days/20261122"), longest(dir.path(), SHORT.longest));
    assert!(log < most, "{log} of {most}");
}

/// The applier on one thread, who moves on another.
#[test]
fn batches_go_on_beside_and_no_log_is_ever_longer_than_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(with_lengths(dir.path(), SHORT));
    let (done, moved) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    let mover = {
        let (store, done, moved) = (Arc::clone(&store), Arc::clone(&done), Arc::clone(&moved));
        std::thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                let any = !store.layout.logs.due(Due::Long).is_empty();
                store.checkpoint(Due::Long).unwrap();
                moved.fetch_or(any, Ordering::AcqRel);
                std::thread::yield_now();
            }
        })
    };
    let mut number = 0;
    while number < 60 || !moved.load(Ordering::Acquire) {
        batch(&store, number, 10 + number * 60);
        number += 1;
    }
    done.store(true, Ordering::Release);
    mover.join().unwrap();
    let (log, most) = (log(dir.path(), "days/20261122"), longest(dir.path(), SHORT.longest));
    assert!(log < most, "{log} of {most}");
    assert_eq!(calls(&store), number * 50);
}

#[test]
fn who_reads_keeps_a_log_and_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_lengths(dir.path(), SHORT);
    batch(&store, 0, 10);
    let reader = Connection::open(dir.path().join("days/20261122.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM rs_call").unwrap();
    for number in 1..60 {
        batch(&store, number, 10 + number * 60);
        store.checkpoint(Due::Long).unwrap();
    }
    let kept = log(dir.path(), "days/20261122");
    assert!(kept > longest(dir.path(), SHORT.longest), "{kept}");
    reader.execute_batch("COMMIT").unwrap();
    store.checkpoint(Due::All).unwrap();
    for number in 60..90 {
        batch(&store, number, 10 + number * 60);
        store.checkpoint(Due::Long).unwrap();
    }
    assert_eq!(log(dir.path(), "days/20261122"), kept, "it has begun anew");
    assert_eq!(calls(&store), 4500);
}

/// The writer has so many days open; the least used goes without its log being moved.
#[test]
fn a_file_that_the_writer_closes_is_moved_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_lengths(dir.path(), SHORT);
    let mut days = Days::to_write(store.layout.clone(), 1);
    let told = "INSERT INTO rs_figure VALUES ('stored', 'rm-1', 7)";
    days.get(20_261_122, 0).unwrap().execute(told, []).unwrap();
    days.get(20_261_123, 0).unwrap();
    assert!(log(dir.path(), "days/20261122") > 0, "SQLite has moved it, on this thread");
    store.checkpoint(Due::All).unwrap();
    assert!(!dir.path().join("days/20261122.db-wal").exists());
    assert!(store.layout.logs.due(Due::All).is_empty());
    let asked = "SELECT value FROM rs_figure";
    let value = days.get(20_261_122, 0).unwrap().query_row(asked, [], |row| row.get::<_, i64>(0));
    assert_eq!(value.unwrap(), 7);
}
