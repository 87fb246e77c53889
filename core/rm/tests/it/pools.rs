//! Scenarios of rm.md §14 about pools, by their numbers; 20 and 55 stand in `failover`, 58 in
//! `affinity`.

#![expect(clippy::panic, reason = "a test helper fails its test")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{
    CALLER, MCP1, MCP2, World, address, header, invite, objects, reply, settings, snapshot,
};

/// `mcp-1` … at 10.0.0.11:5070 …, so many.
pub(crate) fn servers(count: u16, edit: impl Fn(&mut Value)) -> Value {
    let mut documents = objects();
    let list: Vec<Value> = (1..=count)
        .map(|no| {
            let address = format!("sip:10.0.0.{}:5070", 10 + no);
            json!({"name": format!("mcp-{no}"), "address": address, "capacity": 500,
                "dbid": 309 + no})
        })
        .collect();
    documents[0]["spec"]["policy"] = json!({});
    documents[1]["spec"]["policy"] = json!({});
    documents[3]["spec"]["resources"] = list.into();
    edit(&mut documents[3]["spec"]);
    documents
}

fn at(no: u16) -> String {
    format!("10.0.0.{}:5070", 10 + no)
}

pub(crate) fn world(documents: &Value, count: u16) -> World {
    let mut world = World::cold(documents, settings());
    world.alive = (1..=count).map(|no| address(&at(no))).collect();
    world.ready();
    world
}

/// Sends a call: the number of the server that gets it, and what that gets.
fn call(world: &mut World, number: &str, name: &str) -> (u16, String) {
    world.udp(CALLER, &invite(number, name));
    let got = (1..=20).find_map(|no| Some((no, world.try_take(&at(no))?)));
    got.unwrap_or_else(|| panic!("nobody got it: {:?}", world.try_take(CALLER)))
}

/// The same, and it ends at once.
fn short(world: &mut World, number: &str, name: &str) -> u16 {
    let (no, text) = call(world, number, name);
    world.udp(&at(no), &reply(&text, 603, "t", ""));
    assert!(world.take(&at(no)).starts_with("ACK "));
    assert!(world.take(CALLER).starts_with("SIP/2.0 603 "));
    no
}

/// The same, and it stays.
pub(crate) fn held(world: &mut World, number: &str, name: &str) -> u16 {
    let (no, text) = call(world, number, name);
    let contact = format!("Contact: <sip:mcp@{}>\r\n", at(no));
    world.udp(&at(no), &reply(&text, 200, "t", &contact));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    no
}

fn shares(world: &mut World, calls: u32, what: &str) -> Vec<u32> {
    let mut shares: BTreeMap<u16, u32> = BTreeMap::new();
    for number in 0..calls {
        *shares.entry(short(world, "18005550100", &format!("{what}{number}"))).or_default() += 1;
    }
    shares.into_values().collect()
}

#[test]
fn scenario_17_round_robin_gives_each_the_same() {
    let mut world = world(&servers(4, |_| {}), 4);
    assert_eq!(shares(&mut world, 400, "a"), [100; 4]);
    world.alive.pop();
    world.run(Duration::from_secs(12));
    assert_eq!(world.proxy.resources()[3].state, "dead");
    assert_eq!(shares(&mut world, 300, "b"), [100; 3]);
}

#[test]
fn scenario_18_least_percent_fills_in_proportion() {
    let documents = servers(2, |spec| {
        spec["scheme"] = "least-percent".into();
        (spec["resources"][0]["capacity"], spec["resources"][1]["capacity"]) =
            (100.into(), 300.into());
    });
    let mut world = world(&documents, 2);
    for number in 0..40 {
        held(&mut world, "18005550100", &format!("c{number}"));
    }
    let used: Vec<_> = world.proxy.resources().iter().map(|one| one.used).collect();
    assert_eq!(used, [10, 30]);
    assert_eq!(world.phase("start")[7]["placed_by"], "least-percent");
}

