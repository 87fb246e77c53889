//! Host names of resources and of next hops (RFC 3263, rm.md §1.2).

use std::time::Duration;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, address, header, invite, objects, reply, settings,
};
use rm::Input;
use sip::locate::{Choice, Failure, Goal, Target, Targets};
use sip::transport::{ConnId, Flow, Transport};
use sip::uri::Uri;

const NAME: &str = "sip:mcp.voice.test";

/// Example 1 with one resource, which has a host name; others answer no probes.
fn named() -> World {
    let mut objects = objects();
    objects[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": NAME, "capacity": 500, "dbid": 310}]);
    let mut world = World::cold(&objects, settings());
    world.ready();
    world
}

/// The name service says that a name leads to these, in the order of priority.
pub(crate) fn resolve(world: &mut World, name: &str, remotes: &[&str], ttl: u64) {
    let choice = |(rank, remote): (u32, &&str)| Choice {
        transport: Transport::Udp,
        rank,
        weight: 0,
        addresses: vec![address(remote)],
    };
    let found = Targets::of((0..).zip(remotes).map(choice).collect()).ok_or(Failure::Nothing);
    answer(world, name, found, ttl);
}

pub(crate) fn answer(world: &mut World, name: &str, found: Result<Targets, Failure>, ttl: u64) {
    let goal = Goal::of_uri(&Uri::parse(name).unwrap()).unwrap();
    world.input(Input::Resolved { goal, found, ttl: Duration::from_secs(ttl) });
}

fn state(world: &World) -> &'static str {
    world.proxy.resources()[0].state
}

#[test]
fn a_name_without_address_is_dead_and_lives_when_it_has_one() {
    let mut world = named();
    assert_eq!(world.asked, [NAME]);
    assert_eq!(state(&world), "unknown");
    world.udp(CALLER, &invite("18005550100", "early"));
    assert!(world.take(CALLER).contains("\"resource-dead\""));
    resolve(&mut world, NAME, &[], 0);
    assert_eq!(state(&world), "dead");
    let error = world.proxy.resources()[0].last_error.clone().unwrap();
    assert_eq!(error, "sip:mcp.voice.test: nothing");
    assert!(world.has_log(20118) && world.has_log(20402));
    world.udp(CALLER, &invite("18005550100", "dead"));
    assert!(world.take(CALLER).contains("\"resource-dead\""));

    world.run(Duration::from_secs(5));
    assert_eq!(world.asked, [NAME, NAME], "asked again");
    resolve(&mut world, NAME, &[MCP1], 60);
    world.run(Duration::from_millis(10));
    assert_eq!(state(&world), "healthy");
    world.udp(CALLER, &invite("18005550100", "now"));
    let sent = world.take(MCP1);
    assert!(sent.starts_with("INVITE sip:dialog@mcp.voice.test;"), "{sent}");
}

#[test]
fn a_name_that_nobody_answers_is_dead_after_its_time() {
    let mut world = named();
    world.run(Duration::from_secs(5));
    assert_eq!(state(&world), "dead");
    resolve(&mut world, NAME, &[MCP1], 60);
    assert_eq!(state(&world), "dead", "late answers count for the next question only");
    world.run(Duration::from_secs(5));
    resolve(&mut world, NAME, &[MCP1], 60);
    world.run(Duration::from_millis(10));
    assert_eq!(state(&world), "healthy");
}

