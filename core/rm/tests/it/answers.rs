//! What RM answers itself: OPTIONS, methods, sources, loops (rm.md §1.5, §1.6, §1.10).

use crate::world::{CALLER, MCP1, MCP2, World, all, header, invite, objects, settings};
use rm::{Input, NodeState};

fn request(method: &str, uri: &str, extra: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bK{method}{}\r\n\
         From: <sip:a@10.0.0.2>;tag=1\r\nTo: <{uri}>\r\nCall-ID: {method}@x\r\n\
         CSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n",
        extra.len(),
    )
}

fn status(text: &str) -> u16 {
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn options_to_rm_tell_its_state() {
    let mut world = World::cold(&objects(), settings());
    let ask = |world: &mut World, i: usize| {
        let pad = format!("X-Pad: {}\r\n", "x".repeat(i));
        world.udp(CALLER, &request("OPTIONS", "sip:rm@10.0.0.5", &pad));
        world.take(CALLER)
    };
    let starting = ask(&mut world, 1);
    assert_eq!((status(&starting), header(&starting, "X-Ringmaster-State")), (503, "starting"));
    assert_eq!(header(&starting, "Retry-After"), "2");
    world.input(Input::State(NodeState::Ready));
    let ready = ask(&mut world, 2);
    assert_eq!((status(&ready), header(&ready, "X-Ringmaster-State")), (200, "healthy"));
    assert_eq!(header(&ready, "Accept"), "application/sdp");
    assert_eq!(header(&ready, "Supported"), "timer, uui");
    assert_eq!(
        header(&ready, "Allow"),
        "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, MESSAGE"
    );
    assert_eq!(header(&ready, "Server"), "Ringmaster");
    world.input(Input::State(NodeState::Draining));
    let draining = ask(&mut world, 3);
    assert_eq!((status(&draining), header(&draining, "X-Ringmaster-State")), (503, "draining"));
    assert_eq!(header(&draining, "Retry-After"), "10");
}

/// method, Request-URI, further lines, from where → status and reason word.
#[test]
fn requests_that_get_no_further() {
    let caller = CALLER;
    let stranger = "192.0.2.99:5060";
    let hops = "Max-Forwards: 0\r\n";
    let cases = [
        ("REGISTER", "sip:10.0.0.5", "", caller, 405, "method"),
        ("SUBSCRIBE", "sip:10.0.0.5", "", caller, 405, "method"),
        ("REFER", "sip:1@10.0.0.5", "", caller, 405, "method"),
        ("PUBLISH", "sip:1@10.0.0.5", "", caller, 405, "method"),
        ("NOTIFY", "sip:1@10.0.0.5", "", caller, 481, "no-dialog"),
        ("INFO", "sip:1@10.0.0.5", "", caller, 481, "no-dialog"),
        ("UPDATE", "sip:1@10.0.0.5", "", caller, 481, "no-dialog"),
        ("PRACK", "sip:1@10.0.0.5", "", caller, 481, "no-dialog"),
        ("BYE", "sip:1@10.0.0.5", "", caller, 481, "no-dialog"),
        ("INVITE", "sip:1@10.0.0.5", hops, caller, 483, "hops"),
        ("INVITE", "sip:1@10.0.0.5", "Proxy-Require: foo\r\n", caller, 420, "bad-extension"),
        ("OPTIONS", "sip:10.0.0.5", "Require: foo\r\n", caller, 420, "bad-extension"),
        ("INVITE", "sip:1@10.0.0.5", "Max-Breadth: 0\r\n", caller, 440, "breadth"),
        ("INVITE", "sip:18005550100@10.0.0.5", "", stranger, 403, "untrusted-source"),
        ("MESSAGE", "sip:18005550100@10.0.0.5", "", stranger, 403, "untrusted-source"),
        ("INVITE", "urn:service:sos", "", caller, 416, "malformed"),
        ("INVITE", "urn:service:other", "", caller, 416, "malformed"),
        ("OPTIONS", "fax:1", "", caller, 416, "malformed"),
        ("INVITE", "http://a.example/", "", caller, 416, "malformed"),
        (
            "INVITE",
            "sip:18005550100@10.0.0.5",
            "Route: <sip:10.0.0.5;lr>, <sip:10.9.9.9;lr>\r\n",
            caller,
            403,
            "preloaded-route",
        ),
    ];
    for (method, uri, extra, from, code, word) in cases {
        let mut world = World::new();
        world.udp(from, &request(method, uri, extra));
        let answer = world.take(from);
        assert_eq!(status(&answer), code, "{method} {uri} {extra}");
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""), "{method} {uri}");
        assert!(world.try_take(MCP1).is_none() && world.records.is_empty());
        let counted = world.proxy.counters().answers.get(&(code, word)).copied();
        assert_eq!(counted, Some(1), "{method} {uri}");
    }
}

