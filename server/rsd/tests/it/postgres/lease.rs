//! The lease of the rollup job: two Reporting Servers on one database (rs.md §14 no. 37).

use std::time::Duration;

use config::settings::{Export, ExportFormat, ExportKind};
use rs::rollup::{Granularity, Rules, Zone, work};
use rs::share::Objects;
use rsd::retention::{Export as Files, Kept, Leaving, Under};
use rsd::store::bins::{Bins as _, LEASE};
use rsd::store::exporting::Exporting as _;
use rsd::store::keeping::{Aged, Keeping as _};
use rsd::store::postgres::Postgres;
use rsd::store::sqlite::Sqlite;
use rsd::store::{Store, StoreError};
use serde_json::{Value, json};

use super::Server;
use super::race::rs;
use crate::api::house::House;
use crate::conformance::{NOW, story};

fn take(store: &Postgres, holder: &str, now_ms: i64) -> Option<u64> {
    store.take_lease(LEASE, holder, now_ms, now_ms + 30_000).unwrap().map(|lease| lease.fence)
}

fn rows(store: &dyn Store) -> Vec<String> {
    let rows = |of| store.bins().unwrap().rows(of, 0, i64::MAX).unwrap();
    let mut lines = Vec::new();
    for of in Granularity::ALL.map(rows) {
        lines.extend(of.counts.iter().map(|row| format!("{row:?}")));
        lines.extend(of.levels.iter().map(|row| format!("{row:?}")));
        lines.extend(of.outcomes.iter().map(|row| format!("{row:?}")));
    }
    lines.sort();
    lines
}

#[test]
fn a_holder_that_was_held_up_writes_nothing_any_more() {
    let server = Server::start();
    let stores = [rs(&server, "rs-1"), rs(&server, "rs-2")];
    let [one, other] = &stores;
    one.apply(&story(), NOW).unwrap();
    let now_ms = i64::try_from(NOW.0).unwrap() + 86_400_000;
    let zone = Zone::utc();
    let rules =
        |fence| Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 100, fence, now_ms };
    let all = |store: &dyn Store, fence| {
        let mut objects = Objects::default();
        while work(store.bins().unwrap(), &mut objects, &rules(fence), || true).unwrap().bins > 0 {}
    };
    let first = take(one, "one", now_ms).unwrap();
    assert_eq!(take(other, "other", now_ms + 29_999), None);
    // it sleeps after its first bin, and meanwhile the other makes all that is left
    let taken = std::cell::Cell::new(None);
    let sleeps = || {
        if taken.get().is_none() {
            taken.set(Some(0));
        } else if taken.get() == Some(0) {
            taken.set(take(other, "other", now_ms + 30_000));
            all(other, taken.get().unwrap());
        }
        true
    };
    let refused = work(one, &mut Objects::default(), &rules(first), sleeps).unwrap_err();
    assert!(matches!(refused, StoreError::Fenced(LEASE)), "{refused}");
    assert!(taken.get() > Some(first));
    let made = rows(other);
    // nor does it take away what is to be kept
    let refused = one.forget_deltas(first, i64::MAX).unwrap_err();
    assert!(matches!(refused, StoreError::Fenced(LEASE)), "{refused}");
    assert_eq!(rows(one), made);
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::new(dir.path().to_owned(), NOW);
    sqlite.apply(&story(), NOW).unwrap();
    all(&sqlite, sqlite.take_lease(LEASE, "a", 0, 1).unwrap().unwrap().fence);
    assert_eq!(made, rows(&sqlite));
    assert!(made.len() > 10, "{made:?}");
}

