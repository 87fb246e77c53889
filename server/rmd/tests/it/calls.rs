//! Calls through the daemon: both transports, each way, and the refusals.

use crate::node::{Node, objects};
use crate::peer::{Caller, header, lines, tcp_media, udp_media};

#[test]
fn a_call_over_each_pair_of_transports_leaves_its_records() {
    let (udp, seen_udp) = udp_media();
    let (tcp, seen_tcp) = tcp_media();
    let node = Node::with(&objects(&[(udp, "udp"), (tcp, "tcp")], 100));
    node.until_media(2);
    for number in 0..8 {
        let mut caller = match number % 4 {
            0 | 1 => Caller::udp(node.udp(), &format!("call-{number}")),
            _ => Caller::tcp(node.tcp(), &format!("call-{number}")),
        };
        let answer = caller.invite("18005550100");
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        assert!(lines(&answer, "Record-Route").concat().contains("sip:rm-"), "{answer}");
        let calls = node.get("/v1/calls").1;
        assert!(calls.contains("\"tenant\":\"acme\""), "{calls}");
        let bye = caller.bye();
        assert!(bye.starts_with("SIP/2.0 200 "), "{bye}");
    }
    for seen in [seen_udp, seen_tcp] {
        let seen = seen.lock().unwrap();
        let of = |method: &str| seen.iter().filter(|request| request.starts_with(method)).count();
        assert_eq!((of("INVITE "), of("ACK "), of("BYE ")), (4, 4, 4));
        let invite = seen.iter().find(|request| request.starts_with("INVITE ")).unwrap();
        assert!(header(invite, "X-Genesys-GVP-Session-ID").len() >= 36, "{invite}");
    }
    let legs: u32 = node.get("/v1/calls").1.matches("\"session\"").count().try_into().unwrap();
    assert_eq!(legs, 0);
    assert!((node.metric("ringmaster_rm_ledger_out_total") - 8.0).abs() < 0.5);
    assert!((node.metric("ringmaster_rm_bye_answer_late_total")).abs() < 0.5);
    assert!((node.metric("ringmaster_rm_spool_pending") - 16.0).abs() < 0.5);
    node.stop();
}

#[test]
fn a_call_over_the_limit_and_one_without_media_are_refused_and_counted() {
    let (udp, _seen) = udp_media();
    let node = Node::with(&objects(&[(udp, "udp")], 1));
    node.until_media(1);
    let mut first = Caller::udp(node.udp(), "first");
    assert!(first.invite("18005550100").starts_with("SIP/2.0 200 "));
    let refused = Caller::udp(node.udp(), "second").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 ") && refused.contains("usage-limit"), "{refused}");
    assert!(first.bye().starts_with("SIP/2.0 200 "));
    assert!(Caller::udp(node.udp(), "third").invite("18005550100").starts_with("SIP/2.0 200 "));
    let metrics = node.get("/metrics").1;
    let line = "ringmaster_rm_rejected_total{tenant=\"acme\",reason=\"usage-limit\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    node.stop();

    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let node = Node::with(&objects(&[(nobody, "udp")], 1));
    let refused = Caller::udp(node.udp(), "fourth").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 "), "{refused}");
    node.stop();
}

#[test]
fn an_unknown_number_gets_404() {
    let text = objects(&[], 1).replace(", default_profile: main", "");
    let node = Node::with(&text);
    let refused = Caller::udp(node.udp(), "unknown").invite("4930");
    assert!(refused.starts_with("SIP/2.0 404 ") && refused.contains("no-profile"), "{refused}");
    node.stop();
}
