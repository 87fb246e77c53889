//! Real connections on loopback.

use super::*;
use crate::poller::{Interest, Poller, Token};
use std::os::fd::AsFd;
use std::time::Duration;

fn listen() -> Listener {
    Listener::bind("127.0.0.1:0".parse().unwrap(), 24).unwrap()
}

fn wait(socket: impl AsFd, interest: Interest) {
    let mut poller = Poller::new().unwrap();
    let mut ready = Vec::new();
    poller.add(socket, Token(1), interest).unwrap();
    poller.wait(Some(Duration::from_secs(10)), &mut ready).unwrap();
    assert_eq!(ready.len(), 1, "nothing happened in 10 s");
}

fn pair() -> (Stream, Stream) {
    pair_at("127.0.0.1:0")
}

fn pair_at(address: &str) -> (Stream, Stream) {
    let listener = Listener::bind(address.parse().unwrap(), 24).unwrap();
    let near = Stream::connect(listener.local(), None, 24).unwrap();
    wait(&near, Interest::Write);
    near.connected().unwrap();
    wait(&listener, Interest::Read);
    let (far, from) = listener.accept().unwrap().unwrap();
    assert_eq!(from, near.local().unwrap());
    assert!(listener.accept().unwrap().is_none());
    (near, far)
}

#[test]
fn bytes_go_both_ways_and_the_end_is_seen() {
    let (mut near, mut far) = pair();
    let mut buffer = [0; 64];
    assert_eq!(far.read(&mut buffer), Read::Blocked);
    near.queue(b"one ").unwrap();
    near.queue(b"write").unwrap();
    assert_eq!(near.flush(), Flush::Done);
    wait(&far, Interest::Read);
    assert_eq!(far.read(&mut buffer), Read::Bytes(9));
    assert_eq!(&buffer[..9], b"one write");
    near.close_write();
    wait(&far, Interest::Read);
    assert_eq!(far.read(&mut buffer), Read::Ended);
    far.queue(b"still open").unwrap();
    assert_eq!(far.flush(), Flush::Done);
    wait(&near, Interest::Read);
    assert_eq!(near.read(&mut buffer), Read::Bytes(10));
}

#[test]
fn a_peer_that_does_not_read_fills_the_queue_and_loses_nothing() {
    let (mut near, mut far) = pair();
    let block = vec![7; 64 * 1024];
    let mut taken = 0;
    while near.queue(&block).is_ok() {
        taken += block.len();
        near.flush();
    }
    assert_eq!(near.queue(&block), Err(QueueFull));
    assert!(near.waiting() <= WRITE_QUEUE && near.waiting() + block.len() > WRITE_QUEUE);
    let (mut seen, mut buffer) = (0, vec![0; 256 * 1024]);
    while seen < taken {
        near.flush();
        wait(&far, Interest::Read);
        if let Read::Bytes(count) = far.read(&mut buffer) {
            seen += count;
        }
    }
    assert_eq!((seen, near.flush()), (taken, Flush::Done));
    assert!(near.queue.capacity() <= WRITE_QUEUE_KEPT);
}

#[test]
fn nobody_listening_is_refused() {
    let address = listen().local();
    let stream = Stream::connect(address, None, 0).unwrap();
    wait(&stream, Interest::Write);
    assert_eq!(stream.connected().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_reset_is_seen_as_broken() {
    let (mut near, far) = pair();
    near.queue(b"unread").unwrap();
    near.flush();
    wait(&far, Interest::Read);
    drop(far); // unread bytes make the kernel send RST
    wait(&near, Interest::Read);
    assert_eq!(near.read(&mut [0; 8]), Read::Failed(io::ErrorKind::ConnectionReset));
}

#[test]
fn a_connection_leaves_from_the_address_asked_for() {
    let listener = listen();
    let from = "127.0.0.9".parse().unwrap();
    let stream = Stream::connect(listener.local(), Some(from), 0).unwrap();
    wait(&stream, Interest::Write);
    wait(&listener, Interest::Read);
    assert_eq!(listener.accept().unwrap().unwrap().1.ip(), from);
}

/// Of the kernel: what it puts into the packets of a socket.
fn marks(socket: &impl AsFd, address: &str) -> u32 {
    let socket = SockRef::from(socket);
    let marks = if address.starts_with('[') { socket.tclass_v6() } else { socket.tos_v4() };
    marks.unwrap()
}

#[test]
fn streams_of_both_families_are_marked_whoever_has_opened_them() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (near, far) = pair_at(address);
        assert_eq!((marks(&near, address), marks(&far, address)), (24 << 2, 24 << 2), "{address}");
        let listener = Listener::bind(address.parse().unwrap(), 0).unwrap();
        let plain = Stream::connect(listener.local(), None, 0).unwrap();
        assert_eq!((marks(&plain, address), marks(&listener, address)), (0, 0), "{address}");
    }
}
