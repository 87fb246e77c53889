//! Requests without session, such as MESSAGE (rm.md §1.5).

use std::time::Duration;

use crate::world::{CALLER, MCP1, MCP2, World, address, header, invite, objects, reply, settings};
use rm::{Input, NodeState};
use sip::locate::{Choice, Failure, Goal, Targets};
use sip::transport::Transport;
use sip::uri::Uri;

/// RFC 4320: nothing but 100 before the end, no 408, and nothing at all where nobody answers.
#[test]
fn no_provisional_answer_no_408_and_silence_for_silence() {
    for statuses in [&[100, 183][..], &[408], &[]] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "m").replace("INVITE", "MESSAGE"));
        let sent = world.take(MCP1);
        for status in statuses {
            world.udp(MCP1, &reply(&sent, *status, "t", ""));
        }
        world.run(Duration::from_secs(70));
        assert_eq!(world.try_take(CALLER), None, "{statuses:?}");
        assert_eq!(world.proxy.status().transactions_pending, 0, "{statuses:?}");
    }
}

fn message(call: &str) -> String {
    invite("18005550100", call).replace("INVITE", "MESSAGE")
}

/// One media server, which answers no probes once it is alive, so that only requests judge it.
fn one_server(uri: &str) -> World {
    let mut documents = objects();
    documents[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": uri, "capacity": 500, "dbid": 310}]);
    let mut world = World::with(&documents, settings());
    world.alive.clear();
    world
}

/// The table of rm.md §7.8 holds for what is no call too: what an answer says of its resource, and
/// what the sender gets.
#[test]
fn an_answer_judges_the_resource_as_in_a_call() {
    for (status, extra, state, told) in [
        (200, "", "healthy", "200"),
        (404, "", "healthy", "404"),
        (408, "", "quarantined", ""),
        (480, "", "full", "480"),
        (486, "", "full", "486"),
        (500, "", "quarantined", "500"),
        (501, "", "healthy", "501"),
        (502, "", "quarantined", "502"),
        (503, "", "quarantined", "480"),
        (503, "Retry-After: 5\r\n", "full", "480"),
        (504, "", "quarantined", "504"),
        (603, "", "healthy", "603"),
    ] {
        let mut world = one_server("sip:10.0.0.11:5070");
        world.udp(CALLER, &message("m"));
        let sent = world.take(MCP1);
        world.udp(MCP1, &reply(&sent, status, "t", extra));
        assert_eq!(world.proxy.resources()[0].state, state, "{status} {extra}");
        let answer = world.try_take(CALLER).unwrap_or_default();
        let code = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(code, told, "{status} {extra}");
    }
}

/// Failures in a row double the quarantine; a 2xx makes the next one the first again.
#[test]
fn a_good_answer_resets_the_failures() {
    let lasts = |world: &mut World| {
        let mut seconds = 0;
        while world.proxy.resources()[0].state == "quarantined" {
            world.run(Duration::from_secs(1));
            world.input(Input::State(NodeState::Ready));
            seconds += 1;
        }
        seconds
    };
    let answered = |world: &mut World, call: &str, status: u16| {
        world.udp(CALLER, &message(call));
        let sent = world.take(MCP1);
        world.udp(MCP1, &reply(&sent, status, "t", ""));
        while world.try_take(CALLER).is_some() {}
    };
    let mut documents = objects();
    documents[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": "sip:10.0.0.11:5070", "dbid": 310}]);
    documents[3]["spec"]["monitor"] = serde_json::json!({"method": "none"});
    let mut world = World::with(&documents, settings());
    answered(&mut world, "a", 500);
    let first = lasts(&mut world);
    answered(&mut world, "b", 500);
    let second = lasts(&mut world);
    assert!(first > 0 && second > first, "{first} {second}");
    answered(&mut world, "c", 200);
    answered(&mut world, "d", 500);
    assert_eq!(lasts(&mut world), first);
}

/// Silence is quarantined, and so is a way that is broken; who sent it is told of the latter.
#[test]
fn a_resource_that_says_nothing_is_quarantined() {
    let mut world = one_server("sip:10.0.0.11:5070");
    world.udp(CALLER, &message("t"));
    world.take(MCP1);
    world.run(Duration::from_secs(31));
    assert_ne!(world.proxy.resources()[0].last_error.as_deref(), Some("timeout"));
    world.run(Duration::from_secs(1));
    assert_eq!(world.proxy.resources()[0].last_error.as_deref(), Some("timeout"));
    assert_eq!(world.try_take(CALLER), None);

    let mut world = one_server("sip:10.0.0.11:5070");
    world.udp(CALLER, &message("f"));
    let flow = world.take_flow(MCP1).unwrap().flow;
    world.input(Input::FlowFailed { flow });
    assert_eq!(world.proxy.resources()[0].state, "quarantined");
    assert!(world.take(CALLER).starts_with("SIP/2.0 480 "));
}

/// One media server with a host name that leads to two addresses.
fn two_addresses() -> World {
    const NAME: &str = "sip:mcp.voice.test";
    let mut documents = objects();
    documents[3]["spec"]["resources"] =
        serde_json::json!([{"name": "mcp-1", "address": NAME, "dbid": 310}]);
    let mut world = World::cold(&documents, settings());
    world.ready();
    let choice = |(rank, remote): (u32, &str)| Choice {
        transport: Transport::Udp,
        rank,
        weight: 0,
        addresses: vec![address(remote)],
    };
    let found = Targets::of((0..).zip([MCP1, MCP2]).map(choice).collect()).ok_or(Failure::Nothing);
    let goal = Goal::of_uri(&Uri::parse(NAME).unwrap()).unwrap();
    world.input(Input::Resolved { goal, found, ttl: Duration::from_secs(300) });
    world.run(Duration::from_secs(1));
    // an answered probe would say that the first one is back
    world.alive = vec![address(MCP2)];
    world
}

/// RFC 3263 §4.3 as for a call: the resource has failed when all its addresses have.
#[test]
fn the_next_address_of_the_resource_is_asked() {
    for fails in [true, false] {
        let mut world = two_addresses();
        world.udp(CALLER, &message("n"));
        let first = world.take_flow(MCP1).unwrap();
        if fails {
            world.input(Input::FlowFailed { flow: first.flow });
        } else {
            world.run(Duration::from_millis(15_999));
            assert!(world.try_take(MCP2).is_none(), "its share of 32 s");
            world.run(Duration::from_millis(1));
        }
        let second = world.take_flow(MCP2).expect("it goes on");
        let uri = |text: &str| text.lines().next().unwrap().to_owned();
        assert_eq!(uri(&first.text), uri(&second.text));
        assert_ne!(header(&first.text, "Via"), header(&second.text, "Via"), "another branch");
        world.udp(MCP2, &reply(&second.text, 200, "t", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
        let why = if fails { "transport" } else { "timeout" };
        assert_eq!(world.proxy.counters().address_failovers[why], 1);
        assert_eq!(world.proxy.resources()[0].state, "healthy", "{why}");
        // the silent address stands behind the other one now
        world.wire.clear();
        world.udp(CALLER, &message("again"));
        assert!(world.try_take(MCP1).is_none() && world.try_take(MCP2).is_some());
    }
    let mut world = two_addresses();
    world.udp(CALLER, &message("both"));
    for server in [MCP1, MCP2] {
        let flow = world.take_flow(server).unwrap().flow;
        world.input(Input::FlowFailed { flow });
    }
    assert!(world.take(CALLER).starts_with("SIP/2.0 480 "));
    assert_eq!(world.proxy.resources()[0].state, "quarantined");
}

/// Who has answered is the one: nobody else is asked although its answer is a failure.
#[test]
fn an_answer_is_an_answer() {
    let mut world = two_addresses();
    world.udp(CALLER, &message("x"));
    let sent = world.take(MCP1);
    world.udp(MCP1, &reply(&sent, 100, "t", ""));
    // it has its time, not the share of an address that may be away
    world.run(Duration::from_secs(30));
    world.udp(MCP1, &reply(&sent, 500, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "));
    assert!(world.try_take(MCP2).is_none());
}

/// Scenario 59: permissions hold for what is no call, limits do not; questions ask for neither.
#[test]
fn permissions_hold_and_limits_do_not() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!({"usage_limit": 1});
    let mut world = World::with(&documents, settings());
    world.up("18005550100", "full");
    world.udp(CALLER, &invite("18005550100", "more"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"usage-limit\"");
    let recorded = world.records.len();
    for method in ["MESSAGE", "FOO"] {
        world.udp(CALLER, &invite("18005550100", method).replace("INVITE", method));
        let to = [MCP1, MCP2].into_iter().find(|to| {
            let has = |sent: &crate::world::Sent| sent.flow.remote == address(to);
            world.wire.iter().any(|sent| has(sent) && sent.text.starts_with(method))
        });
        let to = to.expect("it is passed on");
        let sent = world.take(to);
        world.udp(to, &reply(&sent, 200, "t", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{method}");
    }
    assert_eq!((world.records.len(), world.proxy.status().sessions), (recorded, 1));

    documents[0]["spec"]["policy"] =
        serde_json::json!({"services": {"voicexml": {"allowed": false}}});
    let mut world = World::with(&documents, settings());
    for method in ["MESSAGE", "FOO"] {
        world.udp(CALLER, &invite("18005550100", method).replace("INVITE", method));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 403 "), "{answer}");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"service-forbidden\"");
    }
    assert!(world.records.is_empty(), "no session, no record");
    // a question goes on, and its answer comes back
    let probes = world.probed.len();
    world.udp(CALLER, &invite("18005550100", "q").replace("INVITE", "OPTIONS"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    let asked = &world.probed[probes..];
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].listener, 0, "not a probe of our own");
}

/// What names a conference or a dialog goes where that is, whether there is room or not; what names
/// none goes where the turn is.
#[test]
fn what_names_a_conference_or_a_dialog_goes_where_it_is() {
    let mut world = World::with(&objects(), settings());
    let first = world.up("18005550100", "first");
    assert_eq!(first.server, MCP1);
    let uri = |user: &str| format!("sip:{user}@10.0.0.5;gvp-tenant-id=acme ");
    let to =
        |user: &str, call: &str| invite("1", call).replacen("sip:1@10.0.0.5:5060 ", &uri(user), 1);
    world.udp(CALLER, &to("conf=Team", "leg").replacen(";gvp", ";confmaxsize=1;gvp", 1));
    let sent = world.take(MCP2);
    world.udp(MCP2, &reply(&sent, 200, "t", "Contact: <sip:mcp@10.0.0.12:5070>\r\n"));
    world.take(CALLER);
    for (at, method) in ["MESSAGE", "NEWMETHOD"].into_iter().enumerate() {
        for user in ["conf=Team", "conf=%54eam"] {
            let call = format!("c{at}{}", user.len());
            world.udp(CALLER, &to(user, &call).replace("INVITE", method));
            assert!(world.take(MCP2).starts_with(&format!("{method} ")), "{user}");
        }
        let tag = |party: &str| party.split(";tag=").nth(1).unwrap().to_owned();
        let (local, remote) = (tag(&first.callee.local), tag(&first.callee.remote));
        let id = &first.callee.call_id;
        let line = format!("Target-Dialog: {id};local-tag={local};remote-tag={remote}\r\nCSeq");
        let named = invite("18005550100", &format!("d{at}")).replacen("CSeq", &line, 1);
        world.udp(CALLER, &named.replace("INVITE", method));
        assert!(world.take(MCP1).starts_with(&format!("{method} ")));
    }
    let went = ["o1", "o2"].map(|call| {
        world.udp(CALLER, &to("conf=Other", call).replace("INVITE", "MESSAGE"));
        [MCP1, MCP2].into_iter().find(|server| world.try_take(server).is_some()).unwrap()
    });
    assert_ne!(went[0], went[1]);
}
