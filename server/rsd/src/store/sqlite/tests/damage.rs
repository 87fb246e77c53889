//! Files of days that the disk has spoilt: the other days go on, nothing is lost, and whoever mends
//! the file has it all again.

use std::path::PathBuf;

use rs::rollup::{Granularity, Job, Tables as _};
use rs::share::LetterNo;

use super::*;
use crate::retention::{Ages, Before, Kept, purge};
use crate::rollup::let_go;
use crate::store::bins::Bins as _;
use crate::store::custody::{Custody as _, LetterFilter, LetterState};
use crate::store::exporting::Exporting as _;
use crate::store::keeping::Keeping as _;

const DAY: Day = 20_261_122;
const NEXT: Day = 20_261_123;

fn path(dir: &Path) -> PathBuf {
    dir.join(format!("days/{DAY}.db"))
}

/// Leaves the first page, by which the file is one of SQLite's, and nothing else; gives what it
/// was.
fn spoil(dir: &Path) -> Vec<u8> {
    let whole = std::fs::read(path(dir)).unwrap();
    let mut bytes = whole.clone();
    bytes[8192..].fill(0xA5);
    std::fs::write(path(dir), bytes).unwrap();
    whole
}

/// Nobody has the file of the day open.
fn close(store: &Sqlite) {
    let close = |writer: &mut Writer| {
        writer.days.close(DAY);
        writer.beside.close(DAY);
        Ok(())
    };
    store.write(close).unwrap();
}

/// A store that has the story, with nobody at the file of its day.
fn told(dir: &Path) -> Sqlite {
    let store = open(dir);
    store.apply(&arrivals(&story(), 1, 1), NOW).unwrap();
    close(&store);
    assert!(!path(dir).with_extension("db-wal").exists());
    store
}

/// What comes then: a call of each day, and an event that the day before may have.
fn later() -> Vec<Made> {
    vec![rm(8, 600).end(700), rm(9, 86_400 + 5).end(86_400 + 9), event("X", 86_400 + 7, "stray")]
}

fn listed(store: &Sqlite, after: u64) -> u64 {
    let filter = Filter { started_after: Some(made::at(after)), ..Filter::default() };
    store.count(&filter, Unit::Leg, NOW).unwrap()
}

fn letters(store: &Sqlite) -> Vec<(String, LetterState, i64)> {
    let all = store.letters(&LetterFilter::default(), false, None, 100).unwrap();
    let lost = all.into_iter().filter(|letter| letter.code == "db_rejected");
    lost.map(|letter| (letter.text, letter.state, letter.no)).collect()
}

/// The day is set aside, the other one has its call, and the letter of the lost one tells why.
fn goes_on(store: &Sqlite) -> i64 {
    let applied = store.apply(&arrivals(&later(), 15, 1), NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (17, 2, 1));
    assert_eq!(store.damaged().into_keys().collect::<Vec<_>>(), [DAY]);
    assert_eq!(listed(store, 86_400), 1);
    let asked = store.count(&Filter::default(), Unit::Leg, NOW);
    assert!(matches!(asked, Err(StoreError::Damaged(_))), "no list without it: {asked:?}");
    let [(text, LetterState::Open, no)] = &letters(store)[..] else { panic!("one") };
    assert!(text.starts_with("the file of day 20261122 is damaged: "), "{text}");
    all_books(store, Millis(0), NOW);
    store.checkpoint(Due::All).unwrap();
    *no
}

#[test]
fn letters_are_read_past_a_day_that_nobody_knows_is_spoilt() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    store.apply(&arrivals(&[Made::text("torn")], 20, 1), NOW).unwrap();
    spoil(dir.path());
    let letters = store.letters_behind(0, 100).unwrap();
    assert!(letters.iter().any(|letter| letter.body == b"torn"), "{letters:?}");
    assert_eq!(store.damaged().len(), 1);
}