/// A Request-URI as long as one may be grows on its way: who sent it is told, and nobody is woken.
/// A configuration that is too long by itself is an error of ours.
#[test]
fn a_request_uri_that_gets_too_long() {
    let uri = |bytes: usize| {
        let head = "sip:18005550100@10.0.0.5;x=";
        format!("{head}{}", "y".repeat(bytes - head.len()))
    };
    for method in ["INVITE", "MESSAGE"] {
        let mut world = World::new();
        world.udp(CALLER, &request(method, &uri(2_023), ""));
        let answer = world.take(CALLER);
        assert_eq!((status(&answer), world.has_log(20901)), (414, false), "{answer}");
        assert!(world.try_take(MCP1).is_none());
        let mut world = World::new();
        world.udp(CALLER, &request(method, &uri(1_700), ""));
        assert!(world.take(MCP1).starts_with(method));
    }
    for (value, code) in [("y".repeat(2_100), 500), ("${dnis}".repeat(250), 414)] {
        let mut documents = objects();
        documents[1]["spec"]["parameters"]["voicexml"]["own"] = serde_json::json!({"fixed": value});
        let mut world = World::with(&documents, settings());
        world.udp(CALLER, &request("INVITE", "sip:18005550100@10.0.0.5", ""));
        assert_eq!((status(&world.take(CALLER)), world.has_log(20901)), (code, code == 500));
    }
}

/// 100 Trying is said to an INVITE at once, before a name is known, and to nothing else (rm.md
/// §1.6).
#[test]
fn only_an_invite_is_told_at_once_that_it_is_tried() {
    for (method, expected) in
        [("INVITE", 1), ("MESSAGE", 0), ("OPTIONS", 0), ("FOO", 0), ("BYE", 0), ("REGISTER", 0)]
    {
        let mut own = settings();
        own.peers[0].allow_route = true;
        let mut world = World::with(&objects(), own);
        let route = "Route: <sip:edge.example;lr>\r\n";
        world.udp(CALLER, &request(method, "sip:18005550100@10.0.0.5", route));
        let tried = world.wire.iter().filter(|sent| sent.text.starts_with("SIP/2.0 100 "));
        assert_eq!(tried.count(), expected, "{method}");
    }
}

/// A request with a To tag that no dialog has (rm.md §1.8): where it would go decides.
#[test]
fn what_belongs_to_no_dialog_goes_nowhere() {
    let forged = format!("Route: <sip:rm-{}@10.0.0.5;lr>\r\n", "A".repeat(94));
    for (uri, route, code, word) in [
        ("sip:1@10.0.0.5", "", 481, "no-dialog"),
        ("sip:1@192.0.2.50", "Route: <sip:10.0.0.5;lr>\r\n", 481, "no-dialog"),
        ("sip:1@192.0.2.50", &forged, 481, "bad-token"),
        ("sip:1@192.0.2.50", "", 403, "relay-refused"),
        ("sip:1@192.0.2.50", "Route: <sip:192.0.2.51;lr>\r\n", 403, "relay-refused"),
    ] {
        for method in ["BYE", "INFO", "INVITE", "REFER", "SUBSCRIBE", "ACK"] {
            let mut world = World::new();
            let to = format!("To: <{uri}>");
            let text = request(method, uri, route).replace(&to, &format!("{to};tag=2"));
            world.udp(CALLER, &text);
            let answer = world.try_take(CALLER).unwrap_or_default();
            if method == "ACK" {
                assert_eq!((answer.as_str(), world.proxy.counters().dropped[word]), ("", 1));
            } else {
                let warning = format!("399 rm-1 \"{word}\"");
                assert_eq!((status(&answer), header(&answer, "Warning")), (code, &*warning));
            }
            for elsewhere in ["192.0.2.50:5060", "192.0.2.51:5060", MCP1] {
                assert!(world.try_take(elsewhere).is_none(), "{method} {uri} {route}");
            }
        }
    }
}