#[test]
fn the_second_address_answers_in_the_same_try() {
    let mut world = named();
    resolve(&mut world, NAME, &[MCP1, MCP2], 60);
    world.run(Duration::from_millis(10));
    assert_eq!(state(&world), "healthy");
    world.alive.retain(|one| one.to_string() != MCP1);
    world.udp(CALLER, &invite("18005550100", "s"));
    let first = world.take(MCP1);
    world.run(Duration::from_millis(1999));
    assert!(world.try_take(MCP2).is_none());
    world.run(Duration::from_millis(1));
    let second = world.take(MCP2);
    assert_ne!(header(&first, "Via"), header(&second, "Via"), "another branch");
    assert_eq!(header(&first, "Call-ID"), header(&second, "Call-ID"));
    world.udp(MCP2, &reply(&second, 200, "t", "Contact: <sip:mcp@10.0.0.12:5070>\r\n"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(state(&world), "healthy", "it has answered");
    let start = world.phase("start")[0];
    assert_eq!(start["resource"]["name"], "mcp-1");
    assert_eq!(start["resource"]["attempts"], 1);
    assert_eq!(start["tries"].as_array().unwrap().len(), 1);
    assert_eq!(world.proxy.counters().address_failovers["timeout"], 1);

    // the next call does not wait for the silent one, and probes find out when it is back
    while world.try_take(MCP1).is_some() {}
    world.udp(CALLER, &invite("18005550100", "n"));
    assert!(world.try_take(MCP1).is_none());
    assert!(world.take(MCP2).starts_with("INVITE "));
    world.run(Duration::from_secs(30));
    assert_eq!(state(&world), "healthy", "a probe of the second address counts");
    world.alive.push(address(MCP1));
    world.run(Duration::from_secs(30));
    world.udp(CALLER, &invite("18005550100", "back"));
    assert!(world.take(MCP1).starts_with("INVITE "));
}

#[test]
fn all_addresses_silent_is_one_failed_try_and_a_missed_probe() {
    let mut world = named();
    resolve(&mut world, NAME, &[MCP1, MCP2], 300);
    world.run(Duration::from_millis(10));
    world.alive.clear();
    world.udp(CALLER, &invite("18005550100", "s"));
    world.run(Duration::from_secs(4));
    assert!(world.take(CALLER).contains("\"hunt-failed\""));
    let end = world.ends()[0];
    assert_eq!(end["tries"].as_array().unwrap().len(), 1);
    assert_eq!(state(&world), "quarantined");
    world.run(Duration::from_secs(60));
    assert_eq!(state(&world), "dead");
}

#[test]
fn without_dnsharouting_only_the_first_address_is_tried() {
    let mut objects = objects();
    objects[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": NAME, "capacity": 500, "dbid": 310}]);
    objects.as_array_mut().unwrap().push(serde_json::json!({"kind": "Application", "name": "rm-1",
        "spec": {"type": "resource-manager",
            "options": {"proxy": {"sip.transport.dnsharouting": "false"}}}}));
    let mut world = World::cold(&objects, settings());
    world.ready();
    resolve(&mut world, NAME, &[MCP1, MCP2], 60);
    world.run(Duration::from_millis(10));
    world.alive.retain(|one| one.to_string() != MCP1);
    world.udp(CALLER, &invite("18005550100", "s"));
    world.take(MCP1);
    world.run(Duration::from_secs(2));
    assert!(world.try_take(MCP2).is_none());
    assert!(world.take(CALLER).contains("\"hunt-failed\""));
}

#[test]
fn a_change_of_addresses_keeps_calls_identity_and_trust() {
    let mut world = named();
    resolve(&mut world, NAME, &[MCP1], 10);
    world.run(Duration::from_millis(10));
    let mut up = world.up("18005550100", "c");
    assert_eq!(up.server, MCP1);
    world.run(Duration::from_secs(9));
    assert_eq!(world.asked.len(), 2, "asked again before the answer is old");
    resolve(&mut world, NAME, &[MCP2], 3600);
    assert!(world.has_log(20119));
    world.run(Duration::from_millis(10));
    assert_eq!((state(&world), world.proxy.resources()[0].used), ("healthy", 1));
    // the call that is up stays where it is
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends()[0]["resource"]["name"], "mcp-1");
    world.udp(CALLER, &invite("18005550100", "next"));
    assert!(world.take(MCP2).starts_with("INVITE "));
    // the new address is a declared source, the former one no longer is
    world.udp(MCP2, &invite("18005550100", "in2").replace(CALLER, MCP2));
    assert!(!world.take(MCP2).contains("untrusted-source"));
    world.udp(MCP1, &invite("18005550100", "in1").replace(CALLER, MCP1));
    assert!(world.take(MCP1).starts_with("SIP/2.0 403 "));
    // TTLs above 300 s count as 300 s
    let asked = world.asked.len();
    world.run(Duration::from_secs(271));
    assert_eq!(world.asked.len(), asked + 1);
}

#[test]
fn the_last_addresses_serve_for_an_hour_when_the_service_fails() {
    let mut world = named();
    resolve(&mut world, NAME, &[MCP1], 60);
    world.run(Duration::from_secs(54));
    for _ in 0..360 {
        answer(&mut world, NAME, Err(Failure::Unanswered), 0);
        assert_eq!(state(&world), "healthy");
        world.run(Duration::from_secs(10));
    }
    assert!(world.proxy.names_known().1 > Duration::from_secs(3500));
    world.run(Duration::from_secs(60));
    assert_eq!(state(&world), "dead");
    let told = world.logs.iter().filter(|(id, _)| *id == 20118).count();
    assert_eq!(told, 1, "told once, not with every question");
}

/// A call whose media server names itself by a host.
fn up_with_named_contact(world: &mut World) -> Dialog {
    world.udp(CALLER, &invite("18005550100", "d"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@media.voice.test:5070>\r\n"));
    Dialog::of_caller(&world.take(CALLER))
}

const CONTACT: &str = "sip:media.voice.test:5070";

#[test]
fn requests_inside_a_dialog_wait_for_the_name_of_their_next_hop() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "a"));
    world.udp(CALLER, &caller.request("INFO", "10.0.0.2:5090", "i"));
    assert_eq!(world.asked, [CONTACT], "asked once for both");
    assert!(world.try_take(MCP2).is_none());
    resolve(&mut world, CONTACT, &[MCP2], 60);
    assert!(world.take(MCP2).starts_with("ACK sip:mcp@media.voice.test:5070 "), "in their order");
    let info = world.take(MCP2);
    assert!(info.starts_with("INFO "), "{info}");
    world.udp(MCP2, &reply(&info, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    // known now: nothing waits
    world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", "b"));
    let bye = world.take(MCP2);
    world.udp(MCP2, &reply(&bye, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!((world.asked.len(), world.ends().len()), (1, 1));
}

#[test]
fn a_name_that_leads_nowhere_is_502_and_an_ack_is_dropped() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "a"));
    world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", "b"));
    resolve(&mut world, CONTACT, &[], 0);
    let refused = world.take(CALLER);
    assert!(refused.starts_with("SIP/2.0 502 ") && refused.contains("next-hop"), "{refused}");
    assert_eq!(world.proxy.counters().dropped["next-hop"], 1);
    // at once while the negative answer is fresh, asked again later, and its time is bounded
    world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", "b2"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 502 "));
    world.run(Duration::from_secs(6));
    world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", "b3"));
    assert_eq!(world.asked.len(), 2);
    world.run(Duration::from_secs(5));
    assert!(world.take(CALLER).starts_with("SIP/2.0 502 "), "nobody answered");
}

