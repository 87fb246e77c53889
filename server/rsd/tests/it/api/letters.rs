//! Dead letters: read, edited, tried again, thrown away, and what the audit log says of it; and
//! whether everything is there.

use serde_json::{Value, json};

use super::database;
use super::house::{House, RM, golden};
use crate::ingest::frames::Frames;
use crate::postgres::Server;
use crate::sqlserver::daemon;
use crate::tds::{Endpoint, Identity, Settings, StandIn};

const LETTERS: &str = "/api/v1/dead-letters";
const NO_KIND: &str = r#"{"kind":"nonsense","id":"n"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn items(house: &House, path: &str) -> Vec<Value> {
    house.json(path)["items"].as_array().unwrap().clone()
}

fn post(house: &House, path: &str, body: &Value) -> Value {
    let answer = house.post(path, &[JSON], body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Records of a producer that writes a required field wrongly, and one that no reader reads.
fn bad() -> Vec<String> {
    let mut bad: Vec<String> = golden(&RM)
        .iter()
        .map(|record| {
            let mut record: Value = serde_json::from_str(record).unwrap();
            record["call_type"] = json!("SIDEWAYS");
            record.to_string()
        })
        .collect();
    bad.push(NO_KIND.to_owned());
    bad
}

fn with_letters() -> House {
    with_letters_in(House::open())
}

fn with_letters_in(mut house: House) -> House {
    house.send(&bad());
    house.until(|house| items(house, LETTERS).len() == 5);
    house
}

fn at(letter: &Value) -> String {
    format!("{LETTERS}/{}", letter["no"])
}

/// Scenario 45: an admin edits one letter and tries all again.
#[test]
fn letters_are_edited_and_tried_again() {
    edited_and_tried_again(&with_letters());
}

/// Those that the database has refused are stored when it takes them, all at once; what is no
/// record stays.
#[test]
fn all_that_can_be_stored_by_now_is_stored_with_one_question() {
    let mut house = House::open();
    house.send(&golden(&[3]));
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON rs_call
        BEGIN SELECT RAISE(ABORT, 'not now'); END";
    let day = house.dir.path().join("rs/days/20261122.db");
    let db = rusqlite::Connection::open(day).unwrap();
    db.execute_batch(refuse).unwrap();
    let mut sent = golden(&RM);
    sent.push(NO_KIND.to_owned());
    house.send(&sent);
    house.until(|house| items(house, &format!("{LETTERS}?code=db_rejected")).len() == 4);
    db.execute_batch("DROP TRIGGER refuse").unwrap();
    let tried = post(&house, &format!("{LETTERS}/retry"), &json!({}));
    assert_eq!(tried, json!({"stored": 4, "failed": 1}));
    let open = items(&house, &format!("{LETTERS}?state=open"));
    assert_eq!((open.len(), &open[0]["code"]), (1, &json!("unknown_kind")));
    let id = |body: &String| {
        let record: Value = serde_json::from_str(body).unwrap();
        record["guid"].as_str().unwrap().to_owned()
    };
    let guids: std::collections::BTreeSet<String> = golden(&RM).iter().map(id).collect();
    let shown = items(&house, "/api/v1/calls?from=2026-11-22");
    let shown: std::collections::BTreeSet<String> =
        shown.iter().map(|call| call["guid"].as_str().unwrap().to_owned()).collect();
    assert!(guids.is_subset(&shown), "under their own ids: {shown:?}");
    // sent by their producer once more they are known
    house.send(&golden(&RM));
    house.until(|house| house.sum("rs_apply_duplicates_total") == 4);
    let audit = items(&house, "/api/v1/audit?action=dead-letter.retry");
    assert_eq!(
        ["stored", "failed"].map(|of| audit[0]["detail"][of].as_array().unwrap().len()),
        [4, 1]
    );
}

#[test]
fn so_they_are_on_postgresql() {
    let server = Server::start();
    let house = House::in_dir(tempfile::tempdir().unwrap(), database::on(&server));
    let house = with_letters_in(house);
    edited_and_tried_again(&house);
    thrown_away(&house);
}

#[test]
fn so_they_are_on_sql_server_s_dialect() {
    let engine = StandIn::new();
    let endpoint =
        Endpoint::start(Settings::secure(Identity::new()), move |request| engine.answer(request));
    let dir = tempfile::tempdir().unwrap();
    let on = daemon::on(&endpoint, dir.path());
    let house = with_letters_in(House::in_dir(tempfile::tempdir().unwrap(), on));
    edited_and_tried_again(&house);
    thrown_away(&house);
}

fn edited_and_tried_again(house: &House) {
    let letters = items(house, &format!("{LETTERS}?code=bad_value&state=open"));
    assert_eq!(letters.len(), 4);
    assert_eq!((&letters[0]["field"], &letters[0]["retries"]), (&json!("call_type"), &json!(0)));
    let one = house.json(&at(&letters[0]));
    let mut body: Value = serde_json::from_str(one["body"].as_str().unwrap()).unwrap();
    body["call_type"] = json!("INBOUND");
    let id = body["id"].clone();
    let tried = post(house, &format!("{}/retry", at(&letters[0])), &json!({ "body": body }));
    assert_eq!(tried, json!({"stored": 1, "failed": 0}));
    assert_eq!(house.json(&at(&letters[0]))["state"], "retried");
    let again = house.post(&format!("{}/retry", at(&letters[0])), &[JSON], b"");
    assert_eq!((again.status, again.code()), (409, "not-open".to_owned()));
    // refused again for another reason it stays, with that one
    let bad = house.json(&at(&letters[1]))["body"].as_str().unwrap().replace("\"phase\"", "\"x\"");
    let tried = post(house, &format!("{}/retry", at(&letters[1])), &json!({ "body": bad }));
    assert_eq!(tried, json!({"stored": 0, "failed": 1}));
    let refused = house.json(&at(&letters[1]));
    assert_eq!((&refused["state"], &refused["retries"]), (&json!("open"), &json!(1)));
    assert_eq!((&refused["code"], &refused["field"]), (&json!("missing_field"), &json!("phase")));
    // as it came it is no better than before
    let tried = post(house, &format!("{LETTERS}/retry"), &json!({}));
    assert_eq!(tried, json!({"stored": 0, "failed": 4}));
    let open = items(house, &format!("{LETTERS}?state=open"));
    let retries: Vec<_> = open.iter().map(|letter| letter["retries"].as_u64().unwrap()).collect();
    assert_eq!((retries.iter().sum::<u64>(), retries.len()), (5, 4), "{open:?}");
    let calls = house.json("/api/v1/calls?from=2026-11-22&legs=true");
    let guid = id.as_str().unwrap().split('/').next().unwrap();
    assert_eq!(calls["items"][0]["guid"], guid, "under its own id");
    assert_eq!(calls["items"].as_array().unwrap().len(), 1);
    let audit = items(house, "/api/v1/audit?action=dead-letter.retry");
    assert_eq!(audit.len(), 3);
    let mut left: Vec<_> = open.iter().map(|letter| letter["no"].as_i64().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(audit[0]["detail"], json!({"stored": [], "failed": left}));
    let told = |line: &Value| (line["object"].clone(), line["outcome"].clone());
    assert_eq!(told(&audit[0]), (json!("4 letters"), json!("refused")));
    assert_eq!(audit[2]["detail"], json!({"stored": [letters[0]["no"]], "failed": []}));
    assert_eq!(told(&audit[2]), (json!(letters[0]["no"].to_string()), json!("done")));
    let edits = items(house, "/api/v1/audit?action=dead-letter.edit");
    assert_eq!((edits.len(), &edits[1]["object"]), (2, &audit[2]["object"]));
}

#[test]
fn a_record_that_was_stored_meanwhile_is_not_stored_twice() {
    let mut house = with_letters();
    house.send(&golden(&RM));
    let mut letters = items(&house, &format!("{LETTERS}?code=bad_value"));
    let letter = letters.remove(0);
    let body = house.json(&at(&letter))["body"].as_str().unwrap().replace("SIDEWAYS", "INBOUND");
    let tried = post(&house, &format!("{}/retry", at(&letter)), &json!({ "body": body }));
    assert_eq!(tried, json!({"stored": 1, "failed": 0}), "it is there");
    house.until(|house| house.sum("rs_apply_duplicates_total") == 1);
    // another content under a stored id: the conflict is a letter of its own
    let letter = letters.remove(0);
    let body = house.json(&at(&letter))["body"].as_str().unwrap().replace("SIDEWAYS", "OUTBOUND");
    let tried = post(&house, &format!("{}/retry", at(&letter)), &json!({ "body": body }));
    let conflicts = items(&house, &format!("{LETTERS}?code=id_conflict"));
    assert_eq!(conflicts.len(), 1);
    // of two contents the one with the smaller hash wins: the letter's, or the one that was stored
    let retried = house.json(&at(&letter))["state"] == "retried";
    assert_eq!(tried, json!({"stored": u8::from(retried), "failed": u8::from(!retried)}));
    assert_eq!(retried, conflicts[0]["no"] != letter["no"]);
}

#[test]
fn thrown_away_only_its_state_changes() {
    thrown_away(&with_letters());
}

fn thrown_away(house: &House) {
    let letter = items(house, &format!("{LETTERS}?code=unknown_kind&limit=1")).remove(0);
    assert_eq!(house.ask("DELETE", &at(&letter), &[]).status, 204);
    assert_eq!(house.ask("DELETE", &at(&letter), &[]).status, 204);
    let gone = house.json(&at(&letter));
    assert_eq!((&gone["state"], &gone["body"]), (&json!("deleted"), &json!(NO_KIND)));
    let audit = items(house, "/api/v1/audit?action=dead-letter.delete");
    assert_eq!((audit.len(), &audit[0]["action"]), (2, &json!("dead-letter.delete")));
}

#[test]
fn pages_and_refusals() {
    let house = with_letters();
    let mut seen = Vec::new();
    let mut path = format!("{LETTERS}?limit=2");
    loop {
        let page = house.json(&path);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["no"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{LETTERS}?limit=2&cursor={next}");
    }
    let all: Vec<_> = items(&house, LETTERS).iter().map(|item| item["no"].clone()).collect();
    assert_eq!(seen, all);
    let cases = [
        ("?x=1", 400, "unknown-parameter"),
        ("?state=gone", 400, "bad-enum"),
        ("?limit=0", 400, "bad-integer"),
        ("?code=a&code=b", 400, "duplicate-parameter"),
        ("?cursor=00", 400, "cursor-mismatch"),
        ("/77", 404, "no-such-letter"),
        ("/x", 404, "no-such-letter"),
    ];
    for (query, status, code) in cases {
        assert_eq!(house.refusal(&format!("{LETTERS}{query}")), (status, code.to_owned()));
    }
    let many = house.post(&format!("{LETTERS}/retry"), &[JSON], br#"{"limit": 10001}"#);
    assert_eq!((many.status, many.code()), (400, "bad-integer".to_owned()));
    let bad = house.post(&format!("{LETTERS}/retry"), &[JSON], b"{");
    assert_eq!((bad.status, bad.code()), (400, "bad-body".to_owned()));
}

/// An end of RM with this sequence, a call of its own.
fn end(seq: u64) -> String {
    let mut record: Value = serde_json::from_str(&golden(&[1])[0]).unwrap();
    let guid = format!("01A202B2-C578-7487-A7D5-{seq:012X}");
    record["id"] = json!(format!("{guid}/00690001/cdr.end/1.1"));
    record["session_id"] = json!(format!("{guid}.00690001"));
    record["guid"] = json!(guid);
    record["producer"]["seq"] = json!(seq);
    record.to_string()
}

/// The books of the minute of these ends.
fn books(ends: u64) -> String {
    json!({
        "schema": 1, "kind": "or.integrity", "id": "rm-1/41/or.integrity/20261122T1001/0",
        "time": "2026-11-22T10:02:00Z", "minute": "2026-11-22T10:01:00Z",
        "producer": {"name": "rm-1", "boot": 41, "seq": 1, "stream": "or"},
        "component": {"name": "rm-1", "type": "RM"}, "calls_in": ends, "records_out": ends,
        "in_progress": 0, "rejected": 0, "streams": {"cdr": ends, "or": 1},
    })
    .to_string()
}

/// Scenario 36: records of a spool that was lost, and that come later after all.
#[test]
fn what_is_missing_is_known_until_it_comes() {
    let mut house = House::open();
    let sent: Vec<String> = [1, 2, 5].map(end).into_iter().chain([books(6)]).collect();
    house.send(&sent);
    let proof = house.json("/api/v1/integrity/proof?day=2026-11-22");
    let of = &proof["items"][0];
    assert_eq!((&proof["complete"], &proof["over"]), (&json!(false), &json!(true)));
    assert_eq!((&of["missing_records"], &of["minutes_out_of_balance"]), (&json!(3), &json!(1)));
    let day = "from=2026-11-22&to=2026-11-23";
    let minute = items(&house, &format!("/api/v1/integrity/minutes?{day}&producer=rm-1")).remove(0);
    assert_eq!((&minute["difference"], &minute["fault"]), (&json!(3), &json!("records")));
    let rm = items(&house, &format!("/api/v1/integrity?{day}")).remove(0);
    assert_eq!((&rm["producer"], rm["minutes"].as_array().unwrap().len()), (&json!("rm-1"), 1));
    assert_eq!(rm["streams"][0]["announced_seq"], 6);
    house.send(&[3, 4, 6].map(end));
    let proof = house.json("/api/v1/integrity/proof?day=2026-11-22");
    assert_eq!((&proof["complete"], &proof["items"][0]["stored"]), (&json!(true), &json!(6)));
    let rm = items(&house, &format!("/api/v1/integrity?{day}")).remove(0);
    assert_eq!((&rm["minutes"], &rm["streams"][0]["gaps"]), (&json!([]), &json!([])));
    let digest = &proof["digest"];
    let again = house.json("/api/v1/integrity/proof?day=2026-11-22");
    assert_eq!(&again["digest"], digest);
    for (query, code) in [
        ("?x=1", "unknown-parameter"),
        ("?from=2026-11-22&to=2026-11-22", "from-not-before-to"),
        ("?from=2026-01-01&to=2026-11-22", "span-too-long"),
    ] {
        assert_eq!(house.refusal(&format!("/api/v1/integrity{query}")), (400, code.to_owned()));
    }
    assert_eq!(house.refusal("/api/v1/integrity/proof"), (400, "bad-datetime".to_owned()));
}

/// The id that a record without one takes of its message stays with the letter.
#[test]
fn tried_again_with_the_id_that_the_message_had() {
    let house = House::open();
    let mut record: Value = serde_json::from_str(&golden(&RM)[0]).unwrap();
    record["call_type"] = json!("SIDEWAYS");
    record.as_object_mut().unwrap().remove("id");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut peer = Frames::login(house.rs.addresses().broker.unwrap()).await;
        let head = "SEND\ndestination:ringmaster.cdr\nreceipt:1\ncorrelation-id:of-the-message";
        peer.say(&format!("{head}\n\n{record}\0")).await;
        assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:1\n\n");
    });
    house.until(|house| items(house, LETTERS).len() == 1);
    let letter = items(&house, LETTERS).remove(0);
    assert_eq!(letter["properties"], json!([["JMSCorrelationID", "of-the-message"]]));
    record["call_type"] = json!("INBOUND");
    let tried = post(&house, &format!("{}/retry", at(&letter)), &json!({ "body": record }));
    assert_eq!(tried, json!({"stored": 1, "failed": 0}));
}

/// A bad byte within a text costs that byte, over HTTP as over the others (rs.md §2.1).
#[test]
fn a_record_with_a_bad_byte_is_stored() {
    let house = House::open();
    let record = golden(&RM)[0].replacen("\"local_uri\":\"sip:", "\"local_uri\":\"sip:#", 1);
    let mut record = record.into_bytes();
    let bad = record.iter().position(|byte| *byte == b'#').unwrap();
    record[bad] = 0xff;
    let answer = house.post("/api/v1/records", &[JSON], &record);
    assert_eq!(answer.body, "{\"accepted\":1,\"dead_lettered\":[]}\n");
    house.until(|house| house.metric("rs_apply_records_total") == "1");
    let calls = house.json("/api/v1/calls?from=2026-11-22&legs=true");
    let uri = calls["items"][0]["local_uri"].as_str().unwrap();
    assert!(uri.starts_with("sip:\u{fffd}"), "{calls}");
    assert_eq!(items(&house, LETTERS), [Value::Null; 0]);
}

/// Records of 1 MiB that are refused for their age are kept whole, and go into the spool in groups
/// that fit.
#[test]
fn letters_with_large_records_are_whole_and_tried_again() {
    let house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.retention.cdr = 1;
    });
    let large = |n: u32| {
        let mut record: Value = serde_json::from_str(&golden(&RM)[1]).unwrap();
        record["id"] = json!(format!("{}{n}", record["id"].as_str().unwrap()));
        record["x"] = json!("x".repeat(1_000_000));
        record.to_string()
    };
    for n in 0..6 {
        let answer = house.post("/api/v1/records", &[JSON], large(n).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let expired = format!("{LETTERS}?code=expired_partition");
    house.until(|house| items(house, &expired).len() == 6);
    let letter = house.json(&at(&items(&house, &expired)[0]));
    assert!((0..6).any(|n| letter["body"] == json!(large(n))), "{}", letter["bytes"]);
    let tried = post(&house, "/api/v1/dead-letters/retry", &json!({"limit": 6}));
    assert_eq!((&tried["stored"], &tried["failed"]), (&json!(0), &json!(6)), "still too late");
    let open = |letter: &Value| letter["state"] == json!("open") && letter["retries"] == json!(1);
    assert!(items(&house, &expired).iter().all(open));
}