#[test]
fn scenario_19_hash_moves_only_the_keys_of_a_lost_server() {
    let documents = servers(10, |spec| {
        (spec["scheme"], spec["hash_on"]) = ("hash".into(), "dnis".into());
    });
    let mut world = world(&documents, 10);
    let number = |key: u32| format!("1900{key:03}");
    let place = |world: &mut World, round: &str| -> Vec<u16> {
        (0..200).map(|key| short(world, &number(key), &format!("{round}{key}"))).collect()
    };
    let before = place(&mut world, "a");
    assert_eq!(place(&mut world, "b"), before, "the same key, the same server");
    let mut fewer = documents.clone();
    fewer[3]["spec"]["resources"].as_array_mut().unwrap().remove(4);
    world.input(rm::Input::Snapshot(snapshot(&fewer)));
    let after = place(&mut world, "c");
    for (key, (old, new)) in before.iter().zip(&after).enumerate() {
        assert!(old == new || *old == 5, "{key}: {old} → {new}");
        assert_ne!(*new, 5);
    }
    assert!(before.contains(&5));
}

/// What a hash looks at: what two calls share, and what they differ in.
#[test]
fn a_hash_looks_at_what_it_is_told_to() {
    for on in ["call-id", "from-user", "dnis", "session"] {
        let documents = servers(10, |spec| {
            (spec["scheme"], spec["hash_on"]) = ("hash".into(), on.into());
        });
        let mut world = world(&documents, 10);
        let mut place = |user: &str, number: &str, call: &str| {
            let text = invite(number, call).replacen("sip:+4930123@", &format!("sip:{user}@"), 1);
            world.udp(CALLER, &text);
            let (no, got) = (1..=10).find_map(|no| Some((no, world.try_take(&at(no))?))).unwrap();
            world.udp(&at(no), &reply(&got, 603, "t", ""));
            world.take(&at(no));
            world.take(CALLER);
            // its transaction is over: the same Call-ID is another call
            world.run(Duration::from_secs(33));
            no
        };
        let differ = |places: Vec<u16>| places.iter().any(|one| *one != places[0]);
        let users = (0..20).map(|n| place(&format!("u{n}"), "1900", "same")).collect();
        assert_eq!(differ(users), matches!(on, "from-user" | "session"), "users, {on}");
        let numbers = (0..20).map(|n| place("u", &format!("1900{n}"), "same")).collect();
        assert_eq!(differ(numbers), matches!(on, "dnis" | "session"), "numbers, {on}");
        let calls = (0..20).map(|n| place("u", "1900", &format!("c{n}"))).collect();
        assert_eq!(differ(calls), matches!(on, "call-id" | "session"), "calls, {on}");
    }
}

/// A code that a group takes for life keeps its servers, and no other does.
#[test]
fn a_group_says_which_answers_to_a_probe_are_life() {
    for (codes, state) in [(json!([500]), "healthy"), (json!(["200-299"]), "dead")] {
        let documents = servers(2, |spec| spec["monitor"] = json!({"alive_codes": codes}));
        let mut world = World::cold(&documents, settings());
        world.alive_code = 500;
        world.ready();
        world.run(Duration::from_secs(12));
        assert!(world.proxy.resources().iter().all(|one| one.state == state), "{codes}");
    }
}

#[test]
fn scenario_21_retry_after_says_full_for_so_long() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "one"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 503, "t", "Retry-After: 5\r\n"));
    assert!(world.take(MCP1).starts_with("ACK "));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 603, "t", ""));
    world.take(MCP2);
    assert_eq!(world.proxy.resources()[0].state, "full");
    for name in ["two", "three"] {
        assert_eq!(short(&mut world, "18005550100", name), 2);
    }
    let options = invite("rm", "options").replace("INVITE", "OPTIONS");
    while world.try_take(CALLER).is_some() {}
    world.udp(CALLER, &options);
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert_eq!(header(&answer, "X-Ringmaster-State"), "healthy");
    world.run(Duration::from_secs(6));
    assert_eq!(world.proxy.resources()[0].state, "healthy");
}

#[test]
fn scenario_22_a_refusal_is_no_reason_to_try_another() {
    for code in [404, 603] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "one"));
        let first = world.take(MCP1);
        world.udp(MCP1, &reply(&first, code, "t", ""));
        assert!(world.take(CALLER).starts_with(&format!("SIP/2.0 {code} ")));
        assert!(world.try_take(MCP2).is_none());
        assert_eq!(world.ends()[0]["reason"], "forwarded");
        assert_eq!(world.proxy.resources()[0].state, "healthy");
    }
}

