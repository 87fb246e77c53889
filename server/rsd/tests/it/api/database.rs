//! RS on PostgreSQL: stopped under load, away at the start, and what is then in the database. All
//! kinds of producers, for as long as wanted: `app/tests/e2e/outage.rs`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use config::Settings;
use serde_json::{Value, json};

use super::house::House;
use crate::postgres::Server;

/// Producers at once.
const PRODUCERS: u64 = 3;
/// Calls that each sends at least while the database is away.
const CALLS: u64 = 30;

pub(super) fn on(server: &Server) -> impl FnOnce(&mut Settings) {
    let url = server.url();
    move |settings| settings.rs.database.url = Some(url)
}

/// Start, end and an event of one call.
fn call(producer: u64, number: u64) -> String {
    let session = format!("{producer}-{number}");
    let record = |kind: &str, id: &str, more: Value| {
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-{producer}:{session}/{id}"),
            "time": "2026-11-22T10:00:09Z", "producer": {"name": format!("mcp-{producer}")},
            "component": {"name": format!("mcp-{producer}"), "type": "MCP"},
            "session_id": session,
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let cdr = |phase: &str| {
        let mut more = json!({"phase": phase, "started_at": "2026-11-22T10:00:00Z",
            "call_type": "INBOUND", "local_uri": "sip:a", "remote_uri": "sip:b"});
        if phase == "end" {
            more["ended_at"] = json!("2026-11-22T10:00:09Z");
            more["end_state"] = json!("USER_END");
        }
        record("cdr", &format!("cdr.{phase}/0"), more)
    };
    let event = json!({"level": "METRIC", "log_id": "incall_begin"});
    json!([cdr("start"), record("call.event", "ev/0.1", event), cdr("end")]).to_string()
}

#[test]
fn stopped_under_load_no_producer_sees_an_error_and_all_is_stored_once() {
    let mut server = Server::start();
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&server));
    let (over, sent) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (house, over, sent) = (&house, &over, &sent);
            scope.spawn(move || {
                let headers = [("Content-Type", "application/json")];
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let body = call(producer, number);
                    let answer = house.post("/api/v1/records", &headers, body.as_bytes());
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    sent.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let watched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            house.until(|house| house.metric("rs_apply_records_total") != "0");
            server.stop();
            house.until(|house| house.metric("rs_database_up") == "0");
            let began = sent.load(Ordering::Relaxed);
            house.until(|_| sent.load(Ordering::Relaxed) > began + CALLS);
            assert_eq!(house.get("/ready").status, 200);
            assert_eq!(house.get("/ready?strict=true").status, 503);
            let history = house.get("/ems-rs/HIST/CDRs/RM/details");
            assert_eq!((history.status, &*history.code()), (503, "database-unavailable"));
            assert!(history.head.contains("retry-after: 30"), "{}", history.head);
            server.run();
            house.until(|house| house.metric("rs_database_up") == "1");
        }));
        over.store(true, Ordering::Relaxed);
        watched.unwrap();
    });
    house.until(|house| house.metric("rsQueueSize") == "0");
    house.until(|house| house.metric("rs_database_connections{state=\"busy\"}") == "0");
    assert_ne!(house.metric("rs_database_connections{state=\"idle\"}"), "0");
    assert_ne!(house.metric("rs_database_seconds_count{statement=\"question\"}"), "0");
    let calls = sent.into_inner();
    assert_eq!(house.metric("rs_apply_records_total"), (3 * calls).to_string());
    assert_eq!(house.sum("rs_apply_duplicates_total"), 0);
    for (table, rows) in
        [("rs_call", calls), ("rs_call_event", calls), ("rs_fact_ledger", 3 * calls)]
    {
        assert_eq!(
            server.sql(&format!("SELECT count(*) FROM {table}")),
            rows.to_string(),
            "{table}"
        );
    }
    assert_eq!(server.sql("SELECT sum(duration_ms) FROM rs_call"), (9000 * calls).to_string());
    let lines = house.lines.lines();
    let told = lines.iter().filter(|line| line.contains(" 33101 ")).count();
    assert!((1..=2).contains(&told), "once, and once a minute: {told}");
    assert!(lines.iter().any(|line| line.contains("Failed to store a batch")));
}

