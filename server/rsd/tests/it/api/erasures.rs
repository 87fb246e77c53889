//! A caller's number is erased on request: nothing of it is left in the bytes of the database, no
//! figure changes, and what comes later does not bring it back.

use std::path::Path;

use serde_json::{Value, json};

use super::house::{House, MCP, RM, golden};

const ERASURES: &str = "/api/v1/erasures";
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// Of the golden records' caller, as people write it, and as it stands there.
const NUMBER: &str = "+49 (30) 123";
const DIGITS: &[u8] = b"4930123";

/// The files of the database with the digits in them. The queue has its own rule.
fn told(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "spool" {
                all.extend(told(&path));
            }
        } else if std::fs::read(&path).unwrap().windows(DIGITS.len()).any(|part| part == DIGITS) {
            all.push(path.display().to_string());
        }
    }
    all
}

fn event(id: u64, more: &Value) -> String {
    let mut record = json!({
        "schema": 1, "kind": "call.event", "id": format!("mcp-1:E1DE00B6-1001D4A8/ev/0.{id}"),
        "time": "2026-11-22T10:00:20Z", "producer": {"name": "mcp-1"}, "level": "METRIC",
        "component": {"name": "mcp-1", "type": "MCP", "dbid": 310}, "log_id": "log",
        "session_id": "E1DE00B6-1001D4A8",
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record.to_string()
}

/// Everywhere a number may stand.
fn records() -> Vec<String> {
    let label = |label: &str| format!("com.genesyslab.var.{label}");
    let mut start: Value = serde_json::from_str(&golden(&[RM[0]])[0]).unwrap();
    start["x_caller"] = json!("tel:+49-30-123");
    start["trace"][0]["reason"] = json!("asked for 4930123");
    let mut records = vec![start.to_string()];
    records.extend(golden(&[RM[1], RM[2], RM[3], MCP[0], MCP[1]]));
    records.extend([
        event(50, &json!({"text": "said 4930123"})),
        event(51, &json!({"label": label("CallNotes"), "text": "call back 4930123"})),
        event(52, &json!({"label": label("CustomVar"), "text": "ani|4930123"})),
        event(53, &json!({"label": label("ActionStart"), "text": "login"})),
        event(54, &json!({"label": label("ActionEnd"), "text": "login|FAILED|4930123 unknown"})),
        json!({
            "schema": 1, "kind": "sq.call", "id": "mcp-1:E1DE00B6-1001D4A8/sq/0.9",
            "time": "2026-11-22T10:00:30Z", "producer": {"name": "mcp-1"}, "failed": true,
            "component": {"name": "mcp-1", "type": "MCP", "dbid": 310},
            "session_id": "E1DE00B6-1001D4A8",
            "failures": [{"time": "2026-11-22T10:00:30Z", "type": "MRCP", "text": "no 4930123"}],
        })
        .to_string(),
        r#"{"kind":"nonsense","id":"n","from":"sip:4930123@gw"}"#.to_owned(),
    ]);
    records
}

/// What a report counts of each call.
fn figures(house: &House) -> Vec<Value> {
    let calls = house.json("/api/v1/calls?from=2026-11-22&legs=true")["items"].clone();
    let counted = ["guid", "key", "started_at", "ended_at", "duration_ms", "end_state", "tenants"];
    let call = |call: &Value| json!(counted.map(|name| call[name].clone()));
    calls.as_array().unwrap().iter().map(call).collect()
}

fn ended(house: &House) -> bool {
    let items = house.json(ERASURES)["items"].clone();
    items.as_array().unwrap().iter().all(|item| !item["ended_at"].is_null())
}

fn stopped(house: House) -> tempfile::TempDir {
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    dir
}

#[test]
fn nothing_of_an_erased_number_is_left() {
    let mut house = House::open();
    house.send(&records());
    let before = figures(&house);
    assert_eq!(before.len(), 4);
    assert!(!told(house.dir.path()).is_empty());
    let body = json!({ "number": NUMBER }).to_string();
    let answer = house.post(ERASURES, &[JSON], body.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.body);
    house.until(ended);
    assert_eq!(figures(&house), before);
    let done = house.json(ERASURES)["items"][0].clone();
    assert!(done["calls"].as_i64().unwrap() >= 2 && done["rows"].as_i64().unwrap() >= 6, "{done}");
    // what comes again, and what comes late
    house.send(&records());
    let mut late: Value = serde_json::from_str(&golden(&[RM[1]])[0]).unwrap();
    late["id"] = json!(late["id"].as_str().unwrap().replace("/1.1", "/2.1"));
    late["epoch"] = json!(2);
    late["x_again"] = json!("4930123");
    house.send(&[late.to_string(), event(60, &json!({"text": "again 4930123"}))]);
    let calls = house.json("/api/v1/calls?from=2026-11-22&legs=true").to_string();
    assert!(!calls.contains("4930123"), "{calls}");
    let letters = house.json("/api/v1/dead-letters").to_string();
    assert!(!letters.contains("4930123"), "{letters}");
    let audit = house.json("/api/v1/audit?action=erasure");
    assert_eq!(audit["items"][0]["object"], done["no"].to_string(), "{audit}");
    assert!(!audit.to_string().contains("30123"));
    let dir = stopped(house);
    assert_eq!(told(dir.path()), Vec::<String>::new());
}

/// The page for operators, command by command; after the last one no file has the number.
#[test]
fn the_page_works_as_it_is_written() {
    const PAGE: &str = include_str!("../../../../../docs/operate/erasure.md");
    let mut house = House::open();
    house.send(&records());
    let commands: Vec<&str> = PAGE
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines())
        // the executable has a test of its own
        .filter(|command| !command.starts_with("ringmaster "))
        .collect();
    let [begin, list, forget, remove] = commands[..] else { panic!("{commands:?}") };
    let address = house.rs.addresses().http.to_string();
    let run = |command: &str| {
        let done = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(done.status.success(), "{command}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let at_home = |command: &str| command.replace("127.0.0.1:8080", &address);
    let begun = run(&at_home(begin).replace("+49 (30) 123-456", NUMBER));
    house.until(ended);
    let listed = run(&at_home(list));
    let no = serde_json::from_str::<Value>(&begun).unwrap()["no"].clone();
    let items = serde_json::from_str::<Value>(&listed).unwrap()["items"].clone();
    assert_eq!((&items[0]["no"], items[0]["ended_at"].is_null()), (&no, false));
    let forgotten = run(&at_home(forget));
    assert!(forgotten.starts_with(r#"{"legs":"#), "{forgotten}");
    let dir = stopped(house);
    assert!(dir.path().join("rs/spool").exists());
    run(&remove.replace("/var/lib/ringmaster", &dir.path().display().to_string()));
    assert_eq!(told(dir.path()), Vec::<String>::new());
    let mut house = House::in_dir(dir, |_| {});
    house.send(&golden(&MCP));
    assert_eq!(figures(&house).len(), 4);
}

/// The short number of a telephone in the house: digits of addresses, ports, dates and ids of
/// others are not its own.
#[test]
fn a_short_number_takes_nothing_of_other_callers() {
    let mut house = House::open();
    let mut other: Value = serde_json::from_str(&golden(&[RM[0]])[0]).unwrap();
    other["resource"]["address"] = json!("sip:10.0.0.12:10001");
    other["local_uri"] = json!("sip:18005550100@10.0.0.12:10001");
    other["call_id"] = json!("10001@10.0.0.1");
    other["trace"][0]["reason"] = json!("10.0.0.12 since 2026-10-00 1000-10-01");
    let letter = r#"{"kind":"nonsense","id":"10001","time":"1000-12-01","via":"10.0.0.12"}"#;
    house.send(&[other.to_string(), letter.to_owned(), event(50, &json!({"text": "10.0.0.12"}))]);
    let asked = |house: &House| {
        let of = |name: &str| house.json(name).to_string();
        let guid = other["guid"].as_str().unwrap();
        let call = &house.json(&format!("/api/v1/calls/{guid}"))["legs"][0];
        let call = format!("{} {}", call["local_uri"], call["remote_uri"]);
        assert!(call.contains("10.0.0.12"), "{call}");
        (call, of("/api/v1/dead-letters"))
    };
    let before = asked(&house);
    let answer = house.post(ERASURES, &[JSON], br#"{"number": "10001"}"#);
    assert_eq!(answer.status, 202, "{}", answer.body);
    house.until(ended);
    assert_eq!(asked(&house), before);
    let done = house.json(ERASURES)["items"][0].clone();
    assert_eq!((&done["calls"], &done["rows"]), (&json!(0), &json!(0)), "{done}");
}

#[test]
fn an_erasure_goes_on_after_a_new_start() {
    let mut house = House::open();
    house.send(&records());
    let dir = stopped(house);
    let db = rusqlite::Connection::open(dir.path().join("rs/rs.db")).unwrap();
    let hex = std::fs::read_to_string(dir.path().join("rs/erasure.key")).unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    let hash = rs::erase::Number::of(NUMBER).unwrap().hash(&std::array::from_fn(byte));
    let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms, day, stage)
        VALUES (?1, ?2, 1795400000000, 0, 1)";
    db.execute(insert, rusqlite::params![hash.digits, hash.hash]).unwrap();
    drop(db);
    let house = House::in_dir(dir, |_| {});
    house.until(ended);
    let dir = stopped(house);
    assert_eq!(told(&dir.path().join("rs/days")), Vec::<String>::new());
}

#[test]
fn what_cannot_be_erased_is_refused() {
    let house = House::open();
    for (body, code) in [
        (r#"{"number": "123"}"#, "bad-number"),
        (r#"{"number": "alice"}"#, "bad-number"),
        (r#"{"number": 4930123}"#, "bad-body"),
        ("", "bad-body"),
        (r#"{"number": "4930123", "x": 1}"#, "bad-body"),
    ] {
        let answer = house.post(ERASURES, &[JSON], body.as_bytes());
        assert_eq!((answer.status, answer.code()), (400, code.to_owned()), "{body}");
        assert!(!answer.body.contains("4930123"), "{}", answer.body);
    }
    assert_eq!(house.json(ERASURES), json!({"items": []}));
}

#[test]
fn a_call_is_erased_by_its_guid_and_nothing_is_counted_otherwise() {
    let mut house = House::open();
    house.send(&records());
    let before = figures(&house);
    let first: Value = serde_json::from_str(&golden(&[RM[0]])[0]).unwrap();
    let path = format!("/api/v1/calls/{}", first["guid"].as_str().unwrap());
    let shown = format!("{path}?include=events,trace,var");
    assert!(house.json(&shown).to_string().contains("4930123"));
    for _ in 0..2 {
        let answer = house.ask("DELETE", &path, &[]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let legs = serde_json::from_str::<Value>(&answer.body).unwrap()["legs"].clone();
        assert_eq!(legs, json!(house.json(&path)["legs"].as_array().unwrap().len()));
    }
    let told = house.json(&shown).to_string();
    assert!(!told.contains("4930123") && told.contains("anonymous.invalid"), "{told}");
    assert_eq!(figures(&house), before);
    let audit = house.json("/api/v1/audit?action=call-erasure");
    assert_eq!(audit["items"].as_array().unwrap().len(), 2, "{audit}");
    let unknown = house.ask("DELETE", "/api/v1/calls/00000000-0000-7000-8000-000000000000", &[]);
    assert_eq!((unknown.status, &*unknown.code()), (404, "no-such-call"));
}

/// The database keeps it waiting, and whoever asked has gone.
#[test]
fn an_erasure_is_in_the_audit_also_when_nobody_waits_for_its_answer() {
    let house = House::with_golden_records();
    let call = house.json("/api/v1/calls?from=2026-11-22&legs=true")["items"][0].clone();
    let path = format!("/api/v1/calls/{}", call["guid"].as_str().unwrap());
    let lock = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut socket = std::net::TcpStream::connect(house.rs.addresses().http).unwrap();
    let request = format!("DELETE {path} HTTP/1.1\r\nHost: rs\r\n\r\n");
    std::io::Write::write_all(&mut socket, request.as_bytes()).unwrap();
    // a request whose sender has gone before it was begun is not begun
    for _ in 0..20 {
        assert_eq!(house.get(&path).status, 200, "readers are not held up");
    }
    drop(socket);
    lock.execute_batch("ROLLBACK").unwrap();
    let audit = |house: &House| house.json("/api/v1/audit?action=call-erasure");
    house.until(|house| !audit(house)["items"].as_array().unwrap().is_empty());
    assert!(audit(&house)["items"][0]["detail"]["legs"].as_u64().unwrap() > 0);
}
