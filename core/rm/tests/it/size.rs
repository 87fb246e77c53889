//! The rule of size (rm.md §1.2, RFC 3261 §18.1.1) for all that is passed on, and what is too large
//! for any way (scenario 56).

use std::time::Duration;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, address, all, header, invite, objects, reply, settings,
};
use rm::Input;
use sip::transport::{ConnId, Flow, Transport};

/// More than a datagram takes with what we add, and less than a message may have.
const HUGE: usize = 64_900;

/// The same message with a body of so many bytes.
fn with_body(text: &str, bytes: usize) -> String {
    let head = text.split("Content-Length").next().unwrap();
    format!("{head}Content-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
}

fn message(call: &str, bytes: usize) -> String {
    with_body(&invite("18005550100", call).replace("INVITE", "MESSAGE"), bytes)
}

/// The same message with as large a body as makes so many bytes.
fn of_size(text: &str, bytes: usize) -> String {
    let head = text.split("Content-Length").next().unwrap();
    with_body(text, bytes - head.len() - "Content-Length: 65000\r\n\r\n".len())
}

/// Where a message of any size comes from.
fn stream(remote: &str, conn: u64) -> Flow {
    let conn = Some(ConnId(conn));
    Flow { transport: Transport::Tcp, listener: 1, remote: address(remote), conn }
}

/// One media server at this address.
fn one_server(uri: &str) -> World {
    let mut documents = objects();
    documents[3]["spec"]["resources"] =
        serde_json::json!([{"name": "mcp-1", "address": uri, "dbid": 310}]);
    World::with(&documents, settings())
}

/// A call that is up on `mcp-1`; the Contacts of both sides have these parameters.
fn up(world: &mut World, call: &str, parameters: &str) -> (Dialog, Dialog) {
    let contact = format!("<sip:10.0.0.2:5090{parameters}>");
    world.udp(CALLER, &invite("18005550100", call).replace("<sip:10.0.0.2:5090>", &contact));
    let sent = world.take(MCP1);
    let own = format!("<sip:mcp@{MCP1}{parameters}>");
    world.udp(MCP1, &reply(&sent, 200, "t", &format!("Contact: {own}\r\n")));
    let mut caller = Dialog::of_caller(&world.take(CALLER));
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", &format!("a{call}")));
    world.take(MCP1);
    (caller, Dialog::of_callee(&sent, "t", &own))
}

/// What is sent next to this address, and by which transport.
fn by(world: &mut World, to: &str) -> Transport {
    let sent = world.take_flow(to).expect("a message is on the wire");
    let via = header(&sent.text, "Via");
    assert!(via.starts_with(&format!("SIP/2.0/{} ", sent.flow.transport)), "{via}");
    sent.flow.transport
}

/// Every kind of request, both ways inside a dialog, small and large, with and without a stated
/// transport.
#[test]
fn size_chooses_the_transport_of_every_request_that_states_none() {
    for (parameters, bytes, expected) in [
        ("", 100, Transport::Udp),
        ("", 1_500, Transport::Tcp),
        (";transport=udp", 1_500, Transport::Udp),
        (";transport=tcp", 100, Transport::Tcp),
    ] {
        let mut world = one_server(&format!("sip:{MCP1}{parameters}"));
        world.alive.clear();
        world.udp(CALLER, &with_body(&invite("18005550100", "i"), bytes));
        assert_eq!(by(&mut world, MCP1), expected, "INVITE {parameters} {bytes}");
        world.udp(CALLER, &message("m", bytes));
        assert_eq!(by(&mut world, MCP1), expected, "MESSAGE {parameters} {bytes}");

        for (number, method) in ["INFO", "INVITE", "UPDATE", "ACK", "BYE"].iter().enumerate() {
            let mut world = World::new();
            let (mut caller, mut callee) = up(&mut world, "d", parameters);
            let branch = format!("s{number}");
            let text = with_body(&caller.request(method, "10.0.0.2:5090", &branch), bytes);
            world.udp(CALLER, &text);
            assert_eq!(by(&mut world, MCP1), expected, "{method} {parameters} {bytes}");
            world.udp(MCP1, &with_body(&callee.request(method, MCP1, &branch), bytes));
            assert_eq!(by(&mut world, CALLER), expected, "{method} back {parameters} {bytes}");
        }
    }
}

/// TCP for size is refused inside a dialog: UDP at once, and for ten minutes whatever goes there.
#[test]
fn a_next_hop_that_refuses_tcp_is_served_by_udp() {
    for method in ["INFO", "INVITE", "BYE"] {
        let mut world = World::new();
        let (mut caller, _) = up(&mut world, "r", "");
        let large = |dialog: &mut Dialog, method: &str, branch: &str| {
            with_body(&dialog.request(method, "10.0.0.2:5090", branch), 2_000)
        };
        world.udp(CALLER, &large(&mut caller, method, "one"));
        let first = world.take_flow(MCP1).unwrap();
        assert_eq!(first.flow.transport, Transport::Tcp);
        world.input(Input::ConnectFailed { flow: first.flow });
        let second = world.take_flow(MCP1).unwrap();
        assert_eq!(second.flow.transport, Transport::Udp, "{method}");
        assert_ne!(header(&first.text, "Via"), header(&second.text, "Via"), "another branch");
        assert!(second.text.ends_with(&"x".repeat(2_000)));
        world.udp(MCP1, &reply(&second.text, 200, "", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{method}");
        let logs: Vec<_> = world.logs.iter().filter(|(id, _)| *id == 20117).collect();
        assert_eq!(logs.len(), 1);
        assert_eq!(logs[0].1, [("target", MCP1.to_owned())]);
        if method == "BYE" {
            continue;
        }
        world.udp(CALLER, &large(&mut caller, "INFO", "two"));
        assert_eq!(by(&mut world, MCP1), Transport::Udp, "remembered");
        world.run(Duration::from_secs(601));
        while world.try_take(MCP1).is_some() {}
        world.udp(CALLER, &large(&mut caller, "INFO", "three"));
        assert_eq!(by(&mut world, MCP1), Transport::Tcp, "for ten minutes");
    }
}

/// The same outside dialogs: no failed try, and known for calls to that resource too.
#[test]
fn a_resource_that_refuses_tcp_is_served_by_udp() {
    let mut world = one_server("sip:10.0.0.11:5070");
    world.udp(CALLER, &message("m", 2_000));
    let first = world.take_flow(MCP1).unwrap();
    assert_eq!(first.flow.transport, Transport::Tcp);
    world.input(Input::ConnectFailed { flow: first.flow });
    let second = world.take_flow(MCP1).unwrap();
    assert_eq!(second.flow.transport, Transport::Udp);
    world.udp(MCP1, &reply(&second.text, 200, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.resources()[0].state, "healthy", "no failed try");
    let logs: Vec<_> = world.logs.iter().filter(|(id, _)| *id == 20117).collect();
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].1, [("resource", "mcp-1".to_owned())]);
    world.udp(CALLER, &with_body(&invite("18005550100", "i"), 2_000));
    assert_eq!(by(&mut world, MCP1), Transport::Udp);
}

/// Nobody waits for an answer to an ACK: the next one, which the repeated 2xx brings, goes by UDP.
#[test]
fn an_ack_whose_tcp_was_refused_goes_by_udp_the_next_time() {
    let mut world = World::new();
    let (mut caller, _) = up(&mut world, "k", "");
    let ack = |caller: &mut Dialog, branch: &str| {
        with_body(&caller.request("ACK", "10.0.0.2:5090", branch), 2_000)
    };
    world.udp(CALLER, &ack(&mut caller, "one"));
    let first = world.take_flow(MCP1).unwrap();
    assert_eq!(first.flow.transport, Transport::Tcp);
    // an old connection that closes says nothing
    world.input(Input::FlowFailed { flow: Flow { conn: Some(ConnId(3)), ..first.flow } });
    world.udp(CALLER, &ack(&mut caller, "two"));
    assert_eq!(by(&mut world, MCP1), Transport::Tcp);
    world.input(Input::ConnectFailed { flow: first.flow });
    world.udp(CALLER, &ack(&mut caller, "three"));
    assert_eq!(by(&mut world, MCP1), Transport::Udp);
}

/// No way is left for it: 513, whatever the request, and nothing is sent.
#[test]
fn what_no_way_can_carry_is_513() {
    let mut world = one_server("sip:10.0.0.11:5070;transport=udp");
    let caller = stream(CALLER, 1);
    let refused = |world: &mut World, text: &str| {
        world.packet(caller, text);
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"too-large\"");
        assert!(world.try_take(MCP1).is_none());
    };
    refused(&mut world, &with_body(&invite("18005550100", "i"), HUGE));
    assert_eq!((world.ends().len(), &world.ends()[0]["reason"]), (1, &"too-large".into()));
    assert_eq!(world.proxy.status().legs, 0);
    refused(&mut world, &message("m", HUGE));

    let mut world = World::new();
    let (mut dialog, _) = up(&mut world, "d", ";transport=udp");
    for method in ["INFO", "INVITE"] {
        refused(&mut world, &with_body(&dialog.request(method, CALLER, method), HUGE));
    }
    world.packet(caller, &with_body(&dialog.request("ACK", CALLER, "ack"), HUGE));
    assert!(world.try_take(MCP1).is_none());
    assert_eq!(world.proxy.counters().dropped["too-large"], 1);
    assert_eq!(world.proxy.status().transactions_pending, 0);
    // the call is none the worse for it
    world.udp(CALLER, &dialog.request("BYE", "10.0.0.2:5090", "bye"));
    let bye = world.take(MCP1);
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
}

/// The connect to this server is refused: what was sent there went by TCP.
fn refuse(world: &mut World, server: &str) {
    let sent = world.take_flow(server).expect("it is tried");
    assert_eq!(sent.flow.transport, Transport::Tcp);
    world.input(Input::ConnectFailed { flow: sent.flow });
}

/// Whose reason word the answer has.
fn warned(answer: &str) -> &str {
    header(answer, "Warning").split('"').nth(1).unwrap()
}

/// Too large for UDP, and TCP is refused: no failed try, and the next one, which may speak TCP, is
/// asked; only when nobody is left is the request too large.
#[test]
fn a_server_for_which_a_request_is_too_large_is_passed_over() {
    type Text = fn(&str) -> String;
    let call: Text = |call| with_body(&invite("18005550100", call), HUGE);
    let other: Text = |call| message(call, HUGE);
    for (text, kind) in [(call, "INVITE"), (other, "MESSAGE")] {
        let mut world = World::new();
        world.alive.clear();
        world.packet(stream(CALLER, 1), &text("none"));
        refuse(&mut world, MCP1);
        refuse(&mut world, MCP2);
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 513 "), "{kind} {answer}");
        assert_eq!(warned(&answer), "too-large");
        let healthy = |world: &World| {
            world.proxy.resources().iter().all(|one| one.state == "healthy" && one.used == 0)
        };
        assert!(healthy(&world), "{kind}");
        assert_eq!(world.proxy.status().transactions_pending, 0);
        // both are known now, and nothing is sent
        world.packet(stream(CALLER, 1), &text("known"));
        assert!(world.take(CALLER).starts_with("SIP/2.0 513 "), "{kind}");
        assert!(world.try_take(MCP1).is_none() && world.try_take(MCP2).is_none());
        assert!(healthy(&world), "{kind}");
        // what a datagram takes goes by one
        world.udp(CALLER, &with_body(&text("small"), 2_000));
        let sent = world.take_flow(MCP1).or_else(|| world.take_flow(MCP2)).unwrap();
        assert_eq!(sent.flow.transport, Transport::Udp, "{kind}");

        let mut world = World::new();
        world.alive.clear();
        world.packet(stream(CALLER, 1), &text("one"));
        refuse(&mut world, MCP1);
        let sent = world.take_flow(MCP2).unwrap();
        let server = Flow { conn: Some(ConnId(2)), ..sent.flow };
        world.packet(server, &reply(&sent.text, 200, "t", &format!("Contact: <sip:m@{MCP2}>\r\n")));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{kind}");
        let tries = world.proxy.counters().tries.get("mcp");
        assert_eq!(tries.and_then(|tries| tries.get("mcp-1")), None, "{kind}: no try");
        if kind == "INVITE" {
            assert_eq!(world.phase("start")[0]["resource"]["name"], "mcp-2");
            assert_eq!(world.phase("start")[0]["resource"]["attempts"], 1);
        }
    }
    // inside a dialog there is nowhere else to go
    let mut world = World::new();
    let (mut dialog, _) = up(&mut world, "d", "");
    world.packet(stream(CALLER, 1), &with_body(&dialog.request("INFO", CALLER, "i"), HUGE));
    refuse(&mut world, MCP1);
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
}

/// More servers than may be tried, none of which speaks TCP but the last: those were no tries.
#[test]
fn passing_over_uses_up_no_tries() {
    let mut documents = objects();
    let server = |number: u32, tail: &str| {
        let address = format!("sip:10.0.0.{}:5070{tail}", 10 + number);
        let name = format!("mcp-{number}");
        serde_json::json!({"name": name, "address": address, "dbid": 309 + number})
    };
    let servers: Vec<_> = (1..=9).map(|number| server(number, ";transport=udp")).collect();
    documents[3]["spec"]["resources"] = serde_json::json!(servers);
    documents[3]["spec"]["resources"][8] = server(9, ";transport=tcp");
    let mut world = World::with(&documents, settings());
    world.packet(stream(CALLER, 1), &with_body(&invite("18005550100", "i"), HUGE));
    let sent = world.take_flow("10.0.0.19:5070").expect("the one that takes it");
    assert_eq!(sent.flow.transport, Transport::Tcp);
    assert_eq!(world.proxy.resources().iter().map(|one| one.used).sum::<usize>(), 1);
}

/// A stream that stood and breaks is a failure like any (rm.md §7.8): nothing says that the server
/// refuses TCP, and it may have the request.
#[test]
fn a_stream_that_stood_and_broke_is_no_refusal() {
    let mut world = World::new();
    world.alive.clear();
    world.udp(CALLER, &with_body(&invite("18005550100", "i"), 2_000));
    let first = world.take_flow(MCP1).unwrap();
    assert_eq!(first.flow.transport, Transport::Tcp);
    world.input(Input::FlowFailed { flow: first.flow });
    assert!(world.try_take(MCP1).is_none_or(|text| text.starts_with("OPTIONS ")), "no INVITE");
    assert_eq!(by(&mut world, MCP2), Transport::Tcp);
    assert_eq!(world.proxy.resources()[0].state, "quarantined");
    assert!(!world.has_log(20117));

    let mut world = one_server("sip:10.0.0.11:5070");
    world.alive.clear();
    world.udp(CALLER, &message("m", 2_000));
    let first = world.take_flow(MCP1).unwrap();
    world.input(Input::FlowFailed { flow: first.flow });
    assert_eq!(warned(&world.take(CALLER)), "hunt-failed");
    assert!(!world.has_log(20117));

    let mut world = World::new();
    let (mut dialog, _) = up(&mut world, "d", "");
    world.udp(CALLER, &with_body(&dialog.request("INFO", "10.0.0.2:5090", "i"), 2_000));
    let first = world.take_flow(MCP1).unwrap();
    world.input(Input::FlowFailed { flow: first.flow });
    assert_eq!(warned(&world.take(CALLER)), "next-hop");
    assert!(world.try_take(MCP1).is_none() && !world.has_log(20117));
}

/// A call to a server that answers by TCP: what it says, and who asked.
fn asked(caller: Flow, text: &str) -> (World, Flow, String) {
    let mut world = one_server("sip:10.0.0.11:5070;transport=tcp");
    world.packet(caller, text);
    let sent = world.take_flow(MCP1).unwrap();
    let server = Flow { conn: Some(ConnId(2)), ..sent.flow };
    (world, server, sent.text)
}

/// An answer that no datagram takes ends the call where it was taken, and says so to who asked.
#[test]
fn an_answer_that_is_too_large_for_the_caller_is_500() {
    let udp = Flow { transport: Transport::Udp, listener: 0, ..stream(CALLER, 0) };
    let udp = Flow { conn: None, ..udp };
    let contact = "Contact: <sip:mcp@10.0.0.11:5070;transport=tcp>\r\n";
    let (mut world, server, sent) = asked(udp, &invite("18005550100", "i"));
    world.packet(server, &of_size(&reply(&sent, 183, "t", contact), 65_001));
    assert!(world.try_take(CALLER).is_none());
    assert_eq!(world.proxy.counters().dropped["too-large"], 1);
    world.packet(server, &of_size(&reply(&sent, 200, "t", contact), 65_001));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 500 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"too-large\"");
    assert!(world.take(MCP1).starts_with("ACK "));
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE "), "{bye}");
    world.packet(server, &reply(&bye, 200, "", ""));
    assert_eq!((world.ends().len(), &world.ends()[0]["reason"]), (1, &"too-large".into()));
    assert_eq!(world.proxy.resources()[0].used, 0);
    assert_eq!(world.proxy.counters().tries["mcp"]["mcp-1"]["placed"], 1);

    // a failure of that size too, whatever it says
    for code in [401, 404, 603] {
        let (mut world, server, sent) = asked(udp, &invite("18005550100", "f"));
        world.packet(server, &of_size(&reply(&sent, code, "t", ""), 65_001));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 500 "), "{code} {answer}");
        assert_eq!(warned(&answer), "too-large");
        assert_eq!(world.ends()[0]["reason"], "too-large");
    }

    let (mut world, server, sent) = asked(udp, &message("m", 4));
    world.packet(server, &of_size(&reply(&sent, 200, "t", ""), 65_001));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 500 "), "{answer}");
    assert_eq!(world.proxy.status().transactions_pending, 0);
}

