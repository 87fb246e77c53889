//! The transport over real sockets, with an engine that sends each packet back to where it came
//! from, and keeps what it was told.

mod failing;

use super::*;
use crate::limits::{
    IDLE_STRANGER, MESSAGE_TIME, STRANGERS_UNFINISHED, STREAMS_PER_SOURCE, UNFINISHED, WRITE_TIME,
};
use crate::listeners::{Wanted, bind};
use net::waker;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

#[derive(Default)]
struct Echo {
    outbox: Outbox,
    packets: Vec<(Flow, Vec<u8>)>,
    failed: Vec<Flow>,
    unopened: Vec<Flow>,
}

impl Engine for Echo {
    fn arrived(&mut self, arrival: Arrival<'_>) {
        match arrival {
            Arrival::Packet { flow, bytes, received } => {
                assert_eq!(received.is_some(), flow.transport == Kind::Udp);
                self.packets.push((flow, bytes.to_vec()));
                self.say(flow, bytes);
            }
            Arrival::Broken { flow, bytes, error } => {
                let mut answer = Vec::new();
                assert!(sip::print::refuse(bytes, &error, &[], flow, &mut answer));
                self.say(flow, &answer);
            }
            Arrival::Verified { .. } => unreachable!("there is no TLS here"),
            Arrival::Failed(flow) => self.failed.push(flow),
            Arrival::Unopened(flow) => self.unopened.push(flow),
        }
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}

impl Echo {
    fn say(&mut self, flow: Flow, bytes: &[u8]) {
        self.outbox.bytes.extend_from_slice(bytes);
        self.outbox.push(flow, bytes.len());
    }
}

/// A UDP and a TCP listener on loopback, and time that the test moves.
struct Node {
    transport: Transport,
    echo: Echo,
    address: SocketAddr,
    udp: SocketAddr,
    now: Duration,
    waker: net::Waker,
}

impl Node {
    fn new(trust: Trust) -> Self {
        let (waker, wakes) = waker::pair().unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let udp = bind(Wanted { transport: Kind::Udp, address }, &[], 24).unwrap();
        let mut bound = vec![udp];
        bound.push(bind(Wanted { transport: Kind::Tcp, address }, &bound, 24).unwrap());
        let (udp, address) = (bound[0].address, bound[1].address);
        let transport = Transport::new(bound, wakes, (trust, Seats::default()), 24, None).unwrap();
        Self { transport, echo: Echo::default(), address, udp, now: Duration::from_secs(1), waker }
    }

    fn strangers() -> Self {
        let peer = rm::settings::Match::parse("192.0.2.1").unwrap();
        Self::new(Trust::of_matches(vec![peer]))
    }

    /// Turns until `done`, at most for ten seconds of the real clock.
    fn turn_until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..1000 {
            self.turn();
            if done(self) {
                return;
            }
        }
        panic!("it did not happen: {:?} {:?}", self.echo.packets, self.echo.failed);
    }

    fn turn(&mut self) {
        self.transport.wait(Duration::from_millis(10)).unwrap();
        self.transport.receive(self.now, &mut self.echo);
        self.transport.send_all(self.now, &mut self.echo);
        self.transport.flush();
    }

    /// Bytes that wait for far ends which do not take them.
    fn stuck(&self) -> usize {
        self.transport.streams.blocked().map(net::tcp::Stream::waiting).sum()
    }

    fn error(&self, why: &str) -> u64 {
        self.transport.counters().streams.errors.get(why).copied().unwrap_or_default()
    }

    fn open(&self) -> usize {
        self.transport.counters().streams.open
    }

    fn client(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn tcp(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Kind::Tcp, listener: 1, remote, conn: None }
    }
}

const MESSAGE: &str = "OPTIONS sip:rm SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";

#[test]
fn udp_packets_come_with_their_source_and_go_back_there() {
    let mut node = Node::new(Trust::of(&[]));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let udp = node.udp;
    for n in 0..100 {
        client.send_to(format!("packet {n}").as_bytes(), udp).unwrap();
    }
    node.turn_until(|node| node.echo.packets.len() == 100);
    assert!(node.echo.packets.iter().all(|(flow, _)| flow.remote == client.local_addr().unwrap()));
    let mut buffer = [0; 64];
    for n in 0..100 {
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (format!("packet {n}").as_bytes(), udp));
    }
}

