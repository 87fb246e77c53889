//! Lists, names, and who works with what.

use serde_json::{Value, json};

use super::house::House;

const PLATFORM: &str = "\
kind: Tenant\nname: acme\nlabels: { team: a }\n---\n\
kind: Tenant\nname: acme-fr\nspec: { parent: acme }\n---\n\
kind: Tenant\nname: beta\nenabled: false\n---\n\
kind: IvrProfile\nname: main\ntenant: acme\n\
spec: { service: voicexml, initial_page_url: \"http://a/\" }\nlabels: { team: a, way: in }\n---\n\
kind: IvrProfile\nname: main\ntenant: beta\n\
spec: { service: voicexml, initial_page_url: \"http://b/\" }\n---\n\
kind: IvrProfile\nname: other\ntenant: acme-fr\n\
spec: { service: voicexml, initial_page_url: \"http://c/\" }\n";

fn names(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    let name = |item: &Value| {
        let tenant = item["tenant"].as_str().map(|tenant| format!("{tenant}/"));
        tenant.unwrap_or_default() + item["name"].as_str().unwrap()
    };
    items.iter().map(name).collect()
}

#[test]
fn objects_are_found_by_what_they_have() {
    let house = House::open();
    house.applied(PLATFORM);
    for (query, expected) in [
        ("/Tenant", &["Environment", "acme", "acme-fr", "beta"][..]),
        ("/ivrprofile?name=m*", &["acme/main", "beta/main"]),
        ("?tenant=acme", &["acme", "acme/main"]),
        ("?tenant=acme&subtree=true", &["acme", "acme-fr", "acme/main", "acme-fr/other"]),
        ("?label=team%3Da", &["acme", "acme/main"]),
        ("?label=team%3Da&label=way%3Din", &["acme/main"]),
        ("?enabled=false", &["beta"]),
        ("?name=o%3F%3F%3F%3F", &["acme-fr/other"]),
    ] {
        let list = house.get(&format!("/v1/objects{query}"));
        assert_eq!(list.status, 200, "{query}: {}", list.text());
        assert_eq!(names(&list.json()), expected, "{query}");
    }
    for query in ["?tenant=nobody", "?tenant=nobody&subtree=true", "/Tenant?tenant=nobody"] {
        let list = house.get(&format!("/v1/objects{query}"));
        assert_eq!((list.status, list.problem().as_str()), (404, "not-found"), "{query}");
    }
    for query in ["?limit=0", "?x=1", "?enabled=1", "?label=a", "?cursor=x", "?at=x", "/Nothing"] {
        let status = house.get(&format!("/v1/objects{query}")).status;
        assert!(status == 400 || status == 404, "{query}: {status}");
    }
}

