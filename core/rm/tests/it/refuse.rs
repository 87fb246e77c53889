//! Refused attempts: status, headers and the one record of each (rm.md §1.10, §9.2).

use std::time::Duration;

use crate::world::{CALLER, MCP1, MCP2, World, address, header, invite, objects, reply, settings};

fn refused(world: &mut World, number: &str, call: &str) -> (String, serde_json::Value) {
    let before = world.ends().len();
    world.udp(CALLER, &invite(number, call));
    let answer = world.take(CALLER);
    assert_eq!(world.ends().len(), before + 1);
    let end = (*world.ends().last().unwrap()).clone();
    assert_eq!(end["end_state"], "REJECTED");
    assert!(world.try_take(MCP1).is_none() && world.try_take(MCP2).is_none());
    assert_eq!(header(&answer, "Server"), "Ringmaster");
    let word = end["reason"].as_str().unwrap();
    assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""));
    (answer, end)
}

#[test]
fn an_unknown_number_without_default_is_404() {
    let mut world = World::new();
    let (answer, end) = refused(&mut world, "4711", "n");
    assert!(answer.starts_with("SIP/2.0 404 "));
    assert_eq!(end["reason"], "no-profile");
    assert_eq!(end["sip_status"], 404);
    assert!(end.get("tenant").is_none() && end.get("service").is_none());
    assert_eq!(end["trace"][0]["verdict"], "refused");
    assert_eq!(end["trace"][0]["candidate"], "number 4711");
    assert!(world.has_log(20201));
    assert_eq!(world.proxy.counters().rejected[""]["no-profile"], 1);
}

#[test]
fn over_the_limit_gets_the_configured_code_and_names_the_policy() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!(
        {"usage_limit": 2, "respcodes": {"usage_limit": 486}});
    let mut world = World::with(&documents, settings());
    let mut first = world.up("18005550100", "one");
    world.up("18005550100", "two");
    let (answer, end) = refused(&mut world, "18005550100", "three");
    assert!(answer.starts_with("SIP/2.0 486 "));
    assert_eq!(header(&answer, "Retry-After"), "5");
    assert_eq!(end["reason"], "usage-limit");
    assert_eq!(
        end["policy"],
        serde_json::json!({"rule": "usage_limit", "scope": "tenant", "dbid": 102,
            "name": "acme", "limit": 2, "usage": 2})
    );
    assert!(end.get("usage").is_none());
    let event = &world.records[world.records.len() - 2].json;
    assert_eq!(
        (event["log_id"].as_str(), event["text"].as_str()),
        (Some("policy-violation"), Some("acme|usage_limit|2|2"))
    );
    assert!(world.has_log(20301));
    // one hangs up: its place in the set is free
    assert!(world.hang_up(&mut first, "bye").is_some());
    world.up("18005550100", "four");
    refused(&mut world, "18005550100", "five");
}

#[test]
fn burst_levels_are_marked_and_end() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!(
        {"usage_limit": 1, "burst": {"level2": 2, "level3": 3}});
    let mut world = World::with(&documents, settings());
    for (call, burst) in [("a", 1), ("b", 2), ("c", 3)] {
        world.up("18005550100", call);
        let start = *world.phase("start").last().unwrap();
        assert_eq!(start["usage"][1]["burst"], burst);
        assert_eq!(start["usage"][1]["usage"], burst);
        assert_eq!(start["usage"][2]["burst"], 1);
    }
    assert!(world.has_log(20307) && world.has_log(20308));
    let (answer, end) = refused(&mut world, "18005550100", "d");
    assert!(answer.starts_with("SIP/2.0 480 "));
    assert_eq!(end["policy"]["limit"], 3);
}

#[test]
fn a_priority_peer_is_counted_and_never_refused() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!({"usage_limit": 1});
    let mut trusted = settings();
    trusted.peers[0].priority = true;
    let mut world = World::with(&documents, trusted);
    for call in ["a", "b", "c"] {
        world.up("18005550100", call);
    }
    let start = *world.phase("start").last().unwrap();
    assert_eq!((&start["priority"], &start["usage"][1]["usage"]), (&true.into(), &3.into()));
}

