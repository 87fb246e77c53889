//! Bytes of the queue on disk that change (rs.md §14, 8): told, copied, counted, an alarm until
//! somebody ends it, and nothing else is lost by them. Bytes of a day of the database: the other
//! days go on, and nothing is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rsd::entry::{Body, Entry, Message, Transport};
use serde_json::json;
use spool::fs::real::RealFs;
use spool::{Entry as Frame, Hooks, Kind, Settings, Spool};

use super::house::{House, golden};

/// A record of the media server whose bytes are found again.
fn record(number: u32) -> String {
    let golden = &golden(&[3])[0];
    golden.replace("E1DE00B6-1001D4A8", &format!("E1DE00B6-{number:08}"))
}

/// The files of segments.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "seg")).collect()
}

/// Changes one bit of the record with this number.
pub(super) fn flip(dir: &Path, number: u32) {
    let needle = format!("E1DE00B6-{number:08}").into_bytes();
    for file in segments(dir) {
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(needle.len()).position(|window| window == needle);
        if let Some(at) = at {
            bytes[at] ^= 1;
            return std::fs::write(&file, bytes).unwrap();
        }
    }
    panic!("{number} is nowhere on the disk");
}

/// Leaves half a frame behind the last whole one, as a crash in the middle of a write does.
fn tear(dir: &Path) {
    let written = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0);
    let holds = |bytes: &[u8]| bytes.windows(9).any(|window| window == b"E1DE00B6-");
    let mut files = segments(dir).into_iter().map(|file| (std::fs::read(&file).unwrap(), file));
    let (mut bytes, file) = files.find(|(bytes, _)| holds(bytes)).unwrap();
    let end = written(&bytes).unwrap() + 1;
    bytes[end..end + 100].fill(0x7f);
    std::fs::write(&file, bytes).unwrap();
}

fn until_told(house: &House, areas: &str) {
    let told = |line: &String| line.contains(" 33001 ") && line.contains("alarm=RS-SPOOL-DAMAGED");
    house.until(|house| house.lines.lines().iter().any(told));
    house.until(|house| house.metric("rs_spool_damaged_total") == areas);
    assert_eq!(house.metric("rs_alarm{name=\"RS-SPOOL-DAMAGED\"}"), "1");
    let copies = house.dir.path().join("rs/spool/quarantine");
    assert_eq!(std::fs::read_dir(copies).unwrap().count().to_string(), areas);
}

/// A queue with records, as a crash left it.
pub(super) fn queue(dir: &Path, records: u32) {
    let payloads = (1..=records).map(|number| {
        let message = Message {
            queue: "ringmaster.cdr".to_owned(),
            message_id: None,
            fallback_id: None,
            properties: Vec::new(),
            body: Body::Text(record(number)),
        };
        let entry = Entry {
            received: 1_795_700_000_000,
            transport: Transport::Http,
            user: None,
            peer: ([127, 0, 0, 1], 1).into(),
            messages: vec![message],
            letters: Vec::new(),
            produces: Vec::new(),
        };
        entry.encode().unwrap()
    });
    queue_of(dir, payloads);
}

/// A queue with these frames.
fn queue_of(dir: &Path, payloads: impl Iterator<Item = Vec<u8>>) {
    let (sender, durable) = sync_channel(64);
    let hooks = Hooks {
        clock: Box::new(|| Duration::ZERO),
        on_durable: Box::new(move |seq| sender.send(seq).unwrap()),
        on_sync: Box::new(|_| {}),
        carry: Box::new(<[u8]>::to_vec),
    };
    let settings = Settings::new(dir.to_owned(), 64 << 20, 1);
    let (spool, _) = Spool::open(settings, Arc::new(RealFs), hooks).unwrap();
    for payload in payloads {
        let frame = Frame { kind: Kind::Data, key: None, payload, records: 1 };
        let seq = spool.append(vec![frame], true).unwrap();
        while durable.recv().unwrap() < seq {}
    }
    spool.close();
}

/// What a later version wrote is not passed over, and does not stand there unnoticed.
#[test]
fn a_frame_that_nobody_understands_is_told() {
    let dir = tempfile::tempdir().unwrap();
    queue_of(&dir.path().join("rs/spool"), std::iter::once(b"\xfflater".to_vec()));
    let house = House::in_dir(dir, |_| {});
    house.until(|house| house.metric("rs_alarm{name=\"RS-APPLY-STUCK\"}") == "1");
    let alarms = house.json("/api/v1/alarms").to_string();
    let why = "frame 1 of the spool cannot be understood";
    assert!(alarms.contains(why), "{alarms}");
    assert_eq!((house.get("/ready?strict=true").status, house.get("/ready").status), (503, 200));
    let health = house.json("/api/v1/health");
    assert!(health.to_string().contains(why), "{health}");
    let headers = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &headers, record(1).as_bytes());
    assert_eq!(answer.status, 200, "records are taken");
    assert_eq!(house.metric("rsQueueSize"), "1");
    assert_eq!(house.metric("rs_apply_records_total"), "0");
}