#[test]
fn a_day_that_is_spoilt_costs_no_other_and_no_record() {
    for restarted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = told(dir.path());
        let whole = spoil(dir.path());
        if restarted {
            drop(store);
            store = open(dir.path());
            assert_eq!(store.damaged().len(), 1, "a start finds it");
        }
        let no = goes_on(&store);
        let again = store.apply(&arrivals(&later(), 15, 1), NOW).unwrap();
        assert_eq!((again.stored, again.dead), (0, 0), "a replay changes nothing");
        assert_eq!(letters(&store).len(), 1);
        drop(store);

        std::fs::write(path(dir.path()), whole).unwrap();
        let store = open(dir.path());
        assert!(store.damaged().is_empty());
        let mut retry = arrivals(&later()[..1], 18, 1);
        retry[0].entry.as_mut().unwrap().letters = vec![LetterNo { no, retries: 1 }];
        assert_eq!(store.apply(&retry, NOW).unwrap().stored, 1);
        assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 7);
        let [(_, LetterState::Retried, _)] = &letters(&store)[..] else { panic!("retried") };
    }
}

/// Spoils the first page of a table of the main file; nobody has that open.
fn spoil_main(dir: &Path, table: &str) {
    let path = dir.join("rs.db");
    let root = {
        let db = Connection::open(&path).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let root: u32 = db.query_row(sql, [table], |row| row.get(0)).unwrap();
        usize::try_from(root).unwrap()
    };
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 8192..root * 8192].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
}

/// A batch meets it in a day's share or in its own: no day is called damaged, nothing is stored,
/// and nothing is lost when the file is whole again.
#[test]
fn a_spoilt_main_file_is_no_spoilt_day() {
    for table in ["rs_spool_cursor", "rs_dim_tenant", "rs_producer_stream"] {
        let dir = tempfile::tempdir().unwrap();
        drop(told(dir.path()));
        let whole = std::fs::read(dir.path().join("rs.db")).unwrap();
        spoil_main(dir.path(), table);
        let store = open(dir.path());
        let new = rm(8, 600).tenant("new", Some(4711)).end(700);
        let failed = store.apply(&arrivals(std::slice::from_ref(&new), 15, 1), NOW);
        assert!(matches!(failed, Err(StoreError::Main(_))), "{table}: {failed:?}");
        assert!(store.damaged().is_empty(), "{table}");
        assert!(store.damaged_main().is_some_and(|why| why.contains("malformed")), "{table}");
        let asked = store.count(&Filter::default(), Unit::Leg, NOW);
        assert!(matches!(asked, Err(StoreError::Main(_))), "{table}: {asked:?}");
        // all of it is closed: another file may be put there
        assert!(!dir.path().join("rs.db-wal").exists());
        std::fs::write(dir.path().join("rs.db"), whole).unwrap();
        assert_eq!(store.apply(&arrivals(&[new], 15, 1), NOW).unwrap().seq, 15);
        assert!(store.damaged_main().is_none());
        assert_eq!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap(), 6, "{table}");
    }
}

/// Whoever looks for marks first finds it: the others' marks are read, and the day is told.
#[test]
fn calls_in_progress_of_the_other_days_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let two = [rm(8, 600).start(), rm(9, 86_400 + 5).start()];
    store.apply(&arrivals(&two, 1, 1), NOW).unwrap();
    let days = |store: &Sqlite| -> Vec<Day> {
        store.in_progress(9).unwrap().iter().map(|(day, _)| *day).collect()
    };
    assert_eq!(days(&store), [DAY, NEXT]);
    close(&store);
    drop(store);
    spoil(dir.path());
    let store = open(dir.path());
    assert_eq!(days(&store), [NEXT]);
}

