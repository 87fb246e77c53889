//! Calls through CTI connectors (rm.md §3.5): who is asked first, what a connector that comes back
//! is given, and what happens when none takes the call.

use serde_json::json;

use crate::platform::{self, CARRIER, CONNECTOR, caller, invite_to, platform};
use crate::world::{CALLER, MCP1, World, address, header, reply, settings};

const SESSION_ID: &str = "X-Genesys-GVP-Session-ID";

/// The platform with this said of its connectors, of which there are `count`.
fn with_connectors(count: u8, spec: &serde_json::Value) -> World {
    let mut objects = platform();
    let all = objects.as_array_mut().unwrap();
    let group = all.iter_mut().find(|one| one["name"] == "ctic").unwrap();
    for (name, value) in spec.as_object().unwrap() {
        group["spec"][name] = value.clone();
    }
    let connector = |n: u8| {
        json!({"name": format!("ctic-{n}"),
        "address": format!("sip:10.0.0.{}:5080", 30 + n)})
    };
    group["spec"]["resources"] = (1..=count).map(connector).collect();
    World::with(&objects, settings())
}

/// The gateway calls; gives back the INVITE that the first connector gets.
fn call(world: &mut World, gateway: &str) -> String {
    let from = caller(gateway);
    world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, "cti", ""));
    let sent = world.take_invite().unwrap();
    assert_eq!(sent.flow.remote, address(CONNECTOR));
    sent.text
}

/// Scenario 45: connector says 404.
#[test]
fn a_connector_that_does_not_know_the_number_leaves_the_call_to_the_profile() {
    for gateway in ["gw-cti-1", "gw-cti-2"] {
        let mut world = platform::ready();
        let asked = call(&mut world, gateway);
        let id = header(&asked, SESSION_ID).to_owned();
        assert!(id.contains(";gvp.rm.cti-call=1;gvp.rm.tenant-id=1.102_"), "{id}");
        world.udp(CONNECTOR, &reply(&asked, 404, "t", ""));
        assert!(world.take(CONNECTOR).starts_with("ACK "));
        let sent = world.take_invite().unwrap();
        assert_eq!(sent.flow.remote, address(MCP1), "{gateway}");
        assert!(sent.text.starts_with("INVITE sip:dialog@10.0.0.11:5070;voicexml=http://apps"));
        let session = header(&sent.text, SESSION_ID);
        assert!(session.starts_with(id.split(';').next().unwrap()), "{session}");
        assert!(session.contains(";gvp.rm.cti-call=1;"), "{session}");
        assert!(session.ends_with("1.102_IVRAppDefault"), "{session}");
        world.udp(MCP1, &reply(&sent.text, 200, "t", "Contact: <sip:m@10.0.0.11:5070>\r\n"));
        assert!(world.take(caller(gateway)).starts_with("SIP/2.0 200 "));
        let start = world.phase("start")[0];
        assert_eq!((&start["service"], &start["cti"]), (&"voicexml".into(), &true.into()));
        assert_eq!(start["profile"]["name"], "IVRAppDefault");
        assert_eq!(start["tries"].as_array().unwrap().len(), 2);
    }
}

/// Scenario 45: all connectors down.
#[test]
fn when_all_connectors_fail_a_script_takes_the_call() {
    let script = "script;voicexml;http://apps.acme.example/nocti.vxml?a=1";
    let mut world = with_connectors(2, &json!({"fail_over_cti_handling": script}));
    let asked = call(&mut world, "gw-cti-2");
    world.udp(CONNECTOR, &reply(&asked, 503, "t", ""));
    world.take(CONNECTOR);
    let second = world.take_invite().unwrap();
    assert_eq!(second.flow.remote, address("10.0.0.32:5080"));
    world.udp("10.0.0.32:5080", &reply(&second.text, 500, "t", ""));
    let sent = world.take_invite().unwrap();
    let expected = "INVITE sip:dialog@10.0.0.11:5070;\
        voicexml=http://apps.acme.example/nocti.vxml%3Fa%3D1;";
    assert!(sent.text.starts_with(expected), "{}", sent.text);
    assert!(header(&sent.text, SESSION_ID).contains(";gvp.rm.cti-call=1;"));
}

