//! Requests that go on through further Route entries of a peer with `allow_route` (rm.md §1.5, RFC
//! 3261 §16.6 steps 6 and 7).

use std::time::Duration;

use rm::Input;
use sip::locate::{Target, Targets};
use sip::transport::Transport;

use crate::world::{
    CALLER, Dialog, MCP1, World, address, all, header, invite, objects, reply, settings,
};

const EDGE: &str = "10.0.0.9:5060";
const CONTACT: &str = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";

fn world() -> World {
    let mut own = settings();
    own.peers[0].allow_route = true;
    World::with(&objects(), own)
}

fn with(routes: &str, call: &str) -> String {
    invite("18005550100", call).replace("Max-Forwards", &format!("{routes}Max-Forwards"))
}

#[test]
fn the_request_goes_to_the_topmost_entry_with_the_resource_in_its_request_uri() {
    let resource = "sip:dialog@10.0.0.11:5070";
    let kept = "\"The, edge\" <sip:e@10.0.0.9;lr>;x";
    for (routes, uri, left) in [
        ("Route: <sip:10.0.0.9;lr>\r\n", resource, vec!["<sip:10.0.0.9;lr>"]),
        (
            "Route: <sip:10.0.0.5;lr>, <sip:10.0.0.9;lr=on>\r\n",
            resource,
            vec!["<sip:10.0.0.9;lr=on>"],
        ),
        (
            &format!("Route: <sip:10.0.0.5;lr>\r\nRoute: {kept}\r\nRoute: <sip:f@h;lr>\r\n"),
            resource,
            vec![kept, "<sip:f@h;lr>"],
        ),
        // a strict router finds itself in the Request-URI, and what stood there behind all others
        ("Route: <sip:10.0.0.9;y=1>\r\n", "sip:10.0.0.9;y=1", vec!["RESOURCE"]),
        (
            "Route: <sip:10.0.0.5;lr>, <sip:10.0.0.9>, <sip:f@h;lr>\r\n",
            "sip:10.0.0.9",
            vec!["<sip:f@h;lr>", "RESOURCE"],
        ),
    ] {
        let mut world = world();
        world.udp(CALLER, &with(routes, "r"));
        let sent = world.take(EDGE);
        assert!(world.try_take(MCP1).is_none());
        assert!(sent.starts_with(&format!("INVITE {uri}")), "{routes}{sent}");
        let found = all(&sent, "Route");
        assert_eq!(found.len(), left.len(), "{routes}{sent}");
        for (found, left) in found.iter().zip(&left) {
            match *left {
                "RESOURCE" => assert!(found.starts_with(&format!("<{resource};")), "{found}"),
                exact => assert_eq!(*found, exact),
            }
        }
    }
}

/// The whole call: the answer comes through the entry, which stays in the route of the dialog;
/// CANCEL goes its way too.
#[test]
fn the_dialog_and_a_cancel_follow() {
    let mut world = world();
    let text = with("Route: <sip:10.0.0.5;lr>, <sip:10.0.0.9;lr>\r\n", "d");
    world.udp(CALLER, &text);
    let sent = world.take(EDGE);
    let ours = all(&sent, "Record-Route")[0].to_owned();
    let answer = reply(&sent, 200, "t", CONTACT)
        .replace("Record-Route", "Record-Route: <sip:e@10.0.0.9;lr>\r\nRecord-Route");
    world.udp(EDGE, &answer);
    let answer = world.take(CALLER);
    assert_eq!(all(&answer, "Record-Route"), ["<sip:e@10.0.0.9;lr>", &ours]);
    let mut caller = Dialog::of_caller(&answer);
    for method in ["ACK", "BYE"] {
        world.udp(CALLER, &caller.request(method, "10.0.0.2:5090", method));
        let sent = world.take(EDGE);
        assert!(
            sent.starts_with(&format!("{method} sip:mcp@10.0.0.11:5070 SIP/2.0\r\n")),
            "{sent}"
        );
        assert_eq!(all(&sent, "Route"), ["<sip:e@10.0.0.9;lr>"]);
        if method == "BYE" {
            world.udp(EDGE, &reply(&sent, 200, "", ""));
        }
    }
    assert_eq!(world.ends()[0]["resource"]["name"], "mcp-1");

    world.udp(CALLER, &with("Route: <sip:10.0.0.9;lr>\r\n", "c"));
    let sent = world.take(EDGE);
    world.udp(EDGE, &reply(&sent, 180, "t", ""));
    world.take(CALLER);
    let cancel = text.replace("INVITE", "CANCEL").replace("bKd", "bKc").replace("d@10.1", "c@10.1");
    world.udp(CALLER, &cancel.replace("from-d", "from-c"));
    let cancel = world.take(EDGE);
    assert!(cancel.starts_with("CANCEL "), "{cancel}");
    assert_eq!(all(&cancel, "Route"), ["<sip:10.0.0.9;lr>"]);
    assert_eq!(header(&cancel, "Via"), header(&sent, "Via"));
}