#[test]
fn pages_are_of_one_revision_whatever_happens_meanwhile() {
    let house = House::open();
    house.applied(PLATFORM);
    let whole = names(&house.get("/v1/objects").json());
    let (mut paged, mut next) = (Vec::new(), None::<String>);
    loop {
        let more = next.as_ref().map_or_else(String::new, |next| format!("&cursor={next}"));
        let page = house.get(&format!("/v1/objects?limit=2{more}")).json();
        assert_eq!(page["revision"], 1);
        paged.extend(names(&page));
        house.applied(&format!("kind: Tenant\nname: later-{}\n", paged.len()));
        match page["next"].as_str() {
            Some(cursor) => next = Some(cursor.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

#[test]
fn a_name_of_several_tenants_needs_its_tenant() {
    let house = House::open();
    house.applied(PLATFORM);
    let answer = house.get("/v1/objects/IvrProfile/main");
    assert_eq!((answer.status, answer.problem().as_str()), (409, "ambiguous-name"));
    let expected = json!([
        { "kind": "IvrProfile", "tenant": "acme", "name": "main" },
        { "kind": "IvrProfile", "tenant": "beta", "name": "main" },
    ]);
    assert_eq!(answer.json()["objects"], expected);
    let one = house.get("/v1/objects/IvrProfile/main?tenant=beta").json();
    assert_eq!(one["tenant"], "beta");
    let dbid = &one["dbid"];
    assert_eq!(house.get(&format!("/v1/objects/IvrProfile/dbid:{dbid}")).json(), one);
    assert_eq!(house.get("/v1/objects/IvrProfile/dbid:9999").status, 404);
    assert_eq!(house.get("/v1/objects/IvrProfile/other").json()["tenant"], "acme-fr");
    let used = house.ask("DELETE", "/v1/objects/Tenant/acme").send();
    assert_eq!((used.status, used.problem().as_str()), (409, "in-use"), "{}", used.text());
    assert_eq!(used.json()["errors"][0]["code"], "E203");
    let all = house.ask("DELETE", "/v1/objects/Tenant/acme?cascade=true").send();
    assert_eq!((all.status, &all.json()["changed"]), (200, &json!(4)), "{}", all.text());
}

#[test]
fn what_is_not_in_the_request_is_pruned_by_its_label() {
    let house = House::open();
    house.applied(PLATFORM);
    let text = "kind: Tenant\nname: acme\nlabels: { team: a }\n---\n\
                kind: Tenant\nname: gamma\nlabels: { team: a }\n";
    let asked = house.ask("POST", "/v1/transactions?prune=team%3Da&message=tidy").yaml(text);
    let told = asked.send().json();
    let ops: Vec<_> = told["diff"].as_array().unwrap().iter().map(|diff| &diff["op"]).collect();
    assert_eq!(ops.len(), 2, "{told}");
    assert!(ops.contains(&&json!("delete")) && ops.contains(&&json!("create")), "{told}");
    assert_eq!(house.get("/v1/objects/IvrProfile/main").json()["tenant"], "beta");
}

#[test]
fn clients_tell_what_they_work_with() {
    let house = House::open();
    let report = json!({ "component": "rm", "version": "1.0.0", "applied": 0, "rejected": null,
        "restart_required": ["proxy/sip.transport.0"] });
    assert_eq!(house.ask("PUT", "/v1/clients/rm-1").json(&report).send().status, 204);
    let bad = json!({ "component": "rm", "version": "1.0.0", "applied": 0,
        "rejected": { "revision": 2, "reason": "E999" } });
    assert_eq!(house.ask("PUT", "/v1/clients/rm-2").json(&bad).send().status, 204);
    assert_eq!(house.ask("PUT", "/v1/clients/rm-3").json(&json!({ "a": 1 })).send().status, 400);
    let list = house.get("/v1/clients").json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    assert_eq!((&items[0]["name"], &items[0]["source"]), (&json!("rm-1"), &json!("127.0.0.1")));
    assert_eq!(items[0]["restart_required"], report["restart_required"]);
    assert_eq!(items[0]["connected"], true);
    house.log.flush();
    let lines = house.lines.lines();
    assert!(lines.iter().any(|line| line.contains(" 40201 ") && line.contains("client=rm-2")));
    let metrics = house.get("/metrics").text();
    for line in [
        "ringmaster_config_client_applied_revision{client=\"rm-1\",component=\"rm\"} 0",
        "ringmaster_config_client_rejected{client=\"rm-2\",component=\"rm\"} 1",
        "ringmaster_config_objects{kind=\"Tenant\"} 1",
        "ringmaster_config_store_up 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn every_answer_has_its_revision_its_id_and_no_sniffing() {
    let house = House::open();
    house.applied("kind: Tenant\nname: a\n");
    for path in ["/v1/objects", "/v1/nothing", "/live", "/v1/objects?x=1"] {
        let answer = house.ask("GET", path).header("X-Request-Id", "call-4711").send();
        assert_eq!(answer.header("x-request-id"), Some("call-4711"), "{path}");
        assert_eq!(answer.header("x-ringmaster-revision"), Some("1"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let one = house.get("/live").header("x-request-id").unwrap().to_owned();
    assert_ne!(house.get("/live").header("x-request-id"), Some(&*one));
    let answer = house.ask("PATCH", "/v1/objects/Tenant/a").send();
    assert_eq!((answer.status, answer.problem().as_str()), (405, "method-not-allowed"));
    assert_eq!(house.get("/v1/nothing").problem(), "not-found");
}

#[test]
fn a_log_level_is_raised_for_a_while() {
    let house = House::open();
    let put = |body: &Value| house.ask("PUT", "/v1/log").json(body).send().status;
    assert_eq!(put(&json!({ "level": "debug", "for": "10m", "match": { "tenant": "a" } })), 204);
    let raised = house.log.levels().1.expect("it is raised");
    assert_eq!(raised.only.tenant.as_deref(), Some("a"));
    assert_eq!(put(&json!({ "level": "warn" })), 204);
    assert!(house.log.levels().1.is_none());
    for body in [json!({ "level": "loud" }), json!({ "level": "debug", "for": "2d" }), json!({})] {
        assert_eq!(put(&body), 400, "{body}");
    }
}
