//! Update records of what happens in a dialog (rm.md §9.2): `refresh-failed`, `resource-changed`.

use std::time::Duration;

use serde_json::Value;

use crate::world::{CALLER, MCP1, MCP2, Up, World, objects, reply, settings};

fn told(world: &World) -> Vec<&str> {
    let updates = world.phase("update").into_iter();
    updates.map(|update| update["update_reason"].as_str().unwrap()).collect()
}

/// A call whose session timer is watched.
fn timed(world: &mut World) -> Up {
    world.up_with("18005550100", "t", "Session-Expires: 90;refresher=uac\r\n")
}

#[test]
fn a_refresh_that_fails_and_leaves_the_leg_is_told() {
    for (method, status, expected) in [
        ("INVITE", 488, true),
        ("UPDATE", 500, true),
        // asked again with what was missing
        ("INVITE", 401, false),
        ("UPDATE", 422, false),
        ("INVITE", 491, false),
        // no refresh
        ("INFO", 500, false),
        ("INVITE", 200, false),
    ] {
        let mut world = World::new();
        let mut up = timed(&mut world);
        world.udp(CALLER, &up.caller.request(method, "10.0.0.2:5090", "asks"));
        let passed = world.take(MCP1);
        let timer = "Session-Expires: 90;refresher=uac\r\nContact: <sip:mcp@10.0.0.11:5070>\r\n";
        world.udp(MCP1, &reply(&passed, status, "", timer));
        let expected = if expected { vec!["refresh-failed"] } else { vec![] };
        assert_eq!(told(&world), expected, "{method} {status}");
        assert!(world.ends().is_empty(), "{method} {status}");
    }
}

#[test]
fn without_a_session_timer_nothing_was_to_be_refreshed_and_a_lost_one_is_told() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "plain");
    world.udp(CALLER, &up.caller.request("INVITE", "10.0.0.2:5090", "hold"));
    let passed = world.take(MCP1);
    world.udp(MCP1, &reply(&passed, 488, "", ""));
    assert_eq!(told(&world), Vec::<&str>::new());

    let mut world = World::new();
    let mut up = timed(&mut world);
    world.udp(CALLER, &up.caller.request("UPDATE", "10.0.0.2:5090", "asks"));
    let sent = world.take_flow(MCP1).unwrap();
    world.input(rm::Input::FlowFailed { flow: sent.flow });
    assert_eq!(told(&world), ["refresh-failed"]);
    world.run(Duration::from_secs(123));
    assert_eq!(world.ends()[0]["reason"], "session-timer");
}

/// The media server says in its answer that the call is at another one from now on.
fn moves(world: &mut World, up: &mut Up, to: &str) {
    world.udp(CALLER, &up.caller.request("INVITE", "10.0.0.2:5090", to));
    let passed = world.take(MCP1);
    world.udp(MCP1, &reply(&passed, 200, "", &format!("Contact: <sip:mcp@{to}>\r\n")));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
}

#[test]
fn a_call_that_moves_to_another_server_takes_its_place_there() {
    let used =
        |world: &World| world.proxy.resources().iter().map(|one| one.used).collect::<Vec<_>>();
    let mut world = World::new();
    let mut up = world.up("18005550100", "m");
    moves(&mut world, &mut up, "10.0.0.77:5070");
    assert_eq!((used(&world), told(&world).len()), (vec![1, 0], 0), "nobody is declared there");
    moves(&mut world, &mut up, MCP2);
    assert_eq!((used(&world), told(&world)), (vec![0, 1], vec!["resource-changed"]));
    let update = world.records.last().unwrap();
    assert_eq!(update.json["resource"]["name"], "mcp-2");

    // A restart finds it there.
    let mut settings = settings();
    settings.boot = model::id::BootEpoch(2);
    let mut other = World::cold(&objects(), settings);
    let restored = other.proxy.restore(other.now, [update.block.as_slice()].into_iter());
    assert_eq!((restored.legs, used(&other)), (1, vec![0, 1]));

    up.caller.target = format!("sip:mcp@{MCP2}");
    up.server = MCP2.to_owned();
    assert!(world.hang_up(&mut up, "bye").is_some());
    assert_eq!(world.ends()[0]["resource"]["name"], "mcp-2");
    assert_eq!(used(&world), [0, 0]);
}

#[test]
fn it_does_not_move_to_one_that_does_not_offer_its_service() {
    let mut documents = objects();
    let other = serde_json::json!({"kind": "ResourceGroup", "name": "other", "spec": {
        "services": ["cti"], "resources": [
            {"name": "ctic-1", "address": "sip:10.0.0.31:5080", "dbid": 330}]}});
    documents.as_array_mut().unwrap().push(other);
    let mut world = World::with(&documents, settings());
    let mut up = world.up("18005550100", "s");
    moves(&mut world, &mut up, "10.0.0.31:5080");
    let names: Vec<Value> = world.records.iter().map(|one| one.json["phase"].clone()).collect();
    assert_eq!(names, ["start"]);
    assert_eq!(world.proxy.resource("mcp", "mcp-1").unwrap().used, 1);
}