#[test]
fn a_name_may_not_lead_where_an_address_may_not() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    for (branch, remote) in [("b1", "127.0.0.1:5070"), ("b2", "224.0.0.1:5070")] {
        world.udp(CALLER, &caller.request("BYE", "10.0.0.2:5090", branch));
        resolve(&mut world, CONTACT, &[remote], 1);
        let refused = world.take(CALLER);
        assert!(refused.starts_with("SIP/2.0 403 ") && refused.contains("relay-refused"));
        world.run(Duration::from_secs(2));
    }
}

#[test]
fn a_cancelled_reinvite_that_waits_is_487_and_goes_nowhere() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    let reinvite = caller.request("INVITE", "10.0.0.2:5090", "re");
    world.udp(CALLER, &reinvite);
    let cancel =
        reinvite.replace("INVITE sip:", "CANCEL sip:").replace(" INVITE\r\n", " CANCEL\r\n");
    world.udp(CALLER, &cancel);
    let answers: Vec<String> = std::iter::from_fn(|| world.try_take(CALLER)).collect();
    assert!(answers.iter().any(|one| one.starts_with("SIP/2.0 487 ")), "{answers:?}");
    resolve(&mut world, CONTACT, &[MCP2], 60);
    assert!(world.try_take(MCP2).is_none());
}

