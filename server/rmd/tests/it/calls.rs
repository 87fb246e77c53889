//! Calls through the daemon: both transports, each way, and the refusals.

use crate::node::{Node, objects};
use crate::peer::{Caller, Stream, answer, header, lines, tcp_media, udp_media};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

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
    // besides those of the calls there may be those of a minute
    let pending = node.metric("ringmaster_rm_spool_pending");
    assert!((16.0..36.0).contains(&pending), "{pending}");
    node.stop();
}

/// RFC 3261 §18.2.2: when the connection of a request is gone, its answer opens one to the port of
/// the sent-by, at the address that the request came from.
#[test]
fn an_answer_whose_connection_is_gone_opens_one_to_the_sent_by() {
    let media = UdpSocket::bind("127.0.0.3:0").unwrap();
    media.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let node = Node::with(&objects(&[(media.local_addr().unwrap(), "udp")], 100));
    let sent_by = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = sent_by.local_addr().unwrap().port();
    let invite = format!(
        "INVITE sip:18005550100@rm.example SIP/2.0\r\n\
         Via: SIP/2.0/TCP caller.invalid:{port};branch=z9hG4bKgone\r\nMax-Forwards: 70\r\n\
         From: <sip:caller@127.0.0.1>;tag=caller\r\nTo: <sip:18005550100@rm.example>\r\n\
         Call-ID: gone\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:caller@127.0.0.1:{port};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    );
    let mut caller = Stream::of(TcpStream::connect(node.tcp()).unwrap());
    caller.send(&invite);
    assert!(caller.next().unwrap().starts_with("SIP/2.0 100 "));
    let (mut buffer, mut forwarded) = ([0; 65_535], None);
    while forwarded.is_none() {
        let (len, rm) = media.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..len].to_vec()).unwrap();
        forwarded = text.starts_with("INVITE ").then_some((text, rm));
    }
    let (forwarded, rm) = forwarded.unwrap();
    drop(caller);
    // the first ones may still be written to the connection that is about to be found gone
    let ringing = crate::peer::response(&forwarded, 180);
    sent_by.set_nonblocking(true).unwrap();
    let mut opened = None;
    node.until("a connection to the sent-by", || {
        media.send_to(ringing.as_bytes(), rm).unwrap();
        opened = sent_by.accept().ok();
        opened.is_some()
    });
    let (stream, from) = opened.unwrap();
    assert_eq!(from.ip(), node.tcp().ip());
    stream.set_nonblocking(false).unwrap();
    let mut stream = Stream::of(stream);
    let ringing = stream.next().unwrap();
    assert!(ringing.starts_with("SIP/2.0 180 "), "{ringing}");
    assert_eq!(lines(&ringing, "Via").len(), 1);
    media.send_to(crate::peer::response(&forwarded, 486).as_bytes(), rm).unwrap();
    let refused = std::iter::from_fn(|| stream.next()).find(|text| !text.contains(" 180 "));
    assert!(refused.unwrap().starts_with("SIP/2.0 4"), "on the same new connection");
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

    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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

/// A caller over TCP that hangs up its connection before anybody answers: the answer comes to the
/// port of its Via at its own address, or, where nobody listens there, to the host of its Via.
#[test]
fn an_answer_finds_a_caller_whose_connection_is_gone() {
    let server = UdpSocket::bind("127.0.0.3:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let at = server.local_addr().unwrap();
    let objects = objects(&[(at, "udp")], 10).replace("method: options,", "method: none,");
    let node = Node::with(&objects);
    for sent_by in ["127.0.0.1:0", "127.0.0.3:0"] {
        let door = TcpListener::bind(sent_by).unwrap();
        let sent_by = door.local_addr().unwrap();
        let mut gone = TcpStream::connect(node.tcp()).unwrap();
        let call = format!("late-{}", sent_by.ip());
        let invite = format!(
            "INVITE sip:18005550100@rm.example SIP/2.0\r\nVia: SIP/2.0/TCP {sent_by};\
             branch=z9hG4bK-{call}\r\nMax-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\n\
             To: <sip:18005550100@rm.example>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:a@{sent_by};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
        );
        gone.write_all(invite.as_bytes()).unwrap();
        let mut buffer = [0; 65_535];
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        let request = String::from_utf8(buffer[..len].to_vec()).unwrap();
        // the 100 is through: nothing is on its way that would open the connection again
        assert!(gone.read(&mut buffer).unwrap() > 0);
        drop(gone);
        node.until("the connection is gone", || {
            let metrics = node.get("/metrics").1;
            metrics.contains("ringmaster_rm_connections{transport=\"tcp\"} 0\n")
        });
        let answer = answer(&request, at, "udp").unwrap();
        server.send_to(answer.as_bytes(), from).unwrap();
        door.set_nonblocking(true).unwrap();
        let mut came = None;
        node.until("the answer comes", || {
            came = door.accept().ok();
            came.is_some()
        });
        let (stream, _) = came.unwrap();
        stream.set_nonblocking(false).unwrap();
        let got = Stream::of(stream).next().unwrap();
        assert!(got.starts_with("SIP/2.0 200 ") && got.contains(&call), "{got}");
    }
    node.stop();
}
