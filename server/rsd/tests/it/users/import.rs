//! What only an admin may say of records: that an RS has written them (rs.md §10).

use serde_json::{Value, json};

use super::{PASSWORD, asked, basic, lines, open, write};
use crate::api::house::House;

const RECORDS: &str = "/api/v1/records";
const IMPORT: &str = "/api/v1/records?import";

fn event(more: Value) -> Value {
    let mut event = json!({
        "schema": 1, "kind": "call.event", "id": "tool:s/ev/1.1", "time": "2026-11-22T10:00:00Z",
        "producer": {"name": "tool"}, "component": {"name": "tool", "type": "OTHER"},
        "session_id": "s", "level": "INFO", "log_id": "1", "text": "t",
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn post(house: &House, (user, password): (&str, &str), path: &str, body: &Value) -> u16 {
    let login = basic(user, password);
    let headers = [("Authorization", &*login), ("Content-Type", "application/json")];
    house.post(path, &headers, body.to_string().as_bytes()).status
}

fn letters(house: &House) -> Vec<(String, String, u64)> {
    let list = asked(house, "root", "GET", "/api/v1/dead-letters").body;
    let list: Value = serde_json::from_str(&list).unwrap();
    let text = |letter: &Value, name: &str| letter[name].as_str().unwrap().to_owned();
    let each = list["items"].as_array().unwrap().iter();
    each.map(|letter| {
        (text(letter, "code"), text(letter, "transport"), letter["no"].as_u64().unwrap())
    })
    .collect()
}

#[test]
fn that_records_were_stored_before_is_believed_of_an_admin() {
    let (rm, root) = (("rm", "secret"), ("root", PASSWORD));
    let house = open(|_| {});
    let first = event(json!({}));
    assert_eq!(post(&house, rm, IMPORT, &first), 403);
    assert_eq!(post(&house, root, "/api/v1/records?imported", &first), 400);
    assert_eq!(post(&house, rm, RECORDS, &first), 200);
    house.until(|house| house.metric("rs_apply_records_total") == "1");

    let again = event(json!({"text": "other", "_again": 0}));
    assert_eq!(post(&house, root, IMPORT, &again), 200);
    house.until(|house| house.sum("rs_apply_duplicates_total") == 1);
    assert_eq!(letters(&house), []);
    assert_eq!(post(&house, rm, RECORDS, &again), 200);
    house.until(|house| letters(house).len() == 1);
    assert_eq!(letters(&house)[0].0, "id_conflict");

    // a letter of such a record is tried again as what it was
    let bad = event(json!({"text": "other", "_again": 0, "level": "NONE"}));
    assert_eq!(post(&house, root, IMPORT, &bad), 200);
    house.until(|house| letters(house).len() == 2);
    let all = letters(&house);
    let (code, _, no) = all.iter().find(|letter| letter.1 == "own").unwrap();
    assert_eq!(code, "bad_value");
    let headers =
        [("Authorization", &*basic("root", PASSWORD)), ("Content-Type", "application/json")];
    let path = format!("/api/v1/dead-letters/{no}/retry");
    let answer = house.post(&path, &headers, json!({"body": again}).to_string().as_bytes());
    assert_eq!(answer.body, "{\"stored\":1,\"failed\":0}\n");
}

#[test]
fn an_admin_who_is_bound_to_producers_gives_back_theirs_only() {
    let dir = tempfile::tempdir().unwrap();
    let boss = rsd::user_line("boss", "admin", PASSWORD).unwrap();
    let users = write(dir.path(), &format!("{}{boss} produces=mcp-*\n", lines()));
    let house = House::in_dir(dir, |settings| settings.rs.auth.users_file = Some(users));
    for name in ["tool", "mcp-1"] {
        let theirs = event(json!({"id": format!("{name}:s/ev/1.1"), "producer": {"name": name}}));
        assert_eq!(post(&house, ("boss", PASSWORD), IMPORT, &theirs), 200);
    }
    house.until(|house| house.metric("rs_apply_records_total") == "1");
    house.until(|house| letters(house).len() == 1);
    let (code, transport, _) = letters(&house).remove(0);
    assert_eq!((&*code, &*transport), ("bad_value", "own"));
}