#[test]
fn too_much_that_waits_is_refused() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    let body = "x".repeat(60_000);
    let mut refused = 0;
    for n in 0..200 {
        let text = caller
            .request("INFO", "10.0.0.2:5090", &format!("i{n}"))
            .replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: 60000\r\n\r\n{body}"));
        world.udp(CALLER, &text);
        refused += usize::from(world.try_take(CALLER).is_some_and(|one| one.contains(" 502 ")));
    }
    // 8 MiB of 60,000 bytes and a header each
    assert!((60..=62).contains(&refused), "{refused}");
    resolve(&mut world, CONTACT, &[MCP2], 60);
    assert_eq!(std::iter::from_fn(|| world.try_take(MCP2)).count(), 200 - refused);
}

#[test]
fn too_many_that_wait_are_refused_however_small() {
    let mut world = World::new();
    let mut caller = up_with_named_contact(&mut world);
    let refused = (0..4_100).filter(|n| {
        world.udp(CALLER, &caller.request("INFO", "10.0.0.2:5090", &format!("s{n}")));
        world.try_take(CALLER).is_some_and(|one| one.contains(" 502 "))
    });
    assert_eq!(refused.count(), 4);
}

/// A call over a connection that is gone before the answer comes; `sent_by` stands in its Via.
fn answered_late(world: &mut World, from: &str, sent_by: &str) -> String {
    let conn = Some(ConnId(7));
    let flow = Flow { transport: Transport::Tcp, listener: 1, remote: address(from), conn };
    let text = invite("18005550100", "late").replace("SIP/2.0/UDP 10.0.0.2:5090", sent_by);
    assert!(text.contains(sent_by), "{text}");
    world.packet(flow, &text);
    let forwarded = world.take(MCP1);
    world.input(Input::FlowFailed { flow });
    world.udp(MCP1, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    let port = sent_by.rsplit_once(':').map_or(5060, |(_, port)| port.parse().unwrap());
    let back = format!("{}:{port}", from.split(':').next().unwrap());
    fail(world, &back)
}

#[test]
fn an_answer_whose_connection_and_address_are_gone_goes_by_its_sent_by() {
    const NAME: &str = "sip:caller.voice.test:5095;transport=tcp";
    let remotes = ["10.0.0.6:5095", "10.0.0.7:5095"];
    let mut world = World::new();
    let lost = answered_late(&mut world, "10.0.0.2:41000", "SIP/2.0/TCP caller.voice.test:5095");
    assert!(lost.starts_with("SIP/2.0 200 "), "{lost}");
    assert_eq!(world.asked, [NAME]);
    let choice = Choice {
        transport: Transport::Tcp,
        rank: 0,
        weight: 0,
        addresses: remotes.map(address).to_vec(),
    };
    answer(&mut world, NAME, Ok(Targets::of(vec![choice]).unwrap()), 60);
    for remote in remotes {
        assert_eq!(fail(&mut world, remote), lost);
    }
    assert!(world.wire.is_empty(), "{:?}", world.wire);
    assert_eq!(world.proxy.counters().dropped["undelivered"], 1);

    // an address needs nobody to be asked, and the one that failed is not tried again
    for (sent_by, way) in [("10.0.0.8:5095", Some("10.0.0.8:5095")), ("10.0.0.2:5095", None)] {
        let mut world = World::new();
        let sent_by = format!("SIP/2.0/TCP {sent_by}");
        let lost = answered_late(&mut world, "10.0.0.2:41000", &sent_by);
        match way {
            Some(way) => assert_eq!(world.take(way), lost),
            None => assert_eq!(world.proxy.counters().dropped["undelivered"], 1),
        }
        assert!(world.asked.is_empty() && world.wire.is_empty());
    }
}

#[test]
fn an_answer_goes_nowhere_when_its_name_leads_nowhere_or_to_what_is_forbidden() {
    const NAME: &str = "sip:caller.voice.test;transport=tcp";
    for remote in [None, Some("127.0.0.1:5060"), Some("224.0.0.1:5060")] {
        let mut world = World::new();
        answered_late(&mut world, "10.0.0.2:41000", "SIP/2.0/TCP caller.voice.test");
        assert_eq!(world.asked, [NAME]);
        let target = |remote| Targets::one(Target { transport: Transport::Tcp, remote });
        let found = remote.map(|remote| target(address(remote))).ok_or(Failure::Nothing);
        answer(&mut world, NAME, found, 60);
        assert!(world.wire.is_empty(), "{:?}", world.wire);
        assert_eq!(world.proxy.counters().dropped["undelivered"], 1);
    }
}

/// RM with a listener for TLS besides, and a call whose media server has a host name in Contact
/// that leads to two addresses by `transport`.
fn up_with_two_addresses(transport: Transport) -> (World, Dialog) {
    let mut settings = settings();
    let mut tls = settings.listeners[1].clone();
    tls.transport = Transport::Tls;
    settings.listeners.push(tls);
    let mut world = World::with(&objects(), settings);
    let mut caller = up_with_named_contact(&mut world);
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "a"));
    let choice = |(rank, remote): (u32, &str)| Choice {
        transport,
        rank,
        weight: 0,
        addresses: vec![address(remote)],
    };
    answer(
        &mut world,
        CONTACT,
        Ok(Targets::of((0..).zip([MCP1, MCP2]).map(choice).collect()).unwrap()),
        300,
    );
    assert!(world.take(MCP1).starts_with("ACK "));
    (world, caller)
}

