//! Files that go: whatever the power does, whoever has them open, and how many there can be.

use rs::retention::{Defaults, Terms};
use rs::rollup::{Granularity, Job, Rules, Tables as _, Zone, work};
use rs::share::Objects;

use super::*;
use crate::rollup::let_go;
use crate::store::bins::{Bins as _, LEASE};
use crate::store::keeping::{Aged, Keeping as _, Lease};

const DAY: Day = 20_261_122;

fn lease(store: &Sqlite) -> Lease {
    store.take_lease("retention", "a", 0, i64::MAX).unwrap().unwrap()
}

/// A store whose day holds nothing but its ledger and its counts.
fn emptied(dir: &Path) -> Sqlite {
    let store = open(dir);
    store.apply(&arrivals(&story(), 1, 3), NOW).unwrap();
    let held = lease(&store);
    while store.delete_facts(&held, DAY, i64::MAX, 3).unwrap() > 0 {}
    store.give_back(&held, DAY).unwrap();
    store
}

fn figures(store: &Sqlite) -> BTreeMap<(String, String), u64> {
    all_books(store, Millis(0), NOW).figures
}

#[test]
fn a_file_goes_once_wherever_the_power_goes() {
    for commits in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let store = emptied(dir.path());
        let before = figures(&store);
        assert!(before.values().sum::<u64>() > 10, "{before:?}");
        set_fault(&store, Some(commits));
        let cut = store.delete_ledger(&lease(&store), DAY, 10);
        assert_eq!(cut.is_err(), commits < 3, "{commits}: {cut:?}");
        drop(store);
        let store = open(dir.path());
        let held = lease(&store);
        while store.delete_ledger(&held, DAY, 10).unwrap() > 0 {}
        assert!(!store.days().unwrap().contains(&DAY), "{commits}");
        assert_eq!(figures(&store), before, "{commits}: counted once");
        let late = arrivals(&[rm(7, 500).end(600)], 90, 1);
        assert_eq!(store.apply(&late, NOW).unwrap().stored, 1, "a late record makes it again");
        drop(store);
        assert!(open(dir.path()).days().unwrap().contains(&DAY), "and a start leaves it");
    }
}

#[test]
fn a_day_that_is_half_gone_does_not_come_back_by_a_start() {
    let shown = |store: &Sqlite| {
        let listed = store.count(&Filter::default(), Unit::Leg, NOW).unwrap();
        let legs = store.call(&CallName::Guid(CallGuid::new(&made::guid(1))), true).unwrap();
        (listed, legs.len())
    };
    let begun = || {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.apply(&arrivals(&story(), 1, 3), NOW).unwrap();
        assert_eq!(shown(&store), (5, 2));
        (dir, store)
    };
    for slices in 1.. {
        let (dir, store) = begun();
        let held = lease(&store);
        let gone = (0..slices).map(|_| store.delete_facts(&held, DAY, i64::MAX, 3).unwrap());
        let is_over = gone.last() == Some(0);
        assert_eq!(shown(&store), (0, 0), "{slices}");
        drop(store);
        let store = open(dir.path());
        assert_eq!(shown(&store), (0, 0), "{slices}: after a kill");
        let late = arrivals(&[rm(7, 500).end(600)], 90, 1);
        assert_eq!(store.apply(&late, NOW).unwrap().stored, 1);
        assert!(shown(&store).0 > 0, "{slices}: a late call is shown");
        drop(store);
        assert!(shown(&open(dir.path())).0 > 0, "{slices}: and after another start");
        if is_over {
            assert!(slices > 8, "{slices}");
            return;
        }
    }
}

#[test]
fn what_comes_while_a_file_cannot_be_removed_is_in_a_new_one() {
    for commits in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let store = emptied(dir.path());
        let before = figures(&store)[&("stored".to_owned(), "rm-1".to_owned())];
        set_fault(&store, Some(commits));
        store.delete_ledger(&lease(&store), DAY, 10).unwrap_err();
        // the process goes on, and a record comes
        set_fault(&store, None);
        let late = arrivals(&[rm(7, 500).end(600)], 90, 1);
        assert_eq!(store.apply(&late, NOW).unwrap().stored, 1);
        let stored = || store.count(&Filter::default(), Unit::Leg, NOW).unwrap();
        assert_eq!(stored(), 1);
        assert_eq!(store.delete_ledger(&lease(&store), DAY, 10).unwrap(), 0, "the call keeps it");
        drop(store);
        let store = open(dir.path());
        assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 1, "{commits}");
        let after = figures(&store)[&("stored".to_owned(), "rm-1".to_owned())];
        assert_eq!(after, before + 1, "{commits}");
        let files = std::fs::read_dir(dir.path().join("days")).unwrap();
        let gone = files.filter(|file| {
            let path = file.as_ref().unwrap().path();
            path.extension().is_some_and(|ending| ending == "gone")
        });
        assert_eq!(gone.count(), 0, "{commits}");
    }
}

