//! An engine that cannot follow (rm.md §1.9): what is shed, what passes, and that it ends.

use std::time::Duration;

use rm::Input;
use rm::limits::{OVERLOAD_AFTER, PENDING, PENDING_RESERVE};
use sip::transport::{Flow, Transport};

use crate::world::{CALLER, MCP1, MCP2, World, address, header, invite, objects, reply, settings};

const DROPS: Input<'_> = Input::KernelDrops { packets: 1_000_000 };

fn overloaded() -> World {
    let mut world = World::new();
    world.input(DROPS);
    assert_eq!(world.proxy.overload_state(), 2);
    world
}

/// A request outside dialogs.
fn outside(method: &str, target: &str, call: &str) -> String {
    invite("18005550100", call)
        .replacen("INVITE sip:18005550100@10.0.0.5:5060", &format!("{method} {target}"), 1)
        .replace("1 INVITE", &format!("1 {method}"))
}

fn with_options(options: &serde_json::Value, limit: u32) -> World {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!({ "usage_limit": limit });
    documents.as_array_mut().unwrap().push(serde_json::json!(
        {"kind": "Application", "name": "rm-1",
         "spec": {"type": "resource-manager", "options": {"rm": options}}}));
    World::with(&documents, settings())
}

#[test]
fn what_is_new_gets_503_without_a_transaction() {
    let mut world = overloaded();
    let before = world.proxy.status();
    let mut retries = [0; 10];
    for n in 0..100 {
        world.udp(CALLER, &invite("18005550100", &format!("shed{n}")));
        assert_eq!(world.wire.len(), 1, "no 100, and nothing for the ACK: {:?}", world.wire);
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 503 "), "{answer}");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"overload\"");
        assert_eq!(header(&answer, "Server"), "Ringmaster");
        retries[header(&answer, "Retry-After").parse::<usize>().unwrap()] += 1;
    }
    assert!(retries[2..=5].iter().all(|n| *n > 0), "{retries:?}");
    assert_eq!(retries[2..=5].iter().sum::<i32>(), 100);
    assert_eq!(world.proxy.status(), before, "nothing is left behind");
    assert!(world.records.is_empty());
    assert_eq!(world.proxy.counters().answers[&(503, "overload")], 100);
    let told: Vec<_> = world.logs.iter().filter(|(id, _)| *id == 20111).collect();
    assert_eq!(told.len(), 1, "the alarm is raised once");
    assert_eq!(told[0].1[0], ("reason", "kernel-drops".to_owned()));
    // The same request again gets the same tag, and it is none of another request.
    let tag = |world: &mut World, call: &str| {
        world.udp(CALLER, &invite("18005550100", call));
        header(&world.take(CALLER), "To").split(";tag=").nth(1).unwrap().to_owned()
    };
    assert_eq!(tag(&mut world, "shed1"), tag(&mut world, "shed1"));
    assert_ne!(tag(&mut world, "shed1"), tag(&mut world, "shed2"));
}

#[test]
fn what_is_selected_like_a_call_is_shed_and_what_is_not_passes() {
    let mut world = overloaded();
    for (method, target) in [
        ("MESSAGE", "sip:18005550100@10.0.0.5"),
        ("FROBNICATE", "sip:18005550100@10.0.0.5"),
        ("OPTIONS", "sip:18005550100@10.0.0.5"),
        ("SUBSCRIBE", "sip:10.0.0.5"),
    ] {
        world.udp(CALLER, &outside(method, target, &format!("s{method}")));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 503 "), "{method}: {answer}");
    }
    for (method, target, code) in [
        ("OPTIONS", "sip:10.0.0.5", "200"),
        ("BYE", "sip:18005550100@10.0.0.5", "481"),
        ("REFER", "sip:18005550100@10.0.0.5", "405"),
    ] {
        world.udp(CALLER, &outside(method, target, &format!("p{method}")));
        let answer = world.take(CALLER);
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{method}: {answer}");
        if method == "OPTIONS" {
            assert_eq!(header(&answer, "X-Ringmaster-State"), "full");
        }
    }
}