/// Who asked by a stream gets it whole.
#[test]
fn a_caller_on_a_stream_gets_answers_of_any_size() {
    let caller = stream(CALLER, 1);
    let contact = "Contact: <sip:mcp@10.0.0.11:5070;transport=tcp>\r\n";
    let (mut world, server, sent) = asked(caller, &invite("18005550100", "s"));
    for code in [183, 200] {
        world.packet(server, &of_size(&reply(&sent, code, "t", contact), 65_536));
        let answer = world.take(CALLER);
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{code}");
        assert_eq!(all(&answer, "Via").len(), 1);
        assert!(answer.ends_with(&"x".repeat(64_000)));
    }
}

/// The answer to a BYE waits for its record whatever becomes of it.
#[test]
fn a_too_large_answer_to_a_bye_is_held_like_any() {
    let mut world = World::new();
    let (mut dialog, _) = up(&mut world, "h", ";transport=tcp");
    world.disk = false;
    world.udp(CALLER, &dialog.request("BYE", "10.0.0.2:5090", "bye"));
    let bye = world.take_flow(MCP1).unwrap();
    let server = Flow { conn: Some(ConnId(2)), ..bye.flow };
    world.packet(server, &of_size(&reply(&bye.text, 200, "", ""), 65_536));
    assert!(world.try_take(CALLER).is_none());
    let no = world.made;
    world.input(Input::Durable { no });
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "));
    assert_eq!(world.ends()[0]["end_state"], "USER_END");
}