#[test]
fn scenario_23_four_ways_of_having_nobody() {
    let states = ["full", "draining", "dead", "disabled"];
    // each has the code of all (480), or its own
    for (state, own) in states.into_iter().flat_map(|state| [(state, None), (state, Some(600))]) {
        let mut settings = settings();
        match state {
            "full" => settings.options.resource_full_respcode = own,
            "draining" => settings.options.resource_draining_respcode = own,
            "dead" => settings.options.resource_dead_respcode = own,
            _ => settings.options.resource_disabled_respcode = own,
        }
        let documents = servers(2, |spec| {
            for resource in spec["resources"].as_array_mut().unwrap() {
                match state {
                    "full" => resource["capacity"] = 0.into(),
                    "dead" => {}
                    _ => resource["state"] = state.into(),
                }
            }
        });
        let mut world = World::cold(&documents, settings);
        world.alive.retain(|_| state != "dead");
        world.ready();
        world.run(Duration::from_secs(12));
        world.udp(CALLER, &invite("18005550100", "one"));
        let (answer, word) = (world.take(CALLER), format!("resource-{state}"));
        let code = own.unwrap_or(480);
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{state} {answer}");
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""));
        let retry = matches!(state, "full" | "draining");
        assert_eq!(header(&answer, "Retry-After"), if retry { "2" } else { "" });
        assert_eq!(world.ends()[0]["reason"], word.as_str());
        assert!(world.proxy.resources().iter().all(|one| one.state == state), "{state}");
    }
}

#[test]
fn scenario_24_probes_find_death_and_recovery() {
    let mut world = World::new();
    world.alive.retain(|one| *one != address(MCP1));
    let state = |world: &World| world.proxy.resources()[0].state;
    assert_eq!(state(&world), "healthy");
    world.run(Duration::from_secs(12));
    assert_eq!(state(&world), "dead");
    assert!(world.has_log(20402));
    world.alive.push(address(MCP1));
    world.run(Duration::from_secs(4));
    assert_eq!(state(&world), "healthy");
    assert!(world.has_log(20403));
}

#[test]
fn probes_go_by_the_transport_of_the_monitor() {
    let documents = servers(1, |spec| spec["monitor"] = json!({"transport": "tcp"}));
    let mut world = world(&documents, 1);
    assert!(!world.probed.is_empty() && world.probed.iter().all(|one| one.transport.is_stream()));
    assert_eq!(world.proxy.resources()[0].state, "healthy");
    assert_eq!(held(&mut world, "18005550100", "a"), 1);
    let calls = world.probed.last().map(|probe| probe.listener);
    assert_eq!(calls, Some(2), "from the monitor's listener");
}

/// 50 calls on mcp-1, which then falls silent; the peer is told if it wants to be.
fn fifty(on_dead: &str) -> World {
    let documents = servers(1, |spec| spec["on_dead"] = on_dead.into());
    let mut settings = settings();
    settings.peers[0].notify_failures = true;
    let mut world = World::cold(&documents, settings);
    world.alive = vec![address(MCP1)];
    world.ready();
    for number in 0..50 {
        held(&mut world, "18005550100", &format!("c{number}"));
    }
    assert_eq!(world.proxy.resources()[0].used, 50);
    world.alive.clear();
    world
}

/// Runs until mcp-1 is dead.
pub(crate) fn until_dead(world: &mut World) {
    for _ in 0..120 {
        if world.proxy.resources()[0].state == "dead" {
            return;
        }
        world.run(Duration::from_millis(100));
    }
    panic!("it lives");
}

fn byes(world: &mut World) -> Vec<String> {
    let mut byes = Vec::new();
    while let Some(text) = world.try_take(CALLER) {
        if text.starts_with("BYE ") {
            world.udp(CALLER, &reply(&text, 200, "", ""));
            byes.push(text);
        }
    }
    byes
}

