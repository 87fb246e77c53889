//! Transports: double Record-Route, the rule of size, streams that fail (rm.md §1.2, §1.4).

use std::time::Duration;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, address, all, header, invite, objects, reply, settings,
};
use rm::Input;
use sip::transport::{ConnId, Flow, Transport};

fn tcp(remote: &str, conn: u64) -> Flow {
    Flow {
        transport: Transport::Tcp,
        listener: 1,
        remote: address(remote),
        conn: Some(ConnId(conn)),
    }
}

#[test]
fn a_tcp_caller_reaches_a_udp_server_with_two_record_routes() {
    let mut world = World::new();
    let caller = tcp("10.0.0.2:40000", 7);
    let request = invite("18005550100", "t")
        .replace("/UDP ", "/TCP ")
        .replace("Contact: <sip:10.0.0.2:5090>", "Contact: <sip:10.0.0.2:5090;transport=tcp>");
    world.packet(caller, &request);
    let sent = world.take_flow(MCP1).unwrap();
    assert_eq!((sent.flow.transport, sent.flow.listener), (Transport::Udp, 0));
    let routes = all(&sent.text, "Record-Route");
    assert_eq!(routes.len(), 2);
    assert!(routes[0].starts_with("<sip:rm-A") && !routes[0].contains("transport="));
    assert_eq!(routes[1], "<sip:rm-0@10.0.0.5:5060;lr;transport=tcp>");
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&sent.text, 200, "tag", contact));
    let answer = world.take_flow("10.0.0.2:40000").unwrap();
    assert_eq!(answer.flow, caller, "on the connection of the request");

    let mut dialog = Dialog::of_caller(&answer.text);
    assert_eq!(dialog.routes.len(), 2);
    let ack = dialog.request("ACK", "10.0.0.2:5090", "ack").replace("/UDP ", "/TCP ");
    world.packet(caller, &ack);
    let ack = world.take_flow(MCP1).unwrap();
    assert_eq!(ack.flow.transport, Transport::Udp);
    assert!(all(&ack.text, "Route").is_empty(), "both entries are ours: {}", ack.text);

    // the other way, towards the caller's Contact by TCP
    let mut callee = Dialog::of_callee(&sent.text, "tag", "<sip:mcp@10.0.0.11:5070>");
    world.udp(MCP1, &callee.request("BYE", MCP1, "bye"));
    let bye = world.take_flow(CALLER).unwrap();
    assert_eq!((bye.flow.transport, bye.flow.conn), (Transport::Tcp, None));
    assert!(bye.text.starts_with("BYE sip:10.0.0.2:5090;transport=tcp SIP/2.0\r\n"));
    let back = Flow { conn: Some(ConnId(9)), ..bye.flow };
    world.packet(back, &reply(&bye.text, 200, "", ""));
    assert!(world.take(MCP1).starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends()[0]["end_state"], "APP_END");
}

/// A destination is reached from the listener of its longest route; Via, Record-Route and source
/// are that listener's (rm.sip.routes).
#[test]
fn a_route_chooses_the_listener() {
    let mut own = settings();
    let (net, bound) = ("10.0.0.12".parse().unwrap(), address("192.0.2.7:5062"));
    let shown = |port| ("192.0.2.7".to_owned(), port);
    own.listeners.push(rm::Listener {
        transport: Transport::Udp,
        bound,
        advertise: shown(5062),
        via: shown(5063),
    });
    let route = |net, prefix, listener| rm::Route { net, prefix, listener };
    own.routes = vec![
        route("10.0.0.0".parse().unwrap(), 24, 0),
        route(net, 32, 3),
        // of another transport: says nothing of UDP
        route(net, 32, 1),
        // the monitor's listener carries no calls, whatever is routed there
        route("10.0.0.11".parse().unwrap(), 31, 0),
    ];
    let mut world = World::with(&objects(), own);
    world.udp(CALLER, &invite("18005550100", "a"));
    let first = world.take_flow(MCP1).unwrap();
    assert_eq!(first.flow.listener, 0);
    assert!(header(&first.text, "Via").starts_with("SIP/2.0/UDP 10.0.0.5:5060;"));
    assert_eq!(all(&first.text, "Record-Route").len(), 1);
    world.udp(CALLER, &invite("18005550100", "b"));
    let second = world.take_flow(MCP2).unwrap();
    assert_eq!(second.flow.listener, 3);
    assert!(header(&second.text, "Via").starts_with("SIP/2.0/UDP 192.0.2.7:5063;"));
    let routes = all(&second.text, "Record-Route");
    assert!(routes[0].contains("@192.0.2.7:5062;lr;"), "{routes:?}");
    assert_eq!(routes[1], "<sip:rm-0@10.0.0.5:5060;lr>", "the advertised addresses differ");
    // requests inside the dialog leave alike
    let flow = Flow { listener: 3, ..second.flow };
    let contact = "Contact: <sip:mcp@10.0.0.12:5070>\r\n";
    world.packet(flow, &reply(&second.text, 200, "t", contact));
    let mut dialog = Dialog::of_caller(&world.take(CALLER));
    world.udp(CALLER, &dialog.request("ACK", "10.0.0.2:5090", "ack"));
    let ack = world.take_flow(MCP2).unwrap();
    assert_eq!((ack.flow.listener, all(&ack.text, "Route").len()), (3, 0));
}