/// What names RM on top of the routes is taken off, a double entry whole; nothing else may stand
/// there.
#[test]
fn own_routes_of_a_call_are_taken_off() {
    for (routes, forwarded) in [
        ("Route: <sip:10.0.0.5;lr>\r\n", true),
        ("Route: <sip:gvp.example;lr=on>\r\n", true),
        ("Route: <sip:rm-0@10.0.0.5;lr;transport=tcp>, <sip:rm-0@10.0.0.5;lr>\r\n", true),
        ("Route: <sip:10.0.0.5;lr>\r\nRoute: <sip:10.9.9.9;lr>\r\n", false),
        ("Route: <sip:10.9.9.9;lr>\r\n", false),
    ] {
        let mut world = World::new();
        let text = invite("18005550100", "r");
        world.udp(CALLER, &text.replace("Content-Type", &format!("{routes}Content-Type")));
        match world.try_take(MCP1) {
            Some(text) => assert!(forwarded && all(&text, "Route").is_empty(), "{routes}{text}"),
            None => assert!(!forwarded && status(&world.take(CALLER)) == 403, "{routes}"),
        }
    }
}

#[test]
fn what_is_not_understood_is_named_whole_and_options_answer_for_their_last_hop() {
    let mut world = World::new();
    let lines = "Proxy-Require: foo, bar\r\nProxy-Require: baz\r\n";
    world.udp(CALLER, &request("INVITE", "sip:18005550100@10.0.0.5", lines));
    assert_eq!(header(&world.take(CALLER), "Unsupported"), "foo, bar, baz");
    // a number is asked for, but this is as far as it goes (RFC 3261 §11)
    let hops = "Max-Forwards: 0\r\n";
    world.udp(CALLER, &request("OPTIONS", "sip:18005550100@10.0.0.5", hops));
    let answer = world.take(CALLER);
    assert_eq!((status(&answer), header(&answer, "X-Ringmaster-State")), (200, "healthy"));
    // an answer goes to the source, and to nobody else: not to a group that a Via names
    for host in ["224.0.0.1", "255.255.255.255", "[ff02::1]"] {
        let many = request("OPTIONS", "sip:10.0.0.5", &format!("X-Pad: {host}\r\n"));
        world.udp(CALLER, &many.replace("UDP 10.0.0.2:5090", &format!("UDP {host}:5090")));
        assert!(world.try_take(CALLER).is_none(), "{host}");
    }
    assert_eq!(world.proxy.counters().dropped["multicast"], 3);
}

/// Other ways to name the called number: `tel:` and the emergency service.
#[test]
fn a_number_may_come_as_tel_or_urn() {
    let mut documents = objects();
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
            "options": {"rm": {"sos-number": "18005550200"}}}}));
    for (uri, number) in [
        ("tel:+1-800-555-0100", "18005550100"),
        ("tel:18005550100;phone-context=+1", "18005550100"),
        ("urn:service:sos", "18005550200"),
        ("URN:service:SOS.fire", "18005550200"),
    ] {
        let mut world = World::with(&documents, settings());
        world.udp(CALLER, &invite("0", "n").replacen("sip:0@10.0.0.5:5060", uri, 1));
        let forwarded = world.take(MCP1);
        assert!(forwarded.starts_with("INVITE sip:dialog@10.0.0.11:5070;"), "{forwarded}");
        world.udp(MCP1, &crate::world::reply(&forwarded, 603, "t", ""));
        assert_eq!(world.ends()[0]["dn"], number, "{uri}");
    }
}

