//! The database is away, and the queue on disk fills up (rs.md §14, 11): what is taken is kept, the
//! rest is held back by its priority, and all is as before when the database returns.

use std::fs;
use std::path::Path;
use std::time::Duration;

use config::Settings;
use config::settings::QueueHigh;
use serde_json::{Value, json};

use super::house::House;

const LIMIT: u64 = 3 << 20;

fn small(settings: &mut Settings) {
    settings.rs.spool_limit = LIMIT;
    settings.rs.queue_high = QueueHigh { size: 10, long: Duration::ZERO };
}

/// A record of 20 kB; its number makes its id.
fn record(kind: &str, number: u32) -> Value {
    let pad = "x".repeat(20_000);
    let session = format!("s-{number}");
    let own = match kind {
        "cdr" => json!({"phase": "start", "started_at": "2026-11-22T10:00:00Z",
            "call_type": "INBOUND", "local_uri": "sip:a", "remote_uri": "sip:b", "pad": pad}),
        _ => json!({"level": "INFO", "log_id": "1", "text": "t", "pad": pad}),
    };
    let mut record = json!({
        "schema": 1, "kind": kind, "id": format!("tool:{session}/{kind}/0.{number}"),
        "time": "2026-11-22T10:00:00Z", "producer": {"name": "tool"},
        "component": {"name": "tool", "type": "MCP"}, "session_id": session,
    });
    record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    record
}

/// Sends until one is held back; how many were taken.
fn fill(house: &House, kind: &str, first: u32) -> u32 {
    let headers = [("Content-Type", "application/json")];
    for number in 0.. {
        assert!(number < 1000, "the queue has a limit");
        let body = record(kind, first + number).to_string();
        let answer = house.post("/api/v1/records", &headers, body.as_bytes());
        if answer.status != 200 {
            assert_eq!((answer.status, &*answer.code()), (503, "held-back"), "{}", answer.body);
            assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);
            return number;
        }
    }
    unreachable!("it fills up")
}

#[test]
fn a_batch_for_which_there_is_no_room_holds_up_no_others() {
    let house = House::in_dir(tempfile::tempdir().unwrap(), small);
    let lock = house.main_file();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let headers = [("Content-Type", "application/json")];
    let post = |body: String| house.post("/api/v1/records", &headers, body.as_bytes()).status;
    for number in 1..=100 {
        assert_eq!(post(record("call.event", number).to_string()), 200);
    }
    let batch: Vec<Value> = (200..270).map(|number| record("call.event", number)).collect();
    assert_eq!(post(Value::from(batch).to_string()), 503);
    assert_eq!(post(record("cdr", 300).to_string()), 200);
    assert_eq!(post(record("call.event", 301).to_string()), 200);
    assert_eq!(house.metric("rs_spool_held_back{priority=\"1\"}"), "0");
    lock.execute_batch("ROLLBACK").unwrap();
    house.until(|house| house.metric("rs_apply_records_total") == "102");
}

fn alarm(house: &House, name: &str) -> bool {
    house.metric(&format!("rs_alarm{{name=\"{name}\"}}")) == "1"
}

#[test]
fn without_its_database_it_takes_what_it_can_keep_and_nothing_is_lost() {
    let house = House::in_dir(tempfile::tempdir().unwrap(), small);
    let lock = house.main_file();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let events = fill(&house, "call.event", 1);
    assert!(events > 50, "{events}");
    house.until(|house| alarm(house, "RS-SPOOL-HIGH"));
    assert!(!alarm(&house, "RS-SPOOL-FULL"));
    assert_eq!(house.metric("rs_spool_held_back{priority=\"3\"}"), "1");
    assert_eq!(house.metric("rs_spool_held_back{priority=\"1\"}"), "0");
    assert_eq!(house.get("/ready").status, 200);
    let calls = fill(&house, "cdr", 10_000);
    assert!(calls > 5, "{calls}");
    assert_eq!(house.get("/ready").status, 503);
    for name in ["RS-SPOOL-FULL", "RS-SPOOL-HIGH", "RS-QUEUE-HIGH", "RS-DB-DOWN"] {
        house.until(|house| alarm(house, name));
    }
    let cdr = house.json("/api/v1/queues/ringmaster.cdr");
    assert_eq!((&cdr["depth"], &cdr["held_back"]), (&json!(calls), &json!(true)));
    assert!(cdr["oldest_seconds"].is_u64() && cdr["bytes"].as_u64() > Some(20_000), "{cdr}");
    let shown = house.json("/api/v1/queues/ringmaster.event/messages?limit=3");
    let shown = shown["items"].as_array().unwrap();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0]["body"].as_str().unwrap().len(), 4096);
    assert!(shown[0]["body"].as_str().unwrap().contains("tool:s-1/"), "the oldest first");

    lock.execute_batch("ROLLBACK").unwrap();
    let all = (events + calls).to_string();
    house.until(|house| house.metric("rs_apply_records_total") == all);
    house.until(|house| house.metric("rsQueueSize") == "0");
    for name in ["RS-SPOOL-FULL", "RS-SPOOL-HIGH", "RS-DB-DOWN"] {
        house.until(|house| !alarm(house, name));
    }
    house.until(|house| house.get("/ready").status == 200);
    for line in [" 33003 ", " 33004 ", " 33005 ", " 33103 ", " 31301 ", " 32101 ", " 32102 "] {
        house.until(|house| house.lines.lines().iter().any(|told| told.contains(line)));
    }
    // what was held back is taken now, and what was taken is not taken twice
    let headers = [("Content-Type", "application/json")];
    for number in 1..=events + 1 {
        let body = record("call.event", number).to_string();
        // as fast as they are stored
        house.until(|house| house.post("/api/v1/records", &headers, body.as_bytes()).status == 200);
    }
    let all = (events + calls + 1).to_string();
    house.until(|house| house.metric("rs_apply_records_total") == all);
    assert_eq!(house.sum("rs_apply_duplicates_total"), u64::from(events));
}

/// Files of a folder, without those of its folders.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[test]
fn what_the_files_have_is_passed_over_where_segments_were_not_removed() {
    let house = House::in_dir(tempfile::tempdir().unwrap(), small);
    let lock = house.main_file();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let calls = fill(&house, "cdr", 1);
    let spool = house.dir.path().join("rs/spool");
    let kept = house.dir.path().join("kept");
    copy(&spool, &kept);
    let bytes = |house: &House| house.metric("rs_spool_bytes").parse::<u64>().unwrap();
    let before = bytes(&house);
    lock.execute_batch("ROLLBACK").unwrap();
    house.until(|house| house.metric("rs_apply_records_total") == calls.to_string());
    house.until(|house| bytes(house) < before);
    let House { rs, dir, .. } = house;
    drop(rs);
    fs::remove_dir_all(&spool).unwrap();
    copy(&kept, &spool);

    let house = House::in_dir(dir, small);
    house.until(|house| bytes(house) < before);
    let headers = [("Content-Type", "application/json")];
    let body = record("cdr", calls + 1).to_string();
    assert_eq!(house.post("/api/v1/records", &headers, body.as_bytes()).status, 200);
    house.until(|house| house.metric("rs_apply_records_total") == "1");
    assert_eq!(house.sum("rs_apply_duplicates_total"), 0, "passed over, not judged");
    let list = house.json("/api/v1/calls?from=2026-11-22&legs=true&limit=1000");
    assert_eq!(list["items"].as_array().unwrap().len(), usize::try_from(calls + 1).unwrap());
}