/// Two families and two names: brackets in Via and Record-Route, a double entry between them, and
/// all of it found again (rm.md §1.2, §1.4).
#[test]
fn ipv6_and_ipv4_meet_with_separate_names_for_via_and_record_route() {
    let mut own = settings();
    own.listeners.push(rm::Listener {
        transport: Transport::Udp,
        bound: address("[2001:db8::5]:5060"),
        advertise: ("[2001:db8::a]".to_owned(), 5060),
        via: ("[2001:db8::5]".to_owned(), 5060),
    });
    own.listeners[0].advertise = ("sip.example".to_owned(), 5080);
    own.peers[0].matches.push(rm::Match::parse("2001:db8::2").unwrap());
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["address"] = "sip:[2001:db8::b]:5070".into();
    let mut world = World::with(&documents, own);
    let (mcp6, caller6) = ("[2001:db8::b]:5070", "[2001:db8::2]:5090");
    world.alive.push(address(mcp6));
    world.run(Duration::from_secs(8));
    // IPv4 to IPv6
    world.udp(CALLER, &invite("18005550100", "a"));
    let sent = world.take_flow(mcp6).unwrap();
    assert_eq!(sent.flow.listener, 3);
    assert!(sent.text.starts_with("INVITE sip:dialog@[2001:db8::b]:5070;"), "{}", sent.text);
    assert!(header(&sent.text, "Via").starts_with("SIP/2.0/UDP [2001:db8::5]:5060;branch="));
    let routes = all(&sent.text, "Record-Route");
    assert!(routes[0].starts_with("<sip:rm-A") && routes[0].contains("@[2001:db8::a]:5060;lr;"));
    assert_eq!(routes[1], "<sip:rm-0@sip.example:5080;lr>");
    let six = |remote| Flow { remote: address(remote), ..sent.flow };
    let contact = "Contact: <sip:mcp@[2001:db8::b]:5070>\r\n";
    world.packet(six(mcp6), &reply(&sent.text, 200, "t", contact));
    let mut caller = Dialog::of_caller(&world.take(CALLER));
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "ack"));
    let ack = world.take_flow(mcp6).unwrap();
    assert_eq!((ack.flow.listener, all(&ack.text, "Route").len()), (3, 0));
    let mut callee = Dialog::of_callee(&sent.text, "t", "<sip:mcp@[2001:db8::b]:5070>");
    world.packet(six(mcp6), &callee.request("BYE", mcp6, "bye"));
    let bye = world.take_flow(CALLER).unwrap();
    assert_eq!((bye.flow.listener, all(&bye.text, "Route").len()), (0, 0));
    // IPv6 to IPv4: the next one's turn
    let text = invite("18005550100", "b").replace("10.0.0.2:5090", caller6).replacen(
        "18005550100@10.0.0.5:5060",
        "18005550100@[2001:db8::A]",
        1,
    );
    world.packet(six(caller6), &text);
    let sent = world.take_flow(MCP2).unwrap();
    let routes = all(&sent.text, "Record-Route");
    assert!(routes[0].contains("@sip.example:5080;lr;"), "{routes:?}");
    assert_eq!(routes[1], "<sip:rm-0@[2001:db8::a]:5060;lr>");
    assert!(all(&sent.text, "Via")[1].starts_with("SIP/2.0/UDP [2001:db8::2]:5090;"));
}