/// `sips:` never leaves over another transport than TLS: without a media server that has it there
/// is none.
#[test]
fn a_secure_call_is_not_placed_where_tls_is_not() {
    let mut world = World::new();
    let secure = invite("18005550100", "s").replacen("INVITE sip:", "INVITE sips:", 1);
    world.udp(CALLER, &secure);
    let answer = world.take(CALLER);
    assert_eq!((status(&answer), header(&answer, "Warning")), (480, "399 rm-1 \"no-match\""));
    assert!(world.try_take(MCP1).is_none() && world.try_take(MCP2).is_none());
    let mut up = world.up("18005550100", "in");
    up.caller.target = "sips:mcp@10.0.0.11:5070".to_owned();
    world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", "info"));
    assert_eq!(status(&world.take(CALLER)), 502);
    assert!(world.try_take(MCP1).is_none());
}

fn with_tls() -> rm::Settings {
    let mut own = settings();
    own.listeners.push(rm::Listener {
        transport: sip::transport::Transport::Tls,
        bound: crate::world::address("10.0.0.5:5061"),
        advertise: ("10.0.0.5".to_owned(), 5061),
        via: ("10.0.0.5".to_owned(), 5061),
    });
    own
}

/// RFC 3261 §16.6 step 7: whatever the next hop says of itself, a `sips:` target makes it TLS.
#[test]
fn a_secure_target_is_reached_by_tls_through_any_route() {
    let mut world = World::with(&objects(), with_tls());
    let up = world.up("18005550100", "in");
    for (number, (route, to)) in [
        ("", Some("10.0.0.11:5070")),
        ("sip:10.0.0.9;lr", Some("10.0.0.9:5061")),
        ("sip:10.0.0.9:5099;lr", Some("10.0.0.9:5099")),
        ("sip:10.0.0.9;lr;transport=tcp", Some("10.0.0.9:5061")),
        ("sips:10.0.0.9;lr", Some("10.0.0.9:5061")),
        // a strict router too, though the Request-URI no longer says so
        ("sip:10.0.0.9", Some("10.0.0.9:5061")),
        ("sip:10.0.0.9;lr;transport=udp", None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut dialog = up.caller.clone();
        dialog.target = "sips:mcp@10.0.0.11:5070".to_owned();
        dialog.routes.extend((!route.is_empty()).then(|| route.to_owned()));
        world.udp(CALLER, &dialog.request("INFO", "10.0.0.2:5090", &format!("i{number}")));
        match to {
            Some(to) => {
                let sent = world.take_flow(to).expect(route);
                assert_eq!((sent.flow.transport.as_str(), sent.flow.listener), ("TLS", 3));
            }
            None => assert_eq!(status(&world.take(CALLER)), 502, "{route}"),
        }
    }
}

/// Where there is one with TLS, a secure call goes there alone, and a plain call may too: each side
/// has a Record-Route of its own kind.
#[test]
fn a_secure_call_goes_by_tls_with_sips_in_its_record_route() {
    let own = with_tls();
    for (address, plain) in
        [("sips:10.0.0.12:5071", false), ("sip:10.0.0.12:5071;transport=tls", true)]
    {
        let mut documents = objects();
        documents[3]["spec"]["resources"][1]["address"] = address.into();
        documents[3]["spec"]["monitor"] = serde_json::json!({"method": "none"});
        let mut world = World::with(&documents, own.clone());
        let text = invite("18005550100", "s");
        world.udp(CALLER, &text.replacen("INVITE sip:", "INVITE sips:", 1));
        let sent = world.take_flow("10.0.0.12:5071").unwrap();
        assert_eq!((sent.flow.transport.as_str(), sent.flow.listener), ("TLS", 3));
        assert!(sent.text.starts_with("INVITE sips:dialog@10.0.0.12:5071;"), "{}", sent.text);
        let routes = all(&sent.text, "Record-Route");
        assert!(routes[0].starts_with("<sips:rm-A") && routes[0].contains("@10.0.0.5:5061;lr;gvp"));
        assert_eq!(routes[1], "<sips:rm-0@10.0.0.5:5060;lr>");
        // the next plain call is mcp-1's turn, the one behind it mcp-2's
        world.udp(CALLER, &invite("18005550100", "p1"));
        assert!(world.try_take(MCP1).is_some());
        world.udp(CALLER, &invite("18005550100", "p2"));
        let sent = world.take_flow("10.0.0.12:5071").unwrap();
        let routes = all(&sent.text, "Record-Route");
        let scheme = if plain { "sip" } else { "sips" };
        assert!(routes[0].starts_with(&format!("<{scheme}:rm-A")), "{routes:?}");
        assert_eq!(routes[0].contains(";lr;transport=tls;"), plain);
        assert_eq!(routes[1], "<sip:rm-0@10.0.0.5:5060;lr>", "the caller's side is plain");
    }
}

#[test]
fn a_call_that_spirals_too_often_is_482() {
    let mut world = World::new();
    let mut text = invite("18005550100", "0");
    for round in 0..7 {
        world.udp(CALLER, &text);
        let Some(forwarded) = world.try_take(MCP1).or_else(|| world.try_take(MCP2)) else {
            assert_eq!(
                (status(&world.take(CALLER)), round),
                (482, 6),
                "more than five Vias of ours"
            );
            return;
        };
        // a proxy changes the number and sends it back
        let vias: String =
            all(&forwarded, "Via").iter().map(|via| format!("Via: {via}\r\n")).collect();
        let own = format!("Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKround{round}\r\n");
        let rest =
            invite("18005550100", "0").replacen("18005550100@", &format!("1800555020{round}@"), 1);
        let (head, tail) = rest.split_once("Via: ").unwrap();
        let tail = tail.split_once("\r\n").unwrap().1;
        text = format!("{head}{own}{vias}{tail}");
    }
    panic!("never refused");
}

#[test]
fn the_node_state_stops_new_calls_only() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "before");
    for (state, word, retry) in
        [(NodeState::Draining, "node-draining", "10"), (NodeState::Starting, "node-not-ready", "2")]
    {
        world.input(Input::State(state));
        world.udp(CALLER, &invite("18005550100", word));
        let answer = world.take(CALLER);
        assert_eq!(status(&answer), 503);
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""));
        assert_eq!(header(&answer, "Retry-After"), retry);
        world
            .udp(CALLER, &invite("18005550100", &format!("m{retry}")).replace("INVITE", "MESSAGE"));
        assert_eq!(status(&world.take(CALLER)), 503, "what is selected like a call is like one");
        for method in ["INFO", "INVITE", "UPDATE", "MESSAGE", "REFER", "NOTIFY"] {
            let branch = format!("{method}{retry}");
            world.udp(CALLER, &up.caller.request(method, "10.0.0.2:5090", &branch));
            let sent = world.take(MCP1);
            assert!(sent.starts_with(method), "{sent}");
            world.udp(MCP1, &crate::world::reply(&sent, 200, "", ""));
            assert_eq!(status(&world.take(CALLER)), 200, "{method} while {word}");
        }
    }
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends().len(), 1, "refused by state: counted, not recorded");
}

