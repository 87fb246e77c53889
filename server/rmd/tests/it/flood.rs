//! More than the engine can take: over real sockets, with the kernel's own buffers (rm.md §1.9).

use crate::node::{Node, objects};
use crate::peer::{Caller, answer, header, tcp_media, udp_media};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The flood ends with this, also when the test fails: a scope waits for its threads.
struct Ended<'f>(&'f AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Datagrams larger than any queue of them, until the kernel has dropped some.
fn overrun(node: &Node) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                // Nothing but line ends: a keep-alive that is read to its end.
                let bytes = b"\r\n".repeat(30_000);
                while !over.load(Ordering::Relaxed) {
                    socket.send_to(&bytes, node.udp()).unwrap();
                }
            });
        }
        let _ended = Ended(&over);
        node.until("the kernel has dropped something", || {
            node.labelled("ringmaster_rm_udp_drops_total", "stack=\"proxy\"") > 0.0
                && node.metric("ringmaster_rm_overload_state") > 0.0
        });
    });
}

#[test]
fn scenario_60_a_receive_buffer_overrun_sheds_new_calls_and_no_bye() {
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 1000));
    node.until_media(1);
    let mut up = Caller::udp(node.udp(), "up");
    assert!(up.invite("18005550100").starts_with("SIP/2.0 200 "));
    overrun(&node);
    // A share is shed, and it shrinks from now on; one of many is in it.
    let mut number = 0;
    node.until("a call is shed", || {
        number += 1;
        let mut caller = Caller::udp(node.udp(), &format!("shed{number}"));
        let answer = caller.invite("18005550100");
        let shed = answer.starts_with("SIP/2.0 503 ");
        if shed {
            assert!((2..=5).contains(&header(&answer, "Retry-After").parse::<u8>().unwrap()));
        } else {
            assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
            assert!(caller.bye().starts_with("SIP/2.0 200 "));
        }
        shed
    });
    assert!(up.bye().starts_with("SIP/2.0 200 "));
    let shed = node.labelled("ringmaster_rm_answers_total", "code=\"503\",reason=\"overload\"");
    assert!(shed >= 1.0);
    assert_eq!(node.labelled("ringmaster_rm_udp_drops_total", "stack=\"monitor\""), 0.0);
    node.until("it is over", || node.metric("ringmaster_rm_overload_state") == 0.0);
    let mut after = Caller::udp(node.udp(), "after");
    assert!(after.invite("18005550100").starts_with("SIP/2.0 200 "));
    assert!(after.bye().starts_with("SIP/2.0 200 "));
}

/// OPTIONS over a stream of its own, as many as the node takes.
fn pump(node: &Node, name: usize, over: &AtomicBool) {
    let mut stream = TcpStream::connect(node.tcp()).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(1..) = answers.read(&mut buffer) {}
    });
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let request = format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;\
             branch=z9hG4bKp{name}n{number}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:127.0.0.1>\r\n\
             Call-ID: {name}-{number}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
    }
    stream.shutdown(Shutdown::Both).unwrap();
    reader.join().unwrap();
}

#[test]
fn an_engine_that_streams_keep_busy_sheds_new_calls_and_no_bye() {
    let (media, _) = tcp_media();
    let node = Node::with(&objects(&[(media, "tcp")], 1000));
    node.until_media(1);
    let mut up = Caller::tcp(node.tcp(), "up");
    assert!(up.invite("18005550100").starts_with("SIP/2.0 200 "));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in 0..3 {
            let (node, over) = (&node, &over);
            scope.spawn(move || pump(node, name, over));
        }
        let _ended = Ended(&over);
        let mut number = 0;
        node.until("a call over TCP is shed", || {
            number += 1;
            let mut caller = Caller::tcp(node.tcp(), &format!("shed{number}"));
            let answer = caller.invite("18005550100");
            let shed = answer.starts_with("SIP/2.0 503 ");
            if shed {
                assert!((2..=5).contains(&header(&answer, "Retry-After").parse::<u8>().unwrap()));
            }
            shed
        });
        assert!(up.bye().starts_with("SIP/2.0 200 "));
    });
    assert_eq!(node.labelled("ringmaster_rm_udp_drops_total", "stack=\"proxy\""), 0.0);
    node.until("it is over", || node.metric("ringmaster_rm_overload_state") == 0.0);
    let mut after = Caller::tcp(node.tcp(), "after");
    assert!(after.invite("18005550100").starts_with("SIP/2.0 200 "));
    assert!(after.bye().starts_with("SIP/2.0 200 "));
}