#[test]
fn a_file_that_a_question_has_open_goes_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = emptied(dir.path());
    let path = dir.path().join("days/20261122.db");
    let other = Connection::open(&path).unwrap();
    let count = "SELECT count(*) FROM rs_fact_ledger";
    let ids: i64 = other.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(store.delete_ledger(&lease(&store), DAY, 10).unwrap(), 0);
    assert_eq!(ids, other.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap());
    drop(other);
    assert_eq!(store.delete_ledger(&lease(&store), DAY, 10).unwrap(), 1);
    assert!(!path.exists());
}

#[test]
fn a_file_goes_though_the_rollup_job_has_had_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 3), NOW).unwrap();
    let zone = Zone::utc();
    let now_ms = i64::try_from(NOW.0).unwrap();
    let fence = store.take_lease(LEASE, "a", 0, i64::MAX).unwrap().unwrap().fence;
    let rules = Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 100, fence, now_ms };
    let mut objects = Objects::default();
    while work(&store, &mut objects, &rules, || true).unwrap().bins > 0 {}
    let held = lease(&store);
    assert!(let_go(&store, DAY, i64::MAX, now_ms).unwrap());
    while store.delete_facts(&held, DAY, i64::MAX, 100).unwrap() > 0 {}
    assert_eq!(store.marks_of_day(DAY).unwrap(), 0, "and it is open again");
    assert_eq!(store.delete_ledger(&held, DAY, 10).unwrap(), 1);
    assert!(!dir.path().join("days/20261122.db").exists());
    let late = arrivals(&[rm(7, 500).end(600)], 90, 1);
    assert_eq!(store.apply(&late, NOW).unwrap().stored, 1);
    let marks = store.marks(Job::Make(Granularity::FiveMinutes), i64::MIN, i64::MAX, 9).unwrap();
    assert!(marks.iter().any(|row| row.file == DAY), "of the new file: {marks:?}");
}

#[test]
fn whoever_opens_a_day_while_it_is_made_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for day in 1..=40 {
        std::thread::scope(|scope| {
            let made = (0..6).map(|_| scope.spawn(|| store.layout.open_day(day, 0).map(drop)));
            for made in made.collect::<Vec<_>>() {
                made.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn a_call_or_a_letter_keeps_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let call = rm(1, 10);
    store.apply(&arrivals(&[call.start(), call.clone().dn("1").start()], 1, 1), NOW).unwrap();
    let held = lease(&store);
    assert_eq!(store.delete_ledger(&held, DAY, 10).unwrap(), 0, "it is in progress");
    assert_eq!(store.delete_facts(&held, DAY, i64::MAX, 10).unwrap(), 0, "it is in progress");
    store.apply(&arrivals(&[call.end(20)], 3, 1), NOW).unwrap();
    while store.delete_facts(&held, DAY, i64::MAX, 10).unwrap() > 0 {}
    assert_eq!(store.delete_ledger(&held, DAY, 10).unwrap(), 2, "only the ledger");
    assert_eq!(store.delete_ledger(&held, DAY, 10).unwrap(), 0, "the loser of a conflict");
    assert_eq!(store.days().unwrap(), [DAY]);
    assert_eq!(store.delete_aged(&held, Aged::Letters, i64::MAX, 10).unwrap(), 1);
    assert_eq!(store.delete_ledger(&held, DAY, 10).unwrap(), 1);
    assert_eq!(store.days().unwrap(), Vec::<Day>::new());
}

#[test]
fn a_file_gives_back_what_its_facts_took() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let story: Vec<_> = (1..4000).map(|n| rm(n, n).end(n + 9)).collect();
    store.apply(&arrivals(&story, 1, 4000), NOW).unwrap();
    store.checkpoint(Due::All).unwrap();
    let held = lease(&store);
    let size = |store: &Sqlite| store.rooms().unwrap().into_iter().find(|r| r.name == "days");
    let before = size(&store).unwrap().bytes;
    while store.delete_facts(&held, DAY, i64::MAX, 5000).unwrap() > 0 {}
    store.give_back(&held, DAY).unwrap();
    let after = size(&store).unwrap().bytes;
    assert!(after < before / 4, "{before} {after}");
}

#[test]
fn a_record_that_is_accepted_at_the_second_try_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let judge = |cdr| store.judge_by(Terms::new(Zone::utc(), Defaults { cdr, events: 1 }));
    let story = [rm(1, 10).end(250_000), rm(2, 20).end(200), rm(2, 20).dn("1").end(200)];
    let mut batch = arrivals(&story, 1, 3);
    for arrival in &mut batch {
        arrival.entry.as_mut().unwrap().received = made::at(260_000).0;
    }
    judge(1);
    // the day's commit succeeds, then the power goes before the main file's
    set_fault(&store, Some(1));
    store.apply(&batch, NOW).unwrap_err();
    set_fault(&store, None);
    let letters = || store.dead_letters().unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!((store.days().unwrap(), letters()), (vec![DAY], Vec::new()));
    judge(40);
    let applied = store.apply(&batch, NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (1, 1));
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 2);
    assert_eq!(letters(), [("id_conflict".to_owned(), 1)]);
    let stored = figures(&store)[&("stored".to_owned(), "rm-1".to_owned())];
    assert_eq!(stored, 2, "each is counted once");
}

