//! What is kept, over HTTP and by the commands of docs/operate/retention.md as they stand; a purge
//! and an orphan in a whole daemon.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::house::{House, MCP, RM, golden};

const PAGE: &str = include_str!("../../../../../docs/operate/retention.md");
const SINCE: &str = "/api/v1/calls?from=2026-11-22T00:00:00Z";

/// The requests of the page, in order; its other commands are run with the executable.
fn commands() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.filter(|line| !line.starts_with("ringmaster rs import ")).collect()
}

fn run(house: &House, line: &str) -> String {
    let at = house.rs.addresses().http.to_string();
    let line = line.replace("127.0.0.1:8080", &at);
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_of_the_page() {
    let house = House::with_golden_records();
    let [show, tenant, profile, delete, purge, dry, jobs] = commands()[..] else {
        panic!("seven commands")
    };
    let first: Value = serde_json::from_str(&run(&house, show)).unwrap();
    assert_eq!((&first["cdr"], &first["events"]), (&json!(36_500), &json!(14)));
    assert_eq!((&first["overrides"], &first["last_run"]), (&json!([]), &Value::Null));
    assert!(first["days"].as_u64().unwrap() > 0 && first["bytes"][0]["bytes"].as_u64() > Some(0));
    assert_eq!(run(&house, tenant), "");
    assert_eq!(run(&house, profile), "");
    let listed = house.json("/api/v1/retention")["overrides"].clone();
    let mut names = listed.as_array().unwrap().iter().map(|one| one["name"].clone());
    assert_eq!(names.by_ref().collect::<Vec<_>>(), ["acme", "acme-main"]);
    assert_eq!((&listed[0]["cdr"], &listed[0]["events"]), (&json!(90), &Value::Null));
    assert_eq!(run(&house, delete), "");
    let left = house.json("/api/v1/retention")["overrides"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1);
    let told = |line| serde_json::from_str::<Value>(&run(&house, line)).unwrap();
    let (purge, dry) = (told(purge), told(dry));
    assert_eq!((&purge["kind"], &purge["dry_run"]), (&json!("retention"), &json!(false)));
    assert_eq!((&dry["id"], &dry["dry_run"]), (&json!(2), &json!(true)));
    house.until(|_| {
        let items = told(jobs)["items"].clone();
        items.as_array().unwrap().iter().all(|job| job["state"] == json!("done"))
    });
    house.until(|house| house.json("/api/v1/retention")["last_run"]["finished"] == json!(true));
    let audit = house.json("/api/v1/audit");
    let mut actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    actions.reverse();
    let expected = ["retention.set", "retention.set", "retention.delete", "retention.run"];
    assert_eq!(actions, expected);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let house = House::open();
    let put = |body: &str| {
        let at = house.rs.addresses().http;
        let answer = super::house::send(at, ("PUT", "/api/v1/retention"), &[], body.as_bytes());
        (answer.status, answer.code())
    };
    let bad = |code: &str| (400, code.to_owned());
    assert_eq!(put("{"), bad("bad-body"));
    assert_eq!(put(r#"{"scope":"tenant","id":1}"#), bad("bad-body"));
    assert_eq!(put(r#"{"scope":"tenant","id":1,"cdr":0}"#), bad("bad-body"));
    assert_eq!(put(r#"{"scope":"tenant","id":1,"cdr":36501}"#), bad("bad-body"));
    assert_eq!(put(r#"{"scope":"tenant","id":1,"days":5}"#), bad("bad-body"));
    assert_eq!(put(r#"{"scope":"house","id":1,"cdr":5}"#), bad("bad-scope"));
    let gone = house.ask("DELETE", "/api/v1/retention/tenant/5", &[]);
    assert_eq!((gone.status, gone.code()), (404, "no-such-override".to_owned()));
}

/// Asks for a job, and gives it when it is over.
fn job(house: &House, path: &str, body: &[u8]) -> Value {
    let headers = [("Content-Type", "application/json")];
    let answer = house.post(path, &headers, body);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let begun: Value = serde_json::from_str(&answer.body).unwrap();
    let shown = || house.json(&format!("/api/v1/jobs/{}", begun["id"]));
    house.until(|_| shown()["state"] == json!("done"));
    shown()
}

#[test]
fn a_dry_run_tells_what_would_go_and_nothing_goes() {
    let House { rs, dir, .. } = House::with_golden_records();
    rs.stop();
    assert!(!rs.wait().failed);
    let house = House::in_dir(dir, |settings| settings.rs.retention.cdr = 1);
    let before = house.json(SINCE)["items"].clone();
    let dry = job(&house, "/api/v1/retention/run?dry_run", b"");
    let day = json!({"day": 20_261_122, "all_calls": true, "ids": false, "due": []});
    assert_eq!(dry["result"]["days"], json!([day]));
    assert!(dry["ended_at"].is_string());
    assert_eq!(house.json(SINCE)["items"], before);
    let span = br#"{"from":"2026-11-22T00:00:00Z","to":"2026-11-23T00:00:00Z"}"#;
    let rebuilt = job(&house, "/api/v1/rollups/rebuild?dry_run=true", span);
    assert!(rebuilt["result"]["marked"].as_u64() > Some(300), "{rebuilt}");
    assert_eq!(house.json("/api/v1/audit")["items"], json!([]), "nothing was done");

    let rebuilt = job(&house, "/api/v1/rollups/rebuild", span);
    assert_eq!((&rebuilt["kind"], &rebuilt["user"]), (&json!("rollup-rebuild"), &Value::Null));
    house.until(|house| {
        let done = job(house, "/api/v1/retention/run", b"")["result"]["finished"] == json!(true);
        assert!(!done || house.json(SINCE)["items"] == json!([]));
        done
    });
    let dry = job(&house, "/api/v1/retention/run?dry_run=true", b"");
    assert_eq!(dry["result"], json!({"days": []}), "nothing is left");

    let refused = |path: &str| house.post(path, &[], b"").code();
    assert_eq!(refused("/api/v1/retention/run?dry_run=maybe"), "bad-enum");
    assert_eq!(refused("/api/v1/retention/run?dry"), "unknown-parameter");
    let gone = house.get("/api/v1/jobs/4711");
    assert_eq!((gone.status, gone.code()), (404, "no-such-job".to_owned()));
}

/// Another server of the database sets it, which tells nobody.
#[test]
fn a_dry_run_goes_by_what_is_in_force_by_then() {
    let house = House::with_golden_records();
    let days = || job(&house, "/api/v1/retention/run?dry_run", b"")["result"]["days"].clone();
    assert_eq!(days(), json!([]));
    let main = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    let set = "INSERT INTO rs_retention_override VALUES (0, 102, 1, NULL, NULL, 0)";
    main.execute(set, []).unwrap();
    assert_eq!(days()[0]["day"], json!(20_261_122));
    main.execute("DELETE FROM rs_retention_override", []).unwrap();
    assert_eq!(days(), json!([]));
}

#[test]
fn old_calls_go_and_do_not_come_back() {
    let House { rs, dir, .. } = House::with_golden_records();
    rs.stop();
    assert!(!rs.wait().failed);
    let mut house = House::in_dir(dir, |settings| settings.rs.retention.cdr = 1);
    assert!(!house.json(SINCE)["items"].as_array().unwrap().is_empty());
    // the day waits for its figures, and for the next run
    house.until(|house| {
        assert_eq!(house.post("/api/v1/retention/run", &[], b"").status, 202);
        house.json(SINCE)["items"].as_array().unwrap().is_empty()
    });
    house.send(&golden(&RM));
    house.send(&golden(&MCP));
    assert!(house.json(SINCE)["items"].as_array().unwrap().is_empty());
    let letters = house.json("/api/v1/dead-letters?code=expired_partition");
    assert_eq!(letters["items"].as_array().unwrap().len(), RM.len() + MCP.len());
    house.until(|house| house.json("/api/v1/retention")["last_run"]["finished"] == json!(true));
    assert!(house.lines.lines().iter().any(|line| line.contains("35001")));
    // also a process that has purged nothing itself tells when that was, and what its jobs are at
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let house = House::in_dir(dir, |_| {});
    let age = "rs_retention_last_success_seconds ";
    house.until(|house| house.get("/metrics").body.contains(age));
    let age: f64 = house.metric(age.trim_end()).parse().unwrap();
    assert!((0.0..3600.0).contains(&age), "{age}");
    for name in [r#"rs_lease_held{name="rollup"}"#, "rs_dirty_bins", "rs_rollup_drift_total"] {
        assert!(house.metric(name).parse::<u32>().is_ok(), "{name}");
    }
    assert!(house.metric(r#"rs_rollup_lag_seconds{job="HOUR"}"#).parse::<f64>().is_ok());
}

#[test]
fn a_clock_that_has_jumped_purges_nothing_until_an_operator_says_so() {
    let House { rs, dir, .. } = House::with_golden_records();
    rs.stop();
    assert!(!rs.wait().failed);
    let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
    let long_ago = super::house::now().0 - 30 * 86_400_000;
    let sql = "INSERT OR REPLACE INTO rs_meta VALUES ('rollup.purged_ms', ?1)";
    db.execute(sql, [long_ago.to_string()]).unwrap();
    drop(db);
    // at any time of the day it is time for it
    let house = House::in_dir(dir, |settings| {
        settings.rs.retention.cdr = 1;
        settings.rs.retention.at = 0;
        settings.rs.retention.window = Duration::from_secs(86_400);
    });
    let up = |house: &House| house.metric("rs_alarm{name=\"RS-PURGE-BLOCKED\"}") == "1";
    house.until(up);
    let alarms = house.json("/api/v1/alarms").to_string();
    assert!(alarms.contains("the clock is 30 days ahead of the last purge"), "{alarms}");
    assert!(!house.json(SINCE)["items"].as_array().unwrap().is_empty());
    assert_eq!(house.json("/api/v1/retention")["last_run"], Value::Null);
    house.until(|house| {
        assert_eq!(house.post("/api/v1/retention/run", &[], b"").status, 202);
        house.json(SINCE)["items"].as_array().unwrap().is_empty()
    });
    house.until(|house| !up(house));
}

#[test]
fn an_orphan_is_closed_and_its_true_end_comes_late() {
    let mut house = House::open();
    house.send(&golden(&RM[..1]));
    assert_eq!(house.json("/api/v1/live/calls")["total"], json!(1));
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    let mut house = House::in_dir(dir, |settings| {
        settings.rs.retention.timeout = Duration::ZERO;
    });
    let end = |house: &House| house.json(SINCE)["items"][0]["end_state"].clone();
    house.until(|house| end(house) == json!("TIMEOUT"));
    house.send(&golden(&RM[1..2]));
    assert_eq!(end(&house), json!("USER_END"));
    assert!(house.lines.lines().iter().any(|line| line.contains("34003")));
}

/// What waits may be of the component that is silent, but only as far back as it came: a platform
/// whose records never cease closes its orphans, too.
#[test]
fn an_orphan_is_closed_while_records_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::in_dir(dir, |settings| {
        settings.rs.retention.timeout = Duration::ZERO;
    });
    let of_another_day = |id: &str| {
        json!({
            "schema": 1, "kind": "call.event", "id": id, "time": "2026-11-23T10:00:00Z",
            "producer": {"name": "tool"}, "component": {"name": "tool", "type": "OTHER"},
            "session_id": "s", "level": "INFO", "log_id": "1", "text": "t",
        })
        .to_string()
    };
    house.send(&[golden(&RM[..1])[0].clone(), of_another_day("a")]);
    let closed = |house: &House| house.lines.lines().iter().any(|line| line.contains("34003"));
    assert!(!closed(&house));
    let day = house.dir.path().join("rs/days/20261123.db");
    let lock = rusqlite::Connection::open(day).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    // what waits came later than all that is stored, to the second
    let second = || super::house::now().0 / 1000;
    let begun = second();
    house.until(|_| second() > begun);
    let headers = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &headers, of_another_day("b").as_bytes());
    assert_eq!(answer.status, 200);
    house.until(|house| house.metric("rsQueueSize") == "1");
    // has the job look now
    let override_of = "{\"scope\": \"tenant\", \"id\": 102, \"cdr\": 90}";
    let at = house.rs.addresses().http;
    let answer =
        super::house::send(at, ("PUT", "/api/v1/retention"), &headers, override_of.as_bytes());
    assert_eq!(answer.status, 204, "{}", answer.body);
    house.until(closed);
    assert_eq!(house.metric("rs_apply_records_total"), "2", "it waits behind the other");
    lock.execute_batch("ROLLBACK").unwrap();
    house.until(|house| house.json(SINCE)["items"][0]["end_state"] == json!("TIMEOUT"));
}