#[test]
fn a_foreign_host_is_a_relay_attempt_unless_the_peer_is_a_sip_server() {
    let mut world = World::new();
    let foreign = invite("18005550100", "f").replace("@10.0.0.5:5060 SIP", "@elsewhere SIP");
    world.udp(CALLER, &foreign);
    assert!(world.try_take(MCP1).is_some());
    let mut gateway = settings();
    gateway.peers[0].role = rm::Role::Gateway;
    let mut world = World::with(&objects(), gateway);
    world.udp(CALLER, &foreign);
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"relay-refused\"");
    assert!(world.has_log(20103));
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "l"));
    let forwarded = world.take(MCP1);
    let via = all(&forwarded, "Via")[0].to_owned();
    let back = invite("18005550100", "l").replacen(
        "Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKl\r\n",
        &format!(
            "Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKx\r\nVia: {via}\r\n\
             Via: SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKl\r\n"
        ),
        1,
    );
    world.udp(CALLER, &back);
    let answer = world.take(CALLER);
    assert_eq!((status(&answer), header(&answer, "Warning")), (482, "399 rm-1 \"loop\""));
}

#[test]
fn a_copy_that_came_by_another_way_is_482_and_a_spiral_is_not() {
    let mut world = World::new();
    let first = invite("18005550100", "m");
    let copy = |branch: &str| first.replace("branch=z9hG4bKm", &format!("branch=z9hG4bK{branch}"));
    world.udp(CALLER, &first);
    let forwarded = world.take(MCP1);
    world.udp("10.0.0.2:5091", &copy("other"));
    let answer = world.take("10.0.0.2:5091");
    assert_eq!((status(&answer), header(&answer, "Warning")), (482, "399 rm-1 \"merged\""));
    assert!(world.try_take(MCP2).is_none() && world.records.is_empty());
    // back from a proxy that has changed the Request-URI: our Via is below its own
    let via = all(&forwarded, "Via")[0];
    let below = format!("branch=z9hG4bKspiral\r\nVia: {via}");
    let spiral = first.replacen("branch=z9hG4bKm", &below, 1).replacen(
        "INVITE sip:18005550100@",
        "INVITE sip:18005550200@",
        1,
    );
    world.udp(CALLER, &spiral);
    let second = world.take(MCP2);
    assert_eq!(all(&second, "Via").len(), 3);
    // once the first was refused, whoever sent it may try again by another way
    world.udp(MCP2, &crate::world::reply(&second, 603, "t", ""));
    world.udp(MCP1, &crate::world::reply(&forwarded, 603, "t", ""));
    world.take(CALLER);
    world.udp("10.0.0.2:5091", &copy("again"));
    assert!(world.try_take(MCP1).is_some_and(|text| text.starts_with("ACK ")));
    assert!(world.try_take(MCP1).is_some_and(|text| text.starts_with("INVITE ")));
}