#[test]
fn a_flipped_byte_costs_its_record_and_a_torn_tail_is_cut_in_silence() {
    for (flipped, applied) in [(Some(2), "4"), (Some(5), "4"), (None, "5")] {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("rs/spool");
        queue(&spool, 5);
        match flipped {
            Some(number) => flip(&spool, number),
            None => tear(&spool),
        }
        let house = House::in_dir(dir, |_| {});
        assert!(house.rs.ready(), "damage never stops a start");
        house.until(|house| house.metric("rs_apply_records_total") == applied);
        house.until(|house| house.metric("rsQueueSize") == "0");
        if flipped.is_some() {
            until_told(&house, "1");
        } else {
            assert_eq!(house.metric("rs_spool_damaged_total"), "0");
            assert_eq!(house.json("/api/v1/alarms"), json!({"items": []}));
        }
    }
}

#[test]
fn what_is_damaged_while_it_waits_is_told_when_it_is_met() {
    let house = House::open();
    let lock = house.main_file();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let headers = [("Content-Type", "application/json")];
    for number in 1..=3 {
        let answer = house.post("/api/v1/records", &headers, record(number).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        // what the applier has read into memory cannot be damaged on disk any more
        house.until(|house| house.metric("rs_store_batch_failures_total") != "0");
    }
    flip(&house.dir.path().join("rs/spool"), 2);
    lock.execute_batch("ROLLBACK").unwrap();
    house.until(|house| house.metric("rs_apply_records_total") == "2");
    house.until(|house| house.metric("rsQueueSize") == "0");
    until_told(&house, "1");
    let alarms = house.json("/api/v1/alarms");
    let alarm = &alarms["items"][0];
    assert_eq!((&alarm["name"], &alarm["ends"]), (&json!("RS-SPOOL-DAMAGED"), &json!("operator")));
    assert_eq!(house.ask("DELETE", "/api/v1/alarms/RS-SPOOL-DAMAGED", &[]).status, 204);
    assert_eq!(house.metric("rs_alarm{name=\"RS-SPOOL-DAMAGED\"}"), "0");
    assert_eq!(house.metric("rs_spool_damaged_total"), "1", "the figure stays");
}

/// A call of a day of November.
fn call(day: u32, session: &str) -> String {
    let of = |time: &str| format!("2026-11-{day}T{time}Z");
    json!({
        "schema": 1, "kind": "cdr", "phase": "end", "id": format!("mcp-9:{session}/cdr.end/0"),
        "time": of("10:01:00"), "producer": {"name": "mcp-9"},
        "component": {"name": "mcp-9", "type": "MCP"}, "session_id": session,
        "started_at": of("10:00:00"), "ended_at": of("10:01:00"), "call_type": "INBOUND",
        "end_state": "USER_END", "local_uri": "sip:dialog@mcp-9", "remote_uri": "sip:a@b",
    })
    .to_string()
}

#[test]
fn records_of_a_damaged_day_are_dead_letters_until_its_file_is_mended() {
    let House { rs, dir, .. } = House::with_golden_records();
    rs.stop();
    assert!(!rs.wait().failed);
    let file = dir.path().join("rs/days/20261122.db");
    let whole = std::fs::read(&file).unwrap();
    let mut spoilt = whole.clone();
    spoilt[8192..].fill(0xA5);
    std::fs::write(&file, spoilt).unwrap();

    let house = House::in_dir(dir, |_| {});
    assert!(house.rs.ready(), "a damaged day stops no start");
    house.until(|house| house.metric("rs_alarm{name=\"RS-DB-DAMAGED\"}") == "1");
    assert!(house.json("/api/v1/alarms").to_string().contains("day 20261122: "));
    let headers = [("Content-Type", "application/x-ndjson")];
    // with a field that is not stored, but makes it larger than what is no record is kept
    let large = call(22, "C").replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(200_000)), 1);
    let both = [call(22, "A"), call(23, "B"), large.clone()].join("\n");
    assert_eq!(house.post("/api/v1/records", &headers, both.as_bytes()).status, 200);
    let lost = |house: &House| house.json("/api/v1/dead-letters?code=db_rejected")["items"].clone();
    house.until(|house| lost(house).as_array().unwrap().len() == 2);
    let largest = lost(&house).as_array().unwrap().iter().map(|one| one["bytes"].as_u64()).max();
    assert_eq!(largest, Some(u64::try_from(large.len()).ok()), "it is kept whole");
    let why = lost(&house)[0]["text"].as_str().unwrap().to_owned();
    assert!(why.starts_with("the file of day 20261122 is damaged: "), "{why}");
    assert_eq!(house.json("/api/v1/integrity")["damaged_days"], json!([20_261_122]));
    let since = |day: u32| format!("/api/v1/calls?from=2026-11-{day}T00:00:00Z&legs=true");
    assert_eq!(house.json(&since(23))["items"][0]["session_id"], json!("B"));
    let asked = house.get(&since(22));
    assert_eq!((asked.status, asked.code()), (503, "database-damaged".to_owned()));

    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    std::fs::write(&file, whole).unwrap();
    let house = House::in_dir(dir, |_| {});
    let headers = [("Content-Type", "application/json")];
    let retried = house.post("/api/v1/dead-letters/retry", &headers, br#"{"code": "db_rejected"}"#);
    assert_eq!(retried.status, 200, "{}", retried.body);
    let sessions = |house: &House| house.json(&since(22)).to_string();
    for session in ["A", "C"] {
        house.until(|house| sessions(house).contains(&format!("\"session_id\":\"{session}\"")));
    }
    for letter in lost(&house).as_array().unwrap() {
        assert_eq!(letter["state"], json!("retried"));
    }
    assert_eq!(house.metric("rs_alarm{name=\"RS-DB-DAMAGED\"}"), "0");
}
