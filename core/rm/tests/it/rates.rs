//! Rates of sources, and what a stranger can make RM send (rm.md §1.9, §13.1, §13.4).

use std::num::NonZeroU32;
use std::time::Duration;

use sip::transport::{Flow, Transport};

use crate::world::{CALLER, MCP1, World, address, header, invite, objects, settings};

const STRANGER: &str = "203.0.113.9:5060";

fn options(call: &str) -> String {
    invite("rm", call)
        .replacen("INVITE sip:rm@10.0.0.5:5060", "OPTIONS sip:10.0.0.5", 1)
        .replace("1 INVITE", "1 OPTIONS")
}

fn dropped(world: &World, why: &str) -> u64 {
    world.proxy.counters().dropped.get(why).copied().unwrap_or_default()
}

/// Everything that was sent to this address, 100 Trying too.
fn sent(world: &mut World, to: &str) -> Vec<String> {
    let all = std::mem::take(&mut world.wire);
    all.into_iter().filter(|one| one.flow.remote == address(to)).map(|one| one.text).collect()
}

#[test]
fn a_stranger_is_refused_without_state_and_within_its_rate() {
    let mut world = World::new();
    let before = world.proxy.status();
    for n in 0..20 {
        world.udp(STRANGER, &invite("18005550100", &format!("s{n}")));
        let all = sent(&mut world, STRANGER);
        assert_eq!(all.len(), 1, "no 100: {all:?}");
        assert!(all[0].starts_with("SIP/2.0 403 "), "{all:?}");
        assert_eq!(header(&all[0], "Warning"), "399 rm-1 \"untrusted-source\"");
    }
    assert_eq!(world.proxy.status(), before);
    // Beyond its rate the first INVITE of a second is told, everything else is dropped.
    world.udp(STRANGER, &options("o"));
    world.udp(STRANGER, &invite("18005550100", "x"));
    world.udp(STRANGER, &invite("18005550100", "y"));
    let all = sent(&mut world, STRANGER);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].starts_with("SIP/2.0 503 "), "{all:?}");
    assert_eq!(header(&all[0], "Retry-After"), "1");
    assert_eq!(dropped(&world, "rate"), 2);
    // CANCEL is answered by the transaction layer, but not beyond the rate either.
    world.udp(STRANGER, &invite("18005550100", "x").replace("INVITE", "CANCEL"));
    assert_eq!(sent(&mut world, STRANGER), [""; 0]);
    let cancel = invite("18005550100", "x").replace("INVITE", "CANCEL");
    world.udp(STRANGER, &format!("\r\n\r\n{cancel}"));
    assert_eq!(sent(&mut world, STRANGER), [""; 0], "blank lines before it change nothing");
    // The rate comes back, and others had theirs all the time.
    world.udp("203.0.113.10:5060", &options("other"));
    assert!(world.take("203.0.113.10:5060").starts_with("SIP/2.0 200 "));
    world.run(Duration::from_millis(1000));
    world.udp(STRANGER, &options("again"));
    assert!(world.take(STRANGER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.status().transactions_finished, before.transactions_finished);
    world.run(Duration::from_secs(40));
    assert_eq!(sent(&mut world, STRANGER), [""; 0], "nothing is repeated");
}

/// A stranger too is told what the status cannot do without (RFC 3261 §8.2.2.3, §21.4.6).
#[test]
fn a_stranger_is_told_what_is_allowed_and_what_is_not_understood() {
    let mut world = World::new();
    world.udp(STRANGER, &invite("1", "refer").replace("INVITE", "REFER"));
    let answer = world.take(STRANGER);
    assert!(answer.starts_with("SIP/2.0 405 "), "{answer}");
    let all = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, MESSAGE";
    assert_eq!(header(&answer, "Allow"), all);
    let asking = "CSeq: 1 INVITE\r\nProxy-Require: foo";
    world.udp(STRANGER, &invite("1", "ask").replace("CSeq: 1 INVITE", asking));
    let answer = world.take(STRANGER);
    assert!(answer.starts_with("SIP/2.0 420 "), "{answer}");
    assert_eq!(header(&answer, "Unsupported"), "foo");
}

