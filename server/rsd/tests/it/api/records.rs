//! Records over HTTP, the queues, and the alarms.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use config::Settings;
use serde_json::{Value, json};

use super::house::{House, MCP, RM, golden};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");
const RECORDS: &str = "/api/v1/records";

/// Headers, body, and how it is refused.
type Case<'c> = (&'c [(&'c str, &'c str)], &'c [u8], u16, &'c str);

fn receipt(house: &House, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let answer = house.post(RECORDS, headers, body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn stored(house: &House, records: usize) {
    house.until(|house| house.metric("rs_apply_records_total") == records.to_string());
    house.until(|house| house.metric("rsQueueSize") == "0");
}

#[test]
fn an_object_an_array_and_lines_packed_or_not_are_stored_once() {
    let house = House::open();
    let all = [golden(&RM), golden(&MCP)].concat();
    let accepted = |count: usize| json!({"accepted": count, "dead_lettered": []});
    assert_eq!(receipt(&house, &[JSON], all[0].as_bytes()), accepted(1));
    let array = format!("[{}]", all[1..3].join(", "));
    let packed = [JSON, ("Content-Encoding", "gzip")];
    assert_eq!(receipt(&house, &packed, &gzip(array.as_bytes())), accepted(2));
    let lines = all[3..].join("\r\n");
    let packed = [LINES, ("Content-Encoding", "zstd")];
    let body = zstd::bulk::compress(lines.as_bytes(), 3).unwrap();
    assert_eq!(receipt(&house, &packed, &body), accepted(3));
    stored(&house, 6);
    assert_eq!(receipt(&house, &[LINES], all.join("\n").as_bytes()), accepted(6));
    house.until(|house| house.sum("rs_apply_duplicates_total") == 6);
    stored(&house, 6);
    let calls = house.json("/api/v1/calls?from=2026-11-22&legs=true");
    assert_eq!(calls["items"].as_array().unwrap().len(), 4);
    let counted =
        house.metric("rs_ingest_records_total{queue=\"ringmaster.cdr\",transport=\"http\"}");
    assert_eq!(counted, "12");
    assert_eq!(receipt(&house, &[JSON], b"[]"), accepted(0));
}

/// Whoever sends slowly takes no room in memory from the others.
#[test]
fn slow_bodies_keep_nobody_waiting() {
    let house = House::open();
    let head = "POST /api/v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut socket = TcpStream::connect(house.rs.addresses().http).unwrap();
        socket.write_all(head.as_bytes()).unwrap();
        slow.push(socket);
    }
    let accepted = json!({"accepted": 1, "dead_lettered": []});
    for record in golden(&MCP) {
        assert_eq!(receipt(&house, &[JSON], record.as_bytes()), accepted);
        let packed = [JSON, ("Content-Encoding", "gzip")];
        assert_eq!(receipt(&house, &packed, &gzip(record.as_bytes())), accepted);
    }
}

/// Ten thousand lines, some of them bad.
fn many_lines(bad: &[usize]) -> String {
    let mut body = String::new();
    for number in 0..10_000 {
        let name = if bad.contains(&number) { "logid" } else { "log_id" };
        writeln!(
            body,
            "{{\"schema\":1,\"kind\":\"call.event\",\"id\":\"tool:s/ev/1.{number}\",\
             \"time\":\"2026-11-22T10:00:00Z\",\"producer\":{{\"name\":\"tool\"}},\
             \"component\":{{\"name\":\"tool\",\"type\":\"OTHER\"}},\"session_id\":\"s\",\
             \"level\":\"INFO\",\"{name}\":\"1\",\"text\":\"t\"}}"
        )
        .unwrap();
    }
    body
}

/// The command that the page shows, with a body for which curl waits for `100 Continue`.
#[test]
fn what_is_documented_works_with_more_than_curl_sends_at_once() {
    let house = House::open();
    let page = include_str!("../../../../../docs/reference/api.md");
    let section = page.split("\n## Records\n").nth(1).unwrap();
    let command = section.lines().find_map(|line| line.strip_prefix("$ ")).unwrap();
    let address = house.rs.addresses().http.to_string();
    let command = command.replace("127.0.0.1:8080", &address).replace("curl ", "curl -v ");
    let dir = tempfile::tempdir().unwrap();
    let body = many_lines(&[4_000]);
    assert!(body.len() > 2 << 20);
    std::fs::write(dir.path().join("records.ndjson"), body).unwrap();
    let mut shell = Command::new("sh");
    let ran = shell.args(["-c", &command]).current_dir(dir.path()).output().unwrap();
    let heads = String::from_utf8_lossy(&ran.stderr);
    assert!(heads.contains("HTTP/1.1 100 Continue"), "{command}: {heads}");
    let receipt: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(receipt["accepted"], 9_999, "{command}: {receipt}");
    assert_eq!(receipt["dead_lettered"][0]["index"], 4_000);
    stored(&house, 9_999);
}

/// Scenario 15: ten thousand lines, three of them bad, twice.
#[test]
fn ten_thousand_lines_with_three_bad_ones_twice() {
    let house = House::open();
    let body = many_lines(&[17, 4_000, 9_999]);
    for _ in 0..2 {
        let receipt = receipt(&house, &[LINES], body.as_bytes());
        assert_eq!(receipt["accepted"], 9_997);
        let dead = receipt["dead_lettered"].as_array().unwrap();
        let told: Vec<_> = dead
            .iter()
            .map(|dead| (dead["index"].as_u64().unwrap(), dead["field"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [(17, "log_id"), (4_000, "log_id"), (9_999, "log_id")]);
        let first = &dead[0];
        assert_eq!(
            (&first["code"], &first["id"]),
            (&json!("missing_field"), &json!("tool:s/ev/1.17"))
        );
        assert_eq!(first["dead_letter"], Value::Null);
    }
    house.until(|house| house.sum("rs_apply_duplicates_total") == 10_000);
    stored(&house, 9_997);
    assert_eq!(house.sum("rs_dead_letters_total"), 3);
    let letters = house.json("/api/v1/dead-letters");
    assert_eq!(letters["items"].as_array().unwrap().len(), 3, "{letters}");
}

#[test]
fn what_is_refused_and_how() {
    let house = House::open();
    let large = vec![b' '; (10 << 20) + 1];
    let bomb = gzip(&large);
    let many = "1\n".repeat(10_001);
    let cases: [Case<'_>; 9] = [
        (&[JSON], b"nonsense", 400, "bad-body"),
        (&[JSON], b"[{}", 400, "bad-body"),
        (&[JSON, ("Content-Encoding", "gzip")], b"{}", 400, "bad-body"),
        (&[("Content-Type", "text/plain")], b"{}", 415, "no-such-format"),
        (&[], b"{}", 415, "no-such-format"),
        (&[JSON, ("Content-Encoding", "br")], b"{}", 415, "no-such-encoding"),
        (&[JSON], &large, 413, "too-large"),
        (&[JSON, ("Content-Encoding", "gzip")], &bomb, 413, "too-large"),
        (&[LINES], many.as_bytes(), 413, "too-many-records"),
    ];
    for (headers, body, status, code) in cases {
        let answer = house.post(RECORDS, headers, body);
        assert_eq!((answer.status, &*answer.code()), (status, code), "{headers:?}");
    }
    assert_eq!(house.metric("rsQueueSize"), "0");
    assert_eq!(house.ask("GET", RECORDS, &[]).status, 405);
    let off = |settings: &mut Settings| settings.rs.ingest = false;
    let house = House::in_dir(tempfile::tempdir().unwrap(), off);
    assert!(house.rs.ready() && house.rs.addresses().broker.is_none());
    assert_eq!(house.post(RECORDS, &[JSON], b"{}").status, 404);
    assert_eq!(house.get("/api/v1/queues").status, 200);
}

#[test]
fn queues_and_alarms_without_anything_wrong() {
    let mut house = House::with_golden_records();
    house.send(&golden(&RM));
    let queues = house.json("/api/v1/queues");
    let names: Vec<_> =
        queues["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["ringmaster.cdr", "ringmaster.event", "ringmaster.or", "ringmaster.sq"]);
    let cdr = house.json("/api/v1/queues/ringmaster.cdr");
    assert_eq!((&cdr["depth"], &cdr["oldest_seconds"]), (&json!(0), &Value::Null));
    let messages = house.json("/api/v1/queues/ringmaster.cdr/messages?limit=1");
    assert_eq!(messages, json!({"items": []}));
    for (path, expected) in [
        ("/api/v1/queues/ringmaster.x", (404, "no-such-queue")),
        ("/api/v1/queues?limit=1", (400, "unknown-parameter")),
        ("/api/v1/queues/ringmaster.cdr/messages?limit=101", (400, "bad-integer")),
    ] {
        let (status, code) = house.refusal(path);
        assert_eq!((status, &*code), expected, "{path}");
    }
    assert_eq!(house.json("/api/v1/alarms"), json!({"items": []}));
    let end = |name: &str| house.ask("DELETE", &format!("/api/v1/alarms/{name}"), &[]);
    assert_eq!(end("RS-SPOOL-SYNC").status, 204);
    for (name, expected) in [("RS-DB-DOWN", (409, "ends-by-itself")), ("X", (404, "no-such-alarm"))]
    {
        let answer = end(name);
        assert_eq!((answer.status, &*answer.code()), expected);
    }
}

/// Whoever stands between cannot be made to see other requests than RS does (rs.md §8): both
/// lengths and a bare CR are refused, and the connection is over.
#[test]
fn no_request_is_smuggled() {
    let house = House::open();
    let answers = |request: &str| {
        let mut socket = TcpStream::connect(house.rs.addresses().http).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut socket, &mut answer).unwrap();
        let lines = answer.lines().filter(|line| line.starts_with("HTTP/1.1 "));
        lines.map(|line| line[9..12].to_owned()).collect::<Vec<_>>()
    };
    let next = "GET /live HTTP/1.1\r\nHost: x\r\n\r\n";
    let of = |headers: &str, body: &str| format!("GET /live HTTP/1.1\r\n{headers}\r\n{body}{next}");
    let (length, chunked) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    for both in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
        let request = of(&format!("Host: x\r\n{both}"), "0\r\n\r\n");
        assert_eq!(answers(&request), ["400"], "{both:?}");
        let chunks = of(&format!("Host: x\r\n{chunked}"), "5\r\n12345\r\n0\r\n\r\n");
        for first in [next, &of(&format!("Host: x\r\n{length}"), "12345"), &chunks] {
            let before = vec!["200"; first.matches("GET").count()];
            let answers = answers(&format!("{first}{request}"));
            assert_eq!(answers, [&*before, &["400"]].concat(), "{first:?}{both:?} in one read");
        }
    }
    let two = "Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n";
    for head in [
        two,
        "",
        "Host: x\r\nHost: y\r\n",
        "Host: x\rX: y\r\n",
        "Host: x\r\nX: y\rz\r\n",
        "Host: x\r\nX\r: y\r\n",
    ] {
        assert_eq!(answers(&of(head, "")), ["400"], "{head:?}");
    }
}
