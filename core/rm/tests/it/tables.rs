//! Decisions as tables of text (testdata/*.txt): selection, and what the states of two servers
//! mean for calls.
//!
//! A line is a case; columns are separated by blanks, `-` is empty, `#` begins a comment.

use crate::world::{CALLER, MCP1, MCP2, World, header, invite, objects, settings};
use std::time::Duration;

pub(crate) fn cases(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split('#').next().unwrap().split_whitespace().collect::<Vec<_>>())
        .filter(|columns| !columns.is_empty())
        .collect()
}

/// Two tenants below one, with every kind of pattern.
fn tree() -> serde_json::Value {
    let mut documents = objects();
    let list = documents.as_array_mut().unwrap();
    let profile = |name: &str, tenant: &str, service: &str| {
        let page = serde_json::json!("http://a.example/x.vxml");
        serde_json::json!({"kind": "IvrProfile", "name": name, "tenant": tenant, "spec": {
            "service": service, "initial_page_url": page}})
    };
    list.push(serde_json::json!({"kind": "Tenant", "name": "north",
        "spec": {"parent": "acme", "aliases": ["n1"]}}));
    list.push(serde_json::json!({"kind": "Tenant", "name": "south", "enabled": false,
        "spec": {"parent": "acme"}}));
    list.push(profile("north-main", "north", "voicexml"));
    list.push(profile("south-main", "south", "voicexml"));
    list.push(serde_json::json!({"kind": "IvrProfile", "name": "off", "tenant": "north",
        "enabled": false,
        "spec": {"service": "voicexml", "initial_page_url": "http://a.example/x.vxml"}}));
    list.push(serde_json::json!({"kind": "DidGroup", "name": "n", "tenant": "north", "spec": {
        "profile": "north-main", "dids": ["49*", "4930*", "493011-493099", "493055"]}}));
    list.push(serde_json::json!({"kind": "DidGroup", "name": "o", "tenant": "north", "spec": {
        "profile": "off", "dids": ["777"]}}));
    list.push(serde_json::json!({"kind": "DidGroup", "name": "s", "tenant": "south", "spec": {
        "profile": "south-main", "dids": ["555"]}}));
    documents
}

#[test]
fn selection() {
    for case in cases(include_str!("testdata/selection.txt")) {
        let [user, parameters, name, tenant, profile, service, by, outcome] = case[..] else {
            panic!("{case:?}");
        };
        let mut world = World::with(&tree(), settings());
        let parameters = parameters.trim_start_matches('-');
        let uri = format!("sip:{user}@10.0.0.5:5060{parameters} SIP/2.0");
        let mut text = invite("0", "sel").replacen("sip:0@10.0.0.5:5060 SIP/2.0", &uri, 1);
        if name != "-" {
            let line = format!("X-Genesys-gsw-ivr-profile-name: {name}\r\nContent-Type");
            text = text.replacen("Content-Type", &line, 1);
        }
        world.udp(CALLER, &text);
        if outcome == "forward" {
            let forwarded = world.take(MCP1);
            assert!(!forwarded.lines().next().unwrap().contains("gvp-tenant-id"), "{case:?}");
            let answer = crate::world::reply(&forwarded, 603, "t", "");
            world.udp(MCP1, &answer);
        } else {
            let warning = format!("399 rm-1 \"{outcome}\"");
            assert_eq!(header(&world.take(CALLER), "Warning"), warning, "{case:?}");
        }
        let end = world.ends()[0];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        let found = [
            text(&end["tenant"]["name"]),
            text(&end["profile"]["name"]),
            text(&end["service"]),
            text(&end["selected_by"]),
        ];
        assert_eq!(found, [tenant, profile, service, by], "{case:?}");
    }
}

#[test]
fn states() {
    for case in cases(include_str!("testdata/states.txt")) {
        let [first, second, calls, by, outcome] = case[..] else { panic!("{case:?}") };
        let mut documents = objects();
        let resources = documents[3]["spec"]["resources"].as_array_mut().unwrap();
        let mut alive = Vec::new();
        for (resource, (state, address)) in
            resources.iter_mut().zip([(first, MCP1), (second, MCP2)])
        {
            match state {
                "full" => resource["capacity"] = 0.into(),
                "draining" | "disabled" => resource["state"] = state.into(),
                _ => {}
            }
            if state != "dead" {
                alive.push(crate::world::address(address));
            }
        }
        let cold = [first, second].contains(&"unknown");
        let mut world = World::cold(&documents, settings());
        world.alive = alive;
        world.input(rm::Input::State(rm::NodeState::Ready));
        if !cold {
            world.run(Duration::from_secs(8));
        }
        let mut got = Vec::new();
        for i in 0..calls.split(',').count() {
            world.udp(CALLER, &invite("18005550100", &format!("p{i}")));
            let server = [(MCP1, "1"), (MCP2, "2")].into_iter();
            let taken = server.filter_map(|(at, no)| {
                let text = world.try_take(at)?;
                world.udp(at, &crate::world::reply(&text, 603, "t", ""));
                assert!(world.take(at).starts_with("ACK "));
                Some(no)
            });
            got.push(taken.collect::<Vec<_>>().concat());
        }
        let got: Vec<&str> = got.iter().map(|one| if one.is_empty() { "-" } else { one }).collect();
        assert_eq!(got.join(","), calls, "{case:?}");
        let end = world.ends()[0];
        assert_eq!(end["placed_by"].as_str().unwrap_or("-"), by, "{case:?}");
        assert_eq!(end["reason"], outcome, "{case:?}");
    }
}