#[test]
fn calls_that_are_up_or_begun_are_served_to_their_end() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "up");
    world.udp(CALLER, &invite("18005550100", "begun"));
    let forwarded = world.take(MCP2);
    world.input(DROPS);
    // A copy of an INVITE that is being served is none to be shed.
    world.udp(CALLER, &invite("18005550100", "begun"));
    assert_eq!(world.try_take(CALLER), None);
    world.udp(MCP2, &reply(&forwarded, 200, "t", &format!("Contact: <sip:mcp@{MCP2}>\r\n")));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    let reinvite = up.caller.request("INVITE", "10.0.0.2:5090", "re");
    world.udp(CALLER, &reinvite);
    assert!(world.take(MCP1).starts_with("INVITE "));
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
}

#[test]
fn priority_numbers_peers_and_emergency_calls_pass_every_limit_but_are_counted() {
    let options = serde_json::json!({
        "priority-numbers": ["1900*"], "sos-number": "18005550299", "overload-respcode": 500});
    let mut world = with_options(&options, 1);
    world.up("18005550100", "first");
    world.input(DROPS);
    world.udp(CALLER, &invite("18005550100", "other"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "));
    world.up("+1-900-5", "priority");
    let text = invite("x", "sos").replacen("sip:x@10.0.0.5:5060", "urn:service:sos.fire", 1);
    world.udp(CALLER, &text);
    let forwarded = world.try_take(MCP1).or_else(|| world.try_take(MCP2)).unwrap();
    assert!(forwarded.starts_with("INVITE sip:dialog@"), "{forwarded}");
    let start = *world.phase("start").last().unwrap();
    assert_eq!((&start["priority"], &start["usage"][1]["usage"]), (&true.into(), &2.into()));

    let mut trusted = settings();
    trusted.peers[0].priority = true;
    let mut world = World::with(&objects(), trusted);
    world.input(DROPS);
    world.up("18005550100", "peer");

    // Without a number of its own an emergency call leads nowhere.
    let mut world = World::new();
    world.udp(CALLER, &text);
    assert!(world.take(CALLER).starts_with("SIP/2.0 416 "));
}

#[test]
fn late_packets_of_one_second_shed_and_the_alarm_clears_with_them() {
    for (transport, listener) in [(Transport::Udp, 0), (Transport::Tcp, 1)] {
        late_of(transport, listener);
    }
}

fn late_of(transport: Transport, listener: u8) {
    let mut world = World::new();
    let flow = Flow { transport, listener, remote: address(CALLER), conn: None };
    let bytes = outside("OPTIONS", "sip:10.0.0.5", "late");
    let late = |world: &mut World, age| {
        let age = Duration::from_millis(age);
        world.input(Input::Packet { flow, bytes: bytes.as_bytes(), age });
    };
    let begin = world.now;
    while world.proxy.overload_state() == 0 {
        late(&mut world, 101);
        world.run(Duration::from_millis(10));
    }
    let took = world.now.mono - begin.mono;
    assert!(took > OVERLOAD_AFTER && took < OVERLOAD_AFTER * 2, "{took:?}");
    assert!(world.has_log(20111));
    world.wire.clear();
    world.udp(CALLER, &invite("18005550100", "shed"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 503 "));
    // Nothing more waits: after a while all is as before, and after ten seconds the alarm is too.
    world.run(Duration::from_secs(8));
    assert_eq!(world.proxy.overload_state(), 0);
    world.wire.clear();
    world.up("18005550100", "again");
    for (wait, expected) in [(Duration::ZERO, 0), (Duration::from_secs(30), 1)] {
        world.run(wait);
        world.logs.clear();
        world.input(DROPS);
        assert_eq!(world.logs.iter().filter(|(id, _)| *id == 20111).count(), expected);
        world.run(Duration::from_secs(8));
    }
}

#[test]
fn a_share_is_shed_and_a_copy_shares_the_fate_of_its_request() {
    let mut world = World::new();
    let flow = Flow { transport: Transport::Udp, listener: 0, remote: address(CALLER), conn: None };
    for n in 0..400 {
        let bytes = outside("OPTIONS", "sip:10.0.0.5", &format!("calm{n}"));
        world.input(Input::Packet { flow, bytes: bytes.as_bytes(), age: Duration::ZERO });
    }
    world.wire.clear();
    world.input(Input::KernelDrops { packets: 133 });
    assert_eq!(world.proxy.overload_state(), 1);
    let mut shed = 0;
    for n in 0..200 {
        world.udp(CALLER, &invite("18005550100", &format!("share{n}")));
        let first = world.try_take(CALLER).is_some_and(|text| text.starts_with("SIP/2.0 503 "));
        world.udp(CALLER, &invite("18005550100", &format!("share{n}")));
        assert_eq!(world.try_take(CALLER).is_some(), first, "{n}");
        shed += i32::from(first);
        world.wire.clear();
    }
    assert!((60..140).contains(&shed), "about half: {shed}");
}

#[test]
fn full_of_transactions_is_an_overload_that_dialogs_do_not_feel() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "up");
    // MESSAGE waits for its answer here and there: two transactions each.
    for n in 0..PENDING / 2 {
        world.udp(CALLER, &outside("MESSAGE", "sip:18005550100@10.0.0.5", &format!("m{n}")));
        world.wire.clear();
    }
    assert!(world.proxy.status().transactions_pending >= PENDING);
    world.udp(CALLER, &invite("18005550100", "more"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 503 "));
    assert!(world.has_log(20111));
    world.udp(CALLER, &outside("OPTIONS", "sip:10.0.0.5", "state"));
    assert_eq!(header(&world.take(CALLER), "X-Ringmaster-State"), "full");
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
}

#[test]
fn the_reserve_is_for_dialogs_and_priority_and_behind_it_everyone_is_refused() {
    let mut world = with_options(&serde_json::json!({ "priority-numbers": ["1900*"] }), 100);
    let (mut first, mut second) = (world.up("18005550100", "u1"), world.up("18005550100", "u2"));
    let mut forwarded = None;
    let mut fill = |world: &mut World, user: &str, until: usize| {
        let mut n = 0;
        while world.proxy.status().transactions_pending < until {
            let call = format!("{user}m{n}");
            world.udp(CALLER, &outside("MESSAGE", &format!("sip:{user}@10.0.0.5"), &call));
            forwarded =
                world.take_flow(MCP1).or_else(|| world.take_flow(MCP2)).or(forwarded.take());
            world.wire.clear();
            n += 1;
            assert!(n < until, "{user} is let in");
        }
    };
    let most = PENDING + PENDING_RESERVE;
    fill(&mut world, "18005550100", PENDING);
    world.udp(CALLER, &outside("MESSAGE", "sip:18005550100@10.0.0.5", "more"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 503 "), "the reserve is not for everybody");
    fill(&mut world, "19005550100", most - 2);
    assert!(world.hang_up(&mut first, "bye").unwrap().starts_with("SIP/2.0 200 "));
    fill(&mut world, "19005550101", most);

    let bye = second.caller.request("BYE", "10.0.0.2:5090", "late");
    for (what, text) in [
        ("priority", outside("MESSAGE", "sip:19005550100@10.0.0.5", "last")),
        ("a dialog", bye.clone()),
        ("a monitor", outside("OPTIONS", "sip:10.0.0.5", "ping")),
    ] {
        let before = world.proxy.status();
        world.udp(CALLER, &text);
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 503 "), "{what}: {answer}");
        let seconds: u32 = header(&answer, "Retry-After").parse().unwrap();
        assert!((2..=5).contains(&seconds), "{what}: {answer}");
        assert!(world.wire.is_empty(), "{what} goes nowhere: {:?}", world.wire);
        assert_eq!(world.proxy.status(), before, "{what} leaves nothing behind");
    }
    assert!(world.has_log(20111));
    // one that ends makes room for one
    let sent = forwarded.unwrap();
    world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 200, "t", ""));
    world.wire.clear();
    world.udp(CALLER, &bye);
    let passed = world.take(&second.server);
    assert!(passed.starts_with("BYE "), "{passed}");
    world.udp(&second.server, &reply(&passed, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
}