fn large(call: &str) -> String {
    let body = "x".repeat(1500);
    let text = invite("18005550100", call);
    let head = text.split("Content-Length").next().unwrap();
    format!("{head}Content-Length: 1500\r\n\r\n{body}")
}

#[test]
fn a_large_request_goes_by_tcp_unless_that_is_refused_or_udp_is_stated() {
    let mut documents = objects();
    documents[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": "sip:10.0.0.11:5070", "dbid": 310}]);
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &large("l1"));
    let first = world.take_flow(MCP1).unwrap();
    assert_eq!(first.flow.transport, Transport::Tcp);
    assert!(!first.text.lines().next().unwrap().contains("transport"), "the address has none");
    assert_eq!(all(&first.text, "Record-Route").len(), 2);
    // nobody takes the connect: the shell tells it after the connect time and its next look
    let (resource, other) = world.proxy.connect_times();
    assert_eq!((resource, other), (Duration::from_secs(2), Duration::from_secs(5)));
    world.run(resource + Duration::from_millis(250));
    world.input(Input::ConnectFailed { flow: first.flow });
    let again = world.take_flow(MCP1).unwrap();
    assert_eq!(again.flow.transport, Transport::Udp);
    assert!(world.has_log(20117));
    assert_eq!(world.proxy.resources()[0].state, "healthy", "no failed try");
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&again.text, 200, "t", contact));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.phase("start")[0]["resource"]["attempts"], 1);

    // remembered for ten minutes
    world.udp(CALLER, &large("l2"));
    assert_eq!(world.take_flow(MCP1).unwrap().flow.transport, Transport::Udp);
    world.run(Duration::from_secs(601));
    while world.try_take(MCP1).is_some() {}
    world.udp(CALLER, &large("l3"));
    assert_eq!(world.take_flow(MCP1).unwrap().flow.transport, Transport::Tcp);

    // a shorter try makes a shorter connect, and so does the option
    documents[3]["spec"]["try_timeout"] = serde_json::json!("800ms");
    let short = World::with(&documents, settings());
    let millis = Duration::from_millis;
    assert_eq!(short.proxy.connect_times(), (millis(800), millis(5000)));
    documents[3]["spec"]["try_timeout"] = serde_json::Value::Null;
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"proxy": {"sip.transport.setuptimer.tcp": "700"}}}}));
    let short = World::with(&documents, settings());
    assert_eq!(short.proxy.connect_times(), (millis(700), millis(700)));

    documents[3]["spec"]["resources"][0]["address"] =
        serde_json::json!("sip:10.0.0.11:5070;transport=udp");
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &large("l4"));
    assert_eq!(world.take_flow(MCP1).unwrap().flow.transport, Transport::Udp);
}

#[test]
fn a_refused_connection_leads_to_the_next_resource() {
    let mut documents = objects();
    documents[3]["spec"]["resources"][0]["address"] =
        serde_json::json!("sip:10.0.0.11:5070;transport=tcp");
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "r"));
    let first = world.take_flow(MCP1).unwrap();
    world.input(Input::ConnectFailed { flow: first.flow });
    assert!(world.try_take(MCP2).is_some());
    assert_eq!(world.proxy.counters().failovers["mcp"]["transport"], 1);
}

#[test]
fn probes_are_numbered_and_leave_from_the_monitor_listener() {
    let mut world = World::cold(&objects(), settings());
    world.alive.clear();
    let mut probes = Vec::new();
    for _ in 0..40 {
        let Some((at, _)) = world.proxy.poll_timeout() else { break };
        world.now = world.now.plus(at.saturating_sub(world.now.mono));
        world.proxy.handle_timeout(world.now);
        let mut out = Vec::new();
        while let Some(sent) = world.proxy.poll_transmit(&mut out) {
            let text = String::from_utf8(out.split_off(out.len() - sent.len)).unwrap();
            probes.push((sent.flow, text));
        }
    }
    let (flow, first) = &probes[0];
    assert_eq!((flow.listener, flow.transport), (2, Transport::Udp));
    assert!(first.starts_with("OPTIONS sip:10.0.0.1"));
    assert_eq!(header(first, "CSeq"), "1 OPTIONS");
    assert!(header(first, "From").starts_with("<sip:GVP@10.0.0.5:5064>;tag="));
    assert!(header(first, "Call-ID").ends_with("-5064@10.0.0.5"));
    let states: Vec<_> = world.proxy.resources().iter().map(|one| one.state).collect();
    assert_eq!(states, ["dead", "dead"]);
}