#[test]
fn a_record_that_is_refused_at_the_second_try_is_stored_and_no_letter() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let judge = |cdr| store.judge_by(Terms::new(Zone::utc(), Defaults { cdr, events: 1 }));
    let story = [rm(1, 10).end(250_000), rm(2, 20).end(200), mcp("S1", 30).end(200)];
    let mut batch = arrivals(&story, 1, 1);
    for arrival in &mut batch {
        arrival.entry.as_mut().unwrap().received = made::at(260_000).0;
    }
    judge(40);
    // the day's commit succeeds, then the power goes before the main file's
    set_fault(&store, Some(1));
    store.apply(&batch, NOW).unwrap_err();
    set_fault(&store, None);
    judge(1);
    // another frame, which came too late by what is in force now
    let mut late = arrivals(&[rm(3, 40).end(300)], 4, 1);
    late[0].entry.as_mut().unwrap().received = made::at(260_000).0;
    batch.extend(late);
    let applied = store.apply(&batch, NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (0, 1));
    assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 3);
    let letters = store.dead_letters().unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(letters, [("expired_partition".to_owned(), 1)]);
    let books = figures(&store);
    let stored = ["rm-1", "mcp-1"].map(|name| books[&("stored".to_owned(), name.to_owned())]);
    assert_eq!(stored, [2, 1], "each is counted once");
}

#[test]
fn a_producer_with_wild_guids_makes_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let defaults = Defaults { cdr: 40, events: 14 };
    store.judge_by(Terms::new(Zone::utc(), defaults));
    let story: Vec<_> = (0..1500)
        .map(|n| {
            // a day each, years back and ahead; what else it says is of today
            let ms = made::at(200_000).0 - 700 * 86_400_000 + n * 86_400_000;
            let guid = format!("{:08X}-{:04X}-7000-8000-000000000001", ms >> 16, ms & 0xFFFF);
            let body = mcp(&format!("S{n}"), 190_000).start().body();
            Made::text(&body.replace("\"kind\"", &format!("\"guid\":\"{guid}\",\"kind\"")))
        })
        .collect();
    let applied = store.apply(&arrivals(&story, 1, 500), NOW).unwrap();
    let files = store.days().unwrap().len();
    assert!(files <= 45, "{files}");
    assert_eq!(applied.stored + applied.dead, 1500);
    let letters = store.dead_letters().unwrap();
    assert_eq!(letters.keys().collect::<Vec<_>>(), ["bad_time", "expired_partition"]);
    let books = figures(&store);
    let refused: u64 = letters.values().sum();
    let counted: u64 = ["bad_time", "expired_partition"]
        .iter()
        .filter_map(|name| books.get(&((*name).to_owned(), "mcp-1".to_owned())))
        .sum();
    assert_eq!(counted, refused, "by code and producer");
}

/// Logs of files come and go while somebody adds up what there is.
#[test]
fn files_that_go_meanwhile_are_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let store = emptied(dir.path());
    let days = dir.path().join("days");
    let logs: Vec<_> = (1..200).map(|n| days.join(format!("2026{n:04}.db-wal"))).collect();
    let (done, is_done) = std::sync::mpsc::sync_channel::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                logs.iter().for_each(|log| std::fs::write(log, "log").unwrap());
                logs.iter().for_each(|log| std::fs::remove_file(log).unwrap());
            }
        });
        for _ in 0..500 {
            let rooms = store.rooms().unwrap();
            assert!(rooms.iter().map(|room| room.bytes).sum::<u64>() > 0);
        }
        drop(done);
    });
}