#[test]
fn scenario_25_calls_of_a_dead_server_are_ended_upstream() {
    let mut world = fifty("bye");
    until_dead(&mut world);
    world.run(Duration::from_millis(14_800));
    assert!(byes(&mut world).is_empty() && world.ends().is_empty());
    world.run(Duration::from_millis(210));
    let first = byes(&mut world);
    assert!((10..=30).contains(&first.len()), "200 a second: {}", first.len());
    world.run(Duration::from_millis(300));
    let rest = byes(&mut world);
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(all.len(), 50);
    let reason = "SIP;cause=503;text=\"resource-dead\"";
    assert!(all.iter().all(|bye| header(bye, "Reason") == reason), "{}", all[0]);
    assert!(world.try_take(MCP1).is_none_or(|text| !text.starts_with("BYE ")));
    let ends = world.ends();
    assert_eq!(ends.len(), 50);
    assert!(
        ends.iter()
            .all(|end| { end["reason"] == "resource-dead" && end["end_state"] == "SYSTEM_ERROR" })
    );
    assert_eq!(world.proxy.resources()[0].used, 0);
    assert_eq!(world.proxy.status().legs, 0);
    assert_eq!(world.proxy.counters().calls_cut["death"], 50);
    assert!(world.has_log(20408));
}

