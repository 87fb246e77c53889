//! Random lives of a Proxy: scripts of plausible requests and answers with odd headers, time,
//! failures, configurations and restarts. The target checks its invariants after each step, and
//! that time alone empties every set in the end; a script that breaks is shrunk to its least.

use fuzz::guard::caught;
use fuzz::target::TARGETS;
use proptest::prelude::*;
use proptest::sample::select;

const SIDES: [&str; 5] = ["caller", "gateway", "stranger", "mcp1", "mcp2"];

const TARGETS_OF_REQUESTS: [&str; 10] = [
    "sip:18005550100@10.0.0.5:5060",
    "sip:19001@10.0.0.5",
    "sip:4711@10.0.0.5",
    "sip:conf=team7@10.0.0.5;gvp-tenant-id=acme",
    "sip:dialog@10.0.0.5;voicexml=http://a.example/x%3Fy%3Dz",
    "sip:10.0.0.5",
    "sips:18005550100@gvp.example",
    "tel:+18005550100",
    "urn:service:sos",
    "sip:$token@10.0.0.5:5060;lr",
];

/// Header lines that a request or an answer may have besides the usual ones.
const ODD: [&str; 24] = [
    "",
    "",
    "",
    "Route: <sip:10.0.0.5;lr>\n",
    "Route: $route\n",
    "Route: <sip:198.51.100.7;lr>\n",
    "Route: <sip:edge.example;lr>\n",
    "Contact: <sip:phone.example>\n",
    "Record-Route: <sip:p1.example;lr>, <sip:p2.example>\n",
    "Max-Forwards: 0\n",
    "Max-Breadth: 0\n",
    "Proxy-Require: odd\n",
    "Session-Expires: 90;refresher=uac\nSupported: timer\n",
    "Session-Expires: 1\nMin-SE: 90\n",
    "Replaces: c1@10.1.1.5;to-tag=there;from-tag=f1\n",
    "Target-Dialog: c1@10.1.1.5;local-tag=f1;remote-tag=there\n",
    "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=$branch\n",
    "Contact: <sip:nobody@192.0.2.1:9>\n",
    "Contact: *\n",
    "Reason: Q.850;cause=16\n",
    "Retry-After: 5\n",
    "Require: 100rel\nRSeq: 1\n",
    "X-Genesys-GVP-Session-ID: 0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596\n",
    "Subject: \u{fc}\u{20ac}\n folded\n",
];

const METHODS: [&str; 12] = [
    "INVITE",
    "INVITE",
    "INVITE",
    "OPTIONS",
    "MESSAGE",
    "REGISTER",
    "SUBSCRIBE",
    "BYE",
    "ACK",
    "PRACK",
    "UPDATE",
    "ODD",
];

const CODES: [u16; 16] =
    [100, 180, 183, 200, 200, 202, 302, 404, 408, 422, 481, 486, 491, 503, 580, 603];

fn request() -> impl Strategy<Value = String> {
    let head = (select(&METHODS[..]), select(&TARGETS_OF_REQUESTS[..]), 0_u8..4, 0_u8..3);
    (head, select(&SIDES[..]), any::<bool>(), select(&ODD[..]), select(&["", ";tag=there"][..]))
        .prop_map(|((method, uri, call, copy), side, stream, odd, tag)| {
            let (word, transport) = if stream { ("tcp", "TCP") } else { ("udp", "UDP") };
            format!(
                "@from {side} {word}\n{method} {uri} SIP/2.0\n\
                 Via: SIP/2.0/{transport} 10.0.0.2:5090;branch=z9hG4bK{method}{call}{copy}\n\
                 {odd}From: <sip:a@10.0.0.2>;tag=f{call}\nTo: <sip:b@10.0.0.5>{tag}\n\
                 Call-ID: c{call}@10.1.1.5\nCSeq: {} {method}\n\
                 Contact: <sip:10.0.0.2:5090>\nContent-Length: 3\n\nv=0",
                copy + 1
            )
        })
}

fn step() -> impl Strategy<Value = String> {
    let answer = (select(&SIDES[..]), select(&CODES[..]), select(&ODD[..]));
    let speak = (
        select(&["caller", "mcp1", "mcp2"][..]),
        select(&["ACK", "BYE", "INVITE", "UPDATE", "INFO", "PRACK", "REFER"][..]),
        select(&ODD[..]),
    );
    let other = select(
        &[
            "@cancel\n",
            "@again\n",
            "@look\n",
            "@fail mcp1\n",
            "@fail mcp2\n",
            "@fail caller\n",
            "@state draining\n",
            "@state ready\n",
            "@state starting\n",
            "@objects 0\n",
            "@objects 1\n",
            "@objects 2\n",
            "@objects 3\n",
            "@objects 4\n",
            "@names mcp1\n",
            "@names nothing\n",
            "@drops 70\n",
            "@disk off\n",
            "@disk on\n",
            "@restart\n",
        ][..],
    );
    prop_oneof![
        5 => request(),
        8 => answer.prop_map(|(side, code, odd)| format!("@answer {side} {code}\n{odd}")),
        5 => speak.prop_map(|(side, method, odd)| format!("@dialog {side} {method}\n{odd}")),
        3 => other.prop_map(str::to_owned),
        3 => (0_u32..3_000).prop_map(|ms| format!("@wait {ms}\n")),
        1 => (0_u32..200_000).prop_map(|ms| format!("@wait {ms}\n")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_life_leaves_the_proxy_sound(steps in prop::collection::vec(step(), 1..60)) {
        let proxy = TARGETS.iter().find(|target| target.name == "proxy").unwrap();
        let script = steps.join("\n");
        if let Err(said) = caught(|| (proxy.run)(script.as_bytes())) {
            prop_assert!(false, "{said}\n{script}");
        }
    }
}