#[test]
fn marks_of_the_other_days_are_read() {
    let ways: [fn(&Sqlite); 3] = [
        |store| {
            let job = Job::Make(Granularity::FiveMinutes);
            let marks = store.marks(job, i64::MIN, i64::MAX, 999).unwrap();
            assert!(!marks.is_empty() && marks.iter().all(|row| row.file == NEXT), "{marks:?}");
        },
        |store| assert!(store.oldest_mark().unwrap().is_some()),
        |store| {
            store.jobs("a", 0).unwrap();
        },
    ];
    for look in ways {
        let dir = tempfile::tempdir().unwrap();
        let store = told(dir.path());
        store.apply(&arrivals(&later()[1..2], 15, 1), NOW).unwrap();
        close(&store);
        spoil(dir.path());
        look(&store);
        assert_eq!(store.damaged().into_keys().collect::<Vec<_>>(), [DAY]);
        look(&store);
        let asked = store.marks_of_day(DAY);
        assert!(matches!(asked, Err(StoreError::Damaged(_))), "nobody knows: {asked:?}");
    }
}

#[test]
fn the_purge_goes_on_with_the_other_days() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    store.apply(&arrivals(&later()[1..], 15, 1), NOW).unwrap();
    close(&store);
    spoil(dir.path());
    let held = store.take_lease("retention", "a", 0, i64::MAX).unwrap().unwrap();
    let terms = rs::retention::Terms::new(
        rs::rollup::Zone::utc(),
        rs::retention::Defaults { cdr: 1, events: 1 },
    );
    let before = Before {
        clean: &|_, _| Ok(true),
        apart: &|_| Ok(true),
        keep: &|_, _| Ok(Kept::Whole),
        forget: &|| Ok(Vec::new()),
    };
    let now_ms = i64::try_from(made::at(30 * 86_400).0).unwrap();
    let ages = Ages { failures: 1 };
    let report = purge(&store, &terms, &held, ages, now_ms, before, &mut || Some(100)).unwrap();
    assert_eq!(report.gone, [NEXT]);
    assert_eq!(report.blocked.into_keys().collect::<Vec<_>>(), [DAY]);
    assert!(path(dir.path()).exists());
}

/// All that is due.
fn roll(store: &Sqlite) {
    let zone = rs::rollup::Zone::utc();
    let now_ms = i64::try_from(NOW.0).unwrap() + 10 * 86_400_000;
    let fence = store.take_lease("rollup", "a", 0, i64::MAX).unwrap().unwrap().fence;
    let rules = rs::rollup::Rules {
        zone: &zone,
        delay_ms: 0,
        deltas_ms: now_ms,
        numbers: 100,
        fence,
        now_ms,
    };
    let mut objects = rs::share::Objects::default();
    for _ in 0..100 {
        if !rs::rollup::work(store, &mut objects, &rules, || true).unwrap().more {
            return;
        }
    }
    panic!("it comes to no end");
}

/// Rows of hours, of the day or of what is behind its midnight hour.
fn hours(store: &Sqlite, day: Day) -> Vec<String> {
    let begin_ms = rs::key::start_ms(day);
    let from_ms = if day == DAY { begin_ms } else { begin_ms + 3_600_000 };
    let to_ms = begin_ms + 86_400_000;
    let rows = store.rows(Granularity::Hour, from_ms, to_ms).unwrap();
    rows.counts.iter().map(|row| format!("{row:?}")).collect()
}

#[test]
fn figures_of_the_other_days_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    roll(&store);
    let made = hours(&store, DAY);
    assert!(!made.is_empty());
    let call = rm(9, 86_400 + 3600).end(86_400 + 3660);
    store.apply(&arrivals(&[call], 15, 1), NOW).unwrap();
    assert!(hours(&store, NEXT).is_empty());
    drop(store);
    let whole = spoil(dir.path());
    let store = open(dir.path());
    // an operator wants all of it again
    let (from_ms, zone) = (rs::key::start_ms(DAY), rs::rollup::Zone::utc());
    let marks = rs::rollup::rebuild(&zone, from_ms, from_ms + 2 * 86_400_000);
    store.bins().unwrap().note(&marks, &rs::rollup::Meta::new(), 1).unwrap();
    roll(&store);
    assert_eq!(store.damaged().into_keys().collect::<Vec<_>>(), [DAY]);
    assert!(!hours(&store, NEXT).is_empty());
    assert_eq!(hours(&store, DAY), made, "they keep what they have");
    let left = |store: &Sqlite| {
        let job = Job::Make(Granularity::FiveMinutes);
        store.marks(job, i64::MIN, i64::MAX, 9999).unwrap()
    };
    let waiting = left(&store);
    assert_eq!(waiting.len(), 289, "those of the day, and of its call over midnight");
    assert!(waiting.iter().all(|row| row.mark.bin_ms <= from_ms + 86_400_000));
    drop(store);
    std::fs::write(path(dir.path()), whole).unwrap();
    let store = open(dir.path());
    roll(&store);
    assert!(left(&store).is_empty());
    assert_eq!(hours(&store, DAY), made);
}