#[test]
fn scenario_26_the_peer_is_told_and_ends_the_calls_itself() {
    let mut world = fifty("notify");
    until_dead(&mut world);
    world.run(Duration::from_millis(15_200));
    let to = CALLER;
    let sent = world.take_flow(to).expect("a NOTIFY for the peer");
    assert!(
        sent.text.starts_with("NOTIFY "),
        "to the port that the calls came from: {}",
        sent.text
    );
    assert!(sent.flow.transport.is_stream(), "50 calls are large");
    assert_eq!(header(&sent.text, "Event"), "ringmaster-resource");
    let body: Value = serde_json::from_str(sent.text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!((&body["resource"], &body["state"]), (&json!("mcp-1"), &json!("dead")));
    let calls = body["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 50);
    assert_eq!(calls[0]["call_id"], "c0@10.1.1.5");
    assert_eq!(calls[0]["call_uuid"], "0UJDMQHH2O8QV3P8P8R2LDAES0000001");
    assert_eq!(calls[0]["session"].as_str().unwrap().len(), 36);
    assert!(world.try_take(to).is_none(), "one is enough");
    // TCP is refused: the same by UDP
    world.input(rm::Input::FlowFailed { flow: sent.flow });
    let again = world.take_flow(to).expect("by UDP");
    assert!(!again.flow.transport.is_stream());
    assert_eq!(again.text.split("\r\n\r\n").nth(1), sent.text.split("\r\n\r\n").nth(1));
    world.udp(to, &reply(&again.text, 200, "", ""));
    assert!(byes(&mut world).is_empty());
    assert_eq!((world.ends().len(), world.proxy.status().legs), (0, 50));
}

/// A peer that is known by its bare address and calls by TCP is told over that connection; if it
/// is gone, by UDP at the usual port. One that is declared with a port is told there.
#[test]
fn a_peer_is_told_as_its_calls_come() {
    let from = "10.0.0.2:40123";
    for (declared, first, then) in
        [("10.0.0.2", from, Some("10.0.0.2:5060")), ("10.0.0.0/24", from, Some("10.0.0.2:5060"))]
    {
        let documents = servers(1, |spec| spec["on_dead"] = "notify".into());
        let mut settings = settings();
        settings.peers[0].notify_failures = true;
        settings.peers[0].matches = vec![rm::Match::parse(declared).unwrap()];
        let mut world = World::cold(&documents, settings);
        world.alive = vec![address(MCP1)];
        world.ready();
        let conn = Some(sip::transport::ConnId(1));
        let remote = address(from);
        let tcp = sip::transport::Transport::Tcp;
        let flow = sip::transport::Flow { transport: tcp, listener: 1, remote, conn };
        world.packet(flow, &invite("18005550100", "c").replace("/UDP ", "/TCP "));
        let text = world.take(MCP1);
        world.udp(MCP1, &reply(&text, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
        assert!(world.take(from).starts_with("SIP/2.0 200 "));
        world.alive.clear();
        until_dead(&mut world);
        world.run(Duration::from_millis(15_200));
        let sent = world.take_flow(first).expect(declared);
        assert!(sent.text.starts_with("NOTIFY sip:10.0.0.2:"), "{declared}: {}", sent.text);
        assert!(sent.flow.transport.is_stream(), "{declared}");
        world.input(rm::Input::FlowFailed { flow: sent.flow });
        let again = then.map(|then| world.take_flow(then).expect(declared));
        assert!(again.is_some_and(|again| !again.flow.transport.is_stream()), "{declared}");
    }
}

#[test]
fn nothing_happens_when_it_comes_back_in_time_or_nobody_asked_for_it() {
    let mut world = fifty("bye");
    until_dead(&mut world);
    world.run(Duration::from_secs(10));
    world.alive = vec![address(MCP1)];
    world.run(Duration::from_secs(4));
    assert_eq!(world.proxy.resources()[0].state, "healthy");
    world.run(Duration::from_secs(30));
    assert_eq!((world.ends().len(), world.proxy.status().legs), (0, 50));
    let mut world = fifty("none");
    until_dead(&mut world);
    world.run(Duration::from_secs(30));
    assert!(byes(&mut world).is_empty());
    assert_eq!((world.ends().len(), world.proxy.status().legs), (0, 50));
    assert!(world.has_log(20408), "it is told in any case");
}

/// A conference call of the tenant that is named: the number of its server.
fn join(world: &mut World, id: &str, tenant: &str, name: &str) -> (u16, String) {
    let uri = format!("conf={id}@10.0.0.5;gvp-tenant-id={tenant}");
    let text = invite("18005550100", name).replacen("18005550100@10.0.0.5:5060", &uri, 1);
    world.udp(CALLER, &text);
    let got = (1..=2).find_map(|no| Some((no, world.try_take(&at(no))?)));
    let (no, text) = got.unwrap_or_else(|| panic!("{:?}", world.try_take(CALLER)));
    let contact = format!("Contact: <sip:mcp@{}>\r\n", at(no));
    world.udp(&at(no), &reply(&text, 200, "t", &contact));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    (no, text)
}

/// Two tenants, and a first call so that a conference begins on mcp-2.
fn conferences() -> World {
    let mut documents = servers(2, |_| {});
    let list = documents.as_array_mut().unwrap();
    list.push(json!({"kind": "Tenant", "name": "other", "spec": {"default_profile": "p"}}));
    list.push(json!({"kind": "IvrProfile", "name": "p", "tenant": "other", "spec": {
        "service": "voicexml", "initial_page_url": "http://a.example/x.vxml"}}));
    let mut world = world(&documents, 2);
    assert_eq!(short(&mut world, "18005550100", "first"), 1);
    world
}

#[test]
fn scenario_27_all_legs_of_a_conference_are_on_one_server() {
    let mut world = conferences();
    let (no, first) = join(&mut world, "team7", "acme", "j0");
    assert_eq!(no, 2);
    let route = header(&first, "Record-Route");
    assert!(route.contains(";confinstid=2026-01-01-10.0.0.5:5060;idtag="), "{route}");
    for number in 1..10 {
        let (no, text) = join(&mut world, "team7", "acme", &format!("j{number}"));
        assert_eq!(no, 2);
        assert!(header(&text, "Record-Route").contains(";confinstid=2026-01-01-10.0.0.5:5060;"));
    }
    let (elsewhere, _) = join(&mut world, "team7", "other", "k0");
    assert_eq!(elsewhere, 1, "round robin: another tenant, another conference");
    let start = *world.phase("start").last().unwrap();
    assert_eq!(
        (&start["conference"], &start["placed_by"]),
        (&json!("team7"), &json!("round-robin"))
    );
    assert_eq!(world.phase("start")[5]["placed_by"], "pin");
}

#[test]
fn scenario_28_a_conference_grows_on_a_draining_server() {
    let mut world = conferences();
    assert_eq!(join(&mut world, "team7", "acme", "j0").0, 2);
    let will = rm::Will { admin: model::config::Admin::Draining, until: None };
    world.input(rm::Input::Administer { resource: "mcp-2", will: Some(will) });
    assert_eq!(join(&mut world, "team7", "acme", "j1").0, 2);
    for name in ["x", "y"] {
        assert_eq!(short(&mut world, "18005550100", name), 1);
    }
}

#[test]
fn scenario_29_a_conference_of_a_dead_server_takes_nobody() {
    let mut world = conferences();
    assert_eq!(join(&mut world, "team7", "acme", "j0").0, 2);
    world.alive.retain(|one| *one != address(MCP2));
    world.run(Duration::from_secs(12));
    let uri = "conf=team7@10.0.0.5;gvp-tenant-id=acme";
    let text = invite("18005550100", "j1").replacen("18005550100@10.0.0.5:5060", uri, 1);
    world.udp(CALLER, &text);
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 503 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"conference-dead\"");
    assert_eq!(world.ends().last().unwrap()["reason"], "conference-dead");
}

#[test]
fn a_conference_is_found_again_after_a_restart() {
    let mut old = conferences();
    join(&mut old, "team7", "acme", "j0");
    let opened: Vec<Vec<u8>> = old
        .records
        .iter()
        .filter(|one| !one.block.is_empty())
        .map(|one| one.block.clone())
        .collect();
    let mut settings = settings();
    settings.boot = model::id::BootEpoch(2);
    let mut world = World::cold(&servers(2, |_| {}), settings);
    world.proxy.restore(world.now, opened.iter().map(Vec::as_slice));
    world.ready();
    for name in ["j1", "j2"] {
        assert_eq!(join(&mut world, "team7", "acme", name).0, 2);
    }
    assert_eq!(world.proxy.resources()[1].used, 3);
}

#[test]
fn scenario_47_a_strict_location_is_never_left() {
    let documents = servers(2, |spec| spec["geo_location"] = json!(["Paris"]));
    let mut world = world(&documents, 2);
    let text = |name: &str, lines: &str| {
        let lines = format!("X-Genesys-geo-location: berlin\r\n{lines}Content-Type");
        invite("18005550100", name).replace("Content-Type", &lines)
    };
    world.udp(CALLER, &text("strict", "X-Genesys-strict-location: enforce\r\n"));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"no-location\"");
    assert_eq!(world.ends()[0]["reason"], "no-location");
    world.udp(CALLER, &text("loose", ""));
    let forwarded = world.take(MCP1);
    assert_eq!(header(&forwarded, "X-Genesys-geo-location"), "berlin", "it passes");
}

#[test]
fn scenario_51_another_address_hurts_no_call() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "one");
    assert_eq!(up.server, MCP1);
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["address"] = "sip:10.0.0.13:5070".into();
    world.alive.push(address("10.0.0.13:5070"));
    world.input(rm::Input::Snapshot(snapshot(&documents)));
    world.run(Duration::from_secs(6));
    assert_eq!(world.proxy.resources()[0].used, 1, "the load is unbroken");
    assert_eq!(held(&mut world, "18005550100", "two"), 2);
    assert_eq!(held(&mut world, "18005550100", "three"), 3, "new ones go to the new address");
    assert_eq!(world.proxy.resources()[0].used, 2);
    let answer = world.hang_up(&mut up, "bye");
    assert!(answer.unwrap().starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.resources()[0].used, 1);
}

