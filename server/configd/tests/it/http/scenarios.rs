//! Scenarios 1 to 10 of ops.md §14, as a client sees them.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::house::House;

const TENANT: &str = "kind: Tenant\nname: acme\nspec: { policy: { usage_limit: 100 } }\n";

#[test]
fn an_empty_directory_has_an_environment_and_an_admin() {
    let house = House::open();
    assert_eq!(house.get("/ready").status, 200);
    assert_eq!(house.get("/live").status, 200);
    let list = house.get("/v1/objects").json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let root = house.get("/v1/objects/tenant/Environment").json();
    assert_eq!((&root["dbid"], &root["kind"]), (&json!(1), &json!("Tenant")));
    let mode = std::fs::metadata(house.token_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = house.admin();
    assert!(token.starts_with("rmt_") && token.len() == 56, "{}", token.len());
    house.log.flush();
    let (_, secret) = token.split_at(token.len() - 43);
    let lines = house.lines.lines();
    assert!(lines.iter().any(|line| line.contains(" 40004 ")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(&token) || line.contains(secret)));
}

#[test]
fn an_unknown_field_is_told_with_its_line_and_what_was_meant() {
    let house = House::open();
    let text = format!("{TENANT}---\nkind: Tenant\nname: beta\nspec:\n  polcy: {{}}\n");
    let answer = house.apply(&text);
    assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"));
    let errors = answer.json()["errors"].clone();
    let expected = json!([{
        "code": "E101", "path": "/spec/polcy", "line": 8, "column": 3,
        "object": { "kind": "Tenant", "tenant": null, "name": "beta" },
        "message": "unknown field \"polcy\"; did you mean \"policy\"?",
    }]);
    assert_eq!(errors, expected);
    let list = house.get("/v1/objects").json();
    assert_eq!((&list["revision"], list["items"].as_array().unwrap().len()), (&json!(0), 1));
    // what was not written as YAML has no lines
    let object = json!({ "kind": "Tenant", "name": "beta", "spec": { "polcy": {} } });
    let put = house.ask("PUT", "/v1/objects/Tenant/beta").json(&object).send();
    assert_eq!((put.status, &put.json()["errors"][0]["line"]), (422, &Value::Null));
}

fn numbers(tenant: &str, name: &str, dids: &str) -> String {
    format!(
        "kind: DidGroup\nname: {name}\ntenant: {tenant}\n\
         spec: {{ profile: {tenant}-main, dids: {dids} }}\n---\n"
    )
}

#[test]
fn a_number_has_one_tenant_and_changes_hands_in_one_transaction() {
    let house = House::open();
    for tenant in ["a", "b"] {
        house.applied(&format!(
            "kind: Tenant\nname: {tenant}\n---\n\
             kind: IvrProfile\nname: {tenant}-main\ntenant: {tenant}\n\
             spec: {{ service: voicexml, initial_page_url: \"http://{tenant}/\" }}\n"
        ));
    }
    house.applied(&numbers("a", "a1", "[\"1800555*\", \"20\"]"));
    let answer = house.apply(&numbers("b", "b1", "[\"18005550100\"]"));
    assert_eq!(answer.status, 422);
    let error = &answer.json()["errors"][0];
    let message = error["message"].as_str().unwrap();
    assert_eq!(error["code"], "E301");
    for part in ["18005550100", "b1", "1800555*", "\"a\""] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let moved = numbers("a", "a1", "[\"20\"]") + &numbers("b", "b1", "[\"1800555*\"]");
    let told = house.applied(&moved);
    assert_eq!(told["impact"]["dids_moved"], 1, "{told}");
}

#[test]
fn a_change_says_of_which_revision() {
    let house = House::open();
    let first = house.applied(TENANT)["revision"].as_u64().unwrap();
    let object = |limit: u32| json!({ "spec": { "policy": { "usage_limit": limit } } });
    let put = |limit, condition: (&str, &str)| {
        let request = house.ask("PUT", "/v1/objects/Tenant/acme").json(&object(limit));
        request.header(condition.0, condition.1).send()
    };
    let tag = format!("\"{first}\"");
    let changed = put(90, ("If-Match", &tag));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let second = first + 1;
    assert_eq!(changed.header("etag"), Some(&*format!("\"{second}\"")));
    assert_eq!(changed.header("x-ringmaster-revision"), Some(&*second.to_string()));
    let late = put(80, ("If-Match", &tag));
    assert_eq!((late.status, late.problem().as_str()), (412, "precondition-failed"));
    assert_eq!(late.json()["current"], second);
    assert_eq!(put(80, ("If-None-Match", "*")).status, 409);
    assert_eq!(put(80, ("If-Match", "*")).status, 200);
    let known = house.ask("GET", "/v1/objects/Tenant/acme").header("If-None-Match", "\"3\"").send();
    assert_eq!((known.status, known.body.len()), (304, 0));
    let base = json!({ "base_revision": first, "operations": [] });
    assert_eq!(house.ask("POST", "/v1/transactions").json(&base).send().status, 412);
}

#[test]
fn a_change_may_have_to_say_of_which_revision() {
    let house = House::with("require_if_match: true");
    let object = json!({ "spec": {} });
    let put = || house.ask("PUT", "/v1/objects/Tenant/acme").json(&object);
    assert_eq!(put().send().status, 201);
    let answer = put().send();
    assert_eq!((answer.status, answer.problem().as_str()), (428, "precondition-required"));
    assert_eq!(put().header("If-Match", "\"1\"").send().status, 200);
    assert_eq!(house.ask("DELETE", "/v1/objects/Tenant/acme").send().status, 428);
    let delete = house.ask("DELETE", "/v1/objects/Tenant/acme").header("If-Match", "\"1\"").send();
    assert_eq!(delete.status, 200, "{}", delete.text());
    assert_eq!(delete.json()["diff"][0]["op"], "delete");
}

#[test]
fn what_changes_nothing_makes_no_revision_and_no_event() {
    let house = House::open();
    let first = house.applied(TENANT);
    assert_eq!(first["changed"], 1);
    let mut events = house.ask("GET", "/v1/watch").open();
    let again = house.applied(TENANT);
    assert_eq!((&again["changed"], &again["revision"]), (&json!(0), &first["revision"]));
    assert_eq!(again["diff"], json!([]));
    house.applied("kind: Tenant\nname: beta\n");
    let event = events.told();
    assert_eq!((event.name.as_str(), event.id), ("change", Some(2)), "{event:?}");
    assert_eq!(event.data["changes"][0]["object"]["name"], "beta");
}

#[test]
fn a_dry_run_says_what_then_comes() {
    let house = House::open();
    house.applied(TENANT);
    let text = "kind: Tenant\nname: acme\nspec: { policy: { usage_limit: 80 } }\n---\n\
                kind: Tenant\nname: beta\n";
    let dry = house.ask("POST", "/v1/transactions?dry_run=true").yaml(text).send();
    let dry = dry.json();
    assert_eq!((&dry["revision"], &dry["would_be"]), (&Value::Null, &json!(2)));
    assert_eq!(house.get("/v1/objects").json()["revision"], 1);
    let wet = house.applied(text);
    assert_eq!(wet["revision"], 2);
    for member in ["diff", "impact", "changed", "warnings"] {
        assert_eq!(dry[member], wet[member], "{member}");
    }
    let change = &dry["diff"][0]["changes"][0];
    let expected =
        json!({ "path": "/spec/policy/usage_limit", "op": "replace", "old": 100, "new": 80 });
    assert_eq!(*change, expected);
    assert_eq!(house.get("/v1/diff?from=1&to=2").json()["diff"], wet["diff"]);
    let revision = house.get("/v1/revisions/2").json();
    assert_eq!((&revision["diff"], &revision["changes"]), (&wet["diff"], &json!(2)));
}

#[test]
fn the_way_back_is_a_new_revision_with_the_same_numbers() {
    let house = House::open();
    for n in 1..=10 {
        house.applied(&format!("kind: Tenant\nname: t{n}\n"));
    }
    let snapshot = |at: u64| house.get(&format!("/v1/objects?at={at}&limit=1000")).json();
    let ten = house.digest();
    let back = house.ask("POST", "/v1/revisions/4/rollback?message=back").send();
    assert_eq!((back.status, &back.json()["revision"]), (200, &json!(11)), "{}", back.text());
    let names = |list: &Value| -> Vec<(Value, Value)> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| (item["name"].clone(), item["dbid"].clone())).collect()
    };
    assert_eq!(names(&snapshot(11)), names(&snapshot(4)));
    let four = house.get("/v1/revisions/4").json()["digest"].clone();
    assert_eq!(json!(house.digest()), four);
    // numbers of what is gone are not given again
    let made = house.applied("kind: Tenant\nname: fresh\n");
    assert_eq!(made["diff"][0]["dbid"], 111);
    assert_eq!(house.ask("DELETE", "/v1/objects/Tenant/fresh").send().status, 200);
    let again = house.ask("POST", "/v1/revisions/10/rollback").send();
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(house.digest(), ten);
    let history = house.get("/v1/revisions?limit=3").json();
    let told: Vec<_> = history["items"].as_array().unwrap().iter().collect();
    assert_eq!((told.len(), &told[0]["revision"]), (3, &json!(14)));
    assert_eq!(house.get("/v1/revisions/11").json()["message"], "back");
    let of = house.get("/v1/revisions?object=Tenant/fresh").json();
    assert_eq!(of["items"].as_array().unwrap().len(), 2, "{of}");
}

