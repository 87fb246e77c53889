//! The audit: one line for each write that is refused, and none that has no bounds.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::house::{Answer, House, connect};

fn audit(house: &House, actor: &str) -> Vec<Value> {
    let audit = house.get(&format!("/v1/audit?limit=1000&actor={actor}")).json();
    let mut lines = audit["items"].as_array().unwrap().clone();
    lines.reverse();
    lines
}

/// Action, objects and outcome of each.
fn told(house: &House, actor: &str) -> Vec<String> {
    let text = |line: &Value| {
        let objects = line["objects"].as_array().unwrap().iter();
        let objects: Vec<&str> = objects.map(|object| object.as_str().unwrap()).collect();
        let (action, outcome) = (&line["action"], &line["outcome"]);
        let (action, outcome) = (action.as_str().unwrap(), outcome.as_str().unwrap());
        format!("{action} [{}] {outcome}", objects.join(", "))
    };
    audit(house, actor).iter().map(text).collect()
}

#[test]
fn each_refused_write_has_one_line() {
    let mut house = House::open();
    house.applied("kind: Tenant\nname: acme\n---\nkind: Tenant\nname: secret\n");
    let eyes = house.token("eyes", "reader", &[]);
    let ci = house.token("ci", "editor", &[]);
    let acme = house.token("acme-ci", "editor", &["acme"]);
    house.restart("auth: { anonymous: none }");
    let child = json!({ "kind": "Tenant", "name": "x", "spec": { "parent": "secret" } });
    let child = json!({ "operations": [{ "op": "put", "object": child }] }).to_string();
    let cases = [
        ("eyes", "POST", "/v1/transactions", "", 403, "transaction", ""),
        ("eyes", "POST", "/v1/transactions?dry_run=true", "", 403, "dry-run", ""),
        ("eyes", "PUT", "/v1/objects/tenant/a%20b", "{}", 403, "transaction", "Tenant \"a b\""),
        ("eyes", "DELETE", "/v1/objects/Tenant/acme", "", 403, "transaction", "Tenant \"acme\""),
        ("eyes", "POST", "/v1/revisions/1/rollback", "", 403, "rollback", "revision 1"),
        ("ci", "POST", "/v1/tokens", "{}", 403, "token-create", ""),
        ("ci", "DELETE", "/v1/tokens/abcdefgh", "", 403, "token-revoke", "abcdefgh"),
        ("ci", "GET", "/v1/backup", "", 403, "backup", ""),
        ("ci", "POST", "/v1/restore", "", 403, "restore", ""),
        ("ci", "PUT", "/v1/log", "{}", 403, "log", ""),
        ("ci", "POST", "/v1/transactions", "{", 400, "transaction", ""),
        ("ci", "PUT", "/v1/objects/Tenant/a?x=1", "{}", 400, "transaction", "Tenant \"a\""),
        ("ci", "DELETE", "/v1/objects/Tenant/no", "", 404, "transaction", "Tenant \"no\""),
        ("ci", "POST", "/v1/revisions/99/rollback", "", 404, "rollback", "revision 99"),
        ("ci", "PUT", "/v1/objects/Tenant/a", "{}", 201, "transaction", "Tenant a"),
        (
            "acme-ci",
            "PUT",
            "/v1/objects/Tenant/dbid:102",
            "{}",
            404,
            "transaction",
            "Tenant \"dbid:102\"",
        ),
        ("acme-ci", "POST", "/v1/transactions", &child, 403, "transaction", "Tenant x"),
        ("acme-ci", "POST", "/v1/revisions/1/rollback", "", 403, "rollback", "revision 1"),
    ];
    for (actor, method, path, body, status, ..) in &cases {
        let token = [("eyes", &eyes), ("ci", &ci), ("acme-ci", &acme)];
        let (_, token) = token.into_iter().find(|(own, _)| own == actor).unwrap();
        let asked = house.ask(method, path).header("Authorization", &format!("Bearer {token}"));
        let answer = asked.body("application/json", body.as_bytes()).send();
        assert_eq!(answer.status, *status, "{method} {path}: {}", answer.text());
    }
    house.use_token(&house.admin());
    for actor in ["eyes", "ci", "acme-ci"] {
        let lines = told(&house, actor);
        let own = cases.iter().filter(|case| case.0 == actor);
        let expected: Vec<_> = own
            .map(|(.., status, action, object)| {
                let outcome = match status {
                    400 => "malformed",
                    403 => "forbidden",
                    404 => "not-found",
                    _ => "ok",
                };
                format!("{action} [{object}] {outcome}")
            })
            .collect();
        assert_eq!(lines, expected, "{actor}");
    }
}

#[test]
fn whoever_may_not_write_is_not_read() {
    let mut house = House::open();
    let eyes = house.token("eyes", "reader", &[]);
    let ci = house.token("ci", "editor", &[]);
    house.restart("auth: { anonymous: none }");
    for (token, method, path) in [
        (&eyes, "POST", "/v1/transactions"),
        (&eyes, "PUT", "/v1/objects/Tenant/a"),
        (&ci, "POST", "/v1/restore"),
    ] {
        let asked = house.ask(method, path).header("Authorization", &format!("Bearer {token}"));
        let asked = asked.header("Content-Type", "application/x-ndjson");
        // not one byte of it is sent
        let mut stream = connect(house.address());
        let head = asked.header("Content-Length", "1000000").head();
        stream.write_all(head.as_bytes()).unwrap();
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        let answer = Answer::parse(&piece[..read]);
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{path}");
    }
}

#[test]
fn what_was_refused_is_told_in_so_many_letters_and_pages() {
    let house = House::open();
    let long = "é".repeat(2_000);
    let wrong = format!("{{\"kind\":\"Tenant\",\"name\":\"{long}\"}}\n").repeat(20);
    for _ in 0..200 {
        let asked = house.ask("POST", "/v1/transactions");
        let answer = asked.body("application/x-ndjson", wrong.as_bytes()).send();
        assert_eq!(answer.status, 400, "{:.500}", answer.text());
    }
    let whole = audit(&house, "anonymous");
    assert!(!whole.is_empty() && whole.len() < 200, "{} lines of one page", whole.len());
    for line in &whole {
        let objects = line["objects"].as_array().unwrap();
        assert_eq!(objects.len(), 20);
        let letters = |object: &Value| object.as_str().unwrap().chars().count();
        assert!(objects.iter().all(|object| letters(object) <= 193), "{}", objects[0]);
    }
    // the next pages have the rest
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let page = house.get(&format!("/v1/audit?limit=1000&action=transaction{cursor}"));
        assert!(page.body.len() < 2 << 20, "{}", page.body.len());
        let page = page.json();
        seen += page["items"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, 200);
    house.log.flush();
    let longest = house.lines.lines().iter().map(String::len).max();
    assert!(longest.unwrap() < 16 << 10, "{longest:?}");
}