fn administer(world: &mut World, name: &str, state: &str, until: Option<model::time::Millis>) {
    let admin = model::config::Admin::parse(state);
    let will = admin.map(|admin| rm::Will { admin, until });
    world.input(rm::Input::Administer { resource: name, will });
}

#[test]
fn what_an_operator_wants_goes_before_the_configuration_until_it_is_reset() {
    let mut world = World::new();
    let admin = |world: &World| {
        let one = world.proxy.resource("mcp", "mcp-1").unwrap();
        (one.state, one.admin, one.configured)
    };
    for state in ["draining", "disabled"] {
        administer(&mut world, "mcp-1", state, None);
        assert_eq!(admin(&world), (state, state, "enabled"));
        assert!(world.has_log(20406));
        for name in ["a", "b"] {
            assert_eq!(short(&mut world, "18005550100", &format!("{state}{name}")), 2);
        }
        world.input(rm::Input::Snapshot(snapshot(&objects())));
        assert_eq!(admin(&world), (state, state, "enabled"), "a new configuration changes nothing");
    }
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["state"] = "disabled".into();
    world.input(rm::Input::Snapshot(snapshot(&documents)));
    administer(&mut world, "mcp-1", "enabled", None);
    assert_eq!(admin(&world).1, "enabled");
    assert_eq!(world.proxy.wills().count(), 1);
    administer(&mut world, "mcp-1", "as configured", None);
    assert_eq!(admin(&world), ("disabled", "disabled", "disabled"));
    assert_eq!(world.proxy.wills().count(), 0);
    // for one that comes later
    administer(&mut world, "mcp-9", "draining", None);
    documents[3]["spec"]["resources"][1]["name"] = "mcp-9".into();
    world.input(rm::Input::Snapshot(snapshot(&documents)));
    assert_eq!(world.proxy.resource("mcp", "mcp-9").unwrap().admin, "draining");
    assert!(world.proxy.resource("other", "mcp-9").is_none());
}