#[test]
fn a_stream_is_cut_into_messages_and_pings_are_answered() {
    let mut node = Node::new(Trust::of(&[]));
    let mut client = node.client();
    let (first, second) = MESSAGE.split_at(20);
    client.write_all(format!("\r\n\r\n{MESSAGE}{first}").as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 1);
    client.write_all(second.as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 2);
    for (flow, bytes) in &node.echo.packets {
        assert_eq!(bytes, MESSAGE.as_bytes());
        assert!(flow.conn.is_some());
    }
    let expected = format!("\r\n{MESSAGE}{MESSAGE}");
    let mut answer = vec![0; expected.len()];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

#[test]
fn one_connection_carries_both_ways_and_its_end_fails_its_flows() {
    let mut node = Node::new(Trust::of(&[]));
    let peer = TcpListener::bind("127.0.0.2:0").unwrap();
    let flow = node.tcp(peer.local_addr().unwrap());
    node.echo.say(flow, MESSAGE.as_bytes());
    node.echo.say(flow, MESSAGE.as_bytes());
    node.turn();
    let (mut accepted, from) = peer.accept().unwrap();
    assert_eq!(from.ip(), node.address.ip(), "it leaves from the listener's address");
    accepted.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    node.turn_until(|node| node.open() == 1);
    let mut bytes = vec![0; MESSAGE.len() * 2];
    node.turn();
    accepted.read_exact(&mut bytes).unwrap();
    accepted.write_all(MESSAGE.as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 1);
    let named = node.echo.packets[0].0;
    assert_eq!(Flow { conn: None, ..named }, flow);
    drop(accepted);
    node.turn_until(|node| node.echo.failed.len() == 2);
    assert_eq!((&node.echo.failed[..], &node.echo.unopened[..]), (&[named, flow][..], &[][..]));
    // What is sent to a stream that is gone, and was not ours to open, fails at once.
    node.echo.failed.clear();
    node.echo.say(named, b"late");
    node.turn_until(|node| !node.echo.failed.is_empty());
    assert_eq!((&node.echo.failed[..], node.open()), (&[named][..], 0));
}

#[test]
fn a_connect_has_the_time_of_its_far_end() {
    let peer = |host: &str| TcpListener::bind((host, 0)).unwrap();
    let (resource, other) = (peer("127.0.0.2"), peer("127.0.0.3"));
    let mut trust = Trust::of(&[]);
    trust.set_resource("127.0.0.2".parse().unwrap());
    trust.set_connect_times((Duration::from_secs(2), Duration::from_secs(5)));
    let mut node = Node::new(trust);
    let flows = [&resource, &other].map(|one| node.tcp(one.local_addr().unwrap()));
    for flow in flows {
        node.echo.say(flow, MESSAGE.as_bytes());
    }
    node.transport.send_all(node.now, &mut node.echo);
    // Deadlines are looked at before what the kernel says: it has taken both connects long ago.
    node.now += Duration::from_millis(2001);
    node.turn_until(|node| !node.echo.unopened.is_empty());
    assert!(node.echo.unopened.contains(&flows[0]), "{:?}", node.echo.unopened);
    assert!(!node.echo.unopened.contains(&flows[1]), "{:?}", node.echo.unopened);
    assert_eq!(node.echo.failed, [], "it never stood");
    assert_eq!(node.transport.counters().streams.errors.get("connect-timeout"), Some(&1));
    assert_eq!(node.open(), 1);
}

#[test]
fn a_connect_that_nobody_takes_fails_its_flow() {
    let mut node = Node::new(Trust::of(&[]));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flow = node.tcp(nobody);
    node.echo.say(flow, MESSAGE.as_bytes());
    node.turn_until(|node| node.echo.unopened.contains(&flow));
    assert_eq!(node.echo.failed, [], "it never stood");
    assert_eq!(node.transport.counters().streams.errors.get("refused"), Some(&1));
}

#[test]
fn a_datagram_to_nobody_fails_its_flow_and_no_other() {
    let mut node = Node::new(Trust::of(&[]));
    let somebody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for remote in [nobody, somebody.local_addr().unwrap()] {
        node.echo.say(udp_flow(0, remote), MESSAGE.as_bytes());
    }
    let flow = udp_flow(0, nobody);
    node.turn_until(|node| node.echo.failed.contains(&flow));
    assert_eq!(node.echo.failed, [flow]);
    assert_eq!(node.transport.counters().udp_errors.get("refused"), Some(&1));
    somebody.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(somebody.recv_from(&mut [0; 64]).unwrap().0, MESSAGE.len());
}

#[test]
fn streams_that_say_too_little_or_nothing_are_closed_in_time() {
    let mut node = Node::strangers();
    let (mut slow, _idle) = (node.client(), node.client());
    slow.write_all(&MESSAGE.as_bytes()[..10]).unwrap();
    node.turn_until(|node| node.open() == 2);
    node.turn();
    node.now += MESSAGE_TIME;
    node.turn_until(|node| node.open() == 1);
    assert_eq!(node.transport.counters().streams.errors.get("message-timeout"), Some(&1));
    assert_eq!(slow.read(&mut [0; 8]).unwrap_or_default(), 0);
    node.now += IDLE_STRANGER;
    node.turn_until(|node| node.open() == 0);
}

#[test]
fn what_is_no_sip_is_answered_if_possible_and_closed() {
    let mut node = Node::new(Trust::of(&[]));
    let mut client = node.client();
    let text = "OPTIONS sip:rm SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;\
                tag=1\r\nTo: <sip:rm>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
                Content-Length: 99999999999\r\n\r\n";
    client.write_all(text.as_bytes()).unwrap();
    node.turn_until(|node| node.open() == 1);
    node.turn_until(|node| node.open() == 0);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    assert!(node.echo.packets.is_empty());
}

#[test]
fn a_stranger_has_few_connections_and_a_peer_as_many_as_it_needs() {
    let cases = [(Node::strangers(), STREAMS_PER_SOURCE), (Node::new(Trust::of(&[])), 300)];
    for (mut node, most) in cases {
        let mut clients = Vec::new();
        for _ in 0..300 {
            clients.push(node.client());
            node.turn();
        }
        node.turn_until(|node| {
            let streams = node.transport.counters().streams;
            streams.open + usize::try_from(streams.refused).unwrap() == 300
        });
        assert_eq!(node.open(), most);
    }
}

#[test]
fn a_peer_that_does_not_read_loses_its_connection_not_the_engine() {
    let mut node = Node::new(Trust::of(&[]));
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let flow = node.tcp(peer.local_addr().unwrap());
    let big = vec![b'x'; 60_000];
    for _ in 0..1000 {
        node.echo.say(flow, &big);
        node.turn();
        if !node.echo.failed.is_empty() {
            break;
        }
    }
    assert!(node.echo.failed.contains(&flow));
    assert_eq!(node.transport.counters().streams.errors.get("write-queue"), Some(&1));
}

/// A stream whose far end does not read, with some bytes that wait for it.
fn stuck(node: &mut Node) -> (TcpStream, Flow) {
    let mut client = node.client();
    client.write_all(MESSAGE.as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 1);
    let flow = node.echo.packets.remove(0).0;
    // the kernel takes a little more for a while
    while node.stuck() < 400_000 {
        node.echo.say(flow, &[b'x'; 60_000]);
        node.turn();
    }
    (client, flow)
}

#[test]
fn who_takes_nothing_for_too_long_is_given_up_and_gets_no_pongs() {
    let mut node = Node::strangers();
    let (mut client, flow) = stuck(&mut node);
    let waiting = node.stuck();
    for _ in 0..20 {
        client.write_all(&b"\r\n\r\n".repeat(4_000)).unwrap();
        node.turn();
    }
    assert!(node.stuck() <= waiting, "nothing is kept for it: {} {waiting}", node.stuck());
    node.now += WRITE_TIME / 2;
    node.turn();
    node.now += WRITE_TIME;
    node.turn_until(|node| node.open() == 0);
    assert_eq!(node.error("write-timeout"), 1);
    assert!(node.echo.failed.contains(&flow));
}

#[test]
fn who_takes_slowly_is_kept() {
    let mut node = Node::strangers();
    let (mut client, _) = stuck(&mut node);
    node.turn();
    node.now += WRITE_TIME / 2;
    node.turn();
    let mut buffer = vec![0; 1 << 20];
    while node.stuck() > 0 {
        assert!(client.read(&mut buffer).unwrap() > 0);
        node.turn();
    }
    node.now += WRITE_TIME - Duration::from_secs(1);
    node.turn();
    node.turn();
    assert_eq!((node.open(), node.error("write-timeout")), (1, 0));
}

#[test]
fn beginnings_of_messages_of_strangers_take_no_more_than_their_share() {
    let mut node = Node::strangers();
    let part =
        format!("OPTIONS sip:rm SIP/2.0\r\nContent-Length: 65000\r\n\r\n{}", "x".repeat(60_000));
    let fit = STRANGERS_UNFINISHED / part.len();
    let mut clients = Vec::new();
    for _ in 0..fit + 10 {
        let mut client = node.client();
        node.turn();
        client.write_all(part.as_bytes()).unwrap();
        node.turn();
        clients.push(client);
    }
    node.turn_until(|node| node.error("unfinished") == 10);
    assert_eq!(node.open(), fit);
    // the others go on: a message that gets whole gives its room back
    let rest = "x".repeat(65_000 - 60_000);
    clients[0].write_all(rest.as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 1);
    let mut late = node.client();
    node.turn_until(|node| node.open() == fit + 1);
    late.write_all(part.as_bytes()).unwrap();
    late.write_all(rest.as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 2);
    assert_eq!(node.error("unfinished"), 10);
}

#[test]
fn beginnings_of_messages_of_peers_have_a_bound_too_and_the_fattest_goes() {
    let mut node = Node::new(Trust::of(&[]));
    let head = "OPTIONS sip:rm SIP/2.0\r\nContent-Length: 65000\r\n\r\n";
    let part = format!("{head}{}", "x".repeat(60_000));
    let fit = UNFINISHED / part.len();
    // one with little in hand is there from the start
    let mut small = node.client();
    small.write_all(head.as_bytes()).unwrap();
    let mut clients = Vec::new();
    for _ in 0..fit + 10 {
        let mut client = node.client();
        node.turn();
        client.write_all(part.as_bytes()).unwrap();
        node.turn();
        clients.push(client);
        node.now += Duration::from_millis(1);
    }
    node.turn_until(|node| node.error("unfinished") >= 10);
    let closed = usize::try_from(node.error("unfinished")).unwrap();
    assert_eq!(node.open(), 1 + fit + 10 - closed);
    assert!(closed <= 11, "{closed}");
    // whoever had little goes on
    small.write_all("x".repeat(65_000).as_bytes()).unwrap();
    node.turn_until(|node| node.echo.packets.len() == 1);
}

#[test]
fn one_byte_a_second_is_no_message_in_time() {
    let mut node = Node::new(Trust::of(&[]));
    let (mut slow, mut other) = (node.client(), node.client());
    node.turn_until(|node| node.open() == 2);
    for byte in MESSAGE.bytes() {
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        node.turn();
        node.now += Duration::from_secs(1);
        other.write_all(MESSAGE.as_bytes()).unwrap();
        let served = node.echo.packets.len() + 1;
        node.turn_until(|node| node.echo.packets.len() == served);
    }
    assert_eq!((node.error("message-timeout"), node.open()), (1, 1), "a peer has no more time");
}

#[test]
fn beyond_the_limit_the_oldest_idle_stranger_goes_and_a_peer_does_not() {
    let mut node = Node::strangers();
    node.transport.set_most_streams(3);
    let mut clients: Vec<TcpStream> = Vec::new();
    for open in [1, 2, 3, 3, 3] {
        node.now += Duration::from_secs(1);
        clients.push(node.client());
        node.turn();
        node.turn_until(|node| node.open() == open);
    }
    // what is in the middle of a message does not go either
    assert_eq!(clients[0].read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(clients[1].read(&mut [0; 8]).unwrap(), 0);
    clients[2].write_all(&MESSAGE.as_bytes()[..10]).unwrap();
    node.turn();
    node.now += Duration::from_secs(1);
    clients.push(node.client());
    node.turn();
    assert_eq!(clients[3].read(&mut [0; 8]).unwrap(), 0);
    node.transport.set_most_streams(1);
    clients.push(node.client());
    node.turn();
    node.turn_until(|node| node.open() == 1);
    assert_eq!(node.transport.counters().streams.refused, 1, "one is busy, and has the only seat");

    let mut node = Node::new(Trust::of(&[]));
    node.transport.set_most_streams(3);
    let _clients: Vec<TcpStream> = (0..5).map(|_| node.client()).collect();
    node.turn_until(|node| node.transport.counters().streams.refused == 2);
    assert_eq!(node.open(), 3);
}

#[test]
fn a_wait_tells_whether_there_was_nothing_to_do() {
    let mut node = Node::new(Trust::of(&[]));
    assert!(node.transport.wait(Duration::from_millis(1)).unwrap());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"x", node.udp).unwrap();
    node.transport.wait(Duration::from_secs(10)).unwrap();
    assert!(!node.transport.wait(Duration::from_secs(10)).unwrap(), "it still waits");
    node.turn();
    assert!(node.transport.wait(Duration::ZERO).unwrap());
}

#[test]
fn the_waker_ends_a_wait() {
    let mut node = Node::new(Trust::of(&[]));
    node.waker.wake();
    // Without the waker this would take an hour.
    node.transport.wait(Duration::from_secs(3600)).unwrap();
    node.transport.receive(node.now, &mut node.echo);
    node.waker.wake();
    node.transport.wait(Duration::from_secs(3600)).unwrap();
}