fn fail(world: &mut World, to: &str) -> String {
    let sent = world.take_flow(to).expect("a message is on the wire");
    world.input(Input::FlowFailed { flow: sent.flow });
    sent.text
}

#[test]
fn a_request_inside_a_dialog_goes_on_to_the_next_address_when_it_cannot_be_sent() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        for method in ["BYE", "INVITE", "INFO"] {
            let (mut world, mut caller) = up_with_two_addresses(transport);
            world.udp(CALLER, &caller.request(method, "10.0.0.2:5090", "r"));
            let first = fail(&mut world, MCP1);
            let second = world.take_flow(MCP2).expect("it goes on");
            assert_eq!(second.flow.transport, transport);
            assert!(second.text.starts_with(method), "{}", second.text);
            assert_ne!(header(&first, "Via"), header(&second.text, "Via"), "another branch");
            world.packet(second.flow, &reply(&second.text, 200, "", ""));
            assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{transport} {method}");
            assert_eq!(world.proxy.counters().address_failovers["transport"], 1);
            // an ACK would not come back to tell: it goes where the last request was answered
            world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", "last"));
            assert!(world.try_take(MCP1).is_none() && world.take(MCP2).starts_with("ACK "));
        }
    }
}

#[test]
fn all_addresses_of_a_next_hop_away_is_502() {
    let (mut world, mut caller) = up_with_two_addresses(Transport::Tcp);
    world.udp(CALLER, &caller.request("INFO", "10.0.0.2:5090", "i"));
    fail(&mut world, MCP1);
    fail(&mut world, MCP2);
    let refused = world.take(CALLER);
    assert!(refused.starts_with("SIP/2.0 502 ") && refused.contains("next-hop"), "{refused}");
}