/// A media server that answers one OPTIONS and is gone.
fn short_lived() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.3:0").unwrap();
    let own = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 65_535];
        let (len, from) = socket.recv_from(&mut buffer).unwrap();
        let request = std::str::from_utf8(&buffer[..len]).unwrap();
        socket.send_to(answer(request, own, "udp").unwrap().as_bytes(), from).unwrap();
    });
    own
}

#[test]
fn a_media_server_that_is_gone_is_passed_over_at_once() {
    let (media, _) = udp_media();
    let text = objects(&[(short_lived(), "udp"), (media, "udp")], 1000);
    // After the first one no probe comes that could find out.
    let node = Node::with(&text.replace("interval: 1s", "interval: 10m"));
    node.until_media(2);
    for n in 0..2 {
        let mut caller = Caller::udp(node.udp(), &format!("gone{n}"));
        assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
        assert!(caller.bye().starts_with("SIP/2.0 200 "));
    }
    let text = node.get("/metrics").1;
    assert!(text.contains("outcome=\"transport\"} 1"), "{text}");
    assert!(!text.contains("outcome=\"timeout\""), "nothing was waited for: {text}");
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Bytes that look like a message for a while: cut, doubled and changed by a number.
fn fuzzed(whole: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..=next(8) {
        let at = next(bytes.len());
        match next(4) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = u8::try_from(next(256)).unwrap(),
            2 => bytes.insert(at, b"\r\n:;<>\"\0"[next(8)]),
            _ => drop(bytes.splice(at..at, whole[..next(whole.len())].to_vec())),
        }
        bytes.truncate(60_000);
    }
    bytes
}

#[test]
fn scenario_37_a_flood_of_garbage_costs_no_memory_and_no_call() {
    // By streams all the way: the datagrams of a call would be lost among those of the flood.
    let (media, _) = tcp_media();
    let node = Node::with(&objects(&[(media, "tcp")], 1000));
    node.until_media(1);
    // The flood may lose datagrams in the kernel: then a call can be told to come again.
    let call = |name: &str| {
        let mut tries = 0;
        node.until("a call is served", || {
            tries += 1;
            let mut caller = Caller::tcp(node.tcp(), &format!("{name}-{tries}"));
            let answer = caller.invite("18005550100");
            let served = answer.starts_with("SIP/2.0 200 ");
            assert!(served || answer.starts_with("SIP/2.0 503 "), "{answer}");
            assert!(!served || caller.bye().starts_with("SIP/2.0 200 "));
            served
        });
    };
    let whole =
        b"OPTIONS sip:rm@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:rm@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
        Max-Forwards: 70\r\nContact: <sip:a@127.0.0.1:9>\r\nContent-Length: 4\r\n\r\nbody";
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let flood = |from: usize, to: usize| {
        for number in from..to {
            socket.send_to(&fuzzed(whole, number), node.udp()).unwrap();
        }
    };
    // Half-open streams, each with the beginning of a message.
    let _half: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(node.tcp()).unwrap();
            stream.write_all(&whole[..100]).unwrap();
            stream
        })
        .collect();
    flood(0, 5_000);
    call("warm");
    let before = resident();
    for round in 1..20 {
        flood(round * 5_000, (round + 1) * 5_000);
        call(&format!("call{round}"));
    }
    let grown = resident().saturating_sub(before);
    assert!(grown <= 64 << 20, "{grown} bytes more");
    assert!(node.labelled("ringmaster_rm_parse_errors_total", "transport=\"UDP\"") > 1_000.0);
}