#[test]
fn a_forbidden_service_and_a_disabled_tenant_are_403() {
    let mut world = World::new();
    let ccxml = "ccxml@10.0.0.5;gvp-tenant-id=acme";
    let text = invite("18005550100", "c").replacen("18005550100@10.0.0.5:5060", ccxml, 1);
    world.udp(CALLER, &text);
    assert!(world.take(CALLER).starts_with("SIP/2.0 403 "));
    let end = world.ends()[0].clone();
    assert_eq!(end["reason"], "service-forbidden");
    assert_eq!(end["policy"]["rule"], "services.ccxml.allowed");
    assert_eq!(end["service"], "ccxml");

    let mut documents = objects();
    documents[0]["enabled"] = false.into();
    let mut world = World::with(&documents, settings());
    let (answer, end) = refused(&mut world, "18005550100", "d");
    assert!(answer.starts_with("SIP/2.0 403 "));
    assert_eq!(end["reason"], "disabled");
    assert_eq!(end["tenant"]["name"], "acme");
}

#[test]
fn dead_full_draining_and_disabled_are_four_different_things() {
    // all dead: nobody answers OPTIONS
    let mut world = World::new();
    world.alive.clear();
    world.run(Duration::from_secs(12));
    let (answer, end) = refused(&mut world, "18005550100", "dead");
    assert!(answer.starts_with("SIP/2.0 480 "));
    assert_eq!(end["reason"], "resource-dead");
    assert!(world.has_log(20401) && world.has_log(20402));
    assert_eq!(end["trace"][2]["state"], "dead");
    // and back within 4 s
    world.alive = vec![address(MCP1), address(MCP2)];
    world.run(Duration::from_secs(4));
    assert!(world.has_log(20403));
    world.up("18005550100", "back");

    for (field, value, word, retry) in [
        ("capacity", serde_json::json!(0), "resource-full", "2"),
        ("state", "draining".into(), "resource-draining", "2"),
        ("state", "disabled".into(), "resource-disabled", ""),
    ] {
        let mut documents = objects();
        for resource in documents[3]["spec"]["resources"].as_array_mut().unwrap() {
            resource[field] = value.clone();
        }
        let mut world = World::with(&documents, settings());
        let (answer, end) = refused(&mut world, "18005550100", "x");
        assert_eq!(end["reason"], word);
        assert_eq!(header(&answer, "Retry-After"), retry);
    }
}

#[test]
fn no_group_for_the_service_is_no_match_and_a_group_code_wins() {
    let mut documents = objects();
    documents[3]["spec"]["services"] = serde_json::json!(["conference"]);
    let mut world = World::with(&documents, settings());
    let (_, end) = refused(&mut world, "18005550100", "m");
    assert_eq!(end["reason"], "no-match");

    let mut documents = objects();
    documents[3]["spec"]["noresource_response_code"] = 603.into();
    for resource in documents[3]["spec"]["resources"].as_array_mut().unwrap() {
        resource["capacity"] = 0.into();
    }
    let mut world = World::with(&documents, settings());
    let (answer, _) = refused(&mut world, "18005550100", "g");
    assert!(answer.starts_with("SIP/2.0 603 "));
}

#[test]
fn a_refusal_of_the_server_is_forwarded_and_recorded_as_such() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "r"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 404, "t", "X-Why: gone\r\n"));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 404 ") && header(&answer, "X-Why") == "gone");
    assert!(world.take(MCP1).starts_with("ACK "));
    let end = world.ends()[0];
    assert_eq!(
        (end["reason"].as_str(), end["sip_status"].as_u64()),
        (Some("forwarded"), Some(404))
    );
    assert_eq!(end["resource"]["name"], "mcp-1");
    assert!(world.try_take(MCP2).is_none());
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
}
