//! Rollups on the real store, and over HTTP (rs.md §14 no. 19, 22).

use std::collections::BTreeSet;

use rs::erase::Number;
use rs::rollup::{
    Changes, Granularity, Job, Mark, Rules, State, Tables as _, Weekday, Zone, rebuild, text_id,
    work,
};
use rs::share::Objects;
use rsd::rollup::let_go;
use rsd::store::Store;
use rsd::store::bins::Bins as _;
use rsd::store::sqlite::Sqlite;

use super::NOW;
use super::bins::lease;
use super::custody::line;
use super::made::{Made, arrivals, mcp, rm};
use crate::api::house::{House, golden, settings, start};

const DAY_MS: i64 = 86_400_000;

fn open(dir: &std::path::Path) -> Sqlite {
    Sqlite::new(dir.to_owned(), NOW)
}

fn roll(store: &Sqlite) {
    let zone = Zone::new(3600, [], Weekday::Monday);
    let now_ms = i64::try_from(NOW.0).unwrap() + 30 * DAY_MS;
    let fence = lease(store);
    let rules = Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 100, fence, now_ms };
    let mut objects = Objects::default();
    while work(store, &mut objects, &rules, || true).unwrap().bins > 0 {}
}

/// All rows of all bins, as text.
fn rows(store: &Sqlite) -> Vec<String> {
    Granularity::ALL.map(|of| format!("{:?}", store.rows(of, 0, i64::MAX).unwrap())).to_vec()
}

fn story() -> Vec<Made> {
    let first = rm(1, 100).tenant("acme", Some(102)).profile("main", Some(189)).dn("1800");
    let second = rm(2, 200).tenant("acme", Some(102));
    vec![
        first.start(),
        second.start(),
        mcp("S1", 101).guid(1).end(400),
        first.end(700),
        rm(3, 250).dn("1900").end(250),
        second.end(3 * 86_400 + 5),
    ]
}

#[test]
fn a_true_end_after_days_gives_the_bins_of_facts_that_come_in_order() {
    let story = story();
    let mut expected = None;
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 5, 0, 4, 2, 3]] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        for (seq, index) in (1..).zip(order) {
            store.apply(&arrivals(&story[index..=index], seq, 1), NOW).unwrap();
            roll(&store);
            if seq == 3 {
                drop(store);
                store = open(dir.path());
            }
        }
        let found = rows(&store);
        assert_eq!(expected.get_or_insert_with(|| found.clone()), &found, "{order:?}");
    }
    let months = expected.unwrap().pop().unwrap();
    assert!(months.contains("CountRow"), "{months}");
}

#[test]
fn a_crash_between_the_bin_and_its_mark_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 2), NOW).unwrap();
    let five = Job::Make(Granularity::FiveMinutes);
    let marks = store.marks(five, i64::MIN, i64::MAX, 100).unwrap();
    assert!(marks.iter().any(|row| row.day == 20_261_122 && row.file == row.day), "{marks:?}");
    roll(&store);
    let made = rows(&store);
    assert_eq!(store.oldest_mark().unwrap(), None);
    // the marks are there still, as after a crash: all of it is done once more
    let again = marks.iter().map(|row| row.mark).collect();
    store.note(&again, &rs::rollup::Meta::new(), 0).unwrap();
    roll(&store);
    assert_eq!(rows(&store), made);
    // a mark that was written again while its bin was made stays
    store.note(&again, &rs::rollup::Meta::new(), 0).unwrap();
    let read = store.marks(five, i64::MIN, i64::MAX, 100).unwrap();
    store.note(&again, &rs::rollup::Meta::new(), 0).unwrap();
    let guard = State::of(&store.meta().unwrap()).guard();
    let fence = Some(lease(&store));
    let changes = Changes { fence, guard, clear: read.clone(), ..Changes::default() };
    assert!(store.write(&changes, 0).unwrap());
    assert_eq!(store.marks(five, i64::MIN, i64::MAX, 100).unwrap().len(), read.len());
}

#[test]
fn what_was_stored_before_rollups_gets_its_bins() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let story = story();
    let expected = open(other.path());
    expected.apply(&arrivals(&story, 1, 2), NOW).unwrap();
    roll(&expected);
    let store = open(dir.path());
    store.apply(&arrivals(&story, 1, 2), NOW).unwrap();
    drop(store);
    for file in std::fs::read_dir(dir.path().join("days")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            let db = rusqlite::Connection::open(path).unwrap();
            db.execute_batch(
                "DROP TABLE rs_dirty_bin; DROP INDEX rs_call_ended; DROP INDEX rs_call_owner_from;
                 DROP INDEX rs_call_event_ports; ALTER TABLE rs_kept_record DROP COLUMN bin_ms;
                 DELETE FROM rs_schema_version WHERE version = 5",
            )
            .unwrap();
        }
    }
    let store = open(dir.path());
    roll(&store);
    assert_eq!(rows(&store), rows(&expected));
}