#[test]
fn a_reset_ends_quarantine() {
    let mut world = World::new();
    world.alive.clear();
    world.udp(CALLER, &invite("18005550100", "one"));
    let first = world.take(MCP1);
    world.udp(MCP1, &reply(&first, 500, "t", ""));
    assert_eq!(world.proxy.resources()[0].state, "quarantined");
    administer(&mut world, "mcp-1", "as configured", None);
    assert_eq!(world.proxy.resources()[0].state, "healthy");
}

#[test]
fn the_deadline_of_a_drain_ends_the_calls_that_are_left() {
    let mut world = World::new();
    let up = world.up("18005550100", "one");
    let mut gone = {
        held(&mut world, "18005550100", "skip");
        world.up("18005550100", "two")
    };
    assert_eq!((up.server.as_str(), gone.server.as_str()), (MCP1, MCP1));
    let until = world.now.wall.plus(Duration::from_secs(60));
    administer(&mut world, "mcp-1", "draining", Some(until));
    let one = world.proxy.resource("mcp", "mcp-1").unwrap();
    assert_eq!((one.used, one.deadline), (2, Some(until)));
    assert!(one.oldest.is_some_and(|oldest| oldest < until));
    world.run(Duration::from_secs(30));
    world.hang_up(&mut gone, "bye");
    world.run(Duration::from_millis(29_900));
    assert!(world.try_take(MCP1).is_none());
    world.run(Duration::from_millis(200));
    for side in [MCP1, CALLER] {
        let bye = world.take(side);
        assert!(bye.starts_with("BYE "), "{bye}");
        assert!(header(&bye, "Reason").ends_with(";text=\"operator\""), "{bye}");
    }
    let end = *world.ends().last().unwrap();
    assert_eq!((&end["end_state"], &end["reason"]), (&json!("OPERATOR_END"), &json!("operator")));
    assert_eq!(world.proxy.resource("mcp", "mcp-1").unwrap().used, 0);
    assert_eq!(world.proxy.resource("mcp", "mcp-2").unwrap().used, 1, "others are not touched");
}

#[test]
fn enabled_again_in_time_nobody_is_ended() {
    let mut world = World::new();
    world.up("18005550100", "one");
    let until = world.now.wall.plus(Duration::from_secs(60));
    administer(&mut world, "mcp-1", "draining", Some(until));
    world.run(Duration::from_secs(30));
    administer(&mut world, "mcp-1", "enabled", None);
    world.run(Duration::from_secs(300));
    assert_eq!((world.ends().len(), world.proxy.status().legs), (0, 1));
    assert!(world.proxy.resource("mcp", "mcp-1").unwrap().deadline.is_none());
}

#[test]
fn a_group_that_is_full_is_told_once_until_it_has_a_place() {
    let documents = servers(2, |spec| {
        spec["resources"][0]["capacity"] = 1.into();
        spec["resources"][1]["state"] = "draining".into();
    });
    let mut world = world(&documents, 2);
    let mut up = world.up("18005550100", "one");
    let full = |world: &World| world.logs.iter().filter(|(id, _)| *id == 20407).count();
    for name in ["two", "three"] {
        world.udp(CALLER, &invite("18005550100", name));
        assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"resource-full\"");
        assert_eq!(full(&world), 1);
    }
    world.hang_up(&mut up, "bye");
    held(&mut world, "18005550100", "four");
    world.udp(CALLER, &invite("18005550100", "five"));
    assert_eq!(full(&world), 2);
}
