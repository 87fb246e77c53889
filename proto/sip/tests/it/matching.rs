//! Which messages belong together (RFC 3261 §17.1.3, §17.2.3, §9.2), and where answers go
//! (§18.2.2).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test helper fails its test")]

use std::time::Duration;

use sip::endpoint::{
    Absorbed, ClientId, ClientOptions, Endpoint, LostAnswer, Received, ServerId, Timers,
    TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::Transport::{self, Tcp, Udp};
use sip::transport::{ConnId, Flow};

use crate::wire::{flow, ms, request, response, short};

const NOW: Duration = Duration::ZERO;

fn endpoint() -> Endpoint {
    Endpoint::new(Limits::DEFAULT, Timers::default(), 1)
}

/// What comes of `bytes`, in a word.
fn come(endpoint: &mut Endpoint, flow: Flow, bytes: &[u8]) -> String {
    match endpoint.handle_input(NOW, flow, bytes) {
        Received::Request { .. } => "request".to_owned(),
        Received::Ack { .. } => "ack".to_owned(),
        Received::Cancel { .. } => "cancel".to_owned(),
        Received::Response { .. } => "response".to_owned(),
        Received::Stray { .. } => "stray".to_owned(),
        Received::Overload { .. } => "overload".to_owned(),
        Received::Absorbed(absorbed) => format!("{absorbed:?}"),
        Received::Refused(error) => format!("refused {}", error.status),
    }
}

fn new_request(endpoint: &mut Endpoint, flow: Flow, bytes: &[u8]) -> ServerId {
    match endpoint.handle_input(NOW, flow, bytes) {
        Received::Request { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

fn sent(endpoint: &mut Endpoint) -> Vec<(Flow, String)> {
    let mut all = Vec::new();
    let mut out = Vec::new();
    while let Some(transmit) = endpoint.poll_transmit(&mut out) {
        all.push((transmit.flow, short(&out)));
        out.clear();
    }
    all
}

fn edited(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn branch_sent_by_and_method_make_a_server_transaction() {
    let invite = request("INVITE", Udp, 5060, "z9hG4bKx");
    let named = edited(&invite, "UDP 10.0.0.1:5060", "UDP Caller.Example");
    let edits = [
        ("the same", "call-z", "call-z", "Retransmission"),
        ("another Call-ID", "call-", "other-", "Retransmission"),
        ("another branch", "z9hG4bKx", "z9hG4bKy", "request"),
        ("another port", "10.0.0.1:5060", "10.0.0.1:5070", "request"),
        ("no port", "10.0.0.1:5060", "10.0.0.1", "request"),
        ("another host", "10.0.0.1:", "10.0.0.11:", "request"),
        ("the cookie has no case", "z9hG4bKx", "Z9HG4BKx", "Retransmission"),
        ("branches have", "z9hG4bKx", "z9hG4bKX", "request"),
    ];
    let mut cases: Vec<_> = edits
        .iter()
        .map(|(name, from, to, expected)| {
            (*name, invite.clone(), edited(&invite, from, to), *expected)
        })
        .collect();
    let upper = edited(&named, "Caller", "CALLER");
    cases.push(("hosts have no case", named, upper, "Retransmission"));
    let options = request("OPTIONS", Udp, 5060, "z9hG4bKx");
    cases.push(("another method", invite, options, "request"));
    for (name, first, second, expected) in cases {
        let mut endpoint = endpoint();
        new_request(&mut endpoint, flow(Udp, 5060), &first);
        assert_eq!(come(&mut endpoint, flow(Udp, 5060), &second), expected, "{name}");
    }
}

/// The same request outside dialogs under another branch, after the first had this answer.
#[test]
fn a_copy_that_comes_by_another_way_is_merged_while_the_first_may_succeed() {
    for (method, answers, merged) in [
        ("INVITE", &[][..], true),
        ("INVITE", &[100, 180], true),
        ("INVITE", &[200], true),
        ("INVITE", &[180, 503], false),
        ("MESSAGE", &[], true),
        ("MESSAGE", &[202], true),
        ("MESSAGE", &[503], false),
        ("MESSAGE", &[408], false),
    ] {
        let mut endpoint = endpoint();
        let first = request(method, Udp, 5060, "z9hG4bKfirst");
        let id = new_request(&mut endpoint, flow(Udp, 5060), &first);
        assert!(!endpoint.is_merged(id));
        for code in answers {
            endpoint.respond(NOW, id, *code, &response(&first, *code));
        }
        let copy = edited(&first, "branch=z9hG4bKfirst", "branch=z9hG4bKcopy");
        let copy = new_request(&mut endpoint, flow(Tcp, 5060), &copy);
        assert_eq!(endpoint.is_merged(copy), merged, "{method} {answers:?}");
        for (what, from, to) in [
            ("another call", "call-", "other-"),
            ("another CSeq", "CSeq: 7", "CSeq: 8"),
            ("another From tag", "tag=a1", "tag=a2"),
            ("inside a dialog", "<sip:bob@b.example>\r", "<sip:bob@b.example>;tag=b1\r"),
        ] {
            let other = edited(&first, "branch=z9hG4bKfirst", "branch=z9hG4bKother");
            let other = new_request(&mut endpoint, flow(Udp, 5060), &edited(&other, from, to));
            assert!(!endpoint.is_merged(other), "{what}");
            endpoint.discard(other);
        }
        // nothing is remembered longer than the transactions
        endpoint.respond(NOW, copy, 482, &response(&first, 482));
        endpoint.discard(id);
        endpoint.respond(NOW, id, 503, &response(&first, 503));
        endpoint.handle_timeout(ms(100_000));
        endpoint.handle_timeout(ms(200_000));
        let again = edited(&first, "branch=z9hG4bKfirst", "branch=z9hG4bKagain");
        let again = new_request(&mut endpoint, flow(Udp, 5060), &again);
        assert!(!endpoint.is_merged(again), "{method} {answers:?}");
    }
}

#[test]
fn a_peer_of_rfc_2543_is_matched_by_its_headers() {
    // The cookie alone is no branch of RFC 3261 either.
    for branch in ["1", "z9hG4bK"] {
        let invite = request("INVITE", Udp, 5060, branch);
        let come_second = |bytes: &[u8]| {
            let mut endpoint = endpoint();
            let id = new_request(&mut endpoint, flow(Udp, 5060), &invite);
            if bytes.starts_with(b"ACK") {
                endpoint.respond(NOW, id, 486, &response(&invite, 486));
            }
            come(&mut endpoint, flow(Udp, 5060), bytes)
        };
        assert_eq!(come_second(&invite), "Retransmission");
        for (from, to) in [
            ("CSeq: 7", "CSeq: 8"),
            ("call-", "other-"),
            ("tag=a1", "tag=a2"),
            ("sip:bob@b.example SIP", "sip:bob@c.example SIP"),
            ("10.0.0.1:5060", "10.0.0.2:5060"),
        ] {
            assert_eq!(come_second(&edited(&invite, from, to)), "request", "{from}");
        }
        let ack = request("ACK", Udp, 5060, branch);
        assert_eq!(come_second(&ack), "AckToFailure");
        let tagged = edited(&ack, "<sip:bob@b.example>\r", "<sip:bob@b.example>;tag=b1\r");
        assert_eq!(come_second(&tagged), "AckToFailure");
        assert_eq!(come_second(&edited(&ack, "CSeq: 7", "CSeq: 8")), "ack");
        assert_eq!(come_second(&request("CANCEL", Udp, 5060, branch)), "cancel");
    }
}

#[test]
fn branch_and_method_of_the_cseq_make_a_client_transaction() {
    let bye = request("BYE", Udp, 5060, "z9hG4bKours");
    let answer = response(&bye, 200);
    let cases = [
        (answer.clone(), "response"),
        (edited(&answer, "7 BYE", "7 INVITE"), "stray"),
        (edited(&answer, "z9hG4bKours", "z9hG4bKother"), "stray"),
        (edited(&answer, ";branch=z9hG4bKours", ""), "stray"),
    ];
    for (bytes, expected) in cases {
        let mut endpoint = endpoint();
        endpoint.request(NOW, flow(Udp, 5060), &bye, ClientOptions::default());
        assert_eq!(come(&mut endpoint, flow(Udp, 5060), &bytes), expected);
    }
}

/// RFC 3261 §18.1.2: the top Via must be one that we write, whatever its branch.
#[test]
fn a_response_to_somebody_elses_via_is_dropped() {
    let here = flow(Udp, 5060);
    let bye = request("BYE", Udp, 5060, "z9hG4bKours");
    let answer = response(&bye, 200);
    for (sent_by, expected) in [
        ("10.0.0.1:5060", "response"),
        ("10.0.0.1", "response"),
        ("10.0.0.1:5070", "ForeignVia"),
        ("10.0.0.9:5060", "ForeignVia"),
        ("RM.Example:5090", "response"),
        ("rm.example", "ForeignVia"),
    ] {
        let names = [("10.0.0.1".to_owned(), 5060), ("rm.example".to_owned(), 5090)];
        let mut endpoint = endpoint().known_as(names);
        endpoint.request(NOW, here, &bye, ClientOptions::default());
        let answer = edited(&answer, "10.0.0.1:5060", sent_by);
        assert_eq!(come(&mut endpoint, here, &answer), expected, "{sent_by}");
    }
}

#[test]
fn the_cancel_and_ack_that_the_endpoint_makes_match_their_invite() {
    let invite = edited(
        &request("INVITE", Udp, 5060, "z9hG4bKhop"),
        "Max-Forwards: 70\r\n",
        "Via: SIP/2.0/UDP caller;branch=z9hG4bKc\r\nMax-Forwards: 9\r\nRoute: <sip:r;lr>\r\n",
    );
    let (mut client, mut server) = (endpoint(), endpoint());
    let here = flow(Udp, 5060);
    let id = client.request(NOW, here, &invite, ClientOptions::default());
    let server_id = new_request(&mut server, here, &invite);
    assert_eq!(sent(&mut client).len(), 1);
    assert_eq!(come(&mut client, here, &response(&invite, 180)), "response");
    client.cancel(NOW, id, Some(b"Reason: Q.850;cause=16;text=\"bye\"\r\n"));
    let mut cancel = Vec::new();
    client.poll_transmit(&mut cancel).unwrap();
    let Received::Cancel { invite: found, message } = server.handle_input(NOW, here, &cancel)
    else {
        panic!()
    };
    assert_eq!(found, server_id);
    assert_eq!(message.vias().count(), 1);
    assert_eq!((message.cseq(), message.max_forwards()), (7, Some(70)));
    assert_eq!(message.routes().count(), 1);
    assert_eq!(message.named("reason").unwrap().text(), Some("Q.850;cause=16;text=\"bye\""));

    let refusal = response(&invite, 487);
    server.respond(NOW, server_id, 487, &refusal);
    assert_eq!(come(&mut client, here, &refusal), "response");
    let mut ack = Vec::new();
    client.poll_transmit(&mut ack).unwrap();
    let message = sip::parse::parse(&ack, &Limits::DEFAULT).unwrap();
    assert_eq!(message.to().tag(), Some("b1"));
    assert_eq!(message.request().unwrap().uri, "sip:bob@b.example");
    assert_eq!((message.vias().count(), message.routes().count()), (1, 1));
    assert_eq!(come(&mut server, here, &ack), "AckToFailure");
}

#[test]
fn who_gives_up_twice_gives_the_first_reason() {
    let mut client = endpoint();
    let here = flow(Udp, 5060);
    let invite = request("INVITE", Udp, 5060, "z9hG4bKgive");
    let id = client.request(NOW, here, &invite, ClientOptions::default());
    for reason in ["Reason: Q.850;cause=16\r\n", "Reason: Q.850;cause=31\r\n"] {
        client.cancel(NOW, id, Some(reason.as_bytes()));
    }
    assert_eq!(sent(&mut client).len(), 1, "the INVITE alone");
    assert_eq!(come(&mut client, here, &response(&invite, 180)), "response");
    let mut cancel = Vec::new();
    client.poll_transmit(&mut cancel).unwrap();
    let cancel = String::from_utf8(cancel).unwrap();
    assert!(cancel.contains("cause=16") && !cancel.contains("cause=31"), "{cancel}");
}

/// Patience of the user's own ends with a provisional answer, if the user says so; Timer F runs
/// then.
#[test]
fn who_has_answered_provisionally_is_waited_for() {
    for (code, waits, expected) in
        [(Some(100), true, 33_000), (Some(100), false, 16_000), (None, true, 16_000)]
    {
        let (mut endpoint, bytes) = (endpoint(), request("INFO", Udp, 5060, "z9hG4bKw"));
        let options = ClientOptions { timeout: Some(ms(16_000)) };
        let id = endpoint.request(NOW, flow(Udp, 5060), &bytes, options);
        if let Some(code) = code {
            endpoint.handle_input(ms(1_000), flow(Udp, 5060), &response(&bytes, code));
        }
        if waits {
            endpoint.wait_on(ms(1_000), id);
        }
        let mut event = None;
        while event.is_none() {
            let (at, _) = endpoint.poll_timeout().unwrap();
            endpoint.handle_timeout(at);
            event = endpoint.poll_event().map(|event| (at, event));
        }
        assert_eq!(event, Some((ms(expected), TransactionEvent::Timeout { id })), "{code:?}");
        // a stale id does nothing
        endpoint.wait_on(ms(expected), id);
        assert_eq!(endpoint.poll_timeout(), None);
    }
}

#[test]
fn a_request_that_cannot_be_told_apart_fails_at_once() {
    let bye = request("BYE", Udp, 5060, "z9hG4bKtwice");
    let nameless = edited(&bye, ";branch=z9hG4bKtwice", "");
    for second in [bye.clone(), nameless, b"BYE".to_vec(), Vec::new()] {
        let mut endpoint = endpoint();
        endpoint.request(NOW, flow(Udp, 5060), &bye, ClientOptions::default());
        assert_eq!(sent(&mut endpoint).len(), 1);
        let id = endpoint.request(NOW, flow(Udp, 5060), &second, ClientOptions::default());
        assert_eq!(sent(&mut endpoint), []);
        assert_eq!(endpoint.poll_event(), Some(TransactionEvent::TransportFailed { id }));
        assert_eq!(endpoint.poll_event(), None);
        assert_eq!(come(&mut endpoint, flow(Udp, 5060), &response(&bye, 200)), "response");
    }
}

#[test]
fn answers_go_where_the_request_came_from() {
    let behind_nat = flow(Udp, 41_234);
    let mut endpoint = endpoint();
    let options = request("OPTIONS", Udp, 5060, "z9hG4bKnat");
    let id = new_request(&mut endpoint, behind_nat, &options);
    endpoint.respond(NOW, id, 200, &response(&options, 200));
    come(&mut endpoint, flow(Udp, 5060), &options);
    let expected = (behind_nat, "200 OPTIONS".to_owned());
    assert_eq!(sent(&mut endpoint), [expected.clone(), expected]);
}

#[test]
fn an_answer_outlives_its_connection() {
    for (transport, sent_by, port) in
        [(Tcp, "10.0.0.1:5070", 5070), (Tcp, "10.0.0.1", 5060), (Transport::Tls, "caller", 5061)]
    {
        let mut endpoint = endpoint();
        let invite = request("INVITE", transport, 9, "z9hG4bKconn");
        let invite = edited(&invite, "10.0.0.1:9", sent_by);
        let connection = flow(transport, 41_234);
        let id = new_request(&mut endpoint, connection, &invite);
        let other = Flow { conn: Some(ConnId(7)), ..connection };
        endpoint.handle_flow_failed(NOW, other);
        assert_eq!(endpoint.flow_of(id), Some(connection));
        endpoint.handle_flow_failed(NOW, connection);
        let mut expected = Flow { conn: None, ..connection };
        expected.remote.set_port(port);
        assert_eq!(endpoint.flow_of(id), Some(expected));
        endpoint.handle_flow_failed(NOW, expected);
        endpoint.respond(NOW, id, 180, &response(&invite, 180));
        endpoint.respond(NOW, id, 200, &response(&invite, 200));
        let flows: Vec<Flow> = sent(&mut endpoint).iter().map(|(flow, _)| *flow).collect();
        assert_eq!(flows, [expected, expected]);
        assert_eq!(endpoint.poll_lost(), None, "nothing had been sent when it failed before");
        endpoint.handle_flow_failed(NOW, other);
        endpoint.handle_flow_failed(NOW, expected);
        let (flow, bytes) = (expected, response(&invite, 200));
        assert_eq!(endpoint.poll_lost(), Some(LostAnswer { flow, ways: 0, bytes: bytes.clone() }));
        assert_eq!(endpoint.poll_lost(), None, "a provisional one is not worth it");
        endpoint.send_lost(NOW, other, 1, &bytes);
        endpoint.send_lost(NOW, expected, 2, &bytes);
        endpoint.handle_flow_failed(NOW, expected);
        assert_eq!(endpoint.poll_lost(), Some(LostAnswer { flow, ways: 2, bytes }));
        assert_eq!(endpoint.poll_lost(), None);
    }
}

#[test]
fn only_the_requests_of_a_failed_flow_fail() {
    let mut endpoint = endpoint();
    let unconnected = Flow { conn: None, ..flow(Tcp, 5060) };
    let flows = [
        flow(Tcp, 5060),
        Flow { conn: Some(ConnId(1)), ..flow(Tcp, 5060) },
        unconnected,
        flow(Tcp, 5070),
        flow(Udp, 5060),
        Flow { listener: 1, ..flow(Udp, 5060) },
    ];
    let ids: Vec<_> = (0..)
        .zip(flows)
        .map(|(n, flow)| {
            let bytes = request("BYE", flow.transport, 5060, &format!("z9hG4bK{n}"));
            endpoint.request(NOW, flow, &bytes, ClientOptions::default())
        })
        .collect();
    let mut failed_by = |flow: Flow| {
        endpoint.handle_flow_failed(NOW, flow);
        let mut failed = Vec::new();
        while let Some(event) = endpoint.poll_event() {
            let TransactionEvent::TransportFailed { id } = event else { panic!("{event:?}") };
            failed.push(ids.iter().position(|known| *known == id).unwrap());
        }
        failed
    };
    assert_eq!(failed_by(flow(Udp, 5060)), [4]);
    assert_eq!(failed_by(Flow { conn: Some(ConnId(1)), ..flow(Tcp, 5060) }), [1, 2]);
    assert_eq!(failed_by(unconnected), []);
    assert_eq!(failed_by(flow(Tcp, 5060)), [0]);
    assert_eq!(failed_by(flow(Tcp, 5080)), []);
    assert_eq!(endpoint.pending(), 2);
}

/// Many requests of one flow fail in portions; who leaves, comes or fails again meanwhile changes
/// nothing for the others.
#[test]
fn many_requests_of_a_failed_flow_fail_one_portion_after_the_other() {
    let mut endpoint = endpoint();
    let here = flow(Udp, 5060);
    let bye = |number: usize| request("BYE", Udp, 5060, &format!("z9hG4bK{number}"));
    let begin = |endpoint: &mut Endpoint, number| {
        endpoint.request(NOW, here, &bye(number), ClientOptions::default())
    };
    let ids: Vec<_> = (0..500).map(|number| begin(&mut endpoint, number)).collect();
    while endpoint.poll_transmit(&mut Vec::new()).is_some() {}
    endpoint.handle_flow_failed(NOW, here);
    let mut failed: Vec<ClientId> = Vec::new();
    let hear = |endpoint: &mut Endpoint, failed: &mut Vec<ClientId>| {
        while let Some(event) = endpoint.poll_event() {
            let TransactionEvent::TransportFailed { id } = event else { panic!("{event:?}") };
            failed.push(id);
        }
        assert_eq!(endpoint.invariant(), Ok(()));
        failed.len()
    };
    let first = hear(&mut endpoint, &mut failed);
    let answered = first..first + 10;
    assert!(first > 0 && first < ids.len() / 2, "{first}");
    assert_eq!(endpoint.poll_timeout(), Some((NOW, "flow failed")));
    // the next ones are answered meanwhile, and a new request comes
    for number in answered.clone() {
        assert_eq!(come(&mut endpoint, here, &response(&bye(number), 200)), "response");
    }
    let later = begin(&mut endpoint, 1000);
    let mut calls = 0;
    while endpoint.poll_timeout().is_some_and(|(at, _)| at <= NOW) {
        endpoint.handle_timeout(NOW);
        hear(&mut endpoint, &mut failed);
        calls += 1;
    }
    assert!(calls > 1, "{calls}");
    let expected = ids.iter().enumerate().filter(|(number, _)| !answered.contains(number));
    assert!(failed.iter().eq(expected.map(|(_, id)| id)));
    // who came later fails with the flow only when that fails again
    endpoint.handle_flow_failed(NOW, here);
    hear(&mut endpoint, &mut failed);
    assert_eq!(failed.last(), Some(&later));
}

#[test]
fn what_is_no_request_or_response_is_absorbed_or_refused() {
    let here = flow(Udp, 5060);
    let stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42";
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", stun, b"\x01\x01"] {
        let mut endpoint = endpoint();
        assert_eq!(come(&mut endpoint, here, bytes), "KeepAlive", "{bytes:?}");
        assert_eq!(sent(&mut endpoint), []);
    }
    let invite = request("INVITE", Udp, 5060, "z9hG4bKbad");
    let mut endpoint = endpoint();
    let broken = edited(&invite, "CSeq: 7", "CSeq: seven");
    assert_eq!(come(&mut endpoint, here, &broken), "refused 400");
    assert_eq!(sent(&mut endpoint).len(), 1);
    let broken = edited(&request("ACK", Udp, 5060, "z9hG4bKbad"), "CSeq: 7", "CSeq: seven");
    assert_eq!(come(&mut endpoint, here, &broken), "refused 400");
    assert_eq!(come(&mut endpoint, here, b"hello"), "refused 400");
    assert_eq!(sent(&mut endpoint), []);
    assert_eq!((endpoint.pending(), endpoint.finished()), (0, 0));
}

#[test]
fn an_unmatched_cancel_leaves_no_state_and_always_the_same_tag() {
    let mut endpoint = endpoint();
    let cancel = request("CANCEL", Udp, 5060, "z9hG4bKnone");
    let mut out = Vec::new();
    for _ in 0..2 {
        let received = endpoint.handle_input(NOW, flow(Udp, 5060), &cancel);
        assert!(matches!(received, Received::Absorbed(Absorbed::UnmatchedCancel)));
        endpoint.poll_transmit(&mut out).unwrap();
    }
    assert_eq!((endpoint.pending(), endpoint.finished()), (0, 0));
    let (first, second) = out.split_at(out.len() / 2);
    assert_eq!(first, second);
    let message = sip::parse::parse(first, &Limits::DEFAULT).unwrap();
    assert_eq!(message.status(), Some(481));
    assert_eq!(message.to().tag().map(str::len), Some(8));
}

#[test]
fn stale_ids_do_nothing() {
    let mut endpoint = endpoint();
    let here = flow(Tcp, 5060);
    let bye = request("BYE", Tcp, 5060, "z9hG4bKstale");
    let id = new_request(&mut endpoint, here, &bye);
    endpoint.respond(NOW, id, 200, &response(&bye, 200));
    assert_eq!(sent(&mut endpoint).len(), 1);
    let next = request("INFO", Tcp, 5060, "z9hG4bKnext");
    let next_id = new_request(&mut endpoint, here, &next);
    assert_ne!(id, next_id);
    endpoint.respond(NOW, id, 500, &response(&bye, 500));
    endpoint.discard(id);
    assert_eq!((endpoint.flow_of(id), endpoint.flow_of(next_id)), (None, Some(here)));
    let client = endpoint.request(NOW, here, &bye, ClientOptions::default());
    come(&mut endpoint, here, &response(&bye, 200));
    endpoint.cancel(NOW, client, None);
    assert_eq!(sent(&mut endpoint).len(), 1);
    endpoint.handle_timeout(ms(100_000));
    assert_eq!(endpoint.pending() + endpoint.finished(), 0);
}

#[test]
fn answers_of_the_endpoint_itself_say_who_answers() {
    let plain = |code: &str| (code.to_owned(), Vec::new());
    let cancel = request("CANCEL", Udp, 5060, "z9hG4bKx");
    let broken = edited(&cancel, "CSeq: 7 CANCEL", "CSeq: one OPTIONS");
    let broken = edited(&broken, "CANCEL sip", "OPTIONS sip");
    let say = |endpoint: &mut Endpoint, bytes: &[u8]| {
        endpoint.handle_input(NOW, flow(Udp, 5060), bytes);
        let mut out = Vec::new();
        while endpoint.poll_transmit(&mut out).is_some() {}
        let text = String::from_utf8(out).unwrap();
        let named = |line: &&str| line.starts_with("Server:") || line.starts_with("Warning:");
        let lines: Vec<String> = text.lines().filter(named).map(str::to_owned).collect();
        (text[8..11].to_owned(), lines)
    };
    let unsigned = &mut endpoint();
    assert_eq!(say(unsigned, &cancel), plain("481"));
    assert_eq!(say(unsigned, &broken), plain("400"));
    assert_eq!(unsigned.counters().refused, 1);

    let signed = &mut endpoint().signed("Ringmaster", "rm-1");
    let lines =
        |word: &str| vec![format!("Warning: 399 rm-1 \"{word}\""), "Server: Ringmaster".to_owned()];
    assert_eq!(say(signed, &cancel), ("481".to_owned(), lines("no-dialog")));
    assert_eq!(say(signed, &broken), ("400".to_owned(), lines("malformed")));
    new_request(signed, flow(Udp, 5060), &request("INVITE", Udp, 5060, "z9hG4bKx"));
    assert_eq!(say(signed, &cancel), ("200".to_owned(), vec!["Server: Ringmaster".to_owned()]));

    let tcp = Flow { conn: Some(ConnId(3)), ..flow(Tcp, 5060) };
    let error = sip::parse::parse(&broken, &Limits::DEFAULT).unwrap_err();
    let came = signed.handle_broken(NOW, tcp, &broken, error);
    assert!(matches!(came, Received::Refused(_)));
    assert_eq!(sent(signed)[0].0, tcp, "on the stream that broke");
    assert_eq!(signed.counters().refused, 2);
}