#[test]
fn a_day_is_let_go_when_its_bins_are_made_and_they_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 2), NOW).unwrap();
    assert!(!let_go(&store, 20_261_122, i64::MAX, 0).unwrap(), "not made yet");
    roll(&store);
    let made = rows(&store);
    assert!(let_go(&store, 20_261_122, i64::MAX, 0).unwrap());
    // what comes late changes nothing any more, and is counted
    let late = rm(9, 300).tenant("acme", Some(102)).end(310);
    store.apply(&arrivals(&[late], 50, 1), NOW).unwrap();
    roll(&store);
    assert_eq!(rows(&store), made);
    assert!(State::of(&store.meta().unwrap()).late_lost > 0);
}

#[test]
fn no_more_is_frozen_than_what_goes_and_nothing_that_is_to_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.apply(&arrivals(&story(), 1, 2), NOW).unwrap();
    roll(&store);
    let frozen_ms = || State::of(&store.meta().unwrap()).frozen_ms;
    let day = 20_261_122;
    let second = |second: u64| i64::try_from(super::made::at(second).0).unwrap();
    // calls of a tenant that ended until then go; one is in progress for days
    let before_ms = second(1000);
    let waiting = [Mark::five(second(300))].into();
    store.note(&waiting, &rs::rollup::Meta::new(), 0).unwrap();
    assert!(!let_go(&store, day, before_ms, 0).unwrap(), "a mark of no day");
    assert_eq!(frozen_ms(), 0);
    roll(&store);
    let later = [Mark::five(second(1200))].into();
    store.note(&later, &rs::rollup::Meta::new(), 0).unwrap();
    assert!(let_go(&store, day, before_ms, 0).unwrap(), "that one is not frozen");
    assert_eq!(frozen_ms(), second(1200), "whole bins, and what comes a minute after an end");
    assert!(!let_go(&store, day, i64::MAX, 0).unwrap());
    roll(&store);
    assert!(let_go(&store, day, i64::MAX, 0).unwrap());
    assert_eq!(frozen_ms(), second(3 * 86_400 + 300));
    // bins from there on, made again, are none of the frozen ones
    let again = rebuild(&Zone::utc(), frozen_ms(), frozen_ms() + 1);
    store.note(&again, &rs::rollup::Meta::new(), 0).unwrap();
    roll(&store);
    assert_eq!(State::of(&store.meta().unwrap()).late_lost, 0);
}

#[test]
fn no_figure_tells_an_erased_number_and_its_key_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let with = |n: u64, dn: &str| rm(n, 100 * n).dn(dn).end(100 * n + 9);
    let made = [with(1, "4930123"), with(2, "4930124")];
    store.apply(&arrivals(&made, 1, 2), NOW).unwrap();
    roll(&store);
    // its bins are not made when it is erased
    store.apply(&arrivals(&[with(3, "4930125")], 3, 1), NOW).unwrap();
    let keys: BTreeSet<_> = ["4930123", "4930124", "4930125"].map(text_id).into();
    let texts = || store.texts(&keys).unwrap().into_values().collect::<Vec<_>>();
    let mut found = texts();
    found.sort();
    assert_eq!(found, ["4930123", "4930124"]);
    let erasing = store.erasing();
    for number in ["+49 30 123", "+49 30 125"] {
        erasing.begin(&Number::of(number).unwrap(), &line("erasure")).unwrap();
    }
    roll(&store);
    while erasing.go_on(0).unwrap() {}
    let mut found = texts();
    found.sort();
    assert_eq!(found, ["4930124", "9999999", "9999999"]);
}

