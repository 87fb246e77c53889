//! The books of many producers: pages, one proof over all of them (rs.md §6).

use model::time::Millis;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::house::{House, now};

/// Producers.
const MANY: usize = 10_000;

/// Streams and a minute of many producers, as if they had been stored.
fn fill(db: &Connection, at: Millis, producers: usize) {
    let minute = Millis::parse("2026-11-22T10:00:00Z").unwrap();
    let (at, minute) = (i64::try_from(at.0).unwrap(), i64::try_from(minute.0).unwrap());
    db.execute_batch("BEGIN").unwrap();
    for number in 0..producers {
        let name = format!("p-{number:05}");
        let stream = "INSERT INTO rs_producer_stream (producer, boot, stream, received, max_seq,
            announced_seq, duplicates, first_ms, last_ms, gaps)
            VALUES (?1, 1, 1, x'', 0, 0, 0, ?2, ?2, x'')";
        db.prepare_cached(stream).unwrap().execute(params![name, at]).unwrap();
        let told = "INSERT INTO rs_integrity_minute (producer, boot, minute_ms, calls_in,
            records_out, adopted_in, handed_out, rejected, in_progress)
            VALUES (?1, 1, ?2, 2, 0, 0, 0, 0, 2)";
        db.prepare_cached(told).unwrap().execute(params![name, minute]).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

#[test]
fn ten_thousand_producers_come_in_pages_and_in_one_proof() {
    let House { rs, dir, .. } = House::open();
    drop(rs);
    let db = Connection::open(dir.path().join("rs/rs.db")).unwrap();
    fill(&db, now(), MANY);
    let house = House::in_dir(dir, |_| {});
    let day = "from=2026-11-22&to=2026-11-23&limit=1000";
    for path in ["/api/v1/integrity", "/api/v1/integrity/minutes"] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        for page in 0.. {
            let answer = house.json(&format!("{path}?{day}{cursor}"));
            let items = answer["items"].as_array().unwrap();
            assert!(items.len() <= 1000, "{}", items.len());
            names.extend(items.iter().map(|item| item["producer"].as_str().unwrap().to_owned()));
            assert_eq!(answer.get("total").is_some(), page == 0 && !path.ends_with("minutes"));
            match &answer["next"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        let all: Vec<String> = (0..MANY).map(|number| format!("p-{number:05}")).collect();
        assert_eq!(names, all, "each once, in order");
        let foreign = format!("{path}?from=2026-11-22&to=2026-11-24{cursor}");
        assert_eq!(house.refusal(&foreign), (400, "cursor-mismatch".to_owned()));
    }
    let total = &house.json(&format!("/api/v1/integrity?{day}"))["total"];
    assert_eq!((&total["calls_in"], &total["difference"]), (&json!(2 * MANY), &json!(0)));
    let proof = house.json("/api/v1/integrity/proof?day=2026-11-22");
    assert_eq!((&proof["complete"], &proof["producers"]), (&json!(true), &json!(MANY)));
    assert_eq!((&proof["signature"], &proof["stands"]), (&Value::Null, &json!(true)));
    // the monitor knows them all, and shows as many as a label may have
    let rest = "rs_producer_last_seen_seconds{producer=\"other\"}";
    house.until(|house| house.get("/metrics").body.contains(rest));

    let one = "UPDATE rs_integrity_minute SET calls_in = 3 WHERE producer = 'p-04711'";
    db.execute(one, []).unwrap();
    let proof = house.json("/api/v1/integrity/proof?day=2026-11-22");
    assert_eq!((&proof["complete"], &proof["stands"]), (&json!(false), &json!(false)));
    let wrong = |item: &&Value| item["complete"] == false;
    let wrong: Vec<_> = proof["items"].as_array().unwrap().iter().filter(wrong).collect();
    assert_eq!((wrong.len(), &wrong[0]["producer"]), (1, &json!("p-04711")));
}

/// The gaps of two streams have 2⁶⁴ sequences together, which 64 bits cannot count.
#[test]
fn a_day_is_not_complete_however_many_records_are_missing() {
    let mut house = House::open();
    let record = |kind: &str, stream: &str, seq: u64, own: Value| {
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-1/{stream}/{seq}"),
            "time": "2026-11-22T10:00:10Z", "component": {"name": "mcp-1", "type": "MCP"},
            "producer": {"name": "mcp-1", "boot": 1, "seq": seq, "stream": stream},
        });
        record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        record.to_string()
    };
    let far = (1 << 63) + 2;
    let call = |seq: u64| {
        let own = json!({
            "phase": "start", "session_id": format!("C{seq}"), "call_type": "INBOUND",
            "started_at": "2026-11-22T10:00:10Z", "local_uri": "sip:1@gvp.example",
            "remote_uri": "sip:2@gw.example",
        });
        record("cdr", "cdr", seq, own)
    };
    let event = |seq: u64| {
        let own = json!({"session_id": "C1", "level": "METRIC", "log_id": "prompt"});
        record("call.event", "event", seq, own)
    };
    let books = json!({
        "minute": "2026-11-22T10:00:00Z", "calls_in": 2, "records_out": 0, "in_progress": 2,
        "rejected": 0, "streams": {},
    });
    let books = record("or.integrity", "or", 1, books);
    house.send(&[call(1), event(1), books]);
    let path = "/api/v1/integrity/proof?day=2026-11-22";
    house.send(&[call(far), event(far)]);
    let proof = house.json(path);
    assert_eq!((&proof["complete"], &proof["statement"]), (&json!(false), &Value::Null), "{proof}");
    let of = &proof["items"][0];
    assert_eq!((&of["complete"], &of["missing_records"]), (&json!(false), &json!(u64::MAX)));
    assert_eq!(of["minutes_out_of_balance"], 0, "the gaps alone");
}

/// Nobody knows of which day the records were that the queue has lost: no day is complete until an
/// operator has seen to them, whatever starts lie between (rs.md §1.4.5).
#[test]
fn what_the_queue_has_lost_keeps_days_from_being_complete() {
    let House { rs, dir, .. } = House::open();
    drop(rs);
    let db = Connection::open(dir.path().join("rs/rs.db")).unwrap();
    fill(&db, now(), 1);
    drop(db);
    let spool = dir.path().join("rs/spool");
    super::damage::queue(&spool, 3);
    super::damage::flip(&spool, 2);
    let complete = |house: &House| {
        let proof = house.json("/api/v1/integrity/proof?day=2026-11-22");
        (proof["complete"].clone(), proof["spool_damage"].clone())
    };
    let lost = |house: &House| house.json("/api/v1/integrity")["spool_damage"].clone();
    let House { rs, dir, .. } = House::in_dir(dir, |_| {});
    drop(rs);
    let house = House::in_dir(dir, |_| {});
    assert_eq!(house.metric("rs_alarm{name=\"RS-SPOOL-DAMAGED\"}"), "1");
    let shown = lost(&house);
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!((&shown[0]["from"], &shown[0]["to"]), (&json!(2), &json!(2)));
    assert_eq!(complete(&house), (json!(false), json!(1)));
    assert_eq!(house.ask("DELETE", "/api/v1/alarms/RS-SPOOL-DAMAGED", &[]).status, 204);
    assert_eq!((lost(&house), complete(&house)), (json!([]), (json!(true), json!(0))));
}
