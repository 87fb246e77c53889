//! What somebody was not allowed is in the audit log (rs.md §8), once of each.

use serde_json::{Value, json};

use super::{PASSWORD, asked, basic, lines, write};
use crate::api::house::House;

/// User, object and code of the lines, sorted.
fn told(house: &House) -> Vec<Value> {
    let list = asked(house, "root", "GET", "/api/v1/audit?action=request").body;
    let list: Value = serde_json::from_str(&list).unwrap();
    let line = |line: &Value| {
        assert_eq!((&line["outcome"], &line["address"]), (&json!("refused"), &json!("127.0.0.1")));
        assert!(line["detail"]["why"].as_str().is_some_and(|why| why.contains(' ')), "{line}");
        json!([line["user"], line["object"], line["detail"]["code"]])
    };
    let mut all: Vec<Value> = list["items"].as_array().unwrap().iter().map(line).collect();
    all.sort_by_key(ToString::to_string);
    all
}

#[test]
fn what_is_not_allowed_is_in_the_audit_once_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let eva = rsd::user_line("eva", "reporter", PASSWORD).unwrap() + " tenants=acme\n";
    let users = write(dir.path(), &(lines() + &eva));
    let house = House::in_dir(dir, |settings| settings.rs.auth.users_file = Some(users));
    let long = format!("/api/v1/calls/{}", "x".repeat(1000));
    let (kept, details) = (&long[..200], "/ems-rs/HIST/CDRs/RM/details");
    let others = format!("{details}?tenant-id=200");
    let table = [
        ("anna", "DELETE", "/api/v1/calls/1?key=2", "/api/v1/calls/1", "role-needed"),
        // the same thing of another call
        ("anna", "DELETE", &long, "", "role-needed"),
        ("anna", "PUT", "/api/v1/retention", "/api/v1/retention", "role-needed"),
        ("anna", "POST", "/api/v1/records", "/api/v1/records", "role-needed"),
        ("otto", "GET", "/api/v1/calls", "/api/v1/calls", "role-needed"),
        ("otto", "DELETE", &long, kept, "role-needed"),
        ("eva", "GET", "/api/v1/integrity", "/api/v1/integrity", "scope-too-narrow"),
        ("eva", "GET", &others, details, "outside-scope"),
        ("anna", "DELETE", "/nothing/here", "/nothing/here", "role-needed"),
    ];
    let mut expected = Vec::new();
    for (user, method, path, object, code) in table {
        for _ in 0..3 {
            let answer = asked(&house, user, method, path);
            assert_eq!((answer.status, &*answer.code()), (403, code), "{method} {path} {user}");
        }
        if !object.is_empty() {
            expected.push(json!([user, format!("{method} {object}"), code]));
        }
    }
    let headers = [("Authorization", &*basic("root", PASSWORD)), ("Origin", "http://evil.example")];
    assert_eq!(house.ask("POST", "/api/v1/retention/run", &headers).status, 403);
    expected.push(json!(["root", "POST /api/v1/retention/run", "foreign-origin"]));
    // nobody in particular is asked to log in, which is no refusal
    assert_eq!(house.ask("DELETE", "/api/v1/calls/1", &[]).status, 401);
    expected.sort_by_key(ToString::to_string);
    house.until(|house| told(house).len() >= expected.len());
    assert_eq!(told(&house), expected);
}