#[test]
fn away_at_the_start_it_takes_records_and_stores_them_when_the_database_comes() {
    let mut server = Server::start();
    server.stop();
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&server));
    assert_eq!(house.get("/ready").status, 200);
    let headers = [("Content-Type", "application/json")];
    for number in 0..5 {
        let answer = house.post("/api/v1/records", &headers, call(1, number).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    server.run();
    house.until(|house| house.metric("rsQueueSize") == "0");
    assert_eq!(server.sql("SELECT count(*) FROM rs_call"), "5");
    let version = server.sql("SHOW server_version");
    let checks = |house: &House| {
        let lines = house.lines.lines().into_iter();
        let checks = lines.filter(|line| line.contains("check=database "));
        let said =
            checks.filter_map(|line| Some(line.split_once("outcome=")?.1.trim_end().to_owned()));
        said.collect::<Vec<_>>()
    };
    let expected = [
        "warning detail=\"it does not answer yet\"".to_owned(),
        format!("ok detail=\"it answers now: PostgreSQL {version}\""),
    ];
    house.until(|house| checks(house).len() > 1);
    assert_eq!(checks(&house), expected);
    // a start after that goes on where it was: nothing twice
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let house = House::in_dir(dir, on(&server));
    let answer = house.post("/api/v1/records", &headers, call(1, 5).as_bytes());
    assert_eq!(answer.status, 200);
    house.until(|house| house.metric("rs_apply_records_total") == "3");
    assert_eq!(house.sum("rs_apply_duplicates_total"), 0);
    assert_eq!(server.sql("SELECT count(*) FROM rs_call"), "6");
    assert_eq!(checks(&house), [format!("ok detail=\"it answers: PostgreSQL {version}\"")]);
}

/// Segments of the queue are lost, or an older copy is there, and the server cannot say what it
/// has.
#[test]
fn a_queue_that_was_set_back_while_the_server_is_away_loses_nothing() {
    let mut server = Server::start();
    let headers = [("Content-Type", "application/json")];
    let send = |house: &House, numbers: std::ops::Range<u64>| {
        for number in numbers {
            let answer = house.post("/api/v1/records", &headers, call(1, number).as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    };
    let stop = |house: House| {
        house.until(|house| house.metric("rsQueueSize") == "0");
        let House { rs, dir, .. } = house;
        rs.stop();
        assert!(!rs.wait().failed);
        dir
    };
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&server));
    send(&house, 0..1);
    let dir = stop(house);
    let (spool, copy) = (dir.path().join("rs/spool"), dir.path().join("copy"));
    let files = |from: &Path, to: &Path| {
        std::fs::create_dir(to).unwrap();
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    };
    files(&spool, &copy);
    let house = House::in_dir(dir, on(&server));
    send(&house, 1..6);
    let dir = stop(house);
    std::fs::remove_dir_all(&spool).unwrap();
    files(&copy, &spool);
    server.stop();
    let house = House::in_dir(dir, on(&server));
    send(&house, 6..9);
    server.run();
    house.until(|house| house.metric("rs_apply_records_total") == "9");
    let dir = stop(house);
    // and goes on from there
    let house = House::in_dir(dir, on(&server));
    send(&house, 9..10);
    stop(house);
    assert_eq!(server.sql("SELECT count(*) FROM rs_call"), "10");
}

/// Nobody gets at the table of calls meanwhile, so whoever has a place keeps it.
#[test]
fn lists_of_many_days_have_few_places_and_others_are_answered_beside_them() {
    let server = Server::start();
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&server));
    house.until(|house| house.get("/api/v1/calls").status == 200);
    let mut holder = server.session("BEGIN; LOCK TABLE rs_call; SELECT 'held'");
    assert_eq!(holder.line(), "held");
    let (answers, asked) = (std::sync::Mutex::new(Vec::new()), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..7 {
            let (house, answers, asked) = (&house, &answers, &asked);
            scope.spawn(move || {
                let path = match number % 2 {
                    0 => "/api/v1/calls?from=2026-11-20&to=2026-11-24",
                    _ => "/ems-rs/HIST/CDRs/RM/details?started-from=2026-11-20",
                };
                let answer = house.get(path);
                answers.lock().unwrap().push(answer);
                asked.fetch_add(1, Ordering::Relaxed);
            });
        }
        let light = scope.spawn(|| house.get("/api/v1/calls?from=2026-11-20&to=2026-11-21"));
        house.until(|_| asked.load(Ordering::Relaxed) == 3);
        drop(holder);
        assert_eq!(light.join().unwrap().status, 200);
    });
    let mut answers = answers.into_inner().unwrap();
    for refused in answers.drain(..3) {
        assert_eq!((refused.status, &*refused.code()), (429, "rate-limit"));
        assert!(refused.head.contains("retry-after: 30"), "{}", refused.head);
    }
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 4]);
    // places come free again
    assert_eq!(house.get("/api/v1/calls?from=2026-11-20").status, 200);
}

#[test]
fn one_that_hangs_keeps_neither_the_start_nor_records_nor_the_end_waiting() {
    let server = Server::start();
    let hang = server.hang();
    let house = House::in_dir(tempfile::tempdir().unwrap(), on(&server));
    let headers = [("Content-Type", "application/json")];
    let send = |house: &House, number| {
        let answer = house.post("/api/v1/records", &headers, call(1, number).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    (0..5).for_each(|number| send(&house, number));
    let down = |house: &House| house.metric("rs_alarm{name=\"RS-DB-DOWN\"}");
    house.until(|house| down(house) == "1");
    assert_eq!(house.get("/live").status, 200, "nobody is to kill it");
    assert_eq!((house.get("/ready").status, house.get("/ready?strict=true").status), (200, 503));
    drop(hang);
    house.until(|house| house.metric("rsQueueSize") == "0" && down(house) == "0");
    assert_eq!(server.sql("SELECT count(*) FROM rs_call"), "5");
    let hang = server.hang();
    send(&house, 5);
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    drop(hang);
    let house = House::in_dir(dir, on(&server));
    house.until(|house| house.metric("rsQueueSize") == "0");
    house.until(|_| server.sql("SELECT count(*), sum(duration_ms) FROM rs_call") == "6|54000");
}
