//! Alarms of rm.md §12.1: raised by what happens, told once in the log, and over with it.

use std::time::Duration;

use crate::world::{CALLER, MCP1, MCP2, World, address, invite, objects, settings};
use serde_json::json;

fn refused(world: &mut World, number: &str, call: &str, code: &str) {
    world.udp(CALLER, &invite(number, call));
    assert!(world.take(CALLER).starts_with(&format!("SIP/2.0 {code} ")), "{call}");
}

/// No profile: two minutes behind the last such call.
#[test]
fn no_profile() {
    let mut documents = objects();
    documents[0]["spec"].as_object_mut().unwrap().remove("default_profile");
    let mut world = World::with(&documents, settings());
    refused(&mut world, "4711", "c1", "404");
    world.run(Duration::from_secs(100));
    refused(&mut world, "4712", "c2", "404");
    assert_eq!(world.told_alarms(20201), ["RMMatchingIVRTenantNotFound", ""]);
    world.run(Duration::from_secs(119));
    assert_eq!(world.alarms(), ["RMMatchingIVRTenantNotFound"]);
    world.run(Duration::from_secs(1));
    assert_eq!(world.alarms(), [""; 0]);
    refused(&mut world, "4713", "c3", "404");
    assert_eq!(world.told_alarms(20201)[2], "RMMatchingIVRTenantNotFound");
}

/// A profile that nobody has, while a default serves; of a call and of what is selected like one.
#[test]
fn the_profile_that_was_asked_for_is_not_there() {
    for method in ["INVITE", "MESSAGE"] {
        let mut documents = objects();
        let environment = json!({"kind": "Tenant", "name": "Environment", "spec": {
            "default_profile": "spare"}});
        let spare = json!({"kind": "IvrProfile", "name": "spare", "spec": {
            "service": "voicexml", "initial_page_url": "http://a.example/"}});
        documents.as_array_mut().unwrap().extend([environment, spare]);
        let mut world = World::with(&documents, settings());
        let text = invite("18005550100", "c1").replace("INVITE", method);
        let name = "X-Genesys-gsw-ivr-profile-name: nobody\r\nContent-Type";
        world.udp(CALLER, &text.replacen("Content-Type", name, 1));
        let servers = [MCP1, MCP2].iter().filter(|at| world.try_take(at).is_some());
        assert_eq!(servers.count(), 1, "{method}");
        assert_eq!(world.told_alarms(20201), ["RMMatchingIVRTenantNotFound"], "{method}");
        assert_eq!(world.alarms(), ["RMMatchingIVRTenantNotFound"], "{method}");
        let (_, fields) = world.logs.iter().find(|(id, _)| *id == 20201).unwrap();
        assert!(fields.contains(&("call_id", "c1@10.1.1.5".to_owned())), "{fields:?}");
    }
}

/// No media server: a minute behind the last such call, also where the log is silent for a second.
#[test]
fn no_resource_and_who_is_dead() {
    let mut world = World::new();
    assert_eq!(world.alarms(), [""; 0]);
    world.alive.clear();
    world.run(Duration::from_secs(12));
    assert_eq!(world.alarms(), ["RMResourceDown"]);
    for call in ["c1", "c2"] {
        refused(&mut world, "18005550100", call, "480");
    }
    assert_eq!(world.told_alarms(20401), ["RMResourceAllocationFailed"]);
    world.alive = vec![address(MCP1), address(MCP2)];
    world.run(Duration::from_secs(4));
    assert_eq!(world.alarms(), ["RMResourceAllocationFailed"]);
    world.run(Duration::from_secs(56));
    assert_eq!(world.alarms(), [""; 0]);
}

/// What is dead because an operator has taken it away is no alarm.
#[test]
fn a_disabled_server_is_not_down() {
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["state"] = "disabled".into();
    let mut world = World::with(&documents, settings());
    world.alive.clear();
    world.run(Duration::from_secs(12));
    assert_eq!(world.alarms(), ["RMResourceDown"], "the other one is dead");
    documents[3]["spec"]["resources"][1]["state"] = "disabled".into();
    world.input(rm::Input::Snapshot(crate::world::snapshot(&documents)));
    assert_eq!(world.alarms(), [""; 0]);
}

/// A group is full from the call that finds it so to the first free place.
#[test]
fn a_full_group() {
    let mut documents = objects();
    documents[3]["spec"]["resources"] =
        json!([{"name": "mcp-1", "address": "sip:10.0.0.11:5070", "capacity": 1}]);
    let mut world = World::with(&documents, settings());
    let mut up = world.up("18005550100", "c1");
    assert_eq!(world.alarms(), [""; 0]);
    refused(&mut world, "18005550100", "c2", "480");
    assert_eq!(world.alarms(), ["MCPPortsExceeded", "RMResourceAllocationFailed"]);
    world.hang_up(&mut up, "b").unwrap();
    assert_eq!(world.alarms(), ["RMResourceAllocationFailed"]);
}

/// An overload, for ten seconds.
#[test]
fn an_overload() {
    let mut world = World::new();
    world.input(rm::Input::KernelDrops { packets: 1_000_000 });
    assert_eq!(world.alarms(), ["RMOverload"]);
    world.run(Duration::from_secs(60));
    assert_eq!(world.alarms(), [""; 0]);
}

/// To explain a call raises nothing, and takes nothing back.
#[test]
fn explain_raises_no_alarm() {
    let mut documents = objects();
    documents[0]["spec"].as_object_mut().unwrap().remove("default_profile");
    let mut world = World::with(&documents, settings());
    let question = rm::Question { uri: Some("sip:4711@rm".to_owned()), ..rm::Question::default() };
    let explained = world.proxy.explain(world.now, &question).unwrap();
    assert_eq!(explained.reason, Some("no-profile"));
    assert_eq!(world.alarms(), [""; 0]);
    refused(&mut world, "4711", "c1", "404");
    world.proxy.explain(world.now, &question).unwrap();
    assert_eq!(world.alarms(), ["RMMatchingIVRTenantNotFound"]);
}
