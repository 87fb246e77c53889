//! Real sockets on loopback.

use super::*;
use crate::Clock;

const LOOPBACK: &str = "127.0.0.1:0";

fn bind(address: &str) -> UdpSocket {
    UdpSocket::bind(address.parse().unwrap(), 24).unwrap()
}

/// Loopback delivers before `sendmmsg` returns, so there is nothing to wait for.
fn take(batch: &mut ReceiveBatch, socket: &UdpSocket) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut all = Vec::new();
    while batch.receive(socket).unwrap() > 0 {
        all.extend(batch.datagrams().map(|datagram| (datagram.bytes.to_vec(), datagram.from)));
    }
    all
}

#[test]
fn more_than_a_batch_arrives_whole_and_in_order() {
    for address in [LOOPBACK, "[::1]:0"] {
        let (from, to) = (bind(address), bind(address));
        let mut buffer = Vec::new();
        let mut sends = SendBatch::new();
        let count = SEND_BATCH * 2 + 3;
        for number in 0..count {
            let start = buffer.len();
            buffer.extend(format!("{number}").repeat(number).bytes());
            sends.push(start..buffer.len(), to.local());
        }
        assert_eq!(sends.flush(&from, &buffer, |failure| panic!("{failure:?}")), count);
        assert!(sends.is_empty());
        let mut receives = ReceiveBatch::new();
        let all = take(&mut receives, &to);
        assert_eq!(all.len(), count);
        for (number, (bytes, source)) in all.iter().enumerate() {
            assert_eq!(bytes, format!("{number}").repeat(number).as_bytes());
            assert_eq!(*source, from.local());
        }
        assert_eq!(take(&mut receives, &to).len(), 0);
    }
}

#[test]
fn one_batch_serves_sockets_of_both_families() {
    let mut batch = ReceiveBatch::new();
    for address in [LOOPBACK, "[::1]:0", LOOPBACK, "[::1]:0"] {
        let (from, to) = (bind(address), bind(address));
        let mut sends = SendBatch::new();
        for _ in 0..3 {
            sends.push(0..1, to.local());
        }
        assert_eq!(sends.flush(&from, b"x", |failure| panic!("{failure:?}")), 3);
        let sources: Vec<_> = take(&mut batch, &to).into_iter().map(|(_, from)| from).collect();
        assert_eq!(sources, [from.local(); 3]);
    }
}

#[test]
fn the_largest_datagram_fits() {
    let (from, to) = (bind(LOOPBACK), bind(LOOPBACK));
    let largest = vec![0x5a; 65_507];
    let mut sends = SendBatch::new();
    sends.push(0..largest.len(), to.local());
    assert_eq!(sends.flush(&from, &largest, |failure| panic!("{failure:?}")), 1);
    let mut batch = ReceiveBatch::new();
    assert_eq!(batch.receive(&to).unwrap(), 1);
    assert_eq!(batch.datagrams().next().unwrap().bytes, largest);
}

#[test]
fn every_batch_carries_the_kernels_time_of_receipt() {
    let (from, to) = (bind(LOOPBACK), bind(LOOPBACK));
    let mut batch = ReceiveBatch::new();
    // Several rounds: nix reuses the control buffers, and a stale length would lose the time.
    for _ in 0..3 {
        let before = Clock::start().wall();
        let mut sends = SendBatch::new();
        for _ in 0..5 {
            sends.push(0..1, to.local());
        }
        assert_eq!(sends.flush(&from, b"x", |failure| panic!("{failure:?}")), 5);
        assert_eq!(batch.receive(&to).unwrap(), 5);
        let after = Clock::start().wall();
        for datagram in batch.datagrams() {
            let received = datagram.received.unwrap();
            let slack = Duration::from_millis(100);
            assert!(received + slack >= before && received <= after + slack, "{received:?}");
        }
    }
}