#[test]
fn message_goes_to_one_resource_without_session_or_record() {
    let mut world = World::new();
    let text = request("MESSAGE", "sip:18005550100@10.0.0.5", "Max-Forwards: 70\r\n");
    world.udp(CALLER, &text);
    let forwarded = world.take(MCP1);
    assert!(forwarded.starts_with("MESSAGE sip:dialog@10.0.0.11:5070;voicexml="), "{forwarded}");
    assert!(!forwarded.contains("Record-Route") && !forwarded.contains("X-Genesys-GVP"));
    world.udp(MCP1, &crate::world::reply(&forwarded, 202, "m", ""));
    assert_eq!(status(&world.take(CALLER)), 202);
    assert_eq!((world.proxy.status().sessions, world.records.len()), (0, 0));
    // OPTIONS to a number goes through likewise
    world.udp(CALLER, &request("OPTIONS", "sip:18005550100@10.0.0.5", ""));
    assert!(world.try_take(MCP2).is_none(), "the harness answers it as a probe");
    assert_eq!(status(&world.take(CALLER)), 200);
}

#[test]
fn garbage_is_answered_or_dropped_and_counted() {
    let mut world = World::new();
    let whole = invite("18005550100", "g");
    for cut in 0..whole.len() {
        world.udp(CALLER, &whole[..cut]);
    }
    world.udp(CALLER, "\0\u{1}\u{2}garbage");
    world.udp(CALLER, "SIP/2.0 200 OK\r\n\r\n");
    assert!(world.proxy.counters().parse_errors["UDP"] > 100);
    let answered: Vec<String> = std::iter::from_fn(|| world.try_take(CALLER)).collect();
    let malformed: Vec<_> = answered.iter().filter(|one| one.starts_with("SIP/2.0 4")).collect();
    assert!(!malformed.is_empty());
    for answer in &malformed {
        assert_eq!(header(answer, "Warning"), "399 rm-1 \"malformed\"", "{answer}");
        assert_eq!(header(answer, "Server"), "Ringmaster");
    }
    let counted = world.proxy.counters().answers.iter();
    let counted: u64 = counted.filter(|((_, why), _)| *why == "malformed").map(|(_, n)| n).sum();
    assert_eq!(counted, u64::try_from(malformed.len()).unwrap());
    assert!(world.has_log(20101));
    let mut up = world.up("18005550100", "still");
    assert!(world.hang_up(&mut up, "b").is_some());
}