#[test]
fn connectors_that_are_out_of_service_are_not_waited_for() {
    let script = "script;voicexml;http://apps.acme.example/nocti.vxml";
    for (action, expected) in [
        (script, Some("INVITE sip:dialog@10.0.0.11:5070;voicexml=http://apps.acme.example/nocti")),
        (
            "answer",
            Some("INVITE sip:dialog@10.0.0.11:5070;voicexml=http://apps.acme.example/start"),
        ),
        ("reject", None),
    ] {
        let spec = json!({"fail_over_cti_handling": action, "port_capacity": 0});
        let mut world = with_connectors(2, &spec);
        let from = caller("gw-cti-1");
        world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, "cti", ""));
        match (world.take_invite(), expected) {
            (Some(sent), Some(expected)) => assert!(sent.text.starts_with(expected), "{action}"),
            (None, None) => {
                let answer = world.take(from);
                assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
                let end = world.ends()[0];
                assert_eq!(
                    (&end["reason"], &end["cti"]),
                    (&"cti-unavailable".into(), &true.into())
                );
            }
            (sent, _) => panic!("{action}: {sent:?}"),
        }
    }
}

/// The connector has answered a call of this gateway; its session header.
fn held_by_connector(world: &mut World, gateway: &str) -> String {
    let asked = call(world, gateway);
    let contact = format!("Contact: <sip:c@{CONNECTOR}>\r\n");
    world.udp(CONNECTOR, &reply(&asked, 200, "t", &contact));
    assert!(world.take(caller(gateway)).starts_with("SIP/2.0 200 "));
    format!("{SESSION_ID}: {}\r\n", header(&asked, SESSION_ID))
}

#[test]
fn a_connector_that_comes_back_gets_the_profile_of_the_number() {
    let mut objects = platform();
    objects[1]["spec"]["policy"] = json!({"usage_limit": 1});
    let mut world = World::with(&objects, settings());
    let session = held_by_connector(&mut world, "gw-cti-1");
    assert!(session.trim_end().ends_with("1.102_"), "no profile yet: {session}");
    let back = invite_to("sip:18005550100@10.0.0.5", CONNECTOR, "back", &session);
    world.udp(CONNECTOR, &back);
    let sent = world.take_invite().unwrap();
    assert_eq!(sent.flow.remote, address(MCP1));
    let now = header(&sent.text, SESSION_ID);
    assert!(now.ends_with(";gvp.rm.tenant-id=1.102_IVRAppDefault"), "{now}");
    assert!(now.starts_with(session[SESSION_ID.len() + 2..].split(';').next().unwrap()));
    world.udp(MCP1, &reply(&sent.text, 200, "t", "Contact: <sip:m@10.0.0.11:5070>\r\n"));
    // and is counted there from now on
    world.udp(CALLER, &crate::world::invite("18005550100", "full"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
}

#[test]
fn in_a_session_of_cti_the_connector_stands_between_server_and_gateway() {
    let mut world = with_connectors(2, &json!({}));
    let session = held_by_connector(&mut world, "gw-cti-2");
    // a number that nobody has, but the one that was called
    world.udp(CONNECTOR, &invite_to("sip:18005550100@10.0.0.5", CONNECTOR, "back", &session));
    let sent = world.take_invite().unwrap();
    assert_eq!(sent.flow.remote, address(MCP1));
    world.udp(MCP1, &reply(&sent.text, 200, "t", "Contact: <sip:m@10.0.0.11:5070>\r\n"));
    world.take(CONNECTOR);
    // what the media server asks for goes to the same connector
    for name in ["t1", "t2"] {
        world.udp(MCP1, &invite_to("sip:4420123@10.0.0.5", MCP1, name, &session));
        let sent = world.take_invite().unwrap();
        assert_eq!(sent.flow.remote, address(CONNECTOR), "{name}");
        assert!(sent.text.starts_with("INVITE sip:4420123@10.0.0.31:5080"), "{}", sent.text);
    }
    // what the connector asks for leaves where the call came in
    world.udp(CONNECTOR, &invite_to("sip:4420123@10.0.0.5", CONNECTOR, "out", &session));
    let sent = world.take_invite().unwrap();
    assert_eq!(sent.flow.remote, address(caller("gw-cti-2")));
    assert_ne!(sent.flow.remote, address(CARRIER));
}

#[test]
fn a_policy_may_keep_calls_from_connectors() {
    for (tenant, profile, expected) in
        [(None, None, CONNECTOR), (Some(false), None, MCP1), (Some(false), Some(true), CONNECTOR)]
    {
        let mut objects = platform();
        for (at, allowed) in [(0, tenant), (1, profile)] {
            if let Some(allowed) = allowed {
                objects[at]["spec"]["policy"]["cti_allowed"] = allowed.into();
            }
        }
        let mut world = World::with(&objects, settings());
        let from = caller("gw-cti-2");
        world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, "cti", ""));
        let went = world.take_invite().unwrap().flow.remote;
        assert_eq!(went, address(expected), "{tenant:?} {profile:?}");
    }
}