#[test]
fn a_call_that_is_up_is_served_wherever_its_requests_come_from() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "up");
    for n in 0..30 {
        world.udp(STRANGER, &up.caller.request("INFO", "10.0.0.2:5090", &format!("i{n}")));
        assert!(world.take(&up.server.clone()).starts_with("INFO "), "{n}");
    }
    // A token of another dialog vouches for nothing.
    let forged =
        up.caller.request("BYE", "10.0.0.2:5090", "f").replace("Call-ID: up", "Call-ID: x");
    world.udp(STRANGER, &forged);
    assert!(world.take(STRANGER).starts_with("SIP/2.0 481 "));
    assert_eq!(world.proxy.status().legs, 1);
}

#[test]
fn a_peer_has_a_rate_only_where_its_settings_say_so() {
    let mut limited = settings();
    limited.peers[0].rate = NonZeroU32::new(2);
    let mut world = World::with(&objects(), limited);
    let mut up = world.up("18005550100", "up");
    let answers: Vec<String> = (0..5)
        .map(|n| {
            world.udp(CALLER, &invite("4711", &format!("r{n}")));
            world.take(CALLER)
        })
        .collect();
    let codes: Vec<&str> = answers.iter().map(|answer| &answer[8..11]).collect();
    assert_eq!(codes, ["404", "404", "404", "503", "503"], "two seconds' worth at once");
    assert_eq!(header(&answers[3], "Retry-After"), "1");
    assert_eq!(header(&answers[3], "Warning"), "399 rm-1 \"source-rate\"");
    for n in 0..10 {
        world.udp(CALLER, &options(&format!("o{n}")));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    }
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));

    let mut world = World::new();
    for n in 0..200 {
        world.udp(CALLER, &invite("4711", &format!("r{n}")));
        assert!(world.take(CALLER).starts_with("SIP/2.0 404 "), "{n}");
    }
}

#[test]
fn a_source_of_garbage_is_not_heard_for_ten_seconds() {
    let mut world = World::new();
    for source in [STRANGER, CALLER] {
        for _ in 0..25 {
            world.udp(source, "what is this");
        }
        world.wire.clear();
        world.udp(source, &options("o"));
        assert_eq!(world.try_take(source).is_some(), source == CALLER, "a peer is always heard");
    }
    assert_eq!(dropped(&world, "malformed-source"), 6);
    world.run(Duration::from_secs(10));
    world.udp(STRANGER, &options("later"));
    assert!(world.take(STRANGER).starts_with("SIP/2.0 200 "));
}

#[test]
fn nobody_is_hit_by_more_than_twice_what_was_sent_in_its_name() {
    let small = "OPTIONS sip:h SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1\r\nf:<a:b>;tag=1\r\n\
                 t:<a:b>\r\ni:1\r\nCSeq:1 OPTIONS\r\n\r\n";
    let texts = [
        small.to_owned(),
        small.replace("OPTIONS", "BYE"),
        small.replace("OPTIONS", "CANCEL"),
        small.replace("OPTIONS", "REFER"),
        small.replace("OPTIONS", "INVITE"),
        small.replace("CSeq:1", "CSeq:x"),
        small.replace("sip:h", "sip:10.0.0.5"),
        options("whole"),
        invite("18005550100", "whole"),
    ];
    let mut answered = 0;
    for (n, text) in texts.iter().enumerate() {
        let mut world = World::new();
        world.udp(STRANGER, text);
        world.run(Duration::from_secs(40));
        let all = sent(&mut world, STRANGER);
        let size: usize = all.iter().map(String::len).sum();
        assert!(
            all.len() <= 1 && size <= text.len() * 2,
            "{n}: {size} for {}: {all:?}",
            text.len()
        );
        answered += all.len();
    }
    assert!(answered >= 7, "{answered}");
}

#[test]
fn what_would_be_answered_to_many_is_not_answered() {
    let mut world = World::new();
    for host in ["224.0.0.1", "239.255.255.250:5060", "255.255.255.255", "[ff02::1]"] {
        for text in
            [options("o"), invite("18005550100", "i"), options("o").replace("CSeq: 1", "CSeq: x")]
        {
            world.udp(CALLER, &text.replace("UDP 10.0.0.2:5090", &format!("UDP {host}")));
        }
    }
    let nowhere = Flow {
        transport: Transport::Udp,
        listener: 0,
        remote: address("224.0.0.1:5060"),
        conn: None,
    };
    world.packet(nowhere, &options("m"));
    world.packet(Flow { remote: address("10.0.0.2:0"), ..nowhere }, &options("z"));
    assert!(world.wire.is_empty(), "{:?}", world.wire);
    assert_eq!((dropped(&world, "multicast"), dropped(&world, "unanswerable")), (8, 2));
    assert!(world.try_take(MCP1).is_none());
}
