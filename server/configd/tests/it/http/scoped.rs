//! Scenario 16 of ops.md §14: a token for one tenant sees and changes nothing else.

use serde_json::{Value, json};

use super::house::House;

const PLATFORM: &str = "\
kind: Tenant\nname: acme\n---\nkind: Tenant\nname: acme-fr\nspec: { parent: acme }\n---\n\
kind: Tenant\nname: secret\n---\n\
kind: IvrProfile\nname: main\ntenant: acme\n\
spec: { service: voicexml, initial_page_url: \"http://a/\" }\n---\n\
kind: IvrProfile\nname: main\ntenant: secret\n\
spec: { service: voicexml, initial_page_url: \"http://s/\" }\n---\n\
kind: DidGroup\nname: hidden\ntenant: secret\n\
spec: { profile: main, dids: [\"1800555*\"] }\n";

fn group(tenant: &str, name: &str, dids: &str) -> String {
    format!(
        "kind: DidGroup\nname: {name}\ntenant: {tenant}\nspec: {{ profile: main, dids: {dids} }}\n"
    )
}

#[test]
fn others_are_nowhere() {
    let house = House::open();
    house.applied(PLATFORM);
    let scoped = house.token("acme-ci", "editor", &["acme"]);
    let bearer = format!("Bearer {scoped}");
    let ask = |house: &House, method: &str, path: &str| {
        house.ask(method, path).header("Authorization", &bearer)
    };
    let get = |house: &House, path: &str| ask(house, "GET", path).send();
    let mut events = ask(&house, "GET", "/v1/watch?since=0").open();
    let first = events.told();
    assert_eq!((first.id, first.data["changes"].as_array().unwrap().len()), (Some(1), 3));
    // a change of others is a heartbeat with its revision, one of both tells half
    house.applied(&group("secret", "hidden", "[\"1800555*\", \"19\"]"));
    let silent = events.told();
    assert_eq!((silent.id, silent.name.as_str()), (Some(2), "heartbeat"), "{silent:?}");
    assert_eq!(silent.data["digest"], first.data["digest"], "what it sees has not changed");
    house.applied(
        &(group("secret", "more", "[\"20\"]") + "---\n" + &group("acme", "own", "[\"21\"]")),
    );
    let half = events.told();
    assert_eq!(half.data["changes"].as_array().unwrap().len(), 1, "{half:?}");
    let mut seen = vec![first.data.to_string(), silent.data.to_string(), half.data.to_string()];
    let snapshot = get(&house, "/v1/snapshot").text();
    let end: Value = serde_json::from_str(snapshot.lines().last().unwrap()).unwrap();
    assert_eq!(half.data["digest"], end["digest"], "the digest is of what it sees");
    assert_ne!(house.digest(), end["digest"].as_str().unwrap());
    seen.push(snapshot);
    for path in [
        "/v1/objects?limit=1000",
        "/v1/diff?from=0&to=3",
        "/v1/revisions",
        "/v1/revisions/1",
        "/v1/revisions/3",
        "/v1/objects/IvrProfile/main",
    ] {
        let answer = get(&house, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        seen.push(answer.text());
    }
    for path in [
        "/v1/objects/Tenant/secret",
        "/v1/objects/DidGroup/hidden",
        "/v1/objects/DidGroup/dbid:101",
        "/v1/revisions/2",
    ] {
        assert_eq!(get(&house, path).status, 404, "{path}");
    }
    // an overlap with others is told without them
    let asked =
        ask(&house, "POST", "/v1/transactions").yaml(&group("acme", "own", "[\"18005550100\"]"));
    let overlap = asked.send();
    assert_eq!(overlap.status, 422, "{}", overlap.text());
    seen.push(overlap.text());
    for text in &seen {
        for hidden in ["secret", "hidden", "1800555*", "http://s/"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

/// Neither the history of others nor that they exist, by whatever they are named.
#[test]
fn others_have_no_history() {
    let house = House::open();
    house.applied(PLATFORM);
    let bearer = format!("Bearer {}", house.token("acme-ci", "editor", &["acme"]));
    let get =
        |house: &House, path: &str| house.ask("GET", path).header("Authorization", &bearer).send();
    for query in ["object=IvrProfile/main", "object=IvrProfile/main&tenant=acme&limit=1"] {
        let answer = get(&house, &format!("/v1/revisions?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(answer.json()["items"].as_array().unwrap().len(), 1, "{query}");
        assert!(!answer.text().contains("secret"), "{query}: {}", answer.text());
    }
    for query in [
        "object=IvrProfile/main&tenant=secret",
        "object=Tenant/secret",
        "object=DidGroup/hidden",
        "object=DidGroup/dbid:101",
        "object=DidGroup/nothing",
    ] {
        let answer = get(&house, &format!("/v1/revisions?{query}"));
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"), "{query}");
    }
    for query in ["tenant=secret", "tenant=nothing"] {
        assert_eq!(get(&house, &format!("/v1/objects?{query}")).status, 404, "{query}");
    }
}

#[test]
fn changes_elsewhere_are_refused_and_written_down() {
    let mut house = House::open();
    house.applied(PLATFORM);
    let bearer = format!("Bearer {}", house.token("acme-ci", "editor", &["acme"]));
    let ask = |house: &House, method: &str, path: &str| {
        house.ask(method, path).header("Authorization", &bearer)
    };
    for (method, path, body) in [
        ("PUT", "/v1/objects/Tenant/acme", json!({ "spec": { "policy": { "usage_limit": 1 } } })),
        ("PUT", "/v1/objects/Tenant/other", json!({})),
        ("PUT", "/v1/objects/Application/rm-1", json!({ "spec": { "type": "resource-manager" } })),
        ("PUT", "/v1/objects/IvrProfile/main?tenant=secret", json!({ "spec": {} })),
    ] {
        let answer = ask(&house, method, path).json(&body).send();
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{path}");
    }
    for path in ["/v1/revisions/1/rollback", "/v1/restore"] {
        let answer = ask(&house, "POST", path).body("application/x-ndjson", b"").send();
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    let child = json!({ "spec": { "parent": "acme", "policy": { "usage_limit": 1 } } });
    let put = ask(&house, "PUT", "/v1/objects/Tenant/acme-fr").json(&child).send();
    assert_eq!(put.status, 200, "{}", put.text());
    house.use_token(&house.admin());
    let audit = house.get("/v1/audit?actor=acme-ci&limit=1000").json();
    let refused = audit["items"].as_array().unwrap().iter();
    let refused = refused.filter(|line| line["outcome"] == "forbidden").count();
    assert!(refused >= 4, "{audit}");
}