/// Bins that wait for it are frozen as they are when a later day goes, and it has its say where
/// bins are made when it can be read again.
#[test]
fn a_spoilt_day_holds_up_no_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    let call = rm(9, 86_400 + 3600).end(86_400 + 3660);
    store.apply(&arrivals(&[call], 15, 1), NOW).unwrap();
    roll(&store);
    let made = hours(&store, DAY);
    drop(store);
    let whole = spoil(dir.path());
    let store = open(dir.path());
    let from_ms = rs::key::start_ms(DAY);
    let marks = rs::rollup::rebuild(&rs::rollup::Zone::utc(), from_ms, from_ms + 86_400_000);
    store.bins().unwrap().note(&marks, &rs::rollup::Meta::new(), 1).unwrap();
    roll(&store);
    let left = || {
        let job = Job::Make(Granularity::FiveMinutes);
        store.marks(job, i64::MIN, i64::MAX, 9999).unwrap().len()
    };
    assert!(left() >= 288, "they wait");
    assert!(let_go(&store, NEXT, i64::MAX, 1).unwrap());
    let state = rs::rollup::State::of(&store.meta().unwrap());
    assert!(state.frozen_ms > rs::key::start_ms(NEXT), "{}", state.frozen_ms);
    // what they lose marks the first bin that is made
    roll(&store);
    roll(&store);
    assert!(hours(&store, DAY) == made, "they stay as they are");
    assert_eq!(left(), 0);
    drop(store);
    std::fs::write(path(dir.path()), whole).unwrap();
    let store = open(dir.path());
    roll(&store);
    assert!(hours(&store, DAY) == made && store.damaged().is_empty());
}

/// Whoever of the jobs meets the damage first tells it, and goes on with the others.
#[test]
fn whoever_reads_a_spoilt_day_sets_it_aside() {
    let days = [DAY].into();
    let which = rs::rollup::Which::Covering(0);
    let question = rs::rollup::Question { which, days, all_ports: true };
    let ways: [&dyn Fn(&Sqlite) -> bool; 4] = [
        &|store| matches!(store.facts(&question), Err(StoreError::Damaged(_))),
        &|store| matches!(store.groups(DAY), Err(StoreError::Damaged(_))),
        &|store| matches!(store.stamp(DAY), Err(StoreError::Damaged(_))),
        &|store| store.live(None, 100).is_ok(),
    ];
    for look in ways {
        let dir = tempfile::tempdir().unwrap();
        let store = told(dir.path());
        let live = [rm(8, 600).start(), rm(9, 86_400 + 5).start()];
        store.apply(&arrivals(&live, 15, 1), NOW).unwrap();
        assert!(store.live(None, 100).unwrap().iter().any(|live| live.day == DAY));
        let closed = store.keep(|keeper| {
            keeper.days.close(DAY);
            Ok(())
        });
        closed.unwrap();
        close(&store);
        spoil(dir.path());
        assert!(look(&store));
        assert_eq!(store.damaged().into_keys().collect::<Vec<_>>(), [DAY]);
        assert!(matches!(store.groups(DAY), Err(StoreError::Damaged(_))));
        let live = store.live(None, 100).unwrap();
        assert_eq!(live.iter().map(|live| live.day).collect::<Vec<_>>(), [NEXT]);
    }
}
