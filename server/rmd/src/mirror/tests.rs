//! The queue of the mirror, and what the thread makes of it.

use super::{Counts, Mirror, Setup, Shared, Thread, start};
use crate::limits::MIRROR_QUEUE;
use net::Clock;
use rm::heads::Direction;
use sip::transport::{Flow, Transport};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

const MESSAGE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: one\r\n\r\n";

fn flow(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// An end whose thread takes nothing.
fn alone() -> Mirror {
    let (waker, _wakes) = net::waker::pair().unwrap();
    Mirror {
        shared: Arc::new(Shared::new(waker)),
        batch: super::Batch::default(),
        latest: Duration::ZERO,
    }
}

fn setup(collector: SocketAddr) -> Setup {
    let (host, port) = (collector.ip().to_string(), collector.port());
    let own = vec![SocketAddr::from(([127, 0, 0, 1], 5060))];
    Setup { host, port, agent: 7, key: None, own, clock: Clock::start() }
}

#[test]
fn a_full_queue_loses_and_counts() {
    let (mut mirror, far) = (alone(), SocketAddr::from(([192, 0, 2, 1], 5060)));
    let (large, small) = (vec![b'x'; MIRROR_QUEUE / 4], b"x");
    for _ in 0..4 {
        mirror.copy(Duration::ZERO, Direction::In, flow(far), &large);
        mirror.flush();
    }
    assert_eq!(mirror.counts(), Counts::default());
    // the turn has room of its own, the queue has none
    for _ in 0..3 {
        mirror.copy(Duration::ZERO, Direction::In, flow(far), small);
    }
    assert_eq!(mirror.counts().lost, 0);
    mirror.flush();
    assert_eq!(mirror.counts().lost, 3);
    // a turn that has more than the whole queue
    for _ in 0..6 {
        mirror.copy(Duration::ZERO, Direction::Out, flow(far), &large);
    }
    assert_eq!(mirror.counts().lost, 3 + 2);
}

#[test]
fn what_waits_at_the_end_still_leaves() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut mirror, thread) = start(setup(collector.local_addr().unwrap())).unwrap();
    let far = SocketAddr::from(([192, 0, 2, 1], 5090));
    for _ in 0..100 {
        mirror.copy(Duration::from_secs(5), Direction::In, flow(far), MESSAGE);
    }
    // more than any datagram takes
    mirror.copy(Duration::from_secs(5), Direction::In, flow(far), &[b'x'; 65_507]);
    mirror.flush();
    drop(thread);
    assert_eq!(mirror.counts(), Counts { sent: 100, lost: 1 });
    let mut buffer = [0; 1024];
    for _ in 0..100 {
        let len = collector.recv(&mut buffer).unwrap();
        let packet = &buffer[..len];
        assert!(packet.starts_with(b"HEP3") && packet.ends_with(MESSAGE));
        let id = b"\0\0\0\x11\0\x09one";
        assert!(packet.windows(id.len()).any(|part| part == id), "no Call-ID");
        let source = [&[0, 0, 0, 3, 0, 10][..], &[192, 0, 2, 1]].concat();
        assert!(packet.windows(10).any(|part| part == source), "not from the far end");
    }
}

#[test]
fn a_collector_that_is_gone_is_counted() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap();
    drop(collector);
    let (mut mirror, _thread) = start(setup(address)).unwrap();
    let far = SocketAddr::from(([192, 0, 2, 1], 5090));
    let mut tries = 0;
    while mirror.counts().lost == 0 {
        mirror.copy(Duration::ZERO, Direction::Out, flow(far), MESSAGE);
        mirror.flush();
        tries += 1;
        assert!(tries < 5_000, "{:?}", mirror.counts());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_name_that_leads_nowhere_is_counted() {
    let far = SocketAddr::from(([192, 0, 2, 1], 5090));
    let nowhere = Setup { host: "no.such.host.invalid".to_owned(), ..setup(far) };
    let (mut mirror, thread) = start(nowhere).unwrap();
    mirror.copy(Duration::ZERO, Direction::Out, flow(far), MESSAGE);
    mirror.flush();
    drop(thread);
    // whoever answers for names may take longer than the end waits
    for _ in 0..6000 {
        if mirror.counts().lost > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(mirror.counts(), Counts { sent: 0, lost: 1 });
}

#[test]
fn the_end_does_not_wait_for_a_name_server() {
    let (answer, asked) = sync_channel::<()>(1);
    let thread = std::thread::spawn(move || {
        let _answer = asked.recv();
    });
    let (waker, _wakes) = net::waker::pair().unwrap();
    let shared = Arc::new(Shared::new(waker));
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        drop(Thread { shared, thread: Some(thread) });
        tell.send(()).unwrap();
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(()));
    drop(answer);
}