#[test]
fn requests_on_the_monitor_listener_are_refused() {
    let mut world = World::new();
    let flow = sip::transport::Flow {
        transport: sip::transport::Transport::Udp,
        listener: 2,
        remote: crate::world::address(CALLER),
        conn: None,
    };
    world.packet(flow, &invite("18005550100", "m"));
    assert_eq!(status(&world.take(CALLER)), 403);
}

#[test]
fn a_broken_stream_and_a_stray_cancel_are_answered_by_name_and_counted() {
    let mut world = World::new();
    let flow = sip::transport::Flow {
        transport: sip::transport::Transport::Tcp,
        listener: 1,
        remote: crate::world::address("10.0.0.2:40000"),
        conn: Some(sip::transport::ConnId(4)),
    };
    let bytes = request("INVITE", "sip:1@10.0.0.5", "Content-Length: -1\r\n");
    let mut framer = sip::stream::Framer::new(sip::limits::Limits::DEFAULT);
    framer.push(bytes.as_bytes());
    let error = framer.next_frame().unwrap_err().0;
    world.input(Input::Broken { flow, bytes: framer.rest(), error });
    let answer = world.take_flow("10.0.0.2:40000").unwrap();
    assert_eq!((answer.flow, status(&answer.text)), (flow, 400));
    assert_eq!(header(&answer.text, "Warning"), "399 rm-1 \"malformed\"");
    assert_eq!(header(&answer.text, "Server"), "Ringmaster");
    assert_eq!(world.proxy.counters().parse_errors["TCP"], 1);
    assert!(world.has_log(20101), "the log says why the stream was closed");

    world.udp(CALLER, &request("CANCEL", "sip:1@10.0.0.5", ""));
    let answer = world.take(CALLER);
    assert_eq!((status(&answer), header(&answer, "Server")), (481, "Ringmaster"));
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"no-dialog\"");
    assert_eq!(world.proxy.counters().answers[&(481, "no-dialog")], 1);
}

/// `proxy/sip.headerutf8verification`: of the head, not of the body.
#[test]
fn a_head_that_is_no_text() {
    let cases = [
        (false, "Subject: ", true),
        (true, "Subject: ", false),
        (true, "v=0", true),
        (true, "nowhere", true),
    ];
    for (wanted, place, passes) in cases {
        let mut documents = objects();
        documents.as_array_mut().unwrap().push(serde_json::json!(
            {"kind": "Application", "name": "rm-1", "spec": {"type": "resource-manager",
                "options": {"proxy": {"sip.headerutf8verification": wanted}}}}));
        let mut world = World::with(&documents, settings());
        let text = invite("18005550100", "u").replacen("Content-T", "Subject: x\r\nContent-T", 1);
        let mut bytes = text.clone().into_bytes();
        if let Some(at) = text.find(place) {
            bytes[at + place.len()] = 0xE9;
        }
        let remote = crate::world::address(CALLER);
        let transport = sip::transport::Transport::Udp;
        let flow = sip::transport::Flow { transport, listener: 0, remote, conn: None };
        let packet = Input::Packet { flow, bytes: &bytes, age: std::time::Duration::ZERO };
        world.proxy.handle_input(world.now, packet);
        assert_eq!(world.proxy.status().legs, usize::from(passes), "{wanted} {place}");
        if !passes {
            world.fire();
            let answer = world.take(CALLER);
            assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
            assert_eq!(header(&answer, "Warning"), "399 rm-1 \"malformed\"");
        }
    }
}
