//! Ingest needs no database (rs.md §1.1): whatever becomes of the main file before a start, records
//! are taken, and stored once when it can be used again, without another start.

use std::fs;
use std::path::Path;

use super::house::{House, golden, settings, start};
use super::start::another_leg;

const DOWN: &str = "rs_alarm{name=\"RS-DB-DOWN\"}";
const DAMAGED: &str = "rs_alarm{name=\"RS-DB-DAMAGED\"}";
const LEGS: &str = "/api/v1/calls?from=2026-11-22&legs=true";
const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// Makes the files unusable below `{data_dir}/rs`; what it gives mends them.
type Spoil = fn(&Path) -> Box<dyn FnOnce()>;

/// Records come over both ways while the files are away, and are there once when they are mended.
/// `lost`: the queue goes, too, and there is another start meanwhile.
fn take(spoil: Spoil, lost: bool) {
    let House { rs, dir, .. } = House::with_golden_records();
    drop(rs);
    let at = dir.path().join("rs");
    let mend = spoil(&at);
    if lost {
        fs::remove_dir_all(at.join("spool")).unwrap();
    }
    let mut house = House::in_dir(dir, |_| {});
    assert!(house.rs.ready());
    house.hand_over(&[another_leg("00690007")]);
    let body = another_leg("00690008");
    let answer = house.post("/api/v1/records", &JSON, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    if lost {
        let House { rs, dir, .. } = house;
        rs.stop();
        assert!(!rs.wait().failed);
        house = House::in_dir(dir, |_| {});
        assert_eq!(house.metric("rsQueueSize"), "2");
    }
    house.until(|house| house.metric(DOWN) == "1");
    assert_eq!(house.metric("rs_database_up"), "0");
    for (path, status) in [
        ("/ready", 200),
        ("/ready?strict=true", 503),
        ("/ems-rs/readiness", 200),
        ("/ems-rs/readiness?strict=true", 503),
        (LEGS, 503),
    ] {
        let answer = house.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    mend();
    house.until(|house| house.metric("rs_apply_records_total") == "2");
    house.until(|house| house.metric("rsQueueSize") == "0");
    assert_eq!(house.json(LEGS)["items"].as_array().unwrap().len(), 6);
    house.until(|house| (house.metric(DOWN), house.metric(DAMAGED)) == ("0".into(), "0".into()));
    // the same again is known
    let answer = house.post("/api/v1/records", &JSON, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    house.send(&golden(&[0]));
    assert_eq!(house.metric("rs_apply_records_total"), "2");
    assert_eq!(house.json(LEGS)["items"].as_array().unwrap().len(), 6);
}

/// Moves it away, and gives what brings it back in place of whatever is there.
fn away(file: &Path) -> Box<dyn FnOnce()> {
    let (file, aside) = (file.to_owned(), file.with_extension("aside"));
    fs::rename(&file, &aside).unwrap();
    Box::new(move || {
        if file.is_dir() {
            fs::remove_dir(&file).unwrap();
        }
        fs::rename(&aside, &file).unwrap();
    })
}

#[test]
fn a_main_file_that_is_missing() {
    for lost in [false, true] {
        take(|at| away(&at.join("rs.db")), lost);
    }
}

#[test]
fn a_main_file_that_is_damaged() {
    let spoil: Spoil = |at| {
        let mend = away(&at.join("rs.db"));
        fs::write(at.join("rs.db"), vec![0xA5; 65_536]).unwrap();
        mend
    };
    take(spoil, false);
}

/// Its first page can be read, so that it is met by the first batch only.
#[test]
fn a_main_file_whose_tables_are_damaged() {
    let spoil: Spoil = |at| {
        let main = at.join("rs.db");
        let whole = fs::read(&main).unwrap();
        let mut spoilt = whole.clone();
        spoilt[8192..].fill(0xA5);
        fs::write(&main, spoilt).unwrap();
        Box::new(move || fs::write(&main, whole).unwrap())
    };
    take(spoil, false);
}

#[test]
fn a_directory_in_place_of_the_main_file() {
    let spoil: Spoil = |at| {
        let mend = away(&at.join("rs.db"));
        fs::create_dir(at.join("rs.db")).unwrap();
        mend
    };
    take(spoil, true);
}

#[test]
fn a_main_file_that_another_process_has_locked() {
    let spoil: Spoil = |at| {
        let db = rusqlite::Connection::open(at.join("rs.db")).unwrap();
        db.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        db.execute_batch("BEGIN EXCLUSIVE").unwrap();
        Box::new(move || drop(db))
    };
    take(spoil, false);
}

/// As on a volume that can be read only: no log can be made beside the file.
#[test]
fn a_main_file_that_cannot_be_written() {
    let spoil: Spoil = |at| {
        let log = at.join("rs.db-wal");
        assert!(!log.exists());
        fs::create_dir(&log).unwrap();
        Box::new(move || fs::remove_dir(log).unwrap())
    };
    take(spoil, false);
}

#[test]
fn days_that_cannot_be_listed() {
    let spoil: Spoil = |at| {
        let days = at.join("days");
        let mend = away(&days);
        fs::write(&days, "").unwrap();
        Box::new(move || {
            fs::remove_file(days).unwrap();
            mend();
        })
    };
    take(spoil, false);
}

/// Days are not shown under the names of a main file that is made anew (rs.md §3.2).
#[test]
fn days_without_their_main_file_get_no_new_one() {
    let House { rs, dir, .. } = House::with_golden_records();
    drop(rs);
    let main = dir.path().join("rs/rs.db");
    fs::remove_file(&main).unwrap();
    let house = House::in_dir(dir, |_| {});
    let told = |line: &String| line.contains(" 33101 ") && line.contains("rs.db is missing");
    house.until(|house| house.lines.lines().iter().any(told));
    assert!(!main.exists());
}

/// A later version may be seen at the start in a day's file, too (rs.md §3.4).
#[test]
fn a_day_of_a_later_version_refuses_the_start() {
    let House { rs, dir, .. } = House::with_golden_records();
    drop(rs);
    let day = rusqlite::Connection::open(dir.path().join("rs/days/20261122.db")).unwrap();
    day.execute("UPDATE rs_schema_version SET version = version + 1000, rs_version = '99.0.0'", [])
        .unwrap();
    drop(day);
    let Err(error) = start(settings(dir.path())).0 else { panic!("it has started") };
    assert_eq!(error.exit_code(), 78, "{error}");
}