#[test]
fn a_watcher_that_was_away_hears_each_revision_once() {
    let house = House::open();
    let revision = |n: u64| house.applied(&format!("kind: Tenant\nname: t{n}\n"));
    let mut events = house.ask("GET", "/v1/watch?since=0").open();
    assert!(events.head.contains("content-type: text/event-stream\r\n"), "{}", events.head);
    for n in 1..=20 {
        revision(n);
        assert_eq!(events.told().id, Some(n));
    }
    events.kill();
    for n in 21..=50 {
        revision(n);
    }
    let mut events = house.ask("GET", "/v1/watch").header("Last-Event-ID", "20").open();
    let mut last = String::new();
    for n in 21..=50 {
        let event = events.told();
        assert_eq!((event.id, event.name.as_str()), (Some(n), "change"));
        event.data["digest"].as_str().unwrap().clone_into(&mut last);
    }
    assert_eq!(last, house.digest());
    let gone = house.get("/v1/watch?since=51");
    assert_eq!((gone.status, &gone.json()["current"]), (412, &json!(50)));
}

#[test]
fn a_history_that_was_forgotten_is_gone() {
    let mut house = House::open();
    for n in 1..=9 {
        house.applied(&format!("kind: Tenant\nname: t{n}\n"));
    }
    house.restart("history: { keep_revisions: 3, keep: 0s }");
    house.applied("kind: Tenant\nname: t10\n");
    super::house::eventually("the history is shorter", || {
        house.get("/v1/revisions").json()["oldest"] != 1
    });
    let oldest = house.get("/v1/revisions").json()["oldest"].as_u64().unwrap();
    let answer = house.get("/v1/watch?since=1");
    assert_eq!((answer.status, answer.problem().as_str()), (410, "revision-gone"));
    assert_eq!(answer.json()["oldest"], oldest);
    assert_eq!(house.get("/v1/objects?at=1").status, 410);
    assert_eq!(house.get("/v1/revisions/1").status, 410);
    assert_eq!(house.get("/v1/objects/Tenant/t1").status, 200, "the objects stay");
}