#[test]
fn a_silent_address_leaves_the_next_one_time_to_answer() {
    // an INVITE is answered by 100 at once, any other may be answered late
    for (method, patience) in [("INVITE", 2), ("INFO", 16), ("BYE", 16)] {
        let (mut world, mut caller) = up_with_two_addresses(Transport::Udp);
        world.udp(CALLER, &caller.request(method, "10.0.0.2:5090", "r"));
        world.run(Duration::from_millis(patience * 1000 - 1));
        assert!(world.try_take(MCP2).is_none(), "{method}");
        world.run(Duration::from_millis(1));
        let second = world.take(MCP2);
        world.udp(MCP2, &reply(&second, 200, "", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{method}");
        assert_eq!(world.proxy.counters().address_failovers["timeout"], 1);
    }
}

#[test]
fn whoever_has_answered_is_the_one_also_when_nothing_follows() {
    let (mut world, mut caller) = up_with_two_addresses(Transport::Udp);
    world.udp(CALLER, &caller.request("INVITE", "10.0.0.2:5090", "re"));
    let sent = world.take(MCP1);
    world.udp(MCP1, &reply(&sent, 100, "", ""));
    world.run(Duration::from_secs(60));
    assert!(world.try_take(MCP2).is_none());
    // neither does a re-INVITE that is given up go on
    let (mut world, mut caller) = up_with_two_addresses(Transport::Udp);
    let reinvite = caller.request("INVITE", "10.0.0.2:5090", "re");
    world.udp(CALLER, &reinvite);
    let cancel =
        reinvite.replace("INVITE sip:", "CANCEL sip:").replace(" INVITE\r\n", " CANCEL\r\n");
    world.udp(CALLER, &cancel);
    world.run(Duration::from_secs(60));
    assert!(world.try_take(MCP2).is_none());
}

#[test]
fn a_resource_of_the_other_address_family_is_probed_by_a_listener_that_reaches_it() {
    const V6: &str = "[2001:db8::11]:5070";
    let mut objects = objects();
    objects[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": NAME, "capacity": 500, "dbid": 310}]);
    let mut settings = settings();
    let mut six = settings.listeners[0].clone();
    six.bound = address("[2001:db8::5]:5060");
    settings.listeners.push(six);
    let mut world = World::cold(&objects, settings);
    world.alive.push(address(V6));
    world.ready();
    resolve(&mut world, NAME, &[V6], 60);
    world.run(Duration::from_millis(10));
    assert_eq!(state(&world), "healthy");
    assert_eq!(world.probed.iter().map(|flow| flow.listener).collect::<Vec<_>>(), [3]);
    world.udp(CALLER, &invite("18005550100", "six"));
    let sent = world.take_flow(V6).expect("the call goes there");
    assert_eq!((sent.flow.listener, sent.flow.transport), (3, Transport::Udp));
}

#[test]
fn a_stream_under_tls_is_asked_to_be_used_both_ways_by_alias_alone() {
    let (mut world, _) = up_with_two_addresses(Transport::Tls);
    let remote = address("10.0.0.2:41000");
    let conn = Some(ConnId(7));
    for (call, transport, listener, via, port) in [
        ("a", Transport::Tls, 3, "SIP/2.0/TLS sip.example:5071;alias", Some(5071)),
        ("b", Transport::Tls, 3, "SIP/2.0/TLS sip.example;ALIAS", Some(5061)),
        ("c", Transport::Tls, 3, "SIP/2.0/TLS sip.example:5071", None),
        ("d", Transport::Tcp, 1, "SIP/2.0/TCP sip.example:5071;alias", None),
    ] {
        let flow = Flow { transport, listener, remote, conn };
        let text = invite("18005550100", call).replace("SIP/2.0/UDP 10.0.0.2:5090", via);
        world.packet(flow, &text);
        assert_eq!(world.aliases.pop(), port.map(|port| (flow, port)), "{via}");
    }
}