/// It sleeps while it writes a day down. The other takes its lease over and writes the day down;
/// then it wakes (scenario 37).
#[test]
fn a_purge_that_was_held_up_writes_nothing_down_any_more() {
    let server = Server::start();
    let [one, other] = [rs(&server, "rs-1"), rs(&server, "rs-2")];
    one.apply(&story(), NOW).unwrap();
    let now_ms = i64::try_from(NOW.0).unwrap();
    let take = |store: &Postgres, holder: &str, after_ms: i64| {
        let at_ms = now_ms + after_ms;
        store.take_lease("retention", holder, at_ms, at_ms + 30_000).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let (day, now) = (20_261_122, || now_ms);
    let facts = Leaving::Facts(day);
    let files = |name: &str| {
        let kinds = vec![ExportKind::Cdr];
        let (dir, format) = (dir.path().join(name), ExportFormat::Ndjson);
        let settings = Export { dir, format, kinds, zstd: false };
        Files::new(settings, name.to_owned(), format!("{name}/1"))
    };
    let first = take(&one, "one", 0).unwrap();
    assert_eq!(take(&other, "other", 29_999), None);
    let mut second = None;
    let mut sleeps = || {
        let lease = second.get_or_insert_with(|| {
            let lease = take(&other, "other", 30_000).unwrap();
            let under = Under { lease: &lease, now: &now };
            let kept = files("rs-2").keep(&other, under, &facts, &mut || Some(2)).unwrap();
            assert_eq!(kept, Kept::Whole);
            lease
        });
        assert!(lease.fence > first.fence);
        take(&one, "one", 30_001).is_some_and(|ours| ours == first).then_some(2)
    };
    let under = Under { lease: &first, now: &now };
    let kept = files("rs-1").keep(&one, under, &facts, &mut sleeps).unwrap();
    assert_eq!(kept, Kept::CutOff);
    let second = second.unwrap();
    let names = |name: &str| std::fs::read_dir(dir.path().join(name)).unwrap().count();
    assert_eq!((names("rs-1"), names("rs-2")), (0, 2), "one file, and its manifest");
    let runs = one.exports(Some(day), 10).unwrap();
    let told: Vec<_> = runs.iter().map(|run| (&*run.by, run.state.as_str())).collect();
    assert_eq!(told, [("rs-2", "done"), ("rs-1", "stopped")]);
    assert_eq!(other.delete_aged(&second, Aged::Exports, 0, 1000).unwrap(), 0);
    for refused in [
        one.begin_export(&first, &runs[0]).unwrap_err(),
        one.end_export(&first, &runs[0], None).unwrap_err(),
        one.delete_facts(&first, day, i64::MAX, 1000).unwrap_err(),
        one.delete_aged(&first, Aged::Exports, i64::MAX, 1000).unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::Fenced("retention")), "{refused}");
    }
    assert_eq!(one.exports(None, 10).unwrap(), runs);
}

/// A record of a call of RM, by number; half of it is told to each.
fn record(number: u32, phase: &str) -> String {
    let guid = format!("01A202B2-0000-7000-8000-{number:012}");
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": format!("{guid}/00000001/cdr.{phase}/1.1"),
        "time": "2026-11-22T10:00:01Z", "phase": phase, "producer": {"name": "rm-1"},
        "component": {"name": "rm-1", "type": "RM", "dbid": 101}, "guid": guid,
        "leg": "00000001", "session_id": format!("{guid}.00000001"), "epoch": 1,
        "started_at": "2026-11-22T10:00:00Z", "call_type": "INBOUND", "local_uri": "sip:a",
        "remote_uri": "sip:b",
    });
    if phase == "end" {
        record["ended_at"] = json!("2026-11-22T10:00:01Z");
        record["end_state"] = json!("USER_END");
    }
    record.to_string()
}

fn send(house: &House, record: &str) {
    let headers = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &headers, record.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Arrivals and peak of the day of the records.
fn figures(house: &House) -> (Value, Value) {
    let of = |figure: &str| {
        let path = format!(
            "/api/v1/series/{figure}?granularity=DAY&from=2026-11-22T00:00:00Z\
                            &to=2026-11-23T00:00:00Z"
        );
        house.json(&path)["series"][0]["values"][0].clone()
    };
    (of("arrivals"), of("peaks"))
}

#[test]
fn when_the_holder_is_gone_the_other_server_makes_the_bins() {
    let server = Server::start();
    server.sql("CREATE ROLE first SUPERUSER LOGIN");
    let house = |name: &str, user: &str| {
        let (name, url) = (name.to_owned(), server.url().replace("rs@", &format!("{user}@")));
        House::in_dir(tempfile::tempdir().unwrap(), |settings| {
            settings.rs.name = name;
            settings.rs.database.url = Some(url);
            settings.rs.rollup.time_zone = Some("UTC".to_owned());
            settings.rs.rollup.delay = Duration::from_millis(100);
        })
    };
    let holder = || server.sql("SELECT holder FROM rs_lease WHERE name = 'rollup'");
    let first = house("rs-1", "first");
    first.until(|_| holder().starts_with("rs-1/"));
    let second = house("rs-2", "rs");
    send(&first, &record(1, "start"));
    send(&second, &record(1, "end"));
    second.until(|house| figures(house) == (json!(1), json!(1)));
    assert_eq!(figures(&first), figures(&second));
    assert!(holder().starts_with("rs-1/"));
    // for the database the holder is dead
    server.sql("ALTER ROLE first NOLOGIN");
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'first'");
    send(&second, &record(2, "start"));
    send(&second, &record(2, "end"));
    second.until(|house| figures(house) == (json!(2), json!(2)));
    assert!(holder().starts_with("rs-2/"));
    let fence = || server.sql("SELECT fence FROM rs_lease WHERE name = 'rollup'");
    assert_eq!(fence(), "2");
    // it comes back, and is one of two again
    server.sql("ALTER ROLE first LOGIN");
    send(&first, &record(3, "start"));
    send(&first, &record(3, "end"));
    first.until(|house| figures(house) == (json!(3), json!(3)));
    assert_eq!(fence(), "2");
    // who stops in order lets the other go on at once
    second.rs.stop();
    assert!(!second.rs.wait().failed);
    first.until(|_| holder().starts_with("rs-1/"));
}
