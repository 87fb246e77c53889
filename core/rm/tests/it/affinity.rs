//! An INVITE that names a dialog goes to the media server that holds it, whatever the load
//! (rm.md §7.7, scenario 58).

use std::time::Duration;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, Up, World, address, header, invite, objects, reply, settings,
};

/// Both servers have one place, and it is taken: the call up on mcp-2 is given back.
fn full() -> (World, Up) {
    let mut documents = objects();
    for resource in documents[3]["spec"]["resources"].as_array_mut().unwrap() {
        resource["capacity"] = 1.into();
    }
    let mut world = World::with(&documents, settings());
    world.up("18005550100", "one");
    let up = world.up("18005550100", "two");
    assert_eq!(up.server, MCP2);
    (world, up)
}

fn tag(address: &str) -> &str {
    address.split(";tag=").nth(1).unwrap()
}

/// A header that names the dialog as the media server knows it.
fn naming(name: &str, dialog: &Dialog) -> String {
    let (call_id, remote, local) = (&dialog.call_id, tag(&dialog.local), tag(&dialog.remote));
    match name {
        "Target-Dialog" => format!("{name}: {call_id};local-tag={local};remote-tag={remote}\r\n"),
        _ => format!("{name}: {call_id};to-tag={local};from-tag={remote}\r\n"),
    }
}

fn with(lines: &str, call: &str) -> String {
    invite("18005550100", call).replace("Content-Type", &format!("{lines}Content-Type"))
}

#[test]
fn each_of_the_three_headers_leads_to_the_holder_of_the_dialog() {
    for name in ["Replaces", "Join", "Target-Dialog"] {
        let (mut world, up) = full();
        world.udp(CALLER, &invite("18005550100", "other"));
        assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"resource-full\"");
        let line = naming(name, &up.caller);
        world.udp(CALLER, &with(&line, name));
        let forwarded = world.take(MCP2);
        assert!(forwarded.contains(&line), "it passes as it came: {forwarded}");
        world.udp(MCP2, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@10.0.0.12:5070>\r\n"));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
        let start = *world.phase("start").last().unwrap();
        assert_eq!(
            (start["placed_by"].as_str(), start["resource"]["name"].as_str()),
            (Some("pin"), Some("mcp-2")),
            "{name}"
        );
        assert_eq!(world.proxy.resources()[1].used, 2);
    }
}

/// The same resource by UDP again, where size alone had asked for TCP, is the same choice.
#[test]
fn a_large_one_stays_pinned_when_tcp_is_refused() {
    let (mut world, up) = full();
    let padded = format!("{}X-Pad: {}\r\n", naming("Replaces", &up.caller), "x".repeat(1500));
    world.udp(CALLER, &with(&padded, "large"));
    let first = world.take_flow(MCP2).unwrap();
    assert!(first.flow.transport.is_stream());
    world.input(rm::Input::ConnectFailed { flow: first.flow });
    let again = world.take(MCP2);
    world.udp(MCP2, &reply(&again, 200, "t", "Contact: <sip:mcp@10.0.0.12:5070>\r\n"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.phase("start").last().unwrap()["placed_by"], "pin");
}

#[test]
fn a_dialog_nobody_holds_pins_nothing() {
    let (mut world, up) = full();
    let mut unknown = up.caller.clone();
    unknown.call_id = "somebody@else".to_owned();
    // the caller holds the other end: it is no resource
    let mut mirrored = up.caller.clone();
    std::mem::swap(&mut mirrored.local, &mut mirrored.remote);
    for dialog in [unknown, mirrored] {
        world.udp(CALLER, &with(&naming("Replaces", &dialog), &dialog.call_id[..3]));
        assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"resource-full\"");
        world.now = world.now.plus(Duration::from_secs(40));
        world.run(Duration::ZERO);
    }
}

#[test]
fn a_node_without_the_leg_reads_the_token_of_the_route() {
    let (_, up) = full();
    let mut other = World::new();
    let route = format!("Route: <{}>\r\n", up.caller.routes[0]);
    let named = naming("Replaces", &up.caller);
    other.udp(CALLER, &with(&format!("{route}{named}"), "at-b"));
    assert!(other.try_take(MCP2).is_some(), "round robin would begin with mcp-1");
    // a token of another dialog says nothing of this one
    let mut other = World::new();
    let named = named.replace(&up.caller.call_id, "another@call");
    other.udp(CALLER, &with(&format!("{route}{named}"), "at-b"));
    assert!(other.try_take(MCP1).is_some());
}

/// The same behind a strict router, which has put our Route entry into the Request-URI (RFC 3261
/// §16.4): it is selected by the number that stood there.
#[test]
fn a_strict_router_before_a_call_is_repaired() {
    let (_, up) = full();
    let mut other = World::new();
    let route = "Route: <sip:18005550100@10.0.0.5:5060>\r\n";
    let text = with(&format!("{route}{}", naming("Replaces", &up.caller)), "strict");
    let own = &up.caller.routes[0];
    other.udp(CALLER, &text.replacen("sip:18005550100@10.0.0.5:5060", own, 1));
    let sent = other.take(MCP2);
    assert!(sent.starts_with("INVITE sip:dialog@10.0.0.12:5070;"), "{sent}");
    assert_eq!(header(&sent, "Route"), "");
}

#[test]
fn a_holder_that_is_dead_or_refuses_is_not_replaced_by_another() {
    let mut world = World::new();
    world.up("18005550100", "one");
    let up = world.up("18005550100", "two");
    let line = naming("Replaces", &up.caller);
    world.udp(CALLER, &with(&line, "again"));
    let first = world.take(MCP2);
    world.udp(MCP2, &reply(&first, 500, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "), "no second try elsewhere");
    assert!(world.try_take(MCP1).is_none());
    world.alive = vec![address(MCP1)];
    world.run(Duration::from_secs(12));
    world.udp(CALLER, &with(&line, "dead"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"resource-dead\"");
    assert!(world.try_take(MCP1).is_none());
}

#[test]
fn doubled_and_contradicting_headers_are_400_without_a_record() {
    let (mut world, up) = full();
    let (replaces, join) = (naming("Replaces", &up.caller), naming("Join", &up.caller));
    for (call, lines) in [
        ("twice", format!("{replaces}{replaces}")),
        ("both", format!("{replaces}{join}")),
        ("half", "Replaces: a@b;to-tag=1\r\n".to_owned()),
    ] {
        let records = world.records.len();
        world.udp(CALLER, &with(&lines, call));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"malformed\"");
        assert_eq!(world.records.len(), records);
    }
}