/// An answer names the resource: the next one is tried through the same entry. Silence of the entry
/// does not, and there is no other way.
#[test]
fn failover_is_for_answers_only() {
    let mut world = world();
    let route = "Route: <sip:10.0.0.9;lr>\r\n";
    world.udp(CALLER, &with(route, "a"));
    let first = world.take(EDGE);
    world.udp(EDGE, &reply(&first, 500, "t", ""));
    assert!(world.take(EDGE).starts_with("ACK "));
    let second = world.take(EDGE);
    assert!(second.starts_with("INVITE sip:dialog@10.0.0.12:5070;"), "{second}");
    world.udp(EDGE, &reply(&second, 603, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 603 "));
    world.run(Duration::from_secs(5));
    while world.try_take(EDGE).is_some() {}

    world.udp(CALLER, &with(route, "s"));
    assert!(world.take(EDGE).starts_with("INVITE "));
    world.run(Duration::from_secs(2));
    assert!(world.take(CALLER).starts_with("SIP/2.0 408 "));
    world.udp(CALLER, &with(route, "f"));
    let flow = loop {
        let sent = world.take_flow(EDGE).unwrap();
        if sent.text.contains("Call-ID: f@") {
            break sent.flow;
        }
    };
    world.input(Input::FlowFailed { flow });
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"next-hop\"");
    assert!(world.proxy.resources().iter().all(|one| one.state == "healthy"));
    assert_eq!(world.ends().len(), 3);
}

/// Size chooses TCP to the entry as to a resource, unless its URI states a transport.
#[test]
fn size_counts_for_the_entry_and_not_for_the_resource() {
    let padding = format!("X-Pad: {}\r\n", "x".repeat(1500));
    let mut world = world();
    world.udp(CALLER, &with(&format!("Route: <sip:10.0.0.9;lr>\r\n{padding}"), "l"));
    let first = world.take_flow(EDGE).unwrap();
    assert_eq!(first.flow.transport, Transport::Tcp);
    world.input(Input::ConnectFailed { flow: first.flow });
    assert_eq!(world.take_flow(EDGE).unwrap().flow.transport, Transport::Udp);
    let (_, fields) = world.logs.iter().find(|(id, _)| *id == 20117).unwrap();
    assert_eq!(*fields, [("target", EDGE.to_owned())], "the resource is not to blame");
    world.udp(CALLER, &with(&format!("Route: <sip:10.0.0.9;lr;transport=udp>\r\n{padding}"), "u"));
    assert_eq!(world.take_flow(EDGE).unwrap().flow.transport, Transport::Udp);
}

/// A name in the entry is asked for while the call waits; a CANCEL meanwhile ends it, with a
/// record.
#[test]
fn an_entry_by_name_is_resolved_first() {
    let mut world = world();
    let text = with("Route: <sip:edge.example;lr>\r\n", "n");
    world.udp(CALLER, &text);
    assert_eq!((world.asked.len(), world.try_take(CALLER)), (1, None));
    let uri = sip::uri::Uri::parse("sip:edge.example").unwrap();
    let goal = sip::locate::Goal::of_uri(&uri).unwrap();
    let target = Target { transport: Transport::Udp, remote: address(EDGE) };
    let ttl = Duration::from_secs(60);
    world.input(Input::Resolved { goal, found: Ok(Targets::one(target)), ttl });
    let sent = world.take(EDGE);
    assert!(sent.starts_with("INVITE sip:dialog@10.0.0.11:5070;"), "{sent}");
    assert_eq!(all(&sent, "Route"), ["<sip:edge.example;lr>"]);

    world.udp(CALLER, &with("Route: <sip:other.example;lr>\r\n", "w"));
    let cancel = text.replace("INVITE", "CANCEL").replace("bKn", "bKw").replace("n@10.1", "w@10.1");
    world.udp(CALLER, &cancel.replace("from-n", "from-w"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert!(world.take(CALLER).starts_with("SIP/2.0 487 "));
    assert_eq!(world.ends()[0]["end_state"], "CANCELLED");
}

#[test]
fn what_is_selected_like_a_call_goes_through_too_and_nothing_goes_where_it_may_not() {
    let mut world = world();
    let text = with("Route: <sip:10.0.0.9;lr>\r\n", "m").replace("INVITE", "MESSAGE");
    world.udp(CALLER, &text);
    let sent = world.take(EDGE);
    assert!(sent.starts_with("MESSAGE sip:dialog@10.0.0.11:5070;"), "{sent}");
    assert_eq!(all(&sent, "Route"), ["<sip:10.0.0.9;lr>"]);
    for (number, (route, word)) in [
        ("sip:224.0.0.1;lr", "relay-refused"),
        ("sip:127.0.0.1;lr", "relay-refused"),
        ("sip:10.0.0.9;lr;transport=tls", "next-hop"),
        ("sips:10.0.0.9;lr", "next-hop"),
        ("tel:1", "next-hop"),
    ]
    .into_iter()
    .enumerate()
    {
        world.udp(CALLER, &with(&format!("Route: <{route}>\r\n"), &format!("x{number}")));
        assert_eq!(
            header(&world.take(CALLER), "Warning"),
            format!("399 rm-1 \"{word}\""),
            "{route}"
        );
    }
    assert!(world.ends().is_empty());
}
