//! The stream of events: narrowed, bounded, ended.

use super::house::{House, eventually};

#[test]
fn a_stream_may_be_of_one_kind_or_tenant_and_skips_no_id() {
    let house = House::open();
    let mut profiles = house.ask("GET", "/v1/watch?kind=ivrprofile").open();
    let mut acme = house.ask("GET", "/v1/watch?tenant=acme").open();
    house.applied("kind: Tenant\nname: acme\n---\nkind: Tenant\nname: beta\n");
    house.applied(
        "kind: IvrProfile\nname: p\ntenant: beta\n\
         spec: { service: voicexml, initial_page_url: \"http://b/\" }\n",
    );
    let (first, second) = (profiles.told(), profiles.told());
    assert_eq!((first.name.as_str(), first.id), ("heartbeat", Some(1)));
    assert_eq!(first.data["books"], house.books(), "{first:?}");
    assert_eq!((second.name.as_str(), second.id), ("change", Some(2)));
    let (first, second) = (acme.told(), acme.told());
    assert_eq!((first.name.as_str(), first.id), ("change", Some(1)));
    assert_eq!(first.data["changes"].as_array().unwrap().len(), 1, "{first:?}");
    assert_eq!((second.name.as_str(), second.id), ("heartbeat", Some(2)));
    for query in ["since=x", "kind=nothing", "kind=Tenant&kind=Tenant", "x=1"] {
        let status = house.get(&format!("/v1/watch?{query}")).status;
        assert!(status == 400 || status == 404, "{query}: {status}");
    }
    let asked = house.ask("GET", "/v1/watch").header("Last-Event-ID", "x");
    assert_eq!(asked.send().status, 400);
}

#[test]
fn a_rename_is_a_delete_and_a_put_of_one_number() {
    let house = House::open();
    house.applied("kind: Tenant\nname: old\n");
    let mut events = house.ask("GET", "/v1/watch?since=1").open();
    let body = serde_json::json!({ "operations": [
        { "op": "put", "object": { "kind": "Tenant", "name": "new" }, "rename_from": "old" },
    ] });
    let told = house.ask("POST", "/v1/transactions").json(&body).send();
    assert_eq!((told.status, &told.json()["diff"][0]["op"]), (200, &"rename".into()));
    let event = events.told();
    let changes = event.data["changes"].as_array().unwrap();
    assert_eq!((&changes[0]["op"], &changes[0]["name"]), (&"delete".into(), &"old".into()));
    assert_eq!(changes[1]["object"]["dbid"], changes[0]["dbid"], "{event:?}");
}

#[test]
fn whoever_watches_hears_that_the_server_leaves() {
    let mut house = House::open();
    let mut events = house.ask("GET", "/v1/watch").open();
    let open = || house.get("/metrics").text().contains("ringmaster_config_watchers 1\n");
    eventually("it is counted", open);
    house.stop();
    assert_eq!(events.told().name, "bye");
    assert!(events.next().is_none());
}

#[test]
fn one_that_does_not_read_is_let_go_and_holds_up_nobody() {
    let house = House::open();
    let lazy = house.ask("GET", "/v1/watch").open();
    let mut quick = house.ask("GET", "/v1/watch").open();
    // each revision is some 100 KB: more than the kernel and the ring hold
    let label = "x".repeat(4_000);
    let labels: String = (0..25).map(|n| format!("l{n}: {label}, ")).collect();
    for n in 1..=400 {
        house.applied(&format!("kind: Tenant\nname: big\nlabels: {{ {labels} n: \"{n}\" }}\n"));
        assert_eq!(quick.told().id, Some(n));
    }
    let mut lazy = lazy;
    let mut last = 0;
    loop {
        let event = lazy.told();
        if event.name == "overflow" {
            break;
        }
        assert_eq!(event.id, Some(last + 1), "no hole before the end");
        last += 1;
    }
    assert!(lazy.next().is_none() && last < 400);
    let metrics = house.get("/metrics").text();
    assert!(metrics.contains("ringmaster_config_watch_overflows_total 1\n"), "{metrics}");
    house.log.flush();
    assert!(house.lines.lines().iter().any(|line| line.contains(" 40103 ")));
    // and comes back where it was
    let mut again = house.ask("GET", "/v1/watch").header("Last-Event-ID", &last.to_string()).open();
    assert_eq!(again.told().id, Some(last + 1));
}

#[test]
fn a_stream_ends_with_its_token() {
    let house = House::open();
    let secret = house.token("eyes", "reader", &[]);
    let watch = || {
        let asked = house.ask("GET", "/v1/watch");
        asked.header("Authorization", &format!("Bearer {secret}")).open()
    };
    let (mut events, mut others) = (watch(), house.ask("GET", "/v1/watch").open());
    house.applied("kind: Tenant\nname: a\n");
    assert_eq!((events.told().id, others.told().id), (Some(1), Some(1)));
    let gone = house.ask("DELETE", &format!("/v1/tokens/{}", &secret[4..12])).send();
    assert_eq!(gone.status, 204);
    house.applied("kind: Tenant\nname: b\n");
    assert_eq!(events.told().name, "bye");
    assert!(events.next().is_none());
    assert_eq!(others.told().id, Some(2), "others hear on");
    // one that runs out is one that was revoked
    let body = serde_json::json!({ "name": "brief", "role": "reader", "expires_in": "3s" });
    let made = house.ask("POST", "/v1/tokens").json(&body).send().json();
    let asked = house.ask("GET", "/v1/watch");
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let mut brief = asked.header("Authorization", &bearer).open();
    eventually("it has run out", || {
        let asked = house.ask("GET", "/v1/objects").header("Authorization", &bearer);
        asked.send().status == 401
    });
    house.applied("kind: Tenant\nname: c\n");
    assert_eq!(brief.told().name, "bye");
}
