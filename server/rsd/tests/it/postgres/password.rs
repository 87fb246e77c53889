//! A password that is changed while a Reporting Server runs: at the server and in the file, in
//! either order.

use std::fs;

use serde_json::json;

use super::Server;
use crate::api::house::House;

/// A record of a call of RM, by number.
fn record(number: u32) -> String {
    let guid = format!("01A202B2-0000-7000-8000-{number:012}");
    let record = json!({
        "schema": 1, "kind": "cdr", "id": format!("{guid}/00000001/cdr.start/1.1"),
        "time": "2026-11-22T10:00:01Z", "phase": "start", "producer": {"name": "rm-1"},
        "component": {"name": "rm-1", "type": "RM", "dbid": 101}, "guid": guid,
        "leg": "00000001", "session_id": format!("{guid}.00000001"), "epoch": 1,
        "started_at": "2026-11-22T10:00:00Z", "call_type": "INBOUND", "local_uri": "sip:a",
        "remote_uri": "sip:b",
    });
    record.to_string()
}

fn send(house: &House, number: u32) {
    let headers = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &headers, record(number).as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn a_changed_password_is_used_for_the_next_connection() {
    let server = Server::strict();
    server.sql("CREATE ROLE writer LOGIN PASSWORD 'first'");
    server.sql("CREATE DATABASE calls OWNER writer");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "first\n").unwrap();
    let house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        let url = format!("postgres://writer@127.0.0.1:{}/calls?sslmode=disable", server.port);
        settings.rs.database.url = Some(url);
        settings.rs.database.password_file = Some(file.clone());
    });
    let stored = |count: u32| {
        house.until(|house| house.metric("rsQueueSize") == "0");
        let calls = "SELECT count(*) FROM rs_call";
        let found = server.sql_as(("rs", ""), "calls", calls).unwrap();
        assert_eq!(found, count.to_string());
    };
    let change = |password: &str| {
        server.sql(&format!("ALTER ROLE writer PASSWORD '{password}'"));
    };
    let cut = || {
        let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writer'";
        server.sql(all);
    };
    send(&house, 1);
    stored(1);
    // who is connected stays so
    change("second");
    send(&house, 2);
    stored(2);
    fs::write(&file, "second\n").unwrap();
    cut();
    send(&house, 3);
    stored(3);
    // the file comes later: the database is away until then, and records are taken
    change("the third");
    let failures =
        |house: &House| -> u64 { house.metric("rs_store_batch_failures_total").parse().unwrap() };
    let before = failures(&house);
    cut();
    send(&house, 4);
    // the first one is the connection that was cut, those behind it are logins
    house.until(|house| failures(house) >= before + 3);
    assert_ne!(house.metric("rsQueueSize"), "0");
    send(&house, 5);
    fs::write(&file, "the third\n").unwrap();
    stored(5);
    // the file comes first: it is used when it is needed
    fs::write(&file, "fourth\n").unwrap();
    send(&house, 6);
    stored(6);
    change("fourth");
    cut();
    send(&house, 7);
    stored(7);
    let told = |id: &str| house.lines.lines().iter().filter(|line| line.contains(id)).count();
    assert_eq!((told(" 33108 "), told(" 33109 ")), (3, 0));
}