#[test]
fn what_cannot_leave_is_reported_and_the_rest_leaves() {
    let (from, to) = (bind(LOOPBACK), bind(LOOPBACK));
    let wrong_family = "[::1]:5060".parse().unwrap();
    let buffer = vec![0; 70_000];
    let mut sends = SendBatch::new();
    sends.push(0..2, to.local());
    sends.push(0..2, wrong_family);
    sends.push(0..70_000, to.local());
    sends.push(0..3, to.local());
    let mut failures = Vec::new();
    assert_eq!(sends.flush(&from, &buffer, |failure| failures.push(failure)), 2);
    assert_eq!(failures.len(), 2);
    assert_eq!(failures[0].to, wrong_family);
    assert!(matches!(failures[0].why, Unsent::Refused(_)), "{failures:?}");
    assert_eq!(failures[1], SendFailure { to: to.local(), why: Unsent::TooLarge });
    let lengths: Vec<_> =
        take(&mut ReceiveBatch::new(), &to).iter().map(|(bytes, _)| bytes.len()).collect();
    assert_eq!(lengths, [2, 3]);
}

#[test]
fn an_address_in_use_is_an_error() {
    let first = bind(LOOPBACK);
    let error = UdpSocket::bind(first.local(), 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn options_reach_the_kernel() {
    let socket = bind(LOOPBACK);
    assert!(socket.receive_buffer() > 0);
    assert_eq!(socket2::SockRef::from(&socket.socket).tos_v4().unwrap(), 24 << 2);
    let socket = bind("[::1]:0");
    assert_eq!(socket2::SockRef::from(&socket.socket).tclass_v6().unwrap(), 24 << 2);
}

/// Nobody listens at the address that comes back.
fn nobody(address: &str) -> SocketAddr {
    bind(address).local()
}

#[test]
fn a_port_where_nobody_listens_is_told_by_the_network() {
    for address in [LOOPBACK, "[::1]:0"] {
        let (from, dead) = (bind(address), nobody(address));
        let mut sends = SendBatch::new();
        sends.push(0..1, dead);
        assert_eq!(sends.flush(&from, b"x", |failure| panic!("{failure:?}")), 1);
        let mut batch = ReceiveBatch::new();
        assert_eq!(batch.receive(&from).unwrap(), 0);
        let mut told = Vec::new();
        from.take_errors(|to, why| told.push((to, why)));
        assert_eq!(told, [(dead, io::ErrorKind::ConnectionRefused)]);
        from.take_errors(|to, why| panic!("{to} {why}"));
    }
}

#[test]
fn errors_of_others_neither_stop_a_send_nor_a_receive() {
    for address in [LOOPBACK, "[::1]:0"] {
        let (from, to, dead) = (bind(address), bind(address), nobody(address));
        let mut sends = SendBatch::new();
        for n in 0..SEND_BATCH * 2 {
            sends.push(0..1, if n % 2 == 0 { dead } else { to.local() });
        }
        let mut failures = Vec::new();
        assert_eq!(sends.flush(&from, b"x", |failure| failures.push(failure)), SEND_BATCH * 2);
        let refused = Unsent::Refused(io::ErrorKind::ConnectionRefused);
        assert!(failures.iter().all(|one| *one == SendFailure { to: dead, why: refused }));
        from.take_errors(|to, _| failures.push(SendFailure { to, why: refused }));
        assert_eq!(failures.len(), SEND_BATCH, "one for each that could not arrive");
        assert_eq!(take(&mut ReceiveBatch::new(), &to).len(), SEND_BATCH);
        // What arrives behind an error is still received.
        sends.push(0..1, dead);
        sends.flush(&from, b"x", |failure| panic!("{failure:?}"));
        sends.push(0..1, from.local());
        sends.flush(&to, b"x", |failure| panic!("{failure:?}"));
        let mut batch = ReceiveBatch::new();
        let received: usize = (0..2).map(|_| batch.receive(&from).unwrap()).sum();
        assert_eq!(received, 1);
    }
}