#[test]
fn series_over_http_and_bins_that_are_made_again() {
    let mut house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.rollup.delay = std::time::Duration::from_millis(100);
        settings.rs.rollup.time_zone = Some("UTC".to_owned());
    });
    house.send(&golden(&[0, 1, 2, 5]));
    let path = "/api/v1/series/arrivals?granularity=MONTH&from=2026-11-22T00:00:00Z\
                &to=2026-11-22T12:00:00Z";
    house.until(|house| house.json(path)["series"][0]["values"][0] != 0);
    let hour = "/api/v1/series/peaks?granularity=HOUR&dim=tenant&id=102\
                &from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00Z";
    // the adopted call was there when the other one came
    house.until(|house| house.json(hour)["series"][0]["values"][0] == 2);
    assert_eq!(house.json(hour)["series"][0]["times"][0], "2026-11-22T10:00:00.120Z");
    let before = house.json(hour);
    // a figure that its facts do not give: what is made again is right again
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(db.execute("UPDATE rs_conc_bin SET peak = 77 WHERE dim = 3", []).unwrap() > 0);
    assert_eq!(house.json(hour)["series"][0]["values"][0], 77);
    let span = br#"{"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}"#;
    let headers = [("content-type", "application/json")];
    let answer = house.post("/api/v1/rollups/rebuild", &headers, span);
    assert_eq!(answer.status, 202, "{}", answer.body);
    // the job is done when all lengths are right
    let job: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let job = format!("/api/v1/jobs/{}", job["id"]);
    house.until(|house| house.json(&job)["state"] == "done");
    let wrong = "SELECT count(*) FROM rs_conc_bin WHERE dim = 3 AND peak = 77";
    assert_eq!(db.query_row(wrong, [], |row| row.get::<_, i64>(0)), Ok(0));
    assert_eq!(house.json(hour), before);
    assert_eq!(house.json("/api/v1/integrity")["late_lost"], 0);
    assert_eq!(house.refusal("/api/v1/series/arrivals?from=2026-11-22T00:00:00Z").0, 400);
    let numbers = path.replace("MONTH", "DAY&dim=dn");
    assert_eq!(house.refusal(&numbers), (400, "missing-parameter".to_owned()));
    assert_eq!(house.refusal("/api/v1/series/nothing?from=2026-11-22T00:00:00Z").0, 404);
}

#[test]
fn another_zone_is_refused_until_it_is_told_to_make_bins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let with = |zone: &str, rebuild: bool| {
        let mut settings = settings(dir.path());
        settings.rs.rollup.time_zone = Some(zone.to_owned());
        settings.rs.rollup.time_zone_rebuild = rebuild;
        start(settings).0
    };
    // the job lays it down, when it has its lease
    let laid = |running: rsd::Rs, zone: &str| {
        let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
        let sql = "SELECT value FROM rs_meta WHERE key = 'rollup.zone'";
        let found = || db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap_or_default();
        let wait = || std::thread::sleep(std::time::Duration::from_millis(5));
        let laid = |_| {
            found().starts_with(zone) || {
                wait();
                false
            }
        };
        assert!((0..10_000).any(laid), "{}", found());
        drop(running);
    };
    laid(with("Europe/Berlin", false).unwrap(), "Europe/Berlin");
    let refused = with("America/New_York", false).err().unwrap();
    assert_eq!(refused.exit_code(), 78);
    assert!(refused.to_string().contains("rs.time_zone_rebuild"), "{refused}");
    laid(with("America/New_York", true).unwrap(), "America/New_York");
    drop(with("America/New_York", false).unwrap());
}

#[test]
fn bins_that_another_server_made_anew_are_left_to_it() {
    let mut house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.rollup.delay = std::time::Duration::from_millis(50);
        settings.rs.rollup.time_zone = Some("UTC".to_owned());
        // of a former change; now the other one has it
        settings.rs.rollup.time_zone_rebuild = true;
    });
    let db = house.main_file();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let leases = "SELECT count(*) FROM rs_lease WHERE name = 'rollup' AND until_ms > 0";
    let zone = "SELECT count(*) FROM rs_meta WHERE key = 'rollup.zone' AND value LIKE ";
    house.until(|_| number(&format!("{zone}'UTC%'")) == 1 && number(leases) == 1);
    let moved = "UPDATE rs_meta SET value = 'Asia/Tokyo, weeks' WHERE key = 'rollup.zone'";
    assert_eq!(db.execute(moved, []).unwrap(), 1);
    house.until(|house| house.lines.lines().iter().any(|line| line.contains("Asia/Tokyo")));
    house.send(&golden(&[0, 1, 2, 5]));
    house.until(|house| {
        house.json("/api/v1/calls?from=2026-11-22&legs=true")["items"][0] != serde_json::Value::Null
    });
    let bins = "SELECT count(*) FROM rs_or_bin";
    assert_eq!((number(bins), number(&format!("{zone}'Asia%'"))), (0, 1));
    assert_eq!(number(leases), 0, "it is free for the other one");
    // what came meanwhile is marked still
    let back = "UPDATE rs_meta SET value = ?1 WHERE key = 'rollup.zone'";
    assert_eq!(db.execute(back, ["UTC, weeks from Monday"]).unwrap(), 1);
    house.until(|_| number(bins) > 0 && number(leases) == 1);
}
